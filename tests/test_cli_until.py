"""The options of `raml-eval run` for a run that is drawn until a gate is decided."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_cli import FAKE, cli, fails


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--gate", "gate.yaml"], "--gate gate.yaml has no effect on `run` without --until-decided"),
        (["--looks", "4"], "--looks 4 has no effect on `run` without --until-decided"),
        (["--until-decided", "runs/base"], "--until-decided runs/base needs the rules to decide by. Add --gate FILE"),
        (["--until-decided", "nowhere", "--gate", "gate.yaml"], "nowhere is not a run directory"),
    ],
)
def test_options_that_need_one_another(words: list[str], said: str, tmp_path: Path) -> None:
    fails(cli(*FAKE, *words, "--out", tmp_path / "run"), said)
    assert not (tmp_path / "run").exists()
