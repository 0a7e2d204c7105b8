"""Numbers as every export takes them, and the runs that no export may state as results."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import InputError
from raml_eval.exporting.markdown import markdown_table
from raml_eval.exporting.shared import check_publishable, describe_budget, gather
from raml_eval.tables import build_frame
from tests.shared_runs import private_run, share
from tests.test_cli import cli, fails


def test_what_cannot_be_given_is_none_and_never_zero(tmp_path: Path) -> None:
    run = share(private_run(tmp_path / "run")).run
    frame = build_frame([run], k=[2, 64])
    frame.loc[0, "value"] = math.inf
    shared = gather(run, frame)
    assert shared.numbers[0].value is None
    for number, (_, row) in list(zip(shared.numbers, frame.iterrows(), strict=True))[1:]:
        for name in ("value", "low", "high"):
            held = getattr(number, name)
            assert (held is None) == math.isnan(row[name])
            assert held is None or held == row[name]
    assert {number.value for number in shared.numbers if number.k == 64} == {None}
    assert shared.given() == [number for number in shared.numbers if number.value is not None]


def test_keys_are_distinct_and_each_row_has_its_notes(tmp_path: Path) -> None:
    shared = share(private_run(tmp_path / "run"))
    assert len({number.key for number in shared.numbers}) == len(shared.numbers) == len(shared.frame)
    (average,) = [number for number in shared.numbers if number.key == "free/8/avg@4"]
    assert set(average.notes) <= set(shared.notes)
    assert not average.lower_is_better
    assert {n.name for n in shared.numbers if n.lower_is_better} >= {"unfinished_rate", "thinking_tokens_median"}


def test_budgets_in_words() -> None:
    assert [describe_budget(one) for one in ("1024", "unlimited", "off", "frac:0.5")] == [
        "a thinking budget of 1024 tokens",
        "unlimited thinking",
        "thinking off",
        "thinking budget frac:0.5",
    ]


def test_a_run_that_stopped_early_states_no_results(tmp_path: Path) -> None:
    told = {"base": {"name": "b"}, "fractions": [0.5, 1.0], "n_questions_planned": 9, "drawn_on": False, "stopped_at": 1}
    looks = [{"look": 1, "n_questions": 5, "words": "it passed", "decided": True}]
    path = private_run(tmp_path / "run", sequential={**told, "looks": looks})
    fails(cli("export", "model-card", path, "--out", tmp_path / "card"), "--until-decided", "biased")
    run = share(private_run(tmp_path / "whole")).run
    check_publishable(run, "a card")
    check_publishable(
        replace(run, manifest={**run.manifest, "sequential": {**told, "looks": looks, "stopped_at": 2}}), "a card"
    )
    with pytest.raises(InputError, match="made up"):
        check_publishable(replace(run, manifest={**run.manifest, "engine": {"name": "fake"}}), "a card")


def test_a_run_with_missing_samples_is_refused(tmp_path: Path) -> None:
    path = private_run(tmp_path / "run")
    lines = (path / "samples.jsonl").read_text().splitlines(keepends=True)
    (path / "samples.jsonl").write_text("".join(lines[:-1]))
    for words in (["model-card", path, "--out", tmp_path / "a"], ["hub", path, "a/b", "--folder", tmp_path / "b"]):
        fails(cli("export", *words), "lacks 1 of its 36 planned samples")
    assert not (tmp_path / "b").exists()


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1, max_size=4))
def test_no_cell_of_a_table_is_markup(rows: list[tuple[str, str]]) -> None:
    from markdown_it import MarkdownIt

    parsed = MarkdownIt("gfm-like", {"html": True, "linkify": False}).parse(markdown_table([("a", "b"), *rows]))
    cells = [token for token in parsed if token.type == "inline"]
    assert len(cells) == 2 * (len(rows) + 1)
    kinds = {child.type for cell in cells for child in cell.children or ()}
    assert kinds <= {"text", "text_special"}
