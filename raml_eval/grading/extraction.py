"""What a text gives as its answer, and the thinking that stands before it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_CLOSED = re.compile(r"</(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_OPENED = re.compile(r"<(?:think|thinking|thought|reasoning)>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was found and by which rule; answer None: nothing that a reader would take for the answer.

    closed: whoever wrote the answer also wrote its end (the brace of a box, the end tag of <answer>, the fence of a code
    block), so it stands even if the text ran out of tokens later. concluded: the answer is read off the end of the text and
    may be something else once the text goes on, so it does not count in a text that ran out of tokens.
    """

    answer: str | None
    rule: str
    closed: bool = False
    concluded: bool = False


def drop_thinking(completion: str) -> str | None:
    """The text after the last </think>, or another tag of its kind; None if a thinking was opened and never closed.

    Example: drop_thinking("<think>2 + 2</think>4") is "4".
    """
    answer = _CLOSED.split(completion)[-1]
    return None if _OPENED.search(answer) else answer
