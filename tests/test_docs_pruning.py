"""docs/pruning.md has every rule with its one sentence, every reason for leaving thinking out, and options that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from raml_eval.cli import app
from raml_eval.diagnostics.pruning.rules import parse_rule
from raml_eval.diagnostics.pruning.summarizers import SummarySettings

PAGE = (Path(__file__).parents[1] / "docs" / "pruning.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["first:7", "last:7", "no-reflections", "no-repeats", "share:0.25", "summary"])
def test_a_rule_is_told_in_one_sentence(name: str) -> None:
    told = parse_rule(name).about.replace("7", "K").replace(", 25 % of them,", ", a share of S from 0 to 1,")
    general = re.sub(r":7", ":K", name).replace(":0.25", ":S")
    assert f"| `{general}` | {told} |" in PAGE
    assert told.count(".") == 1


def test_every_option_exists_and_every_command_parses() -> None:
    group = typer.main.get_command(app).commands["diagnose"]  # type: ignore[attr-defined]
    known = {option for parameter in group.commands["pruning"].params for option in parameter.opts}
    told = set(re.findall(r"--[a-z][a-z-]+", PAGE))
    assert told <= known
    assert known - told <= {"run", "--quiet"}


def test_defaults_are_those_of_the_settings() -> None:
    default = SummarySettings("m", "fake")
    assert f"`--summary-temperature` ({default.temperature:g})" in PAGE
    assert f"`--summary-tokens` ({default.max_tokens})" in PAGE
    assert f"`--summary-seed` ({default.seed})" in PAGE
