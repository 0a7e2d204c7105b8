"""What a comparison looks like, and that no caveat of a run is lost."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from raml_eval.comparison import compare_runs
from raml_eval.errors import ConfigError
from raml_eval.reporting.compare import render_comparison
from raml_eval.types import StoredRun
from tests.factory import by_row, make_run

BASE = make_run(by_row(lambda row: row % 4), name="base", n_questions=32)
WORSE = make_run(by_row(lambda row: max(row % 4 - 1, 0)), name="worse", n_questions=32)
SAME = replace(BASE, name="same")


def show(base: StoredRun, new: StoredRun, format: str = "terminal", **more: Any) -> str:
    return render_comparison(compare_runs(base, new), base, new, format, **more)


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex"])
def test_the_verdict_comes_first_and_every_cell_has_its_word(form: str) -> None:
    text = show(BASE, WORSE, form)
    assert ("worse against base: worse" if form == "latex" else "Verdict: worse.") in text
    # Three of four questions lose one of four samples.
    assert "pocket" in text
    assert "-18.8 [" in text
    assert text.index("worse against base: worse") < text.index("Primary endpoints")
    assert text.count("worse") > 4
    if form == "terminal":
        assert max(map(len, text.splitlines())) <= 100


def test_inconclusive_is_never_told_as_no_regression() -> None:
    text = " ".join(show(BASE, SAME).split())
    assert "Verdict: inconclusive." in text
    assert "this is no sign that the runs are alike" in text
    assert "a difference of 2 points takes about" in text
    assert "no regression" not in text.lower()
    assert "no significant" not in text.lower()


def test_one_cluster_says_that_there_is_no_interval() -> None:
    single = make_run(by_row(lambda row: 1), name="b", n_questions=3, per_cluster=3)
    text = " ".join(show(single, replace(single, name="n")).split())
    assert "there is no interval (no interval: one cluster)" in text
    assert "Verdict: inconclusive." in text


def test_every_caveat_of_both_runs_is_carried() -> None:
    made_up = make_run(by_row(lambda row: row % 4), name="new", n_questions=32, synthetic={"pocket_sort": 5})
    for form in ("terminal", "markdown", "latex", "json"):
        text = " ".join(show(BASE, made_up, form).split())
        assert "the fake backend made these answers up" in text
        assert "5 of 32 questions are synthetic" in text.replace("\\_", "_")


def test_json_has_every_number_and_null_for_none() -> None:
    found = json.loads(show(BASE, WORSE, "json"))
    assert (found["schema"], found["verdict"], found["worse"]) == ("raml_eval.comparison/1", "worse", True)
    assert found["primary"] == {"metric": "avg@n", "budget": "64", "source": "the default"}
    cell = found["cells"][0]
    assert (cell["family"], cell["scope"], cell["verdict"], cell["needed_questions"]) == (
        "primary",
        "pocket_chain",
        "worse",
        None,
    )
    assert cell["low"] <= cell["difference"] <= cell["high"] < 0
    assert cell["alone"]["low"] > cell["low"]  # 95 % alone, 98 % with the correction
    assert {one["metric"] for one in found["listed"]} >= {"thinking_tokens_mean", "unfinished_rate", "avg@n"}
    assert found["curves"][0]["ks"] == [1, 2, 3, 4]
    assert {flip["turned"] for flip in found["flips"]} == {"wrong"}
    single = make_run(by_row(lambda row: 1), name="b", n_questions=3, per_cluster=3)
    assert json.loads(show(single, replace(single, name="n"), "json"))["cells"][0]["low"] is None


def test_a_terminal_shows_tasks_at_other_budgets_only_in_full() -> None:
    short, full = show(BASE, WORSE), show(BASE, WORSE, full=True)
    assert len(full.splitlines()) > len(short.splitlines())
    assert show(BASE, WORSE, "markdown").count("| pocket_chain") > short.count("pocket_chain ")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"no comparison format 'html'.*terminal, markdown, latex, json"):
        show(BASE, WORSE, "html")


def test_the_extra_lines_of_a_gate_stand_first() -> None:
    text = show(BASE, WORSE, extra=("Gate release: failed.",))
    assert text.index("Gate release: failed.") < text.index("Verdict: worse.")


def test_no_difference_of_more_than_100_points_is_told() -> None:
    base, new = (
        make_run(by_row(lambda row, hit=hit: hit), name=name, n_questions=3) for name, hit in (("base", 1), ("new", 2))
    )
    text = " ".join(render_comparison(compare_runs(base, new), base, new, format="terminal").split())
    assert "Not even a difference of 100 points would be found by four of five such comparisons" in text
    values = json.loads(render_comparison(compare_runs(base, new), base, new, format="json"))
    assert [cell["detectable"] for cell in values["cells"] if cell["family"] == "primary"] == [None, None]
