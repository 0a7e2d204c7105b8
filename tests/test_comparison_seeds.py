"""Runs with the same seed: what is said of them, and when their noise is not split."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from raml_eval.comparison import compare_runs
from raml_eval.comparison.seeds import draw_the_same, seed_notes, shared_seed, untie
from raml_eval.intervals import NoiseSplit
from raml_eval.types import StoredRun
from tests.factory import by_row, make_run


def drawn(seed: Any, weights: str | None = None, name: str = "run") -> StoredRun:
    run = make_run(by_row(lambda row: row % 5), name=name, n_questions=40, protocol={"sampling": {"seed": seed}})
    return replace(run, manifest={**run.manifest, "model": {"name": "tiny", "fingerprint": weights}})


@pytest.mark.parametrize(
    ("base", "new", "seed", "same"),
    [
        (drawn(3, "a"), drawn(3, "b"), 3, False),
        (drawn(3, "a"), drawn(3, "a"), 3, True),
        (drawn(0, "a"), drawn(0, "a"), 0, True),
        (drawn(3, "a"), drawn(4, "a"), None, False),
        (drawn(3), drawn(3), 3, False),  # an imported run knows no fingerprint
        (drawn(None, "a"), drawn(None, "a"), None, False),
        (make_run(by_row(lambda row: 1)), drawn(3, "a"), None, False),
    ],
)
def test_a_seed_is_shared_if_both_runs_store_it(base: StoredRun, new: StoredRun, seed: int | None, same: bool) -> None:
    assert (shared_seed(base, new), draw_the_same(base, new)) == (seed, same)
    assert len(list(seed_notes(base, new))) == (seed is not None)


SPLIT = NoiseSplit(0.0, 0.1, 0.004, 0.006, 2, 2, 1.0)


@pytest.mark.parametrize(
    ("redraw", "new", "known"),
    [
        (0.012, drawn(3, "b"), True),  # 2 * 0.012 / 4 = 0.006 of 0.01
        (0.021, drawn(3, "b"), False),  # 0.0105: more than the whole
        (0.021, drawn(4, "b"), True),
        (0.012, drawn(3, "a"), False),  # the same draws of the same model
    ],
)
def test_a_split_is_unknown_where_the_seed_makes_it_so(redraw: float, new: StoredRun, known: bool) -> None:
    found = untie(SPLIT, [np.full(2, redraw)], drawn(3, "a"), new)
    assert math.isnan(found.redraw_share) != known
    assert found.standard_error == SPLIT.standard_error
    assert found == SPLIT or not known


def test_a_comparison_says_that_its_runs_share_a_seed() -> None:
    coupled = compare_runs(drawn(3, "a", "base"), drawn(3, "b", "new"))
    assert any("both runs were drawn with seed 3, so their samples are coupled" in note for note in coupled.notes)
    same = compare_runs(drawn(3, "a", "base"), drawn(3, "a", "new"))
    assert "both runs drew the same model with the same seed (3), so they say nothing about redrawing" in same.notes
    noise = same.family("primary")[0].noise
    assert noise is not None
    assert math.isnan(noise.redraw_share)
    apart = compare_runs(drawn(3, "a", "base"), drawn(4, "a", "new"))
    assert not any("seed" in note for note in apart.notes)


def test_a_comparison_says_where_redrawing_is_shown_too_high() -> None:
    base, new = drawn(3, "a", "base"), drawn(4, "b", "new")
    assert any(
        note.startswith("pass@3: the part from redrawing is by the jackknife")
        for note in compare_runs(base, new, metric="pass@3").notes
    )
    assert not any("jackknife" in note for note in compare_runs(base, new, metric="pass@2").notes)
