"""`raml-eval noise` in each format."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

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
    assert "| 100 to 200 |" in text
    assert "arXiv:2508.13144" in text
    assert text.count("\n**") == 3  # a table for each kind, that of all checkpoints first
    assert text.index("All checkpoints") < text.index("Change to the checkpoint before") < text.index("What each mean's")


def test_long_names_do_not_split_a_table() -> None:
    runs = [replace(run, name=f"a-rather-long-name-of-a-training-{run.name}") for run in RUNS]
    rows = [row for run in runs for row in noise_of_run(run, MEASURES)] + noise_between(runs, MEASURES)
    lines = render_noise(rows, runs).splitlines()
    heads = [line for line in lines if " budget " in line and " metric " in line]
    assert len(heads) == 3
    assert heads[2].split() == ["step", "task", "budget", "metric", "value", "SE", "from", "Q", "from", "n", "4n", "4Q"]
    assert max(map(len, lines[2:])) <= 100  # the title may be longer


def test_what_a_shared_seed_means_is_noted() -> None:
    seeded = [
        replace(run, manifest={**run.manifest, "protocol": {**run.manifest["protocol"], "sampling": {"seed": 7}}})
        for run in RUNS
    ]
    text = " ".join(render_noise(noise_between(seeded, MEASURES), seeded).split())
    assert "step100 - step0: both runs were drawn with seed 7, so their samples are coupled" in text
    assert "coupled" not in render_noise(ALL, RUNS)


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
