"""Words of reflection are counted as one pattern of all phrases would count them."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from raml_eval.reflection import REFLECTIONS, count_reflections, find_phrases, is_spaced, reflections_by_language

UNSPACED = ("zh", "ja", "ko")
PHRASES = sorted(((p, code) for code, phrases in REFLECTIONS.items() for p in phrases), key=lambda pair: -len(pair[0]))
PATTERN = re.compile("|".join(re.escape(p) if code in UNSPACED else rf"\b{re.escape(p)}\b" for p, code in PHRASES))
NEAR = ("Wait", "HOWEVER,", "awaits", "_wait", "wait_", "wait2", "é", " ", ".", "-", "\n", "x", "İ")
PARTS = st.sampled_from([*(p for p, _ in PHRASES), *NEAR])


@given(st.lists(PARTS).map("".join) | st.lists(PARTS).map(" ".join))
@example("let me re-check, let me recheck; rechecked")
@example("")
def test_phrases_are_found_as_by_a_pattern(text: str) -> None:
    assert count_reflections(text) == len(PATTERN.findall(text.lower()))
    assert reflections_by_language(text).total() == count_reflections(text)


def test_each_phrase_counts_for_its_language() -> None:
    for code, phrases in REFLECTIONS.items():
        for phrase in phrases:
            assert reflections_by_language(f"1. {phrase} 2") == {code: 1}, phrase
    assert reflections_by_language("Wait, let me check. Однако 等等,不对") == {"en": 2, "ru": 1, "zh": 2}


def test_phrases_are_found_where_they_stand() -> None:
    text = "Await. Waiting wait_ WAIT, hold on a moment"
    phrases = {"wait": True, "hold": True, "hold on": True, "on a": True}
    found = list(find_phrases(text, phrases))
    assert [phrase for *_, phrase in found] == ["wait", "hold on"]  # of two at one place the longer, and no overlap
    assert [text[start:stop] for start, stop, _ in found] == ["WAIT", "hold on"]


def test_characters_that_grow_in_lower_case_move_no_place() -> None:
    text = "İİİ Wait, İ"
    ((start, stop, _),) = find_phrases(text, {"wait": True})
    assert text[start:stop] == "Wait"


def test_words_in_scripts_without_blanks_stand_anywhere() -> None:
    assert [is_spaced(one) for one in ("So", "Однако", "hold on", "等等", "しかし", "잠깐", "嗯")] == [True] * 3 + [False] * 4
    assert [start for start, *_ in find_phrases("我嗯了", {"嗯": False})] == [1]
