"""A comparison as text: the verdict first, then every tested difference, curves, flips and caveats."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence

from raml_eval.comparison import FAMILIES, ComparedCell, Comparison, Curve, Flip, Listed, Verdict
from raml_eval.errors import ConfigError, near_names
from raml_eval.intervals import PairedDifference
from raml_eval.intervals.means import T_INTERVAL
from raml_eval.reporting.comparison_json import comparison_values
from raml_eval.reporting.footnotes import footnotes
from raml_eval.reporting.render import FORMATS, Cell, Table, find_template, p_value, percent, percent_of, render
from raml_eval.reporting.report import Report, drawn_by
from raml_eval.reporting.sections import TITLES, Section
from raml_eval.tables import build_frame, same_directory, step_of
from raml_eval.types import StoredRun
from raml_eval.wording import count_noun

COMPARISON_FORMATS = (*FORMATS, "json")
FLIPS_SHOWN = 10
KS_SHOWN = 8
NAMES = {"primary": "Primary endpoints", "tasks": "Tasks", "budgets": "Budgets", "metrics": "Other metrics"}
LEADS = {
    "primary": "The mean over each domain's tasks, which count alike and are fixed. These decide the verdict. A difference "
    "has the interval that its verdict is read from, at the level that the correction for the number of tests leaves; alone "
    "is its interval as if nothing else were tested.",
    "tasks": "Each task at the primary budget and metric.",
    "budgets": "The means at the other budgets.",
    "metrics": "The means by other metrics, at the primary budget.",
}


def render_comparison(
    comparison: Comparison,
    base: StoredRun,
    new: StoredRun,
    format: str = "terminal",
    extra: Sequence[str] = (),
    first: Sequence[Section] = (),
    full: bool = False,
    title: str = "",
) -> str:
    """The comparison of the two runs as text. format is terminal, markdown, latex or json (docs/comparing.md).

    Every caveat of both runs is carried. title takes the place of the verdict's. extra are lines under the title, and first are
    sections before all others, such as a gate's. A terminal shows single tasks at the other budgets only if full is set.
    Raises ConfigError for another format.
    """
    if format not in COMPARISON_FORMATS:
        near = near_names(format, COMPARISON_FORMATS)
        raise ConfigError(f"there is no comparison format {format!r}.{near} Known: {', '.join(COMPARISON_FORMATS)}.")
    notes = all_notes(comparison, base, new)
    if format == "json":
        values = {**comparison_values(comparison), "notes": notes}
        return json.dumps(values, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    report = Report(
        title=title or f"{comparison.new} against {comparison.base}: {comparison.verdict}",
        lead=(*extra, *summary_lines(comparison), drawn_by(base), drawn_by(new)),
        sections=(*first, *comparison_sections(comparison, (step_of(base), step_of(new)), format == "terminal", full)),
        curve=(),
        notes=tuple(notes),
    )
    return render(find_template("default", format), format, report=report)


def all_notes(comparison: Comparison, base: StoredRun, new: StoredRun) -> list[str]:
    """The caveats of the pair, then those of each run."""
    runs = [base] if same_directory(base, new) else [base, new]  # a run may be compared with itself
    return list(dict.fromkeys([*comparison.notes, *footnotes(runs, build_frame(runs, k=[1]))]))


def summary_lines(comparison: Comparison) -> list[str]:
    """The verdict in one sentence for each primary endpoint, everything else that is worse, and how it was decided."""
    lines = [f"Verdict: {comparison.verdict}."]
    lines += [_sentence(cell, comparison) for cell in comparison.family("primary")]
    for family in FAMILIES:
        lines += [f"{_told(cell, placed=True)}." for cell in comparison.family(family) if cell.verdict is Verdict.WORSE]
    return [*lines, _rule(comparison)]


def _sentence(cell: ComparedCell, comparison: Comparison) -> str:
    if cell.verdict is not Verdict.INCONCLUSIVE:
        return f"{_told(cell)}."
    if math.isnan(cell.detectable):
        return f"{_told(cell)}: there is no interval ({cell.alone.method})."
    alike = f"{_told(cell)}: this is no sign that the runs are alike."
    margin = f"{100 * comparison.margin:g}"
    more = f"; a difference of {margin} points takes {_needs(cell)}" if cell.needed_questions else ""
    few = "" if T_INTERVAL in cell.alone.method else " (too near 0 or 100 %, or too few questions change, for a t-interval)"
    if math.isinf(cell.detectable):
        return f"{alike} Not even a difference of 100 points would be found by four of five such comparisons{few}{more}."
    return f"{alike} Four of five such comparisons would find a difference of {100 * cell.detectable:.1f} points{few}{more}."


def _needs(cell: ComparedCell) -> str:
    """What the margin needs: questions, or samples per question."""
    questions = f"about {cell.needed_questions:,} questions in place of {cell.n_questions:,}"
    if cell.needed_samples is None:
        return questions
    if math.isinf(cell.needed_samples):
        return f"{questions} (no number of samples is enough)"
    return f"{questions}, or about {cell.needed_samples:,.0f} samples of each"


def _told(cell: ComparedCell, placed: bool = False) -> str:
    place = f" ({cell.metric} at {cell.budget})" if placed else ""
    return f"{cell.scope}{place} {_word(cell)}, {percent_of(cell.difference, cell.low, cell.high, signed=True)} points"


def _word(cell: ComparedCell) -> str:
    note = cell.within_margin and cell.verdict in (Verdict.BETTER, Verdict.WORSE)
    return f"{cell.verdict} (within the margin)" if note else str(cell.verdict)


def _rule(comparison: Comparison) -> str:
    primary = comparison.primary
    return (
        f"Primary: {primary.measure.name} at {primary.budget} ({primary.source}), paired; margin {100 * comparison.margin:g} "
        f"points; false alarms of all tests together at most {100 * (1 - comparison.level):.3g} %."
    )


def comparison_sections(
    comparison: Comparison, steps: tuple[int | None, int | None], short: bool, full: bool
) -> Iterator[Section]:
    """The tested differences by family, the noise, and what is shown but not tested."""
    for family in ("primary", *FAMILIES):
        cells = comparison.family(family)
        if cells:
            yield Section(NAMES[family], LEADS[family], (_cell_table(cells, comparison.level, short),))
    yield Section("Noise", f"{NOISE_LEAD}{_steps(steps)}", (_noise_table(comparison, None not in steps),))
    listed = [one for one in comparison.listed if full or not short or one.budget == str(comparison.primary.budget)]
    if listed:
        yield Section("Shown, not tested", LISTED_LEAD, tuple(_listed_tables(listed, comparison.level)))
    for curve in comparison.curves:
        yield Section(f"pass@k over k, {TITLES[curve.domain].lower()}", _crossing(curve), (_curve_table(curve, comparison),))
    yield Section("Flips", _flips_lead(comparison), (_flip_table(comparison),) if comparison.flips else ())


def _cell_table(cells: Sequence[ComparedCell], whole: float, short: bool) -> Table:
    """A row for each cell. What all of them share, the budget, the metric or the number of questions, stands in the title."""
    labels = {"what": [cell.scope for cell in cells], "budget": [cell.budget for cell in cells]}
    labels["metric"] = [cell.metric for cell in cells]
    sizes = [cell.n_questions for cell in cells]
    shared = {name: set(texts) for name, texts in labels.items() if name != "what" and len(set(texts)) == 1}
    told = [cells[0].metric] if "metric" in shared else []
    told += [f"budget {cells[0].budget}"] if "budget" in shared else []
    told += [count_noun(sizes[0], "question")] if len(set(sizes)) == 1 else []
    columns = {name: texts for name, texts in labels.items() if name not in shared}
    n_labels = len(columns)
    columns |= {
        "verdict": [_word(cell) for cell in cells],
        "base": [percent(cell.base) for cell in cells],
        "new": [percent(cell.new) for cell in cells],
        "difference": [percent_of(cell.difference, cell.low, cell.high, signed=True) for cell in cells],
        "at level": [f"{100 * cell.level:.4g} %" for cell in cells],
        f"alone, {100 * whole:g} %": [_ends(cell.alone) for cell in cells],
        "p adj.": [p_value(cell.p_adjusted) for cell in cells],
    }
    columns |= {} if len(set(sizes)) == 1 else {"n": [str(size) for size in sizes]}
    levels = sorted({f"{100 * cell.level:.4g}" for cell in cells}, key=float)
    if short:
        del columns["at level"]
        told.append(f"intervals at {' to '.join(dict.fromkeys((levels[0], levels[-1])))} %")
    rows = tuple(tuple(map(Cell, row)) for row in zip(*columns.values(), strict=True))
    return Table(", ".join([*told, "in percent and points"]), tuple(map(Cell, columns)), rows, n_labels)


def _ends(found: PairedDifference) -> str:
    return "n/a" if math.isnan(found.low) else f"[{100 * found.low:z.1f}, {100 * found.high:z.1f}]"


NOISE_LEAD = (
    "What the standard error (SE) of each primary difference is made of, in points: which questions were asked, and which "
    "samples were drawn; and what it would be with four times the samples, or four times the questions. n/a: the samples "
    "cannot tell."
)


def _steps(steps: tuple[int | None, int | None]) -> str:
    """What the signal-to-noise column says, if both checkpoints' steps are known."""
    if None in steps:
        return ""
    return (
        f" The checkpoints stand at steps {steps[0]:,} and {steps[1]:,}: signal to noise is the difference over its noise from "
        f"redrawing alone. `raml-eval noise` has it for a series of checkpoints."
    )


def _noise_table(comparison: Comparison, with_steps: bool) -> Table:
    ratio = ("signal to noise",) if with_steps else ()
    head = ("what", "SE", "from questions", "from redrawing", "4 x samples", "4 x questions", *ratio)
    rows = tuple(tuple(map(Cell, _noise_row(cell, with_steps))) for cell in comparison.family("primary"))
    return Table("In points", tuple(map(Cell, head)), rows, 1)


def _noise_row(cell: ComparedCell, with_steps: bool) -> tuple[str, ...]:
    noise = cell.noise
    assert noise is not None
    first, *errors = (
        _or_none(100 * error, "{:.2f}")
        for error in (noise.standard_error, noise.error_at(samples=4), noise.error_at(questions=4))
    )
    parts = (_or_none(100 * share, "{:.0f} %") for share in (noise.questions_share, noise.redraw_share))
    ratio = abs(noise.value) / noise.redraw_error if noise.redraw_error > 0 else math.nan
    return cell.scope, first, *parts, *errors, *((_or_none(ratio, "{:.1f}"),) if with_steps else ())


def _or_none(value: float, form: str) -> str:
    return "n/a" if math.isnan(value) else form.format(value)


LISTED_LEAD = "Each interval holds alone, so among many of them some exclude 0 by chance."


def _listed_tables(listed: Sequence[Listed], level: float) -> Iterator[Table]:
    told = f"[{100 * level:g} % interval]"
    head = tuple(map(Cell, ("what", "budget", "metric", "base", "new", "difference")))
    for title, is_tokens in (("In percent, and points", False), ("Tokens per sample", True)):
        rows = tuple(_listed_row(one) for one in listed if one.metric.endswith("_tokens_mean") == is_tokens)
        if rows:
            yield Table(f"{title} {told}", head, rows, 3)


def _listed_row(one: Listed) -> tuple[Cell, ...]:
    found = one.found
    if not one.metric.endswith("_tokens_mean"):
        numbers = (percent(one.base), percent(one.new), percent_of(found.value, found.low, found.high, signed=True))
    else:
        numbers = (f"{one.base:.1f}", f"{one.new:.1f}", _tokens(found))
    return tuple(map(Cell, (one.scope, one.budget, one.metric, *numbers)))


def _tokens(found: PairedDifference) -> str:
    ends = "" if math.isnan(found.low) else f" [{found.low:z.1f}, {found.high:z.1f}]"
    return f"{found.value:+z.1f}{ends}"


def _crossing(curve: Curve) -> str:
    if curve.crossing is None:
        return "The curves do not cross."
    a, b = curve.crossing
    where = f"between k = {a} and k = {b}"
    if curve.certain:
        return f"The curves cross {where}: the band excludes 0 on both sides, with opposite signs."
    return f"The estimates cross {where}, but the band does not exclude 0 on both sides, so this may be noise."


def _curve_table(curve: Curve, comparison: Comparison) -> Table:
    powers = [place for place, k in enumerate(curve.ks) if k & (k - 1) == 0 or k == curve.ks[-1]]
    rows = tuple(
        tuple(
            map(
                Cell,
                (
                    f"{curve.ks[i]}",
                    percent(curve.base[i]),
                    percent(curve.new[i]),
                    percent_of(curve.difference[i], curve.low[i], curve.high[i], signed=True),
                ),
            )
        )
        for i in powers[-KS_SHOWN:]
    )
    title = f"pass@k at {curve.budget} [{100 * comparison.level:g} % band, which holds at every k together]"
    return Table(title, tuple(map(Cell, ("k", "base", "new", "difference"))), rows, 1)


def _flips_lead(comparison: Comparison) -> str:
    n_right = sum(flip.to_right for flip in comparison.flips)
    n_wrong = len(comparison.flips) - n_right
    more = f" The {FLIPS_SHOWN} largest:" if len(comparison.flips) > FLIPS_SHOWN else ""
    return (
        f"{count_noun(n_wrong, 'question')} turned from right to wrong and {n_right} from wrong to right: the majority of "
        f"the samples at {comparison.primary.budget}. Flips describe; chance alone makes some.{more}"
    )


def _flip_table(comparison: Comparison) -> Table:
    head = tuple(map(Cell, ("task", "question", "base", "new", "turned")))
    rows = tuple(_flip_row(flip) for flip in comparison.flips[:FLIPS_SHOWN])
    return Table("Correct samples of a question", head, rows, 2)


def _flip_row(flip: Flip) -> tuple[Cell, ...]:
    counts = f"{flip.base} of {flip.n_base}", f"{flip.new} of {flip.n_new}"
    return tuple(map(Cell, (flip.task, flip.question_id, *counts, "right" if flip.to_right else "wrong")))
