"""Words with which a model goes back over its reasoning. In an answer they show that the thinking has not stopped."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

# A phrase of letters with spaces matches as whole words in any case; Chinese, Japanese and Korean ones match anywhere.
REFLECTIONS: dict[str, tuple[str, ...]] = {
    "en": (
        *("wait", "hold on", "hmm", "alternatively", "however", "on second thought", "actually, no", "no, that's"),
        *("let me re-check", "let me recheck", "let me double-check", "let me double check", "let me verify", "let me check"),
        *("let me reconsider", "let me rethink", "let me think", "let me try", "recheck", "re-check", "rethink"),
    ),
    "de": ("moment mal", "warte", "andererseits", "allerdings", "ich prüfe noch einmal", "nochmal prüfen"),
    "fr": ("attends", "attendez", "cependant", "en revanche", "vérifions", "revérifions"),
    "es": ("espera", "un momento", "sin embargo", "por otro lado", "verifiquemos", "volvamos a comprobar"),
    "ru": ("подожди", "погоди", "однако", "проверим ещё раз", "перепроверим"),
    "zh": ("等等", "等一下", "不对", "或者说", "然而", "让我再", "重新检查", "再检查", "另一种方法"),
    "ja": ("待って", "ちょっと待", "しかし", "あるいは", "もう一度確認", "確認し直"),
    "ko": ("잠깐", "잠시만", "하지만", "다시 확인", "다시 생각"),
}
_UNSPACED = ("zh", "ja", "ko")
_UNSPACED_SCRIPT = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")  # kana, Chinese characters, hangul


_PHRASES = {phrase: code not in _UNSPACED for code, phrases in REFLECTIONS.items() for phrase in phrases}  # whole words?
_LONGEST = 2 * max(map(len, _PHRASES))  # characters that decide whether a text begins with one
_LANGUAGES = {phrase: code for code in reversed(REFLECTIONS) for phrase in REFLECTIONS[code]}
_COMMON = "let me "  # looked for once instead of each phrase that begins with it
_BY_LOOK: dict[str, tuple[str, ...]] = {
    **{phrase: (phrase,) for phrase in _PHRASES if not phrase.startswith(_COMMON)},
    _COMMON: tuple(phrase for phrase in _PHRASES if phrase.startswith(_COMMON)),
}
_ASCII = {look: phrases for look, phrases in _BY_LOOK.items() if look.isascii()}


def count_reflections(text: str) -> int:
    """The number of words and phrases of REFLECTIONS in the text, without overlaps: of two at one place, the longer counts.

    Example: count_reflections("Wait, 12 is even. However, let me re-check that.") == 3
    """
    return sum(1 for _ in _reflections(text))


def reflections_by_language(text: str) -> Counter[str]:
    """The same words and phrases by the language that lists them; of several, the first.

    Example: reflections_by_language("Wait, однако") == {"en": 1, "ru": 1}
    """
    return Counter(_LANGUAGES[phrase] for phrase in _reflections(text))


def is_spaced(phrase: str) -> bool:
    """True if the phrase has to stand as whole words, and is not in a script that is written without blanks.

    Example: is_spaced("hold on") and not is_spaced("等等")
    """
    known = _PHRASES.get(phrase.lower())
    return not _UNSPACED_SCRIPT.search(phrase) if known is None else known


def find_phrases(text: str, phrases: Mapping[str, bool]) -> Iterator[tuple[int, int, str]]:
    """(start, stop, phrase) of each of the phrases in the text, in any case, in order and without overlaps.

    phrases are in lower case, each with whether it has to stand as whole words. Of two at one place the longer counts.

    Example: list(find_phrases("Waiting. Wait", {"wait": True})) == [(9, 13, "wait")]
    """
    lower = text.lower()
    if len(lower) != len(text):  # a few characters have a lower case of two, which would move all places behind them
        lower = "".join(one if len(one.lower()) != 1 else one.lower() for one in text)
    found = sorted((at, -at - len(one), one) for one, whole in phrases.items() for at in _places(one, lower, whole))
    end = 0
    for start, minus_stop, phrase in found:
        if start >= end:
            end = -minus_stop
            yield start, end, phrase


def _reflections(text: str) -> Iterator[str]:
    """Each phrase that counts, in order."""
    lower = text.lower()
    # Finding a fixed phrase is far faster than matching all of them at every character.
    looks = _ASCII if lower.isascii() else _BY_LOOK
    found = sorted(
        (start, -start - len(phrase))
        for look, phrases in looks.items()
        if look in lower
        for phrase in phrases
        for start in _places(phrase, lower, _PHRASES[phrase])
    )
    end = 0
    for start, minus_stop in found:
        if start >= end:
            end = -minus_stop
            yield lower[start:end]


def begins_with_reflection(text: str) -> bool:
    """True if the text begins with a word or phrase of REFLECTIONS.

    Example: begins_with_reflection("Wait, 12 is even.") and not begins_with_reflection("Waiters carry 12 plates.")
    """
    lower = text[:_LONGEST].lower()
    return any(
        lower.startswith(phrase) and next(_places(phrase, lower, whole), None) == 0 for phrase, whole in _PHRASES.items()
    )


def _places(phrase: str, lower: str, whole: bool) -> Iterator[int]:
    """Where the phrase stands, as whole words if it has to."""
    start = lower.find(phrase)
    while start >= 0:
        if not whole or not (_in_word(lower[max(0, start - 1) : start]) or _in_word(lower[start + len(phrase) :][:1])):
            yield start
        start = lower.find(phrase, start + 1)


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"
