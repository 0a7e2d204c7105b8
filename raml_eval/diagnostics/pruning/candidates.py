"""Which trajectories of a run can be shortened, and why the others cannot."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from raml_eval.budgets import OFF, THINKING
from raml_eval.diagnostics.subjects import Subject, digest_of_ids, subjects_of
from raml_eval.store.seeking import RunReader
from raml_eval.types import Budget, Question, QuestionKey, SampleRecord, ThinkingEnd

NEVER_ENDED = "the thinking had not ended at the largest budget"
ENDED_TURN = "the model ended its turn while it thought"
HINTED = "the prompt held a hint"
CUT = "no budget of the run reads the whole thinking"
NO_IDS = "no token ids are stored"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A thinking that ended by itself, whose own answer is stored. records are all of the sample, by budget."""

    subject: Subject
    records: dict[Budget, SampleRecord]

    @property
    def identity(self) -> str:
        """The thinking's id and which ids it has, by which the journals know it: it may be drawn again under the same id."""
        return name_of(self.subject.trajectory.id, digest_of_ids(self.subject.trajectory.token_ids))

    @property
    def off(self) -> SampleRecord | None:
        """The same sample without thinking, in the model's own mode, if the run has it."""
        return self.records.get(OFF)

    def cut_at(self, n: int) -> SampleRecord | None:
        """The run's own sample that reads the first n tokens of this thinking and was closed there, if there is one."""
        wanted = (ThinkingEnd.FORCED, n)
        return next((one for one in self.subject.records if (one.thinking_end, one.n_thinking_tokens) == wanted), None)


def name_of(trajectory: str, drawn: str) -> str:
    """The identity of the thinking with that id and that digest of its ids."""
    return f"{trajectory} {drawn}"


def read_candidates(
    run: RunReader, questions: Mapping[QuestionKey, Question], skipped: Counter[str], samples: int | None = None
) -> Iterator[Candidate]:
    """Every thinking that can be shortened, question by question, of so many samples of each (None: all).

    skipped counts the others by reason.
    """
    for key, question in questions.items():
        subjects = list(subjects_of(run, key, question, skipped))
        records: dict[int, dict[Budget, SampleRecord]] = defaultdict(dict)
        for record, _ in run.records(key):
            records[record.key.index][record.budget] = record
        for subject in subjects:
            if samples is not None and subject.key.index >= samples:
                continue
            if reason := _why_not(subject):
                skipped[reason] += 1
            else:
                yield Candidate(subject, records[subject.key.index])


def _why_not(subject: Subject) -> str:
    """Why the thinking cannot be shortened; empty if it can."""
    trajectory, whole = subject.trajectory, subject.whole
    reasons = {
        HINTED: trajectory.prompt != THINKING,
        NO_IDS: trajectory.limit is None or (not trajectory.token_ids and bool(trajectory.text)),
        NEVER_ENDED: trajectory.end is ThinkingEnd.LENGTH,
        ENDED_TURN: trajectory.end is ThinkingEnd.EOS,
        CUT: whole.thinking_end is not ThinkingEnd.NATURAL or whole.n_thinking_tokens != len(trajectory.token_ids),
    }
    return next((reason for reason, holds in reasons.items() if holds), "")
