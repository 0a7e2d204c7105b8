"""The answer in a last sentence, where a text has neither a box nor 'the answer is'.

Only a last sentence that is whole is read, and only where it names one result; a plan, a question and a hedge name none.
"""

from __future__ import annotations

import re

_END = re.compile(r"(?:[.!。！)\]}$*✓✔]|\\\)|\\\])\s*$")
_FORMULA = re.compile(
    r"\$\$((?:[^$\\]|\\.){1,500})\$\$|\$((?:[^$\\]|\\.){1,500})\$|\\\(((?:[^\\]|\\(?!\))){1,500})\\\)|"
    r"\\\[((?:[^\\]|\\(?!\])){1,500})\\\]"
)
_BOLD = re.compile(r"\*\*([^*\n]{1,200})\*\*")
_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.\\^{/√])((?:\\?[$€£]\s?)?[-−]?(?:\d(?:[\d,]*\d)?(?:\.\d+)?(?:/\d+)?(?:√\d+|π)?|√\d+|π)"
    r"(?:\s?\\?%|\s+(?:hundred|thousand|million|billion)\b|°)?)(?![A-Za-z0-9_^])"
)
_NUMBER_WORD = re.compile(
    r"\b((?:twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety)(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?|"
    r"two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|"
    r"nineteen)\b",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(?:is|are|was|were|be|equals?|equal to|becomes|gives|yields|makes|totals?|costs?|has|have|had|takes?|need(?:s|ed)?|"
    r"left with|get|obtain|find|to)\b|[=:是为]"
)
_NO_RESULT = re.compile(
    r"\b(?:either|maybe|perhaps|possibly|not|cannot|can't|approximately|about|roughly|if|unless|let's|suppose|assume|check|doubt|"
    r"verify|need to|have to|want to|(?:we|i|you|one)(?:'ll| will| would| should)|try|substitut\w+|question|impossible|"
    r"decimal places)\b|\?|`|^\W{0,4}(?:first|next|now|recall|note|let)\b",
    re.IGNORECASE,
)
_RELATED = re.compile(  # more than 5, a multiple of 5, x > 5: said of a number, which is not the result
    r"(?:\b(?:than|at least|at most|below|above|under|over|multiple of|divisible by|double|twice|range|from)\b|[<>≤≥]=?)\s*"
    r"(?:\*\*|\$|\\?[$€£]?\s?[-−]?\d)",
    re.IGNORECASE,
)
_CONCLUDES = re.compile(
    r"^\W{0,4}(?:so|thus|therefore|hence|finally|in total|altogether|"
    r"the (?:final |correct )?(?:answer|result|solution|value)|因此|所以|故|综上)",
    re.IGNORECASE,
)
_POLITE = re.compile(r"(?:let me know|i hope|hope|feel free|does|do|would|is there|any|great|happy|if you)\b", re.IGNORECASE)
_SPLIT = re.compile(r"(?<=[.!?])\**\s+(?=[A-Z\\$*∴因所故])|(?<=。)|\n+")
_AND = re.compile(r"\s*(?:,|;|\band\b|\bor\b|,\s*and\b|,\s*or\b|和|或|、)\s*")
_ARROWS = re.compile(r"\$?\\(?:therefore|Rightarrow|implies|Longrightarrow|because)\$?|[∴⇒→]")
_CHECKS = re.compile(r"\W{0,4}(?:check|verification|proof|验证|检验)\b", re.IGNORECASE)
_VALUE = _NUMBER.pattern.replace("((?:", "(?:(?:", 1)
_SAID = re.compile(rf"\b(?:is|are|was|equals?|has|have|gets?|costs?|takes?|=)\s+(?:exactly\s+)?{_VALUE}")
_AT_END = re.compile(rf"\b(?:is|are|equals)\s+(?:exactly\s+)?{_NUMBER.pattern}(?:\s+[a-z]+){{0,3}}[.!]?\s*$")
_LISTED = re.compile(  # x = 2 or x = -2; the roots are 2 and -2
    rf"(\b[a-z]\s*=\s*{_VALUE}(?:\s*(?:,|,?\s*and|,?\s*or)\s*[a-z]\s*=\s*{_VALUE})+)[.!]?\s*$|"
    rf"\bare\s+(?:[a-z]\s*=\s*)?({_VALUE}(?:\s*(?:,|,?\s*and)\s*{_VALUE})+)[.!]?\s*$",
)
_TAGS = re.compile(r"</?[A-Za-z]{1,20}>")
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf\ufe0f]")
_ASIDE = re.compile(r"(?<!\\)\([^()]{0,80}\)(?=[\s.]*$)")
_FIRST_LINE = re.compile(r"\s*\**([^*\n]{1,40}?)\.?\**\s*\n\s*\**(?:Explanation|Reason|Because|Proof|Solution|Justification)\b")


def read_conclusion(text: str) -> str | None:
    """The one result that the last sentence names; None where it names none or several, plans, asks or hedges."""
    if (first := _FIRST_LINE.match(text[:200])) is not None and re.search(r"\d", first[1]):
        return first[1].strip()
    tail = _EMOJI.sub("", _TAGS.sub(" ", text[-3000:])).strip()
    sentences = [part.strip() for part in _SPLIT.split(tail) if part.strip(" *-#>_\t")]
    sentences = _drop_remarks(sentences)
    if not sentences:
        return None
    last = sentences[-1]
    if len(sentences) > 1 and _FORMULA.fullmatch(last.strip(" .")):  # "Therefore,\n\\[ x = 5 \\]"
        last = f"{sentences[-2]} {last}"
    ended = _END.search(last) or (len(text) < 200 and _CONCLUDES.match(last))
    return read_result(last) if ended else None


def _drop_remarks(sentences: list[str]) -> list[str]:
    """Without what is said behind the result: an offer, a check of it, a remark that names no number."""
    for _ in range(4):
        if len(sentences) < 2:
            break
        last, before = sentences[-1], sentences[-2]
        bare = not re.search(r"\d|\$|\*\*", last)
        asks = last.rstrip(" )").endswith("?") or _POLITE.match(last) is not None or not re.search(r"\w", last)
        concluded = _CONCLUDES.match(before) is not None or before.startswith("**")
        if not (bare and asks) and not (concluded and (bare or _CHECKS.match(last))):
            break
        sentences = sentences[:-1]
    return sentences


def read_result(sentence: str) -> str | None:
    """The one result that a sentence names: in bold, as a formula or as a number; None where it names none or several."""
    sentence = _ASIDE.sub("", _ARROWS.sub(" ", sentence))
    whole = _BOLD.fullmatch(sentence.strip(" .>#-"))
    if whole is not None and re.search(r"\d|\\", whole[1]) and not re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}", whole[1]):
        return whole[1].strip(" .:")
    if whole is not None and len(whole[1].split()) > 2:
        sentence = whole[1]
    if _NO_RESULT.search(_FORMULA.sub("", sentence)):
        return None
    if _RELATED.search(sentence):
        return None
    bold = _read_bold(sentence)
    return bold or _read_formula(sentence) or _read_number(sentence) or _read_word(sentence)


def _read_bold(sentence: str) -> str | None:
    bold = [part.strip(" .:") for part in _BOLD.findall(sentence)]
    bold = [part for part in bold if not re.fullmatch(r"(?:Step \d+|Conclusion|Therefore|Answer|Result|Final \w+|Check)", part)]
    if len(bold) != 1:
        return None
    alone = not re.search(r"\w", _BOLD.sub("", sentence))
    return bold[0] if re.search(r"\d|\\", bold[0]) or (alone and len(bold[0].split()) <= 3) else None


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
    if len(numbers) == 1:
        return numbers[0].strip()
    if (listed := _LISTED.search(sentence)) is not None:
        return (listed[1] or listed[2]).strip()
    if len(_SAID.findall(sentence)) == 1 and (ends := _AT_END.search(sentence)) is not None:
        return ends[1].strip()
    sum_ = sentence.rpartition(":")[2]
    behind = [match[1] for match in _NUMBER.finditer(sum_.rpartition("=")[2])]
    one_line = "=" in sum_ and not re.search(r"\b(?:and|or)\b|,", sum_)
    return behind[0].strip() if one_line and len(behind) == 1 else None


def _read_word(sentence: str) -> str | None:
    if _NUMBER.search(sentence) or _FORMULA.search(sentence):
        return None
    words = _NUMBER_WORD.findall(sentence)
    return words[0] if len(words) == 1 else None
