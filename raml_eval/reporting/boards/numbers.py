"""The numbers of an entry, computed from its counts with the metrics and intervals of the reports."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from raml_eval.errors import InputError
from raml_eval.intervals import Part, macro_mean, mean_interval
from raml_eval.reporting.boards.entry import REPAIR, Asked, Counted, Number, RunEntry
from raml_eval.tables import DOMAINS, MACRO, STABILITY, Measure
from raml_eval.tables.clusters import overlap
from raml_eval.tables.measures import UNCOUNTED, estimate, measures_for, not_given, question_values
from raml_eval.types import Domain, Interval, QuestionCounts, Status, ThinkingEnd

LEVEL = 0.95
# Values are exact sums that are rounded once; the ends of Gaffke's intervals are computed to about 1e-7.
VALUES_AGREE, ENDS_AGREE = 1e-9, 1e-6
TOKENS: Mapping[str, str] = {"thinking_tokens_mean": "thinking_tokens", "answer_tokens_mean": "answer_tokens"}
_NOT_COUNTED = ("leak_rate",)
_PER_QUESTION = ("n", "correct", "classes", "unfinished", "no_answer", "timeout", "forced", "thinking_tokens", "answer_tokens")
NumberKey = tuple[str, str, str, str, int | None, float | None]


def number_key(row: Number) -> NumberKey:
    """What identifies a number of an entry: its task, domain, budget, metric, k and tau."""
    return row.task, row.domain, row.budget, row.metric, row.k, row.tau


def measures_of(ks: Sequence[int]) -> list[Measure]:
    """Every measure of an entry with these k."""
    return [measure for measure in measures_for(ks, timeouts=False) if measure.metric not in _NOT_COUNTED]


def compute_numbers(
    questions: Mapping[str, Asked], counts: Iterable[Counted], measures: Sequence[Measure], greedy: bool = False
) -> list[Number]:
    """The measures that follow from the counts, for each task and budget, then the means over the tasks of each domain.

    They are those of tables.build_frame. If draws are greedy, the metrics with a k are not given.
    """
    found: dict[tuple[str, str], dict[Measure, tuple[Interval, int]]] = {}
    for cell in counts:
        asked = questions[cell.task]
        of_questions = question_counts(cell, asked)
        found[cell.task, cell.budget] = {m: _estimate(cell, asked, of_questions, m, greedy) for m in measures}
    rows = [
        _number(task, questions[task].domain, budget, measure, interval, covered)
        for (task, budget), estimates in found.items()
        for measure, (interval, covered) in estimates.items()
    ]
    for domain in DOMAINS:
        tasks = [task for task, asked in questions.items() if asked.domain == domain]
        related = overlap([questions[task].groups for task in tasks])
        for budget in dict.fromkeys(budget for _, budget in found) if tasks else ():
            for measure in measures:
                of_tasks = [found[task, budget][measure] for task in tasks]
                mean = macro_mean([interval for interval, _ in of_tasks], related)
                rows.append(_number(MACRO, domain, budget, measure, mean, sum(covered for _, covered in of_tasks)))
    return rows


def _estimate(
    cell: Counted, asked: Asked, counts: Sequence[QuestionCounts], measure: Measure, greedy: bool
) -> tuple[Interval, int]:
    """The mean over a task's questions at a budget, and the number of questions that it covers."""
    if greedy and measure.metric in STABILITY:
        return not_given("greedy draws repeat themselves"), 0
    if measure.metric in TOKENS:
        sums = getattr(cell, TOKENS[measure.metric])
        if None in sums:
            return not_given(UNCOUNTED), sum(one is not None for one in sums)
        return mean_interval(np.array(sums) / np.array(cell.n), asked.clusters, LEVEL, None), len(sums)
    return estimate(counts, measure, LEVEL)


def question_counts(cell: Counted, asked: Asked) -> list[QuestionCounts]:
    """The counts as a metric sees them, without tokens."""
    return [
        QuestionCounts(
            task=cell.task,
            question_id=question_id,
            cluster=asked.clusters[i],
            n=cell.n[i],
            correct=cell.correct[i],
            classes=tuple((count, right) for count, right in cell.classes[i]),
            statuses={
                Status.UNFINISHED: cell.unfinished[i],
                Status.NO_ANSWER: cell.no_answer[i],
                Status.TIMEOUT: cell.timeout[i],
            },
            ends={ThinkingEnd.FORCED: cell.forced[i]},
        )
        for i, question_id in enumerate(asked.ids)
    ]


def paired_parts(base: RunEntry, new: RunEntry, tasks: Sequence[str], budget: str, measure: Measure) -> list[Part]:
    """The values of both entries on the same questions, a part for each task."""

    def values(entry: RunEntry, task: str) -> np.ndarray:
        return question_values(question_counts(cell_of(entry, task, budget), entry.questions[task]), measure)

    return [Part(values(base, task), values(new, task), base.questions[task].groups) for task in tasks]


def cell_of(entry: RunEntry, task: str, budget: str) -> Counted:
    """The counts of a task at a budget."""
    return next(cell for cell in entry.counts if (cell.task, cell.budget) == (task, budget))


def domain_tasks(entry: RunEntry, domain: Domain) -> list[str]:
    """The entry's tasks of a domain."""
    return [task for task, asked in entry.questions.items() if asked.domain == domain]


def check_counts(entry: RunEntry, where: object) -> None:
    """Raises InputError if the counts cannot be those of a run: lengths, sums, or n itself do not fit."""
    for task, asked in entry.questions.items():
        if not len(asked.ids) == len(asked.clusters) == len(asked.groups) == len(set(asked.ids)):
            raise InputError(f"{where}: the questions of {task} have not one id, cluster and group each. {REPAIR}")
        if asked.synthetic > len(asked.ids):
            raise InputError(f"{where}: {asked.synthetic} of {len(asked.ids)} questions of {task} are synthetic. {REPAIR}")
    places = [(cell.task, cell.budget) for cell in entry.counts]
    wanted = {(task, budget) for task in entry.questions for _, budget in places}
    if len(places) != len(set(places)) or set(places) != wanted:
        raise InputError(f"{where} has not one set of counts for each of its tasks at each of its budgets. {REPAIR}")
    for cell in entry.counts:
        n_questions = len(entry.questions[cell.task].ids)
        for name in _PER_QUESTION:
            if len(getattr(cell, name)) != n_questions:
                met = len(getattr(cell, name))
                raise InputError(
                    f"{where}: {name} of {cell.task} at {cell.budget} has {met} numbers, wanted {n_questions}. {REPAIR}"
                )
        for i, question_id in enumerate(entry.questions[cell.task].ids):
            if fault := _fault(cell, i, entry.n_samples):
                raise InputError(f"{where}: {cell.task}/{question_id} at {cell.budget} has {fault}. {REPAIR}")


def _fault(cell: Counted, i: int, n_samples: int) -> str:
    """What is wrong with the counts of one question; empty if nothing is."""
    n, right = cell.n[i], cell.correct[i]
    others = cell.unfinished[i] + cell.no_answer[i] + cell.timeout[i]
    votes, right_votes = sum(count for count, _ in cell.classes[i]), sum(of for _, of in cell.classes[i])
    if n != n_samples:
        return f"n = {n}, wanted {n_samples}"
    if right + others > n:
        return f"{right} correct and {others} other samples of n = {n}"
    if cell.forced[i] > n:
        return f"{cell.forced[i]} forced samples of n = {n}"
    if votes + others > n or right_votes > right or any(of > count for count, of in cell.classes[i]):
        return f"votes {cell.classes[i]}, which do not fit {right} correct of n = {n}"
    return ""


def check_numbers(entry: RunEntry, where: object) -> None:
    """Raises InputError if a number of the entry does not follow from its counts; the first one is named."""
    ks = sorted({row.k for row in entry.rows if row.k})
    if ks and not 1 <= ks[0] <= ks[-1] <= entry.n_samples:
        raise InputError(f"{where} has numbers with k = {ks[-1]} from n = {entry.n_samples}. {REPAIR}")
    wanted = {number_key(row): row for row in compute_numbers(entry.questions, entry.counts, measures_of(ks), entry.greedy)}
    seen = set()
    for row in entry.rows:
        key = number_key(row)
        if key not in wanted or key in seen:
            raise InputError(
                f"{where} holds {_name(row)}, which {'is there twice' if key in seen else 'nothing gives'}. {REPAIR}"
            )
        seen.add(key)
        for name in ("value", "low", "high"):
            met, follows = getattr(row, name), getattr(wanted[key], name)
            if not _agree(met, follows, VALUES_AGREE if name == "value" else ENDS_AGREE):
                raise InputError(
                    f"{where}: the {name} of {_name(row)} is {_shown(met)}, but {_shown(follows)} follows from its counts. "
                    f"{REPAIR}"
                )
        if row.n_questions != wanted[key].n_questions:
            met, follows = row.n_questions, wanted[key].n_questions
            raise InputError(f"{where}: {_name(row)} covers {met} questions, but the counts are of {follows}. {REPAIR}")
    if lacking := [row for key, row in wanted.items() if key not in seen]:
        raise InputError(f"{where} lacks {_name(lacking[0])}. {REPAIR}")


def _agree(met: float | None, follows: float | None, tolerance: float) -> bool:
    if met is None or follows is None:
        return met is follows
    return math.isclose(met, follows, rel_tol=tolerance, abs_tol=tolerance)


def _shown(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"


def _name(row: Number) -> str:
    metric = Measure(row.metric, row.k, row.tau).name
    return f"{metric} of {row.task} ({row.domain}) at {row.budget}"


def _number(task: str, domain: Domain, budget: str, measure: Measure, of: Interval, n_questions: int) -> Number:
    value, low, high = (None if math.isnan(x) else float(x) for x in (of.value, of.low, of.high))
    return Number(
        task=task,
        domain=domain,
        budget=budget,
        metric=measure.metric,
        k=measure.k,
        tau=measure.tau,
        value=value,
        low=low,
        high=high,
        n_questions=n_questions,
        method=of.method,
    )
