"""Which tokens of a thinking hold which characters of its text."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from raml_eval.protocols import Tokenizer

_TORN = "\N{REPLACEMENT CHARACTER}"  # what a tokenizer writes for a part of a character
_LONGEST = 8  # tokens after which a torn character is a wrong one; a character of UTF-8 has at most 4 bytes


def text_and_ends(tokenizer: Tokenizer, ids: Sequence[int]) -> tuple[str, list[int]]:
    """The text of the ids, and how many whole characters of it their first 0, 1, ... len(ids) hold.

    A character of several tokens counts with the last of them. Each step decodes a few tokens only, so the time grows linearly.
    A window begins one step before what is new, because tokenizers write the first token of a text in another way. Raises
    ValueError if the steps do not give the text, as with a tokenizer that mends blanks over long distances.

    For example, with a token a byte, the ids of "aé" give ("aé", [0, 1, 1, 2]).
    """
    ends = [0]
    parts: list[str] = []
    settled = begin = done = 0  # the window is ids[begin:], of which ids[:done] have settled characters
    head, fresh = "", ""
    for n in range(1, len(ids) + 1):
        fresh = tokenizer.decode(ids[begin:n], skip_special_tokens=False)[len(head) :]
        whole = fresh.rstrip(_TORN)
        if len(whole) < len(fresh) and n - done < _LONGEST and n < len(ids):
            ends.append(settled + len(whole))
            continue
        settled += len(fresh)
        ends.append(settled)
        parts.append(fresh)
        begin, done = done, n
        head = tokenizer.decode(ids[begin:done], skip_special_tokens=False)
    text = tokenizer.decode(ids, skip_special_tokens=False) if ids else ""
    joined = "".join(parts)
    if len(joined) != len(text) or any(a not in (b, _TORN) for a, b in zip(joined, text, strict=True)):
        raise ValueError("the text of the tokens is not that of their parts")
    return text, ends


def token_span(ends: Sequence[int], start: int, stop: int) -> tuple[int, int]:
    """(i, j): the tokens i to j - 1 are those that hold the characters start to stop - 1. ends is that of text_and_ends.

    The first i tokens hold nothing of them, unless a token begins inside the character before; the first j hold all of them.

    Example: token_span([0, 5, 10], 6, 10) == (1, 2)
    """
    first = bisect_left(ends, start)
    if ends[first] != start:
        first -= 1
    return first, bisect_left(ends, stop)
