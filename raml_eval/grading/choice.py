"""Multiple choice: which letter an answer names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from raml_eval.grading.boxes import last_box
from raml_eval.grading.extract import Extraction, last_phrases
from raml_eval.grading.text import drop_text_commands, normalize_exact, unwrap

LETTERS = "ABCDEFGHIJKLMNOP"

_NAMED = r"(?:the\s+)?(?:correct\s+|final\s+|best\s+)?(?:option|choice|answer)?\s*(?:is\s*)?:?\s*"
_LETTER = re.compile(rf"{_NAMED}\(?([A-P])\)?(?:\s*[.:)]\s*(.*)|\s+[-–]\s+(.*))?", re.DOTALL | re.IGNORECASE)
_HEDGE = re.compile(
    rf"{_NAMED}\(?[A-P]\)?(?:\s*(?:,|/|\||;|&|\\&|\b(?:and|or)\b)\s*(?:or\s+|and\s+)?{_NAMED}\(?[A-P]\)?)+[.]?|[A-P]{{2,}}",
    re.IGNORECASE,
)
_ALONE = re.compile(r"[(\[]?([A-P])[)\].:]*")
# A second letter in what stands beside the first: "A. Paris or B. London", "A - B".
_SECOND = re.compile(r"(?:^|\b(?:or|and)\b[\s(]*|[\s(])([A-P])(?:[.):](?:\s|$)|\)|$)|\b(?:or|and)\s+\(?([A-P])\b")
_LEAD = r"(?:[\s*_`$({\[\"'“‘]|\\\(|\\\[|\\(?:text|textbf|mathrm|mathbf|boxed)\s*\{){0,12}"
_AFTER_PHRASE = re.compile(
    rf"{_LEAD}(?:(?:most\s+likely|probably|clearly|therefore|thus|option|choice|letter)\b:?{_LEAD}){{0,3}}([A-P])(?!\w|['’]\w)"
)
_MORE = re.compile(
    r"[\s*_`$)}\]]{0,6}\(?(?:\bor\b|\band\b|/|&|;|,(?=[\s*(]{0,4}[A-P][*)]{0,3}\s{0,4}(?:,|\.|\band\b|\bor\b|$)))"
    r"[\s*_`$(]{0,6}(?:(?:possibly|perhaps|maybe|also|even)\s+)?(?:option\s+)?([A-P])(?!\w|['’]\w)"
)
# "A is incorrect" after "the answer is" says what it is not.
_TAKEN_BACK = re.compile(r"[\s*_`)}]{0,6}is\s+(?:in|not\s+)correct|[\s*_`)}]{0,6}is\s+(?:wrong|false|not\b)")
_DENIED = re.compile(r"(?:\bnot|n['’]t|\bnever|\bcannot|\bneither|\bif|\bwhether)\b[^.!?\n]*$", re.IGNORECASE)
_DOUBTED = re.compile(r"[^.!?\n]*(?:\?|\bonly\s+if\b|\?\s*No\b)")
_IS_RIGHT = re.compile(
    r"\b(?:[Oo]ption|[Cc]hoice|[Aa]nswer|[Ss]tatement)?[\s*_]{0,4}\(?\b([A-P])\b\)?[*_]{0,4}\s+is\s+(?:the\s+)?"
    r"(?:correct|right|best|most\s+(?:likely|appropriate|accurate)|answer)\b"
)
_IS_OPTION = re.compile(
    r"\b(?:correct|right|best|final|my)\s+(?:option|choice|answer|letter)[*_]{0,4}(?:\s+(?:is|would\s+be)|\s*:)[*_:]{0,3}|"
    r"\b(?:choose|select|pick)\s+(?:option|choice|answer)?",
    re.IGNORECASE,
)
_BOLD = re.compile(r"\*\*([^*\n]{1,300})\*\*|__([^_\n]{1,300})__")
_IN_PARENTHESES = re.compile(r"\(([A-P])\)")
# "A" and "I" are also words: before one of these they are still letters.
_STILL_LETTER = re.compile(r"\s*(?:$|[^\sa-z]|\s(?:because|since|as|for|which|with|due|is|and|or|but|not)\b)")


def extract_choice(text: str, options: Sequence[str] = ()) -> Extraction:
    """The one letter that the text settles on, out of as many as there are options (A to P where none are given).

    Tried in this order: the last box (its letter, or an option's text); the last 'answer is'; 'option B is correct';
    the last bold letter or option; the last line as a letter, an option's text, or the only letter in parentheses in
    it. Where the place that decides names several letters, there is no answer.
    """
    letters = LETTERS[: len(options)] if options else LETTERS
    texts = [normalize_exact(option) for option in options]
    box = last_box(text)
    found = None if box is None else _read_whole(box, letters, texts)
    if found is not None:
        return _settled(found, "boxed")
    for phrase in last_phrases(text):
        found = _read_phrase(phrase, letters, texts)
        if found is not None:
            return _settled(found, "answer phrase")
    return _read_loosely(text, letters, texts)


def _settled(found: str, rule: str) -> Extraction:
    return Extraction(found, rule) if found else Extraction(None, f"{rule}, several letters")


def _read_whole(place: str, letters: str, texts: list[str]) -> str | None:
    """The letter that a short text is; "" for several, None for none."""
    content = unwrap(drop_text_commands(place[:2000]))
    content = content.replace(r"\ ", " ").strip(" ~\\")
    if (alone := _ALONE.fullmatch(content)) is not None and alone[1] in letters:
        return alone[1]  # also where an option's text is a letter: answers are asked for by letter
    normal = normalize_exact(content)
    if normal in texts:
        return letters[texts.index(normal)] if texts.count(normal) == 1 else ""
    if _HEDGE.fullmatch(content):
        return ""
    match = _LETTER.fullmatch(content)
    if match is None or match[1].upper() not in letters:
        return None
    letter, rest = match[1].upper(), (match[2] or match[3] or "").strip()
    other = letters[texts.index(normalize_exact(rest))] if texts.count(normalize_exact(rest)) == 1 else letter
    second = _SECOND.search(rest)
    named = {letter, other, *((second[1] or second[2],) if second else ())}
    return letter if len(named) == 1 else ""


def _read_phrase(rest: str, letters: str, texts: list[str]) -> str | None:
    """The letter that stands right after 'answer is'; else the option whose text does."""
    match = _AFTER_PHRASE.match(rest)
    if match is not None and match[1] in letters and _is_letter(match) and not _TAKEN_BACK.match(rest, match.end()):
        more = _MORE.match(rest, match.end())
        return "" if more and more[1] in letters else match[1]
    line = rest.strip().partition("\n")[0]
    sentence = re.split(r"[.;](?=\s|$)", line, maxsplit=1)[0]
    for candidate in (line, sentence):
        found = _read_whole(candidate, letters, texts)
        if found is not None:
            return found
    return None


def _is_letter(match: re.Match[str]) -> bool:
    """Whether an A or I is meant as a letter and not as the word."""
    return match[1] not in "AI" or _STILL_LETTER.match(match.string, match.end()) is not None


def _is_denied(match: re.Match[str]) -> bool:
    """Whether the sentence denies, doubts or only supposes what the match says."""
    before = match.string[max(0, match.start() - 200) : match.start()]
    return bool(_DENIED.search(before) or _DOUBTED.match(match.string[match.end() : match.end() + 200]))


def _read_loosely(text: str, letters: str, texts: list[str]) -> Extraction:
    named = [m[1] for m in _IS_RIGHT.finditer(text) if m[1] in letters and not _is_denied(m)]
    if named:
        return Extraction(named[-1], "option is correct") if len(set(named)) == 1 else Extraction(None, "several letters")
    for match in reversed(list(_IS_OPTION.finditer(text))):
        found = _read_phrase(text[match.end() : match.end() + 2000], letters, texts)
        if found:
            return Extraction(found, "option is correct")
    for bold in reversed(_BOLD.findall(text)):
        found = _read_whole(bold[0] or bold[1], letters, texts)
        if found is not None:
            return _settled(found, "bold")
    return _read_last_line(text, letters, texts)


def _read_last_line(text: str, letters: str, texts: list[str]) -> Extraction:
    line = text.strip().rpartition("\n")[2].strip()
    found = _read_whole(line, letters, texts) if len(line) <= 500 else None
    if found is not None:
        return _settled(found, "last line")
    inside = {letter for letter in _IN_PARENTHESES.findall(line) if letter in letters}
    if len(inside) == 1:
        return Extraction(inside.pop(), "last line, in parentheses")
    return Extraction(None, "several letters" if inside else "nothing found")


def gold_letter(gold: str, options: Sequence[str] = ()) -> str | None:
    """The letter that a gold names, as a letter or as an option's text; None where it names none."""
    letters = LETTERS[: len(options)] if options else LETTERS
    if gold.strip() in letters and len(gold.strip()) == 1:
        return gold.strip()
    return _read_whole(gold, letters, [normalize_exact(option) for option in options]) or None
