"""What a diagnosis looks at: each drawn thinking of a run, with its question, its gold and its verdicts."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raml_eval.errors import RamlError, choose_names
from raml_eval.grading.kinds import KINDS, extract_answer
from raml_eval.plan import select_questions
from raml_eval.store.seeking import RunReader
from raml_eval.types import Question, QuestionKey, SampleKey, SampleRecord, Status, TokenIds, Trajectory

SHORTER = "a longer thinking of the same sample is there"


@dataclass(frozen=True, slots=True)
class Subject:
    """One drawn thinking. records are the samples that read it, one for each budget, the shortest reading first."""

    question: Question
    trajectory: Trajectory
    records: tuple[SampleRecord, ...]

    @property
    def key(self) -> SampleKey:
        return self.trajectory.key

    @property
    def whole(self) -> SampleRecord:
        """The sample that reads the most of the thinking: its verdict is the thinking's."""
        return self.records[-1]

    @property
    def correct(self) -> bool:
        return self.whole.status is Status.CORRECT


@dataclass(frozen=True, slots=True)
class Gold:
    r"""A gold answer as a completion gives it: text is the answer itself, and lead stands before it, such as \boxed{."""

    lead: str
    text: str


def digest_of_ids(ids: TokenIds) -> str:
    """12 hex digits that tell which ids these are.

    Example: digest_of_ids((1, 2)) != digest_of_ids((2, 1))
    """
    return hashlib.blake2b(array("q", ids).tobytes(), digest_size=6).hexdigest()


def choose_questions(run: RunReader, tasks: Sequence[str], limit: int | None) -> dict[QuestionKey, Question]:
    """The run's questions of these tasks, or of all, at most limit of each task, chosen as in a run.

    Raises ConfigError for a task that the run does not have.
    """
    by_task: dict[str, list[Question]] = defaultdict(list)
    for question in run.questions.values():
        by_task[question.task].append(question)
    names = choose_names("task", tasks, by_task)
    return {(name, one.id): one for name in names for one in select_questions(by_task[name], limit)}


def read_subjects(run: RunReader, skipped: Counter[str]) -> Iterator[Subject]:
    """Every drawn thinking that a sample reads, question by question, in the order of the plan and of the samples.

    Only one question's are in memory. skipped counts, by reason, the thinkings that are left out.
    """
    for key, question in run.questions.items():
        yield from subjects_of(run, key, question, skipped)


def subjects_of(
    run: RunReader, key: QuestionKey, question: Question, skipped: Counter[str], answer_ids: bool = True
) -> Iterator[Subject]:
    """The subjects of one question, by sample. Without answer_ids, their samples have none, which saves time.

    A run whose budgets grew has a thinking drawn up to the old limit, and again up to the new one. Only the longer counts; the
    samples that read the shorter are among its own if the one is the beginning of the other.
    """
    reading: dict[str, list[SampleRecord]] = {}
    for record, _ in run.records(key, answer_ids):
        if record.trajectory is not None:
            reading.setdefault(record.trajectory, []).append(record)
    drawn: dict[tuple[int, str], list[Trajectory]] = {}
    for trajectory in sorted(run.trajectories(key).values(), key=lambda one: (one.key.index, one.prompt, one.limit or 0)):
        drawn.setdefault((trajectory.key.index, trajectory.prompt), []).append(trajectory)
    for *shorter, longest in drawn.values():
        records = list(reading.get(longest.id, ()))
        for one in shorter:
            skipped[SHORTER] += 1
            if one.token_ids == longest.token_ids[: len(one.token_ids)] and one.token_ids:
                records += reading.get(one.id, ())
        if not reading.get(longest.id):
            skipped["no sample reads it"] += 1
            continue
        yield Subject(question, longest, tuple(sorted(records, key=_kept)))


def _kept(record: SampleRecord) -> tuple[int, bool, int]:
    """Orders samples of one thinking by the tokens that they keep of it; of equal ones, unlimited is the last."""
    budget = record.budget
    return (record.n_thinking_tokens or 0, not isinstance(budget, int), budget if isinstance(budget, int) else 0)


def gold_of(question: Question) -> Gold | str:
    """The question's gold as a completion gives it, or the reason, in a few words, why no single text is the gold."""
    kind = KINDS[question.grader]
    if not question.gold.strip():
        return "no gold"
    if not kind.gold_is_text or kind.write_gold is None:
        return f"the gold of grader {question.grader} is no single text"
    try:
        written = kind.write_gold(question.gold, question.options)
    except (RamlError, ValueError):
        return "the gold cannot be written as an answer"
    found = extract_answer(written, question.grader, question.options).answer
    at = written.rfind(found) if found else -1
    if not found or at < 0:
        return "the gold cannot be written as an answer"
    return Gold(written[:at], found)
