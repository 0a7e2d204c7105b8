"""The statement that a text settles on, out of all that it makes: the last one that is neither denied nor doubted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice

from raml_eval.grading.extraction import Extraction
from raml_eval.grading.statements.places import Place
from raml_eval.grading.statements.table import PHRASES

HEDGE = ""  # what is read where a statement names several answers
REACH = 200  # characters before a statement that may deny or suppose it
MOST_READ = 60  # places that are read, from the last on


@dataclass(frozen=True, slots=True)
class Reading:
    """A statement as it was read: value HEDGE for several answers at once; start and end are positions in the text."""

    value: str
    start: int
    end: int
    rule: str
    closed: bool = False


Read = Callable[[Place], tuple[str, int] | None]

_ONE_SENTENCE = re.compile(r"[^.!?\n。！？]*")


def cut_next_question(low: str) -> int:
    """Where the text goes on to a question of its own making, or to a turn of somebody else; its length where it does not."""
    match = PHRASES["next question"].search(low, 1)
    return match.start() if match else len(low)


def cut_next_turn(low: str) -> int:
    """Where a turn of somebody else begins; the length of the text where there is none."""
    match = PHRASES["next turn"].search(low, 1)
    return match.start() if match else len(low)


def read_before(cut: int, size: int, read: Callable[[int], Extraction]) -> Extraction:
    """What read finds in a text of that size up to the cut, if that is an answer; else what it finds in all of it."""
    if cut < size and (found := read(cut)).answer is not None:
        return found
    return read(size)


def weigh(low: str, start: int, end: int) -> int:
    """3 for a statement at start..end that stands, 2 for one of less account, 1 for one only supposed, 0 for one denied."""
    after = low[end : end + 120]
    if PHRASES["taken back"].match(after) or (PHRASES["doubted"].match(after) and not PHRASES["rhetorical"].match(after)):
        return 0
    if is_denied(low, start):
        return 0
    if is_supposed(low, start) or PHRASES["proviso"].match(after):
        return 1
    before = low[max(0, start - REACH) : start]
    lesser = PHRASES["lesser"].search(before) or PHRASES["of next question"].match(low, start)
    return 2 if lesser and PHRASES["noun"].match(low, start) else 3


def is_supposed(low: str, start: int) -> bool:
    """Whether the words before a statement only suppose it, or say it of others: 'you might think that'."""
    before = low[max(0, start - REACH) : start]
    supposed = PHRASES["supposed"].search(before) or PHRASES["others"].search(before)
    return supposed is not None and not _concluded(before, supposed.start())


def is_denied(low: str, start: int) -> bool:
    """Whether the words before a statement deny or doubt it: 'I do not think that'."""
    before = low[max(0, start - REACH) : start]
    denied = PHRASES["denied"].search(before)
    return denied is not None and not _concluded(before, denied.start())


def _concluded(before: str, start: int) -> bool:
    """Whether the sentence comes to a conclusion of its own after what stands at start: 'if x, y; so the answer is'."""
    return PHRASES["concluded"].search(before, start) is not None


def _stands_beside(low: str, end: int, start: int) -> bool:
    """Whether two statements, one that ends and one that begins, are made together, and the second corrects nothing."""
    if not end <= start <= end + 200 or PHRASES["correction"].match(low, start) or PHRASES["change"].search(low, end, start):
        return False
    return PHRASES["joint"].fullmatch(low, end, start) is not None or _ONE_SENTENCE.fullmatch(low, end, start) is not None


def _replaces(low: str, before: Reading, after: Reading) -> bool:
    """Whether two statements are labelled and begin lines of their own, so that the second takes the first one's place."""
    if not before.rule == after.rule == "answer phrase":
        return False
    line = low[low.rfind("\n", 0, before.start) + 1 : before.start]
    return all(PHRASES["own line"].fullmatch(text) is not None for text in ("\n" + line, low[before.end : after.start]))


def settle(low: str, places: Iterable[Place], read: Read, weight: int = 3) -> Reading | None:
    """The last statement of at least that weight; HEDGE where it stands beside another one that differs.

    Of two on lines of their own, each with its label, the last decides all the same. places come in descending order
    (places.place_order), as far as they are needed.
    """
    last: Reading | None = None
    first: Reading | None = None  # the one before the last, in whose place that stands; else the last
    for place in islice(places, MOST_READ):
        if first is not None:
            if place.start >= first.start:
                continue  # inside the statement that decides
            if (place.end or place.at) < first.start - 200:
                break
        found = read(place)
        if found is None:
            continue
        weighed = weigh(low, place.start, found[1])
        if weighed < (weight if found[0] or weighed > 1 else 1):
            continue
        reading = Reading(found[0], place.start, found[1], place.rule, place.closed)
        if last is None or first is None:
            last = first = reading
            continue
        if reading.value == first.value or not _stands_beside(low, reading.end, first.start):
            break
        if first is not last or not _replaces(low, reading, last):
            return Reading(HEDGE, last.start, last.end, last.rule, last.closed)
        first = reading
    return last
