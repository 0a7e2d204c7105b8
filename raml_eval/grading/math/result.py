"""The one result that a sentence names: in bold, as a formula, as a number or as a word.

A sentence that plans, asks, hedges, or names several results gives none.
"""

from __future__ import annotations

import re

from raml_eval.grading.math.undelimited import mark_formulas
from raml_eval.grading.statements.delimited import BOLD, DISPLAY, FORMULA, content_of
from raml_eval.grading.text import unwrap

_NUMBER = re.compile(
    r"(?<![A-Za-z0-9_.\\^{/√])((?:\\?[$€£]\s?)?[-−]?(?:\d(?:[\d,]*\d)?(?:\.\d+)?(?:/\d+)?(?:√\d+|π)?|\.\d+|√\d+|π)"
    r"(?:\s?\\?%|\s+(?:per\s?cent|hundred|thousand|million|billion)\b|°)?)(?![A-Za-z0-9_^])"
)
_VALUE = _NUMBER.pattern.replace("((?:", "(?:(?:", 1)
_UNITS = "one|two|three|four|five|six|seven|eight|nine"
_TEENS = "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen"
_TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
_SCALES = "hundred|thousand|million|billion"
_BELOW_HUNDRED = rf"(?:(?:{_TENS})(?:[- ](?:{_UNITS}))?|{_TEENS}|{_UNITS})"
_PARTS = "halves|half|thirds?|quarters?|fourths?|fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?"
# A number in words, from two on: 'one' is mostly a pronoun. Two-thirds and 'a three-digit number' are no two and no three.
_NUMBER_WORD = re.compile(
    rf"\b((?:(?!one\b(?!\s(?:{_SCALES})\b)){_BELOW_HUNDRED})(?:\s(?:{_SCALES})(?:\s(?:and\s)?{_BELOW_HUNDRED})?)*)\b"
    rf"(?!-|\s(?:{_PARTS})\b)",
    re.IGNORECASE,
)
# Verbs that lead from what a sentence names first to its result: 'with x = 2, the sum is 5'.
LEADING_VERBS = (
    *("is", "are", "was", "were", "be", "equals?", "equal to", "becomes", "gives", "yields", "makes", "totals?", "costs?"),
    *("has", "have", "had", "takes?", "need(?:s|ed)?", "left with", "get", "obtain", "find", "to"),
)
_VERB = re.compile(rf"\b(?:{'|'.join(LEADING_VERBS)})\b|[=:是为]")

# A sentence with one of these names no result: it hedges, denies, supposes, plans, checks or rounds.
HEDGES = ("either", "maybe", "perhaps", "possibly", "approximately", "about", "roughly", "doubt", "question", "decimal places")
DENIALS = ("not", "cannot", "can't", "impossible")
SUPPOSITIONS = ("if", "unless", "suppose", "assume")
PLANS = (
    *("let's", "check", "verify", "try", r"substitut\w+", "need to", "have to", "want to"),
    r"(?:we|i|you|one)(?:'ll| will| would| should)",
)
FIRST_WORDS_OF_PLANS = ("first", "next", "now", "recall", "note", "let")
_NO_RESULT = re.compile(
    rf"\b(?:{'|'.join((*HEDGES, *DENIALS, *SUPPOSITIONS, *PLANS))})\b|[?？]|`|^\W{{0,4}}(?:{'|'.join(FIRST_WORDS_OF_PLANS)})\b",
    re.IGNORECASE,
)
# The same in other languages: words between blanks, and words of languages that are written without them.
NO_RESULT_ELSEWHERE = (
    *("peut-être", "environ", "à peu près", "nicht", "vielleicht", "ungefähr", "etwa"),
    *("quizás", "tal vez", "no se puede", "aproximadamente"),
)
NO_RESULT_CJK = (
    *("无法", "無法", "不能", "不是", "并非", "並非", "不知", "不确定"),
    *("大约", "大約", "约为", "約為", "如果", "假设", "假設", "也许", "或许"),
)
_NO_RESULT_ELSEWHERE = re.compile(
    rf"\b(?:ne|n['’])\s?[^.]{{1,40}}?\bpas\b|\b(?:{'|'.join(NO_RESULT_ELSEWHERE)})\b|{'|'.join(NO_RESULT_CJK)}",
    re.IGNORECASE,
)
_DENIAL = re.compile(r"\b(?:not|cannot|can't)\b|不能|不是", re.IGNORECASE)  # a reason may deny: x is not 0, so it is 5

# More than 5, a multiple of 5, x > 5: said of a number, which is not the result.
RELATIONS = (
    *("than", "at least", "at most", "below", "above", "under", "over", "range", "from"),
    *("multiple of", "divisible by", "double", "twice"),
)
_RELATED = re.compile(rf"(?:\b(?:{'|'.join(RELATIONS)})\b|[<>≤≥]=?)\s*(?:\*\*|\$|\\?[$€£]?\s?[-−]?\d)", re.IGNORECASE)
_AND = re.compile(r"\s*(?:,|;|\band\b|\bor\b|,\s*and\b|,\s*or\b|和|或|、)\s*")
_ARROWS = re.compile(r"\$?\\(?:therefore|Rightarrow|implies|Longrightarrow|because)(?![a-zA-Z])\$?|[∴⇒→]")
_ASIDE = re.compile(r"(?<!\\)\([^()]{0,80}\)(?=[\s.]*$)")
_SAID = re.compile(rf"\b(?:is|are|was|equals?|has|have|gets?|costs?|takes?|=)\s+(?:exactly\s+)?{_VALUE}")
_AT_END = re.compile(rf"\b(?:is|are|equals)\s+(?:exactly\s+)?{_NUMBER.pattern}(?:\s+[a-z]+){{0,3}}[.!]?\s*$")
_LISTED = re.compile(  # x = 2 or x = -2; the roots are 2 and -2
    rf"(\b[a-z]\s*=\s*{_VALUE}(?:\s*(?:,|,?\s*and|,?\s*or|或|和)\s*[a-z]\s*=\s*{_VALUE})+)[.!。]?\s*$|"
    rf"\bare\s+(?:[a-z]\s*=\s*)?({_VALUE}(?:\s*(?:,|,?\s*and)\s*{_VALUE})+)[.!]?\s*$",
)
_IS_THE_ANSWER = re.compile(  # 42 is the answer
    rf"(?:{_NUMBER.pattern}|\$([^$]+)\$)\**(?:\s[a-z]+)?\s+is\s+(?:the|our|my)\s+(?:final\s|correct\s|right\s)?"
    r"(?:answer|result|solution)\b",
    re.IGNORECASE,
)
# What stands before the 5 of ab + 5 or of or-5, and behind that of 5 times pi.
_PART_OF_MORE = re.compile(r"[+×·÷/]\s*$|[\w)](?:\*|\s\*\s)$|[\w)\]][-−]$")
_BEGINS_MORE = re.compile(r"\W{0,3}\s(?:times\s(?:pi|sqrt|the\s(?:square|cube))|squared|cubed|factorial|to the power)\b")
_INTRODUCTION = re.compile(r"^[^\d=,，]{1,80}[,，]")

# Words behind which a sentence says what it concludes: the numbers before them are its reasons.
SO = ("so", "thus", "hence", "therefore")
SO_ELSEWHERE = ("donc", "因此", "所以", "因而", "故")
_SO = re.compile(
    rf"[,;:]\s*(?:and\s+)?(?:{'|'.join(SO)})\b(?!\sthat)|\b{SO_ELSEWHERE[0]}\b|{'|'.join(SO_ELSEWHERE[1:])}", re.IGNORECASE
)

# A sentence that begins with a number and its noun says how many there are; numbers behind these prepositions are not it.
# Beside a number in words only the first ones tell that: 'Two trains meet in 3 hours' says when.
OF_A_WHOLE = ("for", "of", "among", "from")
BEFORE_OTHER_NUMBERS = (*OF_A_WHOLE, "in", "on", "per", "within")
# Words that stand behind a first number and make it something other than a count.
NO_NOUN = (
    *("of", "is", "are", "was", "were", "and", "or", "to", "in", "more", "less", "times", "plus", "minus", "divided"),
    *("multiplied", "equals", "percent", "per", "out", "later", "ago", "after", "before"),
)
_FIRST = re.compile(
    rf"^\W{{0,4}}(?:(?:{'|'.join(SO)}|finally|altogether|in total)\W{{1,3}})?(?:{_NUMBER.pattern}|{_NUMBER_WORD.pattern})"
    rf"\s+(?!(?:{'|'.join(NO_NOUN)})\b|{_NUMBER_WORD.pattern})(?=[a-z]{{3,}}\s+(?!(?:later|ago|after|before)\b)[a-z])",
    re.IGNORECASE,
)
_FIRST_WORD = re.compile(rf"^\W{{0,4}}(?:(?:{'|'.join(SO)})\W{{1,3}})?{_NUMBER_WORD.pattern}", re.IGNORECASE)
_ARTICLE = r"(?:(?:the|all|these|those|a total of)\s+)?"
_GIVEN = re.compile(rf"\b(?:{'|'.join(BEFORE_OTHER_NUMBERS)})\s+{_ARTICLE}$", re.IGNORECASE)
_GIVEN_BESIDE_A_WORD = re.compile(rf"\b(?:{'|'.join(OF_A_WHOLE)})\s+{_ARTICLE}$", re.IGNORECASE)


def read_result(sentence: str) -> str | None:
    r"""The one result that a sentence names; None where it names none or several.

    Example: read_result(r"So the area is 6\sqrt{2}.") is r"6\sqrt{2}".
    """
    marked = mark_formulas(_ARROWS.sub(" ", sentence))
    if marked is None:
        return None
    sentence = _ASIDE.sub("", marked)
    whole = BOLD.fullmatch(sentence.strip(" .>#-"))
    if whole is not None and re.search(r"\d|\\", whole[1]) and not re.search(r"(?<![\\a-zA-Z])[a-zA-Z]{2,}", whole[1]):
        return unwrap(whole[1])
    if whole is not None and len(whole[1].split()) > 2:
        sentence = whole[1]
    so = list(_SO.finditer(sentence))
    reasons, concluded = (sentence[: so[-1].start()], sentence[so[-1].end() :]) if so else (sentence, "")
    if gives_none(sentence):
        only_denied = not gives_none(concluded) and not gives_none(_DENIAL.sub("", reasons))
        return _read_part(concluded) if only_denied else None
    named = _IS_THE_ANSWER.findall(sentence)
    if len(named) == 1:
        return str(named[0][0] or named[0][1]).strip()
    if (first := _read_first(sentence)) is not None:
        return first
    if _RELATED.search(sentence):
        return None
    return _read_part(sentence) or _read_part(concluded)


def _read_part(sentence: str) -> str | None:
    return _read_bold(sentence) or _read_formula(sentence) or _read_number(sentence) or _read_word(sentence)


def _read_bold(sentence: str) -> str | None:
    bold = [unwrap(part.strip(" .:")) for part in BOLD.findall(sentence)]
    bold = [part for part in bold if not re.fullmatch(r"(?:Step \d+|Conclusion|Therefore|Answer|Result|Final \w+|Check)", part)]
    if len(bold) != 1:
        return None
    alone = not re.search(r"\w", BOLD.sub("", sentence))
    return bold[0] if re.search(r"\d|\\", bold[0]) or (alone and len(bold[0].split()) <= 3) else None


def _read_formula(sentence: str) -> str | None:
    """The last formulas of a sentence. Numbers beside them would be results too, but for a formula on lines of its own."""
    matches = list(FORMULA.finditer(sentence))
    if not matches:
        return None
    closing = sentence.rstrip(" .*\n")
    if DISPLAY.fullmatch(matches[-1][0]) and matches[-1].end() >= len(closing):
        return content_of(matches[-1]).strip(" .")
    rest = FORMULA.sub(" \0 ", sentence)
    if _NUMBER.search(rest):
        return None
    between = rest.split("\0")
    first = len(matches) - 1
    while first and _AND.fullmatch(between[first]):
        first -= 1
    if first and not _VERB.search(between[first]):
        return None
    return ", ".join(content_of(match).strip(" .") for match in matches[first:])


def _read_number(sentence: str) -> str | None:
    matches = list(_NUMBER.finditer(sentence))
    numbers = [match[1] for match in matches]
    if len(numbers) == 1:
        before = sentence[: matches[0].start()]
        given = _FIRST_WORD.match(sentence) and _GIVEN_BESIDE_A_WORD.search(before)  # Seven of the 30 pupils
        part = _PART_OF_MORE.search(before) or _BEGINS_MORE.match(sentence, matches[0].end())
        return None if given or part else numbers[0].strip()
    if (listed := _LISTED.search(sentence)) is not None:
        return (listed[1] or listed[2]).strip()
    if len(_SAID.findall(sentence)) == 1 and (ends := _AT_END.search(sentence)) is not None:
        return ends[1].strip()
    sum_ = _INTRODUCTION.sub("", sentence.rpartition(":")[2])
    behind = [match[1] for match in _NUMBER.finditer(sum_.rpartition("=")[2])]
    one_line = "=" in sum_ and not re.search(r"\b(?:and|or)\b|,", sum_)
    return behind[0].strip() if one_line and len(behind) == 1 else None


def _read_first(sentence: str) -> str | None:
    """The number with which a sentence begins, if that counts something and all other numbers are what it is said of."""
    first = _FIRST.match(sentence)
    if first is None or FORMULA.search(sentence) or BOLD.search(sentence):
        return None
    given = _GIVEN if first[1] else _GIVEN_BESIDE_A_WORD
    others = list(_NUMBER.finditer(sentence, first.end()))
    if not all(given.search(sentence[max(0, match.start() - 40) : match.start()]) for match in others):
        return None
    return first[1].strip() if first[1] else _in_words(first[2])


def _read_word(sentence: str) -> str | None:
    if _NUMBER.search(sentence) or FORMULA.search(sentence):
        return None
    words = _NUMBER_WORD.findall(sentence)
    return _in_words(words[0]) if len(words) == 1 else None


def _in_words(number: str) -> str:
    """A number in words as the comparison reads it: two hundred fifty for two hundred and fifty."""
    return re.sub(r"\sand\s", " ", number, flags=re.IGNORECASE)


def is_value(text: str) -> bool:
    """Whether a text is one number and nothing else, with a sign of currency, percent or degrees if need be."""
    match = _NUMBER.match(text)
    return match is not None and match.end() == len(text)


def gives_none(sentence: str) -> bool:
    """Whether a sentence plans, asks, denies, doubts, supposes or rounds, so that what it names is no result."""
    words = FORMULA.sub("", sentence)
    return _NO_RESULT.search(words) is not None or _NO_RESULT_ELSEWHERE.search(words) is not None
