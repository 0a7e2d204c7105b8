"""Curves are scored at the right positions, stored once, and go on where a session stopped."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from raml_eval.diagnostics.curves.driver import (
    TOO_LONG,
    Curve,
    Scoring,
    count_targets,
    is_scored,
    read_curve,
    score_targets,
)
from raml_eval.diagnostics.curves.positions import Positions
from raml_eval.diagnostics.curves.probe import Probe
from raml_eval.diagnostics.curves.targets import Skipped, Target
from raml_eval.errors import GaveUp
from raml_eval.progress import Progress
from raml_eval.runner import MAX_FAILURES_IN_A_ROW
from raml_eval.store.journal import Journal, read_lines
from raml_eval.types import SampleKey
from tests.scored import WrittenScorer

PROBE = Probe((9, 8, 7), 2, True)
EIGHT = Positions(8)


def target(number: int, length: int = 20) -> Target:
    key = SampleKey("sums", f"{number}-abcdef", 0)
    return Target(f"{key}@64", key, "thinking", (1, 2, *range(100, 100 + length)), 2, PROBE, ())


def score(
    path: Path, scorer: WrittenScorer, targets: Sequence[Target], positions: Positions = EIGHT, context: int = 100
) -> tuple[dict[str, str], Skipped]:
    skipped: Skipped = {}
    done = {line["id"]: read_curve(line) for _, line in read_lines(path)}

    async def sit() -> dict[str, str]:
        journal = Journal(path)
        try:
            with Progress(len(targets), quiet=True) as progress:
                scoring = Scoring(scorer, context, positions, 3)
                owed = (one for one in targets if not is_scored(one, done))
                return await score_targets(scoring, owed, journal, progress, skipped)
        finally:
            journal.close()

    return asyncio.run(sit()), skipped


def test_a_curve_is_scored_right_after_the_prompt_and_up_to_the_end(tmp_path: Path) -> None:
    scorer = WrittenScorer(lambda ids: -1.0 / len(ids))
    assert score(tmp_path / "journal.jsonl", scorer, [target(0)]) == ({}, {})
    ((ids, positions, continuation, n_scored),) = scorer.asked
    assert positions == (2, 10, 18, 22)
    assert (ids, continuation, n_scored) == (target(0).token_ids, PROBE.ids, 2)
    ((_, line),) = read_lines(tmp_path / "journal.jsonl")
    curve = read_curve(line)
    assert curve.positions == (0, 8, 16, 20)
    assert curve.nll == pytest.approx([2 / at for at in (2, 10, 18, 22)], abs=1e-7)
    assert (curve.n_prompt, curve.n_scored, curve.n_forwarded) == (2, 2, 22 + 4 * 3)


def test_an_adaptive_curve_asks_again_only_where_it_moves(tmp_path: Path) -> None:
    scorer = WrittenScorer(lambda ids: -5.0 if len(ids) < 30 else -0.1)
    score(tmp_path / "journal.jsonl", scorer, [target(0, 64)], Positions(16, 0.5))
    curve = read_curve(next(line for _, line in read_lines(tmp_path / "journal.jsonl")))
    assert curve.positions == (0, 16, 24, 26, 27, 28, 32, 48, 64)
    assert [positions for _, positions, _, _ in scorer.asked[1:]] == [(26,), (30,), (28,), (29,)]


def test_what_is_stored_is_not_scored_again(tmp_path: Path) -> None:
    path, first, second = tmp_path / "journal.jsonl", WrittenScorer(lambda ids: -1.0), WrittenScorer(lambda ids: -1.0)
    score(path, first, [target(n) for n in range(4)])
    score(path, second, [target(n) for n in range(7)])
    assert len(second.asked) == 3
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(line["id"] for line in lines) == [target(n).id for n in range(7)]


def test_a_failed_curve_is_owed_and_ends_no_other(tmp_path: Path) -> None:
    path, broken = tmp_path / "journal.jsonl", target(1, 21)
    errors, _ = score(path, WrittenScorer(lambda ids: -1.0, lambda ids: len(ids) == 23), [target(0), broken, target(2)])
    assert list(errors) == [broken.id]
    assert "out of memory" in errors[broken.id]
    assert score(path, WrittenScorer(lambda ids: -1.0), [target(0), broken, target(2)]) == ({}, {})
    assert len(path.read_text().splitlines()) == 3


def test_what_is_no_number_fails(tmp_path: Path) -> None:
    errors, _ = score(tmp_path / "journal.jsonl", WrittenScorer(lambda ids: -math.inf), [target(0)])
    assert "wanted a number" in errors[target(0).id]


def test_many_failures_in_a_row_give_up(tmp_path: Path) -> None:
    scorer = WrittenScorer(lambda ids: -1.0, lambda ids: True)
    with pytest.raises(GaveUp, match="diagnose again"):
        score(tmp_path / "journal.jsonl", scorer, [target(n) for n in range(10 * MAX_FAILURES_IN_A_ROW)])
    assert len(scorer.asked) <= MAX_FAILURES_IN_A_ROW + 3


def test_a_sequence_beyond_the_context_is_named(tmp_path: Path) -> None:
    scorer = WrittenScorer(lambda ids: -1.0)
    errors, skipped = score(tmp_path / "journal.jsonl", scorer, [target(0, 20), target(1, 21)], context=25)
    assert (errors, skipped) == ({}, {TOO_LONG: [target(1, 21).id]})
    assert len(scorer.asked) == 1


LINE = {
    "id": "a", "positions": [0, 8], "nll": [1.5, 0], "n_scored": 2, "n_prompt": 3, "n_forwarded": 9, "together": True,
}  # fmt: skip


def test_a_line_is_a_curve() -> None:
    assert read_curve(LINE) == Curve("a", (0, 8), (1.5, 0.0), 2, 3, 9, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", 7), ("positions", [0, "8"]), ("positions", [8, 0]), ("positions", [0, 0]), ("positions", [0]), ("positions", 8),
        ("nll", [1.0, math.nan]), ("nll", [1.0, None]), ("nll", []), ("n_scored", 0), ("n_prompt", -1), ("together", None),
        ("n_forwarded", 1.5),
    ],
)  # fmt: skip
def test_a_line_that_is_no_curve_is_refused(name: str, value: object) -> None:
    with pytest.raises((TypeError, ValueError), match="wanted"):
        read_curve({**LINE, name: value})
    with pytest.raises(KeyError, match=name):
        read_curve({key: value for key, value in LINE.items() if key != name})


def curve_of(one: Target) -> Curve:
    return Curve(one.id, (0, one.length), (1.0, 1.0), 2, one.n_prompt, 9, True, one.drawn)


def test_progress_counts_what_these_targets_need() -> None:
    targets = [target(0), target(1), target(2, 200), target(3)]
    stored = {one.id: curve_of(one) for one in [targets[0], *map(target, range(50, 90))]}
    assert count_targets(targets, stored, 100) == (1, 3)  # neither the 40 of other targets nor what no context holds
    assert count_targets(targets, {}, 100) == (0, 3)
    assert count_targets(targets, {one.id: curve_of(one) for one in targets}, 100) == (4, 4)


def test_a_curve_that_ends_elsewhere_is_not_the_targets() -> None:
    assert is_scored(target(0), {target(0).id: curve_of(target(0))})
    assert not is_scored(target(0), {target(0).id: curve_of(target(0, 12))})
    again = replace(target(0), token_ids=(*target(0).token_ids[:-1], 77))  # drawn again: as long, and under the same id
    assert not is_scored(again, {target(0).id: curve_of(target(0))})
    assert not is_scored(target(0), {target(0).id: replace(curve_of(target(0)), drawn="")})  # of an earlier version
    assert not is_scored(target(0), {})
