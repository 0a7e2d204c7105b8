"""Collects the answers that a judge is asked about, and counts its judgements."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from raml_eval.grading import KINDS
from raml_eval.metrics import mean_avg_at_n
from raml_eval.types import Budget, Judgement, SampleRecord, Status, StoredRun

REJECTED = (Status.NO_ANSWER, Status.INCORRECT)
SENT = 1500  # characters sent of a candidate: its last ones
Asked = tuple[str, str, str]  # task, question id, candidate


def candidate_of(record: SampleRecord) -> str | None:
    """What a judge sees of a rejected sample: the extracted answer, else the answer's end; None if nothing is asked."""
    if record.status not in REJECTED:
        return None
    text = record.grade.answer if record.grade.answer is not None else record.answer
    # A request cannot carry a lone surrogate.
    return text.strip()[-SENT:].encode("utf-8", "replace").decode() or None


def collect_candidates(run: StoredRun, tasks: Container[str]) -> Counter[Asked]:
    """The distinct candidates of the tasks, each with the number of samples that gave it."""
    candidates: Counter[Asked] = Counter()
    for record in run.records:
        key = (record.key.task, record.key.question_id)
        if key[0] in tasks and key in run.questions and not KINDS[run.questions[key].grader].needs_sandbox:
            text = candidate_of(record)
            candidates.update([(*key, text)] if text is not None else ())
    return candidates


@dataclass(frozen=True, slots=True)
class JudgedCell:
    """One judge's result on one task at one budget. by_rule and with_judge are avg@n, the mean over questions.

    with_judge counts as correct the samples that the rules found correct and those that the judge accepted. Samples that
    were not asked, unclear or unavailable stay rejected.
    """

    model: str
    prompt_version: str
    task: str
    budget: Budget
    n_samples: int
    n_rejected: int
    verdicts: Mapping[str, int]
    by_rule: float
    with_judge: float

    @property
    def accepted(self) -> int:
        return self.verdicts.get("equivalent", 0)

    @property
    def n_judged(self) -> int:
        return sum(self.verdicts.values())


def judges_of(run: StoredRun) -> list[tuple[str, str]]:
    """The judges of a run, as (model, prompt version), in the order in which they were first asked."""
    return list(dict.fromkeys((judgement.model, judgement.prompt_version) for judgement in run.judgements))


def count_judged(run: StoredRun, records: Iterable[SampleRecord]) -> list[JudgedCell]:
    """A cell for each judge, task and budget of the records in which the judge judged a sample."""
    cells: defaultdict[tuple[str, Budget], list[SampleRecord]] = defaultdict(list)
    for record in records:
        cells[record.key.task, record.budget].append(record)
    counted = []
    for judge in judges_of(run):
        said = judgements_by(run, *judge)
        counted += [_count_cell(judge, *cell, given, said) for cell, given in cells.items()]
    return [cell for cell in counted if cell.n_judged]


def judgements_by(run: StoredRun, model: str, prompt_version: str) -> dict[Asked, Judgement]:
    """The judgements of one judge, by what it was asked."""
    own = (j for j in run.judgements if (j.model, j.prompt_version) == (model, prompt_version))
    return {(j.task, j.question_id, j.candidate): j for j in own}


def _count_cell(
    judge: tuple[str, str], task: str, budget: Budget, records: list[SampleRecord], said: Mapping[Asked, Judgement]
) -> JudgedCell:
    drawn = Counter(record.key.question_id for record in records)
    right = Counter(record.key.question_id for record in records if record.grade.correct)
    accepted: Counter[str] = Counter()
    verdicts: Counter[str] = Counter()
    for record in records:
        candidate = candidate_of(record)
        judgement = None if candidate is None else said.get((task, record.key.question_id, candidate))
        if judgement is not None:
            verdicts[judgement.verdict] += 1
            accepted[record.key.question_id] += judgement.verdict == "equivalent"
    n_rejected = sum(record.status in REJECTED for record in records)
    averages = mean_avg_at_n(drawn, right), mean_avg_at_n(drawn, right + accepted)
    return JudgedCell(*judge, task, budget, len(records), n_rejected, dict(verdicts), *averages)
