"""The phrase tables: every example is read as it says, and every row and alternative is noticed by an example of its own."""

from __future__ import annotations

import ast
import re

import pytest

from raml_eval.grading.statements.table import GRADING, PHRASES, Row
from raml_eval.grading.text import lower
from tests.phrases import notices, read_example, variants, without_alternatives

ROWS = [row for table in PHRASES.tables.values() for row in table.rows]
TABLES = sorted(PHRASES.tables)
LONGEST = 200  # characters of a row, its named parts counted apart


@pytest.mark.parametrize("table", TABLES)
def test_every_example_is_read_as_it_says(table: str) -> None:
    wrong = [(row.id, example, read) for row in PHRASES.tables[table].rows for example in row.examples
             for read, wanted in [read_example(example)] if read != wanted]  # fmt: skip
    assert wrong == []


@pytest.mark.parametrize("table", TABLES)
def test_every_row_and_alternative_is_noticed(table: str) -> None:
    rows = PHRASES.tables[table].rows
    unnoticed = [(row.id, pattern) for row in rows for pattern in variants(row) if not notices(row, pattern)]
    assert unnoticed == []


@pytest.mark.parametrize("table", TABLES)
def test_no_row_fires_in_its_counterexample(table: str) -> None:
    for row in PHRASES.tables[table].rows:
        for text in row.counterexamples:
            pattern = re.compile(PHRASES.expand(row.pattern), PHRASES[table].flags & ~re.UNICODE)
            where = PHRASES.tables[table].where
            find = pattern.fullmatch if where.startswith("all of") else pattern.search
            find = pattern.match if where.startswith("right behind") else find
            assert find(lower(text)) is None, (row.id, text)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_rows_are_short_and_have_examples(row: Row) -> None:
    assert len(row.pattern) <= LONGEST
    assert row.examples


def test_patterns_say_where_they_apply_and_have_counterexamples() -> None:
    patterns = [table for table in PHRASES.tables.values() if table.rows and table.rows[0].source.endswith("patterns.toml")]
    assert [table.name for table in patterns if not (table.where and table.says)] == []
    assert [row.id for table in patterns for row in table.rows if not row.counterexamples] == []


def test_words_stand_once_in_a_table() -> None:
    for table in PHRASES.tables.values():
        patterns = [row.pattern for row in table.rows]
        assert sorted(set(patterns)) == sorted(patterns), table.name


@pytest.mark.parametrize(
    ("pattern", "shorter"),
    [
        ("a|b", ["b", "a"]),
        (r"a(?:b|c[|)]|\|d)e", [r"a(?:c[|)]|\|d)e", r"a(?:b|\|d)e", "a(?:b|c[|)])e"]),
        ("(?<!x|y)z", ["(?<!y)z", "(?<!x)z"]),
        ("(?P<n>a|b)", ["(?P<n>b)", "(?P<n>a)"]),
        ("(a)(b)?", []),
    ],
)
def test_alternatives_are_left_out_one_by_one(pattern: str, shorter: list[str]) -> None:
    assert list(without_alternatives(pattern)) == shorter


def test_regular_expressions_in_the_graders_code_are_short() -> None:
    """What is about words is in the tables; what is left in code is about structure, and short."""
    for path in GRADING.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "re.compile":
                written = [part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
                assert sum(len(str(part)) for part in written) <= LONGEST, f"{path.name}:{node.lineno}"


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("math: The answer on the sheet is 5.", "5"),
        ("exact: The answer in my opinion is green.", "green"),
        ("exact: The answer we get with a die is green.", "green"),
        ("math: The answer on line 2 is 5.", "5"),
        ("math: The answer in case 2 is 5.", "5"),
        ("Option A on its own is dry. The answer is D.", "D"),
    ],
)
def test_words_of_one_language_do_not_change_another(text: str, answer: str) -> None:
    """The words of all languages are read in every text; short ones are words of other languages too."""
    assert read_example(f"{text} => {answer}") == (answer, answer)
