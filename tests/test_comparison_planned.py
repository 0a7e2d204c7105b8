"""The size and the noise of a planned comparison, from a stored run or an assumed distribution."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raml_eval.comparison.planned import Wanted, check_wanted, parse_beta, plan_comparison, success_of
from raml_eval.errors import ConfigError, MetricError, TaskError
from raml_eval.tables import Measure
from raml_eval.types import QuestionCounts
from tests.factory import by_row, make_run
from tests.test_tasks_catalogue import write_task

RUN = make_run(by_row(lambda row: row % 5), n_questions=20, n_samples=4, budgets=(64, "unlimited"), per_cluster=2)


@pytest.mark.parametrize(("text", "wanted"), [("beta:2,2", (2, 2)), ("beta:0.5, 8", (0.5, 8))])
def test_a_distribution_is_read(text: str, wanted: tuple[float, float]) -> None:
    assert parse_beta(text) == wanted


@pytest.mark.parametrize(
    "text",
    [
        *("beta", "beta:2", "beta:2,2,2", "beta:0,2", "beta:-1,2", "normal:2,2", "beta:a,b", "beta:nan,1"),
        *("beta:1e-9,1e-9", "beta:2,1e7", "beta:inf,2"),
    ],
)
def test_another_distribution_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="wanted beta:A,B"):
        parse_beta(text)


def test_a_stored_run_gives_questions_clusters_and_noise() -> None:
    planned = plan_comparison([], base=RUN)
    assert (planned.n_samples, planned.n_budgets, planned.budget, planned.measure.name) == (4, 2, "unlimited", "avg@n")
    assert [(task.name, task.domain) for task in planned.tasks] == [
        ("pocket_chain", "in_domain"), ("pocket_sort", "cross_domain")
    ]  # fmt: skip
    (task, _) = planned.tasks
    assert len(task.clusters) == 20
    wanted = [c * (4 - c) / (16 * 3) for c in (row % 5 for row in range(20))]
    assert task.redraw == pytest.approx(wanted)
    more = plan_comparison(["pocket_sort"], base=RUN, n=16)
    assert [one.name for one in more.tasks] == ["pocket_sort"]
    assert more.tasks[0].redraw == pytest.approx(np.array(wanted) / 4)


def test_the_noise_of_a_run_may_be_assumed() -> None:
    planned = plan_comparison([], base=RUN, assume="beta:2,2", n=8)
    assert planned.tasks[0].redraw == pytest.approx(np.full(20, 0.025), rel=1e-3)
    assert planned.noise == "assumed, success Beta(2, 2) over questions"


def declaring(metric: str, budget: int | str) -> Any:
    suites = {"mine": {"tasks": ["pocket_sort"], "primary": {"metric": metric, "budget": budget}}}
    return replace(RUN, manifest={**RUN.manifest, "suites": suites})


def test_the_primary_endpoint_is_the_suites() -> None:
    planned = plan_comparison([], base=declaring("pass@2", 64))
    assert (planned.measure.name, planned.budget) == ("pass@2", "64")
    assert plan_comparison([], base=declaring("avg@n", "off")).budget == "unlimited"  # not drawn: the largest
    assert plan_comparison([], base=declaring("pass@2", 64), metric="avg@n", budget="unlimited").budget == "unlimited"


def test_a_suite_that_is_named_declares_too(tmp_path: Path) -> None:
    text = "group: mine\ntask: [pocket_sort]\nmetadata: {version: 1, raml: {primary: {metric: pass@2, budget: 64}}}\n"
    write_task(tmp_path, "mine", text)
    assert plan_comparison(["mine"], base=RUN, task_path=[tmp_path]).budget == "64"
    planned = plan_comparison(["mine"], assume="beta:2,2", n_questions=7, task_path=[tmp_path])
    assert (planned.measure.name, planned.budget, planned.n_samples) == ("pass@2", "64", 8)
    assert len(set(planned.tasks[0].clusters)) == 7


def test_tasks_that_ship_their_rows_need_no_number_of_questions() -> None:
    planned = plan_comparison(["pocket_sort", "pocket_logic"], assume="beta:2,2", n=4)
    assert [len(task.clusters) for task in planned.tasks] == [200, 200]
    assert planned.tasks[0].redraw == pytest.approx(np.full(200, 0.05), rel=1e-3)


@pytest.mark.parametrize(
    ("names", "settings", "error", "said"),
    [
        ([], {}, ConfigError, "nothing to plan"),
        (["pocket"], {}, ConfigError, "no noise is given"),
        (["gsm8k"], {"assume": "beta:2,2"}, ConfigError, "the rows of gsm8k do not ship"),
        (["gsm8"], {"assume": "beta:2,2"}, TaskError, "Did you mean gsm8k"),
        (["gsm8k"], {"base": RUN}, ConfigError, "no task in the run 'gsm8k'"),
        ([], {"base": RUN, "budget": "32"}, ConfigError, "no budget in the run '32'"),
        ([], {"base": RUN, "n_questions": 3}, ConfigError, "--questions 3 and --base are both given"),
        ([], {"base": RUN, "metric": "pass@4"}, MetricError, "needs 5 samples per question to tell"),
        ([], {"base": RUN, "metric": "pass@4", "n": 2}, MetricError, "needs 4 samples per question; met 2"),
        (["pocket_sort"], {"assume": "beta:2,2", "metric": "maj@3"}, MetricError, "Give a stored run"),
        ([], {"base": RUN, "metric": "thinking_tokens_mean"}, ConfigError, "cannot be the primary metric"),
        ([], {"base": RUN, "metric": "partial_score"}, MetricError, "not known for 20 of 20 questions of pocket_chain"),
        (["pocket"], {"assume": "beta:2,2", "n": 0}, ConfigError, "--samples 0 cannot be planned; wanted a whole number"),
        (["pocket"], {"assume": "beta:2,2", "n": 1_000_000}, ConfigError, "--samples 1000000 .* from 1 to 10,000"),
        (["pocket"], {"assume": "beta:2,2", "n_questions": 0}, ConfigError, "^--questions 0 cannot"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    names: list[str], settings: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        plan_comparison(names, **settings)


def test_one_sample_does_not_tell_its_noise_which_may_be_assumed() -> None:
    run = make_run(by_row(lambda row: 1), n_samples=1)
    with pytest.raises(MetricError, match="needs 2 samples"):
        plan_comparison([], base=run)
    assert plan_comparison([], base=run, assume="beta:2,2").tasks


@pytest.mark.parametrize("n_samples", [1, 4])
def test_a_greedy_run_is_refused_whatever_is_assumed(n_samples: int) -> None:
    run = make_run(by_row(lambda row: 1), n_samples=n_samples, temperature=0.0)
    for assume in (None, "beta:2,2"):
        with pytest.raises(MetricError, match=r"is greedy: .* temperature above 0"):
            plan_comparison([], base=run, assume=assume)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        *((Wanted(value / 100), "--difference") for value in (0, -2, math.nan, math.inf, 100)),
        *((Wanted(spread=value / 100), "--spread") for value in (-1, math.nan, math.inf, 100)),
        *((Wanted(level=value), "level") for value in (0.3, math.nan, 1.0, 0.9999999999999999)),
        *((Wanted(power=value), "--power") for value in (0.05, math.nan, 1.0)),
    ],
)
def test_what_nobody_can_want_is_refused_in_the_words_of_the_options(wanted: Wanted, said: str) -> None:
    with pytest.raises(ConfigError, match=f"^{said} .*wanted .*such as"):
        check_wanted(wanted)


def test_what_can_be_wanted_is_not() -> None:
    check_wanted(Wanted())
    check_wanted(Wanted(0.999, 0.0, 0.9999, 0.9999))


@pytest.mark.parametrize(("a", "b"), [(2.0, 2.0), (0.5, 0.5), (8.0, 2.0)])
def test_the_distribution_of_a_run_is_that_of_its_chances(a: float, b: float) -> None:
    rng = np.random.default_rng(5)
    hits = rng.binomial(8, rng.beta(a, b, 4000))
    counts = [QuestionCounts("t", str(row), str(row), 8, int(c)) for row, c in enumerate(hits)]
    assert success_of(counts, Measure("pass@k", 4)) == pytest.approx((a, b), rel=0.12)
    assert success_of(counts, Measure("maj@k", 4)) is None


def test_a_run_of_one_chance_or_none_has_the_ends_of_the_distributions() -> None:
    alike = [QuestionCounts("t", str(row), str(row), 4, 2) for row in range(9)]
    assert sum(success_of(alike, Measure("avg@n")) or ()) > 1e5  # all the same chance
    sure = [QuestionCounts("t", str(row), str(row), 4, 4 * (row % 2)) for row in range(9)]
    a, b = success_of(sure, Measure("avg@n")) or (0, 0)
    assert a + b < 0.1  # nearly every chance is 0 or 1
    assert a / (a + b) == pytest.approx(4 / 9, abs=0.01)
    rare = [QuestionCounts("t", str(row), str(row), 8, 8 * (row == 0)) for row in range(500)]
    a, b = success_of(rare, Measure("avg@n")) or (0, 0)
    assert (a, a / (a + b)) == (pytest.approx(0.01), pytest.approx(1 / 500, rel=0.1))
    wrong = [QuestionCounts("t", str(row), str(row), 4, 0) for row in range(9)]
    a, b = success_of(wrong, Measure("avg@n")) or (0, 0)
    assert 0 < a / (a + b) < 0.05
    assert success_of([QuestionCounts("t", "1", "1", 1, 1)], Measure("avg@n")) is None
