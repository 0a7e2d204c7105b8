"""The parts that hold runs against a base: gains, transfer, retention, levels of difficulty, and the raw gap beside chance."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from raml_eval.comparison.generalization import Generalization
from raml_eval.reporting.render import Cell, Table, percent, percent_of
from raml_eval.reporting.reports.checking import runs_left_out
from raml_eval.reporting.reports.definition import Part
from raml_eval.reporting.reports.material import Alone, Built, Material, as_row
from raml_eval.reporting.sections import Section
from raml_eval.tables import DOMAINS, MACRO, Row, budget_label
from raml_eval.types import Interval

_LEAD = (
    "Gains over {base} are paired by question, at the suite's declared budget, or the largest of both. Transfer is the "
    "cross-domain gain for one point of in-domain gain (Fieller's interval, widened to 0 where that of the cross-domain gain "
    "includes 0); it is blank where the in-domain gain's interval includes 0. Kept is the chance that a sample is right where "
    "one of the base's is; repeat is the same of the base with itself, so a run of the very same model would keep as much."
)
_GAP_LEAD = "The raw gap is descriptive: the domains differ in difficulty and in chance level, so it is no measure of transfer."


def generalization(material: Material, part: Part) -> Built | None:
    """Gains by domain, transfer and retention of each run; None without a base."""
    if material.base is None:
        return None
    found = material.generalizations
    header = (
        "model",
        "budget",
        "in-domain gain",
        "cross-domain gain",
        "transfer",
        "kept in-domain",
        "repeat in-domain",
        "kept cross-domain",
        "repeat cross-domain",
    )
    rows = []
    for label, one in found.items():
        gains = [_share(one, domain, "gain") for domain in DOMAINS]
        kept = [_share(one, domain, field) for domain in DOMAINS for field in ("retention", "repeat")]
        rows.append((material.model(label), Cell(budget_label(one.budget)), *gains, Cell(_ratio(one.transfer)), *kept))
    tables = [Table("Gains in points, transfer, and retention in percent [95 % interval]", _cells(header), tuple(rows), 2)]
    tables.append(_gap_table(material))
    lead = f"{_LEAD.format(base=material.base.name)} {_GAP_LEAD}"
    section = Section(part.title or "Generalization", lead, tuple(tables))
    added = tuple(row for label, one in found.items() for row in _rows(material, label, one))
    return Built(section, (*added, *_gap_rows(material)), material.pair_notes, alone=tuple(_without_ends(found)))


def _without_ends(found: Mapping[str, Generalization]) -> Iterator[Alone]:
    """A note for every number of the table that stands there without an interval."""
    for label, one in found.items():
        shown = [("transfer", "transfer_ratio", one.transfer)]
        for domain, of in one.domains.items():
            where = domain.replace("_", "-").removesuffix("-domain")
            shown += [
                (f"kept {where}-domain", "retention", of.retention),
                (f"repeat {where}-domain", "retention_repeat", of.repeat),
            ]
            shown += [(f"{where}-domain gain", "gain", of.gain)]
        for name, metric, interval in shown:
            if math.isnan(interval.low) and not math.isnan(interval.value):
                yield Alone(metric, (label,), f"{name}: {interval.method}")


def _cells(texts: tuple[str, ...]) -> tuple[Cell, ...]:
    return tuple(map(Cell, texts))


def _share(one: Generalization, domain: str, field: str) -> Cell:
    of = one.domains.get(domain)  # type: ignore[call-overload]
    if of is None:
        return Cell("")
    interval: Interval = getattr(of, field)
    return Cell(percent_of(interval.value, interval.low, interval.high, signed=field == "gain"))


def _ratio(interval: Interval) -> str:
    """A ratio with its interval; blank for one that cannot be given.

    Example: _ratio(Interval(0.5, 0.25, 1.0)) == "0.50 [0.25, 1.00]"
    """
    if math.isnan(interval.value):
        return ""
    ends = "" if math.isnan(interval.low) else f" [{interval.low:z.2f}, {interval.high:z.2f}]"
    return f"{interval.value:z.2f}{ends}{' of a loss' if interval.method.endswith('loss') else ''}"


def _rows(material: Material, label: str, one: Generalization) -> Iterator[Row]:
    budget = budget_label(one.budget)
    shared = {"task": MACRO, "budget": budget}
    for domain, of in one.domains.items():
        for metric, interval in (("retention", of.retention), ("retention_repeat", of.repeat)):
            yield as_row(material, label, interval, **shared, domain=domain, metric=metric, n_questions=of.n_questions)
    n_questions = sum(of.n_questions for of in one.domains.values())
    yield as_row(
        material, label, one.transfer, **shared, domain="cross_domain", metric="transfer_ratio", n_questions=n_questions
    )


def _gap_rows(material: Material) -> Iterator[Row]:
    """The raw gap of each run and budget that has both means."""
    for label, budget in material.numbers.lines:
        inside, across = (material.numbers.number(label, MACRO, domain, budget, "avg@n") for domain in DOMAINS)
        if inside is not None and across is not None:
            gap = Interval(inside - across, math.nan, math.nan, "no interval: descriptive")
            yield as_row(material, label, gap, task=MACRO, domain="", budget=budget, metric="raw_gap")


def _gap_table(material: Material) -> Table:
    """The macro means of both domains with their chance levels, and the difference, for each run and budget."""
    numbers = material.numbers
    rows = []
    for label, budget in numbers.lines:
        means = [numbers.number(label, MACRO, domain, budget, "avg@n") for domain in DOMAINS]
        chances = [numbers.number(label, MACRO, domain, budget, "chance") for domain in DOMAINS]
        gap = "" if None in means else percent(float(means[0] or 0) - float(means[1] or 0), signed=True)
        shown = [Cell("" if value is None else percent(value)) for pair in zip(means, chances, strict=True) for value in pair]
        rows.append((material.model(label), Cell(budget), *shown, Cell(gap)))
    header = (
        "model",
        "budget",
        "in-domain",
        "chance in-domain",
        "cross-domain",
        "chance cross-domain",
        "raw gap (descriptive)",
    )
    return Table("Means in percent", _cells(header), tuple(rows), 2)


def levels(material: Material, part: Part) -> Built | None:
    """The gain on each level of difficulty of the tasks that have levels; None without a base, or without levels."""
    rows: list[tuple[Cell, ...]] = []
    numbers: list[Row] = []
    for label, one in material.generalizations.items():
        for of in one.levels:
            if part.tasks and of.task not in part.tasks:
                continue
            gain = percent_of(of.gain.value, of.gain.low, of.gain.high, signed=True)
            facts = (Cell(of.task), Cell(of.level), material.model(label), Cell(str(of.n_questions)))
            rows.append((*facts, Cell(percent(of.base)), Cell(percent(of.new)), Cell(gain)))
            domain = material.labels[label].tasks[of.task].domain
            place = {"task": of.task, "domain": domain, "budget": budget_label(one.budget), "level": of.level}
            numbers.append(as_row(material, label, of.gain, **place, metric="gain", n_questions=of.n_questions))
            for metric, value in (("avg@n", of.new), ("avg@n of the base", of.base)):
                exactly = Interval(value, math.nan, math.nan, "no interval: a part of a task")
                numbers.append(as_row(material, label, exactly, **place, metric=metric, n_questions=of.n_questions))
    if not rows:
        return None
    header = ("task", "level", "model", "questions", "base", "run", "gain")
    lead = "The gain over the base on the questions of each level, paired. A level has few questions, so its interval is wide."
    table = Table("Accuracy in percent, and gain in points [95 % interval]", _cells(header), tuple(rows), 3)
    shown = {row["run"] for row in numbers} | {material.base_label}
    left_out = runs_left_out(material, part.place, shown, lambda label: "no levels of a task shared with the base")
    return Built(Section(part.title or "Gain by level", lead, (table,)), tuple(numbers), material.pair_notes, left_out)
