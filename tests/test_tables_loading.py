"""A run that is loaded for tables gives the numbers of the run that is read whole."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest

import raml_eval
from raml_eval.answer_classes import Answers, Classes, with_classes
from raml_eval.errors import StoreError
from raml_eval.reporting.footnotes import find_footnotes
from raml_eval.reporting.report import render_report
from raml_eval.store import read_run
from raml_eval.tables import as_run, build_frame, build_sweep, has_sweep
from raml_eval.tables.loading import load_drawn
from raml_eval.types import Question, QuestionKey
from tests.imports import import_lines, line
from tests.stored import Drawn, ask, store_run
from tests.test_regrade import DAY, HALF, LETTER, SAMPLES
from tests.test_store_cache import append_sample
from tests.test_store_lean import OLD, drawn


def imported(path: Path) -> Path:
    told = {"verdict": {"acc": 1, "f1": 0.5}, "finish": "length"}
    import_lines(path, [line(**told), line(question_id="b", completion="<think>wait</think>5"), line(question_id="c")])
    return path / "run"


RUNS = {
    "drawn": drawn,
    "regraded": lambda path: store_run(path / "run", [HALF, DAY, LETTER], SAMPLES),
    "imported": imported,
    "schema 1": lambda path: Path(shutil.copytree(OLD / "drawn", path / "run")),
    "schema 1, imported": lambda path: Path(shutil.copytree(OLD / "imported", path / "run")),
}


@pytest.mark.parametrize("make", RUNS.values(), ids=RUNS)
def test_tables_and_notes_are_those_of_the_whole_run(make: object, tmp_path: Path) -> None:
    path = make(tmp_path)  # type: ignore[operator]
    whole = as_run(with_classes(read_run(path)))
    for _ in range(2):
        run = raml_eval.load_run(path)
        frame, wanted = (build_frame([one], allow_partial=True) for one in (run, whole))
        pd.testing.assert_frame_equal(frame, wanted, check_exact=True)
        assert find_footnotes([run], frame) == find_footnotes([whole], wanted)
        assert render_report([run], allow_partial=True) == render_report([whole], allow_partial=True)
        if has_sweep(run):
            sweeps = (build_sweep([one], allow_partial=True) for one in (run, whole))
            pd.testing.assert_frame_equal(*sweeps, check_exact=True)
    assert (run.records, run.trajectories, run.classes) == (whole.records, whole.trajectories, whole.classes)


def test_a_run_that_grows_after_it_was_loaded_is_not_mixed(tmp_path: Path) -> None:
    path = store_run(tmp_path / "run", [HALF], SAMPLES[:2])
    run = raml_eval.load_run(path)
    append_sample(path)
    with pytest.raises(StoreError, match=r"holds 3 samples now and held 2 when .* Try again"):
        list(run.records)


def test_a_run_that_was_drawn_stays_as_it_was_when_others_add_to_it(tmp_path: Path) -> None:
    questions = [ask(0, "1")]
    path = store_run(tmp_path / "run", questions, [Drawn("1"), Drawn("2")])
    before = read_run(path)
    given: list[object] = []

    def form(answers: Answers, asked: Mapping[QuestionKey, Question], classes: Classes) -> Classes:
        given.append((answers, asked, classes))
        return {key: {answer: place for place, answer in enumerate(sorted(found))} for key, found in answers.items()}

    run = load_drawn(path, form)
    with (path / "samples.jsonl").open("ab") as file:
        file.writelines(
            line.replace(b'"sample":', b'"sample":1') for line in (path / "samples.jsonl").read_bytes().splitlines(True)
        )
    assert len(given) == 1
    assert run.records == before.records
    assert run.trajectories == before.trajectories
    assert run.n_errors == before.n_errors
    assert run.grader_versions == before.grader_versions
    assert len(read_run(path).records) == 4
