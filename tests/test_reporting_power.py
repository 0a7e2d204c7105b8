"""`raml-eval power` in each format."""

from __future__ import annotations

import json

import pytest

from raml_eval.comparison.planned import Wanted, plan_comparison
from raml_eval.comparison.power import power_rows
from raml_eval.errors import ConfigError
from raml_eval.reporting.power import render_power

PLANNED = plan_comparison(["raml_in_domain", "arc_challenge"], assume="beta:2,2", n_questions=50)


def rendered(wanted: Wanted, format: str = "terminal") -> str:
    return render_power(power_rows(PLANNED, wanted), PLANNED, wanted, format)


def test_a_terminal_shows_a_row_for_each_test() -> None:
    text = rendered(Wanted())
    assert "noise: assumed, success Beta(2, 2)" in text
    assert "The spread is 0" in text
    lines = [line.split() for line in text.splitlines()]
    (mean,) = [line for line in lines if line[:2] == ["in-domain", "mean"]]
    assert mean[2:8] == ["first", "of", "2", "primary", "0.02", "100"]
    assert mean[8] == "2.24"  # points: the root of 2 * 0.025 / 100


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
