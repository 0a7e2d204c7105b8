"""The types that every layer shares: questions, samples, tasks, engines and whole runs. They are frozen and need no library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

TokenIds = tuple[int, ...]
QuestionKey = tuple[str, str]  # task, question id
Prompts = Mapping[str, TokenIds]  # one question's prompt ids by budgets.prompt_of: "thinking", "off", "effort:low"
Message = Mapping[str, str]  # {"role": ..., "content": ...}

Budget = int | str  # thinking tokens, "unlimited", "off" or a word of raml_eval.budgets
Domain = Literal["in_domain", "cross_domain"]
Redistribute = Literal["yes", "no", "non_commercial"]
GraderKind = Literal["math", "choice", "exact", "label", "bracket", "grid", "code", "task_rule"]


class Status(StrEnum):
    """The outcome of one sample. Only the first two statuses were graded to the end."""

    CORRECT = "correct"
    INCORRECT = "incorrect"
    NO_ANSWER = "no_answer"  # finished, but nothing to extract
    UNFINISHED = "unfinished"  # no grader saw it: the thinking or the answer ran out of tokens
    TIMEOUT = "timeout"  # the grader was stopped


class ThinkingEnd(StrEnum):
    """How the thinking of a sample ended."""

    NATURAL = "natural"  # the model wrote the end delimiter within the budget
    FORCED = "forced"  # the budget bound: the harness cut the thinking and wrote the delimiter
    EOS = "eos"  # the model ended its turn inside the thinking
    LENGTH = "length"  # the cap on all tokens, or the drawn length, ran out inside the thinking
    OFF = "off"  # no thinking was asked for
    UNKNOWN = "unknown"  # imported samples only: the log does not say


class Finish(StrEnum):
    """Why an engine stopped: one of the stop ids or stop strings, or the token limit."""

    STOP = "stop"
    LENGTH = "length"
    UNKNOWN = "unknown"  # imported samples only: the log does not say; graded as finished


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """Everything that decides the next token. Every field is explicit, so that no engine's default can take effect.

    temperature 0 is greedy. top_k 0, top_p 1.0, min_p 0.0 and repetition_penalty 1.0 each turn their filter off. Generation
    ends after the first token of stop_ids, after the token that completes one of stop_strings in the decoded text (special
    tokens included), or after max_tokens tokens.
    """

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    repetition_penalty: float
    max_tokens: int
    seed: int
    stop_ids: TokenIds
    stop_strings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """What an engine drew: the ids, including the stop token if one ended the draw.

    text is None unless the engine returns texts alone (BackendDescription.ids_exact is false): then it is what the engine
    wrote, and token_ids are what this side's tokenizer makes of it. redrawn is true if an earlier draw for the same request was
    lost, on an engine whose seeds do not reproduce.
    """

    token_ids: TokenIds
    finish: Finish
    text: str | None = None
    redrawn: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """One question of a task, ready to be asked and graded.

    id is the row's index and six hex digits of the row's SHA-256, so that changed data never matches old samples. cluster
    names what several questions share (a story, a puzzle). stratum is the category that --limit covers in proportion. stop
    holds the task's own stop strings, which apply to the answer only. options are the texts of a choice, in order, or the
    labels that an answer must be one of. tests is what a grader runs if the target alone is not enough (JSON text). date is
    the day or month on which the question became public (2025-02-15 or 2025-02), empty if the task does not say.
    """

    task: str
    id: str
    cluster: str
    doc: Mapping[str, Any]
    messages: tuple[Message, ...]
    target: str
    grader: GraderKind
    stratum: str = ""
    options: tuple[str, ...] = ()
    stop: tuple[str, ...] = ()
    synthetic: bool = False
    tests: str = ""
    date: str = ""

    @property
    def gold(self) -> str:
        """What a grader compares the answer with."""
        return self.tests or self.target

    @property
    def asked(self) -> str:
        """The text of all messages with their roles; empty for an imported question without any."""
        return "".join(f"message {message.get('role')} {message.get('content')}\n" for message in self.messages)


@dataclass(frozen=True, slots=True, order=True)
class SampleKey:
    """One of the n draws for one question."""

    task: str
    question_id: str
    index: int

    def __str__(self) -> str:
        return f"{self.task}/{self.question_id}/{self.index}"


SampleId = tuple[SampleKey, Budget]  # one sample at one budget
Draw = tuple[SampleKey, str]  # a sample's thinking, and the prompt that it is drawn from (budgets.prompt_of)


@dataclass(frozen=True, slots=True)
class Trajectory:
    """One drawn thinking, stored once and read at every budget up to its limit.

    token_ids are the thinking tokens alone (no opener, no delimiter), at most limit of them. end is NATURAL (end_ids holds
    the delimiter as the model wrote it), EOS, or LENGTH (still open after limit tokens). An imported trajectory has only its
    text: it has no ids, and limit and seed are None. prompt is what it was drawn from (budgets.prompt_of). extensions are
    the places in token_ids at which an end was withheld and a continuation written.
    """

    key: SampleKey
    limit: int | None
    token_ids: TokenIds
    end: ThinkingEnd
    end_ids: TokenIds
    text: str
    seed: int | None
    redrawn: bool = False  # drawn again after an interruption, on an engine whose seeds do not reproduce
    prompt: str = "thinking"
    extensions: tuple[int, ...] = ()

    @property
    def id(self) -> str:
        told = "" if self.prompt == "thinking" else f"@{self.prompt}"
        return f"{self.key}{told}@{'imported' if self.limit is None else self.limit}"


@dataclass(frozen=True, slots=True)
class Thinking:
    """A trajectory as one budget sees it: the ids kept, how they end, and the ids between them and the answer."""

    token_ids: TokenIds
    end: ThinkingEnd
    closing_ids: TokenIds


@dataclass(frozen=True, slots=True)
class Grade:
    """A verdict: the status, the extracted answer (None if there is none), the rule that extracted it, and what decided.

    score is the share of parts that is right if the grader knows parts (cells of a grid), otherwise None.
    """

    status: Status
    answer: str | None
    rule: str = ""
    detail: str = ""
    score: float | None = None

    @property
    def correct(self) -> bool:
        return self.status is Status.CORRECT


@dataclass(frozen=True, slots=True)
class Imported:
    """What another harness's log says about a sample beside its text. None stands for what the log does not say.

    verdict holds that harness's own numbers, by metric. If of_question is true, they are those of all the question's
    samples together. n_tokens counts thinking and answer, as the log counts them.
    """

    verdict: Mapping[str, float]
    of_question: bool = False
    n_tokens: int | None = None
    n_answer_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """One sample at one budget, as samples.jsonl holds it (docs/run-directory.md).

    An imported sample has no token ids, and None for each count and seed that its log does not give.
    """

    key: SampleKey
    budget: Budget
    trajectory: str | None  # Trajectory.id; None if thinking is off
    thinking_end: ThinkingEnd
    n_thinking_tokens: int | None
    answer: str
    answer_ids: TokenIds
    answer_finish: Finish | None  # None: no answer was drawn
    target: str
    grade: Grade
    seed: int | None  # of the answer's draw
    leak: bool = False  # the answer contains a delimiter of thinking: thinking went on after it was closed
    session: int = 0  # the session that drew it: an index into the manifest's sessions
    imported: Imported | None = None

    @property
    def status(self) -> Status:
        return self.grade.status

    @property
    def n_answer_tokens(self) -> int | None:
        return self.imported.n_answer_tokens if self.imported else len(self.answer_ids)


@dataclass(frozen=True, slots=True)
class QuestionCounts:
    """The counts of n samples of one question at one budget, which are all that a metric may see.

    classes holds (count, how many of them are correct) for each answer class; no_answer, unfinished and timeout samples are
    in no class. thinking_tokens and answer_tokens hold one number per sample, None if it is not known. scores is empty if no
    sample of the task has a Grade.score at any budget; otherwise it holds one number per sample, 0 for one without a score.
    """

    task: str
    question_id: str
    cluster: str
    n: int
    correct: int
    classes: tuple[tuple[int, int], ...] = ()
    statuses: Mapping[Status, int] = field(default_factory=dict)
    ends: Mapping[ThinkingEnd, int] = field(default_factory=dict)
    thinking_tokens: tuple[int | None, ...] = ()
    answer_tokens: tuple[int | None, ...] = ()
    leaks: int = 0
    scores: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the ends of its interval, which are NaN if there is no interval. method names the kind of interval."""

    value: float
    low: float
    high: float
    method: str = ""


@dataclass(frozen=True, slots=True)
class TaskDescription:
    """What the catalogue knows about a task without loading its data. The manifest of every run stores it.

    chance is the accuracy of guessing (0.25 for four options), None if guessing is hopeless. suites are the groups that list
    the task. dataset, config, split and revision name the data on its hub. digest is the SHA-256 of the task's YAML with
    everything it includes. family names the tasks that share clusters: in two tasks of one family, questions with the same
    cluster are not independent (translations, perturbed pairs). perturbs is the task of whose questions its own are changed
    versions. date is the day or month on which its questions became public, or the column that holds it. redistribute says
    whether the rows may be passed on. overrides says, in sentences, what a run does in another way than the task's YAML states.
    """

    name: str
    domain: Domain
    grader: GraderKind
    answer_format: str
    source: str
    licence: str
    dataset: str
    config: str | None
    split: str
    revision: str
    version: str
    digest: str
    chance: float | None = None
    suites: tuple[str, ...] = ()
    family: str = ""
    perturbs: str = ""
    date: str = ""
    redistribute: Redistribute | Literal[""] = ""
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Primary:
    """What a suite declares as its primary endpoint: the metric, such as avg@n or pass@8, and the thinking budget.

    A comparison of two runs answers its main question at this one place, so it is declared before anybody looks.
    """

    metric: str
    budget: Budget


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite as a run stores it: its tasks, and its primary endpoint, None if it declares none."""

    tasks: tuple[str, ...]
    primary: Primary | None = None


@dataclass(frozen=True, slots=True)
class LoadedTask:
    """A task with its questions. content_hash is the SHA-256 of the rows; commit is the hub's, None when offline."""

    description: TaskDescription
    questions: tuple[Question, ...]
    content_hash: str
    commit: str | None = None


@dataclass(frozen=True, slots=True)
class BackendDescription:
    """What the manifest stores about an engine. context is its longest sequence in tokens.

    reproducible is true if a seeded draw gives the same result whatever else is in the batch. ids_exact is false if the engine
    takes or returns texts in place of token ids, so that nothing can be written into what it draws.
    """

    name: str
    version: str
    device: str
    dtype: str
    context: int
    reproducible: bool
    details: Mapping[str, Any] = field(default_factory=dict)
    ids_exact: bool = True


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a judge model said about one candidate answer to one question. It is asked once per answer, not once per sample.

    verdict is equivalent, different, unclear, or unavailable (the reply could not be read). reason is the model's own; an
    unavailable judgement holds the end of the reply there.
    """

    task: str
    question_id: str
    candidate: str
    model: str
    prompt_version: str
    verdict: str
    reason: str
    created: str


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run directory that was read back. records holds the finished samples; a planned sample that is missing has no record.

    questions holds every planned question by (task, question id), in the order of the plan. classes holds the answer
    classes: (task, question id) -> extracted answer -> class number.
    """

    directory: Path
    name: str
    model: str
    manifest: Mapping[str, Any]
    tasks: Mapping[str, TaskDescription]
    questions: Mapping[QuestionKey, Question]
    budgets: tuple[Budget, ...]
    n_samples: int
    records: Sequence[SampleRecord]
    trajectories: Mapping[str, Trajectory]
    classes: Mapping[QuestionKey, Mapping[str, int]]
    n_errors: int = 0  # samples that failed and are owed
    grader_versions: tuple[str, ...] = ()  # the graders of the records' verdicts; if several, regrade to compare them
    judgements: tuple[Judgement, ...] = ()  # second opinions, which do not change the records' verdicts

    @property
    def imported(self) -> Mapping[str, Any] | None:
        """Where the log of an imported run came from (docs/importing.md); None for a run that was drawn here."""
        return self.manifest.get("imported")
