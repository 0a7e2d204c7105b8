"""A gate's outcome in words and as a table: for a terminal, for documents, and for whoever must act on it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from raml_eval.comparison import Comparison, GateResult, JudgedCell, Outcome, Rule, Uncompared, amount, needed_for
from raml_eval.gate_file import Tier
from raml_eval.reporting.compare import all_notes, render_comparison
from raml_eval.reporting.comparison_json import comparison_values
from raml_eval.reporting.gate_json import gate_values
from raml_eval.reporting.render import Cell, Table, percent
from raml_eval.reporting.sections import Section
from raml_eval.types import StoredRun

LEAD = (
    "A cell passes by its own interval, and fails only if the opposite holds after Holm's correction over its tier. "
    "Differences are new - base."
)
WIDER = (
    "Below is the comparison, in which nothing decides the gate. Its tests share one error rate, so its intervals are taken at "
    "higher levels than the gate's {level}, and are wider."
)
NO_SIGN = (
    "Inconclusive is no sign that the runs are alike: too little was drawn to tell. Draw more questions or more samples of "
    "both runs, or agree on another margin before the next run is seen."
)
FLIPS = "The comparison's flips name the questions that turned, and `raml-eval show` prints them with their answers."
NOT_COMPARED = "not compared"
TIERS: tuple[Tier, ...] = ("blocking", "advisory")
TESTS = {"non_inferiority": "non-inferiority", "superiority": "superiority", "equivalence": "equivalence"}
_INCONCLUSIVE = {"fail": "inconclusive", "warn": "inconclusive, warns", "pass": "inconclusive, let pass"}


def render_gated(
    comparison: Comparison, gate: GateResult, base: StoredRun, new: StoredRun, format: str = "terminal", full: bool = False
) -> str:
    """The gate's outcome and table, then the comparison. format is terminal, markdown, latex or json (docs/comparing.md)."""
    if format == "json":
        values = {**comparison_values(comparison), "notes": all_notes(comparison, base, new), "gate": gate_values(gate)}
        return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    lines = [*advice(gate), f"{comparison.new} against {comparison.base}. {WIDER.format(level=_level(gate.level))}"]
    first = [gate_section(gate)]
    return render_comparison(comparison, base, new, format, extra=lines, first=first, full=full, title=gate.headline)


def advice(gate: GateResult, advisory: bool = True) -> list[str]:
    """A sentence for every cell that did not pass, and what to do; empty if all passed. advisory cells can be left out."""
    open_ = [c for c in gate.cells if c.outcome is not Outcome.PASSED and (advisory or c.rule.tier == "blocking")]
    lines = [f"{explain(cell)}." for cell in open_ if cell.rule.tier == "blocking"]
    failed = [cell for cell in gate.tier("blocking") if cell.outcome is Outcome.FAILED]
    lines += [FLIPS] if any(cell.rule.measure.name == "avg@n" for cell in failed) else []
    if any(cell.outcome is Outcome.INCONCLUSIVE and not (cell.unknown or cell.cannot_pass) for cell in open_):
        lines.append(NO_SIGN)
    return lines + (advisory_lines(gate) if advisory else [])


def advisory_lines(gate: GateResult) -> list[str]:
    """A sentence for every advisory cell that did not pass, or was not compared."""
    told = [explain(cell) for cell in gate.tier("advisory") if cell.outcome is not Outcome.PASSED]
    return [f"Advisory: {one}." for one in [*told, *map(explain_uncompared, gate.uncompared)]]


def explain_uncompared(one: Uncompared) -> str:
    """Why a cell was not compared, in one sentence without its full stop."""
    return f"{one.rule.name}: {NOT_COMPARED}, because {one.why.rstrip('.')}"


def explain(cell: JudgedCell) -> str:
    """What the interval of a cell shows, in one sentence without its full stop."""
    start = f"{cell.rule.name}: {cell.outcome}, {difference(cell)}"
    if cell.unknown:
        return f"{start}; there is no interval ({cell.found.method}), so nothing is known, and that never passes"
    if cell.outcome is Outcome.PASSED:
        return f"{start}, wanted {wanted(cell.rule)}"
    if cell.outcome is Outcome.FAILED:
        return f"{start}; {opposite(cell)}, wanted {wanted(cell.rule)}"
    alone = (
        f"; {opposite(cell)} at {_level(cell.level)}, but not after the correction for the tier's other cells"
        if cell.worse_alone
        else ""
    )
    if cell.cannot_pass:  # no number of questions is told: the interval says that it would not help
        stays = f", and `inconclusive: {cell.rule.inconclusive}` lets nothing through that cannot pass"
        lenient = cell.rule.tier == "blocking" and cell.rule.inconclusive != "fail"
        return f"{start}, wanted {wanted(cell.rule)}{alone}{stays if lenient else ''}"
    return f"{start}, wanted {wanted(cell.rule)}{alone}; {needs(cell)}"


def opposite(cell: JudgedCell) -> str:
    """What is shown of a cell that failed, or that is worse alone."""
    if cell.rule.test == "equivalence":
        return "it differs by more than the margin"
    if cell.rule.test == "superiority" and not _is_worse(cell):
        return "a difference as large as that is excluded"
    return "it is worse"


def wanted(rule: Rule) -> str:
    """What the interval must show.

    Example: wanted(Rule("math")) == "above -2 points"
    """
    margin, bar = amount(rule, rule.margin), amount(rule, rule.bar)
    if rule.test == "equivalence":
        return f"within {margin}"
    if rule.lower_is_better:
        return f"below {margin}" if rule.test == "non_inferiority" else f"below {'-' if rule.bar else ''}{bar}"
    return f"above -{margin}" if rule.test == "non_inferiority" else f"above {bar}"


def needs(cell: JudgedCell) -> str:
    """How many questions the cell would pass with in four of five comparisons, and under which truth."""
    if cell.needed_questions is None:
        return f"if {needed_for(cell.rule)}, four of five comparisons of {cell.found.n_questions:,} questions pass"
    samples = ""
    if cell.needed_samples is not None:
        endless = math.isinf(cell.needed_samples)
        samples = " (no number of samples is enough)" if endless else f", or about {cell.needed_samples:,.0f} samples of each,"
    return (
        f"if {needed_for(cell.rule)}, it takes about {cell.needed_questions:,} questions in place of "
        f"{cell.found.n_questions:,}{samples} to pass in four of five comparisons"
    )


def difference(cell: JudgedCell) -> str:
    """new - base with its interval, in points or in tokens."""
    found = cell.found
    if not cell.rule.in_tokens:
        return percent(found.value, *((None, None) if cell.unknown else (found.low, found.high)), signed=True) + " points"
    ends = "" if cell.unknown else f" [{found.low:z.1f}, {found.high:z.1f}]"
    return f"{found.value:+z.1f}{ends} tokens"


def outcome_word(cell: JudgedCell) -> str:
    """The outcome, and for an inconclusive blocking cell what that means for the gate."""
    if cell.outcome is Outcome.INCONCLUSIVE and cell.rule.tier == "blocking":
        return _INCONCLUSIVE["fail" if cell.blocks else cell.rule.inconclusive]
    return "passed, though worse" if _is_worse(cell) and cell.outcome is Outcome.PASSED else str(cell.outcome)


def _is_worse(cell: JudgedCell) -> bool:
    return cell.found.low > 0 if cell.rule.lower_is_better else cell.found.high < 0


def gate_section(gate: GateResult) -> Section:
    """A table of the blocking cells, and one of the advisory cells."""
    tables = [_table(tier, cells) for tier in TIERS if (cells := gate.tier(tier))]
    if gate.uncompared:
        head = tuple(map(Cell, ("cell", "measured", "outcome")))
        rows = tuple(tuple(map(Cell, (*_measured(one.rule), NOT_COMPARED))) for one in gate.uncompared)
        tables.append(Table("Advisory cells that were not compared", head, rows, 2))
    return Section(f"Gate {gate.name}", LEAD, tuple(tables))


def compact_table(gate: GateResult) -> Table:
    """The outcomes in few columns, for a comment."""
    head = tuple(map(Cell, ("cell", "measured", "tier", "outcome", "difference", "wanted")))
    rows = []
    for cell in (cell for tier in TIERS for cell in gate.tier(tier)):
        words = (*_measured(cell.rule), cell.rule.tier, outcome_word(cell))
        rows.append(tuple(map(Cell, (*words, difference(cell), wanted(cell.rule)))))
    rows += [tuple(map(Cell, (*_measured(u.rule), u.rule.tier, NOT_COMPARED, "", wanted(u.rule)))) for u in gate.uncompared]
    return Table("", head, tuple(rows), 3)


def _measured(rule: Rule) -> tuple[str, str]:
    return rule.scope, f"{rule.measure.name} at {rule.budget}"


def _table(tier: Tier, cells: Sequence[JudgedCell]) -> Table:
    levels = {cell.level for cell in cells}
    head = ["cell", "measured", "outcome", "difference", "wanted", *(["level"] if len(levels) > 1 else [])]
    head += ["test", "questions"]
    at = f"{_level(levels.pop())} interval" if len(levels) == 1 else "interval at the cell's level"
    rows = tuple(_row(cell, "level" in head) for cell in cells)
    return Table(f"{tier.capitalize()} cells: new - base in points [{at}]", tuple(map(Cell, head)), rows, 2)


def _row(cell: JudgedCell, with_level: bool) -> tuple[Cell, ...]:
    rule = cell.rule
    words = [*_measured(rule), outcome_word(cell)]
    words += [difference(cell).removesuffix(" points"), wanted(rule).removesuffix(" points")]
    words += [_level(cell.level)] if with_level else []
    needed = "" if cell.needed_questions is None else f", needs {cell.needed_questions:,}"
    words += [TESTS[rule.test], f"{cell.found.n_questions:,}{needed}"]
    return tuple(map(Cell, words))


def _level(level: float) -> str:
    return f"{round(100 * level, 4):g} %"
