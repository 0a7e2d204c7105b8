"""counts.parquet: used if nothing has changed, never if anything has, and never a reason to fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import raml_eval
from raml_eval.answer_classes import with_classes
from raml_eval.regrade.regrading import regrade_run
from raml_eval.store import cache, read_run
from raml_eval.store.cache import FILE, keep, read_kept, state_of
from raml_eval.tables import loading
from tests.stored import Drawn, store_run
from tests.test_regrade import DAY, HALF, LETTER, SAMPLES
from tests.test_store_lean import drawn, edit


@pytest.fixture(autouse=True)
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once."""
    monkeypatch.setattr(cache, "SETTLED_S", -1.0)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    return store_run(tmp_path / "run", [HALF, DAY, LETTER], SAMPLES)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The directories whose lines were read."""
    found: list[Path] = []
    read = loading.read_lean
    monkeypatch.setattr(loading, "read_lean", lambda path, manifest: found.append(path) or read(path, manifest))
    return found


def table(path: Path) -> pd.DataFrame:
    return raml_eval.load_run(path).table(allow_partial=True)


def fresh(path: Path) -> pd.DataFrame:
    """The table without what was kept."""
    (path / FILE).unlink(missing_ok=True)
    return table(path)


def test_the_second_report_reads_no_lines_and_says_the_same(tmp_path: Path, reads: list[Path]) -> None:
    path = drawn(tmp_path)
    reads.clear()  # the session itself reads what it has drawn
    first = table(path)
    kept = (tmp_path / FILE).read_bytes()
    again = raml_eval.load_run(tmp_path)
    pd.testing.assert_frame_equal(again.table(), first, check_exact=True)
    assert len(reads) == 1
    assert (tmp_path / FILE).read_bytes() == kept
    assert len(again.records) == 2 * 3 * 2 * 5
    assert again.samples().equals(raml_eval.load_run(tmp_path).samples())


def append_sample(path: Path) -> None:
    lines = (path / "samples.jsonl").read_text().splitlines()
    entry = {**json.loads(lines[0]), "sample": 99}
    (path / "samples.jsonl").write_text("".join(f"{line}\n" for line in [*lines, json.dumps(entry)]))


def edit_and_set_back(path: Path) -> None:
    """One verdict becomes another of the same length, and the time of the file is set back."""
    samples = path / "samples.jsonl"
    before, told = samples.read_bytes(), samples.stat()
    samples.write_bytes(before.replace(b'"status":"correct"', b'"status":"timeout"', 1))
    os.utime(samples, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert (samples.stat().st_size, samples.stat().st_mtime_ns) == (told.st_size, told.st_mtime_ns)
    assert samples.read_bytes() != before


CHANGES: dict[str, Callable[[Path], object]] = {
    "a sample is appended": append_sample,
    "a verdict is edited": lambda path: edit(path / "samples.jsonl", lambda e: e.update(status="incorrect", extracted="9"), 4),
    "a verdict is edited and the time set back": edit_and_set_back,
    "a sample is deleted": lambda path: edit(path / "samples.jsonl", lambda e: "", 1) or _without_empty(path),
    "the run is regraded": lambda path: regrade_run(path, quiet=True, workers=1),
    "another class": lambda path: (path / "classes.json").write_text('{"sums/0-abcdef": {"0.5": 0, "3": 0}}'),
    "a failure is noted": lambda path: (path / "errors.jsonl").write_text(
        '{"task":"sums","question_id":"0-abcdef","sample":77,"budgets":[8]}\n'
    ),
    "the manifest names another session": lambda path: _grader(path),
}


def _without_empty(path: Path) -> None:
    samples = path / "samples.jsonl"
    samples.write_text(samples.read_text().lstrip("\n"))


def _grader(path: Path) -> None:
    manifest = json.loads((path / "manifest.json").read_text())
    manifest["sessions"][0]["grader_version"] = "another"
    (path / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_it_is_not_used_after_a_change(change: Callable[[Path], object], stored: Path, reads: list[Path]) -> None:
    table(stored)
    change(stored)
    after, run = table(stored), raml_eval.load_run(stored)
    assert len(reads) == 2
    pd.testing.assert_frame_equal(after, fresh(stored), check_exact=True)
    again = raml_eval.load_run(stored)
    assert (run.n_errors, run.grader_versions, len(run.records)) == (again.n_errors, again.grader_versions, len(again.records))


def test_a_second_session_is_seen(tmp_path: Path) -> None:
    first = [Drawn("Monday", question=1)]
    path = store_run(tmp_path / "run", [HALF, DAY], first)
    assert len(raml_eval.load_run(path).records) == 1
    store_run(path, [HALF, DAY], [Drawn("0.5"), Drawn("3")])
    assert len(raml_eval.load_run(path).records) == 3


@pytest.mark.parametrize(
    "spoil",
    [
        lambda kept: b"",
        lambda kept: kept[: len(kept) // 2],
        lambda kept: kept[:-1],
        lambda kept: b"not Parquet at all",
        lambda kept: kept.replace(b"PAR1", b"PAR2"),
        *(lambda kept, at=at: kept[:at] + bytes([kept[at] ^ 0x10]) + kept[at + 1 :] for at in range(30, 600, 19)),
    ],
)  # fmt: skip
def test_a_damaged_file_is_written_anew(spoil: Callable[[bytes], bytes], stored: Path) -> None:
    wanted = table(stored)
    kept = (stored / FILE).read_bytes()
    (stored / FILE).write_bytes(spoil(kept))
    pd.testing.assert_frame_equal(table(stored), wanted, check_exact=True)
    pd.testing.assert_frame_equal(table(stored), wanted, check_exact=True)


def test_a_file_with_other_columns_or_metadata_is_not_used(stored: Path, reads: list[Path]) -> None:
    wanted = table(stored)
    good = pq.read_table(stored / FILE)
    told = good.schema.metadata
    others = [
        good.drop_columns(["score"]),
        good.slice(1),
        good.replace_schema_metadata({}),
        good.replace_schema_metadata({**told, b"digest": b"0"}),
        good.replace_schema_metadata({**told, b"raml_eval": told[b"raml_eval"].replace(b"sums", b"sumx")}),
    ]
    for number, other in enumerate(others, 2):
        pq.write_table(other, stored / FILE)
        pd.testing.assert_frame_equal(table(stored), wanted, check_exact=True)
        assert len(reads) == number


@pytest.mark.parametrize("key", ["code", "grader_version"])
def test_what_another_version_kept_is_not_used(
    key: str, stored: Path, reads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, state = table(stored), state_of
    monkeypatch.setattr(loading, "state_of", lambda *asked: changed(state(*asked), **{key: "another"}))
    table(stored)
    assert len(reads) == 2
    monkeypatch.undo()
    pd.testing.assert_frame_equal(table(stored), wanted, check_exact=True)


def test_files_that_have_just_changed_are_not_trusted(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "SETTLED_S", 60.0)
    table(stored)
    assert not (stored / FILE).exists()


def test_nothing_is_kept_of_a_run_that_changed_while_it_was_read(stored: Path) -> None:
    state = state_of(stored, "4")
    run = raml_eval.load_run(stored)
    (stored / FILE).unlink()
    append_sample(stored)
    keep(stored, state, cache.Kept(run.records.samples, np.zeros(len(run.records), dtype=np.int64), (), 0))
    assert not (stored / FILE).exists()


def test_a_directory_that_cannot_be_written_is_reported_all_the_same(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = fresh(stored)
    (stored / FILE).unlink()

    def refuse(path: Path, *args: object) -> None:
        path.touch()
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(cache, "_write", refuse)
    pd.testing.assert_frame_equal(table(stored), wanted, check_exact=True)
    assert [path.name for path in stored.iterdir() if "counts" in path.name] == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory(stored: Path) -> None:
    stored.chmod(0o500)
    try:
        assert len(table(stored))
    finally:
        stored.chmod(0o700)


def test_a_folder_in_its_place_is_no_error(stored: Path) -> None:
    wanted = fresh(stored)
    (stored / FILE).unlink()
    (stored / FILE).mkdir()
    pd.testing.assert_frame_equal(table(stored), wanted, check_exact=True)


def test_missing_classes_are_formed_once(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    formed: list[int] = []
    complete = loading.complete_classes
    monkeypatch.setattr(loading, "complete_classes", lambda *asked: formed.append(1) or complete(*asked))
    assert not (stored / "classes.json").exists()
    for _ in range(2):
        assert raml_eval.load_run(stored).classes == with_classes(read_run(stored)).classes != {}
    assert formed == [1]


def test_several_processes_at_once(stored: Path) -> None:
    wanted = fresh(stored)
    (stored / FILE).unlink()
    code = (
        "import sys, raml_eval; from raml_eval.store import cache; cache.SETTLED_S = -1;"
        "print([raml_eval.load_run(sys.argv[1]).table(allow_partial=True).to_json() for _ in range(3)] * 1)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(stored)], stdout=subprocess.PIPE) for _ in range(3)]
    said = [process.communicate()[0].decode() for process in running]
    assert [process.returncode for process in running] == [0, 0, 0]
    assert set(said) == {str([wanted.to_json()] * 3) + "\n"}
    assert read_kept(stored, state_of(stored, loading.GRADER_VERSION)) is not None
    assert [path.name for path in stored.iterdir() if path.name.endswith(".draft")] == []


def test_what_was_kept_comes_back_whole(tmp_path: Path) -> None:
    run = raml_eval.load_run(drawn(tmp_path))
    state = state_of(tmp_path, loading.GRADER_VERSION)
    kept = read_kept(tmp_path, state)
    assert kept is not None
    for name, value in vars(run.records.samples).items():
        found = getattr(kept.samples, name)
        if isinstance(value, np.ndarray):
            assert found.dtype == value.dtype
            assert np.array_equal(found, value, equal_nan=value.dtype.kind == "f"), name
    assert kept.samples.reflections(np.arange(3)).tolist() == run.records.samples.reflections(np.arange(3)).tolist()
    assert read_kept(tmp_path, changed(state, files={})) is None


def changed(state: cache.State | None, **parts: object) -> cache.State:
    assert state is not None
    return state._replace(told={**state.told, **parts})
