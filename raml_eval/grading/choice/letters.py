"""Letters of options: what a short text names."""

from __future__ import annotations

import re

from raml_eval.grading.choice.option_text import LONE_LETTERS, OptionTexts
from raml_eval.grading.statements.settle import HEDGE
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import flat, soft_key

ALONE = re.compile(r"[(\[<]?\s*([A-Z])\s*[)\]>]?[.:)]{0,2}")
_OWN_LETTER = re.compile(r"\s*\((?:[a-z]{1,12}\s)?([a-z])\)")  # behind an option's text
_BEFORE_TEXT = re.compile(r"[\s*`$)\]}.:,—–-]{0,8}\(?")
_TEXT_ENDS = re.compile(r"\s*(?:$|[.!?:)\]](?!\w))")
SMALL = re.compile(r"[(\[]?\s*([a-z])\s*[)\]]?[.:)]?")


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
    beside = PHRASES["letter_with_text"].fullmatch(short)
    if beside is not None and beside["rest"] and is_own(beside[1].upper(), unparenthesised(beside["rest"]), texts):
        return beside[1].upper()  # also where the text is a letter or a list: (C) P
    if names_several(short, content, texts):
        letters = set(LONE_LETTERS.findall(short.upper()))
        return letters.pop() if len(letters) == 1 and letters <= set(texts.letters) else HEDGE
    found = texts.match_value(content)
    if found is None:
        found = _read_with_text(short, content, texts)
    return alone[1] if found is None and alone is not None and alone[1] in texts.known else found


def names_several(short: str, content: str, texts: OptionTexts) -> bool:
    """Whether the text, short without its marks, lists options by letter or text: joined by 'or', 'and' or punctuation."""
    if PHRASES["letter_list"].fullmatch(short) and texts.known.issuperset(LONE_LETTERS.findall(short.upper())):
        return True
    parts = [part for part in PHRASES["list_joint"].split(content[:1000]) if part.strip()]
    if not 2 <= len(parts) <= len(texts.letters):
        return False
    named = [ALONE.fullmatch(flat(part)) for part in parts]
    found = [
        match[1] if match and match[1] in texts.known else texts.match(part) or texts.match_value(part)
        for part, match in zip(parts, named, strict=True)
    ]
    return all(value is not None for value in found) and len(set(found)) > 1


def _read_with_text(short: str, content: str, texts: OptionTexts) -> str | None:
    """A letter with its option's text, in either order, or a letter with a remark; HEDGE for a contradiction."""
    match = PHRASES["letter_with_text"].fullmatch(short)
    if match is not None and match[1].upper() in texts.letters:
        letter, rest, separator = match[1].upper(), unparenthesised(match["rest"]), match["separator"].strip()
        if not rest or is_own(letter, rest, texts) or starts_with_own(letter, rest, texts):
            return HEDGE if _other_after(letter, rest, texts) else letter
        other = texts.match(rest) or texts.match_value(rest)
        bare = not separator and short[match.end(1) : match.end(1) + 1] not in (")", "]")  # (A) and A) are no article
        if letter in "AI" and bare and rest[:1].islower() and not PHRASES["still_letter"].match(f" {rest}"):
            return None  # the words: I would say C, A look at the map gives C
        if separator == "=":
            return other
        if (other is not None and other != letter) or names_second(letter, rest, texts):
            return HEDGE
        if separator or (match[1].isupper() and match[1] not in "AI"):
            return letter if match[1].isupper() or separator else None
    if re.fullmatch(r"\(?\d{1,2}\)?", short) and 0 < int(short.strip("()")) <= len(texts.texts) and not texts.has_digits:
        return texts.letters[int(short.strip("()")) - 1]  # where options are told apart by numbers
    numbered = PHRASES["option_number"].fullmatch(short)
    if numbered is not None and texts.is_text_of(texts.letters[int(numbered[1]) - 1 : int(numbered[1])] or "?", numbered[2]):
        return texts.letters[int(numbered[1]) - 1]
    match = PHRASES["text_before_letter"].fullmatch(short)
    if match is not None and match[2].upper() in texts.known and (found := texts.match(match["text"])):
        return found if found == match[2].upper() else HEDGE
    start = texts.match_start(content)
    if start is not None and PHRASES["remark"].match(soft_key(content)[start[1] :]):
        rest = soft_key(content)[start[1] :]
        if (own := _OWN_LETTER.match(rest)) is not None and own[1].upper() == start[0]:
            rest = rest[own.end() :]
        return (
            start[0]
            if PHRASES["not_another"].match(rest) or not any(own and own in rest for own in texts.soft if len(own) > 2)
            else HEDGE
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


def other_text_behind(following: str, letter: str, texts: OptionTexts) -> str | None:
    """The letter of another option whose text, and no more of its clause, stands right behind a letter: (A) London."""
    following = _BEFORE_TEXT.sub("", following, count=1)
    if starts_with_own(letter, following, texts):
        return None
    following = following.lstrip("_*`")
    start = texts.match_start(following)
    if start is None or start[0] in (HEDGE, letter):
        return None
    behind = soft_key(following[: 2 * texts.longest + 200])[start[1] :]
    return start[0] if _TEXT_ENDS.match(behind) or PHRASES["remark"].match(behind) else None


def other_text_before(before: str, letter: str, texts: OptionTexts) -> str | None:
    """The letter of another option whose text is all that stands before a letter: London (A)."""
    found = texts.match(before) if len(flat(before)) > 1 else None
    return found if found not in (None, HEDGE, letter) else None


def _other_after(letter: str, rest: str, texts: OptionTexts) -> bool:
    return not texts.is_text_of(letter, rest) and names_second(letter, rest, texts)


def names_second(letter: str, rest: str, texts: OptionTexts) -> bool:
    """Whether what stands beside a letter names another one: 'A. Paris or B. London'."""
    return any(
        (m[1] or m[2]) in texts.letters and (m[1] or m[2]) != letter for m in PHRASES["second_letter"].finditer(rest[:600])
    )
