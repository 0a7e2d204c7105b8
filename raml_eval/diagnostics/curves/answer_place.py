"""Where the answer that a grader extracted from a text begins in it, found with the grader's own rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import islice

from raml_eval.grading.extraction import Extraction, drop_thinking
from raml_eval.grading.statements.boxes import final_boxes, find_boxes
from raml_eval.grading.statements.flow import edge_lines
from raml_eval.grading.statements.places import TO_WRITE, formal_places, phrase_places, place_order
from raml_eval.grading.statements.settle import is_denied, is_supposed
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import lower, unwrap

Reads = Callable[[str], Extraction]  # what the question's grader finds in a text

MOST = 12  # places of one sort that are tried, from the last on; a text with more of them is left alone

_OF_BOXES = ("boxed", "boxed, in parts", "bare box", "box without its brace")
_MARKS = re.compile(r"[\s*_\"'`“”‘’$\\(\[{:：「『>#]*")
_ENUMERATOR = re.compile(r"\d{1,2}|[A-Za-z]")  # what may number an item of a list: '1. First, ...'


def answer_at(text: str, extracted: str, reads: Reads, lead: str) -> int:
    r"""Where the answer that reads extracts from a text begins, with the lead if that stands before it; -1 if that is not sure.

    The grader's rule says where to look: at its boxes (the first of those that together are the answer), its answer phrase, its
    tag or its line. By any other rule, the answer is where the grader no longer finds it if it is taken away.

    Example: answer_at("So \\boxed{12}.", "12", lambda text: Extraction("12", "boxed"), "\\boxed{") == 3
    """
    tail = drop_thinking(text)
    found = reads(tail) if tail is not None else None
    if tail is None or found is None or found.answer != extracted:
        return -1  # extracted by another version of the grader, or from another text
    dropped = len(text) - len(tail)
    tail = _own_part(tail, found, reads)
    at = _find(tail, found, reads)
    if at < 0:
        return -1
    return dropped + (at - len(lead) if lead and tail.endswith(lead, 0, at) else at)


def alone(text: str, answer: str) -> list[int]:
    """Where an answer stands in a text as itself: 12 does not in 112, 12.7 and x12. Words count in any case.

    Example: alone("12.7 or 12.", "12") == [8]
    """
    before = r"(?<!\w)(?<!\d[.,])" if answer[:1].isalnum() else ""
    after = r"(?!\w)(?![.,]\d)" if answer[-1:].isalnum() else ""
    flags = re.IGNORECASE if len(answer) > 1 else 0
    return [match.start() for match in re.finditer(before + re.escape(answer) + after, text, flags)]


def _own_part(text: str, found: Extraction, reads: Reads) -> str:
    """The text as far as a next question of the writer's own making, if the answer stands before it."""
    low = lower(text)
    for name in ("next question", "next problem", "next turn"):
        match = PHRASES[name].search(low, 1)
        if match is not None and reads(text[: match.start()]) == found:
            return text[: match.start()]
    return text


def _find(text: str, found: Extraction, reads: Reads) -> int:
    answer = found.answer or ""
    if found.rule in _OF_BOXES and (at := _in_boxes(text, found, reads)) >= 0:
        return at
    if found.rule == "answer phrase":
        return next(_behind_phrases(text, found, reads), -1)
    if found.rule in ("first line", "last line"):
        lines = {line for lines in edge_lines(text, 4000) for line in lines if reads(text[slice(*line)]).answer == answer}
        return _begin(text, min(lines)[0], answer) if len(lines) == 1 else -1
    if found.rule == "whole answer":
        return _begin(text, 0, answer)
    rule = "JSON" if found.rule == "answer field" else found.rule
    formal = sorted((place for place in formal_places(text) if place.rule == rule), key=place_order, reverse=True)[:MOST]
    for place in formal:
        content = text[place.at : place.end]
        if unwrap(content) == answer or reads(content).answer == answer:
            return place.start if rule.startswith("box") else _begin(text, place.at, answer)
    several = (place.start for place in formal if reads(text[place.start :]) == found)  # [[7]] or [[8]]
    return next(several, -1) if formal else _needed(text, answer, reads)


def _in_boxes(text: str, found: Extraction, reads: Reads) -> int:
    """Where the first of the boxes begins that together give the answer, such as an exact value and its rounding; else -1."""
    boxes = final_boxes(text)
    if not boxes.contents:
        return -1
    earlier = sorted((start for start, _, _ in find_boxes(text) if start < boxes.start), reverse=True)
    for start in (boxes.start, *earlier[:MOST]):
        if reads(text[start : boxes.end]).answer == found.answer:
            return start
    line = text.rfind("\n", 0, boxes.start) + 1  # where the names of parts stand: x = \boxed{3}
    in_parts = boxes.rule == "boxed, in parts" and reads(text[line : boxes.end]).answer == found.answer
    return boxes.start if in_parts else -1


def _behind_phrases(text: str, found: Extraction, reads: Reads) -> Iterator[int]:
    """The places behind those answer phrases from which on the text gives the answer by the same rule, the last first.

    A phrase behind which the answer stands only where a later phrase is has been taken back.
    """
    low, answer, later = lower(text), found.answer or "", len(text)
    own = alone(text, answer)
    for place in islice(phrase_places(low, TO_WRITE), MOST):
        before, later = later, place.start
        if is_denied(low, place.start) or is_supposed(low, place.start):
            continue
        said = reads(text[place.start :])
        at = _begin(text, place.at, answer)
        taken_back = next((there for there in own if there >= at), at) > before
        if (said.answer, said.rule) == (answer, found.rule) and not taken_back:
            yield place.start if reads(text[place.start : at]).answer == answer else at


def _begin(text: str, at: int, answer: str) -> int:
    """Where the answer begins whose statement begins at that place: behind marks such as ** and $, if it stands there."""
    marks = _MARKS.match(text, at)
    behind = marks.end() if marks else at
    return behind if text[behind : behind + len(answer)].casefold() == answer.casefold() else at


def _needed(text: str, answer: str, reads: Reads) -> int:
    """The one place without which the text does not give the answer, or its beginning if that is the answer; else -1.

    What stands before it must not give the answer either, and a text that begins with its answer and goes on to say it again
    leaves open which of the two is reasoning.
    """
    there = alone(text, answer)
    if not there or len(there) > MOST:
        return -1
    if there[0] == _begin(text, 0, answer):
        behind = text[there[0] + len(answer) :].lstrip(" *_`$")
        ended = behind[:1] in ("", "\n") or (behind[0] in ".;:!" and _ENUMERATOR.fullmatch(answer) is None)
        if ended or len(there) > 1:
            return there[0] if ended else -1
    needed = [at for at in there if reads(f"{text[:at]}?{text[at + len(answer) :]}").answer != answer]
    return needed[0] if len(needed) == 1 and reads(text[: needed[0]]).answer != answer else -1
