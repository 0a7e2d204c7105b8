"""`raml-eval power` in each format."""

from __future__ import annotations

import json
import re

import pytest

from raml_eval.comparison.planned import Wanted, plan_comparison
from raml_eval.comparison.power import power_rows
from raml_eval.errors import ConfigError
from raml_eval.reporting.power import render_power
from tests.factory import by_row, make_run

PLANNED = plan_comparison(["raml_in_domain", "arc_challenge"], assume="beta:2,2", n_questions=50)


def rendered(wanted: Wanted, format: str = "terminal") -> str:
    return render_power(power_rows(PLANNED, wanted), PLANNED, wanted, format)


def test_a_terminal_shows_a_row_for_each_test() -> None:
    text = rendered(Wanted())
    assert "noise: assumed, success Beta(2, 2)" in text
    assert "The spread is 0" in text
    lines = [line.split() for line in text.splitlines()]
    (mean,) = [line for line in lines if line[:2] == ["in-domain", "mean"]]
    assert mean[2:8] == ["1", "of", "2", "primary", "0.02", "150"]
    assert mean[8] == "1.83"  # points: the root of 2 * 0.025 / 150
    assert sum("or n" in line for line in text.splitlines() if line.startswith("test ")) == 1  # one table
    assert max(map(len, text.splitlines())) <= 100


def test_numbers_near_a_bound_are_marked_and_explained_first() -> None:
    planned = plan_comparison(["gsm8k"], assume="beta:20,1", n=1, n_questions=30)
    rows = power_rows(planned, Wanted(0.05))
    text = render_power(rows, planned, Wanted(0.05))
    assert re.search(r"^gsm8k +alone .* ¹ +\d+ % ¹", text, re.M)
    assert "1. Near 0 or 100 percent" in text
    assert "300 simulated comparisons" in text
    assert json.loads(render_power(rows, planned, Wanted(0.05), "json"))["rows"][0]["simulated"] is True
    assert "¹" not in rendered(Wanted())
    assert "simulated" not in rendered(Wanted())


@pytest.mark.parametrize("format", ["terminal", "markdown", "json"])
def test_the_caveats_of_the_base_run_are_carried(format: str) -> None:
    run = make_run(by_row(lambda row: row % 5), n_questions=40, limit=40)
    planned = plan_comparison([], base=run)
    text = render_power(power_rows(planned, Wanted()), planned, Wanted(), format, run)
    assert "the fake backend made these answers up" in " ".join(text.split())
    assert "a seeded subset of at most 40 questions per task" in " ".join(text.split())


def test_that_no_n_is_enough_is_said() -> None:
    text = rendered(Wanted(spread=0.2), "markdown")
    assert "none: no n is enough with these questions" in text
    assert "standard deviation of 20 points" in text
    assert any(line.startswith("| aime24") and line.endswith("none |") for line in text.splitlines())


def test_json_holds_shares_and_null() -> None:
    values = json.loads(rendered(Wanted(spread=0.2), "json"))
    assert (values["metric"], values["samples"], values["difference"], values["spread"]) == ("avg@n", 8, 0.02, 0.2)
    row = values["rows"][0]
    assert (row["samples_needed"], row["no_samples_suffice"]) == (None, True)
    assert 0 < row["detectable"] < 1
    assert json.loads(rendered(Wanted(), "json"))["rows"][0]["no_samples_suffice"] is False


def test_another_format_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no format 'cvs'"):
        rendered(Wanted(), "cvs")
