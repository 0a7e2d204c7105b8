"""The answer in a concluding sentence, where a text has neither a box nor 'the answer is'.

Only a last sentence that says that it concludes is read, and only where it names one result.
"""

from __future__ import annotations

import re

_CONCLUDES = re.compile(
    r"^(?:[\s>*#_\-•✅]|\\therefore|∴|\d\.)*(?:So|Thus|Therefore|Hence|Consequently|Finally|Accordingly|In conclusion|"
    r"In summary|To conclude|As a result|In total|Altogether|Overall|This (?:means|gives|yields|shows|implies)|"
    r"(?:We|I) (?:get|have|find|conclude|obtain)|It follows|The (?:final |correct )?(?:answer|result|solution|value)|"
    r"因此|所以|故|综上|于是|最终)",
)
_END = re.compile(r"(?:[.!。！)\]}$*]|\\\)|\\\])\s*$")
_FORMULA = re.compile(
    r"\$\$((?:[^$\\]|\\.){1,500})\$\$|\$((?:[^$\\]|\\.){1,500})\$|\\\(((?:[^\\]|\\(?!\))){1,500})\\\)|\\\[((?:[^\\]|\\(?!\])){1,500})\\\]"
)
_BOLD = re.compile(r"\*\*([^*\n]{1,120})\*\*")
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.\\^{/])((?:\\?[$€£]\s?)?[-−]?\d(?:[\d,]*\d)?(?:\.\d+)?(?:/\d+)?(?:\s?\\?%|\s+(?:hundred|thousand|million|billion)\b|°)?)"
    r"(?![A-Za-z0-9_^])"
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|equals?|equal to|becomes|gives|yields|makes|totals?|costs?|has|have|had|takes?|need(?:s|ed)?|"
    r"left with|get|obtain|find|to)\b|[=:是为]"
)
_HEDGE = re.compile(
    r"\b(?:either|maybe|perhaps|possibly|not|approximately|about|roughly|if|unless|let|suppose|assume|check|verify|next)\b",
    re.IGNORECASE,
)
_SPLIT = re.compile(r"(?<=[.!?])\s+(?=[A-Z\\$*∴因所故])|(?<=。)|\n+")
_AND = re.compile(r"\s*(?:,|;|\band\b|\bor\b|,\s*and\b|,\s*or\b|和|或|、)\s*")


def read_conclusion(text: str) -> str | None:
    """The one result that the last sentence concludes with; None where it concludes nothing, hedges or names several."""
    tail = text[-3000:].strip()
    sentences = [part for part in _SPLIT.split(tail) if part.strip()]
    if not sentences:
        return None
    last = sentences[-1].strip()
    if len(sentences) > 1 and _FORMULA.fullmatch(last.strip(" .")):  # "Therefore,\n\\[ x = 5 \\]"
        last = f"{sentences[-2].strip()} {last}"
    ended = _END.search(last) or len(text) < 200
    return read_result(last) if _CONCLUDES.match(last) and ended else None


def read_result(sentence: str) -> str | None:
    """The one result that a sentence names: in bold, as a formula or as a number; None where it hedges or names several."""
    if _HEDGE.search(_FORMULA.sub("", sentence)):
        return None
    return _read_bold(sentence) or _read_formula(sentence) or _read_number(sentence)


def _read_bold(sentence: str) -> str | None:
    bold = [part.strip(" .:") for part in _BOLD.findall(sentence)]
    return bold[0] if len(bold) == 1 and re.search(r"\d|\\", bold[0]) else None


def _read_formula(sentence: str) -> str | None:
    formulas = [next(group for group in match.groups() if group) for match in _FORMULA.finditer(sentence)]
    if not formulas:
        return None
    rest = _FORMULA.sub(" \0 ", sentence)
    if _NUMBER.search(rest):
        return None
    between = rest.split("\0")
    first = len(formulas) - 1
    while first and _AND.fullmatch(between[first]):
        first -= 1
    if first and not _VERB.search(between[first]):
        return None
    return ", ".join(formula.strip(" .") for formula in formulas[first:])


def _read_number(sentence: str) -> str | None:
    numbers = [match[1] for match in _NUMBER.finditer(sentence)]
    if len(set(numbers)) == 1:
        return numbers[0].strip()
    after = re.split(_VERB, sentence)[-1]
    behind = [match[1] for match in _NUMBER.finditer(after)]
    return behind[0].strip() if len(behind) == 1 else None
