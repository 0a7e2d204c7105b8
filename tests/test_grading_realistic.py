"""Whole answers in the manner of many models, as a person reads them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from raml_eval.grading.choice import LETTERS
from raml_eval.grading.extract import Extraction
from raml_eval.grading.rules import quick_decision, read_answer
from tests.cases import choice
from tests.cases.realistic import read_cases

HUB = Path(__file__).resolve().parents[2] / "shared" / "hub"
MMLU_PRO = HUB / "TIGER-Lab" / "MMLU-Pro" / "data" / "test-00000-of-00001.parquet"


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


@pytest.mark.skipif(not MMLU_PRO.is_file(), reason="the real rows of MMLU-Pro are not at hand")
def test_every_style_is_read_with_real_options() -> None:
    """Options of a real benchmark hold formulas, lists, single letters and whole sentences. At most 1 in 300 is misread."""
    import pandas as pd

    rows = pd.read_parquet(MMLU_PRO)["options"]
    draw, wrong = random.Random(0), []
    for row in draw.sample(range(len(rows)), 1500):
        options = tuple(map(str, rows[row]))
        if len(options) < 2:
            continue
        right, other = draw.sample(range(len(options)), 2)
        words = {"x": LETTERS[right], "t": options[right], "o": LETTERS[other], "u": options[other]}
        words["options"] = "\n".join(f"{letter}. {text}" for letter, text in zip(LETTERS, options, strict=False))
        style = draw.choice(choice.BEFORE) + draw.choice(choice.STYLES) + draw.choice(choice.AFTER)
        found = read_answer(style.format(**words), "choice", options)
        if not isinstance(found, Extraction) or found.answer != LETTERS[right]:
            wrong.append((style, options[right]))
    assert len(wrong) <= 5, wrong
