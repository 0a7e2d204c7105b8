"""board.yaml: what it may hold, and how it is told that it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from raml_eval.errors import ConfigError
from raml_eval.reporting.boards.board import FREE, read_board
from tests.boards import BOARD, write_board


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOARD + "tassk: 1\n", "unknown key 'tassk'. Did you mean tasks? Keys: title, description, tasks, budgets, "),
        (BOARD.replace("columns:", "colums:"), "unknown key 'colums'. Did you mean columns? Keys: title, "),
        (
            BOARD.replace("{budget: 64}", "{budgt: 64}"),
            "unknown key 'rank_by.budgt'. Did you mean budget? Keys of rank_by: metric, domain, budget. Correct it there.",
        ),
        (BOARD.replace("[16, 64]", '["hint:N.."]'), "thinking budget 'hint:N..' is not known; wanted a number of tokens"),
        (BOARD.replace("[16, 64]", "[16, 16, 64]"), "budgets: 16 is there twice"),
        (BOARD.replace("[pocket_chain, pocket_sort]", "[pocket_chain, pocket_chain]"), "tasks: pocket_chain is there twice"),
        (BOARD.replace("samples: 4", "samples: four"), "samples is 'four', wanted a whole number"),
        (BOARD.replace('grader_version: "4"', "grader_version: 4"), "rules.grader_version is 4, wanted a text, in quotes"),
        (BOARD.replace("pass@4,", '"pass@4:0.5",'), "TAU belongs to g_pass only. Write pass@4."),
        ("[" * 10_000, "nested too deep"),
        (BOARD + "k: 8\n", "k is now samples"),
        (BOARD + "metric: avg@n\n", "metric is now rank_by.metric and columns"),
        (BOARD + "settings: {}\n", "settings is now rules.protocol"),
        (BOARD.replace("{budget: 64}", "{budget: 65}"), "rank_by.budget 65 is not among budgets"),
        (BOARD.replace("pass@4", "pass@8"), "a metric with k = 8 needs as many samples per question, and samples is 4"),
        (BOARD.replace("pass@4", "passing@4"), "there is no metric 'passing@4'"),
        (BOARD.replace("pass@4", "unfinished_rate"), "there is no metric 'unfinished_rate'"),
        (BOARD.replace("[16, 64]", "[16, often]"), "budgets"),
        (BOARD.replace("samples: 4", "samples: 0"), "samples"),
        (BOARD.replace("title: Tiny | board", ""), "title is missing"),
        (BOARD + "samples: 5\n", "the key 'samples' occurs twice"),
        ("title: [", "is not YAML"),
        ("- 1", "is not a board"),
    ],
)
def test_a_wrong_board_is_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"board\.yaml") as error:
        read_board(write_board(tmp_path, text))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_board_says_what_it_shows_and_asks_for(tmp_path: Path) -> None:
    board = read_board(write_board(tmp_path))
    assert [measure.name for measure in board.measures] == ["avg@n", "pass@4", "g_pass@4:0.5", "maj@4"]
    assert board.ks == [4]
    assert board.budgets == (16, 64)
    assert board.rules.pins()["thinking.closing.before"] == ""
    assert board.rules.free == FREE
    assert [board.rules.is_free(key) for key in ("model.fingerprint", "engine", "modelling", "prompt.system_prompt")] == [
        True, True, False, False,
    ]  # fmt: skip


def test_budgets_are_those_of_a_run(tmp_path: Path) -> None:
    text = BOARD.replace("[16, 64]", '["log:16:64:3", off, unlimited]')
    assert read_board(write_board(tmp_path, text)).budgets == (16, 32, 64, "off", "unlimited")


def test_a_date_is_the_text_that_a_manifest_has(tmp_path: Path) -> None:
    text = BOARD.replace("{system_prompt: null}", "{system_prompt: null, date: 2026-01-31}")
    assert read_board(write_board(tmp_path, text)).rules.pins()["prompt.date"] == "2026-01-31"
