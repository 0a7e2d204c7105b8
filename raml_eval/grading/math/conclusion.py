"""The answer that a last sentence names, for texts with neither a box nor 'the answer is'.

The last sentence is read only if it is complete, and only if it names exactly one result. A plan, a question and a hedge
name none.
"""

from __future__ import annotations

import re

from raml_eval.grading.math.result import gives_none, is_value, read_result
from raml_eval.grading.math.undelimited import is_formula
from raml_eval.grading.statements.delimited import DISPLAY, FORMULA
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import unwrap

LOOKED_AT = 3000  # characters, from the end
SHORT = 200  # characters of a sentence that may do without a full stop

_END = re.compile(r"(?:[.!。！)）\]}$*✓✔]|\\\)|\\\])\s*$")
_SAYS = re.compile(r"[^\W\d_]|[=$\]]")
_SENTENCE = re.compile(r"[.!?。！？][*_]*$")
_SPLIT = re.compile(
    r"(?<=[.!?])\**\s+(?=[A-Z\d\\$*∴\u4e00-\u9fff\0])|(?<=[\d$)][.!?])\s+(?=[a-z]\s?=\s?[-−\d])|(?<=[。？])|\n+"
)
# A formula on lines of its own, with the line before it if no sentence ends there, and one behind it that goes on.
_AROUND = re.compile(r"(?:(?<=[^\s.!?。])\s{1,20})?\0(?:\s{1,20}(?=[a-z,]))?")
_TAGS = re.compile(r"</?[A-Za-z]{1,20}>")
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf\ufe0f]")


def read_conclusion(text: str) -> str | None:
    """The one result that the last sentence names; None if it names none or several, plans, asks or hedges.

    Example: read_conclusion("There are 35 of them. I hope this helps!") is "35".
    """
    if (first := PHRASES["answer first"].match(text[:200])) is not None and re.search(r"\d", first[1]):
        return first[1].strip()
    tail = _EMOJI.sub("", _TAGS.sub(" ", text[-LOOKED_AT:])).strip()
    before, _, line = tail.rpartition("\n")
    line, above = unwrap(line), before.rstrip().rpartition("\n")[2].strip()
    if _is_lone(line) and (_is_lone(unwrap(above)) or (_SENTENCE.search(above) is None and gives_none(above))):
        return None  # a column of numbers names no answer, and neither does 'it cannot be', newline, 42
    if _is_lone(line) and _SAYS.search(above) is not None:
        return line
    sentences = _drop_remarks(_split(tail))
    if not sentences:
        return None
    last = sentences[-1]
    if len(sentences) > 1 and PHRASES["beside result"].match(last) and PHRASES["conclusion start"].match(sentences[-2]):
        return None
    if len(sentences) > 1 and FORMULA.fullmatch(last.strip(" .")):  # "Therefore,\n\\[ x = 5 \\]"
        last = f"{sentences[-2]} {last}"
    ended = _END.search(last) or (len(text) < SHORT and PHRASES["conclusion start"].match(last))
    if not ended and len(last) <= SHORT and last[-1:].isdigit():
        ended = PHRASES["conclusion start"].match(last) or PHRASES["labelled"].match(last) or PHRASES["computed"].search(last)
    return read_result(last) if ended else None


def _is_lone(line: str) -> bool:
    """Whether a line is nothing but a number, perhaps with a unit of one word, or a formula that is no equation."""
    if len(line) > SHORT or "=" in line or not any(map(str.isdigit, line)):
        return False
    number, _, unit = line.rpartition(" ")
    return is_value(line) or is_formula(line) or (unit.isalpha() and is_value(number))


def _split(tail: str) -> list[str]:
    """The sentences. A formula on lines of its own belongs to the sentence that leads up to it and is never split."""
    formulas = [match[0] for match in DISPLAY.finditer(tail)]
    joined = _AROUND.sub(" \0 ", DISPLAY.sub("\0", tail.replace("\0", " ")))
    pieces = _SPLIT.split(joined)
    sentences, n_used = [], 0
    for piece in pieces:
        for _ in range(piece.count("\0")):
            piece = piece.replace("\0", " ".join(formulas[n_used].split()), 1)
            n_used += 1
        if piece.strip(" *-#>_\t"):
            sentences.append(piece.strip())
    return sentences


def _drop_remarks(sentences: list[str]) -> list[str]:
    """The sentences without what follows the result: an offer of help, a check of it, or a remark that names no number."""
    for _ in range(4):
        if len(sentences) < 2:
            break
        last, before = sentences[-1], sentences[-2]
        bare = not re.search(r"\d|\$|\*\*", last)
        asks = last.rstrip(" )").endswith("?") or PHRASES["offers"].match(last) is not None or not re.search(r"\w", last)
        concluded = PHRASES["conclusion start"].match(before) is not None or before.startswith("**")
        remarks = bare or PHRASES["checks"].match(last) is not None or _rejects(last, before)
        if not (bare and asks) and not (concluded and remarks):
            break
        sentences = sentences[:-1]
    return sentences


def _rejects(sentence: str, before: str) -> bool:
    """Whether a sentence only rejects values, none of which the sentence before names."""
    rejected = {match[0] for match in PHRASES["value"].finditer(sentence)}
    return PHRASES["rejects"].search(sentence) is not None and rejected.isdisjoint(PHRASES["value"].findall(before))
