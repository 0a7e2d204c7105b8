"""Answers that are compared as text: what a text gives as its answer, word for word."""

from __future__ import annotations

import re

from raml_eval.grading.extraction import Extraction
from raml_eval.grading.statements.boxes import last_box
from raml_eval.grading.statements.delimited import QUOTED, read_marked
from raml_eval.grading.statements.phrases import texts_behind
from raml_eval.grading.statements.places import TO_COMPUTE, TO_WRITE, formal_places, place_order
from raml_eval.grading.statements.settle import cut_next_question
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import TRAILING, drop_text_commands, lower, plain_unicode, unwrap

LONGEST = 200  # characters of an answer that no delimiter marks

_FENCED = re.compile(r"\s{0,8}```[a-z]{0,12}\n([^`]{1,2000})\n[ \t]*```")
_PLACEHOLDER = re.compile(r"\s*|(?=.*[.…_])[\W_]*", re.DOTALL)  # "...", "[___]", but no brackets and signs of their own
_SURE = ("answer tag", "JSON")


def extract_exact(text: str) -> Extraction:
    """The last closed box; else the last <answer>, JSON "answer" or closing '####' line; else what the last 'answer is' says.

    Else the whole text where it is one line of at most LONGEST characters. A next question is not read.
    """
    cut = cut_next_question(lower(text))
    if cut < len(text):
        found = _extract(text[:cut])
        if found.answer is not None and (found.rule != "whole answer" or text[cut] in "<["):
            return found
    return _extract(text)


def _extract(text: str) -> Extraction:
    box = last_box(text)
    if box is not None:
        return Extraction(box, "boxed", closed=True)
    end = len(text.rstrip())
    for place in sorted(formal_places(text), key=place_order, reverse=True):
        closing = place.rule == "after ####" and place.end is not None and place.end >= end
        content = unwrap(text[place.at : place.end])
        if (place.rule in _SURE or closing) and not _PLACEHOLDER.fullmatch(content):
            return Extraction(content, place.rule, place.closed)
    # Labels such as 'Response:' count only if nothing says what the answer is.
    for phrase in (*texts_behind(text, TO_COMPUTE), *texts_behind(text, TO_WRITE)):
        answer = _read_phrase(phrase)
        if answer:
            return Extraction(answer, "answer phrase")
    line = text.strip()
    if line and "\n" not in line and len(line) <= LONGEST and "oxed{" not in line:
        return Extraction(line, "whole answer")
    return Extraction(None, "nothing found")


def _read_phrase(rest: str) -> str | None:
    """The code block, formulas, bold words or clause that a phrase is followed by."""
    fenced = _FENCED.match(rest)
    if fenced is not None:
        return fenced[1].strip()
    if parts := read_marked(rest, QUOTED):
        return ", ".join(parts)
    end = PHRASES["text ends"].search(rest)
    clause = unwrap((rest[: end.start()] if end else rest).strip(" *_"))
    if (contrast := PHRASES["not another text"].search(clause)) is not None and contrast.start():
        clause = unwrap(clause[: contrast.start()])
    return clause if clause and len(clause) <= LONGEST else None


def normalize_exact(text: str) -> str:
    r"""The text in the one spelling that the kind 'exact' compares.

    In this order: look-alike characters unified and invisible ones dropped; \text{...} and its like, math delimiters, bold
    and code marks, and LaTeX spacing removed; case folded; one pair of quotes around the whole removed; every run of
    whitespace one space, and none beside a character that is neither letter nor digit; .,;:!? at the end removed.
    All other punctuation counts: -5 is not 5, 1,2 is not 12, [1] is not 1.
    """
    text = unwrap(drop_text_commands(plain_unicode(text)))
    text = re.sub(r"\\(?:[,;:! ]|q?quad(?![a-zA-Z]))|~", " ", text).replace(r"\{", "{").replace(r"\}", "}")
    text = unwrap(text).casefold()
    if len(text) >= 2 and text[0] in "\"'" and text[-1] == text[0]:
        text = text[1:-1]
    text = re.sub(r"\s+", " ", text)
    return re.sub(r" (?=[^\w ])|(?<=[^\w ]) ", "", text).strip().rstrip(TRAILING + "!?")
