"""Splits a thinking into sentences, which are what rules keep or drop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Ends in a full stop that ends no sentence, each with an example that is one sentence. "etc." and "No." are not among them:
# both often end one.
ABBREVIATIONS: dict[str, str] = {
    "e.g.": "Take a prime, e.g. 7, and square it.",
    "i.e.": "It is even, i.e. divisible by 2.",
    "cf.": "That is known, cf. Euler.",
    "vs.": "Compare 12 vs. 15 apples.",
    "approx.": "It is approx. 3.14 metres.",
    "resp.": "They are 3 resp. 4.",
    "w.r.t.": "Differentiate w.r.t. x here.",
    "w.l.o.g.": "Assume w.l.o.g. that a < b.",
    "s.t.": "Find n s.t. n divides 12.",
    "fig.": "See Fig. 3 of the text.",
    "eq.": "Insert it in Eq. 2 above.",
    "eqs.": "By Eqs. 2 and 3 it is 5.",
    "dr.": "Dr. Jones has 3 cats.",
    "mr.": "Mr. Jones has 3 cats.",
    "mrs.": "Mrs. Jones has 3 cats.",
    "prof.": "Prof. Jones has 3 cats.",
    "z.b.": "Nimm z.B. 7 als Primzahl.",
    "d.h.": "Sie ist gerade, d.h. durch 2 teilbar.",
    "bzw.": "Es sind 3 bzw. 4.",
}
_LONGEST = max(map(len, ABBREVIATIONS))
# A run is looked at from its first character only, or runs of thousands would take minutes.
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]}*_]*+(?=\s)|(?<![。！？｡…])[。！？｡…]++[”’」』）】\"']*+")
_LIST_MARK = re.compile(r"[\s>#*+-]{0,20}(?:\d{1,3}|[A-Za-z]|[ivx]{1,5})\.")
_OPENER = re.compile(r"\$\$|\$(?=\S)|\\\(|\\\[|`")
_CLOSERS = {"$$": re.compile(r"\$\$"), "$": re.compile(r"(?<!\s)\$(?!\d)"), "`": re.compile("`")}
_CLOSERS |= {r"\(": re.compile(r"\\\)"), r"\[": re.compile(r"\\\]")}
_FENCE = re.compile(r"\s*(?:```|~~~)")
_BLANKS = " \t\r\u3000"


@dataclass(frozen=True, slots=True)
class Sentence:
    """The characters from start to end of a text. block is true for a line of a code block or of a display formula."""

    start: int
    end: int
    block: bool = False

    def of(self, text: str) -> str:
        return text[self.start : self.end]


def split_sentences(text: str) -> list[Sentence]:
    """The sentences of the text, which together are the whole of it.

    A line break ends a sentence. So do . ! ? and … before a blank, and 。！？ anywhere, with the closing quotes and brackets
    after them; not after an abbreviation, a list mark such as "2.", or within a formula or code on one line. A line of a code
    block or of a display formula is one sentence. Line breaks belong to the sentence before them, and other blanks to the one
    after, as in the tokens of most vocabularies.

    Example: [s.of("So 3. Yes.") for s in split_sentences("So 3. Yes.")] == ["So 3.", " Yes."]
    """
    found: list[Sentence] = []
    start = 0
    for at, line, block in _lines(text):
        end = at + len(line)
        if not line.strip():
            if found:  # a blank line belongs to what stands before it
                found[-1] = Sentence(found[-1].start, end, found[-1].block)
                start = end
            continue
        for stop in () if block else _ends(line):
            found.append(Sentence(start, at + stop))
            start = at + stop
        if start < end:
            found.append(Sentence(start, end, block))
        start = end
    if start < len(text):  # nothing but blanks
        found.append(Sentence(start, len(text)))
    return found


def _lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """(offset, line with its line break, whether it belongs to a block) for each line."""
    at, fenced, depth, odd = 0, False, 0, False
    for line in re.findall(r"[^\n]*\n|[^\n]+", text):
        fence = _FENCE.match(line) is not None
        inside = fenced or fence or depth > 0 or odd
        if fence:
            fenced = not fenced
        elif not fenced:
            if not line.strip():  # no formula goes on after a blank line
                depth, odd = 0, False
            opened = line.count(r"\[") + line.count(r"\begin{") - line.count(r"\]") - line.count(r"\end{")
            depth, odd = max(0, depth + opened), odd != (line.count("$$") % 2 == 1)
            inside = inside or depth > 0 or odd
        yield at, line, inside
        at += len(line)


def _ends(line: str) -> Iterator[int]:
    """The places in a line after which a new sentence begins, before the end of what it says."""
    length, start, formulas = len(line.rstrip()), 0, _formulas(line)
    formula = next(formulas, None)
    for match in _END.finditer(line):
        while formula is not None and formula[1] <= match.start():
            formula = next(formulas, None)
        if match.end() >= length or (formula is not None and formula[0] < match.start()):
            continue
        mark = match[0].startswith(".") and _LIST_MARK.fullmatch(line, start, match.end())
        if not mark and not _abbreviates(line, match.end()):
            yield match.end()
            start = match.end()


def _abbreviates(line: str, end: int) -> bool:
    """True if an abbreviation ends there, as a word of its own."""
    words = line[max(0, end - _LONGEST - 1) : end].lower().split()
    return bool(words) and words[-1].lstrip("(\"'“‘[") in ABBREVIATIONS


def _formulas(line: str) -> Iterator[tuple[int, int]]:
    """Where formulas and code stand within a line. A dollar before a blank or after one is money, as in pandoc's Markdown."""
    at, unclosed = 0, set()
    while (opener := _OPENER.search(line, at)) is not None:
        at = opener.end()
        if opener[0] in unclosed:
            continue
        closer = _CLOSERS[opener[0]].search(line, at)
        if closer is None:
            unclosed.add(opener[0])  # nor will a later one be closed
            continue
        yield opener.start(), closer.end()
        at = closer.end()
