"""Tells thinking and answer apart in a completion's text, by the delimiters of the known model families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from raml_eval.thinking_formats import is_mark, known_formats
from raml_eval.types import Message


@cache
def delimiters() -> tuple[tuple[str, str], ...]:
    """Pairs such as ("<think>", "</think>"), each once; no pairs of ordinary words, which an answer may hold."""
    pairs = ((form.opener, form.closer) for form in known_formats().values() if form.thinks)
    return tuple(dict.fromkeys(pair for pair in pairs if is_mark(pair[0])))


@dataclass(frozen=True, slots=True)
class Parts:
    """A completion in two parts. thinking is None if there is none. closed is False if it never ended; then there is no answer.

    written is true if the completion itself opens the thinking; a chat template may have opened it instead.
    """

    thinking: str | None
    answer: str
    closed: bool = True
    written: bool = False
    leak: bool = False  # the answer contains another end delimiter


def split_thinking(text: str, opened: bool) -> Parts:
    """The parts of a completion. If opened is true, the prompt opened the thinking, so without an end all of it is thinking.

    Example: split_thinking("2 + 2</think>4", opened=True).answer == "4"
    """
    start = text.lstrip()
    for mark, closer in delimiters():
        if start.startswith(mark):
            thinking, end, answer = start[len(mark) :].removeprefix("\n").partition(closer)
            return Parts(thinking, answer, bool(end), written=True, leak=closer in answer)
    for _, closer in delimiters():
        thinking, end, answer = text.partition(closer)
        if end:
            return Parts(thinking, answer, leak=closer in answer)
    return Parts(text, "", closed=False) if opened else Parts(None, text)


def join_parts(thinking: str, answer: str) -> Parts:
    """The parts of a completion whose log keeps them apart. A thinking without an answer after it never ended."""
    return Parts(thinking, answer, closed=bool(answer.strip()), written=True)


def keep_whole(text: str) -> Parts:
    """The parts of a completion whose prompt has ended the thinking: all of it is the answer."""
    return Parts(None, text, leak=any(closer in text for _, closer in delimiters()))


def prompt_leaves(messages: Sequence[Message]) -> bool | None:
    """True if the prompt, as a chat template renders it, leaves the thinking open, False if it ends it, None for neither."""
    end = messages[-1]["content"].rstrip() if messages else ""
    if any(end.endswith(mark) for mark, _ in delimiters()):
        return True
    return False if any(end.endswith(closer) for _, closer in delimiters()) else None
