"""Published values beside one's own, never mixed: each row says which it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from raml_eval.reporting.numbers import Key
from raml_eval.reporting.render import Cell, Table
from raml_eval.reporting.reports.checking import without_row
from raml_eval.reporting.reports.definition import Part, PublishedRow
from raml_eval.reporting.reports.material import Built, Material
from raml_eval.reporting.reports.plain import check_budgets, unit_of
from raml_eval.reporting.sections import Section
from raml_eval.tables import Measure, Row
from raml_eval.wording import count_noun

MARK = "published, not rerun"
PUBLISHED = "published: "  # what the run of a published value's row begins with


def _domain(material: Material, label: str, task: str) -> str:
    about = material.labels[label].tasks.get(task)
    return about.domain if about is not None else ""


def published(material: Material, part: Part) -> Built:
    """The published rows, then a row for each run and budget, in the same columns: the part's metrics of its tasks.

    Runs without any of the tasks get a table of their own tasks, which the text calls an example. A run and budget without any
    number has no row. The rows of the frame are the published values.
    """
    metrics = [material.measure(name) for name in part.metrics]
    others = _others(material, part)
    check_budgets(material, part)
    rows = []
    for row in part.published:
        values = [value for task in part.tasks for value in row.values.get(task, (None,) * len(metrics))]
        shown = ["" if value is None else f"{value:.2f}" for value in values]
        rows.append(tuple(map(Cell, (row.name, "", MARK, *shown))))
    own = _own_rows(material, part, others or part.tasks, metrics)
    title = f"{unit_of(metrics)}; {no_intervals(part)}"
    tables = [_table(title, part.tasks, metrics, [*rows, *([] if others else own.values())])]
    if others and own:
        tables.append(_table(f"{unit_of(metrics)}: other tasks, as an example", others, metrics, list(own.values())))
    section = Section(part.title or "Published values", _lead(material, part, metrics, others), tuple(tables))
    with_row = {label for label, budget in material.numbers.lines if not part.budgets or budget in part.budgets}
    return Built(section, _rows(part, metrics), left_out=without_row(material, part, with_row))


def _table(title: str, tasks: Sequence[str], metrics: Sequence[Measure], rows: Sequence[tuple[Cell, ...]]) -> Table:
    header = ("model", "budget", "source", *(f"{task} {metric.name}" for task in tasks for metric in metrics))
    return Table(title, tuple(map(Cell, header)), tuple(rows), 3)


def _own_rows(
    material: Material, part: Part, tasks: Sequence[str], metrics: Sequence[Measure]
) -> dict[tuple[str, str], tuple[Cell, ...]]:
    """The row of each run and budget that has a number in one of these columns."""
    found = {}
    for label, budget in material.numbers.lines:
        cells = [_own(material, label, task, budget, metric) for task in tasks for metric in metrics]
        if (not part.budgets or budget in part.budgets) and any(cell.text for cell in cells):
            found[label, budget] = (material.model(label), Cell(budget), Cell("this run"), *cells)
    return found


def _own(material: Material, label: str, task: str, budget: str, metric: Measure) -> Cell:
    domain = _domain(material, label, task)
    return material.numbers.written(
        Key(label, task, domain, budget, metric.metric, metric.k, metric.tau), metric.bounds is not None
    )


def _others(material: Material, part: Part) -> list[str]:
    """The in-domain tasks of the runs, if none of the runs has one of the part's."""
    domains = [(task, about.domain) for run in material.runs for task, about in run.tasks.items()]
    if any(task in part.tasks for task, _ in domains):
        return []
    return list(dict.fromkeys(task for task, domain in domains if domain == "in_domain"))


def _lead(material: Material, part: Part, metrics: Sequence[Measure], others: Sequence[str]) -> str:
    told = f"Source: {part.source}. {part.note}".strip() if part.source else part.note
    most = max(run.n_samples for run in material.runs)
    made = {(key.metric, key.k, key.tau) for key in material.numbers.rows}
    if lacking := [metric.name for metric in metrics if (metric.metric, metric.k, metric.tau) not in made]:
        told += (
            f" {', '.join(lacking)} cannot be given: these runs have at most {count_noun(most, 'sample')} per question, and "
            f"the numbers were made for k {', '.join(map(str, material.numbers.ks)) or 'none'}."
        )
    if others:
        whose = "the paper's tasks" if part.source else "the published tasks"
        told += (
            f" These runs hold none of {whose}: the table of other tasks is an example, and nothing in it "
            "may be compared with the published values."
        )
    return told.strip()


def no_intervals(part: Part) -> str:
    """Why published values stand without intervals. A paper is spoken of only if the part names one."""
    return "the paper gives no intervals" if part.source else "published values have no intervals here"


def published_row(row: PublishedRow, source: str, value: float, **more: Any) -> Row:
    """A published value as a row of the frame: its run is PUBLISHED and the row's name, so that none passes for a run."""
    blank = dict.fromkeys(("task", "domain", "budget"), "") | dict.fromkeys(("k", "tau"))
    about = {"value": value, "low": None, "high": None, "engine": "", "method": MARK, "source": source}
    return {"run": f"{PUBLISHED}{row.name}", "model": row.name, **blank, **about, **more}


def _rows(part: Part, metrics: Sequence[Measure]) -> tuple[Row, ...]:
    return tuple(
        published_row(
            row,
            part.source,
            value if metric.bounds is None else value / 100,
            task=task,
            metric=metric.metric,
            k=metric.k,
            tau=metric.tau,
        )
        for row in part.published
        for task, values in row.values.items()
        for metric, value in zip(metrics, values, strict=True)
        if value is not None
    )
