"""Words of reflection are counted as one pattern of all phrases would count them."""

from __future__ import annotations

import re

from hypothesis import example, given
from hypothesis import strategies as st

from raml_eval.reflection import REFLECTIONS, count_reflections, reflections_by_language

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
