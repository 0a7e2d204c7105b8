"""Where a text states its answer: the limits of the search, and a language added by a file of words alone."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from raml_eval.grading.choice.extract import extract_choice
from raml_eval.grading.kinds import extract_answer
from raml_eval.grading.statements import places
from raml_eval.grading.statements.places import MOST, MOST_WORDED, formal_places, phrase_places
from raml_eval.grading.statements.table import GRADING, PHRASES, load_phrases
from tests.phrases import notices

# All that a newcomer writes for Esperanto, into statements/languages/eo.toml.
ESPERANTO = """
answer_noun = [
  ['respondo', "Respondo: D\\n\\nMi esperas, ke tio helpas! => D"],
]
is = [
  ['estas', "Respondo estas D.\\n\\nMi esperas, ke tio helpas! => D"],
]
right = [
  ['ĝusta', "Respondo ĝusta estas D.\\n\\nMi esperas, ke tio helpas! => D"],
]
"""
ENDING = "\n\nMi esperas, ke tio helpas!"


@pytest.fixture
def esperanto(tmp_path: Path) -> Iterator[None]:
    """The phrase tables as they are with one more language file."""
    for path in [*GRADING.rglob("patterns.toml"), *GRADING.rglob("languages/*.toml")]:
        copy = tmp_path / path.relative_to(GRADING)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    (tmp_path / "statements" / "languages" / "eo.toml").write_text(ESPERANTO, encoding="utf-8")
    with PHRASES.using(load_phrases(tmp_path).tables):
        yield


@pytest.mark.parametrize(
    "text",
    ["Respondo estas D.", "Respondo: D", "**Respondo:** D", "Respondo ĝusta estas D.", "Respondo al ĝi\n\nRespondo estas (D)."],
)
def test_a_language_file_is_all_that_a_new_language_needs(text: str, esperanto: None) -> None:
    assert extract_choice(text + ENDING, ("Paris", "London", "Rome", "New York")).answer == "D"
    assert extract_answer("Respondo estas vera.", "exact", ()).answer == "vera"


def test_the_added_words_are_noticed_as_all_words_must_be(esperanto: None) -> None:
    added = [row for table in PHRASES.tables.values() for row in table.rows if row.source == "eo.toml"]
    assert [row.table for row in added if notices(row, None)] == ["answer_noun", "is", "right"]


def test_without_the_file_the_language_is_not_read() -> None:
    assert extract_choice("Respondo estas D." + ENDING, ("Paris", "London", "Rome", "New York")).answer is None
    assert extract_answer("Respondo estas vera.", "exact", ()).answer == "Respondo estas vera."


@pytest.mark.parametrize("table", ["answer_noun", "option_noun", "label_noun"])
def test_every_noun_begins_with_plain_text_by_which_it_is_found(table: str) -> None:
    for row in PHRASES.tables[table].rows:
        begun = places._BEGINNING.match(row.pattern)
        assert begun is not None, row.id
        assert len(begun[1]) > 2, row.id


@pytest.mark.parametrize("table", ["not_one", "right", "fitting"])
def test_words_that_are_looked_up_are_plain(table: str) -> None:
    assert [word for word in PHRASES.words(table) if re.escape(word).replace("\\ ", " ") != word] == []


@pytest.mark.parametrize(
    ("word", "beginning"),
    [("answers?", "answer"), ("jawaban", "jawaban"), ("opci[oó]n", "opci"), ("one(?= is)", "one is"), ("ab?c", "a")],
)
def test_the_beginning_of_a_word_is_what_it_cannot_lack(word: str, beginning: str) -> None:
    begun = places._BEGINNING.match(word)
    assert begun is not None
    assert "".join(filter(None, begun.groups())) == beginning


def test_the_last_places_are_read_where_there_are_very_many() -> None:
    text = "the answer is a. " * 2000
    assert len(list(phrase_places(text))) == MOST_WORDED
    assert next(phrase_places(text)).at == len(text) - 3
    assert len(formal_places("[[a]] " * 2000)) == MOST
    assert len(list(phrase_places("答案是 a。" * 2000))) == MOST


@pytest.mark.parametrize(
    ("text", "rule", "content"),
    [
        (r"so \boxed{12}", "boxed", "12"),
        (r"so oxed{12}", "box without its mark", "12"),
        ("<Answer>12</Answer>", "answer tag", "12"),
        ("{'final answer': '12'}", "JSON", "12"),
        ("#### 12", "after ####", "12"),
        ("【12】", "in brackets", "12"),
    ],
)
def test_a_delimiter_says_where_its_answer_begins_and_ends(text: str, rule: str, content: str) -> None:
    (place,) = formal_places(text)
    assert (place.rule, text[place.at : place.end]) == (rule, content)
