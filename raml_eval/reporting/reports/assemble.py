"""A report from its definition: each part in order, and the frame with every number that is in one of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from raml_eval.errors import ConfigError
from raml_eval.reporting.footnotes import Footnote
from raml_eval.reporting.raw import with_rows
from raml_eval.reporting.report import Report, drawn_by
from raml_eval.reporting.reports import axes, compared, diagnoses, figures, general, plain, published
from raml_eval.reporting.reports.checking import check_definition, why_left_out
from raml_eval.reporting.reports.definition import Definition, Part
from raml_eval.reporting.reports.material import Built, Material, check_whole, gather, narrowed, select
from raml_eval.reporting.reports.noted import part_notes
from raml_eval.reporting.sections import Section
from raml_eval.tables import TAUS, Row, check_copies, describe_engine, frame_rows, parse_measure
from raml_eval.types import StoredRun

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95  # of every interval whose row does not say another
Builder = Callable[[Material, Part], Built | Iterable[Built] | None]


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
    "comparison": compared.comparison,
    "published": published.published,
    "claims": axes.claims,
    "diagnostics": diagnoses.diagnostics,
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
    _check_taus(definition, runs)
    ks = _ks(definition, runs, k)
    every = gather(runs, about=about, base=base, k=ks, allow_partial=allow_partial, full=full, short=short)
    check_definition(definition, every)
    material = narrowed(every, select(every, definition.runs, definition.order), ks, allow_partial)
    made = [(part, list(_built(material, part))) for part in definition.parts]
    built = [one for _, ones in made for one in ones]
    left_out = [why_left_out(material, part) for part, ones in made if not ones]
    left_out += [note for one in built for note in one.left_out]
    notes = (*material.numbers.notes, *part_notes(material, built))
    over = f" Gains are over {base.name}." if base is not None and _shows_gains(material, made) else ""
    return Assembled(
        Report(
            title=definition.title,
            lead=(
                *([example] if example else []),
                f"{definition.about.strip()}{over}",
                *(drawn_by(run, label) for label, run in material.heads.items()),
            ),
            sections=_with_own_figures([one.section for one in built if one.section is not None]),
            curve=(),
            notes=tuple(dict.fromkeys([note.text for note in notes] + left_out)),
        ),
        material.runs,
        notes,
        _frame(material, [row for one in built for row in one.rows]),
    )


def _shows_gains(material: Material, made: Sequence[tuple[Part, Sequence[Built]]]) -> bool:
    """True if a part that is filled holds the runs against the base."""
    shown = [part for part, ones in made if ones]
    beside = material.numbers.has_gains and any(part.part in ("domains", "means", "heatmap") for part in shown)
    tested = any(claim.test == "gain" for part in shown for claim in part.claims) and bool(material.pairs)
    return beside or tested or any(part.part in ("generalization", "levels", "comparison") for part in shown)


def _frame(material: Material, rows: Iterable[Row]) -> pd.DataFrame:
    """The frame with the rows that it does not have yet; interval_level is the level of each interval.

    A row of one run names its engine, as the frame's own rows do, or a number that a part shows again would be another row.
    """
    engines = {label: describe_engine(run) for label, run in material.heads.items()}
    seen = {_content(row) for row in frame_rows(material.frame)}
    more = []
    for bare in rows:
        row = {"engine": engines.get(bare["run"], ""), **bare}
        content = _content(row)
        if content not in seen:
            seen.add(content)
            more.append(row)
    frame = with_rows(material.frame, more)
    if "interval_level" not in frame:
        frame = frame.assign(interval_level=math.nan)
    level = frame["interval_level"].astype("float64")
    return frame.assign(interval_level=level.fillna(LEVEL).where(frame["low"].notna()))


def _content(row: Row) -> tuple[tuple[str, object], ...]:
    """What a row says, without its empty columns."""
    return tuple(sorted((name, value) for name, value in row.items() if value is not None and value != "" and value == value))


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


def _check_taus(definition: Definition, runs: Sequence[StoredRun]) -> None:
    """Raises ConfigError for a metric at a tau that no numbers are made for."""
    counts = {run.n_samples for run in runs}
    for number, part in enumerate(definition.parts, 1):
        for name in part.metrics:
            tau = parse_measure(name, counts).tau
            if tau is not None and tau not in TAUS:
                raise ConfigError(
                    f"part {number} ({part.part}) shows {name}, and a report has numbers at tau "
                    f"{', '.join(f'{one:g}' for one in TAUS)} only; met {tau:g}. Name one of these, or compare two runs by it: "
                    f"`raml-eval compare --metric {name}`."
                )


def _built(material: Material, part: Part) -> Iterable[Built]:
    found = PARTS[part.part](material, part)
    if found is None:
        return ()
    return (found,) if isinstance(found, Built) else found
