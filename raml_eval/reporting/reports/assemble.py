"""A report from its definition: each part in order, and the frame with every number that is in one of them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from raml_eval.comparison import ComparedCell, compare_runs
from raml_eval.errors import ConfigError
from raml_eval.reporting.compare import comparison_sections
from raml_eval.reporting.footnotes import Footnote
from raml_eval.reporting.naming import merge_runs
from raml_eval.reporting.report import Report, drawn_by
from raml_eval.reporting.reports import axes, figures, general, plain, published
from raml_eval.reporting.reports.checking import check_definition, why_left_out
from raml_eval.reporting.reports.definition import Definition, Part
from raml_eval.reporting.reports.material import Built, Material, as_row, check_whole, gather, narrowed, select, with_rows
from raml_eval.reporting.sections import Section
from raml_eval.tables import Row, check_copies, parse_measure
from raml_eval.types import Interval, StoredRun

if TYPE_CHECKING:
    import pandas as pd

Builder = Callable[[Material, Part], Built | Iterable[Built] | None]


def comparison(material: Material, part: Part) -> Iterable[Built]:
    """Each run but the base held against it, as `raml-eval compare` does."""
    for label, pairs in material.pairs.items():
        compared = compare_runs(pairs.base, pairs.new)
        rows = tuple(_compared_row(material, label, cell) for cell in compared.cells)
        for section in comparison_sections(compared, (None, None), short=True, full=False):
            yield Built(
                section.named(f"{label}: {section.title}") if len(material.pairs) > 1 else section, rows, material.pair_notes
            )
            rows = ()


def _compared_row(material: Material, label: str, cell: ComparedCell) -> Row:
    """A tested difference, at the level that the correction leaves, as a row of the frame."""
    found = Interval(cell.difference, cell.low, cell.high, cell.alone.method)
    place = {"task": cell.scope, "domain": cell.domain, "budget": cell.budget, "metric": f"difference of {cell.metric}"}
    told = {"n_questions": cell.n_questions, "p_holm": cell.p_adjusted, "verdict": str(cell.verdict), "family": cell.family}
    return as_row(material, label, found, **place, **told)


PARTS: Mapping[str, Builder] = {
    "runs": plain.runs,
    "domains": plain.domains,
    "means": plain.means,
    "thinking": plain.thinking,
    "table": plain.table,
    "generalization": general.generalization,
    "levels": general.levels,
    "heatmap": figures.heatmap,
    "trend": axes.trend,
    "budget_curve": figures.budget_curve,
    "stability_curve": figures.stability_curve,
    "comparison": comparison,
    "published": published.published,
    "claims": axes.claims,
}


@dataclass(frozen=True, slots=True)
class Assembled:
    """A report, the runs in it, its notes, and the frame that holds every number of it."""

    report: Report
    runs: tuple[StoredRun, ...]
    notes: tuple[Footnote, ...]
    frame: pd.DataFrame


def assemble(
    definition: Definition,
    runs: Sequence[StoredRun],
    *,
    base: StoredRun | None = None,
    about: Sequence[str] = (),
    k: Sequence[int] | None = None,
    allow_partial: bool = False,
    full: bool = False,
    short: bool = False,
    example: str = "",
) -> Assembled:
    """The report of these runs. about, k, full and short are as for gather; example says what the runs stand for.

    Raises ConfigError where the definition needs a base and none is named, and for runs that it does not take.
    """
    if definition.base == "required" and base is None:
        raise ConfigError("this report measures gains over a base run. Name its directory with --base.")
    check_copies([*runs, *([base] if base is not None else [])])
    for run in runs if definition.base == "required" else ():
        check_whole(run)  # before the numbers, whose refusal would advise --allow-partial
    ks = _ks(definition, runs, k)
    every = gather(runs, about=about, base=base, k=ks, allow_partial=allow_partial, full=full, short=short)
    check_definition(definition, every)
    material = narrowed(every, select(every, definition.runs, definition.order), ks, allow_partial)
    made = [(part, list(_built(material, part))) for part in definition.parts]
    built = [one for _, ones in made for one in ones]
    left_out = [why_left_out(material, part) for part, ones in made if not ones]
    left_out += [note for one in built for note in one.left_out]
    filled = with_rows(material, [row for one in built for row in one.rows])
    notes = (*material.numbers.notes, *_pair_notes(material, built))
    over = f" Gains are over {base.name}." if base is not None else ""
    return Assembled(
        Report(
            title=definition.title,
            lead=(
                *([example] if example else []),
                f"{definition.about.strip()}{over}",
                *(drawn_by(run, label) for label, run in material.heads.items()),
            ),
            sections=_with_own_figures([one.section for one in built]),
            curve=(),
            notes=tuple(dict.fromkeys([note.text for note in notes] + left_out)),
        ),
        material.runs,
        notes,
        filled.frame,
    )


def _pair_notes(material: Material, built: Sequence[Built]) -> list[Footnote]:
    """The caveats of the runs that parts held against the base, those of several runs merged."""
    labels = list(material.labels)
    merged = merge_runs([note for one in built for note in one.notes], labels)
    return [
        Footnote(text, frozenset((label, None, None) for label in of_runs or labels), marked=False, paired=True)
        for text, of_runs in merged
    ]


def _with_own_figures(sections: Sequence[Section]) -> tuple[Section, ...]:
    """The sections with a name of its own for every figure, whatever the case of its letters, since each is a file."""
    taken: set[str] = set()
    renamed = []
    for section in sections:
        figures = []
        for figure in section.figures:
            names = (f"{figure.name}-{number}" if number > 1 else figure.name for number in itertools.count(1))
            name = next(name for name in names if name.lower() not in taken)
            taken.add(name.lower())
            figures.append(replace(figure, name=name))
        renamed.append(replace(section, figures=tuple(figures)))
    return tuple(renamed)


def _ks(definition: Definition, runs: Sequence[StoredRun], asked: Sequence[int] | None) -> Sequence[int] | None:
    """The k of the report's metrics, if none is asked for: those that its parts name, beside the runs' own."""
    counts = {run.n_samples for run in runs}
    named = {k for part in definition.parts for name in part.metrics if (k := parse_measure(name, counts).k) is not None}
    if asked is not None or not named:
        return asked
    own = {k for run in runs for k in run.manifest.get("config", {}).get("k") or [run.n_samples]}
    return sorted(own | {k for k in named if k <= max(run.n_samples for run in runs)})


def _built(material: Material, part: Part) -> Iterable[Built]:
    found = PARTS[part.part](material, part)
    if found is None:
        return ()
    return (found,) if isinstance(found, Built) else found
