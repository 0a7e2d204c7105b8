"""The parts along an axis: a metric against step or trajectories per question, and what a paper claims of a direction."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from raml_eval.comparison.trend import fit_trend
from raml_eval.errors import MetricError
from raml_eval.intervals import PairedDifference, holm, pooled_difference
from raml_eval.intervals import Part as Values
from raml_eval.reporting.numbers import Key
from raml_eval.reporting.render import Cell, Figure, Table, percent_of
from raml_eval.reporting.reports.definition import Claim, Part
from raml_eval.reporting.reports.figures import draw_axis
from raml_eval.reporting.reports.material import KNOWN, Built, Material, as_number, as_row, matches, rank
from raml_eval.reporting.reports.plain import unit_of
from raml_eval.reporting.sections import TITLES, Section
from raml_eval.tables import DOMAINS, MACRO, budget_label, largest_budget
from raml_eval.tables.measures import AVERAGE
from raml_eval.types import Budget, Domain, Interval

FALSE_ALARMS = 0.05  # of all claims of a part together


def trend(material: Material, part: Part) -> Built | None:
    """A metric over an axis of the checkpoints, with a line for each group; None if fewer than two values of x are known."""
    known = {label: x for label, about in material.about.items() if (x := as_number(about.get(part.x))) is not None}
    if len(set(known.values())) < 2:
        return None
    measure = material.measure((part.metrics or ("avg@n",))[0])
    ordered = sorted(known, key=lambda label: (rank(material.about[label].get(part.group)), known[label]))
    budget = budget_label(common_budget(material, ordered))  # one, so that a line joins numbers of one kind
    header = (KNOWN.get(part.group, part.group), KNOWN.get(part.x, part.x), "model", "budget")
    rows, points = [], []
    for label in ordered:
        group = str(material.about[label].get(part.group, ""))
        keys = [Key(label, MACRO, domain, budget, measure.metric, measure.k, measure.tau) for domain in DOMAINS]
        cells = (material.numbers.written(key, measure.bounds is not None) for key in keys)
        rows.append((Cell(group), Cell(f"{known[label]:g}"), material.model(label), Cell(budget), *cells))
        points += [
            (group, domain, known[label], material.numbers.rows.get(key)) for domain, key in zip(DOMAINS, keys, strict=True)
        ]
    name = KNOWN.get(part.x, part.x)
    title = part.title or f"{measure.name} against {name}"
    table = Table(
        f"Macro means. {unit_of([measure])}",
        tuple(map(Cell, (*header, *(TITLES[domain] for domain in DOMAINS)))),
        tuple(rows),
        4,
    )
    lines = f"a line for each {KNOWN.get(part.group, part.group)}"
    about = f"{measure.name} of both domains at budget {budget} against {name}, {lines}, with 95 % intervals"
    apart = "" if part.group == "paradigm" else f"-per-{part.group or 'nothing'}"
    file = re.sub(r"[^\w-]+", "-", f"{measure.name.replace('@', '-at-')}-by-{part.x}{apart}")
    figure = Figure(file, title, about, draw_axis(points, name, measure, list(material.labels)))
    return Built(Section(title, part.note, (table,), (figure,)))


def common_budget(material: Material, labels: Sequence[str]) -> Budget:
    """The largest budget that all of these runs have."""
    shared = set.intersection(*(set(material.labels[label].budgets) for label in labels))
    if not shared:
        raise MetricError(f"the runs {', '.join(labels)} share no thinking budget. Draw them at a common one.")
    return largest_budget(shared)


@dataclass(frozen=True, slots=True)
class _Tested:
    """A claim on some runs: what was measured, or why it could not be."""

    claim: Claim
    runs: str
    change: PairedDifference | None
    why: str = ""
    budget: str = ""
    row: str = ""  # the run that the row of the frame is about: of a rise, the one with the greatest x
    left_out: tuple[str, ...] = ()  # tasks that not all of the runs have


def claims(material: Material, part: Part) -> Built:
    """Each claim of a direction, tested on the runs it is about, with Holm's correction over all of them."""
    tested = [one for claim in part.claims for one in _test(material, part, claim)]
    decided = [one for one in tested if one.change is not None and not math.isnan(one.change.p_value)]
    adjusted = dict(zip(map(id, decided), holm([one.change.p_value for one in decided if one.change]), strict=True))
    rows, numbers = [], []
    for one in tested:
        p = adjusted.get(id(one))
        measured, verdict = "", one.why or "not tested: no interval"
        if one.change is not None:
            measured = percent_of(one.change.value, one.change.low, one.change.high, signed=True)
            if p is not None:
                verdict = _verdict(one.change.value, p) + (f", without {', '.join(one.left_out)}" if one.left_out else "")
                interval = Interval(one.change.value, one.change.low, one.change.high, one.change.method)
                place = {"task": MACRO, "domain": one.claim.domain, "budget": one.budget, "metric": f"claim: {one.claim.test}"}
                numbers.append(
                    as_row(
                        material, one.row, interval, **place, n_questions=one.change.n_questions, claim=one.claim.says, p_holm=p
                    )
                )
        rows.append(tuple(map(Cell, (one.claim.says, one.runs, measured, "" if p is None else f"{p:.2g}", verdict))))
    header = ("the paper says", "runs", "change in points [95 % interval]", "p (Holm)", "on these runs")
    lead = part.note or "The paper shows these as figures without values, so only its claims of direction can be tested."
    return Built(
        Section(part.title or "Claims", lead, (Table("Claims of direction", tuple(map(Cell, header)), tuple(rows), 2),)),
        tuple(numbers),
    )


def _verdict(change: float, p: float) -> str:
    if p >= FALSE_ALARMS:
        return "not decided"
    return "holds" if change > 0 else "the opposite holds"


def _test(material: Material, part: Part, claim: Claim) -> list[_Tested]:
    wanted = {key: one if isinstance(one, list) else [one] for key, one in claim.where.items()}
    labels = [label for label in material.labels if matches(material, label, wanted)]
    if claim.test == "rises":
        return [_test_rise(material, part, claim, labels)]
    others = [label for label in labels if label in material.pairs]
    if not others:
        return [_Tested(claim, "", None, "not tested: needs a base and such a run")]
    return [_test_gain(material, claim, label) for label in others]


def _test_gain(material: Material, claim: Claim, label: str) -> _Tested:
    pairs, budget = material.pairs[label], material.primary(label)
    parts: list[Values] = [pairs.part(task, budget, AVERAGE) for task in pairs.tasks(claim.domain, budget)]
    if not parts:
        return _Tested(claim, label, None, f"not tested: no {claim.domain} task")
    return _Tested(claim, label, pooled_difference(parts), budget=budget_label(budget), row=label)


def _test_rise(material: Material, part: Part, claim: Claim, labels: Sequence[str]) -> _Tested:
    with_x = {label: x for label in labels if (x := as_number(material.about[label].get(part.x))) is not None}
    if len(set(with_x.values())) < 2:
        return _Tested(claim, ", ".join(with_x), None, f"not tested: needs runs with two values of {part.x}")
    ordered = sorted(with_x, key=lambda label: rank(with_x[label]))
    domain: Domain = claim.domain
    budget = common_budget(material, ordered)
    try:
        found = fit_trend([material.labels[label] for label in ordered], [with_x[label] for label in ordered], domain, budget)
    except MetricError as error:
        return _Tested(claim, ", ".join(ordered), None, f"not tested: {error}")
    names = ", ".join(ordered)
    return _Tested(claim, names, found.change, budget=budget_label(budget), row=ordered[-1], left_out=found.left_out)
