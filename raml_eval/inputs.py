"""Everything that a run loads before its engine: the tokenizer, the questions, and the prompt ids of each question."""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any

from raml_eval import prompts
from raml_eval.budgets import OFF, prompt_of
from raml_eval.checkpoint import Checkpoint, find_checkpoint
from raml_eval.config import RunConfig
from raml_eval.errors import ConfigError, ModelError, TaskError
from raml_eval.fingerprint import Fingerprint
from raml_eval.golds import check_golds
from raml_eval.manifest import build_protocol
from raml_eval.plan import Plan, select_questions
from raml_eval.protocols import ChatTokenizer
from raml_eval.shards import Shard
from raml_eval.tasks.catalogue import Catalogue
from raml_eval.tasks.load import load_task
from raml_eval.thinking import ThinkingPolicy
from raml_eval.thinking_formats import ThinkingFormat, find_closing, find_format, is_mark, known_formats
from raml_eval.types import Budget, LoadedTask, Prompts, Question, QuestionKey, Suite, TokenIds
from raml_eval.window import Window
from raml_eval.wording import one_line

# What no prose holds: a token of a chat template, or capitals in square brackets.
_STOP_MARK = re.compile(r"<[^<>\s]+>|\[/?[A-Z][A-Z_]+\]|(<\|[^<>|\s]+\|>\w*)+")
# Delimiters of models for which no format ships; an answer that holds one was thought, too.
_OTHER_MARKS = ("<thinking>", "</thinking>", "<Thought>", "</Thought>")


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint's tokenizer, and what the harness must know about its tokens and prompts.

    uncertain is true if nothing spoke for or against thinking. end_of_turn maps each id that ends the model's turn to the
    places that say so. record is what checkpoint.yaml says about the checkpoint.
    """

    checkpoint: Checkpoint
    take_fingerprint: Callable[[], Fingerprint]
    tokenizer: ChatTokenizer
    format: ThinkingFormat
    uncertain: bool
    end_of_turn: Mapping[int, Sequence[str]]
    settings: prompts.PromptSettings
    record: Mapping[str, Any]

    @property
    def fingerprint(self) -> Fingerprint:
        """Taken when it is first asked for: a preview of the prompts need not read the weights."""
        return self.take_fingerprint()

    @property
    def digest(self) -> str:
        return self.fingerprint.digest

    @property
    def end_of_text_ids(self) -> TokenIds:
        return tuple(self.end_of_turn)

    def choose_budgets(self, asked: Sequence[Budget]) -> tuple[Budget, ...]:
        """The budgets that the run draws. A model that does not think has no budget but off, which unlimited then means.

        Raises ModelError for any other budget of such a model, and for a hint that the format does not know.
        """
        for budget in asked:
            self._check_hint(budget)
        finite = [budget for budget in asked if budget not in ("unlimited", OFF)]
        if self.format.thinks:
            return tuple(asked)
        if finite:
            known = [fmt.name for fmt in known_formats().values() if fmt.by_name_only]
            why = "shows no sign of thinking" if self.uncertain else "does not think, as format none says"
            raise ModelError(
                f"a thinking budget of {finite[0]} is asked for, but {self.checkpoint.source} {why}. If it does think, "
                f"name its format with --thinking-format: one of `raml-eval formats list` (some, such as "
                f"{' and '.join(known)}, are never shown by a template), or a YAML file of your own. If it does not, ask for "
                f"the budget off."
            )
        return (OFF,)

    def _check_hint(self, budget: Budget) -> None:
        kind, _, value = budget.partition(":") if isinstance(budget, str) else ("", "", "")
        if kind == "effort":
            _check_effort(self.format, value, f"budget {budget}")
        off = self.format.off_mode.variables
        if kind == "hint" and self.format.hint_variable and off.get(self.format.hint_variable) == int(value):
            raise ModelError(f"budget {budget} turns thinking off in format {self.format.name}. Ask for off, or for 0.")
        if kind == "hint" and not self.format.hint_variable:
            raise ModelError(
                f"budget {budget} is asked for, but the templates of format {self.format.name} take no number of thinking "
                f"tokens. Ask for the number alone, which the harness enforces."
            )

    def render(self, question: Question, budgets: Sequence[Budget]) -> Prompts:
        """The question's prompt ids for every prompt that a budget needs."""
        needed = dict.fromkeys(prompt_of(budget) for budget in budgets)
        return {prompt: self._ids(question, prompt) for prompt in needed}

    def _ids(self, question: Question, prompt: str) -> TokenIds:
        kind, _, value = prompt.partition(":")
        hint: dict[str, Any] = {}
        if kind == "effort":
            hint = {self.format.effort.variable: value}
        elif kind == "hint":
            hint = {self.format.hint_variable: int(value)}
        return prompts.render_prompt(self.tokenizer, self.format, question.messages, prompt != OFF, self.settings, hint)


@dataclass(frozen=True, slots=True)
class Inputs:
    """The questions that a run draws samples for, and the model that renders them.

    questions holds the planned questions by (task, id), in the order of the tasks. protocol holds everything that must match
    for a resume, except the engine, which is not open yet. suites holds the suites that were asked for by name.
    """

    model: Model
    tasks: Mapping[str, LoadedTask]
    questions: Mapping[QuestionKey, Question]
    prompts: Mapping[QuestionKey, Prompts]
    protocol: Mapping[str, Any]
    suites: Mapping[str, Suite]


def load_inputs(config: RunConfig, model: Model, catalogue: Catalogue, plan: Plan) -> Inputs:
    """Every planned question as prompt ids. Notes on stderr say what is done in another way than a task states.

    Raises TaskError if a task or its data cannot be used, ModelError if the chat template cannot ask a question.
    """
    window = Window(config.after, config.before)
    tasks = load_tasks(catalogue, plan.tasks, window)
    questions = choose_questions(tasks, plan.limit, model, plan.shard)
    check_golds(questions.values())
    tasks = {name: with_overrides(task, questions) for name, task in tasks.items()}
    for name, task in tasks.items():
        for override in task.description.overrides:
            print(one_line(f"note: {name}: {override}"), file=sys.stderr)
    rendered = {key: model.render(question, plan.budgets) for key, question in questions.items()}
    protocol = build_protocol(
        config,
        tasks,
        checkpoint_digest=model.digest,
        template_digest=prompts.chat_template_digest(model.tokenizer),
        prompt={
            "format": model.format.protocol(),
            "system_prompt": model.settings.system_prompt,
            "plain": model.settings.plain,
            "date": model.settings.date.isoformat() if model.settings.date else None,
            "effort": config.thinking.effort,
        },
        closing=asdict(find_closing(model.format, config.thinking.closing, config.thinking.closing_text)),
        end_of_turn=model.end_of_turn,
    )
    return Inputs(model, tasks, questions, rendered, protocol, catalogue.suites_among(config.tasks))


def load_tasks(catalogue: Catalogue, names: Sequence[str], window: Window) -> dict[str, LoadedTask]:
    """The tasks by name, with those of their questions that lie in the window.

    Raises TaskError for one that cannot be loaded. If the rows come from a folder, all that cannot be are named: to look there
    takes no time, while a hub that is out of reach takes seconds for each.
    """
    loaded: dict[str, LoadedTask] = {}
    failed: dict[str, TaskError] = {}
    for name in names:
        try:
            loaded[name] = keep_dates(load_task(catalogue, name), window)
        except TaskError as error:
            if catalogue.data_dir is None:
                raise
            failed[name] = error
    if failed:
        first, *others = failed
        more = f" Nor can these be loaded: {', '.join(others)}." if others else ""
        told = str(failed[first]).rstrip(".")
        raise TaskError(f"{told}.{more}") from failed[first]
    return loaded


def load_model(config: RunConfig, stored_date: str | None = None) -> Model:
    """The tokenizer, its thinking format and the ids that end a turn. Raises ModelError if the checkpoint cannot be used.

    stored_date is the date that the run's prompts have so far, if there is one.
    """
    checkpoint = find_checkpoint(config.model, config.revision, config.adapter)
    record = checkpoint.read_record()
    tokenizer = prompts.load_tokenizer(checkpoint)
    plain = config.prompt == "plain"
    if not plain:
        prompts.check_template(tokenizer, checkpoint.source)
    detection = _find_format(config, tokenizer, checkpoint.source)
    fmt = detection.format
    if config.thinking.effort is not None:
        _check_effort(fmt, config.thinking.effort, f"effort {config.thinking.effort}")
    return Model(
        checkpoint=checkpoint,
        take_fingerprint=cache(checkpoint.fingerprint),
        tokenizer=tokenizer,
        format=fmt,
        uncertain=detection.uncertain,
        end_of_turn=prompts.end_of_turn(tokenizer, checkpoint, fmt),
        settings=prompts.PromptSettings(
            system_prompt=config.system_prompt,
            date=_prompt_date(config, tokenizer, stored_date),
            variables={fmt.effort.variable: config.thinking.effort} if config.thinking.effort else {},
            plain=plain,
            asked_for=detection.asked_for,
            starts=detection.starts,
        ),
        record=record,
    )


def _check_effort(fmt: ThinkingFormat, effort: str, asked: str) -> None:
    """Raises ModelError if the format does not take the effort; asked says how it was asked for."""
    known = ", ".join(fmt.effort.values)
    if effort not in fmt.effort.values:
        takes = f"takes {known}. Ask for one of these" if known else "takes no effort. Leave it out"
        raise ModelError(f"{asked} is asked for, but format {fmt.name} {takes}.")


def _find_format(config: RunConfig, tokenizer: ChatTokenizer, source: str) -> prompts.Detection:
    """The thinking format that is named, if the template does not contradict it; otherwise the one that is detected."""
    named = config.thinking.format
    if named is not None:
        fmt = find_format(named)
        return prompts.check_format(fmt, tokenizer, source) if config.prompt == "chat" else prompts.Detection(fmt, ())
    if config.prompt == "plain":
        return prompts.Detection(find_format("none"), ("questions are asked as plain text",), uncertain=True)
    detection = prompts.detect_format(tokenizer, source)
    if not detection.format.thinks:
        sure = "never opens thinking" if not detection.uncertain else "shows no sign of thinking"
        print(
            f"note: {one_line(source)} {sure}, so all that it writes is its answer, and a budget of unlimited is drawn as off. "
            f"If it thinks, name its format with --thinking-format.",
            file=sys.stderr,
        )
    return detection


def _prompt_date(config: RunConfig, tokenizer: ChatTokenizer, stored: str | None) -> datetime.date | None:
    """The date that the prompts have: the one asked for, the run's own from before, or today's; None if none is printed."""
    if config.prompt_date is not None or config.prompt == "plain" or not prompts.prints_date(tokenizer):
        return config.prompt_date
    return datetime.date.fromisoformat(stored) if stored else datetime.datetime.now(datetime.UTC).date()


def keep_dates(task: LoadedTask, window: Window) -> LoadedTask:
    """The task with those of its questions whose date lies in the window. TaskError if they have none, or if none does."""
    if not window:
        return task
    name = task.description.name
    undated = sum(not question.date for question in task.questions)
    if undated:
        raise TaskError(
            f"task {name}: the questions {window} are asked for, but {undated} of its {len(task.questions)} questions have no "
            "date. Leave the task out, or give it a metadata.raml.date."
        )
    kept = tuple(question for question in task.questions if window.holds(question.date))
    if not kept:
        dates = sorted({question.date for question in task.questions})
        raise TaskError(f"task {name} has no question {window}; its dates are {dates[0]} to {dates[-1]}. Leave the task out.")
    return replace(task, questions=kept)


def choose_questions(
    tasks: Mapping[str, LoadedTask], limit: int | None, model: Model, shard: Shard | None = None
) -> dict[QuestionKey, Question]:
    """The questions that the run asks, by task and id, in the order of the tasks.

    Under a chat template, only a task's stop strings that are marks are kept (is_stop_mark).
    """
    chosen: dict[QuestionKey, Question] = {}
    for name, task in tasks.items():
        for question in select_questions(task.questions, limit, shard):
            stop = tuple(word for word in question.stop if model.settings.plain or is_stop_mark(word))
            chosen[name, question.id] = replace(question, stop=stop) if stop != question.stop else question
    return chosen


def is_stop_mark(word: str) -> bool:
    """Whether a stop string is a mark that no prose holds, such as </s>, <|im_end|> or [DONE].

    All others (line breaks, a full stop, Q, Question:) end the one more example that a completion of plain text would begin. A
    chat model ends its turn by itself, and its answer may hold any of them in its first sentence.

    Example: is_stop_mark("<|im_end|>") and not is_stop_mark("Q:")
    """
    return _STOP_MARK.fullmatch(word.strip()) is not None


def with_overrides(task: LoadedTask, questions: Mapping[QuestionKey, Question]) -> LoadedTask:
    """The task whose description says, too, which of its stop strings the planned questions do without."""
    note = stop_note(task, questions)
    described = replace(task.description, overrides=(*task.description.overrides, *([note] if note else ())))
    return replace(task, description=described)


def stop_note(task: LoadedTask, questions: Mapping[QuestionKey, Question]) -> str:
    """Which of the task's stop strings are dropped and which are kept; empty if none is dropped."""
    name = task.description.name
    kept = next((question.stop for (of, _), question in questions.items() if of == name), None)
    stated = task.questions[0].stop if task.questions else ()
    if kept is None or kept == stated:
        return ""
    dropped = ", ".join(repr(word) for word in stated if word not in kept)
    left = f"; {', '.join(map(repr, kept))} still end it" if kept else ""
    return f"the stop strings {dropped} are dropped under a chat template, where they would cut an answer short{left}"


def build_policy(config: RunConfig, model: Model, context: int) -> ThinkingPolicy:
    """The run's thinking policy in this model's token ids. context is the engine's longest sequence in tokens."""
    section, fmt, tokenizer = config.thinking, model.format, model.tokenizer
    closing = find_closing(fmt, section.closing, section.closing_text)
    closer_ids = prompts.closer_ids(tokenizer, fmt)
    extends = bool(section.min_tokens or section.extensions)
    return ThinkingPolicy(
        closer=fmt.closer,
        closer_ids=closer_ids,
        closing_ids=prompts.closing_ids(tokenizer, fmt, closing),
        answer_prefix=closing.after,
        answer_openers=answer_openers(),
        end_of_text_ids=model.end_of_text_ids,
        answer_tokens=config.answer_tokens,
        max_total_tokens=config.max_total_tokens,
        context=context,
        grace=section.grace if section.cut == "newline" else 0,
        ends_line=cache(lambda one: "\n" in tokenizer.decode([one], skip_special_tokens=False)),
        min_tokens=section.min_tokens,
        n_extensions=section.extensions,
        continuation_ids=prompts.continuation_ids(tokenizer, section.continuation) if extends else (),
        resumes="" if model.settings.plain else prompts.resumed_turn(tokenizer, fmt),
        own_ids=frozenset(closer_ids) & frozenset(tokenizer.get_added_vocab().values()),
        marks=thinking_marks(fmt),
    )


def answer_openers() -> tuple[str, ...]:
    """The texts with which the models of any format open their answers, the longest first."""
    texts = {fmt.answer_opener.strip() for fmt in known_formats().values()}
    return tuple(sorted((text for text in texts if is_mark(text)), key=len, reverse=True))


def thinking_marks(fmt: ThinkingFormat) -> tuple[str, ...]:
    """The texts that show thinking in an answer: the format's own delimiters, or every known one if it has none."""
    if fmt.thinks:
        return fmt.opener, fmt.closer
    known = (mark for other in known_formats().values() for mark in (other.opener, other.closer))
    return tuple(dict.fromkeys((*(mark for mark in known if is_mark(mark)), *_OTHER_MARKS)))


def check_budgets(policy: ThinkingPolicy, budgets: Sequence[Budget], rendered: Mapping[QuestionKey, Prompts]) -> None:
    """Raises ConfigError, naming the question with the longest prompt, if a prompt and a budget do not fit into the context."""
    for budget in budgets:
        lengths = {key: len(prompt[prompt_of(budget)]) for key, prompt in rendered.items()}
        if not lengths:
            continue
        (task, question_id), longest = max(lengths.items(), key=lambda item: item[1])
        try:
            if budget == OFF:
                policy.check_answer_only(longest)
            else:
                policy.thinking_limit(budget, longest)
        except ConfigError as error:
            raise ConfigError(f"{task}/{question_id}: {error}") from None
