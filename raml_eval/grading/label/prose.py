"""Labels in prose: 'the conclusion is false', 'so, no', 'it cannot be determined', and what the end of a text says."""

from __future__ import annotations

import re

from raml_eval.grading.label.reading import Found, label_end, read_at
from raml_eval.grading.label.words import NEGATIVE, POSITIVE, UNKNOWN, Labels, meaning_of
from raml_eval.grading.statements.places import MOST, Place, place_order
from raml_eval.grading.statements.settle import HEDGE, Reading, settle
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import soft_key

_AFTER_COLON = re.compile(r"[:：]\s*(?=[^:：\n]{1,60}$)")
_WITHIN_WORD = re.compile(r"[a-z0-9][_-]?$")
_SENTENCES = re.compile(r"(?<=[.!?。！？])\s+|\n+")
_OPENING = re.compile(r"[\s>*_\"'(#]{0,6}")
_SET_OFF = re.compile(r"[*_\"')]{0,3}[.!]\s+(?:\*\*)?")
_BOLD = re.compile(r"\*\*([^*\n]{1,80})\*\*")


def prose_places(low: str, start: int, labels: Labels) -> list[Place]:
    """Statements in prose from a position on, the last first; those with an end are labels in themselves."""
    said = [m for m in _last(low, start, "label statement") if not _is_of_nothing(low, m.start())]
    places = [Place(m.start(), m.end(), None, "statement") for m in said]
    places += [Place(m.start(), m.end(), None, "conclusion in words") for m in _last(low, start, "label conclusion")]
    places += [Place(m.end(), m.end(), None, "yes or no") for m in _last(low, start, "verdict first")]
    if UNKNOWN in labels.by_meaning:
        places += [Place(m.start(), m.start(), m.end(), "undecided") for m in _last(low, start, "undecided")]
    of_inference = {"entailment", "contradiction"} & {soft_key(label) for label in labels.labels}
    if of_inference and _opening_place(low, labels) is None:  # else these are its reasons
        places += [
            Place(m.start(), m.start(), m.end(), "entails or contradicts")
            for m in _last(low, start, "entails")
            if not _is_of_nothing(low, m.start())
        ]
    return sorted(places, key=place_order, reverse=True)


def _is_of_nothing(low: str, start: int) -> bool:
    """Whether the words before a statement say that nothing is so: 'no part of it is true'."""
    return PHRASES["nothing is"].search(low, max(0, start - 80), start) is not None


def _opening_place(low: str, labels: Labels) -> Place | None:
    """The first sentence if it is a label and nothing else, and the next one does not begin with another: a list of them."""
    begin = _OPENING.match(low)
    at = begin.end() if begin else 0
    label = labels.pattern.match(low, at)
    if label is None or len(label[0]) <= 3 or label[0] in PHRASES.word_set("said_of_answers"):
        return None
    rest = _SET_OFF.match(low, label.end())
    return None if rest is None or labels.pattern.match(low, rest.end()) else Place(at, at, None, "first sentence")


def _read_opening(low: str, labels: Labels) -> Reading | None:
    """The label that is the first sentence, unless it is taken back or the last sentence ends in a label."""
    if _named_at_end(low, labels) is not None:
        return None
    place = _opening_place(low, labels)
    return settle(low, [place], lambda place: read_at(low, place.at, labels)) if place else None


def _last(low: str, start: int, name: str) -> list[re.Match[str]]:
    return list(PHRASES[name].finditer(low, start))[-MOST:]


def read_prose(low: str, place: Place, labels: Labels) -> Found | None:
    """The label that a place of prose_places states, and where it ends; HEDGE for several."""
    if place.end is not None:
        meaning = UNKNOWN
        if place.rule != "undecided":
            entails = PHRASES["entails"].match(low, place.at)
            meaning = NEGATIVE if entails and entails["no"] else POSITIVE
        return (labels.by_meaning[meaning], place.end) if meaning in labels.by_meaning else None
    found = read_at(low, place.at, labels, of_answer=False)
    if found is not None and place.rule == "yes or no" and meaning_of(found[0]) == NEGATIVE:
        # 'No, that is not the case' agrees with its 'no' and does not take it back.
        agrees = PHRASES["not so"].match(low, found[1])
        return (found[0], agrees.end()) if agrees else found
    return found


def closing_label(text: str, low: str, labels: Labels) -> Reading | None:
    """What the end of a text says: a label in bold, else one behind a colon, else one at the end of the last sentence.

    If it says nothing, a label that is the whole first sentence counts.
    """
    said = _read_bold(text, labels) or _read_after_colon(low, labels) or _read_last_sentence(low, labels)
    return said or _read_opening(low, labels)


def _read_bold(text: str, labels: Labels) -> Reading | None:
    """The label in bold in the last line that is not blank; HEDGE for several."""
    body = text.rstrip()
    start = body.rfind("\n") + 1
    named = {labels.words[word] for bold in _BOLD.findall(body[start:]) if (word := soft_key(bold)) in labels.words}
    return Reading(named.pop() if len(named) == 1 else HEDGE, start, len(body), "bold") if named else None


def _read_after_colon(low: str, labels: Labels) -> Reading | None:
    """The label that is all of what stands behind the last line's colon."""
    body = _without_marks(low)
    start = body.rfind("\n") + 1
    body = _without_marks(body[: label_end(body, start, len(body), labels)])
    colon = _AFTER_COLON.search(body, start)
    word = body[colon.end() :] if colon else ""
    if word not in labels.words or word in PHRASES.word_set("said_of_answers"):
        return None
    return Reading(labels.words[word], start, len(body), "last line, after a colon")


def _read_last_sentence(low: str, labels: Labels) -> Reading | None:
    """The label with which the last sentence ends, unless the sentence denies, supposes or asks something."""
    said = _named_at_end(low, labels)
    if said is None or PHRASES["closing doubt"].search(said[1]):
        return None
    if _is_of_nothing(said[1], max(cue.start() for cue in PHRASES["closing cue"].finditer(said[1]))):
        return None
    body = _without_marks(low)
    return Reading(said[0], len(body) - len(said[1]), len(body), "last sentence")


def _named_at_end(low: str, labels: Labels) -> tuple[str, str] | None:
    """The label with which the last sentence ends if it says what something is, and that sentence."""
    sentence = _SENTENCES.split(_without_marks(low)[-600:])[-1]
    last = max(labels.pattern.finditer(sentence), key=lambda match: match.end(), default=None)
    if last is None or last.end() < len(sentence) or len(last[0]) <= 3 or last[0] in PHRASES.word_set("said_of_answers"):
        return None
    if _WITHIN_WORD.search(sentence, 0, last.start()):  # not_entailed is not entailed
        return None
    return (labels.label_of(last[0]), sentence) if PHRASES["closing cue"].search(sentence, 0, last.start()) else None


def _without_marks(low: str) -> str:
    return low.rstrip(" \n.*_`\"'")
