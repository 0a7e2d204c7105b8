"""The texts of a question's options, and which of them a text is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from raml_eval.grading.math.equal import quick_math
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import SPECIAL, drop_text_commands, flat, plain_unicode, soft_key

_LABELLED = re.compile(r"\s*\(?[A-Z]\)?[.):]")  # the letter speaks for itself
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
USUAL = 16  # so many letters are letters of options in any question; the others only where there are more options
SEVERAL = ""  # what a match returns where several options fit

LONE_LETTERS = re.compile(r"(?<![A-Za-z0-9_'’])([A-Z])(?![A-Za-z0-9_'’])")
_DIGIT = re.compile(r"\d")
_FRACTION = re.compile(r"\\[dtc]?frac\s*(?:\{([^{}]*)\}|(\d))\s*(?:\{([^{}]*)\}|(\d))")
_THOUSANDS = re.compile(r"(?<=\d)(?:\{,\}|,)(?=\d{3}(?!\d))")
_TIMES = re.compile(r"(?<=\d)\s*(?:\*|×|\bx\b)\s*(?=\d)|\s*×\s*")
_NUMBER = re.compile(
    r"(?:[a-z]\w{0,2}[=≈])?[$€£]?([+-]?)(\d{1,30})(?:\.(\d{1,30}))?(?:/(\d{1,30}))?(?:×10\^?([+-]?\d{1,3})|"
    r"e([+-]?\d{1,3}))?(?![\d.])(.*)"
)
_FIRST = re.compile(r"\w")
_UNIT = re.compile(r"[A-Za-z%°µμΩ]{0,14}(?:[/*·][A-Za-z]{1,8})?(?:\^?-?\d)?")
# What is no unit behind a number, spaces left out: an exponent, a digit, pi, a root, a variable, thousands.
_FACTOR = re.compile(r"\^|-?\d|pi(?![A-Za-z])|sqrt|[abeijknopqrvwxyzXYZ](?![A-Za-z])|[xyz]{2,3}(?![A-Za-z])")
_FACTORIAL = re.compile(r"\d\s*!\s*(?:[$}]|\\[)\]]|$)")
# What makes a formula of a number that it stands behind: an operator, a second number, or a factor without an operator.
_OPERATED = re.compile(r"\s*[*/^=+-]\s*[-+(]?\w|:\d|!(?!\s*(?:[a-z]|$))|\s+\d|\s*[xyz](?!\w)|\((?:[xyz]\W|[^()a-z]*\d)")
_COMMAND = re.compile(
    r"\s*\\(?:[dtc]?frac|times|cdot|ast|div|pm|mp|sqrt|pi|binom|[pb]?mod|ln|log|sin|cos|tan|alpha|beta|theta)(?![a-z])"
)
_OPERATED_UNIT = re.compile(r"\s*[a-z%]{1,4}(?:\^?\d)?\s*(?:\\(?:times|cdot|div)(?![a-z])|[*/+=]\s*\d)")


def text_key(text: str) -> str:
    """The text without spaces and marks, case kept: what options are compared by, formulas included."""
    if text.isascii() and SPECIAL.search(text) is None and _DIGIT.search(text) is None:
        return "".join(text.split()).strip(".,;:!")
    text = drop_text_commands(plain_unicode(text))
    text = _FRACTION.sub(lambda m: f"{m[1] or m[2]}/{m[3] or m[4]}", text)
    text = text.replace(r"\%", "%").replace(r"\$", "$").replace(r"\times", "×").replace(r"\cdot", "×").replace(r"^\circ", "deg")
    text = _TIMES.sub("×", text)
    text = _THOUSANDS.sub("", flat(text.replace("**", " "))).replace("\\", "")
    return re.sub(r"[\s{}_]", "", text).strip(".,;:!")


def _value(key: str) -> tuple[Fraction, str] | None:
    """A number with its unit; None for all else."""
    match = _NUMBER.fullmatch(key)
    if match is None:
        return None
    sign, whole, decimals, bottom, power, exponent, unit = match.groups()
    if (bottom and not int(bottom)) or _UNIT.fullmatch(unit) is None:
        return None
    value = Fraction(int(whole + (decimals or "")), 10 ** len(decimals or "") * int(bottom or 1)) * Fraction(10) ** int(
        power or exponent or 0
    )
    return (-value if sign == "-" else value), unit.casefold()


def _changes_number(key: str, soft: str) -> bool:
    """Whether what stands behind a number is no unit but makes another number of it: 10^3, 10 million, 10 at most."""
    match = _NUMBER.fullmatch(key)
    if match is None or not match[7]:
        return False
    ends = (number.end() for number in re.finditer(r"\d(?!\d)", soft))
    return _FACTOR.match(match[7]) is not None or any(PHRASES["another_number"].match(soft, end) for end in ends)


def _goes_on(rest: str, text: str) -> bool:
    """Whether a number goes on as a formula, or as another number: rest is what stands behind it."""
    if any(pattern.match(rest) for pattern in (_OPERATED, _COMMAND, _OPERATED_UNIT, PHRASES["another_number"])):
        return True
    return re.match(r"\W*[\d.,]+\s*!\s*(?:[$}]|\\[)\]])", text) is not None


class OptionTexts:
    """The options of one question, ready to be compared with."""

    def __init__(self, options: Sequence[str]) -> None:
        options = options[: len(LETTERS)]  # more have no letters
        self.letters = LETTERS[: len(options) or USUAL]
        self.known = frozenset(LETTERS if len(options) > USUAL else LETTERS[:USUAL])  # those beyond the options included
        self.texts = tuple(options)
        self.soft = [soft_key(option) for option in options]
        self._keys = [text_key(option) for option in options]
        self._values = [_value(key) for key in self._keys]
        self._as_written = [_changes_number(key, soft) for key, soft in zip(self._keys, self.soft, strict=True)]
        self._is_number = [own[-1:].isdigit() or value is not None for own, value in zip(self.soft, self._values, strict=True)]
        self._plain = [PHRASES["opening_article"].sub("", soft, count=1) for soft in self.soft]
        self.longest = max(map(len, self.soft), default=0)
        self.are_words_of_truth = sorted(self.soft) in (["false", "true"], ["no", "yes"])
        self.has_digits = any(re.search(r"\d", option) for option in options)
        self._first = tuple({own[found.start() :][:3] for own in (*self.soft, *self._plain) if (found := _FIRST.search(own))})

    def is_one_word(self, letter: str) -> bool:
        """Whether that option's text is a single word, no number and no word of truth."""
        own = self.soft[self.letters.index(letter)] if letter else ""
        return len(own) > 3 and own.isalpha() and not self.are_words_of_truth

    def letter_in_text(self, text: str, at: int) -> str | None:
        """The option in whose text a letter at that position stands, as the D of Vitamin D; None where it stands alone."""
        for option, letter in zip(self.texts, self.letters, strict=False):
            for inner in LONE_LETTERS.finditer(option) if len(option) > 2 else ():
                begin = at - inner.start()
                if begin >= 0 and text[begin : begin + len(option)].casefold() == option.casefold():
                    return letter
        return None

    def is_text_of(self, letter: str, text: str) -> bool:
        """Whether the text is that option's."""
        place = self.letters.find(letter)
        return 0 <= place < len(self.texts) and (soft_key(text) == self.soft[place] or text_key(text) == self._keys[place])

    def may_begin(self, line: str) -> bool:
        """Whether the line could begin with an option's text; a quick look that spares most of them the comparison."""
        first = _FIRST.search(line, 0, 40)
        if first is None or first[0].isdigit() or "\\" in line[: first.end()] or not first[0].isascii():
            return True
        begun = line[first.start() : first.start() + 12].casefold()
        return begun.startswith(self._first) or PHRASES["opening_article"].sub("", begun, count=1).startswith(self._first)

    def match(self, text: str) -> str | None:
        """The letter of the option whose text this is, in any spelling; SEVERAL where several fit, None where none does."""
        if not self.texts or len(text) > 2 * self.longest + 400:
            return None
        key = text_key(text)
        if not key or (_FACTORIAL.search(text) and not any("!" in own for own in self.texts)):
            return None
        soft = soft_key(text)
        for same in (
            [own == key for own in self._keys],
            [own == soft for own in self.soft],
            [own.casefold() == key.casefold() for own in self._keys],
            [own == PHRASES["opening_article"].sub("", soft, count=1) for own in self._plain],
        ):
            if any(same):
                return self._only(same)
        return None

    def _only(self, fits: list[bool]) -> str:
        return self.letters[fits.index(True)] if sum(fits) == 1 else SEVERAL

    def match_value(self, text: str) -> str | None:
        """As match, for a number with an option's value, where the units agree or one has none, and for an equal formula."""
        if not self.texts or len(text) > 200 or _LABELLED.match(flat(text)) or _FACTORIAL.search(text):
            return None
        key = text_key(text)
        value = _value(key)
        if value is not None:
            same = [own == value for own in self._values]  # 0.5 is 1/2 rather than 0.5x
            if any(same):
                return self._only(same)
            fits = [
                own is not None and own[0] == value[0] and (not own[1] or not value[1]) and not as_written
                for own, as_written in zip(self._values, self._as_written, strict=True)
            ]
            if any(fits) and not _changes_number(key, soft_key(text)):
                return self._only(fits)
        if len(key) <= 60 and re.search(r"\d", key) and not re.search(r"[A-Za-z]{2}", re.sub(r"\\[a-zA-Z]+|sqrt|pi", "", key)):
            fits = [_equal_formulas(option, text) for option in self.texts]
            if any(fits):
                return self._only(fits)
        return None

    def match_start(self, text: str) -> tuple[str, int] | None:
        """The letter of the longest option that the text begins with, and how many characters of soft_key(text) it takes."""
        soft = soft_key(text[: 2 * self.longest + 200])
        fits = [
            bool(own)
            and soft.startswith(own)
            and not re.match(r"\w|[.,]\d|\s*[*/^=+-]\s*\w", soft[len(own) :])
            and not (is_number and _goes_on(soft[len(own) :], text))
            for own, is_number in zip(self.soft, self._is_number, strict=True)
        ]
        return self._longest(fits)

    def match_end(self, sentence: str) -> str | None:
        """The letter of the longest option that the sentence ends with, as a whole word."""
        soft = soft_key(sentence)
        fits = [bool(own) and soft.endswith(own) and not re.search(r"[\w.,/^+-]$", soft[: -len(own)]) for own in self.soft]
        found = self._longest(fits)
        return found[0] if found else None

    def _longest(self, fits: list[bool]) -> tuple[str, int] | None:
        """The letter of the longest option that fits, and its length."""
        if not any(fits):
            return None
        longest = max(len(own) for own, fit in zip(self.soft, fits, strict=True) if fit)
        return self._only([fit and len(own) == longest for own, fit in zip(self.soft, fits, strict=True)]), longest


def _equal_formulas(option: str, text: str) -> bool:
    if len(option) > 60 or re.search(r"[A-Za-z]{3}", re.sub(r"\\[a-zA-Z]+", "", option)):
        return False
    if text.count("$") - text.count(r"\$") == 1:
        text = text.rstrip(" .").removesuffix("$")  # what opened it stands before the text
    decision = quick_math(option, text)
    return decision is not None and decision[0]


@PHRASES.cached
def option_texts(options: tuple[str, ...]) -> OptionTexts:
    """The options ready to be compared with, made once for the many samples of a question."""
    return OptionTexts(options)
