"""The word lists of the math grader: every word is read, and without its row something comes out differently."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from raml_eval.grading.math import compare, formula, names, numbers, reading, tokens, units, value, words
from raml_eval.grading.math.equal import _form, equal_math, quick_leaf
from raml_eval.grading.math.forms import EMPTY, Named, Value, Word
from tests.alternatives import without_each

# What each row is read as, in a text of its own.
NUMBERS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("_SMALL", lambda word: f"thirty {word}" if word in ("a", "an") else word),
    ("_TENS", lambda word: word),
    ("_SCALES", lambda word: f"5 {word}"),
)


def clear() -> None:
    for function in (numbers.read_fraction, numbers.read_number, numbers.read_based, _form, quick_leaf, tokens.tokenize):
        function.cache_clear()


@pytest.fixture(autouse=True)
def _fresh_caches() -> Any:
    clear()
    yield
    clear()


def changes(monkeypatch: pytest.MonkeyPatch, table: dict[str, Any], row: str, read: Callable[[], Any]) -> bool:
    """Whether what is read differs without the row."""
    clear()
    before = read()
    with monkeypatch.context() as patch:
        patch.delitem(table, row)
        clear()
        try:
            after = read()
        except KeyError:  # a pattern that is made of the table still has the row
            return True
        finally:
            clear()
    return bool(before != after)


@pytest.mark.parametrize("name", sorted(units._KNOWN))
def test_units_of_a_kind(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, size = units._KNOWN[name]

    def read() -> units.Unit | None:
        return units.split_unit(rf"7\text{{ {name}}}")[1] if "\\" not in name else units._named_unit(name)

    unit = read()
    assert unit is not None
    assert (unit.kind, unit.size) == (kind, size)
    if units._KNOWN.get(name.casefold()) != (kind, size) or name.islower():  # mL is read as ml anyway
        assert changes(monkeypatch, units._KNOWN, name, read)


@pytest.mark.parametrize("name", units._SHORT)
def test_short_units_without_a_mark(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = units.split_unit(f"7 {name}")
    assert before[0] == "7"
    assert before[1] is not None
    rest = [other for other in units._SHORT if other != name]
    monkeypatch.setattr(units, "_SHORT", tuple(rest))
    monkeypatch.setattr(units, "_PLAIN_UNIT", units._plain_unit(rest))
    assert units.split_unit(f"7 {name}") != before


@pytest.mark.parametrize("word", [part for part, _ in without_each(units._SCALE.pattern)])
def test_words_that_change_a_value_are_no_unit(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plural = "s" if word == "thousand" else ""  # which ends in 'and'
    text = rf"7\text{{ {word.removesuffix(chr(92) + 'b')}{plural} cm}}"
    assert units.split_unit(text) == (text, None)
    monkeypatch.setattr(units, "_SCALE", re.compile(dict(without_each(units._SCALE.pattern))[word]))
    assert units.split_unit(text)[0] == "7"


@pytest.mark.parametrize("scale", units._CJK_SCALES)
def test_scales_in_chinese(scale: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert equal_math(str(3 * units._CJK_SCALES[scale]), f"3{scale}")[0]
    assert changes(monkeypatch, units._CJK_SCALES, scale, lambda: units.split_unit(f"3{scale}"))


@pytest.mark.parametrize(("table", "word", "text"), [(t, w, say(w)) for t, say in NUMBERS for w in getattr(numbers, t)])
def test_number_words(table: str, word: str, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert numbers.read_fraction(text) is not None
    assert changes(monkeypatch, getattr(numbers, table), word, lambda: numbers.read_fraction(text))


@pytest.mark.parametrize("word", numbers._PARTS)
def test_parts(word: str) -> None:
    assert numbers.read_fraction(f"3 {word}s") == numbers.Fraction(3, numbers._PARTS[word])


@pytest.mark.parametrize("word", numbers._BASES)
def test_bases(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = rf"101_{{\text{{{word}}}}}"
    assert numbers.read_based(text) == ("101", numbers._BASES[word])
    assert changes(monkeypatch, numbers._BASES, word, lambda: numbers.read_based(text))


@pytest.mark.parametrize("phrase", words._SAME_WORDS)
def test_phrases_of_one_meaning(phrase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert equal_math(rf"\text{{{words._SAME_WORDS[phrase]}}}", rf"\text{{{phrase}}}")[0]
    assert changes(monkeypatch, words._SAME_WORDS, phrase, lambda: words.plain_words(phrase))


@pytest.mark.parametrize("word", sorted(words._UNSAID))
def test_words_that_take_back_what_a_phrase_says(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert words.says("the function is odd", "odd")
    assert not words.says(f"the function is {word} odd", "odd")
    monkeypatch.setattr(words, "_UNSAID", words._UNSAID - {word})
    assert words.says(f"the function is {word} odd", "odd")


@pytest.mark.parametrize("word", compare._WORDS_FOR)
def test_words_for_symbols(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for symbol in compare._WORDS_FOR[word]:
        assert compare.compare(Word(word, True), Value(symbol), quick_leaf)
    symbol = compare._WORDS_FOR[word][0]
    assert changes(monkeypatch, compare._WORDS_FOR, word, lambda: compare.compare(Word(word, True), Value(symbol), quick_leaf))
    assert EMPTY in {symbol for symbols in compare._WORDS_FOR.values() for symbol in symbols}


@pytest.mark.parametrize("word", re.findall(r"[a-z]{2,}", reading._CHANGES.pattern))
def test_introductions_that_change_what_follows(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = rf"\text{{This is {word} }}5"
    before = reading.read_form(text)
    assert before != Value("5")
    monkeypatch.setattr(
        reading, "_CHANGES", re.compile(re.sub(rf"\b{word}\b", "(?!)", reading._CHANGES.pattern), re.IGNORECASE)
    )
    assert reading.read_form(text) == Value("5")


@pytest.mark.parametrize("name", sorted(formula._FUNCTIONS))
def test_functions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = rf"{name}(x)+1", rf"1+{name} x"
    assert value.same_value(*pair)
    assert not value.same_value(rf"{name}(x)", "x")
    assert changes(monkeypatch, formula._FUNCTIONS, name, lambda: value.same_value(*pair))


@pytest.mark.parametrize("name", sorted(tokens.GREEK))
def test_greek_letters(name: str) -> None:
    assert value.same_value(rf"2{name}+{name}_0", rf"{name}_0+{name}\cdot 2")
    assert value.same_value(name, f"{name}_0") is False
    assert value.same_value(name, "x") is False


@pytest.mark.parametrize("family", names._FAMILIES)
def test_letters_that_have_an_order_of_their_own(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    items = [Named(letter, Value(str(place))) for place, letter in enumerate(family.split())]
    assert list(names.in_order_of_names(items[::-1])) == items
    monkeypatch.setattr(names, "_FAMILIES", tuple(other for other in names._FAMILIES if other != family))
    assert list(names.in_order_of_names(items[::-1])) != items


LABELS = {
    r"A\cap B": 0,
    "|AB|": 1,
    r"\frac{dy}{dx}": 2,
    r"\frac{\partial f}{\partial x}": 2,
    r"\frac{AB}{CD}": 3,
    r"\frac{S_1}{S_2}": 3,
    "V_1:V_2": 4,
    "a:b:c": 4,
    "P(A|B)": 5,
    "E[X]": 5,
    r"\operatorname{Var}(X)": 5,
    r"m\angle ABC": 6,
    r"|\vec{a}|": 7,
    r"\overrightarrow{AB}": 7,
    r"\det A": 8,
}


@pytest.mark.parametrize("label", LABELS)
def test_labels(label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(LABELS.values()) == set(range(len(names._SPECIAL)))
    assert names.is_name(label)
    rest = [pattern for place, pattern in enumerate(names._SPECIAL) if place != LABELS[label]]
    monkeypatch.setattr(names, "_SPECIAL_NAME", re.compile("|".join(rest)))
    assert not names.is_name(label)


@pytest.mark.parametrize(
    "text", ["x+y", "2x", r"\sin x", r"\frac{x}{y}", r"\frac{x}{2}", "x^2", "|x|", "a_{n+1}", "(x,y)", "3:2"]
)
def test_formulas_are_no_names(text: str) -> None:
    assert not names.is_name(text)
