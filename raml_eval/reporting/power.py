"""`raml-eval power` as text: what a comparison will be able to find, test by test, with what it takes for granted."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from raml_eval.comparison.planned import Planned, Wanted
from raml_eval.comparison.power import ALONE, FAMILY, PRIMARY, PowerRow, families_of
from raml_eval.comparison.simulated import DRAWS
from raml_eval.reporting.footnotes import footnotes
from raml_eval.reporting.listing import Listing, check_format, render_listing
from raml_eval.reporting.render import Cell, Table
from raml_eval.tables import build_frame
from raml_eval.types import StoredRun
from raml_eval.wording import count_noun

HEADER = ("test", "tested as", "alpha", "Q", "SE", "detectable", "power", "needs Q", "or n")


def render_power(
    rows: Sequence[PowerRow], planned: Planned, wanted: Wanted, format: str = "terminal", base: StoredRun | None = None
) -> str:
    """The rows of power_rows as text. format is terminal, markdown or json (docs/power.md); ConfigError for another.

    The caveats of the run that was planned with, base, are among the notes.

    Example: render_power(power_rows(planned, Wanted()), planned, Wanted(), "markdown")
    """
    check_format(format)
    carried = () if base is None else footnotes([base], build_frame([base], k=[1]))
    notes = (*power_notes(rows, planned, wanted), *carried)
    if format == "json":
        return json.dumps(power_values(rows, planned, wanted, notes), indent=1, ensure_ascii=False, allow_nan=False)
    table = Table(_title(wanted), tuple(map(Cell, HEADER)), tuple(map(_cells, rows)), 2)
    lead = (
        f"{planned.measure.name} at budget {planned.budget}, {count_noun(planned.n_samples, 'sample')} per question in either "
        f"run; noise: {planned.noise}.",
        f"Wanted: a difference of {_points(wanted.difference)} points, found with a power of {100 * wanted.power:g} %.",
    )
    return render_listing(Listing("Power of a comparison", lead, (table,), (), notes), format)


def _title(wanted: Wanted) -> str:
    return f"In points; power, needs Q and or n are those for a difference of {_points(wanted.difference)} points"


def _cells(row: PowerRow) -> tuple[Cell, ...]:
    """The row, with the mark of the first note at numbers near a bound."""
    marks = (1,) if row.near_bound else ()
    return tuple(
        Cell(text, marks if name in ("detectable", "power") else ()) for name, text in zip(HEADER, _texts(row), strict=True)
    )


def _texts(row: PowerRow) -> tuple[str, ...]:
    as_ = {ALONE: "alone", FAMILY: f"1 of {row.among} tasks", PRIMARY: f"1 of {row.among} primary"}[row.role]
    samples = row.samples_needed
    needed = "n/a" if samples is None else "none" if math.isinf(samples) else f"{samples:,.0f}"
    return (
        row.scope,
        as_ if row.among > 1 or row.role == ALONE else "primary",
        f"{row.alpha:.3g}",
        f"{row.n_questions:,}",
        f"{100 * row.standard_error:.2f}",
        "n/a" if math.isnan(row.detectable) else f"{100 * row.detectable:.1f}",
        "n/a" if math.isnan(row.power) else f"{100 * row.power:.0f} %",
        "n/a" if row.questions_needed is None else f"{row.questions_needed:,}",
        needed,
    )


def power_notes(rows: Sequence[PowerRow], planned: Planned, wanted: Wanted) -> Iterator[str]:
    """What the numbers take for granted, and how the error rate is shared out. The first is that of numbers near a bound."""
    if any(row.near_bound for row in rows):
        yield _near_note(rows, planned)
    if wanted.spread == 0:
        yield (
            "The spread is 0: every question is taken to change by the same amount, so only redrawing makes noise. That is "
            "optimistic, for the detectable difference and above all for n needed. --spread 10 takes the true differences of "
            "questions to have a standard deviation of 10 points."
        )
    else:
        yield f"The questions' true differences are taken to have a standard deviation of {_points(wanted.spread)} points."
    families = families_of(planned)
    if families:
        yield (
            f"The error rate {1 - wanted.level:.3g} of the whole comparison is shared out as compare does: four fifths for the "
            f"primary endpoints, the rest in equal parts for the families of {', '.join(families)}; '1 of 4' means the "
            "first of four steps of Holm's correction. Budgets beyond those here, and more metrics, take more."
        )
    yield (
        "alpha is the error rate of a test, Q its questions. needs Q is the number of questions at this n, over several tasks "
        "their sum; or n is the n with these questions. Both are n/a where so many are too few for a t-test."
    )
    if any(row.samples_needed == math.inf for row in rows):
        yield "none: no n is enough with these questions, only the number of questions beside it is."
    if planned.measure.k is not None:
        yield f"{planned.measure.name} has a k: its noise is taken to fall as 1 / n, which is nearly so."
    if any(math.isnan(row.detectable) for row in rows):
        yield (
            "n/a: a task of one cluster, one without any noise to plan with (every question all right or all wrong), or one "
            "where no difference is found so often, however large."
        )


def _near_note(rows: Sequence[PowerRow], planned: Planned) -> str:
    """Where a t-test does not describe what compare will do, and what was done about it."""
    where = (
        "Near 0 or 100 percent, with fewer than 20 clusters, and where few questions change, compare often takes Gaffke's "
        "interval, which is wider than the t-interval."
    )
    if any(row.near_bound and not row.simulated for row in rows):
        return (
            f"{where} {planned.measure.name} could not be simulated, so the marked numbers are those of t-tests and too good: "
            "for avg@n, 0 to 68 % of the differences that a t-test plans to find in 80 % were found there."
        )
    return (
        f"{where} So the marked numbers are from {DRAWS} simulated comparisons each, which differ towards the middle; the "
        "power is good to about 3 points."
    )


def power_values(rows: Sequence[PowerRow], planned: Planned, wanted: Wanted, notes: Sequence[str]) -> dict[str, Any]:
    """Everything as plain values; null for what cannot be given. Shares, not points."""
    return {
        "metric": planned.measure.name,
        "budget": planned.budget,
        "samples": planned.n_samples,
        "noise": planned.noise,
        **asdict(wanted),
        "rows": [_values(row) for row in rows],
        "notes": list(notes),
    }


def _values(row: PowerRow) -> dict[str, Any]:
    values = {name: None if isinstance(of, float) and not math.isfinite(of) else of for name, of in asdict(row).items()}
    return {**values, "no_samples_suffice": row.samples_needed == math.inf}


def _points(share: float) -> str:
    return f"{100 * share:.4g}"
