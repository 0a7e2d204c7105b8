"""The answer that a text gives to a mathematical question, and the rule that found it.

Pure and linear in the length of the text: completions may be a megabyte written to do harm.
"""

from __future__ import annotations

import re

from raml_eval.grading.extraction import Extraction
from raml_eval.grading.math.conclusion import read_conclusion
from raml_eval.grading.math.equal import quick_math
from raml_eval.grading.math.result import gives_none, read_result
from raml_eval.grading.math.spelling import simplify_latex
from raml_eval.grading.math.undelimited import is_formula
from raml_eval.grading.math.value import rounds_to
from raml_eval.grading.statements.boxes import FinalBoxes, final_boxes, find_boxes
from raml_eval.grading.statements.delimited import INLINE, read_marked
from raml_eval.grading.statements.phrases import LONGEST, starts_behind, texts_behind
from raml_eval.grading.statements.places import TO_COMPUTE
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import CJK, unwrap

LONGEST_WHOLE = 500  # characters of a text that is one formula
LONGEST_LINE = 200
LONGEST_CJK_NAME = 4
LONGEST_COMPARED = 300  # characters of a box that is compared with its rounding
MOST_COMPARED = 8  # boxes of one answer that are compared with one another

_DECIMAL = re.compile(r"[-+]?(?=\.?\d\.?\d)\d*\.(\d+)")
_JSON_FIELD = re.compile(
    r"""["'](?:final[ _]?)?answer["']\s*:\s*(?:"((?:[^"\\]|\\.){1,300})"|'((?:[^'\\]|\\.){1,300})'|([^"',}\s]{1,100}))""",
    re.IGNORECASE,
)
_TAGGED = re.compile(r"<answer>(.{0,2000}?)</answer>", re.DOTALL | re.IGNORECASE)
_NUMBER = r"[-+−]?(?:\d[\d,]*(?:\.\d+)?|\.\d+)"
_COUNTED = re.compile(rf"(?:\\?[$€£]\s?)?({_NUMBER}(?:/\d+)?(?:\s*\\?%)?)(?:\s+[A-Za-z]{{3,}}[A-Za-z \-]*)?")
_WITH_NOUN = re.compile(rf"(?:\\?[$€£]\s?)?{_NUMBER}\s([a-z]{{3,20}})")
_BOLD_NUMBER = re.compile(rf"\*\*({_NUMBER}(?:\s?\\?%)?)\*\*")
_HASHES = re.compile(r"^####[ \t]*(\S[^\n]*)$", re.MULTILINE)
_PLAIN = re.compile(rf"(?:[a-zA-Z]\s*=\s*|\\?[$€£]\s?)?{_NUMBER}(?:\s*/\s*\d+)?(?:\s*\\?%|\s+per\s?cent)?")
_NAME = re.compile(r"[^\W\d_]{2,30}(?:[ '’.-][^\W\d_]{1,30})?")
_FORMAL = re.compile(r"[\d\\=]")
_ASIDE = re.compile(r"\([^()]{1,100}\)$")
_COMMA = re.compile(r",\s+")
_CJK = re.compile(f"[{CJK}]")
_PLAIN_WORD = re.compile(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}(?![a-zA-Z{])")


def _read_phrase(rest: str) -> str | None:
    """The formulas, bold words or clause that 'answer is' is followed by; "" for a hedge, None for a mere remark."""
    if formulas := read_marked(rest):
        return ", ".join(formulas)
    end = PHRASES["answer ends"].search(rest)
    clause = unwrap((rest[: end.start()] if end else rest).strip(" *_"))
    clause = re.sub(r"\s*\((?:not|and not)\b[^()]*\)$", "", clause.rpartition("i.e.")[2].strip(" ,"))
    if (aside := _ASIDE.search(clause)) is not None and aside.start() and PHRASES["rejects"].search(aside[0]):
        clause = unwrap(clause[: aside.start()])
    clause = unwrap(PHRASES["this instead"].sub("", clause))
    if (contrast := PHRASES["not another"].search(clause)) is not None and contrast.start():
        clause = unwrap(clause[: contrast.start()])
    if PHRASES["hedged answer"].search(clause):
        return ""
    if (PHRASES["mere remark"].match(clause) and not _FORMAL.search(clause)) or "decimal place" in clause:
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
    for match in PHRASES["next problem"].finditer(text):
        before = text[: match.start()]
        if _HASHES.search(before) or next(texts_behind(before, TO_COMPUTE), None) or find_boxes(before):
            return before
    return text


def _read_field(text: str) -> Extraction | None:
    """The last JSON "answer", if there is one; null is none."""
    fields = ["".join(groups) for groups in _JSON_FIELD.findall(text)]
    if not fields:
        return None
    return Extraction(None if fields[-1] == "null" else fields[-1].replace("\\\\", "\\"), "answer field")


def _read_tag_or_phrase(text: str) -> Extraction | None:
    tagged = _TAGGED.findall(text)
    if tagged and len(tagged[-1].strip()) <= 500 and tagged[-1].strip():
        inner = _extract(tagged[-1])
        return Extraction(inner.answer or unwrap(tagged[-1]), "answer tag", closed=True)
    if (field := _read_field(text)) is not None and field.answer is not None:
        return field
    return _read_phrases(text)


def _read_phrases(text: str) -> Extraction | None:
    remark: str | None = None  # 'even', which may be the answer if no other statement is a number
    for start in starts_behind(text, TO_COMPUTE):
        answer = _read_phrase(text[start : start + LONGEST])
        if answer and PHRASES["property"].match(answer) is not None:
            remark = remark or answer
        elif answer is not None and (remark is None or _FORMAL.search(answer) is not None):
            found = Extraction(answer or None, "answer phrase" if answer else "answer phrase, a hedge")
            return _taken_back(text[start:]) or found
    return Extraction(remark, "answer phrase") if remark else None


def _taken_back(rest: str) -> Extraction | None:
    """What the writer says instead of an answer that stands at the start of this text; None if it is not taken back."""
    errors = PHRASES["admitted error"].finditer(rest)
    error = next((error for error in errors if PHRASES["supposed error"].search(rest[: error.start()]) is None), None)
    if error is None:
        return None
    behind = rest[error.end() :]
    corrected = list(PHRASES["corrected to"].finditer(behind))
    if not corrected and (later := _read_phrases(behind)) is not None:
        return later
    if not corrected and PHRASES["harmless error"].search(behind):
        return None
    answer = _read_phrase(behind[corrected[-1].end() :][:LONGEST]) if corrected else read_conclusion(behind)
    return Extraction(answer or None, "correction" if answer else "answer taken back", concluded=bool(answer))


def _corrected(behind: str) -> Extraction | None:
    """What stands behind a box instead of it: an answer after second thoughts, or what follows an admitted error."""
    again = PHRASES["second thoughts"].search(behind)
    later = _read_phrases(behind[again.start() :]) if again is not None else None
    return later if later is not None and _FORMAL.search(later.answer or "") else _taken_back(behind)


def _read_boxes(text: str) -> Extraction | None:
    """What the boxes say; a JSON "answer" instead of a box that is never closed, or that goes on behind its JSON string."""
    boxes = final_boxes(text)
    spoiled = boxes.rule in ("unclosed box", "box without its brace") or ", ".join(boxes.contents).count('"') % 2 == 1
    if spoiled and (field := _read_field(text)) is not None:
        return field
    if boxes.contents and (corrected := _corrected(text[boxes.end :])) is not None:
        return corrected
    if not boxes.contents:
        return Extraction(None, boxes.rule) if boxes.rule == "unclosed box" else None
    parts = _merge_equal(boxes)
    rule = "boxed" if len(parts) == 1 and boxes.rule.startswith("boxed") else boxes.rule
    return Extraction(", ".join(parts), rule, closed=rule.startswith("boxed"))


def _merge_equal(boxes: FinalBoxes) -> list[str]:
    """The parts of the answer, where a value in two spellings is one part, and so is an exact value beside its rounding."""
    if len(boxes.contents) > MOST_COMPARED:
        return boxes.contents
    parts = boxes.contents[:1]
    for content in boxes.contents[1:]:
        if _equal(parts[-1], content):
            parts[-1] = content
        elif _rounds(parts[-1], content):
            parts[-1] = rf"{parts[-1]} \approx {content}"
        else:
            parts.append(content)
    if len(boxes.contents) == 1 and boxes.before and _rounds(boxes.before, parts[0]) and not _equal(boxes.before, parts[0]):
        return [rf"{boxes.before} \approx {parts[0]}"]
    return parts


def _equal(left: str, right: str) -> bool:
    """Whether two boxes surely have one value, whichever of them is the gold."""
    verdicts = quick_math(left, right), quick_math(right, left)
    return all(verdict is not None and verdict[0] for verdict in verdicts)


def _rounds(exact: str, decimal: str) -> bool:
    """Whether the second is the first, which is no decimal, rounded to two digits or more."""
    exact, decimal = simplify_latex(exact), simplify_latex(decimal)
    places = _DECIMAL.fullmatch(decimal)
    if places is None or _DECIMAL.fullmatch(exact) or len(exact) > LONGEST_COMPARED:
        return False
    return bool(rounds_to(exact, decimal, len(places[1])))


def extract_math(text: str) -> Extraction:
    """The last box, with those that lead up to it in one phrase; else <answer>; else what follows the last 'answer is'.

    Of a phrase ('answer is', 'answer:', an 'Answer' heading), a hedge is no answer. Without any: '#### 42'; the whole text if
    it is one number, formula or name; the one result of a last sentence that concludes. A next question is not read.

    Example: extract_math("Hence $x = 4$, so the answer is 16.").answer is "16".
    """
    return _extract(_drop_next_question(text))


def _extract(text: str) -> Extraction:
    found = _read_boxes(text) or _read_tag_or_phrase(text)
    if found is not None:
        return found
    hashes = _HASHES.findall(text)
    if hashes and _is_given(hashes[-1].rstrip(" \t.")):
        return Extraction(unwrap(hashes[-1]), "after ####")
    line = text.strip()
    if _is_number(line):
        return Extraction(unwrap(line), "whole answer")
    if len(line) <= LONGEST_WHOLE and (_is_list(unwrap(line)) or _is_name(unwrap(line))):
        return Extraction(unwrap(line), "conclusion", concluded=True)
    concluded = _read_brief(line) or read_conclusion(text)
    return Extraction(concluded, "nothing found" if concluded is None else "conclusion", concluded=concluded is not None)


def _is_number(line: str) -> bool:
    """Whether a line is a number, or a formula in one pair of delimiters, and nothing else."""
    if len(line) > LONGEST_LINE or "\n" in line:
        return False
    return any(map(_PLAIN.fullmatch, (unwrap(line), line.rstrip(".")))) or INLINE.fullmatch(line.rstrip(".")) is not None


def _read_brief(line: str) -> str | None:
    """The number that is a whole text but for its noun or its reason, or that stands in bold before its explanation."""
    if len(line) <= LONGEST_LINE and "\n" not in line:
        reason = PHRASES["reason behind"].search(line)
        given = line[: reason.start()] if reason is not None else line
        return unwrap(given) if (reason is not None and _is_number(given)) or _is_count(given.rstrip(".")) else None
    first, _, rest = line.partition("\n")
    alone = _BOLD_NUMBER.fullmatch(first.strip())
    return alone[1] if alone and rest.startswith("\n") and "**" not in rest and read_conclusion(rest) is None else None


def _is_count(line: str) -> bool:
    """Whether a line is a number with its noun, as 30 apples is."""
    counted = _WITH_NOUN.fullmatch(line)
    return counted is not None and not gives_none(line) and PHRASES["no noun"].match(counted[1]) is None


def _is_given(line: str) -> bool:
    """Whether what stands behind #### is an answer rather than a heading."""
    if _is_number(line) or _COUNTED.fullmatch(line):
        return True
    return re.search(r"[\d\\]", line) is not None and is_formula(unwrap(line))


def _is_list(text: str) -> bool:
    """Whether a text is one formula, or several with commas between them."""
    parts = _COMMA.split(text)
    return is_formula(text) or (1 < len(parts) <= MOST_COMPARED and all(map(is_formula, parts)))


def _is_name(text: str) -> bool:
    """Whether a text is a name or another answer of one or two words."""
    if _CJK.search(text):
        return len(text) <= LONGEST_CJK_NAME and len(_CJK.findall(text)) == len(text)
    return (
        _NAME.fullmatch(text) is not None
        and text.lower() not in PHRASES.word_set("no_name")
        and PHRASES["hedged answer"].search(text) is None
    )
