"""What a task makes of one row: the messages that ask it, and the target. A null is refused, never written as a word.

The task is lm-eval's, and so are the rules for columns, templates and functions, with one exception: a target that a template
gives is its text. lm-eval reads one in brackets as a Python list, of which [5] leaves 5.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from raml_eval.errors import TaskError, near_names
from raml_eval.tasks.docs import LETTERS
from raml_eval.tasks.rows import Row
from raml_eval.types import Message

_NULL = re.compile(r"\b(?:None|nan|NaN)\b")
_SHOWN = 80
_MOST_MARKS = 6  # between a letter and its option, as in "**A)** "


class Unusable(Exception):
    """A row that gives no prompt, or no target that an answer could match. The text is a sentence about the row."""


def check_columns(task: Any, name: str) -> None:
    """Raises TaskError if doc_to_text or doc_to_target is a text that names no column and is no template.

    lm-eval takes such a text for every question's prompt or target, so that a misspelled column becomes the target.
    """
    for field in ("doc_to_text", "doc_to_target"):
        text = getattr(task.config, field)
        if isinstance(text, str) and text not in task.features and "{{" not in text and "{%" not in text:
            columns = sorted(set(task.features))
            raise TaskError(
                f"task {name}: {field} is {text[:_SHOWN]!r}, which is neither a column nor a template, so every question would "
                f"have it.{near_names(text, columns)} The columns are {', '.join(columns)}; a template is {{{{question}}}}."
            )


def render_messages(task: Any, doc: Row) -> tuple[Message, ...]:
    """The chat as lm-eval renders it, before any chat template. Unusable if it ends empty or writes a null as a word."""
    text = _without_null(lambda row: task.doc_to_text(row), doc, "doc_to_text")
    if not isinstance(text, str):
        raise Unusable(f"doc_to_text gives {text!r:.{_SHOWN}}; wanted a text.")
    messages = task.fewshot_context(
        doc,
        num_fewshot=task.config.num_fewshot or 0,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        chat_template=lambda messages, add_generation_prompt=True: messages,  # so that the templating is left to us
    )
    question = str(messages[-1]["content"])
    if not question.strip():
        raise Unusable("doc_to_text gives an empty prompt.")
    if any(message["role"] == "user" and str(message["content"]).strip() == question.strip() for message in messages[:-1]):
        raise Unusable("its own question is among its examples, so the prompt holds the answer. Name another fewshot_split.")
    return tuple(dict(message) for message in messages)


def read_options(source: str | Sequence[Any], doc: Row) -> tuple[str, ...]:
    """The texts of the options: from the column of that name, or the same list for every question. Unusable for none."""
    found = doc.get(source) if isinstance(source, str) else source
    if not isinstance(found, (list, tuple)) or not found:
        raise Unusable(f"there is no list of options in {source!r}; metadata.raml.options must name its column.")
    if None in found:
        raise Unusable(f"the options {found!r:.{_SHOWN}} hold a null; wanted a text for each.")
    return tuple(str(option) for option in found)


def check_options(grader: str, options: Sequence[str], prompt: str) -> None:
    """Unusable if the prompt does not show each option behind its letter (choice), or each label (label).

    A model that does not see what the letters stand for guesses, and its score looks like that of a weak model.
    """
    prompt = " ".join(prompt.split())
    for letter, option in zip(LETTERS, options, strict=False):
        text = " ".join(option.split())
        if grader == "choice" and not _follows(prompt, letter, text):
            raise Unusable(
                f"the prompt does not show the option {letter} as {f'({letter}) {text}'[:_SHOWN]!r} or its like, so no model "
                "can know what the letter stands for. List the options in doc_to_text (as raml_eval.tasks.docs.choice_prompt)."
            )
        if grader == "label" and text.lower() not in prompt.lower():
            raise Unusable(
                f"the prompt does not name the label {text!r}, so no model can know that it is one. Name all labels in "
                "doc_to_text."
            )


def _follows(prompt: str, letter: str, option: str) -> bool:
    """Whether the option stands somewhere right behind its letter, with nothing but marks and a space between them."""
    at = prompt.find(option)
    while at >= 0:
        if re.search(rf"(?<!\w){letter}\W{{1,{_MOST_MARKS}}}$", prompt[max(0, at - _MOST_MARKS - 2) : at], re.IGNORECASE):
            return True
        at = prompt.find(option, at + 1)
    return False


def read_target(task: Any, doc: Row, shown_only: bool = False) -> str:
    """The one text or number that doc_to_target gives, as text. Unusable for several, for none, and for a null.

    shown_only: a rule decides what is right, so the target is for people, and may be any number of texts, or none.
    """
    if shown_only:
        target = task.doc_to_target(doc)
        texts = target if isinstance(target, list | tuple) else (target,)
        return " | ".join(str(text) for text in texts if text is not None)
    target = _without_null(lambda row: _target_of(task, row), doc, "doc_to_target")
    if isinstance(target, list) and len(target) == 1:
        target = target[0]
    if isinstance(target, list):
        raise Unusable(f"doc_to_target gives {len(target)} targets, wanted one per question.")
    if not isinstance(target, str | int | float) or (isinstance(target, float) and math.isnan(target)):
        kind = "no value" if target is None else f"a {type(target).__name__}"
        raise Unusable(f"doc_to_target gives {kind} ({target!r:.{_SHOWN}}); wanted a text or a number.")
    if not str(target).strip():
        raise Unusable("doc_to_target gives no target.")
    return str(target)


def _target_of(task: Any, doc: Row) -> Any:
    from lm_eval.utils import apply_template

    template = task.config.doc_to_target
    if isinstance(template, str) and template not in task.features:
        target: Any = apply_template(template, doc)
        if task.config.doc_to_choice is not None and target.isdigit():
            target = int(target)
    else:
        target = task.doc_to_target(doc)
    if isinstance(target, int) and task.config.doc_to_choice is not None:
        target = task.doc_to_choice(doc)[target]
    return target


def _without_null(render: Callable[[Row], Any], doc: Row, field: str) -> Any:
    """What render makes of the row. Unusable if it writes a null of the row as a word.

    To tell such a word from one that belongs to the text, the row is rendered again with empty texts for its nulls: then
    nothing but some of these words is gone.
    """
    value = render(doc)
    nulls = [column for column, content in doc.items() if _holds_null(content)]
    if not nulls or not isinstance(value, str) or _NULL.search(value) is None:
        return value
    filled: Mapping[str, Any] = {**doc, **{column: _fill(doc[column]) for column in nulls}}
    try:
        other = render(filled)
    except Exception:  # the row's own functions may need the null
        return value
    without = "(?:None|nan|NaN)?".join(map(re.escape, _NULL.split(value)))
    if isinstance(other, str) and other != value and re.fullmatch(without, other):
        printed = ", ".join(repr(column) for column in nulls)
        raise Unusable(f"{field} writes a null as a word, in {value[-_SHOWN:]!r}; the row has none in {printed}.")
    return value


def _holds_null(content: Any) -> bool:
    """True for a null, for a number that is none, and for a list or record with one at any depth."""
    if isinstance(content, Mapping | list | tuple):
        return any(map(_holds_null, content.values() if isinstance(content, Mapping) else content))
    return content is None or (isinstance(content, float) and math.isnan(content))


def _fill(content: Any) -> Any:
    """The content with empty texts for its nulls."""
    if isinstance(content, Mapping):
        return {key: _fill(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return type(content)(map(_fill, content))
    return "" if _holds_null(content) else content
