"""The parts along an axis: a metric against step or trajectories per question, and what a paper claims of a direction."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from raml_eval.comparison.trend import fit_trend, series_differences, series_notes
from raml_eval.errors import MetricError
from raml_eval.intervals import PairedDifference, holm, pooled_difference
from raml_eval.intervals import Part as Values
from raml_eval.looks import check_looks
from raml_eval.reporting.numbers import Key
from raml_eval.reporting.render import Cell, Figure, Table, percent_of
from raml_eval.reporting.reports.checking import not_at, runs_left_out
from raml_eval.reporting.reports.definition import Claim, Part
from raml_eval.reporting.reports.figures import draw_axis
from raml_eval.reporting.reports.material import KNOWN, Alone, Built, Material, as_number, as_row, matches, rank
from raml_eval.reporting.reports.plain import check_ks, unit_of
from raml_eval.reporting.sections import TITLES, Section
from raml_eval.tables import DOMAINS, MACRO, Row, budget_label, describe_engine, largest_budget
from raml_eval.tables.measures import AVERAGE
from raml_eval.types import Budget, Interval

FALSE_ALARMS = 0.05  # of all claims of a part together
SHOWN = 4  # differing keys that a cell names


def trend(material: Material, part: Part) -> Built | None:
    """A metric over an axis of the checkpoints, with a line for each group; None if fewer than two values of x are known.

    All of its numbers are of one budget, so that a line joins numbers of one kind.
    """
    chosen = [label for label in material.labels if matches(material, label, part.choice)]
    at = place_runs(material, part.x, chosen)
    if at is None:
        return None
    check_ks(material, part)
    known, budget = at.xs, budget_label(at.budget)
    measure = material.measure((part.metrics or ("avg@n",))[0])
    ordered = sorted(known, key=lambda label: (rank(material.facts(label).get(part.group)), known[label]))
    header = (KNOWN.get(part.group, part.group), KNOWN.get(part.x, part.x), "model", "budget")
    rows, points = [], []
    for label in ordered:
        group = str(material.facts(label).get(part.group, ""))
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
    left_out = at.left_out(material, part.place, chosen)
    return Built(Section(title, part.note, (table,), (figure,)), left_out=left_out)


@dataclass(frozen=True, slots=True)
class Placed:
    """Where runs stand on an axis, by label, and the budget that all of them have."""

    axis: str
    xs: Mapping[str, float]
    budget: Budget

    def left_out(self, material: Material, place: str, chosen: Sequence[str]) -> tuple[str, ...]:
        """The notes on the chosen runs that have no place on the axis, or not the budget."""

        def why(label: str) -> str:
            if as_number(material.about[label].get(self.axis)) is None:
                return f"no {self.axis} is told (in checkpoint.yaml, or with --about RUN:{self.axis}=NUMBER)"
            return not_at(material.labels[label], [budget_label(self.budget)])

        return runs_left_out(material, place, {*self.xs, *(label for label in material.labels if label not in chosen)}, why)


def place_runs(material: Material, axis: str, labels: Sequence[str]) -> Placed | None:
    """Those of the runs that tell a number x, at the budget that most of them have; of several such budgets, the largest.

    None if fewer than two values of x are left.
    """
    xs = {label: x for label in labels if (x := as_number(material.about[label].get(axis))) is not None}
    having: dict[Budget, list[str]] = {}
    for label in xs:
        for budget in material.labels[label].budgets:
            having.setdefault(budget, []).append(label)
    most = max(map(len, having.values()), default=0)
    budgets = [budget for budget, of in having.items() if len(of) == most]
    if not budgets:
        return None
    budget = largest_budget(budgets)
    kept = {label: xs[label] for label in having[budget]}
    return Placed(axis, kept, budget) if len(set(kept.values())) > 1 else None


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
    unplaced: tuple[str, ...] = ()  # notes on the runs that the claim is about and that were not tested


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
    unplaced = tuple(dict.fromkeys(note for one in tested for note in one.unplaced))
    section = Section(part.title or "Claims", _claims_lead(part), (table,))
    return Built(section, tuple(numbers), paired, left_out=unplaced, alone=alone)


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
    labels = [label for label in material.labels if matches(material, label, claim.choice)]
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
    at = place_runs(material, part.x, labels)
    if at is None:
        told = tuple(label for label in labels if as_number(material.about[label].get(part.x)) is not None)
        several = len({material.about[label][part.x] for label in told}) > 1
        why = f"not tested: needs runs with two values of {part.x}{' at one thinking budget' if several else ''}"
        return _Tested(claim, told, None, why)
    ordered = tuple(sorted(at.xs, key=lambda label: at.xs[label]))
    runs = {label: material.labels[label] for label in ordered}
    differing = series_differences(list(runs.values()), claim.domain)
    if refused := [one for one in differing if one.known]:
        listed = "; ".join(map(str, refused[:SHOWN])) + (f"; and {len(refused) - SHOWN} more" if len(refused) > SHOWN else "")
        return _Tested(claim, ordered, None, f"not tested: the runs were made differently: {listed}")
    try:
        for run in runs.values():
            check_looks(run, gated=False)
        found = fit_trend(list(runs.values()), [at.xs[label] for label in ordered], claim.domain, at.budget)
    except MetricError as error:
        return _Tested(claim, ordered, None, f"not tested: {error}")
    notes = series_notes(runs, found)
    if differing:
        notes.append(f"only some of the runs store {', '.join(one.key for one in differing)}, so these may differ")
    place = part.place if len(part.claims) == 1 else f"the claim {claim.says!r} of {part.place}"
    unplaced = at.left_out(material, place, labels)
    return _Tested(claim, ordered, found.change, "", budget_label(at.budget), found.left_out, tuple(notes), unplaced)
