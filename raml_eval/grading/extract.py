"""The answer that a finished completion gives, and the rule that found it.

Pure and linear in the length of the text: completions may be a megabyte written to do harm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from raml_eval.grading.text import drop_invisible, unwrap

LOOKED_AT = 100_000  # characters, from the end: an answer stands there, and the time stays bounded

_BRACES = re.compile(r"(\\(?:boxed|fbox)\s*\{)|\\.|([{}])", re.DOTALL)
_PHRASE = re.compile(
    r"\banswer\b(?:[ \t]to[ \t][^.:\n]{1,80}?)?(?:[*_\s]{0,4}(?:\b(?:is|(?:would|must|should|will)\s+be)\b|[:=：])"
    r"(?:[*_]{1,2}(?=[\s:]))?[\s:]{0,8}|[*_]{0,4}:?[*_]{0,4}[ \t]{0,4}\n\s{0,8})",
    re.IGNORECASE,
)
_DELIMITED = re.compile(
    r"\$\$((?:[^$\\]|\\.){1,2000})\$\$|\$((?:[^$\\]|\\.){1,2000})\$|\\\(((?:[^\\]|\\(?!\))){1,2000})\\\)|\\\[((?:[^\\]|\\(?!\])){1,2000})\\\]"
    r"|\*\*([^*\n]{1,500})\*\*"
)
_SENTENCE_END = re.compile(r"(?<!\b[A-Z])[.;!?](?=\s|$)|\n|\s(?:because|since|so that|which)\s")
_NUMBER = r"[-+−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_COUNTED = re.compile(rf"({_NUMBER}(?:/\d+)?(?:\s*\\?%)?)(?:\s+[A-Za-z]{{3,}}[A-Za-z \-]*)?")
_HASHES = re.compile(r"^####[ \t]*(\S[^\n]*)$", re.MULTILINE)
_FORMULA = re.compile(rf"{_NUMBER}(?:\s*/\s*\d+)?(?:\s*\\?%)?|\$[^$]+\$|\\\(.+\\\)")
_JOINED = re.compile(r"\s*(?:,\s*)?(?:(?:and|or)\b\s*)?")
_HEDGE = re.compile(r"\b(?:either|maybe|perhaps|possibly|not)\b", re.IGNORECASE)
_REMARK = re.compile(  # 'this answer is correct' answers nothing
    r"(?:also|an?|as|based|because|clear|consistent|correct|found|given|in|incorrect|right|supported|that|the|therefore|"
    r"thus|to|unique|verified|what|wrong)\b|(?:\S+\s+){5}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Extraction:
    """What was found and by which rule; answer None: nothing that a reader would take for the answer."""

    answer: str | None
    rule: str


def drop_thinking(completion: str) -> str | None:
    """The text after the last </think>; None where a thinking was opened and never closed."""
    answer = completion.rpartition("</think>")[2]
    return None if "<think>" in answer else answer


def find_boxes(text: str) -> list[tuple[int, int, int]]:
    r"""Where the closed \boxed{...} and \fbox{...} stand, in the order in which they close.

    Each is (start of the command, start of the content, end of the content). Escaped braces hold nothing.
    """
    open_at: list[tuple[int, int] | None] = []
    boxes: list[tuple[int, int, int]] = []
    for match in _BRACES.finditer(text):
        if match[1]:
            open_at.append((match.start(), match.end()))
        elif match[2] == "{":
            open_at.append(None)
        elif match[2] == "}" and open_at and (opened := open_at.pop()) is not None:
            boxes.append((*opened, match.start()))
    return boxes


def last_box(text: str) -> str | None:
    """The content of the last closed box that is not blank; of a box that only holds a box, the inner one's."""
    boxes = find_boxes(text)
    while boxes and not text[boxes[-1][1] : boxes[-1][2]].strip():
        boxes.pop()
    if not boxes:
        return None
    _, start, end = boxes.pop()
    while boxes and not text[start : boxes[-1][0]].strip() and not text[boxes[-1][2] + 1 : end].strip():
        _, start, end = boxes.pop()
    return text[start:end].strip()


def last_phrases(text: str) -> list[str]:
    """What follows the last 20 'answer is', 'answer:' or 'Answer' headings, the last first, up to 2,000 characters each."""
    ends = [match.end() for match in _PHRASE.finditer(text)]
    return [text[end : end + 2000] for end in reversed(ends[-20:])]


def _read_phrase(rest: str, exact: bool) -> str | None:
    """The formulas, bold words or clause that 'answer is' is followed by; "" for a hedge, None for a mere remark."""
    formulas, position = [], 0
    while (formula := _DELIMITED.match(rest, position)) is not None:
        formulas.append(next(group for group in formula.groups() if group is not None).strip())
        joint = _JOINED.match(rest, formula.end())
        position = joint.end() if joint and joint[0].strip() else len(rest)
    if formulas:
        return ", ".join(formulas)
    end = _SENTENCE_END.search(rest)
    clause = unwrap((rest[: end.start()] if end else rest).strip(" *_"))
    if exact:  # a label may be any words: 'not entailed', 'correct', '5 apples'
        return clause if clause and len(clause) <= 200 else None
    if _HEDGE.search(clause):
        return ""
    counted = _COUNTED.fullmatch(clause)
    if counted is not None:
        return counted[1]
    is_remark = _REMARK.match(clause) and not re.search(r"[\d\\=]", clause)
    return None if not clause or len(clause) > 200 or is_remark else clause


def _one_short_line(text: str, limit: int) -> str | None:
    line = text.strip()
    return line if line and "\n" not in line and len(line) <= limit else None


def _extract_boxed_or_phrase(text: str, exact: bool) -> Extraction | None:
    box = last_box(text)
    if box is not None:
        return Extraction(box, "boxed")
    for phrase in last_phrases(text):
        answer = _read_phrase(phrase, exact)
        if answer is not None:
            return Extraction(answer or None, "answer phrase" if answer else "answer phrase, a hedge")
    return None


def _extract_math(text: str) -> Extraction:
    found = _extract_boxed_or_phrase(text, exact=False)
    if found is not None:
        return found
    hashes = _HASHES.findall(text)
    if hashes and _FORMULA.fullmatch(hashes[-1].rstrip(" \t.")):
        return Extraction(unwrap(hashes[-1]), "after ####")
    line = _one_short_line(text, 200)
    if line is not None and _FORMULA.fullmatch(line.rstrip(".")):
        return Extraction(unwrap(line), "whole answer")
    return Extraction(None, "nothing found")


def _extract_exact(text: str) -> Extraction:
    found = _extract_boxed_or_phrase(text, exact=True)
    if found is not None:
        return found
    line = _one_short_line(text, 200)
    return Extraction(line, "whole answer") if line is not None else Extraction(None, "nothing found")


def extract_answer(text: str, kind: str, options: Sequence[str] = ()) -> Extraction:
    r"""The answer that the text gives, never one that merely happens to stand in it.

    text is the finished answer, without thinking; its last LOOKED_AT characters are read. By kind:

    - math: the last closed box; else what follows the last 'answer is', 'answer:' or 'Answer' heading, unless it hedges;
      else '#### 42'; else the whole text where it is one number or formula.
    - exact: the last closed box; else what follows the last such phrase; else the whole text where it is one line.
    - choice: see raml_eval.grading.choice.
    - code: see raml_eval.grading.code_text; options are the names of which the program defines one.
    """
    if kind == "code":
        from raml_eval.grading.code_text import extract_code

        return extract_code(text, options)
    text = drop_invisible(text[-LOOKED_AT:])
    if kind == "choice":
        from raml_eval.grading.choice import extract_choice

        return extract_choice(text, options)
    return _extract_math(text) if kind == "math" else _extract_exact(text)
