"""pass@k over k, where the curves cross, and flips."""

from __future__ import annotations

import numpy as np
import pytest

from raml_eval.comparison import compare_runs
from raml_eval.comparison.curve import choose_ks, find_crossing
from raml_eval.intervals import PairedDifference
from raml_eval.metrics import pass_at_k
from tests.factory import by_row, make_run

# The base solves every question sometimes; the new run solves half of them always and the others never.
OFTEN = make_run(by_row(lambda row: 3 + row % 3), name="often", n_questions=120, n_samples=8, budgets=(64,))
SURE = make_run(by_row(lambda row: 8 if row % 4 else row // 4 % 2), name="sure", n_questions=120, n_samples=8, budgets=(64,))


def test_a_gain_at_1_and_a_loss_at_8_cross_for_certain() -> None:
    (chain, _) = compare_runs(OFTEN, SURE).curves
    assert chain.ks == tuple(range(1, 9))
    assert (chain.low[0] > 0, chain.high[-1] < 0) == (True, True)
    assert chain.certain
    a, b = chain.crossing or (0, 0)
    assert chain.difference[a - 1] > 0 > chain.difference[b - 1]
    wanted = [np.mean(pass_at_k(8, np.array([8 if r % 4 else r // 4 % 2 for r in range(120)]), k)) for k in chain.ks]
    assert chain.new == pytest.approx(wanted)


def test_runs_that_are_alike_everywhere_do_not_cross() -> None:
    (curve, _) = compare_runs(
        OFTEN, make_run(by_row(lambda row: 2 + row % 3), name="n", n_questions=120, n_samples=8, budgets=(64,))
    ).curves
    assert curve.crossing is None
    assert not curve.certain


def band(*ends: tuple[float, float]) -> list[PairedDifference]:
    return [PairedDifference((low + high) / 2, low, high, 0.5, 10, 10) for low, high in ends]


@pytest.mark.parametrize(
    ("ends", "crossing", "certain"),
    [
        ([(0.1, 0.2), (-0.1, 0.2), (-0.3, -0.1)], (2, 3), True),
        ([(0.1, 0.2), (-0.1, 0.2), (-0.3, 0.1)], (2, 3), False),
        ([(-0.3, -0.2), (0.1, 0.2)], (1, 2), True),
        ([(-0.1, 0.2), (-0.2, 0.1), (-0.1, 0.2)], (2, 3), False),  # the last change counts
        ([(0.1, 0.2), (-0.3, -0.1), (0.1, 0.2)], (2, 3), False),  # both signs before the last change
        ([(0.1, 0.2), (-0.1, 0.1), (-0.2, -0.1)], (1, 3), True),  # 0 has no sign
        ([(0.1, 0.2), (0.2, 0.3)], None, False),
    ],
)
def test_a_crossing_is_certain_only_if_the_band_shows_both_signs(
    ends: list[tuple[float, float]], crossing: tuple[int, int] | None, certain: bool
) -> None:
    assert find_crossing(range(1, len(ends) + 1), band(*ends)) == (crossing, certain)


@pytest.mark.parametrize("n", [1, 2, 32, 33, 100, 1024])
def test_the_ks_end_at_n_and_stay_few(n: int) -> None:
    ks = choose_ks(n)
    assert ks[0] == 1
    assert ks[-1] == n
    assert list(ks) == sorted(set(ks))
    assert len(ks) <= 65


def test_a_flip_is_a_change_of_the_majority_and_the_largest_comes_first() -> None:
    base = make_run(by_row({0: 4, 1: 3, 2: 2, 3: 0, 4: 3}), name="b", tasks={"t": "in_domain"}, n_questions=5, budgets=(64,))
    new = make_run(by_row({0: 0, 1: 2, 2: 1, 3: 3, 4: 4}), name="n", tasks={"t": "in_domain"}, n_questions=5, budgets=(64,))
    flips = compare_runs(base, new).flips
    # Half of the samples is no majority: row 2 was not solved before either.
    assert [(f.question_id.split("-")[0], f.base, f.new, f.to_right) for f in flips] == [
        ("0", 4, 0, False),
        ("3", 0, 3, True),
        ("1", 3, 2, False),
    ]
