"""The option that stands after a phrase such as 'the answer is'."""

from __future__ import annotations

import re

from raml_eval.grading.choice.letters import ALONE, LONE_LETTERS, read_whole
from raml_eval.grading.choice.option_lines import begins_list
from raml_eval.grading.choice.option_text import OptionTexts
from raml_eval.grading.statements.settle import HEDGE
from raml_eval.grading.text import flat, soft_key

# What may stand between it and the letter.
_LEAD = re.compile(
    r"(?:[\s*_`$({\[<\"'“‘「『:：]|\\[(\[]|\\(?:text[a-z]*|math[a-z]*|boxed|fbox|large|Large|bf|rm|color\{\w+\}|"
    r"textcolor\{\w+\})\s*\{?|"
    r"(?:a|o)(?=[ \t]+[\w(*])|(?i:the|la|le|el|die|der|option|choice|letter|answer|number|indeed|definitely|clearly|"
    r"most likely|likely|probably|therefore|thus|simply|just|"
    r"opción|opção|opzione|alternativa|alternative|letra|lettre|lettera|buchstabe|вариант|буква|الخيار|选项|選項|選択肢|"
    r"only)(?![\w'])[\s*_:]*(?=\S)){0,16}"
)
_LETTER = re.compile(
    r"([A-P])(?![A-Za-z0-9_À-ɏЀ-ӿ'’]|-\w|\s*[=<>^≈](?!=))|([a-p])(?=[)\]}*_`\"'”]|[.,;]?\s*(?:$|\n)|[.,;]\s)(?!\*?['’]\w)"
)
# "A" and "I" are also words: before one of these they are still letters.
_STILL_LETTER = re.compile(
    r"[*_`)\]}\"'”’]|\s*(?:$|\n|[^\sa-zA-Z0-9])|\s(?:because|since|as|for|which|with|due|is|and|or|but|not|rather|instead|by|"
    r"based|if|in)\b"
)
_CHAIN = re.compile(
    r"[\s*_`$)}\]\\]{0,6}(?:,?\s*\(?\b(?:or|and|und|oder|et|ou|y|o|e|или|и)\b|/|\\?&|;|、|\||\+|或者?|和|与|及|または|또는|"
    r",(?=[\s*_(]{0,4}[A-P][*_).\]]{0,3}\s{0,4}(?:,|\.|\band\b|\bor\b|$|\n)))"
    r"[\s*_`$({\[\\]{0,6}(?:(?:possibly|perhaps|maybe|also|even|alternatively|else),?\s+)?(?:\\text\{)?(?:option\s+|"
    r"choice\s+)?[*_(\[]{0,3}([A-P])(?![A-Za-z0-9_'’])"
)
_BLANK_CHAIN = re.compile(r"(?:[ ,]+\(?[A-P]\)?){1,15}(?=\s*[.*)]?\s*(?:$|\n))")
_CLAUSE = re.compile(
    r"[*_`)}\]]{0,4}\s*(?:is|are|was|were|can|could|would|cannot|do|does|did|has|have|had|fails?|lies|lie|seems?|might|may|"
    r"describes?|refers?|says?|being|"
    r"includes?|represents?|shows?|would|will|contradicts?|ignores?|states?|suggests?|both|alone|only)\b|[*_`)}\]]{0,4}\s*[=<>]"
)
_OR_IT_MIGHT = re.compile(
    r"[\s*_`$)}\]]{0,4}[.,;]?\s*(?:(?:or|but|and|though|although)\b[\s,]*)?(?:(?:maybe|perhaps|possibly)\b[\s,]*)?"
    r"(?:(?:it|the answer|that)\s+)?(?:(?:could|might|may)\s+(?:also\s+|as well\s+)?be|or\s+(?:maybe|perhaps|possibly)|maybe|"
    r"perhaps|(?<=\.\s)or)\s+(?:option\s+)?[(*_]{0,3}([A-P])(?![A-Za-z0-9_'’])",
    re.IGNORECASE,
)
_NOT_THIS = re.compile(r"[\s*_:]*(?:not|nicht|pas)\b", re.IGNORECASE)
_BUT_THAT = re.compile(
    r"[^.!?\n]{0,80}?\b(?:but|rather|it is|it['’]s|instead|sondern|mais)\s+"
    r"(?:rather\s+|instead\s+)?(?=[\s(*]*(?:option\s+)?[(*]*[A-P]\b)",
    re.IGNORECASE,
)
_SEVERAL_OF = re.compile(r"[\s*_:]*(?:either|both|one of|between|among)\b([^.!?\n]{1,200})", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<!\b[A-P])[.;!?](?=\s|$)|[。！？；]")
_WORD_END = re.compile(r"\w*[\"”’')\]*_$}]*")
_OWN_TEXT = re.compile(r"[\s*_`$)}\].:,—–-]{1,8}\(?")
_STRICT_END = re.compile(
    r"[*_`)\]}$\"'”’]{0,6}(?:\s+it\s+is\b|\s*(?:$|\n|[.,;:!()—–-])|\s+(?:because|since|as|for|which|with|is the|is correct|"
    r"is right|the\s+(?:right|correct|best|only)|option|choice|instead|rather|here|remains?|"
    r"fits|works|matches|satisfies|lies|holds|describes|and not|not)\b|项|項|选项|です|입니다|이다|である|。)"
)


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
    if _NOT_THIS.match(rest):
        turned = _BUT_THAT.match(rest)
        return read_after(text, at + turned.end(), texts, strict=True) if turned else None
    lead = _LEAD.match(rest)
    letter = _LETTER.match(rest, lead.end() if lead else 0)
    if letter is not None and _is_letter(rest, letter, texts):
        return _read_letter(text, letter, at, texts, strict)
    several = _SEVERAL_OF.match(rest)
    if several:
        named = {name for name in LONE_LETTERS.findall(several[1]) if name in texts.letters}
        if len(named) > 1:
            return HEDGE, at + several.end()
    found = _read_text(line, texts) if not strict or may_be_text else None
    return None if found is None else (found[0], at + offset + found[1])


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
    if match[2] and letter not in texts.letters:
        return False
    if letter in "AI" and match[1]:
        line = rest[match.start() :].partition("\n")[0]
        start = texts.match_start(line) if ALONE.fullmatch(flat(line)) is None else None
        if start is not None and start[1] > 1:
            return False
        return _STILL_LETTER.match(rest, match.end()) is not None or texts.is_text_of(letter, line[1:])
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
        elif texts.match(line) not in (None, letter, HEDGE):
            return HEDGE, at + end + len(line)
    more = _CHAIN.match(rest, end) or _BLANK_CHAIN.match(rest, end)
    while more is not None and not _CLAUSE.match(rest, more.end()):
        names = set(LONE_LETTERS.findall(more[0])) - {letter}
        if names & set(texts.letters) or (names and letter not in texts.letters):
            return HEDGE, at + more.end()
        more = _CHAIN.match(rest, more.end())
    maybe = _OR_IT_MIGHT.match(rest, end)
    if maybe is not None and maybe[1].upper() in texts.letters and maybe[1].upper() != letter:
        return HEDGE, at + maybe.end()
    if begins_list(text, at + match.start()):
        return None
    if strict and not _STRICT_END.match(rest, end):
        return None
    return letter, at + end


def _read_text(line: str, texts: OptionTexts) -> tuple[str, int] | None:
    """An option's text, or several, at the beginning of a line; with the length of what was read."""
    for candidate in _candidates(line, texts):
        found = read_whole(candidate, texts)
        if found is not None:
            return found, len(candidate)
    start = texts.match_start(line)
    if start is None:
        return None
    rest = soft_key(line)[start[1] :]
    joined = re.match(r"\s*(?:,|/|\bor\b|\band\b)\s*(?:or\s+|and\s+)?", rest)
    if (
        joined is not None
        and texts.match_start(rest[joined.end() :]) is not None
        and not rest[joined.end() :].startswith("not ")
    ):
        return HEDGE, len(line)
    return start[0], min(len(line), start[1])
