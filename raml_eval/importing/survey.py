"""The first pass over a log. It finds everything that must be known, or can be wrong, before a file is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from raml_eval.errors import ConfigError, SourceError
from raml_eval.importing.golds import read_gold
from raml_eval.importing.samples import SAMPLING, ImportedSample, Source, TaskFacts
from raml_eval.importing.settings import Grading, ImportSettings, check_names, choose_grading
from raml_eval.importing.thinking_text import Parts, join_parts, keep_whole, prompt_leaves, split_thinking
from raml_eval.plan import select_questions
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.types import Budget, Question

# If more than this share of a task's completions ends a thinking that it did not open, the chat template opened it. A rare
# completion may do so for another reason.
OPENED_SHARE = 0.05
MAX_SAMPLES = 1_000_000  # per question; a larger number is not a sample's index, and needs a bit for each smaller one


@dataclass(slots=True)
class TaskSurvey:
    """The content of one task of the log: a bit for each sample of each question, and why questions are left out."""

    facts: TaskFacts
    grading: Grading
    samples: dict[str, int] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    guessing: list[float] = field(default_factory=list)  # the chance level of each question with options
    n_available: int = 0
    n: int = 0  # samples that did not fail in the other harness
    ended: int = 0  # completions that end a thinking that they did not open
    plain: int = 0  # completions that are unfinished if the prompt opens the thinking, and answers if it does not
    opened: bool = False


@dataclass(slots=True)
class Survey:
    """What an import will write: the tasks by their names in the log, and the samples of each question up to n_samples.

    A task is opened if its prompts open the thinking. n_open counts the completions that are unfinished for that reason
    alone, n_sealed those whose thinking the log does not hold.
    """

    tasks: dict[str, TaskSurvey]
    model: str
    n_samples: int
    budget: Budget
    n_sealed: int

    def keeps(self, sample: ImportedSample) -> bool:
        """True if the import writes the sample."""
        task = self.tasks.get(sample.task.name)
        return task is not None and sample.question_id in task.samples and sample.index < self.n_samples

    @property
    def n_total(self) -> int:
        mask = (1 << self.n_samples) - 1
        return sum((bits & mask).bit_count() for task in self.tasks.values() for bits in task.samples.values())

    @property
    def opened(self) -> list[str]:
        """The tasks, by their names in the log, whose prompts open the thinking."""
        return [name for name, task in self.tasks.items() if task.opened]

    @property
    def n_open(self) -> int:
        return sum(task.plain for task in self.tasks.values() if task.opened)

    @property
    def left_out(self) -> dict[str, int]:
        """The number of questions that are left out, by reason."""
        return dict(Counter(reason for task in self.tasks.values() for reason in task.left_out.values()))

    @property
    def sampling(self) -> dict[str, Any]:
        """The sampling fields: the value if all tasks have the same, otherwise None."""
        values = {name: {task.facts.sampling.get(name) for task in self.tasks.values()} for name in SAMPLING}
        return {name: found.pop() if len(found) == 1 else None for name, found in values.items()}


def split_sample(sample: ImportedSample, opened: bool) -> Parts:
    """The thinking and the answer of a sample, however its log keeps them."""
    if sample.thinking is not None:
        return join_parts(sample.thinking, sample.text)
    left_open = prompt_leaves(sample.messages)
    if left_open is False:
        return keep_whole(sample.text)
    return split_thinking(sample.text, not sample.sealed and (opened or left_open is True))


def survey(source: Source, settings: ImportSettings) -> Survey:
    """The survey of the whole log, read once. Raises SourceError and ConfigError for everything that would spoil the import."""
    counts = _Counts(settings)
    for sample in source.read():
        counts.add(sample)
    check_names(settings, counts.names)
    if not counts.tasks:
        raise SourceError(f"{source.files[0]} holds no samples. Name a log that was written to its end.")
    if not counts.n:
        raise SourceError(f"every sample of {source.files[0]} failed in its harness, so none can be graded. Name another log.")
    for task in counts.tasks.values():
        task.opened = task.ended > OPENED_SHARE * task.n if settings.opened is None else settings.opened
        _drop_left_out(task)
        _restrict(task, settings.limit)
    return Survey(
        tasks=counts.tasks,
        model=_one_model(counts.models, settings),
        n_samples=_n_samples(counts.tasks, settings),
        budget=_budget(counts, settings, source.hides_thinking),
        n_sealed=counts.sealed,
    )


class _Counts:
    """The tasks, and the counts over all samples together."""

    def __init__(self, settings: ImportSettings) -> None:
        self.settings = settings
        self.catalogue = load_catalogue() if settings.task_map else None
        self.tasks: dict[str, TaskSurvey] = {}
        self.names: dict[str, None] = {}
        self.models: set[str | None] = set()
        self.n = self.thinking = self.sealed = 0

    def add(self, sample: ImportedSample) -> None:
        name = sample.task.name
        self.names[name] = None
        if self.settings.tasks and name not in self.settings.tasks:
            return
        task = self.tasks.get(name) or self._begin(sample)
        self.models.add(sample.model)
        self._add_question(task, sample)
        if sample.error:
            return
        parts = split_sample(sample, opened=False)
        self.n += 1
        task.n += 1
        self.thinking += parts.thinking is not None
        task.ended += parts.thinking is not None and parts.closed and not parts.written
        self.sealed += sample.sealed
        # These count as unfinished if the task's other completions show that the prompt opens the thinking.
        task.plain += not split_sample(sample, opened=True).closed and parts.closed

    def _begin(self, sample: ImportedSample) -> TaskSurvey:
        grading = choose_grading(sample, self.settings, self.catalogue)
        taken = [name for name, task in self.tasks.items() if task.grading.name == grading.name]
        if taken:
            raise ConfigError(
                f"{sample.task.name} and {taken[0]} would both be called {grading.name}, wanted one of each name. Import them "
                f"into two directories with --task."
            )
        return self.tasks.setdefault(sample.task.name, TaskSurvey(sample.task, grading))

    def _add_question(self, task: TaskSurvey, sample: ImportedSample) -> None:
        where = f"{sample.task.name}/{sample.question_id}"
        if sample.index >= MAX_SAMPLES:
            raise SourceError(
                f"sample {sample.index} of {where} is beyond the {MAX_SAMPLES:,} that a question may have; wanted 0, 1 "
                f"and so on. Renumber the samples of each question."
            )
        bits = task.samples.get(sample.question_id, 0)
        if not bits:
            options = sample.options or task.grading.options
            _, reason = read_gold(sample.targets, task.grading.kind, options, where)
            if reason:
                task.left_out[sample.question_id] = reason
            elif options:
                task.guessing.append(1 / len(options))
        if bits >> sample.index & 1:
            raise SourceError(f"sample {sample.index} of {where} is in the log twice, wanted once. Name one run's log.")
        task.samples[sample.question_id] = bits | 1 << sample.index


def _drop_left_out(task: TaskSurvey) -> None:
    for question_id in task.left_out:
        del task.samples[question_id]
    if not task.samples:
        reasons = " or ".join(sorted(set(task.left_out.values())))
        raise SourceError(
            f"every question of task {task.facts.name} has {reasons} in the log, wanted one target each. Leave the task out "
            f"by naming the others with --task, or write it as jsonl with its golds."
        )


def _restrict(task: TaskSurvey, limit: int | None) -> None:
    task.n_available = len(task.samples)
    if limit is not None:
        name = task.grading.name
        questions = [Question(name, id_, id_, {}, (), "", task.grading.kind) for id_ in task.samples]
        task.samples = {question.id: task.samples[question.id] for question in select_questions(questions, limit)}


def _one_model(models: set[str | None], settings: ImportSettings) -> str:
    named = sorted(model for model in models if model is not None)
    if len(named) > 1 or (named and None in models):
        listed = ", ".join([*named, *(["unnamed"] if None in models else [])][:4])
        raise SourceError(f"the log mixes the models {listed}, wanted one per run. Name the files or folder of one model.")
    if not named and settings.model is None:
        raise SourceError("the log does not name its model. Give it with --model.")
    return settings.model or named[0]


def _n_samples(tasks: Mapping[str, TaskSurvey], settings: ImportSettings) -> int:
    found = {name: max(bits.bit_length() for bits in task.samples.values()) for name, task in tasks.items()}
    if settings.samples is not None:
        return min(settings.samples, max(found.values()))
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{name} {n}" for name, n in list(found.items())[:4])
        raise SourceError(
            f"the tasks have different numbers of samples per question ({listed}), wanted the same in one run. Keep the first "
            f"N of each with --samples N, or import the tasks apart with --task."
        )
    return next(iter(found.values()))


def _budget(counts: _Counts, settings: ImportSettings, hides_thinking: str) -> Budget:
    thinks = counts.thinking or counts.sealed
    if settings.budget == "off" and thinks:
        raise ConfigError("--thinking-budget is off, but the log holds thinking; wanted unlimited or a number of tokens.")
    if settings.budget is not None:
        return settings.budget
    return "unlimited" if thinks or any(task.opened for task in counts.tasks.values()) or hides_thinking else "off"
