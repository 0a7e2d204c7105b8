"""The order in which a text is searched for the one answer it settles on, for kinds that choose among a few answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import tee

from raml_eval.grading.extraction import Extraction
from raml_eval.grading.statements.places import Place, formal_places, place_order
from raml_eval.grading.statements.settle import HEDGE, Read, Reading, settle
from raml_eval.grading.statements.table import PHRASES

Span = tuple[int, int]

_LINE = re.compile(r"^(?!\s*```)[^\n]*\S[^\n]*$", re.MULTILINE)


def edge_lines(text: str, reach: int, count: int = 1) -> tuple[list[Span], list[Span]]:
    r"""Where the first and the last lines stand: up to count of each, within reach characters of the text's ends.

    Blank lines and code fences are skipped. Example: edge_lines("A\n\nB", 2000) is ([(0, 1)], [(3, 4)]).
    """
    tail = max(0, len(text) - reach)
    first = [(m.start(), m.end()) for m in _LINE.finditer(text[:reach])][:count]
    last = [(tail + m.start(), tail + m.end()) for m in _LINE.finditer(text[tail:])][-count:]
    return first, last


def strong_places(text: str, lines: Iterable[Place], phrases: Iterable[Place]) -> Iterator[Place]:
    """Boxes, tags and their like, lines that are an answer, and answer phrases, merged; the last place comes first.

    phrases must already come in descending order, as phrase_places yields them.
    """
    formal = sorted([*formal_places(text), *lines], key=place_order, reverse=True)
    return merge(formal, phrases, key=place_order, reverse=True)


def settle_text(
    low: str,
    strong: Iterable[Place],
    read: Read,
    weak: Callable[[int], Iterable[Place]],
    read_weak: Read,
    closing: Callable[[], Reading | None],
) -> Reading | None:
    """The reading that a text in lower case settles on: a strong statement, else one in prose, else what its end says.

    weak(start) gives the places of prose statements behind start. They are searched if there is no strong statement, if it
    names several answers, or if the writer has second thoughts behind it. A prose statement of a single answer then counts
    instead of a strong one that names several, and instead of any that it follows with a change of mind. closing() reads
    the end of the text if nothing else was found. A strong statement of less account is one where there is no other.
    """
    strong, again = tee(strong)
    found = settle(low, strong, read) or settle(low, again, read, weight=2)
    if found is None:
        found = settle(low, weak(0), read_weak)
    elif found.value == HEDGE or PHRASES["change"].search(low, found.end):
        prose = settle(low, weak(found.end), read_weak)
        is_single = prose is not None and prose.value != HEDGE
        if prose and is_single and (found.value == HEDGE or PHRASES["change"].search(low[found.end : prose.end])):
            found = prose
    return found or closing()


def to_extraction(found: Reading | None, several: str) -> Extraction:
    """The extraction that a reading amounts to; several says what a hedge names, such as 'several labels'."""
    if found is None:
        return Extraction(None, "nothing found")
    if found.value == HEDGE:
        return Extraction(None, f"{found.rule}, {several}", found.closed)
    return Extraction(found.value, found.rule, found.closed)
