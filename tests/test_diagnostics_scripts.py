"""The scripts of texts, and what is foreign to a question: a table of cases."""

from __future__ import annotations

import unicodedata

import pytest

from raml_eval.diagnostics.scripts import _WORDS, count_letters, foreign_letters, main_script

LETTERS = [
    ("The sum of both is seven.", {"latin": 12}),  # of and is have two letters, and sum is a function too
    ("x + y = AB, GCD(12, 8), sin x, 5 kg", {}),
    (r"So $\text{answer} = \frac{a}{b}$ and \(\sum_{word} k\) \[ longword \] hold", {"latin": 7}),
    ("call `find_value` or ```python\nreturn value\n``` then", {"latin": 8}),
    ("unclosed ```python\nreturn value", {"latin": 8}),
    ("<think> yes </think>", {"latin": 3}),
    ("Сумма равна семи", {"cyrillic": 14}),
    ("设 $x$ 为答案", {"han": 4}),
    ("答えは三です", {"han": 2, "kana": 4}),
    ("정답은 5입니다", {"hangul": 6}),
    ("λόγος and α + β = π", {"greek": 5, "latin": 3}),
    ("الجواب هو خمسة", {"arabic": 12}),
    ("उत्तर", {"devanagari": 4}),
    ("𝑥 ∈ ℝ, ℓ = 5 Ω, x² ≤ 10⁵, 12 µm", {}),
    ("Die Größe fällt", {"latin": 13}),
    ("It costs $5 and not $6 or so, 最后", {"latin": 11, "han": 2}),
    ("١٢٣ 123 一二", {"han": 2}),
    ("", {}),
]


@pytest.mark.parametrize(("text", "expected"), LETTERS)
def test_letters_are_counted_by_script(text: str, expected: dict[str, int]) -> None:
    assert count_letters(text) == expected


SWITCHES = [
    # question, thinking, scripts that are foreign
    ("What is the sum?", "The sum is seven.", []),
    ("What is the sum?", "The sum 是 seven.", []),  # one character may be a slip of a tokenizer
    ("What is the sum?", "The sum is 七个 apples.", ["han"]),
    ("What is the sum?", "Сначала the sum", ["cyrillic"]),
    ("求 x 的值", "先求 x + y, 然后 AB", []),
    ("求 x 的值", "First we add both, 然后相加", ["latin"]),
    ("合計はいくつですか", "漢字だけの文章 合計", []),
    ("合計はいくつですか", "合计是七个苹果", []),  # Han cannot be told from Japanese in characters alone
    ("求 x 的值", "まず足します", ["kana"]),
    ("What is αβγ in λόγος?", "The word λόγος", []),
    ("What is the sum?", "Let α, β be angles, so θ = π.", []),
    ("What is the sum?", "`переменная` and $сумма$ are seven", []),
]


@pytest.mark.parametrize(("question", "thinking", "expected"), SWITCHES)
def test_a_switch_is_a_script_that_the_question_lacks(question: str, thinking: str, expected: list[str]) -> None:
    assert list(foreign_letters(count_letters(thinking), count_letters(question))) == expected


def test_the_main_script() -> None:
    assert main_script({}) == ""
    assert main_script(count_letters("答えは三つ and")) == "kana"
    assert main_script(count_letters("最后 the answer is seven")) == "latin"


def test_every_character_belongs_to_one_script_and_is_a_letter() -> None:
    for code in range(0x30000):
        character = chr(code)
        scripts = [name for name, pattern in _WORDS.items() if pattern.fullmatch(character)]
        assert len(scripts) <= 1, (hex(code), scripts)
        if scripts:
            assert unicodedata.category(character)[0] != "N" or character == "〇", hex(code)
            assert unicodedata.category(character)[0] not in "PZC" or unicodedata.category(character) == "Cn", hex(code)
