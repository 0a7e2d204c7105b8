"""Which directories hold samples of one run, so that a report would count them twice."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import InputError
from raml_eval.importing import open_source
from raml_eval.importing.writer import import_run
from raml_eval.tables import check_copies, load_run
from tests.factory import by_row, make_run
from tests.imports import FIXTURES

LOGS = FIXTURES / "exported"
BEGAN = {
    "created": "2026-01-01T00:00:00+00:00",
    "sessions": [{"started": "2026-01-01T00:00:01+00:00", "seconds": {"data": 0.123}}],
}


@pytest.mark.parametrize(
    ("change", "is_copy"),
    [
        ({}, True),
        ({"name": "another name"}, True),
        ({"restored": {"harness": "Inspect", "version": None, "files": {}}}, True),
        ({"name": "again", "restored": {"harness": "Inspect", "version": None, "files": {}}}, True),
        ({"sessions": [*BEGAN["sessions"], {"started": "2026-01-02T00:00:00+00:00"}]}, True),  # drawn on
        ({"created": "2026-01-01T00:00:01+00:00"}, False),
        ({"sessions": [{"started": "2026-01-01T00:00:01+00:00", "seconds": {"data": 0.124}}]}, False),  # begun beside it
        ({"model": {"name": "another"}}, False),
        ({"protocol": {"sampling": {"temperature": 1.0, "seed": 1}, "tasks": {}}}, False),
        ({"shard": {"number": 2, "of": 2}}, False),
    ],
)
def test_a_copy_is_known_by_when_it_began_and_how_it_drew(change: Mapping[str, Any], is_copy: bool) -> None:
    run = make_run(by_row(lambda row: 2))
    run = replace(run, manifest={**run.manifest, **BEGAN})
    other = replace(run, directory=Path("elsewhere"), manifest={**run.manifest, **change})
    check_copies([run, run])  # one directory, which run_labels refuses
    for runs in ([run, other], [other, run]):
        if not is_copy:
            check_copies(runs)
            continue
        with pytest.raises(InputError, match=r"^run .* is a copy of .*: both hold the same samples, drawn at 2026-") as error:
            check_copies(runs)
        if "restored" in change:
            assert "run elsewhere is a copy of runs/mine (made again from an exported log): " in str(error.value)


def test_parts_of_one_run_without_a_common_cell_are_no_copies() -> None:
    run = make_run(by_row(lambda row: 2))
    run = replace(run, manifest={**run.manifest, **BEGAN})
    check_copies([replace(run, budgets=(16,)), replace(run, budgets=(64,), directory=Path("elsewhere"))])


def test_a_run_that_was_made_again_is_a_copy(tmp_path: Path) -> None:
    restored = import_run(open_source("inspect", LOGS), tmp_path / "restored", quiet=True)
    original = Path(shutil.copytree(restored, tmp_path / "original"))
    manifest = json.loads((original / "manifest.json").read_text())
    del manifest["restored"]
    (original / "manifest.json").write_text(json.dumps({**manifest, "name": "edited"}))
    with pytest.raises(InputError, match=r"restored is a copy of .*original \(made again from an exported log\): both hold"):
        check_copies([load_run(original), load_run(restored)])
