"""A gate as what ends a run: decided as soon as every blocking cell passes, or one of them cannot."""

from __future__ import annotations

from raml_eval.comparison.gate import GateResult, JudgedCell, Outcome
from raml_eval.comparison.gating import judge_runs
from raml_eval.comparison.protocols import check_protocols
from raml_eval.errors import MetricError
from raml_eval.gate_file import GateFile
from raml_eval.looks import Decide, Decision, Look
from raml_eval.types import StoredRun

SHOWN = 3  # cells that a line about a look names


def decide_by(base: StoredRun, gate: GateFile) -> Decide:
    """What decides a look: the gate, each cell at the look's level for its own."""

    def decide(run: StoredRun, look: Look) -> Decision:
        try:
            result = judge_runs(base, run, gate, level=look.level)
        except MetricError as error:  # such as too many timeouts among few samples
            if look.number == look.n_looks:
                raise
            return Decision(False, str(error))
        return Decision(result.decided, _words(result), result.entry(), result.exit_code)

    return decide


def _words(result: GateResult) -> str:
    """The outcome, with the differences of the cells that it comes from: those that cannot pass, or have not, or all."""
    blocking = list(result.tier("blocking"))
    named = [cell for cell in blocking if cell.cannot_pass]
    named = named or [cell for cell in blocking if cell.outcome is not Outcome.PASSED] or blocking
    cells = "; ".join(map(_told, named[:SHOWN])) + (f"; and {len(named) - SHOWN} more" if len(named) > SHOWN else "")
    return f"gate {result.name} {result.outcome}: {cells}"


def _told(cell: JudgedCell) -> str:
    """The cell's difference with its interval, in points or tokens.

    For example: in-domain mean, avg@n at 64: -1.2 [-4.1, 1.7] points at 99.84 %
    """
    found, scale = cell.found, 1 if cell.rule.in_tokens else 100
    ends = "no interval" if cell.unknown else f"[{scale * found.low:z.1f}, {scale * found.high:z.1f}]"
    unit = "tokens" if cell.rule.in_tokens else "points"
    return f"{cell.rule.name}: {scale * found.value:+z.1f} {ends} {unit} at {round(100 * cell.level, 2):g} %"


def check_gated(base: StoredRun, run: StoredRun, gate: GateFile) -> None:
    """Raises MetricError if the protocols differ in what the gate does not allow."""
    check_protocols(base, run, list(run.tasks), gate.allow_different, in_gate=True)
