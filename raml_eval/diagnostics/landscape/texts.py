"""The gold answers whose loss a landscape shows, after each question's prompt and as much of a thinking as is asked for."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from raml_eval.budgets import OFF
from raml_eval.diagnostics.landscape.choices import Choices
from raml_eval.diagnostics.model import RunModel
from raml_eval.diagnostics.subjects import gold_of, subjects_of
from raml_eval.errors import ConfigError, choose_names, near_names
from raml_eval.prompts.rendering import continuation_ids
from raml_eval.protocols import Scored
from raml_eval.store.seeking import RunReader
from raml_eval.types import QuestionKey, TokenIds
from raml_eval.wording import count_noun, list_some

_NAMED_TASKS = 8


@dataclass(frozen=True, slots=True)
class Text:
    """One question's gold answer after its prompt. thinking_ids is empty if nothing was thought.

    after_ids is what stands between the thinking and the answer: the end that a forced close writes, and the words that lead
    to the answer. thinking names the trajectory, and correct is its verdict.
    """

    name: str
    prompt_ids: TokenIds
    thinking_ids: TokenIds
    after_ids: TokenIds
    answer_ids: TokenIds
    thinking: str | None = None
    correct: bool | None = None

    @property
    def task(self) -> str:
        return self.name.partition("/")[0]

    def kept(self, share: float) -> int:
        """The tokens of that share of the thinking, to the nearest whole one."""
        return round(share * len(self.thinking_ids))

    def at(self, share: float) -> Scored:
        """The answer after the first share of the thinking."""
        kept = self.thinking_ids[: self.kept(share)]
        return Scored((*self.prompt_ids, *kept, *self.after_ids, *self.answer_ids), len(self.answer_ids))


def choose_texts(run: RunReader, loaded: RunModel, choices: Choices, skipped: Counter[str]) -> list[Text]:
    """The texts of the named questions (task/id, or an id), or of the first n_questions that have a gold answer.

    The first are taken from the tasks in turn, so that they spread over all of them. The texts are in the order of the run. Of
    a question's thinkings, the first that a correct sample reads is taken, or the first of all. skipped counts, by reason, the
    questions left out. Raises ConfigError if a task or a named question is not there, if it has no gold, or if nothing is left.
    """
    found: dict[QuestionKey, Text] = {}
    wanted, n_questions = choices.questions, choices.n_questions
    tasks = choose_names("task", choices.tasks, run.manifest["tasks"])
    for key in _find(run, wanted) if wanted else _in_turn(run.questions, tasks):
        text = _text_of(run, loaded, key)
        if isinstance(text, Text):
            found[key] = text
        elif wanted:
            raise ConfigError(f"question {key[0]}/{key[1]} cannot be used: {text}. Leave it out.")
        else:
            skipped[text] += 1
        if not wanted and len(found) == n_questions:
            break
    if not found:
        why = "; ".join(f"{reason}: {n}" for reason, n in skipped.items()) or "it has none"
        raise ConfigError(f"no question of {run.directory} can be used ({why}). Diagnose a run of a task with text answers.")
    return [found[key] for key in (found if wanted else run.questions) if key in found]


def _in_turn(questions: Iterable[QuestionKey], tasks: Sequence[str]) -> Iterator[QuestionKey]:
    """The questions of the tasks: the first of each, then the second of each, and so on."""
    by_task: dict[str, list[QuestionKey]] = {task: [] for task in tasks}
    for key in questions:
        if key[0] in by_task:
            by_task[key[0]].append(key)
    for row in itertools.zip_longest(*by_task.values()):
        yield from (key for key in row if key is not None)


def tell_tasks(texts: Sequence[Text]) -> str:
    """How many questions of which tasks.

    For example: 3 questions, 2 of sums, 1 of logic
    """
    counts = Counter(text.task for text in texts)
    of = f" of {next(iter(counts))}" if len(counts) == 1 else ""
    each = [] if of else [list_some([f"{n:,} of {task}" for task, n in counts.items()], _NAMED_TASKS)]
    return ", ".join([f"{count_noun(len(texts), 'question')}{of}", *each])


def _find(run: RunReader, wanted: Sequence[str]) -> Iterable[QuestionKey]:
    by_name = {name: key for key in run.questions for name in (f"{key[0]}/{key[1]}", key[1])}
    for name in wanted:
        if name not in by_name:
            raise ConfigError(
                f"{run.directory} has no question {name!r}.{near_names(name, by_name)} Name one as `raml-eval show` does."
            )
    return dict.fromkeys(by_name[name] for name in wanted)


def _text_of(run: RunReader, loaded: RunModel, key: QuestionKey) -> Text | str:
    """The question's text, or the reason why it has none."""
    question = run.questions[key]
    gold = gold_of(question)
    if isinstance(gold, str):
        return gold
    subjects = [one for one in subjects_of(run, key, question, Counter()) if one.trajectory.prompt in loaded.prompts[key]]
    chosen = next((one for one in subjects if one.correct), next(iter(subjects), None))
    prompt = chosen.trajectory.prompt if chosen else next(iter(loaded.prompts[key]))
    closing = () if prompt == OFF else loaded.policy(0).closing_ids
    lead_ids, answer_ids = (continuation_ids(loaded.model.tokenizer, text) for text in (gold.lead, gold.text))
    return Text(
        name=f"{key[0]}/{key[1]}",
        prompt_ids=loaded.prompts[key][prompt],
        thinking_ids=chosen.trajectory.token_ids if chosen else (),
        after_ids=(*closing, *lead_ids),
        answer_ids=answer_ids,
        thinking=chosen.trajectory.id if chosen else None,
        correct=chosen.correct if chosen else None,
    )


def digest_of(texts: Sequence[Text]) -> str:
    """16 hex digits of the SHA-256 of the texts' token ids."""
    told = [(one.prompt_ids, one.thinking_ids, one.after_ids, one.answer_ids) for one in texts]
    return hashlib.sha256(repr(told).encode()).hexdigest()[:16]
