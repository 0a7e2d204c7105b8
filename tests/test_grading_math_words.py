"""The symbols, functions and letters of the math grader: each is read, and without its row something comes out differently.

Its words stand in the phrase tables, whose examples test them (tests/test_phrases.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from raml_eval.grading.math import compare, formula, names, tokens, units, value, words
from raml_eval.grading.math.equal import _form, quick_leaf, quick_math
from raml_eval.grading.math.forms import EMPTY, Named, Value, Word
from raml_eval.grading.statements.table import PHRASES


def clear() -> None:
    PHRASES._clear()
    for function in (_form, quick_leaf, tokens.tokenize):
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


WORDS = {word for tables in units._TABLES.values() for table in tables for word in PHRASES.words(table)}


@pytest.mark.parametrize("name", sorted(units._known().keys() - WORDS))
def test_units_of_a_kind(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = units._known()
    kind, size = known[name]

    def read() -> units.Unit | None:
        return units.split_unit(rf"7\text{{ {name}}}")[1] if "\\" not in name else units._named_unit(name)

    unit = read()
    assert unit is not None
    assert (unit.kind, unit.size) == (kind, size)
    if known.get(name.casefold()) != (kind, size) or name.islower():  # mL is read as ml anyway
        monkeypatch.setattr(units, "_known", lambda: {other: known[other] for other in known if other != name})
        assert read() != unit


@pytest.mark.parametrize("name", sorted(units._known()))
def test_a_unit_beside_a_value_changes_nothing(name: str) -> None:
    for written in (rf"5\text{{ {name}}}", rf"5\mathrm{{~{name}}}", rf"5\,\text{{{name}}}"):
        assert quick_math("5", written) == (True, "value"), written
        assert quick_math(written, "5") == (True, "value"), written
        assert quick_math("4", written) == (False, "value"), written


def test_units_of_one_kind_are_converted() -> None:
    by_kind: dict[str, list[tuple[str, Fraction]]] = {}
    for name, (kind, size) in units._known().items():
        by_kind.setdefault(kind, []).append((name, size))
    for one, *others in by_kind.values():
        for name, size in others:
            share = size / one[1]
            same = rf"\frac{{{share.numerator}}}{{{share.denominator}}}\text{{ {one[0]}}}"
            assert quick_math(rf"1\text{{ {name}}}", same) == (True, "value"), (name, same)
            assert quick_math(rf"2\text{{ {name}}}", same) == (False, "value"), (name, same)


@pytest.mark.parametrize("name", units._SHORT)
def test_short_units_without_a_mark(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = units.split_unit(f"7 {name}")
    assert before[0] == "7"
    assert before[1] is not None
    monkeypatch.setattr(units, "_SHORT", tuple(other for other in units._SHORT if other != name))
    clear()
    assert units.split_unit(f"7 {name}") != before


@pytest.mark.parametrize("pair", words._OPPOSITES)
def test_words_that_exclude_each_other(pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    golds = [rf"2^n\text{{ for {word} }}n" for word in pair]
    assert quick_math(*golds) == (False, "family")
    assert quick_math(*golds[::-1]) == (False, "family")
    assert quick_math(golds[0], golds[0]) == (True, "identical")
    monkeypatch.setattr(words, "_OPPOSITES", tuple(other for other in words._OPPOSITES if other != pair))
    assert quick_math(*golds) == (True, "family")


@pytest.mark.parametrize("word", compare._WORDS_FOR)
def test_words_for_symbols(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for symbol in compare._WORDS_FOR[word]:
        assert compare.compare(Word(word, True), Value(symbol), quick_leaf)
    symbol = compare._WORDS_FOR[word][0]
    assert changes(monkeypatch, compare._WORDS_FOR, word, lambda: compare.compare(Word(word, True), Value(symbol), quick_leaf))
    assert EMPTY in {symbol for symbols in compare._WORDS_FOR.values() for symbol in symbols}


@pytest.mark.parametrize("name", sorted(formula.FUNCTIONS))
def test_functions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = rf"{name}(x)+1", rf"1+{name} x"
    assert value.same_value(*pair)
    assert not value.same_value(rf"{name}(x)", "x")
    assert changes(monkeypatch, formula.FUNCTIONS, name, lambda: value.same_value(*pair))


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
