"""Classes are those that are stored, and the missing ones are formed."""

from __future__ import annotations

import json
from pathlib import Path

from raml_eval.diagnostics.classes import AnswerClasses
from raml_eval.store.seeking import RunReader
from raml_eval.types import Grade, Status
from tests.stored import Drawn, ask, make_stored, store_run

QUESTIONS = [ask(0, "7"), ask(1, "7")]
RIGHT, WRONG = Grade(Status.CORRECT, "7"), Grade(Status.INCORRECT, "14/2")


def test_classes_are_read_or_formed(tmp_path: Path) -> None:
    path = store_run(tmp_path / "run", QUESTIONS, [Drawn("7", RIGHT), Drawn("7", RIGHT, question=1)])
    (path / "classes.json").write_text(json.dumps({"sums/0-abcdef": {"7": 5, "14/2": 6}}))  # other than the grader would say
    with RunReader(path) as run, AnswerClasses(run) as classes:
        first, second = ([make_stored(i, question, Drawn("x", grade)) for i, grade in enumerate((RIGHT, WRONG))]
                         for question in QUESTIONS)  # fmt: skip
        assert classes.of(QUESTIONS[0], first) == {"7": 5, "14/2": 6}
        formed = classes.of(QUESTIONS[1], second)
        assert formed["7"] == formed["14/2"]
        assert classes.of(QUESTIONS[1], []) == {}
