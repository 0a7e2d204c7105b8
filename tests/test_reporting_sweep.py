"""The sweep as tables: in a report, and as `raml-eval sweep` prints it."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raml_eval.config import build_config, load_preset, merge
from raml_eval.errors import ConfigError, MetricError
from raml_eval.reporting.report import build_report, render_report
from raml_eval.reporting.sweep import render_sweep
from raml_eval.reporting.sweep_plots import plot_sweep
from raml_eval.session import run_session
from raml_eval.tables import build_frame, build_sweep
from raml_eval.types import StoredRun
from tests.engines import ENGINE_ARGS
from tests.factory import by_row, make_run
from tests.sweeps import ENGINE_CAPS, cut_run

TASKS = {"sums": "in_domain", "words": "in_domain", "trees": "cross_domain"}


def right(task: str, row: int, index: int, budget: Any) -> bool:
    return budget != 0 and (row + index) % 4 < (3 if budget == 16 else 4)


@pytest.fixture(scope="module")
def run() -> StoredRun:
    return cut_run(right, lambda task, row, index: 10 + 20 * (row % 5), tasks=TASKS, n_questions=15)  # type: ignore[arg-type]


def test_a_report_has_a_section_on_budgets_if_it_has_several(run: StoredRun) -> None:
    titles = [section.title for section in build_report([run], build_frame([run])).sections]
    assert titles == ["In-domain", "Cross-domain", "Thinking budgets", "Macro means"]
    single = make_run(by_row(lambda row: 2), budgets=(64, "off"))
    assert "Thinking budgets" not in render_report([single])
    section = build_report([run], build_frame([run])).sections[2]
    whole, added = section.tables
    assert [cell.text for cell in added.header[:3]] == ["task", "model", "budget"]
    assert [row[0].text for row in whole.rows] == ["sums", "words", "in-domain mean", "trees"]
    step = added.rows[1][3].text
    assert step.startswith("+75.0 [")
    assert step.endswith(" *")
    assert not added.rows[3][3].text.endswith("*")


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex"])
def test_every_part_is_printed_in_every_format(run: StoredRun, form: str) -> None:
    text = render_sweep([run], build_sweep([run], price=2.5), form)
    for words in ("The curve", "Allocation", "Reasoning in the answer", "Equal tokens", "cost per correct", "first third"):
        assert words in text
    assert "Shares of a trajectory" not in text
    assert all(len(line) <= 100 for line in text.splitlines()) or form != "terminal"
    assert "cost per correct" not in render_sweep([run], build_sweep([run]), form)


def test_other_budgets_are_named_as_left_out(run: StoredRun) -> None:
    more = replace(run, budgets=(*run.budgets, "off"))
    text = render_sweep([more], build_sweep([more], allow_partial=True), allow_partial=True)
    assert "mine: off is a draw of its own, in no curve here" in text
    single = make_run(by_row(lambda row: 2), budgets=(64,), name="single")
    both = render_sweep([run, single], build_sweep([run, single]))
    assert "single: fewer than two budgets in tokens, so it is in no table here" in both


def test_the_frame_itself_is_csv_or_json(run: StoredRun) -> None:
    frame = build_sweep([run])
    rows = json.loads(render_sweep([run], frame, "json"))["rows"]
    assert len(rows) == len(frame)
    assert rows[0]["metric"] == "avg@n"
    lines = render_sweep([run], frame, "csv").splitlines()
    assert lines[0].startswith("run,model,task,domain,metric,budget,against,k,part,value,low,high,p_value,p_holm")
    assert len(lines) == len(frame) + 1
    with pytest.raises(ConfigError, match=r"no sweep format 'cvs'\. Did you mean csv"):
        render_sweep([run], frame, "cvs")


def test_several_runs_stand_below_one_another(run: StoredRun) -> None:
    other = cut_run(lambda *_: True, lambda *_: 20, tasks={"sums": "in_domain"}, name="other", model="large")
    text = render_sweep([run, other], build_sweep([run, other]), "markdown")
    rows = [line.split("|")[1:4] for line in text.splitlines() if line.startswith("| sums ")]
    models = list(dict.fromkeys(row[1].strip().split("<")[0] for row in rows))
    assert models == ["tiny", "large"]


def test_shares_of_a_trajectory_have_a_table_of_their_own() -> None:
    run = cut_run(right_at_half, lambda task, row, index: 2000 if row == 9 else 100, budgets=(16, 64, "frac:0.5", "frac:0.25"))
    text = render_sweep([replace(run, budgets=(16, 64))], build_sweep([run]))
    lines = text[text.index("Accuracy after a share") :].splitlines()[3:5]
    assert [line.split()[-1] for line in lines] == ["4", "4"]  # the samples of row 9 did not end
    assert lines[0].split()[:3] == ["sums", "0.25", "0.0"]
    assert lines[1].split()[:2] == ["0.5", "100.0"]


def right_at_half(task: str, row: int, index: int, budget: Any) -> bool:
    return budget == "frac:0.5"


def test_a_run_without_a_whole_trajectory_is_refused_but_can_be_reported(run: StoredRun) -> None:
    lacking = replace(run, records=tuple(record for record in run.records if record.budget != 64))
    frame = build_sweep([lacking], allow_partial=True)
    assert frame.empty
    with pytest.raises(MetricError, match="no trajectory of mine has a sample at each of its budgets"):
        render_sweep([lacking], frame, allow_partial=True)
    with pytest.raises(MetricError, match="no sweep to plot"):
        plot_sweep(frame, "figures")
    assert "Thinking budgets" not in render_report([lacking], allow_partial=True)


@pytest.mark.parametrize("form", ["terminal", "markdown", "latex"])
def test_budgets_that_the_engine_enforced_show_nothing_of_one_trajectory(run: StoredRun, form: str) -> None:
    apart = replace(run, manifest={**run.manifest, "protocol": ENGINE_CAPS})
    for text in (render_sweep([apart], build_sweep([apart]), form), render_report([apart], format=form)):
        words = " ".join(text.split())
        assert "so each is a draw of its own. Steps are paired over questions" in words
        assert "cuts the same trajectories" not in words
        for gone in ("overthinking", "futility", "hindsight", "starved", "turned wrong"):
            assert words.count(gone) == 1  # where the text says that it is left out
        assert "first third" not in words
        assert "n/a" not in words


def test_a_table_of_both_kinds_says_which_run_lacks_what(run: StoredRun, tmp_path: Path) -> None:
    apart = replace(run, manifest={**run.manifest, "protocol": ENGINE_CAPS}, name="capped", directory=Path("runs/capped"))
    frame = build_sweep([run, apart])
    words = " ".join(render_sweep([run, apart], frame, "markdown").split())
    assert "each cuts the same trajectories. Of capped, the engine enforced the budgets" in words
    section = build_report([run, apart], build_frame([run, apart])).sections[2]
    place = [cell.text for cell in section.tables[0].header].index("overthinking")
    shown = {row[1].text: row[place].text for row in section.tables[0].rows if row[0].text == "sums"}
    assert shown["tiny (capped)"] == "n/a"
    assert shown["tiny (mine)"] not in ("n/a", "")
    assert len(plot_sweep(frame, tmp_path)) == 6


@pytest.mark.vllm
@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="no vLLM")
def test_a_run_that_vllm_capped_is_read_as_draws_of_their_own(tmp_path: Path) -> None:
    settings = {
        "backend": "vllm",
        "backend_args": ENGINE_ARGS["vllm"],
        "out": tmp_path,
        "tasks": ["pocket_sort"],
        "limit": 5,
        "samples": 4,
        "max_total_tokens": None,
        "thinking": {"budgets": [16, 32, 64], "capped_by": "engine"},
    }
    run = asyncio.run(run_session(build_config([merge([load_preset("pocket"), settings])]), quiet=True))
    words = " ".join(render_sweep([run], build_sweep([run])).split())
    assert "so each is a draw of its own. Steps are paired over questions" in words
    assert "the budgets of 20 of 20 samples are not cuts of one trajectory: the engine enforced the budgets" in words
    assert words.count("overthinking") == 1
