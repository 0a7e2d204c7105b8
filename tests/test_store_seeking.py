"""Reading a run question by question gives what reading it whole gives."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raml_eval.errors import CorruptStore, StoreError
from raml_eval.store import read_run
from raml_eval.store.seeking import RunReader
from raml_eval.types import Grade, Status
from tests.stored import Drawn, ask, store_run
from tests.test_cli import FAKE, cli
from tests.test_old_runs import OLD

RIGHT = Grade(Status.CORRECT, "12", "boxed", "number")


def check_same(path: Path) -> None:
    """Every question, record and trajectory of the reader is that of read_run."""
    whole = read_run(path)
    with RunReader(path) as reader:
        assert reader.questions == whole.questions
        assert list(reader.questions) == list(whole.questions)
        pairs = [pair for key in reader.questions for pair in reader.records(key)]
        thinking = {name: one for key in reader.questions for name, one in reader.trajectories(key).items()}
    assert sorted((r.key, str(r.budget)) for r in whole.records) == sorted((r.key, str(r.budget)) for r, _ in pairs)
    by_id = {(record.key, record.budget): record for record in whole.records}
    assert all(record == by_id[record.key, record.budget] for record, _ in pairs)
    assert thinking == whole.trajectories


def test_a_drawn_run_reads_the_same(tmp_path: Path) -> None:
    assert cli(*FAKE, "--out", tmp_path / "run").returncode == 0
    check_same(tmp_path / "run")


@pytest.mark.parametrize("kind", ["drawn", "imported"])
def test_a_run_of_schema_1_reads_the_same(kind: str) -> None:
    check_same(OLD / kind)


def test_a_regraded_run_has_the_last_verdicts_and_the_first(tmp_path: Path) -> None:
    run = store_run(tmp_path / "run", [ask(0, "12"), ask(1, "7")], [Drawn(r"\boxed{12}"), Drawn(r"\boxed{7}", question=1)])
    assert cli("regrade", run, "--quiet").returncode == 0
    check_same(run)
    with RunReader(run) as reader:
        ((now, stored),) = reader.records(("sums", "0-abcdef"))
    assert (now.status, stored.status) == (Status.CORRECT, Status.INCORRECT)


def test_keys_of_any_text_in_any_order_are_found(tmp_path: Path) -> None:
    run = store_run(tmp_path / "run", [ask(0, "12", task='a "task":"x","question_id":"y" \\')], [Drawn("x", RIGHT)])
    check_same(run)
    for name in ("samples", "trajectories"):  # another program may write the fields in another order, and with blanks
        lines = [json.loads(line) for line in (run / f"{name}.jsonl").read_text().splitlines()]
        (run / f"{name}.jsonl").write_text("".join(json.dumps(dict(sorted(line.items()))) + "\n" for line in lines))
    check_same(run)


def test_a_torn_line_is_left_out_and_a_broken_one_is_named(tmp_path: Path) -> None:
    run = store_run(tmp_path / "run", [ask(0, "12")], [Drawn("x", RIGHT), Drawn("y", RIGHT)])
    path = run / "samples.jsonl"
    whole = path.read_text()
    path.write_text(whole + whole.splitlines()[0][:-9])
    check_same(run)
    path.write_text(whole + '{"task":"sums"}\n')
    with pytest.raises(CorruptStore, match=r"samples\.jsonl:3 is not of this file's schema"):
        RunReader(run)
    path.write_text(whole.replace('"answer":"x"', '"reply":"x"'))
    with RunReader(run) as reader, pytest.raises(CorruptStore, match=r"samples\.jsonl:1 is not of this file's schema"):
        reader.records(("sums", "0-abcdef"))


def test_a_run_without_samples_and_a_folder_that_is_no_run(tmp_path: Path) -> None:
    run = store_run(tmp_path / "run", [ask(0, "12")], [Drawn("x", RIGHT)])
    for name in ("samples", "trajectories"):
        (run / f"{name}.jsonl").unlink()
    with RunReader(run) as reader:
        assert reader.records(("sums", "0-abcdef")) == []
        assert reader.trajectories(("sums", "0-abcdef")) == {}
    with pytest.raises(StoreError, match="not a run directory"):
        RunReader(tmp_path)
