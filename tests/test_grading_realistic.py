"""Whole answers in the manner of many models, as a person reads them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from raml_eval.grading.choice.extract import LETTERS
from raml_eval.grading.kinds import KINDS, read_completion
from tests.cases import choice
from tests.cases.realistic import read_cases

HUB = Path(__file__).resolve().parents[2] / "shared" / "hub"
MMLU_PRO = HUB / "TIGER-Lab" / "MMLU-Pro" / "data" / "test-00000-of-00001.parquet"


@pytest.mark.parametrize(("kind", "options", "text", "expected"), list(read_cases()))
def test_answer(kind: str, options: tuple[str, ...], text: str, expected: str) -> None:
    found = read_completion(text, kind, options)
    assert found is not None
    answer = found.answer
    if not expected or kind in ("choice", "label"):
        assert (answer or "") == expected
        return
    assert answer is not None
    decision = KINDS[kind].compare(expected, answer, ())
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
        found = read_completion(style.format(**words), "choice", options)
        if found is None or found.answer != LETTERS[right]:
            wrong.append((style, options[right]))
    assert len(wrong) <= 5, wrong
