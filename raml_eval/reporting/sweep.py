"""`raml-eval sweep` as text: everything that the thinking budgets of stored runs show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from raml_eval.budgets import is_cap
from raml_eval.errors import ConfigError, MetricError, near_names
from raml_eval.reporting.numbers import index_numbers
from raml_eval.reporting.raw import RAW, render_raw
from raml_eval.reporting.render import FORMATS, find_template, render
from raml_eval.reporting.report import Report, drawn_by
from raml_eval.reporting.sections import Section
from raml_eval.reporting.sweep_tables import (
    AFTER,
    CURVE,
    CUTS,
    LOSS_LEAD,
    budget_table,
    choice_table,
    depth_table,
    describe_pairing,
    fraction_table,
    frontier_tables,
    stability_table,
)
from raml_eval.reporting.swept import Swept, index_sweep
from raml_eval.tables import build_frame, has_sweep, run_labels
from raml_eval.tables.escape import NATURAL
from raml_eval.types import StoredRun

if TYPE_CHECKING:
    import pandas as pd


def render_sweep(runs: Sequence[StoredRun], frame: pd.DataFrame, format: str = "terminal", allow_partial: bool = False) -> str:
    """The sweep analysis as text. format is terminal, markdown, latex, csv or json.

    frame is that of build_sweep for the same runs; csv and json are the frame itself, with the notes of each row
    (render_raw). Raises ConfigError for an unknown format, MetricError for an empty frame.

    Example: render_sweep([run], build_sweep([run]), "markdown")
    """
    known = (*FORMATS, *RAW)
    if format not in known:
        raise ConfigError(f"there is no sweep format {format!r}.{near_names(format, known)} Known: {', '.join(known)}.")
    if frame.empty:
        names = " and ".join(run.name for run in runs)
        raise MetricError(f"no trajectory of {names} has a sample at each of its budgets in tokens. Finish the run first.")
    numbers = index_numbers(runs, build_frame(runs, allow_partial=allow_partial), short=format == "terminal")
    if format in RAW:
        return render_raw(runs, frame, numbers.notes, format)
    report = Report(
        title=f"Thinking budgets of {' and '.join(dict.fromkeys(run.name for run in runs))}",
        lead=(*map(drawn_by, runs, run_labels(runs)), *_other_budgets(runs)),
        sections=tuple(_sections(index_sweep(frame, numbers))),
        curve=(),
        notes=tuple(note.text for note in numbers.notes),
    )
    return render(find_template("default", format), format, report=report)


def _other_budgets(runs: Sequence[StoredRun]) -> Iterator[str]:
    for run in runs:
        if not has_sweep(run):
            yield f"{run.name}: fewer than two budgets in tokens, so it is in no table here"
        others = [str(budget) for budget in run.budgets if not is_cap(budget)]
        if others:
            one = len(others) == 1
            yield f"{run.name}: {', '.join(others)} {'is a draw of its' if one else 'are draws of their'} own, in no curve here"


def _sections(swept: Swept) -> Iterator[Section]:
    curve = budget_table(swept, "What each budget gives, and adds to the one below [95 % interval]", CURVE)
    yield Section("The curve", f"{describe_pairing(swept)} {CURVE_LEAD}", (curve, stability_table(swept)))
    fractions = fraction_table(swept)
    if fractions is not None:
        yield Section("Shares of a trajectory", FRACTION_LEAD, (fractions,))
    whole = choice_table(swept)
    changed = "What the best budget that costs no more adds" if swept.all_apart else "What a cut changes, in percent of samples"
    cuts = budget_table(swept, f"{changed} [95 % interval]", CUTS)
    yield Section("Allocation", _allocation_lead(swept), (whole, cuts))
    after = budget_table(swept, "Answers after a forced end, at each budget", AFTER, (NATURAL,))
    if after.rows:
        tables = [table for table in (after, depth_table(swept)) if table.rows]
        yield Section("Reasoning in the answer", ESCAPE_LEAD, tuple(tables))
    yield Section("Equal tokens", FRONTIER_LEAD, tuple(frontier_tables(swept)))


CURVE_LEAD = (
    "adds is the difference in avg@n to the budget below, in percentage points, with an asterisk if its p (Holm over all "
    "steps) is below 0.05; to the largest is what the largest budget adds. per 1,000 tokens divides the step by the thinking "
    "tokens that it costs."
)
FRACTION_LEAD = "Only trajectories that ended by themselves have a length to take a share of; left out counts the others."


def _allocation_lead(swept: Swept) -> str:
    waste = (
        "overthinking is the share of thinking tokens after the answer has settled, futility that on trajectories which are "
        "never right. "
    )
    hindsight = ", and hindsight the same for each trajectory, an upper bound"
    return (
        "area is that under avg@n over log2 budget, divided by the length of the axis, without 0 and unlimited. enough is the "
        f"smallest budget within one point of the best, and best the best, as all samples choose them. {LOSS_LEAD} "
        f"{'' if swept.all_apart else waste}"
        "oracle is what a budget for each question adds to the best budget for all at the same cost"
        f"{'' if swept.all_apart else hindsight}. oracle and regret are chosen on one half of the samples and scored on "
        "the other too."
    )


ESCAPE_LEAD = (
    "escape is the share of forced answers that write the end delimiter again, or are longer than 95 % of the task's answers "
    "after natural ends and contain a word of reflection. extra is how many tokens longer forced answers are than those after "
    "natural ends, on the questions that have both; reflections counts such words per 1,000 answer tokens. delimiter is "
    "the share of answers that write it again, in percent."
)
FRONTIER_LEAD = (
    "4 x 64 is the majority of four samples at budget 64. Tokens are thinking and answer tokens together, per question. The "
    "points are estimates, so a point that another beats by less than its interval may belong to the frontier too."
)
