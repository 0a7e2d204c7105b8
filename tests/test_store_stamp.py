"""A stamp differs if samples were added or verdicts were changed, and only then."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from raml_eval.errors import StoreError
from raml_eval.store.grades import Layer, change_of, write_layer
from raml_eval.store.stamp import stamp_samples
from raml_eval.tables import load_run
from raml_eval.types import Grade, Status
from tests.stored import Drawn, ask, store_run


def test_a_sample_that_was_added_changes_the_stamp(tmp_path: Path) -> None:
    run = store_run(tmp_path / "run", [ask(0, "7")], [Drawn("7"), Drawn("8")])
    stamp = stamp_samples(run)
    told = {name: stamp[name] for name in ("n_samples", "n_trajectories", "verdicts")}
    assert told == {"n_samples": 2, "n_trajectories": 2, "verdicts": ""}
    with (run / "samples.jsonl").open("ab") as file:
        file.write(b'{"torn')
    assert stamp_samples(run) == stamp
    more = store_run(tmp_path / "more", [ask(0, "7")], [Drawn("7"), Drawn("8"), Drawn("9")])
    assert stamp_samples(more) != stamp


@pytest.mark.parametrize("name", ["samples", "trajectories"])
@pytest.mark.parametrize("place", [0, -1])
def test_what_was_drawn_again_changes_the_stamp_though_no_number_does(tmp_path: Path, name: str, place: int) -> None:
    run = store_run(tmp_path / "run", [ask(0, "7")], [Drawn("7"), Drawn("8"), Drawn("9")])
    stamp = stamp_samples(run)
    path = run / f"{name}.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    again = lines.pop(place)
    path.write_bytes(b"".join([*lines, again]))
    assert (stamp_samples(run) == stamp) is (place == -1)  # the same file
    path.write_bytes(b"".join([*lines, again.replace(b"{", b"{ ", 1)]))
    now = stamp_samples(run)
    assert now != stamp
    assert (now["n_samples"], now["n_trajectories"]) == (stamp["n_samples"], stamp["n_trajectories"])


@pytest.mark.parametrize("content", [b"", b"{torn", None])
def test_a_file_without_a_whole_line_has_no_last_one(tmp_path: Path, content: bytes | None) -> None:
    run = store_run(tmp_path / "run", [ask(0, "7")], [Drawn("7")])
    (run / "samples.jsonl").unlink() if content is None else (run / "samples.jsonl").write_bytes(content)
    assert stamp_samples(run)["last_sample"] == ""


def test_a_changed_verdict_changes_the_stamp_and_a_confirmed_one_does_not(tmp_path: Path) -> None:
    run = store_run(tmp_path / "run", [ask(0, "7")], [Drawn("7")])
    before = stamp_samples(run)
    record = load_run(run).records[0]
    change = change_of(record, Grade(Status.CORRECT, "7"))
    confirmed = Layer(1, "5", "2026-01-01", 1, 1, {})
    write_layer(run, confirmed)
    assert stamp_samples(run) == before
    changed = replace(confirmed, changes={(record.key, record.budget): change})
    write_layer(run, changed)
    now = stamp_samples(run)
    assert now["verdicts"] != before["verdicts"]
    write_layer(run, replace(changed, verified="2026-02-02"))
    assert stamp_samples(run) == now


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir, Path.touch])
def test_what_is_no_run_directory_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "nope")
    with pytest.raises(StoreError, match=r"nope is not a run directory: it has no manifest\.json"):
        stamp_samples(tmp_path / "nope")


def test_another_run_of_as_many_samples_has_another_stamp(tmp_path: Path) -> None:
    run = store_run(tmp_path / "run", [ask(0, "7")], [Drawn("7")])
    stamp = stamp_samples(run)
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps(manifest | {"created": "2027-01-01T00:00:00+00:00"}))
    assert stamp_samples(run) != stamp
