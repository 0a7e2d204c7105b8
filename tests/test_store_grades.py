"""Layers of grades: what they change, what they keep, and the errors for a damaged one."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import CorruptStore, StoreError
from raml_eval.store import read_run
from raml_eval.store.grades import (
    Layer,
    apply_layers,
    change_of,
    grader_versions,
    layer_paths,
    read_layers,
    write_layer,
)
from raml_eval.store.history import read_histories, verdict_history
from raml_eval.store.schema_1 import session_at
from raml_eval.types import Grade, SampleRecord, Status
from tests.stored import WRONG, Drawn, ask, make_stored, store_run

RIGHT = Grade(Status.CORRECT, "2", "boxed", "identical", score=0.1 + 0.2)
QUESTION = ask(0, "2")
RECORDS = tuple(make_stored(i, QUESTION, Drawn(f"answer {i}")) for i in range(4))


def layer(number: int, version: str, changed: Sequence[SampleRecord] = (), grade: Grade = RIGHT, **more: Any) -> Layer:
    changes = {(record.key, record.budget): change_of(record, grade) for record in changed}
    return Layer(number, version, "2026-01-01T00:00:00+00:00", 4, more.pop("n_sessions", 1), changes, failed={}, **more)


def test_a_layer_reads_back_as_it_was_written(tmp_path: Path) -> None:
    first = layer(1, "1", RECORDS[:2], tasks=("sums",), timeout_s=3.5)
    second = replace(layer(2, "2"), failed={(RECORDS[3].key, 8): "two workers died"}, verified="2026-02-02T00:00:00+00:00")
    for written in (first, second):
        write_layer(tmp_path, written)
    assert read_layers(tmp_path) == [first, second]
    assert list(layer_paths(tmp_path)) == [1, 2]


def test_the_last_layer_that_names_a_sample_holds_and_nothing_is_lost(tmp_path: Path) -> None:
    unfinished = Grade(Status.UNFINISHED, None, "", "cut")
    layers = [layer(1, "1", RECORDS[:2]), layer(2, "2", RECORDS[1:3], unfinished), layer(3, "3")]
    assert [record.grade for record in apply_layers(RECORDS, layers)] == [RIGHT, unfinished, unfinished, WRONG]
    history = verdict_history(RECORDS[1], layers, [{"grader_version": "0"}])
    assert [(verdict.grader_version, verdict.grade) for verdict in history] == [
        ("0", WRONG), ("1", RIGHT), ("2", unfinished), ("3", unfinished)
    ]  # fmt: skip


def test_layers_beyond_9999_are_found_in_order(tmp_path: Path) -> None:
    for number in (10_000, 9_999):
        write_layer(tmp_path, layer(number, str(number)))
    assert [found.number for found in read_layers(tmp_path)] == [9_999, 10_000]


def test_an_answer_drawn_anew_is_not_given_the_verdict_of_the_old_one() -> None:
    redrawn = replace(RECORDS[0], answer="another answer")
    layers = [layer(1, "1", RECORDS)]
    assert apply_layers([redrawn], layers)[0].grade == WRONG
    assert grader_versions([redrawn, *RECORDS[1:]], layers, [{"grader_version": "0"}]) == ("0", "1")


@pytest.mark.parametrize(
    ("layers", "sessions", "versions"),
    [
        ([], [], ()),
        ([], [(0, "1")], ("1",)),
        ([], [(0, "1"), (2, "2")], ("1", "2")),
        ([], [(0, "1"), (4, "2")], ("1",)),  # the second session stored nothing
        ([], [(0, "1"), (0, "2")], ("2",)),  # killed before its first sample
        ([layer(1, "3")], [(0, "1")], ("3",)),
        ([layer(1, "3"), layer(2, "4", tasks=("other",))], [(0, "1")], ("3",)),
        ([layer(1, "3")], [(0, "1"), (2, "2")], ("2", "3")),  # resumed after the regrading
        ([replace(layer(1, "3"), failed={(RECORDS[1].key, 8): "died"})], [(0, "1")], ("1", "3")),
        ([layer(1, "3"), layer(2, "4", n_sessions=2)], [(0, "1"), (2, "2")], ("4",)),
        ([layer(1, "3", tasks=("other",))], [(0, "1")], ("1",)),
    ],
)
def test_whose_verdicts_stand(layers: list[Layer], sessions: list[tuple[int, str]], versions: tuple[str, ...]) -> None:
    entries = [{"samples_before": before, "grader_version": version} for before, version in sessions]
    drawn = [replace(record, session=session_at(place, entries)) for place, record in enumerate(RECORDS)]
    assert grader_versions(drawn, layers, entries) == versions


def test_a_run_reads_with_its_layers(tmp_path: Path) -> None:
    path = store_run(tmp_path / "run", [QUESTION], [Drawn("answer 0"), Drawn("answer 1")])
    stored = read_run(path)
    assert (stored.grader_versions, [r.grade for r in stored.records]) == (("0",), [WRONG, WRONG])
    write_layer(path, layer(1, "1", stored.records[:1]))
    for drawn in (True, False):
        run = read_run(path, drawn=drawn)
        assert (run.grader_versions, [r.grade for r in run.records]) == (("1",), [RIGHT, WRONG])
        assert bool(run.trajectories) is drawn
        assert run.records[0].answer_ids == ((1, 2, 3) if drawn else ())


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda whole: whole[:-10], "announces 2 samples, and 1 follow"),
        (lambda whole: b"", "line 1 is not of a layer's schema"),
        (lambda whole: whole.replace(b'"was"', b'"is"'), "line 2 is not of a layer's schema"),
        (lambda whole: whole.replace(b'"correct"', b'"corect"'), "line 2 is not of a layer's schema"),
        (lambda whole: whole.replace(b'"n_graded"', b'"n"'), "line 1 is not of a layer's schema"),
        (lambda whole: b"garbage\n" + whole, "cannot be read"),
        (lambda whole: whole + whole.splitlines(keepends=True)[1].replace(b'"sample":0', b'"sample":9'), "3 follow"),
    ],
)
def test_a_damaged_layer_names_its_file_and_the_way_out(tmp_path: Path, damage: Any, said: str) -> None:
    path = write_layer(tmp_path, layer(1, "1", RECORDS[:2]))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorruptStore, match=rf"grades-0001\.jsonl .*{said}.*raml-eval regrade"):
        read_layers(tmp_path)


def test_a_draft_that_a_kill_left_is_no_layer(tmp_path: Path) -> None:
    (tmp_path / ".grades-0001.jsonl.draft").write_text("half a li")
    assert read_layers(tmp_path) == []
    write_layer(tmp_path, layer(1, "1"))
    assert [path.name for path in tmp_path.iterdir()] == ["grades-0001.jsonl"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_leaves_no_layer(tmp_path: Path) -> None:
    (tmp_path / ".grades-0001.jsonl.draft").symlink_to("/dev/full")
    with pytest.raises(StoreError, match="No space left on device"):
        write_layer(tmp_path, layer(1, "1", RECORDS))
    assert read_layers(tmp_path) == []


def test_any_text_of_a_model_is_kept(tmp_path: Path) -> None:
    hostile = Grade(Status.INCORRECT, "\ud800 \x1b[2J\u2028", "boxed", 'quo"te\n')
    write_layer(tmp_path, layer(1, "1", RECORDS[:1], hostile))
    assert apply_layers(RECORDS[:1], read_layers(tmp_path))[0].grade == hostile
    assert all(json.loads(line) for line in (tmp_path / "grades-0001.jsonl").read_text().splitlines())


def test_the_same_answer_drawn_anew_keeps_the_verdict_of_its_newer_grader(tmp_path: Path) -> None:
    """The line of a sample is deleted by hand, as the error about a corrupt line advises, and a newer grader resumes."""
    asked = [ask(0, "2"), ask(1, "2")]
    first = Drawn("answer 0", RIGHT, question=1)
    path = store_run(tmp_path / "run", asked, [first, *(Drawn(f"answer {i}", RIGHT) for i in range(3))], version="1")
    redrawn = read_run(path).records[0]
    write_layer(path, layer(1, "2", [redrawn], WRONG))
    assert read_run(path).records[0].grade == WRONG
    samples = path / "samples.jsonl"
    samples.write_bytes(b"".join(samples.read_bytes().splitlines(keepends=True)[1:]))
    store_run(path, asked, [first], version="3")
    run = read_run(path)
    assert [record.grade for record in run.records] == [RIGHT] * 4
    assert run.grader_versions == ("2", "3")
    history = read_histories(path, "sums", redrawn.key.question_id)[redrawn.key, 8]
    assert [(verdict.grader_version, verdict.grade) for verdict in history] == [("3", RIGHT)]


def test_two_files_of_one_number_are_refused(tmp_path: Path) -> None:
    path = write_layer(tmp_path, layer(1, "1", RECORDS[:1]))
    path.with_name("grades-00001.jsonl").write_bytes(path.read_bytes())
    with pytest.raises(CorruptStore, match=r"grades-00001\.jsonl is layer 1, whose name must be grades-0001\.jsonl\. Rename"):
        read_layers(tmp_path)
