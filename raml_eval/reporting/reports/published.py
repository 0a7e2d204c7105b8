"""Published values beside one's own, never mixed: each row says which it is."""

from __future__ import annotations

from raml_eval.reporting.numbers import Key
from raml_eval.reporting.render import Cell, Table
from raml_eval.reporting.reports.checking import without_row
from raml_eval.reporting.reports.definition import Part
from raml_eval.reporting.reports.material import Built, Material
from raml_eval.reporting.reports.plain import check_budgets, unit_of
from raml_eval.reporting.sections import Section
from raml_eval.wording import count_noun

MARK = "published, not rerun"


def _domain(material: Material, label: str, task: str) -> str:
    about = material.labels[label].tasks.get(task)
    return about.domain if about is not None else ""


def published(material: Material, part: Part) -> Built:
    """The published rows, then a row for each run and budget, in the same columns: the part's metrics of its tasks.

    Runs without any of the tasks get columns of their own tasks, which the text calls an example.
    """
    metrics = [material.measure(name) for name in part.metrics]
    domains = {task: about.domain for run in material.runs for task, about in run.tasks.items()}
    others = (
        [] if any(task in domains for task in part.tasks) else [t for t, domain in domains.items() if domain == "in_domain"]
    )
    tasks = [*part.tasks, *others]
    header = ("model", "budget", "source", *(f"{task} {metric.name}" for task in tasks for metric in metrics))
    check_budgets(material, part)
    rows = []
    for row in part.published:
        values = [value for task in part.tasks for value in row.values.get(task, (None,) * len(metrics))]
        shown = ["" if value is None else f"{value:.2f}" for value in values]
        rows.append(tuple(map(Cell, (row.name, "", MARK, *shown, *([""] * (len(others) * len(metrics)))))))
    for label, budget in material.numbers.lines:
        if part.budgets and budget not in part.budgets:
            continue
        cells = [
            material.numbers.share(
                Key(label, task, domains.get(task, "in_domain"), budget, metric.metric, metric.k, metric.tau)
            )
            for task in tasks
            for metric in metrics
        ]
        rows.append((material.model(label), Cell(budget), Cell("this run"), *cells))
    told = f"Source: {part.source}. {part.note}".strip()
    most = max(run.n_samples for run in material.runs)
    made = {(key.metric, key.k, key.tau) for key in material.numbers.rows}
    if lacking := [metric.name for metric in metrics if (metric.metric, metric.k, metric.tau) not in made]:
        told += (
            f" {', '.join(lacking)} cannot be given: these runs have at most {count_noun(most, 'sample')} per question, and "
            f"the numbers were made for k {', '.join(map(str, material.numbers.ks)) or 'none'}."
        )
    if others:
        told += (
            " These runs hold none of the paper's tasks: the columns of other tasks are an example of the table, and nothing "
            "in them may be compared with the published values."
        )
    table = Table(f"{unit_of(metrics)}; the paper gives no intervals", tuple(map(Cell, header)), tuple(rows), 3)
    with_row = {label for label, budget in material.numbers.lines if not part.budgets or budget in part.budgets}
    section = Section(part.title or "Published values", told, (table,))
    return Built(section, left_out=without_row(material, part, with_row))
