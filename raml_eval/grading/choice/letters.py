"""Letters of options: what a short text names."""

from __future__ import annotations

import re

from raml_eval.grading.choice.option_text import OptionTexts
from raml_eval.grading.statements.settle import HEDGE
from raml_eval.grading.text import flat, soft_key

_NAMED = (
    r"(?:(?:the|my|so|therefore|thus|la|le|el|die|der|a|o|it is|it's)[\s,]+){0,2}(?:(?:correct|final|best|right|only)\s+)?"
    r"(?:(?:option|choice|answer|letter|statement|opción|opção|opzione|alternativa|letra|lettre|lettera|вариант|"
    r"buchstabe)\s*){0,2}(?:is|:|=|：)?\s*"
)
ALONE = re.compile(r"[(\[<]?\s*([A-P])\s*[)\]>]?[.:)]{0,2}")
SMALL = re.compile(r"[(\[]?\s*([a-p])\s*[)\]]?[.:)]?")
WITH_TEXT = re.compile(
    rf"(?:{_NAMED})[(\[]?([A-P])[)\]]?(?P<separator>\s*[.:)]{{1,2}}\s*|\s*[-–—](?=\s)\s*|\s*[=,：、]\s*|\s+(?=\()|\s+|"
    rf"$)(?P<rest>.*)",
    re.DOTALL | re.IGNORECASE,
)
BEFORE_LETTER = re.compile(
    r"(?P<text>.+?)[\s,;:—–-]*(?:\(|,|\bis\b|\s)\s*(?:which is\s+)?(?:option|choice|answer|letter)?\s*\(?([A-P])\)?",
    re.DOTALL | re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:option\s*)?\(?([1-9]|1[0-6])\)?\s*[.:)–-]\s*(.+)", re.DOTALL | re.IGNORECASE)
LIST = re.compile(
    r"(?:either\s+|both\s+|between\s+)?(?:option\s+)?[(\[]?[A-P][)\]]?(?:\s*(?:,|/|\||;|&|\\&|\+|、|\b(?:and|or|und|oder|et|ou|"
    r"y|o|e)\b)\s*(?:(?:or|and)\s+)?(?:option\s+)?[(\[]?[A-P][)\]]?)+"
    r"|[A-P]{2,}|(?:[(\[]?[A-P][)\]]?\s+)+[(\[]?[A-P][)\]]?",
    re.IGNORECASE,
)
_JOINED = re.compile(r"\s*(?:[,;/|]|\\?&|\b(?:and|or)\b)\s*", re.IGNORECASE)
_SECOND = re.compile(
    r"(?:^|[\s(,;/|]|\bor\b|\band\b)[(\[]?([A-P])(?:[.):\]](?:\s|$)|$)|\b(?:or|and)\s+\(?([A-P])\b(?!\s+[a-z])"
)

_NOT_THAT = re.compile(r"\W{0,4}\b(?:not|rather than|instead of|unlike|because|since)\b")
LONE_LETTERS = re.compile(r"(?<![A-Za-z0-9_'’])([A-P])(?![A-Za-z0-9_'’])")


def read_whole(content: str, texts: OptionTexts) -> str | None:
    """The letter that a short text is; HEDGE for several, None for none. A letter beyond the options is returned too."""
    short = flat(content)
    alone = ALONE.fullmatch(short)
    if alone is not None and alone[1] in texts.letters:
        return alone[1]  # also where an option's text is a letter: answers are asked for by letter
    match = texts.match(content)
    if match is not None:
        return match
    small = SMALL.fullmatch(short)
    if small is not None and small[1].upper() in texts.letters:
        return small[1].upper()
    beside = WITH_TEXT.fullmatch(short)
    if beside is not None and beside["rest"] and is_own(beside[1].upper(), unparenthesised(beside["rest"]), texts):
        return beside[1].upper()  # also where the text is a letter or a list: (C) P
    if LIST.fullmatch(short) or names_several(content, texts):
        letters = set(LONE_LETTERS.findall(short.upper()))
        return letters.pop() if len(letters) == 1 and letters <= set(texts.letters) else HEDGE
    found = texts.match_value(content)
    if found is None:
        found = _read_with_text(short, content, texts)
    return alone[1] if found is None and alone is not None else found


def names_several(content: str, texts: OptionTexts) -> bool:
    """Whether the text lists options, by letter or text, joined by 'or', 'and' or punctuation."""
    parts = [part for part in _JOINED.split(content[:1000]) if part.strip()]
    if not 2 <= len(parts) <= len(texts.letters):
        return False
    named = [ALONE.fullmatch(flat(part)) for part in parts]
    found = [
        match[1] if match else texts.match(part) or texts.match_value(part) for part, match in zip(parts, named, strict=True)
    ]
    return all(value is not None for value in found) and len(set(found)) > 1


def _read_with_text(short: str, content: str, texts: OptionTexts) -> str | None:
    """A letter with its option's text, in either order, or a letter with a remark; HEDGE for a contradiction."""
    match = WITH_TEXT.fullmatch(short)
    if match is not None and match[1].upper() in texts.letters:
        letter, rest, separator = match[1].upper(), unparenthesised(match["rest"]), match["separator"].strip()
        if not rest or is_own(letter, rest, texts) or starts_with_own(letter, rest, texts):
            return HEDGE if _other_after(letter, rest, texts) else letter
        other = texts.match(rest) or texts.match_value(rest)
        if separator == "=":
            return other
        if (other is not None and other != letter) or names_second(letter, rest, texts):
            return HEDGE
        if separator or (match[1].isupper() and match[1] not in "AI"):
            return letter if match[1].isupper() or separator else None
    if re.fullmatch(r"\(?\d{1,2}\)?", short) and 0 < int(short.strip("()")) <= len(texts.texts) and not texts.has_digits:
        return texts.letters[int(short.strip("()")) - 1]  # where options are told apart by numbers
    numbered = _NUMBERED.fullmatch(short)
    if numbered is not None and texts.is_text_of(texts.letters[int(numbered[1]) - 1 : int(numbered[1])] or "?", numbered[2]):
        return texts.letters[int(numbered[1]) - 1]
    match = BEFORE_LETTER.fullmatch(short)
    if match is not None and (found := texts.match(match["text"])):
        return found if found == match[2].upper() else HEDGE
    start = texts.match_start(content)
    if start is not None and re.match(r"[\s]*(?:[,;(—–-]|because\b|since\b|as\b|not\b)", soft_key(content)[start[1] :]):
        rest = soft_key(content)[start[1] :]
        return (
            start[0] if _NOT_THAT.match(rest) or not any(own and own in rest for own in texts.soft if len(own) > 2) else HEDGE
        )
    return None


def unparenthesised(rest: str) -> str:
    """The text without the parentheses that enclose it: C (Rome)."""
    rest = rest.strip()
    return rest[1:-1].strip() if rest.startswith("(") and rest.endswith(")") and rest.count("(") == 1 else rest


def is_own(letter: str, rest: str, texts: OptionTexts) -> bool:
    """Whether what stands beside a letter is its option's text; a minus and parentheses may have been taken for marks."""
    return any(texts.is_text_of(letter, text) for text in (rest, f"-{rest}", f"({rest})"))


def starts_with_own(letter: str, rest: str, texts: OptionTexts) -> bool:
    start = texts.match_start(rest)
    return start is not None and start[0] == letter


def _other_after(letter: str, rest: str, texts: OptionTexts) -> bool:
    return not texts.is_text_of(letter, rest) and names_second(letter, rest, texts)


def names_second(letter: str, rest: str, texts: OptionTexts) -> bool:
    """Whether what stands beside a letter names another one: 'A. Paris or B. London'."""
    return any((m[1] or m[2]) in texts.letters and (m[1] or m[2]) != letter for m in _SECOND.finditer(rest[:600]))
