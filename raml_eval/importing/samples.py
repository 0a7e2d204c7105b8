"""The form into which every log is read: its samples one by one, and what the log says about their tasks."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from raml_eval.errors import SourceError
from raml_eval.tasks.rows import question_id
from raml_eval.types import Domain, Finish, GraderKind, Message

MOST_TOKENS = 1 << 53  # a larger number is no count: a float does not hold it exactly
SAMPLING = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What a log says about one task as a whole. sampling holds the fields of SAMPLING, max_tokens and seed, if known."""

    name: str
    version: str = ""
    sampling: Mapping[str, Any] = field(default_factory=dict)
    grader: GraderKind | None = None
    domain: Domain | None = None
    chance: float | None = None
    dataset: str = ""
    config: str | None = None
    split: str = ""


@dataclass(frozen=True, slots=True)
class ImportedSample:
    """One completion of a log. None, an empty text or Finish.UNKNOWN stands for what the log does not say.

    text is the completion as logged, including its thinking if the log keeps both in one piece; thinking is thinking that
    the log keeps apart. sealed is true if the model thought, but the log does not hold the thinking. targets are the golds
    as logged, options the texts of a choice in order. error says why the sample failed in the other harness; then there is
    no text. verdict is that harness's, by metric; if of_question is true, its numbers cover all samples of the question
    together.
    """

    task: TaskFacts
    question_id: str
    index: int
    messages: tuple[Message, ...]
    targets: tuple[str, ...]
    text: str
    model: str | None = None
    thinking: str | None = None
    sealed: bool = False
    options: tuple[str, ...] = ()
    cluster: str = ""
    synthetic: bool = False
    verdict: Mapping[str, float] = field(default_factory=dict)
    of_question: bool = False
    finish: Finish = Finish.UNKNOWN
    n_tokens: int | None = None
    n_thinking_tokens: int | None = None
    n_answer_tokens: int | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """An opened log. read returns its samples from the start, as often as it is called.

    version is the other harness's version, "" if the log does not say it. hides_thinking says why thinking is not in the
    texts, "" if nothing was taken out. restore is given if the log is an export of a run of ours: it writes the run directory
    itself, from the tasks that are chosen and under the name that is given, and nothing is graded. Raises SourceError for what
    cannot be used, and so do read and restore.
    """

    harness: str
    version: str
    files: tuple[Path, ...]
    read: Callable[[], Iterator[ImportedSample]]
    hides_thinking: str = ""
    restore: Callable[[Path, Collection[str], str | None], None] | None = None


def identify(label: int | str, content: Mapping[str, Any]) -> str:
    """The question id: the row's number, or the log's own name for it, and six hex digits of the content's SHA-256."""
    if isinstance(label, int):
        return question_id(label, content)
    digest = question_id(0, content).partition("-")[2]
    return f"{re.sub(r'[^A-Za-z0-9_.]+', '_', label)[:80] or 'row'}-{digest}"


def read_number(value: Any) -> float | None:
    """A finite number or a truth value as a float; None for anything else.

    Example: read_number(True) == 1.0
    """
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def read_count(value: Any) -> int | None:
    """A number of tokens; None if the value is not one."""
    number = read_number(value)
    return int(number) if number is not None and 0 <= number <= MOST_TOKENS and number == int(number) else None


def read_sampling(settings: Mapping[str, Any], max_tokens: str) -> dict[str, Any]:
    """The fields of SAMPLING, seed and max_tokens that the settings hold. max_tokens is the settings' own key for it."""
    known = {name: number for name in (*SAMPLING, "seed") if (number := read_number(settings.get(name))) is not None}
    limit = read_count(settings.get(max_tokens))
    return known | ({"max_tokens": limit} if limit is not None else {})


def as_texts(value: Any) -> tuple[str, ...]:
    """A text or number, or a list of them, as texts. A null is no text, and left out.

    Example: as_texts([1, None, "two"]) == ("1", "two")
    """
    items = value if isinstance(value, list | tuple) else (value,)
    return tuple(str(item) for item in items if item is not None)


def as_options(value: Any) -> tuple[str, ...]:
    """The options of a choice as texts. Raises SourceError for a null among them: without it, the letters would move.

    Example: as_options(["one", 2]) == ("one", "2")
    """
    if isinstance(value, list | tuple) and None in value:
        raise SourceError(f"the options {value!r:.80} hold a null, wanted texts. Correct the log, or leave the task out.")
    return as_texts(value)


def as_messages(prompt: Any) -> tuple[Message, ...]:
    """A prompt as a chat. A text becomes one user message; of a list of messages, roles and texts are kept.

    The keys are role and content, or OpenCompass's role and prompt.

    Example: as_messages("1+1?") == ({"role": "user", "content": "1+1?"},)
    """
    if not isinstance(prompt, list | tuple):
        return ({"role": "user", "content": _content(prompt)},)
    roles = {"HUMAN": "user", "BOT": "assistant", "SYSTEM": "system"}
    messages = []
    for entry in prompt:
        if isinstance(entry, Mapping):
            role = str(entry.get("role") or "user")
            messages.append({"role": roles.get(role, role), "content": _content(entry.get("content", entry.get("prompt")))})
        else:
            messages.append({"role": "user", "content": _content(entry)})
    return tuple(messages)


def _content(value: Any) -> str:
    """What a message says; nothing for a null, which must not become the word None."""
    return "" if value is None else str(value)


def check_sample(sample: ImportedSample) -> None:
    """Raises SourceError for a grader that is no text, and for a name that is no valid Unicode, which nothing could print."""
    task = sample.task
    for what, said in (("grader", task.grader), ("domain", task.domain)):
        if said is not None and not isinstance(said, str):
            raise SourceError(f"task {task.name!r:.80} has the {what} {said!r:.60}, wanted a text. Correct it in the log.")
    if task.domain is not None and task.domain not in get_args(Domain):
        raise SourceError(
            f"task {task.name!r:.80} has the domain {task.domain!r:.60}, wanted one of "
            f"{', '.join(get_args(Domain))}. Correct it in the log."
        )
    names = {"task": task.name, "model": sample.model, "version": task.version, "data set": task.dataset, "split": task.split}
    names |= {"configuration": task.config, "question": sample.question_id, "cluster": sample.cluster}
    for what, name in (*names.items(), *(("metric", metric) for metric in sample.verdict)):
        if name is not None and not isinstance(name, str):
            raise SourceError(f"the {what} of a sample of {task.name!r:.80} is {name!r:.60}, wanted a text. Correct the log.")
        if name is not None and not _is_unicode(name):
            raise SourceError(f"the {what} is called {name!r:.80}, which is no valid Unicode. Give it another name in the log.")


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
