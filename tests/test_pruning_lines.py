"""Lines of a pruning's journals: what is read, and what is one error with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.pruning.lines import read_answers, read_attempt, read_summary
from raml_eval.diagnostics.pruning.work import EMPTY, SUMMARIES, read_stored
from raml_eval.errors import CorruptStore
from raml_eval.store.journal import encode_line
from tests.pruned import draw_run
from tests.test_cli import cli, fails

NAMED = {"trajectory": "a@64", "rule": "last:1"}
DRAWN = {"at": "0f", "status": "no_answer", "n_tokens": 3}
ANSWERS: dict[str, Any] = {
    **NAMED, "n_whole": 9, "n_kept": 3, "n_new": 0, "pruned": DRAWN, "forced": {"budget": 16}, "none": {"budget": "off"},
}  # fmt: skip


@pytest.mark.parametrize("line", [ANSWERS, {**ANSWERS, "cut": True}, {**NAMED, "skipped": "too long"}])
def test_answers_are_read(line: dict[str, Any]) -> None:
    assert read_answers(line) == line


@pytest.mark.parametrize(
    "change",
    [
        {"trajectory": 1}, {"rule": None}, {"n_kept": "3"}, {"n_whole": -1}, {"pruned": "right"}, {"cut": 1}, {"skipped": 1},
        {"pruned": {**DRAWN, "status": "good"}}, {"pruned": {**DRAWN, "at": 3}}, {"forced": {"budget": 1.5}}, {"none": None},
    ],
)  # fmt: skip
def test_answers_of_another_shape_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        read_answers({**ANSWERS, **change})


@pytest.mark.parametrize("name", ["trajectory", "rule", "n_whole", "n_kept", "n_new", "pruned", "forced", "none"])
def test_a_field_that_is_missing_is_named(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        read_answers({key: value for key, value in ANSWERS.items() if key != name})


def test_summaries_and_attempts_are_read_or_refused() -> None:
    summary = {**NAMED, "summary": "short", "cut": False, "seed": 1}
    assert read_summary(summary) == summary
    assert read_summary({**NAMED, "skipped": "too long"})
    assert read_attempt({**NAMED, "seed": 1})
    for line in ({**summary, "summary": None}, {**summary, "cut": 0}, {**summary, "rule": 1}, {**NAMED, "skipped": None}):
        with pytest.raises(TypeError):
            read_summary(line)


@pytest.mark.parametrize(
    ("name", "repair"), [("journal", "computed again"), (SUMMARIES, "summarised again"), (EMPTY, "tried again")]
)
def test_each_journal_says_what_a_deleted_line_costs(tmp_path: Path, name: str, repair: str) -> None:
    folder = DiagnosisFolder(tmp_path, "pruning", {})
    path = folder.path / f"{name}.jsonl"
    path.write_bytes(encode_line({"trajectory": "a"}))
    with pytest.raises(CorruptStore, match=f"lacks the field 'rule'.*{repair}") as caught:
        list(read_stored(folder, name))
    assert f"{path}:1 " in str(caught.value)


def test_a_damaged_journal_ends_the_command_with_one_error(tmp_path: Path) -> None:
    run = draw_run(tmp_path / "mine", tasks="pocket_chain", limit=1, samples=1)
    words = ["diagnose", "pruning", run, "--by", "last:1", "--quiet"]
    assert cli(*words).returncode == 0
    path = run / "diagnostics/pruning/journal.jsonl"
    path.write_text(path.read_text().replace('"n_kept":', '"n_left":'))
    fails(cli(*words), f"{path}:1 lacks the field 'n_kept'. Repair the line or delete it")
