"""The option that stands after a phrase such as 'the answer is'."""

from __future__ import annotations

import re

from raml_eval.grading.choice.letters import ALONE, other_text_behind, read_whole
from raml_eval.grading.choice.option_lines import begins_list
from raml_eval.grading.choice.option_text import LONE_LETTERS, OptionTexts
from raml_eval.grading.statements.settle import HEDGE
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import flat, soft_key

MOST_LEADS = 16  # marks and words between a phrase and its letter

# A capital, or a small letter with a mark or nothing behind it; not the first letter of a word, nor a variable.
_LETTER = re.compile(
    r"([A-Z])(?![A-Za-z0-9_À-ɏЀ-ӿ'’]|-\w|\s*[=<>^≈](?!=))|([a-z])(?=[)\]}*_`\"'”]|[.,;]?\s*(?:$|\n)|[.,;]\s)(?!\*?['’]\w)"
)
_SENTENCE_END = re.compile(r"(?<!\b[A-P])[.;!?](?=\s|$)|[。！？；]")
_WORD_END = re.compile(r"\w*[\"”’')\]*_$}]*")
_CHAIN_END = re.compile(r"\$|\\[)\]]|\*\*|[;!?]|[.,](?=\s|$)")
_VARIABLE = re.compile(r"\s*[A-Za-z]\w{0,2}\s*=(?=.*=)")
# The side of an equation: numbers, operators and LaTeX, and short units.
_SIDE = re.compile(
    r"(?:[\d\s.,{}()\[\]!^√π²³×·⋅÷*/+−–:-]|\\[A-Za-z]+|(?<=[\d\s})])[A-Za-z%°]{1,3}(?=\s*(?:[-+*/×·⋅÷=^²³\\)}]|$)))+"
)
_QUANTITY = re.compile(r"\s*[\d.,]+\s*[A-Za-z%°]{1,4}\s*")
_OWN_TEXT = re.compile(r"[\s*_`$)}\].:,—–-]{1,8}\(?")


def read_after(text: str, at: int, texts: OptionTexts, strict: bool = False) -> tuple[str, int] | None:
    """What a phrase that ends at a position is followed by, and where that ends; HEDGE for several options.

    strict: only an unmistakable letter, one that ends its clause, or an option's whole text.
    """
    rest = text[at : at + 2000]
    line = rest.lstrip(" \t\n\xa0*_`$:").partition("\n")[0]
    offset = rest.find(line) if line else 0
    may_be_text = texts.may_begin(line)
    if may_be_text and (whole := _read_exact(line, texts)) is not None:
        return whole[0], at + offset + whole[1]
    if PHRASES["not_this"].match(rest):
        turned = PHRASES["but_that"].match(rest)
        return read_after(text, at + turned.end(), texts, strict=True) if turned else None
    letter = _LETTER.match(rest, _end_of_lead(rest))
    if letter is not None and _is_letter(rest, letter, texts):
        return _read_letter(text, letter, at, texts, strict)
    several = PHRASES["several_of"].match(rest)
    if several:
        named = {name for name in LONE_LETTERS.findall(several[1]) if name in texts.letters}
        if len(named) > 1:
            return HEDGE, at + several.end()
    found = _read_text(line, texts) if not strict or may_be_text else None
    return None if found is None else (found[0], at + offset + found[1])


def _end_of_lead(rest: str) -> int:
    """Where the marks and words end that may stand between the phrase and the letter."""
    end = 0
    for _ in range(MOST_LEADS):
        if (found := PHRASES["letter_lead_in"].match(rest, end)) is None:
            break
        end = found.end()
    return end


def _read_exact(line: str, texts: OptionTexts) -> tuple[str, int] | None:
    """An option's whole text, longer than a letter, as the line or its first sentence."""
    for candidate in _candidates(line, texts):
        if len(flat(candidate)) > 1 and ALONE.fullmatch(flat(candidate)) is None and (found := texts.match(candidate)):
            return found, len(candidate)
    return None


def _candidates(line: str, texts: OptionTexts) -> list[str]:
    """The line and its first sentence, where they are short enough to be an option with a remark."""
    both = dict.fromkeys((line, _SENTENCE_END.split(line, maxsplit=1)[0]))
    return [candidate for candidate in both if candidate.strip() and len(candidate) <= 2 * texts.longest + 200]


def _is_letter(rest: str, match: re.Match[str], texts: OptionTexts) -> bool:
    """Whether the match is an option's letter, and not the word A or I, nor the beginning of an option's text."""
    letter = (match[1] or match[2]).upper()
    if letter not in (texts.letters if match[2] else texts.known):
        return False
    if letter in "AI" and match[1]:
        line = rest[match.start() :].partition("\n")[0]
        start = texts.match_start(line) if ALONE.fullmatch(flat(line)) is None else None
        if start is not None and start[1] > 1:
            return False
        row = PHRASES["letters_in_row"].match(rest, match.end())
        if PHRASES["still_letter"].match(rest, match.end()) or (row and texts.known.issuperset(LONE_LETTERS.findall(row[0]))):
            return True
        return texts.is_text_of(letter, line[1:])
    line = rest[match.start() :].partition("\n")[0]
    return not (match[1] and len(line) > 1 and _text_of_other(letter, line, texts))


def _text_of_other(letter: str, line: str, texts: OptionTexts) -> bool:
    """Whether a line that begins with a letter is an option's text from there on, such as 'AB' or 'B cells'."""
    start = texts.match_start(line)
    return start is not None and start[1] > 1 and not texts.is_text_of(letter, line[1:])


def _read_letter(text: str, match: re.Match[str], at: int, texts: OptionTexts, strict: bool) -> tuple[str, int] | None:
    rest = match.string
    letter, end = (match[1] or match[2]).upper(), match.end()
    if letter not in texts.letters and (named := texts.match(letter)):
        letter = named
    if strict and letter not in texts.letters:
        return None
    line = rest[end:].partition("\n")[0]
    own = _OWN_TEXT.match(rest, end)
    following = rest[own.end() :].partition("\n")[0] if own is not None else ""
    if own is not None and texts.is_text_of(letter, following):
        end = own.end() + len(following)
    elif own is not None and (start := texts.match_start(following)) is not None:
        if start[0] == letter:
            end = _WORD_END.match(rest, min(own.end() + start[1], len(rest))).end()  # type: ignore[union-attr]
        elif "\n" not in own[0] and other_text_behind(line, letter, texts) is not None:
            return HEDGE, at + end + len(line)
    row = PHRASES["letters_in_row"].match(rest, end)
    if row is not None and not texts.known.isdisjoint(set(LONE_LETTERS.findall(row[0])) - {letter}):
        return HEDGE, at + row.end()
    more = PHRASES["letter_chain"].match(rest, end)
    while more is not None and not PHRASES["goes_on"].match(rest, more.end()):
        names = set(LONE_LETTERS.findall(more[0])) - {letter}
        if names & set(texts.letters) or (names and letter not in texts.letters):
            return HEDGE, at + more.end()
        more = PHRASES["letter_chain"].match(rest, more.end())
    maybe = PHRASES["second_guess"].match(rest, end)
    if maybe is not None and maybe[1].upper() in texts.letters and maybe[1].upper() != letter:
        return HEDGE, at + maybe.end()
    if begins_list(text, at + match.start()):
        return None
    if strict and not PHRASES["clause_end"].match(rest, end):
        return None
    return letter, at + end


def _read_chain(line: str, texts: OptionTexts) -> tuple[str, int] | None:
    """The option that an equation of numbers comes to, its last side: 3 × 4 = 12; HEDGE if the first is another option."""
    head = _CHAIN_END.split(line[:300], maxsplit=1)[0]
    if (variable := _VARIABLE.match(head)) is not None:
        head = head[variable.end() :]
    first, *others = head.split("=")
    if not others or not re.search(r"\d", first) or first.count("(") != first.count(")") or _SIDE.fullmatch(first) is None:
        return None
    begun = texts.match_start(others[-1].strip())
    came_to = texts.match(others[-1]) or texts.match_value(others[-1]) or (begun[0] if begun else None)
    began_with = texts.match(first) or texts.match_value(first)
    if came_to is None:
        came_to = began_with if _QUANTITY.fullmatch(first) else None  # 12 m = 1200 cm
    if came_to is None:
        return None
    return (came_to if began_with in (None, came_to) else HEDGE), len(head) + (variable.end() if variable else 0)


def _read_text(line: str, texts: OptionTexts) -> tuple[str, int] | None:
    """An option's text, or several, at the beginning of a line; with the length of what was read."""
    if "=" in line and (chain := _read_chain(line, texts)) is not None:
        return chain
    for candidate in _candidates(line, texts):
        found = read_whole(candidate, texts)
        if found is not None:
            return found, len(candidate)
    start = texts.match_start(line)
    if start is None:
        return None
    rest = soft_key(line)[start[1] :]
    joined = PHRASES["joined_text"].match(rest)
    if joined is not None and texts.match_start(rest[joined.end() :]) is not None:
        return HEDGE, len(line)
    if PHRASES["longer_name"].match(rest) and texts.is_one_word(start[0]):
        return None
    return start[0], min(len(line), start[1])
