"""Thinking and answer in a completion's text, told apart by the delimiters of the known model families."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raml_eval.thinking_formats import FORMATS
from raml_eval.types import Message

# ("<think>", "</think>") and its kin, each once
DELIMITERS = tuple(dict.fromkeys((form.mark, form.closer) for form in FORMATS.values() if form.thinks))


@dataclass(frozen=True, slots=True)
class Parts:
    """A completion in two parts. thinking is None if there is none. closed is False if it never ended; then there is no answer.

    written says that the completion itself opens the thinking, which a chat template may do in its place.
    """

    thinking: str | None
    answer: str
    closed: bool = True
    written: bool = False
    leak: bool = False  # the answer writes an end delimiter again


def split_thinking(text: str, opened: bool) -> Parts:
    """The parts of a completion. opened: the prompt has opened the thinking, so without an end all of it is thinking."""
    start = text.lstrip()
    for mark, closer in DELIMITERS:
        if start.startswith(mark):
            thinking, end, answer = start[len(mark) :].removeprefix("\n").partition(closer)
            return Parts(thinking, answer, bool(end), written=True, leak=closer in answer)
    for _, closer in DELIMITERS:
        thinking, end, answer = text.partition(closer)
        if end:
            return Parts(thinking, answer, leak=closer in answer)
    return Parts(text, "", closed=False) if opened else Parts(None, text)


def join_parts(thinking: str, answer: str) -> Parts:
    """The parts of a completion whose log keeps them apart. Nothing after a thinking means that it never ended."""
    return Parts(thinking, answer, closed=bool(answer.strip()), written=True)


def keep_whole(text: str) -> Parts:
    """The parts of a completion whose prompt has ended the thinking: all of it is the answer."""
    return Parts(None, text, leak=any(closer in text for _, closer in DELIMITERS))


def prompt_leaves(messages: Sequence[Message]) -> bool | None:
    """Whether the prompt, as a chat template rendered it, ends with an opened thinking or an ended one; None: with neither."""
    end = messages[-1]["content"].rstrip() if messages else ""
    if any(end.endswith(mark) for mark, _ in DELIMITERS):
        return True
    return False if any(end.endswith(closer) for _, closer in DELIMITERS) else None
