"""The curve over thinking budgets: what each budget gives, what the next one adds, and where the tokens go."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from raml_eval import allocation
from raml_eval.tables.measured import COUNT, Estimate, Measured, Place, difference_of, exactly, mean_of, ratio_of
from raml_eval.tables.measures import APART, AVERAGE, STABILITY, UNCOUNTED, Measure, estimate, not_given
from raml_eval.tables.paired import Paired, cap_size

_ALWAYS = ("thinking_tokens_mean", "answer_tokens_mean")
_SHARES = ("forced_rate", "unfinished_rate")
THOUSAND = 1000.0


def measure_curve(paired: Paired, ks: Sequence[int], level: float, greedy: bool) -> Measured:
    """Accuracy, stability, tokens and endings at each budget, the steps between them, and the area under the curve."""
    found: Measured = {}
    for budget, counts in zip(paired.budgets, paired.counts, strict=True):
        for measure in _measures(ks):
            refused = greedy and measure.metric in STABILITY
            of = (not_given("greedy draws repeat themselves"), 0) if refused else estimate(counts, measure, level)
            found[Place(measure.metric, str(budget), k=measure.k)] = Estimate(*of)
    if paired.n_incomplete:
        found[Place("left_out", part="lack a budget")] = exactly(float(paired.n_incomplete), paired.n_questions, COUNT)
    return found | measure_steps(paired, level) | _area(paired, level)


def _measures(ks: Sequence[int]) -> list[Measure]:
    stable = [m for k in ks if k > 1 for m in (Measure("pass@k", k), Measure("mg_pass@k", k))]
    return [AVERAGE, *stable, *(Measure(name, bounds=None) for name in _ALWAYS), *map(Measure, _SHARES)]


def measure_steps(paired: Paired, level: float) -> Measured:
    """What each budget adds to the one below it and lacks to the largest, paired over questions; and per 1,000 tokens."""
    found: Measured = {}
    labels = [str(budget) for budget in paired.budgets]
    accuracy, tokens = paired.accuracy, paired.by_question(paired.thinking)
    for column in range(1, len(labels)):
        at = labels[column], labels[column - 1]
        before, after = accuracy[:, column - 1], accuracy[:, column]
        found[Place("step", *at)] = difference_of(before, after, paired.clusters, level)
        more = tokens[:, column] - tokens[:, column - 1]
        gain = ratio_of(THOUSAND * (after - before), more, paired.clusters, level)
        if not paired.counted:
            gain = Estimate(not_given(UNCOUNTED), 0)
        elif abs(more.mean()) < 1:
            gain = Estimate(not_given("the budgets differ by less than one token per sample"), len(more))
        found[Place("gain_per_1000_tokens", *at)] = gain
    for column, label in enumerate(labels[:-1]):
        short = difference_of(accuracy[:, column], accuracy[:, -1], paired.clusters, level)
        found[Place("to_largest", label, labels[-1])] = short
    return found


def _area(paired: Paired, level: float) -> Measured:
    """The area over the budgets that have a place on a log axis: neither 0 nor "unlimited" has one."""
    columns = [c for c, budget in enumerate(paired.budgets) if 0 < cap_size(budget) < float("inf")]
    if len(columns) < 2:
        return {}
    sizes = [cap_size(paired.budgets[c]) for c in columns]
    areas = allocation.area_under_curve(paired.accuracy[:, columns], sizes)
    ends = str(paired.budgets[columns[0]]), str(paired.budgets[columns[-1]])
    return {Place("area", *ends): mean_of(areas, paired.clusters, level)}


def measure_fractions(paired: Paired, level: float) -> Measured:
    """Accuracy at each share of the trajectories that ended by themselves, the steps, and how many were left out as open."""
    found: Measured = {}
    tokens = paired.by_question(paired.thinking)
    for column, budget in enumerate(paired.budgets):
        found[Place("avg@n", str(budget))] = mean_of(paired.accuracy[:, column], paired.clusters, level)
        found[Place("thinking_tokens_mean", str(budget))] = mean_of(tokens[:, column], paired.clusters, level, None)
    found[Place("left_out", part="did not end")] = exactly(float(paired.n_open), paired.n_questions, COUNT)
    steps = measure_steps(paired, level)
    return found | {place: of for place, of in steps.items() if place.metric in ("step", "to_largest")}


def measure_spending(paired: Paired, level: float) -> Measured:
    """Where tokens go: after the answer has settled, on what is never right; and which answers a cut changes."""
    labels, right = [str(budget) for budget in paired.budgets], paired.right
    if paired.apart:
        return _no_spending(labels)
    found: Measured = {}
    spent = paired.by_question(paired.thinking[:, -1])
    for metric, wasted in (
        ("overthinking_share", allocation.overthinking(right, paired.thinking)),
        ("futility_share", allocation.futility(right, paired.thinking)),
    ):
        share = ratio_of(paired.by_question(wasted), spent, paired.clusters, level, (0.0, 1.0))
        found[Place(metric, labels[-1])] = share if paired.counted else Estimate(not_given(UNCOUNTED), 0)
    starved = paired.by_question(allocation.starved(right), where=paired.forced)
    for column, label in enumerate(labels[:-1]):
        if np.isfinite(starved[:, column]).any():
            found[Place("starvation", label, labels[-1])] = mean_of(starved[:, column], paired.clusters, level)
    lost, won = map(paired.by_question, allocation.flips(right))
    for column in range(1, len(labels)):
        at = labels[column], labels[column - 1]
        found[Place("turned_wrong", *at)] = mean_of(lost[:, column - 1], paired.clusters, level)
        found[Place("turned_right", *at)] = mean_of(won[:, column - 1], paired.clusters, level)
    return found


def _no_spending(labels: Sequence[str]) -> Measured:
    """The numbers of measure_spending, none of which is given where no trajectory is cut at several budgets."""
    places = [Place("overthinking_share", labels[-1]), Place("futility_share", labels[-1])]
    places += [Place("starvation", label, labels[-1]) for label in labels[:-1]]
    for below, above in itertools.pairwise(labels):
        places += [Place("turned_wrong", above, below), Place("turned_right", above, below)]
    return dict.fromkeys(places, Estimate(not_given(APART), 0))
