"""The one result that a sentence names: in bold, as a formula, as a number or as a word.

A sentence that plans, asks, hedges, or names several results gives none.
"""

from __future__ import annotations

import re

from raml_eval.grading.math.tokens import GREEK
from raml_eval.grading.math.undelimited import mark_formulas
from raml_eval.grading.statements.delimited import BOLD, DISPLAY, FORMULA, content_of
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import unwrap

_ARROWS = re.compile(r"\$?\\(?:therefore|Rightarrow|implies|Longrightarrow|because)(?![a-zA-Z])\$?|[∴⇒→]")
_ASIDE = re.compile(r"(?<!\\)\([^()]{0,80}\)(?=[\s.]*$)")
# What stands before the 5 of ab + 5 and of or-5.
_PART_OF_MORE = re.compile(r"[+×·÷/]\s*$|[\w)](?:\*|\s\*\s)$|[\w)\]][-−]$")
# An equation that is still to be solved: 2x + 4 = 30, x/2 = 15, but not x = 15.
_TO_SOLVE = re.compile(r"(?![a-zA-Z]\s*=)[-−]?\d*(?:\.\d+)?\s*[a-z]\s*(?:/\s*\d+)?\s*(?:[-+−]\s*[\d.]+)?\s*=\s*[-−]?[\d.,]+")
_RELATION = re.compile(r"[=<>≤≥≠∈]|\\(?:leq?|geq?|neq?|in|equiv)(?![a-zA-Z])")
_VARIABLE = re.compile(r"[a-df-z](?:_\{?\w\}?)?")  # a capital may be a point or an option
_INTRODUCTION = re.compile(r"^[^\d=,，]{1,80}[,，]")


def read_result(sentence: str) -> str | None:
    r"""The one result that a sentence names; None if it names none or several.

    Example: read_result(r"So the area is 6\sqrt{2}.") is r"6\sqrt{2}".
    """
    marked = mark_formulas(_ARROWS.sub(" ", sentence))
    if marked is None:
        return None
    sentence = _ASIDE.sub("", marked)
    whole = BOLD.fullmatch(sentence.strip(" .>#-"))
    if whole is not None and re.search(r"\d|\\", whole[1]) and not re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}", whole[1]):
        return unwrap(whole[1])
    if whole is not None and len(whole[1].split()) > 2:
        sentence = whole[1]
    so = list(PHRASES["result follows"].finditer(sentence))
    reasons, concluded = (sentence[: so[-1].start()], sentence[so[-1].end() :]) if so else (sentence, "")
    if gives_none(sentence):
        only_denied = not gives_none(concluded) and not gives_none(PHRASES["denies"].sub("", reasons))
        return _read_part(concluded) if only_denied else None
    if _ends_unsolved(sentence):
        return None if _ends_unsolved(concluded) else _read_part(concluded)
    named = list(PHRASES["is the answer"].finditer(sentence))
    if len(named) == 1:
        return (named[0]["value"] or named[0]["formula"]).strip()
    if (first := _read_first(sentence)) is not None:
        return first
    if PHRASES["related"].search(sentence):
        return None
    return _read_part(sentence) or _read_part(concluded)


def _ends_unsolved(sentence: str) -> bool:
    """Whether the last formula of a sentence is an equation that is still to be solved."""
    formulas = list(FORMULA.finditer(sentence))
    return bool(formulas) and _TO_SOLVE.fullmatch(content_of(formulas[-1]).strip(" .,")) is not None


def _read_part(sentence: str) -> str | None:
    return _read_bold(sentence) or _read_formula(sentence) or _read_number(sentence) or _read_word(sentence)


def _read_bold(sentence: str) -> str | None:
    bold = [unwrap(part.strip(" .:")) for part in BOLD.findall(sentence)]
    bold = [part for part in bold if PHRASES["bold heading"].fullmatch(part) is None]
    if len(bold) != 1:
        return None
    alone = not re.search(r"\w", BOLD.sub("", sentence))
    return bold[0] if re.search(r"\d|\\", bold[0]) or (alone and len(bold[0].split()) <= 3) else None


def _read_formula(sentence: str) -> str | None:
    """The last formulas of a sentence. Numbers beside them would be results too, unless it ends with a displayed formula."""
    matches = list(FORMULA.finditer(sentence))
    if not matches:
        return None
    closing = sentence.rstrip(" .*\n")
    if DISPLAY.fullmatch(matches[-1][0]) and matches[-1].end() >= len(closing):
        return content_of(matches[-1]).strip(" .")
    rest = FORMULA.sub(" \0 ", sentence)
    between = rest.split("\0")
    if PHRASES["value"].search(rest) or _only_remarks(between[-2], content_of(matches[-1])):
        return None
    first = len(matches) - 1
    while first and PHRASES["between values"].fullmatch(between[first]):
        first -= 1
    if first and not PHRASES["leads on"].search(between[first]):
        return None
    return ", ".join(content_of(match).strip(" .") for match in matches[first:])


def _only_remarks(before: str, formula: str) -> bool:
    """Whether a formula is a condition (for $n > 1$), or a lone variable that nothing states, as in odd $n$."""
    if _RELATION.search(formula) is not None:
        return PHRASES["condition behind"].search(before) is not None
    words = before.split()
    variable = _VARIABLE.fullmatch(formula) is not None or formula in GREEK
    return variable and not (words and PHRASES["leads on"].search(words[-1]))


def _read_number(sentence: str) -> str | None:
    """The one number that a sentence names. One inside a formula is only a part of it, and a lone one is read there."""
    formulas = list(FORMULA.finditer(sentence))
    matches = list(PHRASES["value"].finditer(sentence))
    numbers = [match[0] for match in matches]
    if len(numbers) == 1:
        before = sentence[: matches[0].start()]
        given = PHRASES["first word"].match(sentence) and PHRASES["of whole"].search(before)  # Seven of the 30 pupils
        part = _PART_OF_MORE.search(before) or PHRASES["begins more"].match(sentence, matches[0].end())
        inside = any(match.start() < matches[0].start() < match.end() for match in formulas)
        return None if given or part or inside else numbers[0].strip()
    if (listed := PHRASES["listed"].search(sentence)) is not None:
        return (listed["named"] or listed["values"]).strip()
    stated = list(PHRASES["stated"].finditer(sentence))
    if len(stated) == 1 and stated[0]["end"] is not None:
        return stated[0]["value"].strip()
    sum_ = _INTRODUCTION.sub("", sentence.rpartition(":")[2])
    behind = [match[0] for match in PHRASES["value"].finditer(sum_.rpartition("=")[2])]
    one_line = not formulas and "=" in sum_ and PHRASES["several"].search(sum_) is None
    return behind[0].strip() if one_line and len(behind) == 1 else None


def _read_first(sentence: str) -> str | None:
    """The number with which a sentence begins, if it counts something and all other numbers only say of what: 4 of 9 men."""
    first = PHRASES["first count"].match(sentence)
    if first is None or FORMULA.search(sentence) or BOLD.search(sentence):
        return None
    given = PHRASES["given"] if first["value"] else PHRASES["of whole"]
    others = list(PHRASES["value"].finditer(sentence, first.end()))
    if not all(given.search(sentence[max(0, match.start() - 40) : match.start()]) for match in others):
        return None
    return first["value"].strip() if first["value"] else _in_words(first["words"])


def _read_word(sentence: str) -> str | None:
    if PHRASES["value"].search(sentence) or FORMULA.search(sentence):
        return None
    words = PHRASES["number word"].findall(sentence)
    return _in_words(words[0]) if len(words) == 1 else None


def _in_words(number: str) -> str:
    """A number in words as the comparison reads it: two hundred fifty instead of two hundred and fifty."""
    return re.sub(r"\sand\s", " ", number, flags=re.IGNORECASE)


def is_value(text: str) -> bool:
    """Whether a text is one number and nothing else, perhaps with a sign of currency, percent or degrees.

    Example: is_value("$1,300") and is_value("-3/4"), but not is_value("5 cars").
    """
    match = PHRASES["value"].match(text)
    return match is not None and match.end() == len(text)


def gives_none(sentence: str) -> bool:
    """Whether a sentence plans, asks, denies, doubts, supposes or rounds, so that what it names is no result.

    Example: gives_none("Perhaps it is 5.") and gives_none("Let's try 5."), but not gives_none("So it is 5.").
    """
    return PHRASES["no result"].search(FORMULA.sub("", sentence)) is not None
