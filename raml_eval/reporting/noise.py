"""`raml-eval noise` as text: what each mean's uncertainty is made of, and what changes between checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from raml_eval.comparison.noise import CHANGE, MEAN, SERIES, NoiseRow, noise_frame
from raml_eval.comparison.notes import too_high_note
from raml_eval.comparison.seeds import seed_notes
from raml_eval.reporting.footnotes import find_footnotes
from raml_eval.reporting.listing import Listing, check_format, render_listing
from raml_eval.reporting.raw import RAW, render_raw
from raml_eval.reporting.render import Cell, Table
from raml_eval.reporting.report import drawn_by
from raml_eval.tables import DOMAIN_MEANS, MACRO, build_frame, parse_measure, run_labels, step_of
from raml_eval.tables.redraw import is_too_high
from raml_eval.types import StoredRun

NOISE_FORMATS = ("terminal", "markdown", *RAW)
Column = tuple[str, Callable[[NoiseRow], str]]


def render_noise(rows: Sequence[NoiseRow], runs: Sequence[StoredRun], format: str = "terminal") -> str:
    """The rows of noise_of_run and noise_between as text. format is terminal, markdown, csv or json; ConfigError for another.

    csv and json hold the rows themselves, with the notes of each.

    Example: render_noise(noise_of_run(run, [Measure("avg@n")]), [run], "markdown")
    """
    check_format(format, NOISE_FORMATS)
    found = find_footnotes(runs, build_frame(runs, k=[1], allow_partial=True))
    if format in RAW:
        return render_raw(runs, noise_frame(rows), found, format).rstrip("\n")
    names = " and ".join(dict.fromkeys(run.name for run in runs))
    notes = (*_explain(rows), *_caveats(rows, runs), *(note.text for note in found))
    listing = Listing(f"Noise of {names}", tuple(map(_lead, runs, run_labels(runs))), tuple(_tables(rows, runs)), (), notes)
    return render_listing(listing, format)


def _lead(run: StoredRun, label: str) -> str:
    step = step_of(run)
    return drawn_by(run, label) + ("" if step is None else f"; checkpoint at step {step:,}")


def _tables(rows: Sequence[NoiseRow], runs: Sequence[StoredRun]) -> Iterator[Table]:
    """One table for each kind of row that there is. Several runs are told apart by their steps, which are short."""
    steps = {label: f"{step_of(run):,}" for run, label in zip(runs, run_labels(runs), strict=True) if step_of(run) is not None}

    def at_step(row: NoiseRow) -> str:
        before, after = steps.get(row.against, row.against), steps.get(row.run, row.run)
        return f"{before} to {after}" if row.against else after

    for kind, title, columns in (
        (SERIES, "All checkpoints: the range of their means, the scatter of one, and the ratio of the two", WHOLE),
        (CHANGE, "Change to the checkpoint before, its noise with these questions fixed, and the ratio of the two", CHANGES),
        (MEAN, "What each mean's standard error is made of, and what it would be; in points or tokens", MEANS),
    ):
        of = [row for row in rows if row.kind == kind]
        if of:
            labels = [*LABELS] if kind == SERIES or len(runs) == 1 else [("step", at_step), *LABELS]
            header = tuple(Cell(name) for name, _ in (*labels, *columns))
            cells = tuple(tuple(Cell(write(row)) for _, write in (*labels, *columns)) for row in of)
            yield Table(title, header, cells, len(labels))


def _task_label(row: NoiseRow) -> str:
    return DOMAIN_MEANS[row.domain] if row.task == MACRO else row.task


def _number(row: NoiseRow, value: float, digits: int = 1, signed: bool = False) -> str:
    """A share in points, tokens as they are; n/a for NaN."""
    if math.isnan(value):
        return "n/a"
    scale = 1.0 if parse_measure(row.metric).bounds is None else 100.0
    return f"{scale * value:{'+' if signed else ''}z.{digits}f}"


def _plain(value: float, form: str) -> str:
    return "n/a" if math.isnan(value) else format(value, form)


LABELS: tuple[Column, ...] = (
    ("task", _task_label),
    ("budget", lambda row: row.budget),
    ("metric", lambda row: row.metric.removesuffix("_tokens_mean") if row.metric.endswith("_tokens_mean") else row.metric),
)
MEANS: tuple[Column, ...] = (
    ("value", lambda row: _number(row, row.value)),
    ("SE", lambda row: _number(row, row.standard_error, 2)),
    ("from Q", lambda row: _plain(row.questions_share, ".0%")),
    ("from n", lambda row: _plain(row.redraw_share, ".0%")),
    ("4n", lambda row: _number(row, row.error_4_samples, 2)),
    ("4Q", lambda row: _number(row, row.error_4_questions, 2)),
)
CHANGES: tuple[Column, ...] = (
    ("change", lambda row: _number(row, row.value, signed=True)),
    ("redraw", lambda row: _number(row, row.redraw_error, 2)),
    ("ratio", lambda row: _plain(row.signal_to_noise, ".1f")),
    ("SE", lambda row: _number(row, row.standard_error, 2)),
    ("from n", lambda row: _plain(row.redraw_share, ".0%")),
)
WHOLE: tuple[Column, ...] = (
    ("signal", lambda row: _number(row, row.value)),
    ("noise", lambda row: _number(row, row.step_noise, 2)),
    ("ratio", lambda row: _plain(row.signal_to_noise, ".1f")),
    ("redraw", lambda row: _number(row, row.redraw_error, 2)),
)


def _explain(rows: Sequence[NoiseRow]) -> Iterator[str]:
    yield (
        "from Q and from n are the shares of the squared standard error (SE) that come from the questions and from redrawing "
        "their samples; 4n and 4Q are the SE at four times the samples, or the questions. n/a: the samples cannot tell (n = 1, "
        "or n at most k), or none varies."
    )
    if any(row.metric.endswith("_tokens_mean") for row in rows):
        yield "thinking and answer are the tokens of a sample's thinking and answer."
    if any(row.standard_error == 0 for row in rows):
        yield (
            "An SE of 0 says only that all questions have the same value. The interval that `raml-eval report` gives there is "
            "not of width 0."
        )
    if any(row.kind == CHANGE for row in rows):
        yield "redraw is the standard error with these questions fixed: how much the number would change if drawn again."
    if any(row.kind == SERIES for row in rows):
        yield (
            "signal is the greatest mean less the least. noise is how much a checkpoint's mean scatters, from the changes "
            "between neighbours: sqrt(sum (d - mean d)^2 / (2 (D - 1/D))) over D changes, which is rough for few. After "
            "arXiv:2508.13144."
        )


def _caveats(rows: Sequence[NoiseRow], runs: Sequence[StoredRun]) -> Iterator[str]:
    n = min(run.n_samples for run in runs)
    high = [name for name in dict.fromkeys(row.metric for row in rows) if is_too_high(n, parse_measure(name))]
    if high:
        yield too_high_note(high, n)
    if any(row.kind == CHANGE for row in rows):
        labels = run_labels(runs)
        for before, after in pairwise(range(len(runs))):
            yield from (f"{labels[after]} - {labels[before]}: {note}" for note in seed_notes(runs[before], runs[after]))
