"""Whole answers in the manner of many models, as a person reads them."""

from __future__ import annotations

import pytest

from raml_eval.grading.extract import Extraction
from raml_eval.grading.rules import quick_decision, read_answer
from tests.cases.realistic import read_cases


@pytest.mark.parametrize(("kind", "options", "text", "expected"), list(read_cases()))
def test_answer(kind: str, options: tuple[str, ...], text: str, expected: str) -> None:
    found = read_answer(text, kind, options)
    answer = found.answer if isinstance(found, Extraction) else None
    if not expected or kind in ("choice", "label"):
        assert (answer or "") == expected
        return
    assert answer is not None
    decision = quick_decision(expected, answer, kind)
    assert decision is not None
    assert decision[0]
