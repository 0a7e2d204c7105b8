"""The report's table of signs that a model has seen a benchmark, labelled as what it is: descriptive."""

from __future__ import annotations

from collections.abc import Sequence

from raml_eval.comparison.contamination import Contrast, find_contrasts
from raml_eval.errors import ConfigError
from raml_eval.reporting.render import Cell, Table, percent_of
from raml_eval.reporting.sections import Section
from raml_eval.tables import same_directory
from raml_eval.types import Interval, StoredRun

_LEAD = (
    "Descriptive, no test: a model that remembers questions scores lower where they were changed, are new or were made for the "
    "run, but such questions may also be harder for reasons of their own. Perturbed questions are paired with their originals, "
    "and only those whose original both runs hold count; the last column takes out what holds for {reference} too (a "
    "difference in differences)."
)


def contamination_section(runs: Sequence[StoredRun], reference: StoredRun, cutoff: str = "") -> Section:
    """The contrasts of each run against the reference. Raises MetricError if a run allows none.

    ConfigError if the reference is the only run.
    """
    others = [run for run in runs if not same_directory(run, reference)]
    if not others:
        raise ConfigError(f"--contamination {reference.name} is the only run of the report. Name another model's run.")
    header = ("model", "of", "budget", "new less old", "questions", "difference (points)", f"less that of {reference.name}")
    rows = [tuple(map(Cell, _row(run.name, contrast))) for run in others for contrast in find_contrasts(run, reference, cutoff)]
    title = "Scores on changed, new and procedural questions"
    table = Table(title, tuple(map(Cell, header)), tuple(rows), n_labels=4)
    return Section("Contamination", _LEAD.format(reference=reference.name), (table,))


def _row(name: str, contrast: Contrast) -> tuple[str, ...]:
    counts = f"{contrast.n_new}" if contrast.n_new == contrast.n_old else f"{contrast.n_new}, {contrast.n_old}"
    sides = f"{contrast.new} less {contrast.old}"
    return name, contrast.scope, contrast.budget, sides, counts, _points(contrast.own), _points(contrast.against)


def _points(interval: Interval) -> str:
    return percent_of(interval.value, interval.low, interval.high, signed=True)
