"""What is read without texts is what the records say, and a line that records cannot be read from is refused alike."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import raml_eval
from raml_eval.columns import COUNTED, Samples, columns_of
from raml_eval.errors import CorruptStore
from raml_eval.reflection import count_reflections
from raml_eval.regrade.regrading import regrade_run
from raml_eval.store import read_manifest, read_run
from raml_eval.store.failures import read_owed
from raml_eval.store.grades import Layer, change_of, write_layer
from raml_eval.store.lean import present, read_lean
from raml_eval.types import Grade, SampleKey, Status, StoredRun
from tests.imports import import_lines, line
from tests.stored import WRONG, Drawn, ask, store_run
from tests.test_regrade import DAY, HALF, LETTER, SAMPLES
from tests.test_store import filled

OLD = Path(__file__).resolve().parent / "fixtures" / "runs_v1"


def read(path: Path) -> tuple[Samples, StoredRun]:
    """The columns that were read, with their run read whole."""
    run = read_run(path)
    lean = read_lean(path, read_manifest(path / "manifest.json"))
    assert lean.grader_versions == run.grader_versions
    return lean.samples(run.classes), run


def check(path: Path) -> Samples:
    """The columns are those of the records, which were read whole."""
    samples, run = read(path)
    wanted = columns_of(run.records, run.classes, run.trajectories)
    for name, value in vars(wanted).items():
        found = getattr(samples, name)
        if isinstance(value, np.ndarray) and name not in ("trajectory", "answer_class"):
            assert np.array_equal(found, value, equal_nan=value.dtype.kind == "f"), name
        elif name in ("questions", "budgets", "n_trajectories", "n_redrawn"):
            assert found == value, name
    for name in ("trajectory", "answer_class"):  # numbers that only say which are equal
        pairs = set(zip(getattr(samples, name).tolist(), getattr(wanted, name).tolist(), strict=True))
        assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}), name
    assert samples.verdicts.keys() == wanted.verdicts.keys()
    assert all(np.array_equal(samples.verdicts[m], wanted.verdicts[m], equal_nan=True) for m in wanted.verdicts)
    rows = np.flatnonzero([r.thinking_end in COUNTED for r in run.records])
    assert samples.reflections(rows).tolist() == [count_reflections(run.records[row].answer) for row in rows]
    owed = read_owed(path)
    assert len(owed) - len(present(samples, owed)) == run.n_errors
    return samples


def drawn(path: Path) -> Path:
    raml_eval.evaluate(
        model="pocket", backend="fake", tasks="pocket_chain,pocket_logic", samples=2, limit=3, answer_tokens=48, out=path,
        thinking_budget=["off", 0, 16, "unlimited", "frac:0.5"],
    )  # fmt: skip
    return path


@pytest.mark.parametrize("name", ["drawn", "imported"])
def test_a_run_of_schema_1(name: str, tmp_path: Path) -> None:
    check(Path(shutil.copytree(OLD / name, tmp_path / "run")))


def test_a_drawn_run_with_every_kind_of_budget(tmp_path: Path) -> None:
    assert len(check(drawn(tmp_path))) == 2 * 3 * 2 * 5


def test_a_run_with_scores_of_parts(tmp_path: Path) -> None:
    shares = [Drawn("x", replace(WRONG, score=share)) for share in (None, 0.0, 0.25)]
    assert np.isnan(check(store_run(tmp_path, [HALF], shares)).score).tolist() == [True, False, False]


def test_an_imported_run(tmp_path: Path) -> None:
    import_lines(
        tmp_path, [line(verdict={"acc": 1}), line(question_id="b", completion="<think>so</think>5", verdict={"acc": 0})]
    )
    assert check(tmp_path / "run").verdicts["acc"].tolist() == [1.0, 0.0]


def test_layers_of_grades_hold_in_their_order(tmp_path: Path) -> None:
    path = store_run(tmp_path / "run", [HALF, DAY, LETTER], SAMPLES)
    regrade_run(path, quiet=True, workers=1)
    check(path)
    records = read_run(path).records
    new = Grade(Status.TIMEOUT, None, "second", "second", 0.5)
    second = {(r.key, r.budget): change_of(r, new) for r in records[:3]}
    other = replace(second[records[2].key, records[2].budget], digest="0" * 16)  # of a draw that is gone
    second[records[2].key, records[2].budget] = other
    failed = {(records[5].key, records[5].budget): "the grader died"}
    write_layer(path, Layer(2, "new", "2026-01-01", 9, 1, second, ("sums",), failed=failed))
    samples = check(path)
    assert samples.is_status(Status.TIMEOUT).tolist()[:3] == [True, True, False]
    assert read_lean(path, read_manifest(path / "manifest.json")).grader_versions == read_run(path).grader_versions != ()


def test_samples_that_failed_and_are_still_owed(tmp_path: Path) -> None:
    path = filled(tmp_path)
    entry = {"task": "sums", "question_id": "0-abcdef", "error": "e", "message": "m"}
    failures = [{**entry, "sample": 0, "budgets": [8, "off"]}, {**entry, "sample": 9, "budgets": [8]}]
    (path / "errors.jsonl").write_text("".join(json.dumps(one) + "\n" for one in failures))
    owed = read_owed(path)
    assert present(check(path), owed) == {(SampleKey("sums", "0-abcdef", 0), 8)}


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    samples = filled(tmp_path) / "samples.jsonl"
    samples.write_bytes(samples.read_bytes()[:-30])
    assert len(check(tmp_path)) == 1


def edit(path: Path, change: Callable[[dict[str, Any]], Any], number: int = 1) -> None:
    """One line of a file is changed, by its number."""
    lines = path.read_text().splitlines()
    entry = json.loads(lines[number - 1])
    changed = change(entry)
    lines[number - 1] = changed if isinstance(changed, str) else json.dumps(entry)
    path.write_text("".join(f"{one}\n" for one in lines), encoding="utf-8")


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.update(answer="lone \ud800 surrogate, wait"),
        lambda e: json.dumps(e | {"answer": "Größe, wait"}, ensure_ascii=False),
        lambda e: e.pop("n_answer_tokens"),
        lambda e: e.update(n_answer_tokens=None),
        lambda e: e.pop("score"),
        lambda e: e.update(more={"unknown": [1]}),
        lambda e: e.update(sample=7, seed=None, leak=0, answer_finish=""),
        lambda e: e.update(budget="effort:low", score=1),
        lambda e: e.update(imported={"verdict": {"acc": 1}, "of_question": True, "n_tokens": None}, n_answer_tokens=None),
    ],
)  # fmt: skip
def test_an_unusual_line_says_the_same(change: Callable[[dict[str, Any]], Any], tmp_path: Path) -> None:
    edit(filled(tmp_path) / "samples.jsonl", change, 2)
    check(tmp_path)


BAD: list[Callable[[dict[str, Any]], Any]] = [
    lambda e: "not json",
    lambda e: "[1]",
    lambda e: "",
    lambda e: json.dumps(e)[:-1] + ', "x": }',
    *(lambda e, name=name: e.pop(name) and None for name in ("task", "question_id", "sample", "answer", "status", "session")),
    *(lambda e, name=name: e.pop(name, None) and None for name in ("target", "rule", "detail", "extracted", "answer_finish")),
    lambda e: e.update(session=-1),
    *(lambda e, value=value: e.update(sample=value) for value in ("7", True, 1.0)),
    lambda e: e.update(status="great"),
    lambda e: e.update(thinking_end=None),
    lambda e: e.update(budget=[8]),
    lambda e: e.update(score="much"),
    lambda e: e.update(n_thinking_tokens="many"),
    lambda e: e.update(imported={"verdict": {"acc": "yes"}, "of_question": False, "n_tokens": 1}),
    lambda e: e.update(imported={}),
    lambda e: e.update(sample=0),  # repeats the first line's
    lambda e: e.update(trajectory="one that is not there"),
    *(lambda e, value=value: e.update(budget=value) for value in (True, 1.5, None)),
    *(lambda e, name=name: e.update({name: 5}) for name in ("answer", "target", "rule", "detail", "extracted", "trajectory")),
    lambda e: e.update(task=["sums"]),
    lambda e: "[" * 100_000,
    lambda e: json.dumps(e)[:-1] + ',"more":' + "[" * 100_000 + "]" * 100_000 + "}",
]


@pytest.mark.parametrize("change", BAD)
def test_a_line_of_samples_is_refused_with_the_same_words(change: Callable[[dict[str, Any]], Any], tmp_path: Path) -> None:
    edit(filled(tmp_path) / "samples.jsonl", change, 2)
    refused_alike(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda e: "nothing",
        *(lambda e, name=name: e.pop(name) and None for name in ("task", "token_ids", "end_ids", "text", "redrawn", "limit")),
        lambda e: e.update(end="never"),
        lambda e: e.update(limit="long"),
        lambda e: e.update(seed="x"),
        lambda e: e.update(extensions=[None]),
        lambda e: e.update(text=None),
        lambda e: e.update(prompt=["thinking"]),
        lambda e: '{"token_ids":' + "[" * 100_000,
        lambda e: json.dumps(e) + "\n" + json.dumps(e),
    ],
)  # fmt: skip
def test_a_line_of_trajectories_is_refused_with_the_same_words(change: Callable[[dict[str, Any]], Any], tmp_path: Path) -> None:
    edit(filled(tmp_path) / "trajectories.jsonl", change)
    refused_alike(tmp_path)


def refused_alike(path: Path) -> None:
    """Both ways of reading refuse the run, in the same words."""
    told = []
    for use in (read_run, raml_eval.load_run):
        with pytest.raises(CorruptStore) as error:
            use(path)
        told.append(str(error.value))
    assert told[0] == told[1]


def test_a_trajectory_without_its_number_of_tokens_is_counted(tmp_path: Path) -> None:
    path = filled(tmp_path)
    edit(path / "trajectories.jsonl", lambda e: e.pop("n_tokens") and None)
    assert check(path).full_length.tolist() == [3.0, 3.0]


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    edit(filled(tmp_path) / "samples.jsonl", lambda e: e.update(score=float("nan")))
    with pytest.raises(CorruptStore, match=r"samples\.jsonl:1 .*not finite"):
        raml_eval.load_run(tmp_path)


def test_equal_answers_of_two_questions_have_two_classes(tmp_path: Path) -> None:
    right = Grade(Status.CORRECT, "4")
    samples = check(store_run(tmp_path, [ask(0, "4"), ask(1, "4")], [Drawn("4", right), Drawn("4", right, question=1)]))
    assert samples.answer_class[0] != samples.answer_class[1]
