"""Logs that were exported from a run, read without inspect_ai. The fixture is a run of the pocket model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import ConfigError, SourceError
from raml_eval.importing import open_source
from raml_eval.importing.own_logs import is_own, open_own
from raml_eval.importing.settings import ImportSettings
from raml_eval.importing.writer import import_run
from raml_eval.store.portable import FORMAT, encode_text
from raml_eval.store.sealing import SEAL, seal_log
from raml_eval.tables import build_frame, load_run
from tests.imports import FIXTURES
from tests.test_cli import cli

LOGS = FIXTURES / "exported"
ACCURACY = {"4": 0.0, "unlimited": 0.75}  # of the run that was exported
SMALL, LARGE = sorted(LOGS.iterdir())  # the budgets 4 and unlimited


def test_the_run_is_made_again(tmp_path: Path) -> None:
    run = load_run(import_run(open_source("inspect", LOGS), tmp_path / "run", quiet=True))
    assert (run.name, run.model, run.budgets, run.n_samples) == ("tiny", "pocket", (4, "unlimited"), 2)
    assert run.imported is None
    assert [(r.budget, r.n_thinking_tokens, len(r.answer_ids) > 0) for r in run.records[:4]] == [(4, 4, True)] * 4
    assert all(len(one.token_ids) > 4 for one in run.trajectories.values())
    frame = build_frame([run]).query("metric == 'avg@n' and task == 'pocket_chain'")
    assert dict(zip(frame["budget"], frame["value"], strict=True)) == ACCURACY
    told = run.manifest["restored"]
    assert (told["harness"], told["version"], len(told["files"])) == ("Inspect", "0.3.285", 2)


def test_the_command_prints_the_table_of_the_run(tmp_path: Path) -> None:
    done = cli("import", "inspect", LARGE, "--out", tmp_path / "run", "--name", "again")
    assert done.returncode == 0, done.stderr
    assert "pocket_chain" in done.stdout
    assert load_run(tmp_path / "run").budgets == ("unlimited",)


def test_a_log_that_cuts_the_thinking_of_another_needs_the_other(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"lack 4 thinkings, such as pocket_chain/.*: each is in the log of its largest budget"
    ):
        import_run(open_source("inspect", SMALL), tmp_path / "run", quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_settings_that_mean_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--grader, --limit cannot be used, because the log was exported from a run of ours"):
        import_run(open_source("inspect", LOGS), tmp_path / "run", ImportSettings(grader="math", limit=1))
    with pytest.raises(ConfigError, match="there is no task 'gsm8k'"):
        import_run(open_source("inspect", LOGS), tmp_path / "run", ImportSettings(tasks=("gsm8k",)))


def test_one_log_twice_is_refused(tmp_path: Path) -> None:
    for name in ("a.eval", "b.eval"):
        shutil.copy(LARGE, tmp_path / name)
    with pytest.raises(SourceError, match=r"b\.eval: samples/.*holds a sample that .*a\.eval: samples/.* holds too"):
        import_run(open_source("inspect", tmp_path), tmp_path / "run", quiet=True)


def test_another_format_and_broken_headers_are_refused(tmp_path: Path) -> None:
    spec = {"task": "sums", "metadata": {"raml_eval:run": json.dumps({"format": 9})}, "packages": {"raml-eval": "9.9"}}
    assert is_own(spec)
    with pytest.raises(SourceError, match=r"exported in format 9, and this raml-eval reads 2\. Install .*\(9\.9\)"):
        open_own(tmp_path / "log.eval", {"eval": spec}, lambda: iter(()))
    for text, told in (("{", "is not JSON"), ("[]", "is list, wanted an object"), (None, "is not JSON")):
        with pytest.raises(SourceError, match=told):
            open_own(tmp_path / "log.eval", {"eval": {**spec, "metadata": {"raml_eval:run": text}}}, lambda: iter(()))
    assert not is_own({"task": "sums", "metadata": None})


@pytest.mark.parametrize("numbers", [["1"], [1.0], [True], [0], [2, 1], [1, 1], [None], ["../../x"]])
def test_layers_of_grades_are_numbered_by_integers(numbers: list[Any], tmp_path: Path) -> None:
    log = sealed([{"number": number} for number in numbers])
    with pytest.raises(SourceError, match=r"log\.eval numbers its layers of grades .*wanted integers from 1 on"):
        open_own(tmp_path / "log.eval", log, lambda: iter(()))


def test_a_header_that_was_changed_is_refused(tmp_path: Path) -> None:
    assert open_own(tmp_path / "log.eval", sealed([{"number": 1}, {"number": 3}]), lambda: iter(())).task == "sums"
    for told, part, change in (
        ("the metadata", "metadata", {"raml_eval:run": encode_text({"format": FORMAT, "n_samples": 9, "layers": []})}),
        ("its seal", "metadata", {"raml_eval:seal": None}),
        ("its seal", "metadata", {"raml_eval:seal": "{}"}),
        ("the task, the model or the settings", "model", "another"),
    ):
        log = sealed([])
        log["eval"][part] = {**log["eval"][part], **change} if isinstance(change, dict) else change
        with pytest.raises(SourceError, match=rf"log\.eval: {told} was changed after the export"):
            open_own(tmp_path / "log.eval", log, lambda: iter(()))


def sealed(layers: list[Any]) -> dict[str, Any]:
    """A log without samples, as the export would write it."""
    header = {"format": FORMAT, "n_samples": 0, "layers": layers}
    log: dict[str, Any] = {"eval": {"task": "sums", "model": "pocket", "metadata": {"raml_eval:run": encode_text(header)}}}
    log["eval"]["metadata"][SEAL] = seal_log(log)
    return log
