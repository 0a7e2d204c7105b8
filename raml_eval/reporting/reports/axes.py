"""The parts along an axis: a metric against step or trajectories per question, and what a paper claims of a direction."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from raml_eval.comparison.trend import fit_trend, series_differences, series_notes
from raml_eval.errors import MetricError
from raml_eval.intervals import PairedDifference, holm, pooled_difference
from raml_eval.intervals import Part as Values
from raml_eval.looks import check_looks
from raml_eval.reporting.numbers import Key
from raml_eval.reporting.render import Cell, Figure, Table, percent_of
from raml_eval.reporting.reports.definition import Claim, Part
from raml_eval.reporting.reports.figures import draw_axis
from raml_eval.reporting.reports.material import KNOWN, Built, Material, as_number, as_row, matches, rank
from raml_eval.reporting.reports.noted import Alone, Noted
from raml_eval.reporting.reports.plain import unit_of
from raml_eval.reporting.sections import TITLES, Section
from raml_eval.tables import DOMAINS, MACRO, Row, budget_label, describe_engine, largest_budget
from raml_eval.tables.measures import AVERAGE
from raml_eval.types import Budget, Interval

FALSE_ALARMS = 0.05  # of all claims of a part together
SHOWN = 4  # differing keys that a cell names


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
    figure = Figure(file, title, about, draw_axis(points, name, measure))
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
    runs: tuple[str, ...]  # labels; of a rise, all runs on its line
    change: PairedDifference | None
    why: str = ""
    budget: str = ""
    left_out: tuple[str, ...] = ()  # tasks that not all of the runs have
    notes: tuple[str, ...] = ()


def claims(material: Material, part: Part) -> Built:
    """Each claim of a direction, tested on the runs it is about, with Holm's correction over all of them."""
    tested = [one for claim in part.claims for one in _test(material, part, claim)]
    decided = [one for one in tested if one.change is not None and not math.isnan(one.change.p_value)]
    adjusted = dict(zip(map(id, decided), holm([one.change.p_value for one in decided if one.change]), strict=True))
    rows, numbers = [], []
    for one in tested:
        p = adjusted.get(id(one))
        verdict, measured = _verdict(one, p), ""
        if one.change is not None:
            measured = percent_of(one.change.value, one.change.low, one.change.high, signed=True)
            numbers.append(_row(material, one, one.change, p, verdict))
        told = verdict + (f", without {', '.join(one.left_out)}" if one.left_out and p is not None else "")
        cells = (one.claim.says, ", ".join(one.runs), measured, "" if p is None else f"{p:.2g}", told)
        rows.append(tuple(map(Cell, cells)))
    says = "the paper says" if part.source else "claim"
    header = (says, "runs", "change in points [95 % interval]", "p (Holm)", "on these runs")
    table = Table("Claims of direction", tuple(map(Cell, header)), tuple(rows), 2)
    paired = material.pair_notes if any(one.claim.test == "gain" and one.runs for one in tested) else ()
    alone = tuple(Alone("claim: rises", one.runs, note) for one in tested for note in one.notes)
    return Noted(Section(part.title or "Claims", _claims_lead(part), (table,)), tuple(numbers), paired, alone)


def _claims_lead(part: Part) -> str:
    if not part.source:
        return part.note or "Claims of a direction, tested on these runs."
    shown = "The paper shows these as figures without values, so only its claims of direction can be tested."
    return f"Source: {part.source}. {part.note or shown}"


def _row(material: Material, one: _Tested, change: PairedDifference, p: float | None, verdict: str) -> Row:
    """The tested change as a row of the frame. That of a rise is about all its runs: their facts, where they have one."""
    runs = [material.labels[label] for label in one.runs]
    interval = Interval(change.value, change.low, change.high, change.method)
    place = {"task": MACRO, "domain": one.claim.domain, "budget": one.budget, "metric": f"claim: {one.claim.test}"}
    counts = {run.n_samples for run in runs}
    facts = {
        "run": ", ".join(one.runs),
        "model": ", ".join(dict.fromkeys(run.model for run in runs)),
        "engine": ", ".join(dict.fromkeys(map(describe_engine, runs))),
        "n_samples": counts.pop() if len(counts) == 1 else None,
    }
    told = {"claim": one.claim.says, "runs": facts["run"], "left_out": ", ".join(one.left_out), "p_holm": p, "verdict": verdict}
    return as_row(material, one.runs[0], interval, **place, **facts, n_questions=change.n_questions, **told)


def _verdict(one: _Tested, p: float | None) -> str:
    if one.change is None or p is None:
        return one.why or "not tested: no interval"
    if p >= FALSE_ALARMS:
        return "not decided"
    return "holds" if one.change.value > 0 else "the opposite holds"


def _test(material: Material, part: Part, claim: Claim) -> list[_Tested]:
    wanted = {key: one if isinstance(one, list) else [one] for key, one in claim.where.items()}
    labels = [label for label in material.labels if matches(material, label, wanted)]
    if claim.test == "rises":
        return [_test_rise(material, part, claim, labels)]
    others = [label for label in labels if label in material.pairs]
    if not others:
        return [_Tested(claim, (), None, "not tested: needs a base and such a run")]
    return [_test_gain(material, claim, label) for label in others]


def _test_gain(material: Material, claim: Claim, label: str) -> _Tested:
    pairs, budget = material.pairs[label], material.primary(label)
    parts: list[Values] = [pairs.part(task, budget, AVERAGE) for task in pairs.tasks(claim.domain, budget)]
    if not parts:
        return _Tested(claim, (label,), None, f"not tested: no {claim.domain} task")
    return _Tested(claim, (label,), pooled_difference(parts), budget=budget_label(budget))


def _test_rise(material: Material, part: Part, claim: Claim, labels: Sequence[str]) -> _Tested:
    with_x = {label: x for label in labels if (x := as_number(material.about[label].get(part.x))) is not None}
    if len(set(with_x.values())) < 2:
        return _Tested(claim, tuple(with_x), None, f"not tested: needs runs with two values of {part.x}")
    ordered = tuple(sorted(with_x, key=lambda label: rank(with_x[label])))
    runs = {label: material.labels[label] for label in ordered}
    differing = series_differences(list(runs.values()), claim.domain)
    if refused := [one for one in differing if one.known]:
        listed = "; ".join(map(str, refused[:SHOWN])) + (f"; and {len(refused) - SHOWN} more" if len(refused) > SHOWN else "")
        return _Tested(claim, ordered, None, f"not tested: the runs were made differently: {listed}")
    try:
        for run in runs.values():
            check_looks(run, gated=False)
        budget = common_budget(material, ordered)
        found = fit_trend(list(runs.values()), [with_x[label] for label in ordered], claim.domain, budget)
    except MetricError as error:
        return _Tested(claim, ordered, None, f"not tested: {error}")
    notes = series_notes(runs, found)
    if differing:
        notes.append(f"only some of the runs store {', '.join(one.key for one in differing)}, so these may differ")
    if untold := [label for label in labels if label not in with_x]:
        notes.append(f"not on the line, because nothing tells their {part.x}: {', '.join(untold)}")
    return _Tested(claim, ordered, found.change, "", budget_label(budget), found.left_out, tuple(notes))
