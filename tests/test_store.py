"""The run directory after a kill, with a full disk, and under a foreign configuration."""

from __future__ import annotations

import asyncio
import json
import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import CorruptStore, StoreError
from raml_eval.manifest import protocol_digest
from raml_eval.store import RunDirectory, pack_ids, read_run, unpack_ids
from raml_eval.store import journal as journal_module
from raml_eval.store.journal import Journal, cut_torn_line, read_lines
from raml_eval.types import Finish, Grade, Imported, Question, SampleKey, SampleRecord, Status, ThinkingEnd, Trajectory
from tests.factory import describe_task

KEY = SampleKey("sums", "0-abcdef", 0)
QUESTION = Question("sums", "0-abcdef", "0-abcdef", {}, ({"role": "user", "content": "1+1?"},), "2", "math")
TRAJECTORY = Trajectory(KEY, 8, (5, 6, 7), ThinkingEnd.NATURAL, (260,), "abc", 11)


def record(budget: Any = 8, index: int = 0, answer: str = "2") -> SampleRecord:
    return SampleRecord(
        key=SampleKey("sums", "0-abcdef", index),
        budget=budget,
        trajectory=TRAJECTORY.id,
        thinking_end=ThinkingEnd.NATURAL,
        n_thinking_tokens=3,
        answer=answer,
        answer_ids=(9, 10, 258),
        answer_finish=Finish.STOP,
        target="2",
        grade=Grade(Status.CORRECT, "2", "boxed", "identical"),
        seed=2**63 - 1,
    )


def manifest(**changes: Any) -> dict[str, Any]:
    task = {name: getattr(describe_task("sums", "in_domain"), name) for name in type(describe_task("a", "in_domain")).__slots__}
    built = {
        "schema_version": 2,
        "name": "test",
        "model": {"name": "tiny"},
        "protocol": {
            "model": "tiny",
            "sampling": {"temperature": 1.0},
            "end_of_turn": {},
            "tasks": {"sums": {"version": "1"}},
        },
        "plan": {"tasks": ["sums"], "budgets": [8], "samples": 2, "limit": 1},
        "tasks": {"sums": {**task, "questions": ["0-abcdef"]}},
        "config": {"k": []},
        "sessions": [],
    }
    return {**built, **changes}


def filled(path: Path) -> Path:
    directory = RunDirectory(path)
    directory.open(manifest())
    directory.begin_session({})
    directory.add_questions([QUESTION])

    async def fill() -> None:
        await directory.append_trajectory(TRAJECTORY)
        await asyncio.gather(*(directory.append_sample(record(index=i)) for i in range(2)))

    asyncio.run(fill())
    directory.close()
    return path


@given(st.lists(st.integers(0, 2**32 - 1)))
def test_packed_ids_come_back(ids: list[int]) -> None:
    assert unpack_ids(pack_ids(ids)) == tuple(ids)


def test_a_run_reads_back_as_it_was_written(tmp_path: Path) -> None:
    run = read_run(filled(tmp_path / "run"))
    assert run.records == (record(index=0), record(index=1))
    assert run.trajectories == {TRAJECTORY.id: TRAJECTORY}
    assert list(run.questions.values()) == [QUESTION]
    assert (run.budgets, run.n_samples, run.model) == ((8,), 2, "tiny")


def test_an_imported_sample_reads_back_with_what_is_not_known(tmp_path: Path) -> None:
    thinking = Trajectory(KEY, None, (), ThinkingEnd.UNKNOWN, (), "abc", None)
    said = Imported({"acc": 1.0}, of_question=True, n_tokens=9, n_answer_tokens=None)
    sample = replace(
        record(),
        trajectory=thinking.id,
        n_thinking_tokens=None,
        answer_ids=(),
        answer_finish=Finish.UNKNOWN,
        seed=None,
        imported=said,
    )
    directory = RunDirectory(tmp_path)
    directory.open(manifest())
    directory.add_questions([QUESTION])
    asyncio.run(directory.append_trajectory(thinking))
    asyncio.run(directory.append_sample(sample))
    directory.close()
    run = read_run(tmp_path)
    assert run.records == (sample,)
    assert run.trajectories == {"sums/0-abcdef/0@imported": thinking}
    line = json.loads((tmp_path / "samples.jsonl").read_text())
    assert line["n_thinking_tokens"] is line["n_answer_tokens"] is line["seed"] is None


def test_a_sample_drawn_here_has_no_imported_field(tmp_path: Path) -> None:
    assert "imported" not in json.loads((filled(tmp_path) / "samples.jsonl").read_text().splitlines()[0])


@pytest.mark.parametrize("text", ["\ud800 lone", "line\u2028break", "\x00\x1b[2J", 'quo"te\n', "é漢🙂"])
def test_any_text_of_a_model_is_kept(tmp_path: Path, text: str) -> None:
    directory = RunDirectory(tmp_path)
    directory.open(manifest())
    directory.add_questions([QUESTION])
    asyncio.run(directory.append_trajectory(TRAJECTORY))
    asyncio.run(directory.append_sample(record(answer=text)))
    directory.close()
    assert read_run(tmp_path).records[0].answer == text


@pytest.mark.parametrize("kept", [1, 20, 200])
def test_a_torn_last_line_is_cut_and_owed_again(tmp_path: Path, kept: int) -> None:
    samples = filled(tmp_path) / "samples.jsonl"
    whole = samples.read_bytes()
    first = whole.index(b"\n") + 1
    samples.write_bytes(whole[: first + kept])
    assert len(read_run(tmp_path).records) == 1
    directory = RunDirectory(tmp_path)
    directory.open(manifest())
    assert directory.done == {(KEY, 8)}
    assert directory.torn == ["samples"]
    asyncio.run(directory.append_sample(record(index=1)))
    directory.close()
    assert samples.read_bytes() == whole


def test_a_file_torn_in_its_first_line_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'{"a": ' + b"1" * 200_000)
    assert cut_torn_line(path)
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"not json\n", "wanted a JSON object"),
        (b"[1]\n", "wanted a JSON object"),
        (b'{"task": "sums"}\n', "schema"),
        (b"\xff\xfe\n", "wanted a JSON object"),
    ],
)
def test_a_bad_line_elsewhere_is_an_error_with_file_and_line(tmp_path: Path, line: bytes, reason: str) -> None:
    samples = filled(tmp_path) / "samples.jsonl"
    samples.write_bytes(line + samples.read_bytes())
    for use in (read_run, lambda path: RunDirectory(path).open(manifest())):
        with pytest.raises(CorruptStore, match=rf"samples\.jsonl:1 .*{reason}"):
            use(tmp_path)


def test_a_key_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    samples = filled(tmp_path) / "samples.jsonl"
    samples.write_bytes(samples.read_bytes() * 2)
    with pytest.raises(CorruptStore, match=r"samples\.jsonl:3 repeats"):
        read_run(tmp_path)


def test_another_configuration_is_refused_by_key_and_nothing_is_overwritten(tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in filled(tmp_path).iterdir() if path.name != "lock"}
    other = manifest(protocol={"model": "tiny", "sampling": {"temperature": 0.5}, "tasks": {}})
    directory = RunDirectory(tmp_path)
    with pytest.raises(StoreError, match=r"sampling\.temperature is 1\.0 there and 0\.5 here"):
        directory.open(other)
    directory.close()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.name != "lock"} == before


def test_the_digest_leaves_the_tasks_out() -> None:
    assert protocol_digest({"a": 1, "tasks": {"x": 1}}) == protocol_digest({"a": 1, "tasks": {}})
    assert protocol_digest({"a": 1, "tasks": {}}) != protocol_digest({"a": 2, "tasks": {}})


def test_a_lost_question_is_no_smaller_table(tmp_path: Path) -> None:
    questions = filled(tmp_path) / "questions.jsonl"
    questions.write_bytes(questions.read_bytes()[:-10])
    with pytest.raises(StoreError, match="lacks 1 of 1 planned questions"):
        read_run(tmp_path)


def test_classes_keep_task_names_with_slashes_and_may_be_damaged(tmp_path: Path) -> None:
    directory = RunDirectory(filled(tmp_path))
    directory.open(manifest())
    directory.write_classes({("my/task", "0-abcdef"): {"2": 0}})
    directory.close()
    assert read_run(tmp_path).classes == {("my/task", "0-abcdef"): {"2": 0}}
    (tmp_path / "classes.json").write_text("{")
    assert read_run(tmp_path).classes == {}


def test_a_directory_has_one_writer(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    with pytest.raises(StoreError, match=f"locked by process {os.getpid()}"):
        RunDirectory(tmp_path)
    directory.close()
    RunDirectory(tmp_path).close()


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no manifest\.json"):
        read_run(tmp_path)
    (tmp_path / "samples.jsonl").write_text("")
    with pytest.raises(StoreError, match=r"holds samples but no manifest\.json"):
        RunDirectory(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(CorruptStore, match=r"manifest\.json cannot be read"):
        RunDirectory(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema_version": 3}')
    with pytest.raises(CorruptStore, match=r"has schema_version 3, and this raml-eval reads 1 and 2.*install that version"):
        read_run(tmp_path)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="Choose a writable --out"):
        RunDirectory(tmp_path / "file" / "run")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_fails_every_append(tmp_path: Path) -> None:
    (tmp_path / "full.jsonl").symlink_to("/dev/full")
    journal = Journal(tmp_path / "full.jsonl")
    for _ in range(2):
        with pytest.raises(StoreError, match="No space left on device"):
            asyncio.run(journal.append({"a": 1}))
        with pytest.raises(StoreError, match="No space left on device"):
            journal.append_all([{"a": 1}])
    journal.close()


def test_nothing_is_written_behind_a_line_that_was_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = journal_module._write

    def half(file: int, text: bytes) -> None:
        write(file, text[: len(text) // 2])
        raise OSError(28, "No space left on device")

    for first in (lambda one: asyncio.run(one.append({"a": 1})), lambda one: one.append_all([{"a": 1}])):
        journal = Journal(tmp_path / "x.jsonl")
        monkeypatch.setattr(journal_module, "_write", half)
        with pytest.raises(StoreError):
            first(journal)
        monkeypatch.setattr(journal_module, "_write", write)
        with pytest.raises(StoreError):
            journal.append_all([{"b": 2}])
        with pytest.raises(StoreError):
            asyncio.run(journal.append({"b": 2}))
        journal.close()
        assert (tmp_path / "x.jsonl").read_bytes() == b'{"a"'
        (tmp_path / "x.jsonl").unlink()


def test_a_write_that_fails_in_any_way_fails_every_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(file: int, text: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr("raml_eval.store.journal._write", fail)
    journal = Journal(tmp_path / "x.jsonl")
    for _ in range(2):
        with pytest.raises(StoreError, match=r"cannot write .*x\.jsonl: MemoryError"):
            asyncio.run(asyncio.wait_for(journal.append({"a": 1}), 30))
    journal.close()


def test_many_appends_at_once_all_reach_the_disk(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "x.jsonl")

    async def append() -> None:
        await asyncio.gather(*(journal.append({"i": i}) for i in range(2000)))

    asyncio.run(append())
    assert sorted(line["i"] for _, line in read_lines(tmp_path / "x.jsonl")) == list(range(2000))
    journal.close()
    journal.close()


def test_owed_errors_are_counted_until_the_sample_is_there(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.open(manifest())
    directory.add_questions([QUESTION])

    async def fail() -> None:
        await directory.append_error(KEY, [8, "off"], ValueError("engine fell over"))
        await directory.append_trajectory(TRAJECTORY)
        await directory.append_sample(record())

    asyncio.run(fail())
    directory.close()
    assert read_run(tmp_path).n_errors == 1
    line = json.loads((tmp_path / "errors.jsonl").read_text())
    assert (line["error"], line["message"], line["budgets"]) == ("ValueError", "engine fell over", [8, "off"])


def test_a_lock_on_a_removed_folder_is_taken_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refused run removes the folder that it made, at the moment when this one has opened the lock file in it."""
    from raml_eval.store import directory as module

    path, lock, removed = tmp_path / "run", module.try_lock, []

    def lock_after_a_removal(file: int) -> bool:
        if not removed:
            (path / "lock").unlink()
            path.rmdir()
            removed.append(path)
        return lock(file)

    monkeypatch.setattr(module, "try_lock", lock_after_a_removal)
    with closing(RunDirectory(path)) as opened:
        assert (path / "lock").stat().st_ino == os.fstat(opened._lock).st_ino


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"plan": []}, "plan is"),
        ({"plan": {"tasks": ["sums"], "samples": 2, "limit": 1}}, "budgets"),
        ({"sessions": {}}, "sessions is"),
        ({"sessions": [1]}, r"sessions\[0\] is 1, wanted an object"),
        ({"tasks": {"sums": 3}}, "TypeError"),
        ({"tasks": {"sums": {"questions": []}}}, "KeyError"),
        ({"protocol": {"engine": 1}}, r"protocol\.engine is 1, wanted an object"),
        ({"config": {"k": [], "sampling": "x"}}, r"config\.sampling is 'x', wanted an object"),
        ({"suites": []}, "suites is"),
        ({"suites": {"math": {"primary": None}}}, "KeyError: 'tasks'"),
        ({"suites": {"math": {"tasks": "gsm8k", "primary": None}}}, "tasks of a suite are 'gsm8k', wanted a list"),
        ({"suites": {"math": {"tasks": [], "primary": {"metric": "avg@n", "budget": None}}}}, "wanted a metric and a budget"),
        ({"model": {"name": "m", "checkpoint": 500}}, r"model\.checkpoint is 500, wanted an object"),
        ({"schema_version": True}, "schema_version True"),
    ],
)
def test_a_manifest_of_another_shape_gets_one_error(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps(manifest(**change)))
    with pytest.raises(CorruptStore, match=said):
        read_run(tmp_path)


def test_each_file_says_what_a_deleted_line_costs(tmp_path: Path) -> None:
    filled(tmp_path)
    for name, said in (("samples", "drawn again"), ("trajectories", "lines of samples.jsonl"), ("questions", "added again")):
        path = tmp_path / f"{name}.jsonl"
        good = path.read_text()
        path.write_text("[\n" + good)
        with pytest.raises(CorruptStore, match=f"{name}.jsonl:1 .*{said}"):
            read_run(tmp_path)
        path.write_text(good)


def test_a_session_below_zero_is_refused(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / "samples.jsonl"
    path.write_text(path.read_text().replace('"session":0', '"session":-1'))
    with pytest.raises(CorruptStore, match="session -1, wanted a whole number"):
        read_run(tmp_path)
