"""The parts that every run can fill: what was run, tables of chosen metrics, and the sections of the standard report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from raml_eval.errors import ConfigError, near_names
from raml_eval.reporting.numbers import Key
from raml_eval.reporting.render import Cell, Table
from raml_eval.reporting.reports.checking import runs_left_out, without_row
from raml_eval.reporting.reports.definition import Part
from raml_eval.reporting.reports.material import KNOWN, Built, Material
from raml_eval.reporting.sections import Section, domain_section, means_section, tasks_of
from raml_eval.reporting.sweep_tables import thinking_section
from raml_eval.reporting.swept import index_sweep
from raml_eval.tables import (
    DOMAIN_MEANS,
    DOMAINS,
    MACRO,
    Measure,
    Row,
    budget_order,
    build_sweep,
    describe_engine,
    frame_rows,
    has_sweep,
    missing_samples,
)
from raml_eval.types import Domain

if TYPE_CHECKING:
    import pandas as pd


def runs(material: Material, part: Part) -> Built:
    """One row for each run and the base: what is known of its checkpoint, the engine, and the samples per question."""
    every = {name: material.about.get(name, material.base_about) for name in material.heads}
    told = [key for key in KNOWN if any(about.get(key) is not None for about in every.values())]
    header = ("run", "model", *(KNOWN[key] for key in told), "engine", "n")
    rows = []
    for name, run in material.heads.items():
        facts = (str(every[name].get(key, "")) for key in told)
        rows.append(tuple(map(Cell, (name, run.model, *facts, describe_engine(run), str(run.n_samples)))))
    table = Table("Checkpoints", tuple(map(Cell, header)), tuple(rows), 2)
    lead = "What is known of the checkpoints stands in their checkpoint.yaml, or was told with --about."
    return Built(Section(part.title or "Runs", lead, (table,)))


def domains(material: Material, part: Part) -> Iterator[Built]:
    """Accuracy, stability and lengths of every task, a section for each domain."""
    for domain in DOMAINS:
        if tasks_of(material.runs, domain):
            yield Built(domain_section(material.numbers, material.runs, domain))


def means(material: Material, part: Part) -> Built:
    """The macro means of both domains."""
    return Built(means_section(material.numbers, material.runs, material.base))


def thinking(material: Material, part: Part) -> Built | None:
    """The sweep over thinking budgets; None if no run has one. Its numbers are those of the sweep frame."""
    if not any(map(has_sweep, material.runs)):
        return None
    left_out = runs_left_out(
        material, part.place, [label for label, run in material.labels.items() if has_sweep(run)], _no_sweep
    )
    sweep = build_sweep(material.runs, allow_partial=True, frontier=False)  # the frame has refused missing samples already
    if sweep.empty:
        return None
    return Built(thinking_section(index_sweep(sweep, material.numbers)), tuple(_sweep_rows(sweep, material)), left_out=left_out)


def _sweep_rows(sweep: pd.DataFrame, material: Material) -> Iterator[Row]:
    """The sweep's rows. Those of a run that lacks samples say that they rest on other trajectories than the frame's own."""
    lacking = {label for label, run in material.labels.items() if missing_samples(run)}
    for row in frame_rows(sweep):
        yield {**row, "part": row["part"] or "trajectories with every budget"} if row["run"] in lacking else row


def _no_sweep(label: str) -> str:
    return "fewer than two thinking budgets in tokens"


def table(material: Material, part: Part) -> Built | None:
    """The chosen metrics of the chosen tasks, or of both domains' means, one row for each run and budget."""
    metrics = [material.measure(name) for name in part.metrics or ("avg@n",)]
    columns: list[tuple[str, str, Domain]] = []
    for domain in DOMAINS:
        of_domain = tasks_of(material.runs, domain)
        columns += [(task, task, domain) for task in of_domain if task in part.tasks or part.tasks == ("all",)]
        if not part.tasks and of_domain:
            columns.append((DOMAIN_MEANS[domain], MACRO, domain))
    if not columns:
        return None
    header = [Cell("model"), Cell("budget")]
    header += [
        Cell(f"{name} {metric.name}", material.numbers.column_marks(task, domain))
        for name, task, domain in columns
        for metric in metrics
    ]
    check_budgets(material, part)
    check_ks(material, part)
    rows, shown = [], set()
    for label, budget in material.numbers.lines:
        if part.budgets and budget not in part.budgets:
            continue
        cells = [
            material.numbers.written(
                Key(label, task, domain, budget, metric.metric, metric.k, metric.tau),
                metric.bounds is not None,
                marks=material.numbers.marks((label, task, budget)),
            )
            for _, task, domain in columns
            for metric in metrics
        ]
        if any(cell.text for cell in cells):
            rows.append((material.model(label), Cell(budget), *cells))
            shown.add(label)
    if not rows:
        return None
    section = Section(part.title or "Scores", part.note, (Table(unit_of(metrics), tuple(header), tuple(rows), 2),))
    return Built(section, left_out=without_row(material, part, shown))


def check_budgets(material: Material, part: Part) -> None:
    """Raises ConfigError for a budget that no run has."""
    there = {budget for _, budget in material.numbers.lines}
    if lacking := [budget for budget in part.budgets if budget not in there]:
        have = sorted(there, key=budget_order)
        raise ConfigError(
            f"{part.place} shows the budget {', '.join(lacking)}, and no run has it.{near_names(lacking[0], have)} "
            f"There are {', '.join(have)}. Correct the report, or draw the budget."
        )


def unit_of(metrics: Sequence[Measure]) -> str:
    """The title of a table of these metrics, which says what its numbers are."""
    shares = [metric.bounds is not None for metric in metrics]
    return "In percent [95 % interval]" if all(shares) else "In percent [95 % interval]; tokens as they are"


def check_ks(material: Material, part: Part) -> None:
    """Raises ConfigError for a metric that needs more samples than any run has, or whose k the frame was not built with."""
    have = {row.k for row in material.numbers.rows}
    most = max(run.n_samples for run in material.runs)
    asked = {name: k for name in part.metrics if (k := material.measure(name).k) is not None and k not in have}
    if beyond := {name: k for name, k in asked.items() if k > most}:
        raise ConfigError(
            f"{part.place} shows {', '.join(beyond)}, which needs {max(beyond.values())} samples per question, and these runs "
            f"have at most {most}. Take a k up to {most}, or draw more samples."
        )
    if asked:
        made = ", ".join(str(k) for k in sorted(k for k in have if k)) or "none"
        more = ", ".join(map(str, dict.fromkeys(asked.values())))
        raise ConfigError(
            f"{part.place} shows {', '.join(asked)}, and the numbers were made for k {made}. Add k {more} to those of --k."
        )
