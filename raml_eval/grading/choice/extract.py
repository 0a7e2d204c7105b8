"""Multiple choice: which letter an answer names."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from itertools import tee

from raml_eval.errors import TaskError
from raml_eval.grading.choice.after_phrase import read_after
from raml_eval.grading.choice.closing import closing_reading
from raml_eval.grading.choice.letters import read_whole
from raml_eval.grading.choice.option_lines import read_line, stands_alone
from raml_eval.grading.choice.option_text import LETTERS, OptionTexts, option_texts
from raml_eval.grading.choice.prose import read_weak, weak_places
from raml_eval.grading.extraction import Extraction
from raml_eval.grading.label.extract import extract_label
from raml_eval.grading.statements.flow import edge_lines, settle_text, strong_places, to_extraction
from raml_eval.grading.statements.places import Place, phrase_places
from raml_eval.grading.statements.settle import Reading, cut_next_question, read_before, settle
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import lower

__all__ = ["LETTERS", "extract_choice", "gold_letter"]

# One character each, so that positions stay: full-width, circled and mathematical letters and brackets.
_STYLED = re.compile("[\uff01-\uff5e\u24b6-\u24e9\U0001d400-\U0001d6a3\u3000\u00a0\u2002-\u200a\u202f]")
# A lone capital that looks like a Latin one is the letter that a reader sees.
_LOOK_ALIKES = str.maketrans("АВСЕНІЈКМОРЅТУХΑΒΕΗΙΚΜΝΟΡΤΥΧΖ", "ABCEHIJKMOPSTYXABEHIKMNOPTYXZ")
_LONE = re.compile(r"(?<!\w)[АВСЕНІЈКМОРЅТУХΑΒΕΗΙΚΜΝΟΡΤΥΧΖ](?!\w)(?!\s+[\w])")
# Emphasis by underscores, which would otherwise be part of the word.
_UNDERSCORED = re.compile(r"(?<![\w\\${}^])(_{1,3})(?=\S)[^_\n]{1,200}(?<=\S)\1(?![\w{^])")
_BY_LETTER = re.compile(r"(?<![\w'’])(?:[B-P]|A(?![ \t]+[a-z]))(?![\w'’])")


def extract_choice(text: str, options: Sequence[str] = ()) -> Extraction:
    """The one letter that the text settles on, out of as many as there are options; A to P where none are given.

    The last statement decides that is neither denied nor doubted: a box, an answer tag, '####', JSON, 'the answer is',
    'Answer:' and the like in many languages, or a first or last line that is an option and nothing else. What follows it
    overrides it only with a change of mind ('wait, it is C'). Without such a statement: 'option C is correct', 'I'd go with
    C', 'so C'; then what the end of the text says. A letter, an option's text or both may stand there; a letter that
    contradicts the text beside it, and several letters, are no answer. A letter beyond the options is an answer, a wrong
    one; but Q to Z are letters of options only where there are more than sixteen.
    """
    texts = option_texts(tuple(options))
    text = _readable(text, texts)
    low = lower(text)
    return read_before(_next_question(text, low, texts), len(text), lambda end: _extract(text[:end], low[:end], texts))


def _next_question(text: str, low: str, texts: OptionTexts) -> int:
    """Where the text goes on to another question; a line that is option Q does not begin one."""
    cut = cut_next_question(low)
    is_option = "Q" in texts.letters and read_line(text[cut + 1 :].partition("\n")[0], texts) == "Q"
    return len(low) if is_option else cut


def _readable(text: str, texts: OptionTexts) -> str:
    """The text with its styled and foreign letters as plain ones and its emphasis as asterisks, each in its old place."""
    if "_" in text and not any("_" in option for option in texts.texts):
        text = _UNDERSCORED.sub(lambda m: m[0].replace("_", "*"), text)
    if text.isascii():
        return text
    text = _STYLED.sub(lambda m: unicodedata.normalize("NFKC", m[0])[:1], text)
    return _LONE.sub(lambda m: m[0].translate(_LOOK_ALIKES), text)


def _extract(text: str, low: str, texts: OptionTexts) -> Extraction:
    # Beside a letter, 'it is true that ...' speaks of the matter and does not choose the option True.
    by_text = texts.are_words_of_truth and _BY_LETTER.search(text) is None

    @cache  # a statement that decides nothing is read again at each lower weight
    def read(place: Place) -> tuple[str, int] | None:
        if _is_of_wrong(low, place):
            return None
        if place.end is None:
            return read_after(text, place.at, texts)
        value = read_whole(text[place.at : place.end][:2000], texts)
        return None if value is None else (value, place.end)

    def read_prose(place: Place) -> tuple[str, int] | None:
        if texts.are_words_of_truth and not by_text and PHRASES["of_truth"].match(low, place.at):
            return None
        return read_weak(text, place, texts)

    strong, again = tee(strong_places(text, _line_places(text, texts), phrase_places(low)))

    def closing() -> Reading | None:
        named = extract_label(text, texts.texts) if by_text else None
        if named is not None and named.answer is not None:
            return Reading(texts.letters[texts.texts.index(named.answer)], 0, len(text), named.rule, named.closed)
        return closing_reading(text, low, texts) or settle(low, again, read, weight=1)

    found = settle_text(low, strong, read, lambda start: weak_places(text, low, start), read_prose, closing)
    return to_extraction(found, "several letters")


def _is_of_wrong(low: str, place: Place) -> bool:
    """Whether the statement names a wrong option: 'incorrect answer: A'."""
    said = PHRASES["of_wrong"].finditer(low, max(0, place.start - 40), place.at)
    return any(match.end() > place.start for match in said)


def _line_places(text: str, texts: OptionTexts) -> list[Place]:
    """The first and the last line, if they are an option and stand in no list of options."""
    first, last = edge_lines(text, 4000, 2)
    if not first or not last:
        return []
    places = []
    for line, beside, rule in ((first[0], first[1:], "first line"), (last[-1], last[:-1], "last line")):
        said = "oxed" in text[line[0] : line[1]] or "answer" in text[line[0] : line[1]].lower()  # then that is the place
        if not said and stands_alone(text, line, [other for other in beside if other != line], texts) is not None:
            places.append(Place(line[0], line[0], line[1], rule))
    return places


def gold_letter(gold: str, options: Sequence[str] = ()) -> str | None:
    """The letter that a gold names, as a letter or as an option's text; None where it names none."""
    texts = option_texts(tuple(options))
    if gold.strip() in texts.letters and len(gold.strip()) == 1:
        return gold.strip()
    letter = read_whole(gold, texts)
    return letter if letter and letter in texts.letters else None


def required_letter(gold: str, options: Sequence[str]) -> str:
    """As gold_letter; raises TaskError for a gold that names no option."""
    letter = gold_letter(gold, options)
    if letter is None:
        letters = option_texts(tuple(options)).letters
        raise TaskError(
            f"the gold {gold[:80]!r} names none of the {len(letters)} options; it must be a letter or an option's "
            "text. Correct the task's target or its options."
        )
    return letter
