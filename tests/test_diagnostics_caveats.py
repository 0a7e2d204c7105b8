"""A diagnosis says which part of its run it is of, and which engines drew and scored."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raml_eval.diagnostics.caveats import notes_of_engines, tell_part
from raml_eval.diagnostics.pruning.pruning import prune_run
from raml_eval.diagnostics.statistics import diagnose_statistics
from raml_eval.errors import ConfigError
from raml_eval.store.seeking import RunReader
from tests.pruned import draw_run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tasks, four questions each, three samples."""
    return draw_run(tmp_path_factory.mktemp("runs") / "run")


def notes(folder: Path) -> list[str]:
    return list(json.loads((folder / "section.json").read_text())["notes"])


def test_only_a_part_is_told(run: Path) -> None:
    with RunReader(run) as reader:
        assert tell_part(reader, 8) == tell_part(reader, 8, ["pocket_chain", "pocket_sort"], 9, 3) == ""
        assert tell_part(reader, 2, limit=1, samples=2) == (
            "Only 2 of 8 questions and 2 of 3 samples of each: --limit 1 --samples 2."
        )
        assert tell_part(reader, 4, ["pocket_sort"]) == "Only 4 of 8 questions: --task pocket_sort."


def test_a_diagnosis_of_a_part_says_so_and_stores_it(run: Path, tmp_path: Path) -> None:
    folder = diagnose_statistics(run, tmp_path, ["pocket_sort"])
    assert "Only 4 of 8 questions: --task pocket_sort." in notes(folder)
    whole = diagnose_statistics(run, tmp_path / "whole")
    assert not any(note.startswith("Only ") for note in notes(whole))
    done = prune_run(run, ["last:1"], limit=1, out=tmp_path, quiet=True)
    assert notes(done.folder)[0] == "Only 2 of 8 questions: --limit 1."
    made = json.loads((done.folder / "diagnosis.json").read_text())["made_with"]
    assert made == {"tasks": [], "limit": 1, "samples": None, "rules": ["last:1"]}
    done = prune_run(run, ["last:1"], out=tmp_path, quiet=True)
    assert not any(note.startswith("Only ") for note in notes(done.folder))


def test_smaller_tables_do_not_pass_for_all_that_was_computed(run: Path, tmp_path: Path) -> None:
    whole = prune_run(run, ["last:1"], out=tmp_path, quiet=True)
    n = len({(one.task, one.question_id, one.sample) for one in whole.collected.outcomes})
    assert not any("The journal has" in note for note in notes(whole.folder))
    done = prune_run(run, ["last:1"], limit=1, samples=1, out=tmp_path, quiet=True)
    shown = {(one.task, one.question_id, one.sample) for one in done.collected.outcomes}
    assert {sample for *_, sample in shown} == {0}
    assert notes(done.folder)[0].startswith(
        "Only 2 of 8 questions and 1 of 3 samples of each: --limit 1 --samples 1. "
        f"The journal has values of {n} samples, and the last command asked for {len(shown)} of them, so the tables"
    )
    done = prune_run(run, ["last:1"], out=tmp_path, quiet=True)
    assert not any("The journal has" in note for note in notes(done.folder))


def test_what_was_computed_under_other_rules_is_not_promised(run: Path, tmp_path: Path) -> None:
    prune_run(run, ["last:1"], out=tmp_path, quiet=True)
    done = prune_run(run, ["last:2"], limit=1, out=tmp_path, quiet=True)
    assert "takes from it what it needs, and computes only what is not there." in notes(done.folder)[0]
    n_lines = len((done.folder / "journal.jsonl").read_text().splitlines())
    prune_run(run, ["last:2"], out=tmp_path, quiet=True)
    assert len((done.folder / "journal.jsonl").read_text().splitlines()) > n_lines


def test_statistics_take_a_limit(run: Path, tmp_path: Path) -> None:
    folder = diagnose_statistics(run, tmp_path, limit=1)
    assert "Only 2 of 8 questions: --limit 1." in notes(folder)
    assert json.loads((folder / "diagnosis.json").read_text())["made_with"]["limit"] == 1
    with pytest.raises(ConfigError, match=r"--limit is 1 there and not given here. Choose another --out"):
        diagnose_statistics(run, tmp_path)


def test_engines_that_differ_or_are_fake_are_told() -> None:
    assert list(notes_of_engines("hf", "hf", "the losses")) == []
    assert [*notes_of_engines("vllm", "hf", "the losses")] == [
        "The run was drawn by vllm, the losses by hf, which may differ a little."
    ]
    assert len([*notes_of_engines("fake", "fake", "the losses")]) == 2
    assert "written by no model" in next(notes_of_engines("fake", "hf", "the losses"))
