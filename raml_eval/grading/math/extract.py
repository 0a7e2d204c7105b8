"""The answer that a text gives to a mathematical question, and the rule that found it.

Pure and linear in the length of the text: completions may be a megabyte written to do harm.
"""

from __future__ import annotations

import re

from raml_eval.grading.extraction import Extraction
from raml_eval.grading.math.conclusion import read_conclusion, read_result
from raml_eval.grading.statements.boxes import final_boxes, find_boxes
from raml_eval.grading.statements.phrases import PHRASE, last_phrases
from raml_eval.grading.text import unwrap

_JSON_FIELD = re.compile(r"\"(?:final_?)?answer\"\s*:\s*(?:\"((?:[^\"\\]|\\.){1,300})\"|([^\",}\s]{1,100}))", re.IGNORECASE)
_NEXT_QUESTION = re.compile(
    r"\n\s{0,4}(?:Q|Question|Problem|Exercise|Human|User)\s{0,2}\d{0,3}\s{0,2}[:：]|\n###\s+(?:Instruction|Question|Problem)\b|<\|im_start\|>"
)
_TAGGED = re.compile(r"<answer>(.{0,2000}?)</answer>", re.DOTALL | re.IGNORECASE)
_DELIMITED = re.compile(
    r"\$\$((?:[^$\\]|\\.){1,2000})\$\$|\$((?:[^$\\]|\\.){1,2000})\$|\\\(((?:[^\\]|\\(?!\))){1,2000})\\\)|\\\[((?:[^\\]|"
    r"\\(?!\])){1,2000})\\\]"
    r"|\*\*([^*\n]{1,500})\*\*"
)
_SENTENCE_END = re.compile(
    r"(?<!\b[A-Z])(?<!i\.e)(?<!e\.g)[.!?](?=\s|$)|;(?=\s*[A-Za-z]|\s*$)|。|\n|\s(?:because|since|so that|which)\s|"
    r",\s(?:as|because|since)\s"
)
_NUMBER = r"[-+−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_COUNTED = re.compile(rf"(?:\\?[$€£]\s?)?({_NUMBER}(?:/\d+)?(?:\s*\\?%)?)(?:\s+[A-Za-z]{{3,}}[A-Za-z \-]*)?")
_HASHES = re.compile(r"^####[ \t]*(\S[^\n]*)$", re.MULTILINE)
_FORMULA = re.compile(rf"(?:[a-zA-Z]\s*=\s*|\\?[$€£]\s?)?{_NUMBER}(?:\s*/\s*\d+)?(?:\s*\\?%)?|\$[^$]+\$|\\\(.+\\\)")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_PLAIN_WORD = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}(?![a-zA-Z{])")
_JOINED = re.compile(r"\s*(?:,\s*)?(?:(?:and|or)\b\s*)?")
_HEDGE = re.compile(r"\b(?:either|maybe|perhaps|possibly|not)\b", re.IGNORECASE)
_REMARK = re.compile(  # 'this answer is correct' answers nothing
    r"(?:also|an?|as|based|because|clear|consistent|correct|found|given|in|incorrect|right|supported|that|the|therefore|"
    r"thus|to|unique|verified|what|wrong)\b|(?:\S+\s+){5}",
    re.IGNORECASE,
)


def _read_phrase(rest: str) -> str | None:
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
    clause = re.sub(r"\s*\((?:not|and not)\b[^()]*\)$", "", clause.rpartition("i.e.")[2].strip(" ,"))
    if _HEDGE.search(clause):
        return ""
    if (_REMARK.match(clause) and not re.search(r"[\d\\=]", clause)) or "decimal place" in clause:
        return None
    if re.match(r"[-+−\d\\$]", clause):
        return clause if len(clause) <= 200 else None
    if len(_PLAIN_WORD.findall(clause)) >= 3 or len(_CJK.findall(clause)) >= 2:
        result = read_result(clause.replace("**", "") if clause.count("**") % 2 else clause)
        if result:
            return result
    return None if not clause or len(clause) > 200 else clause


def _drop_next_question(text: str) -> str:
    """A base model goes on with the next question of its prompt: only what it says before is an answer to this one."""
    for match in _NEXT_QUESTION.finditer(text):
        before = text[: match.start()]
        if _HASHES.search(before) or PHRASE.search(before) or find_boxes(before):
            return before
    return text


def _one_short_line(text: str, limit: int) -> str | None:
    line = text.strip()
    return line if line and "\n" not in line and len(line) <= limit else None


def _extract_tagged_or_phrase(text: str) -> Extraction | None:
    tagged = _TAGGED.findall(text)
    if tagged and len(tagged[-1].strip()) <= 500 and tagged[-1].strip():
        inner = _extract(tagged[-1])
        return Extraction(inner.answer or unwrap(tagged[-1]), "answer tag", closed=True)
    fields = _JSON_FIELD.findall(text)
    if fields:
        return Extraction((fields[-1][0] or fields[-1][1]).replace("\\\\", "\\"), "answer field")
    for phrase in last_phrases(text):
        answer = _read_phrase(phrase)
        if answer is not None:
            return Extraction(answer or None, "answer phrase" if answer else "answer phrase, a hedge")
    return None


def extract_math(text: str) -> Extraction:
    """The last box, with those that lead up to it in one phrase; else <answer>; else what follows the last 'answer is'.

    Of a phrase ('answer is', 'answer:', an 'Answer' heading), a hedge is no answer. Without any: '#### 42'; the whole text if
    it is one number or formula; the one result of a last sentence that concludes. A next question is not read.

    Example: extract_math("Hence $x = 4$, so the answer is 16.").answer is "16".
    """
    return _extract(_drop_next_question(text))


def _extract(text: str) -> Extraction:
    rule, boxes = final_boxes(text)
    if boxes or rule == "unclosed box":
        return Extraction(", ".join(boxes) or None, rule, closed=rule.startswith("boxed"))
    found = _extract_tagged_or_phrase(text)
    if found is not None:
        return found
    hashes = _HASHES.findall(text)
    if hashes and (_FORMULA.fullmatch(hashes[-1].rstrip(" \t.")) or _COUNTED.fullmatch(hashes[-1].rstrip(" \t."))):
        return Extraction(unwrap(hashes[-1]), "after ####")
    line = _one_short_line(text, 200)
    if (line is not None and _FORMULA.fullmatch(unwrap(line))) or _FORMULA.fullmatch((line or "").rstrip(".")):
        return Extraction(unwrap(line or ""), "whole answer")
    concluded = read_conclusion(text)
    if concluded is not None:
        return Extraction(concluded, "conclusion")
    return Extraction(None, "nothing found")
