"""When a regression over many checkpoints is certain, and what is done about it then."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from raml_eval.comparison import judge_runs
from raml_eval.errors import MetricError
from raml_eval.gate_file import build_gate
from raml_eval.types import Status, StoredRun
from raml_eval.watch import Alarm
from tests.factory import make_run

GATE = build_gate({"name": "release", "margin": 1.0, "cells": [{"domain": "in_domain", "budget": 64}]})


def draw(name: str, every: int = 0) -> StoredRun:
    """Each question has 0 to 3 of 4 samples right, every so manieth question one fewer."""

    def outcome(task: str, row: int, index: int, budget: object) -> Status:
        lost = bool(every) and row % every == 0
        return Status.CORRECT if index < row % 4 - lost else Status.INCORRECT

    return make_run(outcome, name=name, tasks={"pocket_chain": "in_domain"}, n_questions=120)


BASE = draw("base")


def test_what_fails_is_certain_at_first_and_later_only_if_it_is_clearer() -> None:
    alarm = Alarm(GATE, BASE)
    slight, strong = draw("slight", every=15), draw("strong", every=1)
    for run in (slight, strong):
        assert str(judge_runs(BASE, run, GATE).outcome) == "failed"
    verdicts = [alarm.judge(slight, number) for number in range(1, 40)]
    assert {one.outcome for one in verdicts} == {"failed"}
    certain = [one.certain for one in verdicts]
    assert certain == sorted(certain, reverse=True)
    assert certain[0]
    assert not certain[-1]
    assert alarm.judge(strong, 100).certain


def test_what_does_not_fail_is_never_certain() -> None:
    verdict = Alarm(GATE, BASE).judge(draw("same"), 1)
    assert (verdict.outcome, verdict.certain) == ("inconclusive", False)  # no question differs, but there are only 120
    assert verdict.fields()["headline"].startswith("Gate release: inconclusive")
    assert json.dumps(verdict.fields())


def test_the_levels_of_all_checkpoints_add_up_to_the_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def spy(*given: object, level: object = None) -> object:
        if callable(level):
            asked.append(1 - level(0.95))
        return judge_runs(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("raml_eval.watch.alarm.judge_runs", spy)
    strong = draw("strong", every=1)
    for number in range(1, 60):
        Alarm(GATE, BASE).judge(strong, number)
    assert sum(asked) == pytest.approx(0.05 * 59 / 60)


def test_a_run_that_cannot_be_compared_is_refused() -> None:
    other = make_run(lambda *_: Status.CORRECT, name="other", tasks={"pocket_sort": "in_domain"}, n_questions=9)
    with pytest.raises(MetricError):
        Alarm(GATE, BASE).judge(other, 1)


def test_signals_and_what_goes_wrong_with_them(tmp_path: Path) -> None:
    verdict = Alarm(GATE, BASE).judge(draw("strong", every=1), 1)
    note = tmp_path / "note"
    words = [sys.executable, "-c", f"import os; open({str(note)!r}, 'w').write(os.environ['RAML_EVAL_STEP'] + ' ; $(id)')"]
    alarm = Alarm(GATE, BASE, tmp_path / "new" / "signal.json", words)
    assert alarm.signal(500, Path("run"), verdict) == ""
    assert note.read_text() == "500 ; $(id)"
    assert json.loads((tmp_path / "new" / "signal.json").read_text()) == {"step": 500, "run": "run", "gate": verdict.headline}
    (tmp_path / "file").write_text("")
    wrong = Alarm(GATE, BASE, tmp_path / "file" / "signal.json", [sys.executable, "-c", "raise SystemExit(3)"])
    told = wrong.signal(500, Path("run"), verdict)
    assert "cannot write" in told
    assert "ended with exit code 3" in told
    assert "could not be run" in Alarm(GATE, BASE, None, ["/no/such/program"]).signal(500, Path("run"), verdict)
