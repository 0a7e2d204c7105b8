"""The part that tests each run against the base, and the rows of the frame with every number that it shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from raml_eval.comparison import ComparedCell, Comparison, Curve, Listed, compare_runs
from raml_eval.comparison.seeds import seed_notes
from raml_eval.reporting.compare import comparison_sections
from raml_eval.reporting.reports.definition import Part
from raml_eval.reporting.reports.material import Alone, Built, Material, as_row
from raml_eval.tables import DOMAIN_MEANS, Row
from raml_eval.types import Domain, Interval, StoredRun

NOISE = "noise of "


def comparison(material: Material, part: Part) -> Iterable[Built]:
    """Each run but the base held against it, as `raml-eval compare` does."""
    for label, pairs in material.pairs.items():
        compared = compare_runs(pairs.base, pairs.new)
        rows = tuple(_rows(material, label, compared))
        noise = tuple(Alone(NOISE, (label,), note) for note in seed_notes(pairs.base, pairs.new))
        for section in comparison_sections(compared, (None, None), short=True, full=False):
            named = section.named(f"{label}: {section.title}") if len(material.pairs) > 1 else section
            yield Built(named, rows, material.pair_notes, alone=noise)
            rows, noise = (), ()


def _rows(material: Material, label: str, compared: Comparison) -> Iterator[Row]:
    for cell in compared.cells:
        yield _cell_row(material, label, cell)
    for cell in compared.family("primary"):
        yield from _noise_rows(material, label, cell)
    for one in compared.listed:
        yield _listed_row(material, label, one, compared.level)
    for curve in compared.curves:
        yield from _curve_rows(material, label, curve, compared.level)
    turned = Counter((flip.task, flip.to_right) for flip in compared.flips)
    for (task, to_right), number in sorted(turned.items()):
        place = {"task": task, "domain": material.labels[label].tasks[task].domain, "budget": str(compared.primary.budget)}
        metric = f"flips to {'right' if to_right else 'wrong'}"
        yield as_row(material, label, _bare(number, "a count of questions"), **place, metric=metric)


def _bare(value: float, method: str) -> Interval:
    return Interval(value, math.nan, math.nan, f"no interval: {method}")


def _cell_row(material: Material, label: str, cell: ComparedCell) -> Row:
    """A tested difference, at the level that the correction leaves; low_alone and high_alone as if it were tested alone."""
    found = Interval(cell.difference, cell.low, cell.high, cell.alone.method)
    place = {"task": cell.scope, "domain": cell.domain, "budget": cell.budget, "metric": f"difference of {cell.metric}"}
    told = {"n_questions": cell.n_questions, "p_holm": cell.p_adjusted, "verdict": str(cell.verdict), "family": cell.family}
    sides = {"value_base": cell.base, "value_new": cell.new, "interval_level": cell.level}
    alone = {"low_alone": _known(cell.alone.low), "high_alone": _known(cell.alone.high)}
    return as_row(material, label, found, **place, **told, **sides, **alone)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _noise_rows(material: Material, label: str, cell: ComparedCell) -> Iterator[Row]:
    noise = cell.noise
    if noise is None:
        return
    place = {"task": cell.scope, "domain": cell.domain, "budget": cell.budget, "n_questions": cell.n_questions}
    for what, value in (
        ("standard error", noise.standard_error),
        ("share from questions", noise.questions_share),
        ("share from redrawing", noise.redraw_share),
        ("standard error with 4 x samples", noise.error_at(samples=4)),
        ("standard error with 4 x questions", noise.error_at(questions=4)),
    ):
        yield as_row(material, label, _bare(value, "a split of the variance"), **place, metric=f"{NOISE}{cell.metric}: {what}")


def _listed_row(material: Material, label: str, one: Listed, level: float) -> Row:
    """A difference that is shown and not tested."""
    found = Interval(one.found.value, one.found.low, one.found.high, one.found.method)
    place = {"task": one.scope, "domain": _domain_of(material.labels[label], one.scope), "budget": one.budget}
    told = {"n_questions": one.found.n_questions, "family": "not tested", "interval_level": level}
    sides = {"value_base": one.base, "value_new": one.new}
    return as_row(material, label, found, **place, metric=f"difference of {one.metric}", **told, **sides)


def _domain_of(run: StoredRun, scope: str) -> Domain:
    means = {name: domain for domain, name in DOMAIN_MEANS.items()}
    return means[scope] if scope in means else run.tasks[scope].domain


def _curve_rows(material: Material, label: str, curve: Curve, level: float) -> Iterator[Row]:
    """The difference at every k, with the ends of the band, which holds at all k together."""
    place = {"task": DOMAIN_MEANS[curve.domain], "domain": curve.domain, "budget": curve.budget}
    told = {"metric": "difference of pass@k", "family": "curve", "interval_level": level}
    for at, k in enumerate(curve.ks):
        found = Interval(curve.difference[at], curve.low[at], curve.high[at], "simultaneous band over k")
        yield as_row(material, label, found, **place, **told, value_base=curve.base[at], value_new=curve.new[at]) | {"k": k}
