"""Does a score rise with something that the checkpoints differ in: their step, their trajectories per question?"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from raml_eval.comparison.pairs import check_timeouts
from raml_eval.comparison.protocols import ProtocolDifference, protocol_differences
from raml_eval.errors import MetricError
from raml_eval.intervals import PairedDifference, Part, pooled_difference
from raml_eval.tables import Measure, count_run, global_clusters, question_values
from raml_eval.tables.measures import AVERAGE
from raml_eval.types import Budget, Domain, QuestionCounts, QuestionKey, StoredRun
from raml_eval.wording import count_noun


@dataclass(frozen=True, slots=True)
class Trend:
    """The change of a score from the least to the greatest x along a line through the runs; log: against log x.

    change is the mean over a domain's tasks of the questions' own fitted changes, so it is paired by question. shared are the
    tasks with the number of questions that all runs have; left_out are tasks of the domain that not all of the runs have.
    """

    change: PairedDifference
    log: bool
    shared: Mapping[str, int]
    left_out: tuple[str, ...] = ()


def fit_trend(
    runs: Sequence[StoredRun],
    xs: Sequence[float],
    domain: Domain,
    budget: Budget,
    measure: Measure = AVERAGE,
    level: float = 0.95,
) -> Trend:
    """The trend of the runs' macro mean over x, by least squares. x is taken in logarithms if all of them are above 0.

    Only the questions that all runs have at the budget count. Raises MetricError for fewer than two different x, and if the
    runs share no question.

    Example: fit_trend(runs, [1, 2, 4], "in_domain", "unlimited").change.value
    """
    log = min(xs) > 0
    at = np.log2(np.asarray(xs, dtype=float)) if log else np.asarray(xs, dtype=float)
    if len(at) < 2 or at.max() == at.min():
        raise MetricError(f"a trend needs runs with different x; met {', '.join(f'{x:g}' for x in xs)}. Add checkpoints.")
    centred = at - at.mean()
    weights = centred / float(centred @ centred) * (at.max() - at.min())
    tasks = list(dict.fromkeys(task for run in runs for task, about in run.tasks.items() if about.domain == domain))
    counted = [count_run(run) for run in runs]
    shared = {task: _shared([cells.get((task, budget), []) for cells in counted]) for task in tasks}
    for task, counts in shared.items():
        for run, of_run in zip(runs, counts, strict=True):
            check_timeouts(run, (task, budget), of_run)
    clusters = global_clusters(runs[-1].questions, runs[-1].tasks)
    parts = {task: _part(counts, weights, measure, clusters) for task, counts in shared.items() if counts[0]}
    if not parts:
        raise MetricError(f"the runs share no question of the {domain} tasks at budget {budget}. Run them on the same tasks.")
    scale = float(weights[weights > 0].sum())
    found = pooled_difference(list(parts.values()), level)
    change = replace(found, value=found.value * scale, low=found.low * scale, high=found.high * scale)
    sizes = {task: len(part.clusters) for task, part in parts.items()}
    return Trend(change, log, sizes, tuple(task for task in tasks if task not in parts))


def series_differences(runs: Sequence[StoredRun], domain: Domain) -> list[ProtocolDifference]:
    """What the protocols of any two of the runs differ in, for the domain's tasks that both have; each key once."""
    found: dict[str, ProtocolDifference] = {}
    for base, new in itertools.combinations(runs, 2):
        tasks = [task for task, about in new.tasks.items() if about.domain == domain and task in base.tasks]
        for one in protocol_differences(base, new, tasks):
            if one.key not in found or (one.known and not found[one.key].known):
                found[one.key] = one
    return list(found.values())


def series_notes(labels: Mapping[str, StoredRun], found: Trend) -> list[str]:
    """The caveats of a trend over these runs: questions that not all of them have, tasks left out, other n."""
    notes = []
    for task, shared in found.shared.items():
        sizes = {label: sum(owner == task for owner, _ in run.questions) for label, run in labels.items()}
        if shared < max(sizes.values()):
            of = ", ".join(f"{size} in {label}" for label, size in sizes.items())
            are = f"{count_noun(shared, 'question')} {'is' if shared == 1 else 'are'}"
            notes.append(f"{task}: {are} shared by all of the runs, of {of}")
    if found.left_out:
        notes.append(f"left out, because not all of the runs have it: {', '.join(found.left_out)}")
    if len({run.n_samples for run in labels.values()}) > 1:
        notes.append(f"samples per question: {', '.join(f'{run.n_samples} in {label}' for label, run in labels.items())}")
    return notes


def _shared(counted: Sequence[Sequence[QuestionCounts]]) -> list[list[QuestionCounts]]:
    """The counts of the questions that all runs have, in one order."""
    of_runs = [{q.question_id: q for q in counts} for counts in counted]
    common = [one for one in of_runs[-1] if all(one in of_run for of_run in of_runs)]
    return [[of_run[one] for one in common] for of_run in of_runs]


def _part(
    counts: Sequence[Sequence[QuestionCounts]], weights: np.ndarray, measure: Measure, clusters: Mapping[QuestionKey, str]
) -> Part:
    """The weighted scores of the runs with a weight below 0 against those above it. Each side's weights sum to 1."""
    values = np.array([question_values(of_run, measure) for of_run in counts])  # (R, Q)
    if np.isnan(values).any():
        raise MetricError(f"{measure.name} is not known for all questions of {counts[0][0].task}. Take another metric.")
    scale = math.fsum(weights[weights > 0])
    base = -np.minimum(weights, 0) @ values / scale
    new = np.maximum(weights, 0) @ values / scale
    return Part(np.clip(base, 0, 1), np.clip(new, 0, 1), [clusters[q.task, q.question_id] for q in counts[0]])
