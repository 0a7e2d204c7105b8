"""Words with which a model goes back over its reasoning. In an answer they show that the thinking has not stopped."""

from __future__ import annotations

import re
from functools import lru_cache

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


# By phrase: whether it matches as whole words. Longer ones come first, so that "let me re-check" is not counted twice.
_WHOLE = {
    phrase: code not in _UNSPACED
    for phrase, code in sorted(((p, c) for c, phrases in REFLECTIONS.items() for p in phrases), key=lambda pair: -len(pair[0]))
}


@lru_cache(maxsize=4096)
def _pattern(phrases: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(rf"\b{re.escape(p)}\b" if _WHOLE[p] else re.escape(p) for p in phrases))


def count_reflections(text: str) -> int:
    """The number of words and phrases of REFLECTIONS in the text, without overlaps.

    Example: count_reflections("Wait, 12 is even. However, let me re-check that.") == 3
    """
    lower = text.lower()
    # Finding a fixed phrase is far faster than matching all of them at every character.
    present = tuple(phrase for phrase in _WHOLE if phrase in lower)
    return len(_pattern(present).findall(lower)) if present else 0
