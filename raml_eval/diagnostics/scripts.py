r"""Which scripts a text is written in. Formulas, code and names of variables belong to none.

A letter counts for its script: latin, cyrillic, greek, han, kana, hangul, arabic, hebrew, devanagari, thai, or other (further
alphabets of living languages). Neutral, that is of no script, are:
- code between backticks and formulas between dollars, \( \) and \[ \], LaTeX commands, <tags> and the names of functions;
- Latin and Greek words of one or two letters and Latin ones in capitals alone: x, AB, kg, GCD, α;
- digits, punctuation, symbols, and the letters that Unicode has for mathematics alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

_RANGES: Mapping[str, str] = {
    "latin": r"A-Za-z\xaa\xba\xc0-\xd6\xd8-\xf6\xf8-\u024f\u1e00-\u1eff\uff21-\uff3a\uff41-\uff5a",
    "cyrillic": r"\u0400-\u0481\u048a-\u052f\u1c80-\u1c88\ua640-\ua66d\ua680-\ua69b",
    "greek": r"\u0370-\u0373\u0376-\u0377\u037b-\u037d\u037f\u0386\u0388-\u03ff\u1f00-\u1fbc\u1fc2-\u1fcc\u1fd0-\u1fdb"
    r"\u1fe0-\u1fec",
    "han": r"\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff",
    "kana": r"\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fd-\u30ff\u31f0-\u31ff\uff66-\uff9d",
    "hangul": r"\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3",
    "arabic": r"\u0620-\u064a\u066e-\u066f\u0671-\u06d3\u06fa-\u06fc\u0750-\u077f\u08a0-\u08c9\ufb50-\ufbb1\ufbd3-\ufd3d"
    r"\ufd50-\ufdfb\ufe70-\ufefc",
    "hebrew": r"\u05d0-\u05ea\u05ef-\u05f2\ufb1f-\ufb28\ufb2a-\ufb4f",
    "devanagari": r"\u0904-\u0939\u093d\u0950\u0958-\u0961\u0971-\u097f",
    "thai": r"\u0e01-\u0e30\u0e32-\u0e33\u0e40-\u0e46",
    # Armenian, Syriac, Bengali to Sinhala, Lao and Tibetan, Burmese and Georgian, Ethiopic, Khmer, Mongolian
    "other": r"\u0531-\u0556\u0561-\u0587\u0710\u0712-\u072f\u0985-\u09b9\u0a05-\u0a39\u0a85-\u0ab9\u0b05-\u0b39\u0b85-\u0bb9"
    r"\u0c05-\u0c39\u0c85-\u0cb9\u0d05-\u0d3a\u0d85-\u0dc6\u0e81-\u0eae\u0f40-\u0f6c\u1000-\u102a\u10a0-\u10fa\u10fc-\u10ff"
    r"\u1200-\u135a\u1780-\u17b3\u1820-\u1878",
}
SCRIPTS = tuple(_RANGES)
_WORDS = {name: re.compile(f"[{ranges}]+") for name, ranges in _RANGES.items()}
_NEUTRAL = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]*`|\$\$.*?\$\$|\$(?!\s)[^$\n]{1,400}(?<!\s)\$(?!\d)|\\\(.*?\\\)|\\\[.*?\\\]|\\[A-Za-z]+|</?[A-Za-z][^<>\n]{0,200}>",
    re.DOTALL,
)
_FUNCTION_NAMES = """
sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh log exp sqrt lim max min sup inf det dim ker gcd lcm mod div arg
deg rad abs def int len sum
"""
_FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
_ASCII_WORDS = re.compile("[A-Za-z]+")
_LEAST = {"latin": 3, "greek": 3}  # letters of a word that counts
SHORTEST: Mapping[str, int] = {"han": 2, "kana": 2, "hangul": 2}  # letters from which a script is there; 3 for the others


def count_letters(text: str) -> Counter[str]:
    """The number of letters of each script that is there, without what is neutral.

    Example: count_letters("So $x_{max}$ is 最大 here") == {"latin": 4, "han": 2}
    """
    plain = _NEUTRAL.sub(" ", text) if any(mark in text for mark in "`$\\<") else text
    if plain.isascii():
        n_latin = _count_words(_ASCII_WORDS, plain, "latin")
        return Counter({"latin": n_latin}) if n_latin else Counter()
    found = {name: _count_words(pattern, plain, name) for name, pattern in _WORDS.items()}
    return Counter({name: n for name, n in found.items() if n})


def _count_words(pattern: re.Pattern[str], text: str, script: str) -> int:
    least = _LEAST.get(script)
    if least is None:
        return sum(map(len, pattern.findall(text)))
    return sum(len(word) for word in pattern.findall(text) if len(word) >= least and not _is_name(word))


def _is_name(word: str) -> bool:
    return word.isupper() or word in _FUNCTIONS


def main_script(letters: Mapping[str, int]) -> str:
    """The script with the most letters, Japanese kana before the characters that it is mixed with; empty without letters.

    Example: main_script({"latin": 4, "han": 9}) == "han"
    """
    if not letters:
        return ""
    if letters.get("kana", 0) and letters.get("han", 0) + letters["kana"] >= max(letters.values()):
        return "kana"
    return max(letters, key=lambda name: (letters[name], name))


def foreign_letters(letters: Mapping[str, int], asked: Mapping[str, int]) -> dict[str, int]:
    """The letters of scripts that the question is not written in, by script; asked holds the question's own letters.

    A script is there from 3 letters on, from 2 for han, kana and hangul. Han belongs to a question in kana too.

    Example: foreign_letters({"latin": 40, "han": 2}, {"latin": 90}) == {"han": 2}
    """
    own = set(asked) | ({"han"} if "kana" in asked else set())
    return {name: n for name, n in letters.items() if name not in own and n >= SHORTEST.get(name, 3)}
