"""Everything a run needs before its engine: tokenizer, thinking format, questions, prompt ids, budget policy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from raml_eval import prompts
from raml_eval.checkpoint import Checkpoint, find_checkpoint
from raml_eval.config import RunConfig
from raml_eval.errors import ConfigError
from raml_eval.plan import select_questions
from raml_eval.tasks.catalogue import Catalogue
from raml_eval.tasks.load import load_task
from raml_eval.thinking import ThinkingPolicy
from raml_eval.thinking_formats import ThinkingFormat, format_by_name
from raml_eval.types import Budget, LoadedTask, Prompts, Question, QuestionKey, TokenIds


@dataclass(frozen=True, slots=True)
class Model:
    """A checkpoint's tokenizer and what the harness must know of its tokens."""

    checkpoint: Checkpoint
    digest: str
    tokenizer: Any
    format: ThinkingFormat
    end_of_text_ids: TokenIds
    system_prompt: str | None

    def render(self, question: Question, budgets: Sequence[Budget]) -> Prompts:
        """The question's prompt ids for each way of asking that the budgets need."""
        on, off = any(b != "off" for b in budgets), "off" in budgets

        def ids(thinking: bool) -> TokenIds:
            return prompts.render_prompt(self.tokenizer, self.format, question.messages, thinking, self.system_prompt)

        return Prompts(ids(True) if on else None, ids(False) if off else None)


def load_model(config: RunConfig) -> Model:
    """The tokenizer, its thinking format and its end-of-text ids. Raises ModelError where the checkpoint cannot be used."""
    checkpoint = find_checkpoint(config.model, config.revision)
    tokenizer = prompts.load_tokenizer(checkpoint)
    named = config.thinking.format
    return Model(
        checkpoint=checkpoint,
        digest=checkpoint.digest(),
        tokenizer=tokenizer,
        format=format_by_name(named) if named else prompts.detect_format(tokenizer, checkpoint.source),
        end_of_text_ids=prompts.end_of_text_ids(tokenizer, checkpoint),
        system_prompt=config.system_prompt,
    )


def load_tasks(catalogue: Catalogue, names: Sequence[str]) -> dict[str, LoadedTask]:
    """Each task with all its questions, in the order of the names."""
    return {name: load_task(catalogue, name) for name in names}


def select(tasks: Mapping[str, LoadedTask], limit: int | None, model: Model) -> dict[QuestionKey, Question]:
    """The questions that the run asks, by task and id, in the order of the tasks.

    Under a chat template a task's stop strings that are nothing but line breaks are dropped: they end a completion of plain
    text, and would end a chat's answer after its first paragraph.
    """
    chosen: dict[QuestionKey, Question] = {}
    for name, task in tasks.items():
        for question in select_questions(task.questions, limit):
            stop = tuple(word for word in question.stop if word.strip("\r\n") or not model.tokenizer.chat_template)
            chosen[name, question.id] = replace(question, stop=stop) if stop != question.stop else question
    return chosen


def stop_notes(tasks: Mapping[str, LoadedTask], questions: Mapping[QuestionKey, Question]) -> list[str]:
    """A line for each task whose stop strings were changed, for the person who runs it."""
    kept = {task: question.stop for (task, _), question in questions.items()}
    return [
        f"{name}: stop strings {sorted(set(task.questions[0].stop) - set(kept[name]))!r} are dropped under a chat template"
        for name, task in tasks.items()
        if task.questions and name in kept and task.questions[0].stop != kept[name]
    ]


def build_policy(config: RunConfig, model: Model, context: int) -> ThinkingPolicy:
    """The run's thinking policy on this model's token ids."""
    return ThinkingPolicy(
        closer=model.format.closer,
        closer_ids=prompts.closer_ids(model.tokenizer, model.format),
        closing_ids=prompts.closing_ids(model.tokenizer, model.format, config.thinking.closing_text),
        end_of_text_ids=model.end_of_text_ids,
        answer_tokens=config.answer_tokens,
        max_total_tokens=config.max_total_tokens,
        context=context,
    )


def check_budgets(policy: ThinkingPolicy, budgets: Sequence[Budget], rendered: Mapping[QuestionKey, Prompts]) -> None:
    """Every prompt fits with every budget into the context. Raises ConfigError that names the longest prompt's question."""
    for way in ("thinking", "off"):
        lengths = {key: len(ids) for key, p in rendered.items() if (ids := getattr(p, way)) is not None}
        if not lengths:
            continue
        (task, question_id), longest = max(lengths.items(), key=lambda item: item[1])
        try:
            if way == "off":
                policy.check_answer_only(longest)
            else:
                for budget in budgets:
                    if budget != "off":
                        policy.thinking_limit(budget, longest)
        except ConfigError as error:
            raise ConfigError(f"{task}/{question_id}: {error}") from None
