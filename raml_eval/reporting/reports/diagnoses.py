"""The part of a report that shows what `raml-eval diagnose` stored with the runs, and published values beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from raml_eval.errors import ConfigError, near_names
from raml_eval.reporting.diagnosed import Shown, find_diagnosed, has_diagnosis
from raml_eval.reporting.render import Cell, Table
from raml_eval.reporting.reports.checking import runs_left_out
from raml_eval.reporting.reports.definition import Part
from raml_eval.reporting.reports.material import Alone, Built, Material
from raml_eval.reporting.reports.published import MARK, no_intervals, published_row
from raml_eval.reporting.sections import Section
from raml_eval.reporting.sheets import Sheet, metric_of, series_of
from raml_eval.tables import Row


def diagnostics(material: Material, part: Part) -> Iterator[Built]:
    """The sections of the runs' diagnoses, and a note on each that is left out; nothing if no run has one.

    A part that names kinds is about them, and says which runs lack them. Published values stand before the sections, beside
    the runs' own.
    """
    found = find_diagnosed(material.labels, material.short, part.kinds)
    have = [label for label, run in material.labels.items() if not part.kinds or has_diagnosis(run, part.kinds)]
    notes = runs_left_out(material, part.place, have, lambda _: f"no diagnosis {' or '.join(part.kinds)} is stored")
    yield Built(None, left_out=(*notes, *found.left_out))
    if part.published:
        yield _published(material, part, found.shown)
    for one in found.shown:
        shown = tuple(figure for figure in one.section.figures if not part.figures or figure.name in part.figures)
        alone = tuple(Alone(metric_of(one.kind), (one.run,), note) for note in one.notes)
        lacking = sorted({*part.figures} - {figure.name for figure in shown})
        told = [f"{part.place} has no figure {name} of {one.run}: {one.kind} has nothing to draw there" for name in lacking]
        yield Built(replace(one.section, figures=shown), one.rows, left_out=tuple(told), alone=alone)


def _published(material: Material, part: Part, shown: Sequence[Shown]) -> Built:
    """A table with the rows of the paper, and below each the rows of the runs' own tables that have its name."""
    (name,) = {table for row in part.published for table in row.values}
    own = [(one.run, sheet) for one in shown for sheet in one.sheets if sheet.name == name]
    for _, sheet in own:
        _check_columns(part, sheet)
    first = own[0][1] if own else None
    n_labels = first.table.n_labels if first else 1
    headings = _headings(part, first)
    rows = []
    for published in part.published:
        values = ("" if value is None else f"{value:z.2f}" for value in published.values[name])
        rows.append(tuple(map(Cell, (published.name, MARK, *([""] * (n_labels - 1)), *values))))
        for run, sheet in own:
            places = [*range(1, n_labels), *map(sheet.columns.index, part.columns)]
            same = (row for row in sheet.table.rows if row[0].text == published.name)
            rows += [(row[0], material.model(run), *(row[place] for place in places)) for row in same]
    table = Table(
        f"Published values beside one's own; {no_intervals(part)}", tuple(map(Cell, headings)), tuple(rows), n_labels + 1
    )
    lead = f"Source: {part.source}. {part.note}".strip() if part.source else part.note
    return Built(Section(part.title or "Published values", lead, (table,)), tuple(_rows(part, name, first)))


def _headings(part: Part, sheet: Sheet | None) -> list[str]:
    """The heads of the columns: those of one's own table, if there is one."""
    if sheet is None:
        return ["published", "run", *part.columns]
    told = [cell.text for cell in sheet.table.header]
    return [told[0], "run", *told[1 : sheet.table.n_labels], *(told[sheet.columns.index(name)] for name in part.columns)]


def _check_columns(part: Part, sheet: Sheet) -> None:
    """Raises ConfigError for a column that the table of a diagnosis does not have."""
    if lacking := [name for name in part.columns if name not in sheet.columns]:
        raise ConfigError(
            f"{part.place} has the column {lacking[0]!r}, which the table {sheet.name} of {part.kinds[0]} does not have."
            f"{near_names(lacking[0], sheet.columns)} There are {', '.join(sheet.columns)}. Correct the report."
        )


def _rows(part: Part, table: str, sheet: Sheet | None) -> Iterator[Row]:
    """The published values as rows of the frame, with the label that one's own table gives its rows."""
    label = sheet.columns[0] if sheet else "published"
    for row in part.published:
        series = series_of({label: row.name})
        for column, value in zip(part.columns, row.values[table], strict=True):
            if value is not None:
                metric = metric_of(part.kinds[0], column)
                yield published_row(row, part.source, value, metric=metric, table=table, series=series)
