"""`raml-eval noise` in each format."""

from __future__ import annotations

import csv
import io
import json

import pytest

from raml_eval.comparison.noise import noise_between, noise_of_run
from raml_eval.errors import ConfigError
from raml_eval.reporting.noise import render_noise
from raml_eval.tables import parse_measure
from tests.factory import by_row, make_run
from tests.test_comparison_noise import TWO, checkpoint

MEASURES = [parse_measure("avg@n"), parse_measure("pass@3"), parse_measure("thinking_tokens_mean")]
RUN = make_run(by_row(lambda row: row % 5), tasks=TWO, n_questions=20)
RUNS = [checkpoint(100 * step, lambda row, step=step: (row + step * step) % 5) for step in range(3)]  # type: ignore[misc]
ALL = [row for run in RUNS for row in noise_of_run(run, MEASURES)] + noise_between(RUNS, MEASURES)


def test_a_terminal_shows_shares_in_points_and_tokens_as_they_are() -> None:
    text = render_noise(noise_of_run(RUN, MEASURES), [RUN])
    lines = [line.split() for line in text.splitlines()]
    (chain,) = [line for line in lines if line[:3] == ["pocket_chain", "64", "avg@n"]]
    assert chain[3] == "50.0"
    assert float(chain[5].rstrip("%")) + float(chain[6].rstrip("%")) == 100
    (tokens,) = [line for line in lines if line[:3] == ["pocket_chain", "64", "thinking"]]
    assert tokens[3:] == ["40.0", "0.00", "n/a", "n/a", "0.00", "0.00"]
    assert any(line[:2] == ["in-domain", "mean"] for line in lines)
    assert "An SE of 0 says only" in text
    assert "pass@3: the part from redrawing is by the jackknife" in text
    assert max(map(len, text.splitlines())) <= 100


def test_checkpoints_have_their_steps_changes_and_a_series() -> None:
    text = render_noise(ALL, RUNS, "markdown")
    assert "checkpoint at step 100" in text
    assert "step200 - step100" in text
    assert "arXiv:2508.13144" in text
    assert text.count("\n**") == 3  # a table for each kind


def test_csv_and_json_hold_the_rows_themselves() -> None:
    rows = list(csv.DictReader(io.StringIO(render_noise(ALL, RUNS, "csv"))))
    assert len(rows) == len(ALL)
    assert {row["kind"] for row in rows} == {"mean", "change", "series"}
    values = json.loads(render_noise(ALL, RUNS, "json"))["rows"]
    assert [row["value"] for row in values] == [row.value for row in ALL]
    assert values[0]["signal_to_noise"] is None


def test_another_format_is_refused() -> None:
    with pytest.raises(ConfigError, match="there is no format 'latex'"):
        render_noise(ALL, RUNS, "latex")
