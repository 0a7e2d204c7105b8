"""Words and breaks are found as tokens: whole words, longer phrases first, and every line break once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.diagnostics.roles.occurrences import LINE, PARAGRAPH, WORDS, Occurrence, choose_words, find_occurrences
from raml_eval.diagnostics.roles.places import text_and_ends
from raml_eval.errors import ConfigError
from raml_eval.reflection import REFLECTIONS
from tests.scripted import Letters


def find(text: str, *wanted: str) -> list[tuple[str, str]]:
    """(role, what the tokens hold) of each occurrence, with a token a character."""
    whole, ends = text_and_ends(Letters(), Letters().encode(text))
    return [(one.role, whole[one.start : one.stop]) for one in find_occurrences(whole, ends, choose_words(wanted))]


def test_words_are_whole_and_in_any_case() -> None:
    assert find("await Waiting wait_ 2wait Wait, WAIT") == [("Wait", "Wait"), ("Wait", "WAIT")]


def test_a_phrase_of_two_words() -> None:
    assert find("Hold on, household one. hold on") == [("Hold on", "Hold on"), ("Hold on", "hold on")]


def test_words_that_overlap_count_once_and_the_longer_first() -> None:
    assert find("no wait a bit", "wait", "wait a", "a bit") == [("wait a", "wait a")]
    assert find("Let me double-check. However") == [("other (en)", "Let me double-check"), ("However", "However")]


def test_other_languages_have_a_role_each() -> None:
    assert find("Однако 等等不对 warte") == [
        ("other (ru)", "Однако"), ("other (zh)", "等等"), ("other (zh)", "不对"), ("other (de)", "warte"),
    ]  # fmt: skip


def test_breaks_are_lines_or_paragraphs_and_never_both() -> None:
    assert find("a\nb\n\nc\n \t\n\nd\r\n\r\ne\n") == [
        (LINE, "\n"), (PARAGRAPH, "\n\n"), (PARAGRAPH, "\n \t\n\n"), (PARAGRAPH, "\n\r\n"), (LINE, "\n"),
    ]  # fmt: skip


@given(st.text(alphabet="a \n\t"))
def test_every_line_break_belongs_to_one_break(text: str) -> None:
    found = find(text)
    assert sum(held.count("\n") for _, held in found) == text.count("\n")
    assert all((held.count("\n") > 1) == (role == PARAGRAPH) for role, held in found)


def test_without_words_the_papers_and_every_language_are_looked_for() -> None:
    words = choose_words()
    assert words.names == (*WORDS, *(f"other ({code})" for code in REFLECTIONS))
    assert {*words.roles} == {phrase.lower() for phrase in WORDS} | {one for all_ in REFLECTIONS.values() for one in all_}


def test_words_that_were_asked_for_take_their_place() -> None:
    assert choose_words([" So ", "so", "等"]).roles == {"so": "So", "等": "等"}
    assert choose_words(["So", "等"]).whole == {"so": True, "等": False}
    with pytest.raises(ConfigError, match="is blank"):
        choose_words(["So", " "])


def test_what_is_no_break_is_a_word() -> None:
    assert Occurrence("Wait", 0, 1).is_word
    assert not Occurrence(LINE, 0, 1).is_word
