"""The rule lm_eval: what lm-eval's own filters and process_results give for one response."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from raml_eval.errors import TaskError
from raml_eval.grading.pool import GradingPool
from raml_eval.sandbox.rules import lm_eval as rule
from raml_eval.types import Status

GSM8K = {
    "rule": "lm_eval",
    "read": "whole",
    "path": "tasks/gsm8k/gsm8k-cot.yaml",
    "task": "gsm8k_cot",
    "filter": "flexible-extract",
    "metric": "exact_match",
    "multiple_target": 0,
    "doc": {"question": "?", "answer": "9 * 2 = 18\n#### 18"},
}
DROP = {
    **GSM8K,
    "path": "tasks/drop/default.yaml",
    "task": "drop",
    "filter": "none",
    "metric": "f1",
    "doc": {"question": "?", "passage": "", "id": "1", "answer": ["two red hens"], "answers": [["two red hens"]]},
}


@pytest.mark.parametrize(
    ("answer", "share", "detail"),
    [
        ("The answer is 18.", 1, "flexible-extract exact_match=1; strict-match exact_match=1"),
        ("It is \\boxed{18}", 1, "flexible-extract exact_match=1; strict-match exact_match=0"),
        ("The answer is 18. Or 17.", 0, "flexible-extract exact_match=0; strict-match exact_match=1"),
        ("none", 0, "flexible-extract exact_match=0; strict-match exact_match=0"),
        ("", 0, "flexible-extract exact_match=0; strict-match exact_match=0"),
    ],
)
def test_every_value_that_lm_eval_reports(answer: str, share: float, detail: str) -> None:
    assert rule.score(GSM8K, answer) == (share, detail)


def test_a_task_is_built_once_and_serves_every_row() -> None:
    rule.prepare(GSM8K)
    built = rule._built[str(GSM8K["path"])]
    assert rule.score({**GSM8K, "doc": {"question": "?", "answer": "#### 5"}}, "5")[0] == 1
    assert rule._built[str(GSM8K["path"])] is built


def test_a_share_between_0_and_1_is_the_score() -> None:
    share, detail = rule.score(DROP, "two hens")
    assert 0 < share < 1
    assert detail.endswith("none em=0")


def test_the_number_of_targets_is_that_of_the_data_sets_first_row() -> None:
    bbh = {
        **GSM8K,
        "path": "tasks/bbh/cot_zeroshot/boolean_expressions.yaml",
        "task": "bbh_cot_zeroshot_boolean_expressions",
        "doc": {"input": "?", "target": "True"},
    }
    assert rule.score(bbh, "True")[0] == 1
    assert rule.score({**bbh, "multiple_target": 2}, "True")[0] == 0  # lm-eval then takes the target for a list of letters


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"metric": "acc"}, ValueError, r"no acc under the filter flexible-extract, but \(strict-match, exact_match\)"),
        ({"doc": {"question": "?"}}, Exception, "'target' is undefined"),
        ({"path": "tasks/gone.yaml"}, FileNotFoundError, "gone"),
    ],
)
def test_tests_that_are_at_fault(change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        rule.score({**GSM8K, **change}, "18")


@pytest.mark.parametrize(
    ("value", "share"),
    [
        (True, 1.0),
        (0, 0.0),
        (0.25, 0.25),
        (1.5, None),
        (-0.1, None),
        (float("nan"), None),
        ([1], None),
        ((1, 2), None),
        (None, None),
    ],
)
def test_which_values_are_shares(value: Any, share: float | None) -> None:
    assert rule.as_share(value) == share


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    pool = GradingPool(workers=1, timeout_s=20)
    yield pool
    pool.close()


@pytest.mark.parametrize(
    ("tests", "answer", "status", "score"),
    [
        (GSM8K, "So it is 18.", Status.CORRECT, 1),
        (GSM8K, "<think>18</think> It is 17.", Status.INCORRECT, 0),
        (DROP, "two hens", Status.INCORRECT, 0.8),
        (GSM8K, "  ", Status.NO_ANSWER, 0),
    ],
)
def test_in_the_sandbox(pool: GradingPool, tests: dict[str, Any], answer: str, status: Status, score: float) -> None:
    grade = pool.grade_blocking(json.dumps(tests), answer, "task_rule")
    assert (grade.status, grade.score) == (status, pytest.approx(score))


def test_a_fault_of_the_tests_is_told_and_not_graded(pool: GradingPool) -> None:
    with pytest.raises(TaskError, match="no acc under the filter flexible-extract"):
        pool.grade_blocking(json.dumps({**GSM8K, "metric": "acc"}), "18", "task_rule")


def test_a_row_that_fails_with_every_answer_is_at_fault() -> None:
    row = {**DROP["doc"], "answers": 5}
    with pytest.raises(TypeError):
        rule.score({**DROP, "doc": row}, "two hens")


def test_an_answer_that_a_task_cannot_read_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def picky(tests: Any, answer: str) -> Any:
        return {("flexible-extract", "exact_match"): float(answer)}

    monkeypatch.setattr(rule, "evaluate", picky)
    share, detail = rule.score(GSM8K, "no number")
    assert (share, detail.partition(" with ")[0]) == (0.0, "lm-eval's process_results failed on the answer")


def test_nltk_looks_beside_the_packages_and_downloads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    nltk = pytest.importorskip("nltk")
    monkeypatch.setattr(nltk, "download", nltk.download)
    monkeypatch.setattr(nltk.data, "path", [])
    rule.without_downloads()
    rule.without_downloads()
    assert nltk.download("punkt_tab") is False
    assert [path for path in nltk.data.path if path.endswith("site-packages/nltk_data")] != []
    assert len(nltk.data.path) == len(set(nltk.data.path))
