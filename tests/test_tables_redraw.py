"""The variance of a question's value over redrawing its samples, for every measure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import MetricError
from raml_eval.tables import Measure, parse_measure, question_values, redraw_variances
from raml_eval.tables.redraw import assumed_redraw, is_too_high
from raml_eval.types import QuestionCounts, Status

WITH_K = ["pass@3", "g_pass@3:0.5", "g_pass@3:1", "mg_pass@3", "mg_pass_normalized@3", "maj@3"]
SILENT = -1  # a sample that does not vote


def count(answers: Sequence[int]) -> QuestionCounts:
    """Samples by their answers: 0 is right, other numbers are wrong answers, SILENT is none."""
    votes = {answer: answers.count(answer) for answer in dict.fromkeys(answers) if answer != SILENT}
    return QuestionCounts(
        task="t",
        question_id="q",
        cluster="q",
        n=len(answers),
        correct=votes.get(0, 0),
        classes=tuple((size, size if answer == 0 else 0) for answer, size in votes.items()),
        statuses={Status.NO_ANSWER: answers.count(SILENT)},
        thinking_tokens=tuple(10 + answer for answer in answers),
        scores=tuple(1 / (2 + answer) for answer in answers),
    )


@pytest.mark.parametrize("name", [*WITH_K, "avg@n", "no_answer_rate", "thinking_tokens_mean", "partial_score"])
@given(answers=st.lists(st.integers(SILENT, 2), min_size=2, max_size=7))
def test_every_sample_is_left_out_once(name: str, answers: list[int]) -> None:
    measure, n = parse_measure(name), len(answers)
    without = question_values([count([*answers[:i], *answers[i + 1 :]]) for i in range(n)], measure)
    wanted = (n - 1) / n * np.sum((without - without.mean()) ** 2)
    found = redraw_variances([count(answers)], measure)[0]
    assert math.isnan(found) == (n <= (measure.k or 1))
    if not (measure.k and n >= 2 * measure.k) or measure.metric == "maj@k":
        assert found == pytest.approx(wanted, abs=1e-12, nan_ok=True)


def expected(name: str, n: int, p: float) -> tuple[float, float]:
    """The expectation of the estimated variance over all outcomes of n draws, and the true variance."""
    measure = parse_measure(name)
    chances = np.array([math.comb(n, c) * p**c * (1 - p) ** (n - c) for c in range(n + 1)])
    counts = [count([0] * c + [1] * (n - c)) for c in range(n + 1)]
    values = question_values(counts, measure)
    return float(chances @ redraw_variances(counts, measure)), float(chances @ values**2 - (chances @ values) ** 2)


@pytest.mark.parametrize("name", WITH_K[:-1])
@given(n=st.integers(6, 16), p=st.floats(0.01, 0.99))
def test_from_twice_k_on_the_variance_is_unbiased(name: str, n: int, p: float) -> None:
    found, true = expected(name, n, p)
    assert found == pytest.approx(true, rel=1e-9, abs=1e-12)
    assert not is_too_high(n, parse_measure(name))


@pytest.mark.parametrize("name", WITH_K)
@given(n=st.integers(4, 5), p=st.floats(0.01, 0.99))
def test_below_twice_k_the_variance_is_not_too_low(name: str, n: int, p: float) -> None:
    found, true = expected(name, n, p)
    assert found >= true - 1e-12
    assert is_too_high(n, parse_measure(name))


def test_an_unknown_token_count_is_not_told() -> None:
    unknown = QuestionCounts("t", "q", "q", 2, 1, thinking_tokens=(3, None))
    assert math.isnan(redraw_variances([unknown], parse_measure("thinking_tokens_mean"))[0])


@pytest.mark.parametrize(("a", "b"), [(2, 2), (0.5, 0.5), (8, 2)])
def test_an_assumed_average_has_its_closed_form(a: float, b: float) -> None:
    wanted = a * b / ((a + b) * (a + b + 1)) / 8
    assert assumed_redraw(8, Measure("avg@n"), a, b) == pytest.approx(wanted, rel=1e-3)


def test_an_assumed_pass_at_k_is_that_of_all_outcomes() -> None:
    """Beta(1, 1) is a uniform chance, so every sequence of outcomes can be weighted exactly by quadrature."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    total = 0.0
    for p, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        first = second = 0.0
        for outcome in itertools.product((0, 1), repeat=4):
            c = sum(outcome)
            value = question_values([QuestionCounts("t", "q", "q", 4, c)], Measure("pass@k", 2))[0]
            first += p**c * (1 - p) ** (4 - c) * value
            second += p**c * (1 - p) ** (4 - c) * value**2
        total += weight * (second - first**2)
    assert assumed_redraw(4, Measure("pass@k", 2), 1, 1) == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize("name", ["maj@3", "partial_score", "thinking_tokens_mean", "leak_rate"])
def test_what_does_not_follow_from_a_chance_is_refused(name: str) -> None:
    with pytest.raises(MetricError, match="Give a stored run"):
        assumed_redraw(8, parse_measure(name), 2, 2)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(MetricError, match="needs 16 samples per question; met 8"):
        assumed_redraw(8, parse_measure("pass@16"), 2, 2)
