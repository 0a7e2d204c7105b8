"""The sequences of a run along which the gold is scored: each drawn thinking, and each answer that was drawn without one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from raml_eval.budgets import OFF, prompt_of
from raml_eval.diagnostics.curves.answer_place import Reads
from raml_eval.diagnostics.curves.probe import Introductions, Probe, answer_starts, encode_probe, lead_after
from raml_eval.diagnostics.subjects import Gold, Subject, choose_questions, digest_of_ids, gold_of, subjects_of
from raml_eval.errors import ConfigError, near_names
from raml_eval.grading.kinds import extract_answer
from raml_eval.protocols import Tokenizer
from raml_eval.store.seeking import RunReader
from raml_eval.types import Prompts, Question, QuestionKey, SampleKey, SampleRecord, TokenIds

Skipped = dict[str, list[str]]  # by reason: the keys of what is left out
UNPLACED = "where the final answer of an answer without thinking begins is not sure"


@dataclass(frozen=True, slots=True)
class Choice:
    """What of a run is looked at: these tasks (all if empty), so many questions a task and samples a question (None: all).

    Questions are chosen as the run's own --limit chooses them, so a smaller choice is part of a larger one.
    """

    tasks: Sequence[str] = ()
    limit: int | None = None
    samples: int | None = None

    def questions(self, run: RunReader) -> dict[QuestionKey, Question]:
        """The chosen questions, in the order of the run. Raises ConfigError for a task that the run does not have."""
        there = run.manifest["tasks"]
        for task in self.tasks:
            if task not in there:
                raise ConfigError(
                    f"--task {task!r} is not in {run.directory}, which has {', '.join(there)}.{near_names(task, there)}"
                )
        return choose_questions(run, self.tasks, self.limit)

    def takes(self, key: SampleKey) -> bool:
        return self.samples is None or key.index < self.samples


@dataclass(frozen=True, slots=True)
class Asking:
    """How the gold is asked for. closing_ids end a thinking; lead stands before the gold, if it is given.

    Otherwise the introduction of the task and prompt stands there, and then what the task writes before its golds, without what
    the closing has written of both: after is the end of its text, which already begins the answer.
    """

    tokenizer: Tokenizer
    closing_ids: TokenIds
    introductions: Mapping[tuple[str, str], str]
    lead: str | None = None
    after: str = ""

    def by_task(self) -> dict[str, dict[str, str]]:
        """The introductions as JSON can hold them: by task, then by prompt."""
        nested: dict[str, dict[str, str]] = {}
        for (task, prompt), text in self.introductions.items():
            nested.setdefault(task, {})[prompt] = text
        return nested

    def probe(self, prompt: str, task: str, gold: Gold) -> Probe:
        after = "" if prompt == OFF else self.after
        lead = lead_after(after, self.introductions[task, prompt], gold.lead) if self.lead is None else self.lead
        return encode_probe(self.tokenizer, () if prompt == OFF else self.closing_ids, lead, gold.text)


@dataclass(frozen=True, slots=True)
class Target:
    """One sequence: a prompt of n_prompt ids and what was drawn after it. records are the samples that read it.

    The curve's positions are 0 (right after the prompt) to length. marks are the positions at which a budget cut it. id is
    that of the drawn sequence, so a thinking that was drawn again, further, is another target.
    """

    id: str
    key: SampleKey
    prompt: str
    token_ids: TokenIds
    n_prompt: int
    probe: Probe
    records: tuple[SampleRecord, ...]
    marks: tuple[int, ...] = ()

    @property
    def length(self) -> int:
        return len(self.token_ids) - self.n_prompt

    @property
    def drawn(self) -> str:
        """Which ids the sequence has, after its prompt: what was drawn again under the same id has another."""
        return digest_of_ids(self.token_ids[self.n_prompt :])


@dataclass(slots=True)
class Survey:
    """What one look at all records of a run tells: the chosen questions' golds, and the introductions of its answers."""

    introductions: Mapping[tuple[str, str], str]
    skipped: Skipped = field(default_factory=dict)
    golds: dict[QuestionKey, Gold] = field(default_factory=dict)


def survey(run: RunReader, choice: Choice, prompts: Mapping[QuestionKey, Prompts], answer_prefix: str) -> Survey:
    """The golds of the chosen questions, and how the whole run's answers introduce theirs, so that a choice can grow.

    skipped names the chosen questions without a gold that is one text.
    """
    heard, chosen = Introductions(answer_prefix), choice.questions(run)
    found = Survey({})
    pairs: dict[tuple[str, str], None] = {}
    for key, question in run.questions.items():
        gold = gold_of(question)
        if isinstance(gold, str):
            if key in chosen:
                found.skipped.setdefault(gold, []).append("/".join(key))
            continue
        records = [record for record, _ in run.records(key)]
        heard.add([(prompt_of(record.budget), record) for record in records], gold, _reader(question))
        pairs |= dict.fromkeys((key[0], prompt) for prompt in prompts[key])
        if key in chosen:
            found.golds[key] = gold
    found.introductions = {pair: heard.of(*pair) for pair in pairs}
    return found


def keep_introductions(found: Survey, settings: Mapping[str, Any]) -> list[str]:
    """The introductions with which a diagnosis of these settings was begun stay, so that no two are mixed in one average.

    found has them in place of its own. Returns a note on each that the run's answers would now give otherwise.
    """
    notes = []
    stored = settings.get("introductions")
    kept = dict(found.introductions)
    for task, by_prompt in stored.items() if isinstance(stored, dict) else ():
        for prompt, text in by_prompt.items() if isinstance(by_prompt, dict) else ():
            now = kept.get((task, prompt), text)
            kept[task, prompt] = text
            if now != text:
                notes.append(
                    f"The gold of {task} ({prompt}) is introduced by {text!r}, as when this diagnosis was begun; by the run's "
                    f"answers of now, it would be by {now!r}. For that one, choose another --out or delete the folder."
                )
    found.introductions = kept
    return notes


def read_targets(
    run: RunReader,
    choice: Choice,
    golds: Mapping[QuestionKey, Gold],
    prompts: Mapping[QuestionKey, Prompts],
    asking: Asking,
    skipped: Skipped,
    answers: bool = True,
) -> Iterator[Target]:
    """Every target of the choice, question by question: the thinking by sample, then the answers drawn without thinking.

    Only one question's are in memory. skipped names what is left out, by reason. answers: whether those answers are wanted.
    """
    for key, question in choice.questions(run).items():
        if (gold := golds.get(key)) is None:
            continue
        probes = {prompt: asking.probe(prompt, key[0], gold) for prompt in prompts[key]}
        unread: Counter[str] = Counter()
        for subject in subjects_of(run, key, question, unread):
            if choice.takes(subject.key):
                yield _of_thinking(subject, prompts[key], probes)
        for reason, n in unread.items():
            skipped.setdefault(reason, []).extend(["/".join(key)] * n)
        for record, _ in run.records(key) if answers else ():
            if record.budget == OFF and choice.takes(record.key):
                target = _of_answer(record, prompts[key], probes, asking, gold, _reader(question))
                if target is None:
                    skipped.setdefault(UNPLACED, []).append(f"{record.key}@{OFF}")
                else:
                    yield target


def _of_thinking(subject: Subject, prompts: Prompts, probes: Mapping[str, Probe]) -> Target:
    one = subject.trajectory
    prompt_ids = prompts[one.prompt]
    kept = {record.n_thinking_tokens for record in subject.records if record.n_thinking_tokens is not None}
    return Target(
        id=one.id,
        key=one.key,
        prompt=one.prompt,
        token_ids=(*prompt_ids, *one.token_ids),
        n_prompt=len(prompt_ids),
        probe=probes[one.prompt],
        records=subject.records,
        marks=tuple(sorted(n for n in kept if n <= len(one.token_ids))),
    )


def _reader(question: Question) -> Reads:
    """What the question's grader finds in a text."""
    return partial(extract_answer, kind=question.grader, options=question.options)


def _of_answer(
    record: SampleRecord, prompts: Prompts, probes: Mapping[str, Probe], asking: Asking, gold: Gold, reads: Reads
) -> Target | None:
    """What an answer without thinking says before its final answer is its reasoning; None if that is not surely found."""
    introduction = asking.introductions.get((record.key.task, OFF), "")
    n = answer_starts(asking.tokenizer, record.answer_ids, record.grade.answer, reads, gold.lead, introduction)
    if n is None:
        return None
    return Target(
        id=f"{record.key}@{OFF}",
        key=record.key,
        prompt=OFF,
        token_ids=(*prompts[OFF], *record.answer_ids[:n]),
        n_prompt=len(prompts[OFF]),
        probe=probes[OFF],
        records=(record,),
    )
