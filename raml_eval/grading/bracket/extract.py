"""Answers in double square brackets, as KOR-Bench asks for them: [[...]]."""

from __future__ import annotations

import re

from raml_eval.grading.exact import extract_exact
from raml_eval.grading.extraction import Extraction
from raml_eval.grading.statements.settle import cut_next_turn, read_before
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import lower

LONGEST = 20_000  # characters of an answer; the longest puzzle grid takes some hundreds

_WIDE = str.maketrans("【】［］〔〕⟦⟧", "[][][][]")
_DOUBLED = re.compile(r"\\\[\s*\\\[|\\\]\s*\\\]")
_BRACKET = re.compile(r"\\?[\[\]]")
_BOX = re.compile(r"\s*\\?boxed\s*\{(.*)\}\s*", re.DOTALL)
_LISTED = re.compile(r"[ \t$*`]{0,6}[;,][ \t$*`]{0,6}|[ \t]{1,4}(?=\[\[)")
_SINGLE = re.compile(r"[\s*$`]*\[{1,2}([^\[\]]{1,2000})\]{1,2}[\s*$`.]*")


def extract_bracket(text: str) -> Extraction:
    """The content of the last [[...]] that is not denied; several that are joined by 'or' or listed count together.

    Placeholders such as [[your answer]] are skipped. If there are no such brackets, the last box, answer phrase or one-line
    text is the answer, without brackets around it.

    Example: extract_bracket("The format is [[your answer]], so [[A]] or [[C]].").answer is "A or C".
    """
    return read_before(cut_next_turn(lower(text)), len(text), lambda end: _extract(text[:end]))


def _extract(text: str) -> Extraction:
    spans = find_brackets(text)
    said = [span for span in spans if not PHRASES["brackets denied"].search(text, max(0, span[0] - 40), span[0])]
    said = [span for span in said if not PHRASES["brackets refused"].match(text, span[1])] or said
    if said:
        return Extraction(_join_last(text, said), "in brackets", closed=True)
    if spans:
        return Extraction(None, "in brackets, denied", closed=True)
    found = extract_exact(text)
    if found.answer is None:
        return found
    single = _SINGLE.fullmatch(found.answer)
    content = (single[1] if single else found.answer).strip()
    unread = "[[" in content or "]]" in content or PHRASES["brackets empty"].fullmatch(content) is not None
    return Extraction(None, "nothing found") if unread else Extraction(content, found.rule, found.closed)


def find_brackets(text: str) -> list[tuple[int, int, str]]:
    """The closed [[...]] that hold an answer, as (start, end, content), in the order of the text; none is inside another.

    Brackets of other scripts count as well. Example: find_brackets("It is 【【7】】.") is [(6, 11, "7")].
    """
    text = _DOUBLED.sub(lambda m: m[0].replace("\\", " "), text.translate(_WIDE))
    opened: list[int] = []
    spans: list[tuple[int, int]] = []
    for match in _BRACKET.finditer(text):
        if match[0].startswith("\\"):  # a display formula
            continue
        if match[0] == "[":
            opened.append(match.start())
        elif opened:
            start, end = opened.pop(), match.end()
            if end - start <= LONGEST and _is_double(text, start, end):
                while spans and spans[-1][0] > start:
                    spans.pop()
                spans.append((start, end))
    found = [(start, end, strip_brackets(text[start:end])) for start, end in spans]
    return [span for span in found if not PHRASES["brackets empty"].fullmatch(span[2])]


def _is_double(text: str, start: int, end: int) -> bool:
    """Whether the brackets at start and end - 1 hold another pair right inside, apart from blanks."""
    begin, finish = start + 1, end - 2
    while begin < finish and text[begin].isspace():
        begin += 1
    while finish > begin and text[finish].isspace():
        finish -= 1
    return text[begin] == "[" and text[finish] == "]"


def strip_brackets(text: str) -> str:
    """The text without up to two pairs of square brackets around all of it, and without bold marks or a box around the rest.

    Example: strip_brackets("[[1,2],[3,4]]") is "[1,2],[3,4]".
    """
    for _ in range(2):
        text = text.strip()
        if not _enclosed(text):
            break
        text = text[1:-1]
    text = text.strip()
    if text.startswith("**") and text.endswith("**") and len(text) > 4:
        text = text[2:-2]
    box = _BOX.fullmatch(text)
    return (box[1] if box else text).strip()


def _enclosed(text: str) -> bool:
    """Whether one pair of square brackets encloses the whole text."""
    if not (text.startswith("[") and text.endswith("]")):
        return False
    depth = 0
    for match in _BRACKET.finditer(text):
        if not match[0].startswith("\\"):
            depth += 1 if match[0] == "[" else -1
            if depth == 0:
                return match.end() == len(text)
    return False


def _join_last(text: str, spans: list[tuple[int, int, str]]) -> str:
    """The last content, together with those before it that are joined to it by 'or', a semicolon or a comma."""
    start, _, content = spans[-1]
    alternatives, listed = [content], [content]
    for before, end, other in reversed(spans[:-1][-10:]):
        between = text[end:start]
        if PHRASES["brackets or"].fullmatch(between) and len(listed) == 1:
            alternatives.insert(0, other)
        elif _LISTED.fullmatch(between) and len(alternatives) == 1:
            listed.insert(0, other)
        else:
            break
        start = before
    if len(listed) > 1:
        return ";".join(f"[{part}]" for part in listed)
    return " or ".join(alternatives)
