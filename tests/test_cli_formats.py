"""`raml-eval formats`: what it lists, shows and detects."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from raml_eval.thinking_formats import find_format, known_formats, parse_format
from tests.families import FAMILIES
from tests.test_cli import cli, fails


def test_every_format_is_listed() -> None:
    lines = cli("formats", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines[::2]] == list(known_formats())
    assert next(line for line in lines if line.startswith("s1 ")).endswith("(only by name)")


@pytest.mark.parametrize("name", ["harmony", "qwen3", "openthinker", "kimi-vl", "none", "s1"])
def test_what_is_shown_is_a_record_to_start_from(name: str, tmp_path: Path) -> None:
    shown = cli("formats", "show", name).stdout
    assert parse_format(yaml.safe_load(shown), "shown") == find_format(name)
    (tmp_path / "mine.yaml").write_text(shown, encoding="utf-8")
    assert find_format(str(tmp_path / "mine.yaml")) == find_format(name)


def test_a_model_is_detected_and_a_named_format_checked(tmp_path: Path) -> None:
    FAMILIES["qwen3"].tokenizer().save_pretrained(str(tmp_path))
    done = cli("formats", "detect", tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("format       qwen3: ")
    fails(cli("formats", "detect", tmp_path, "--thinking-format", "none"), "thinking format none contradicts")
    fails(cli("formats", "show", "qwen"), "'qwen' is not known", "qwen3")
    fails(cli("formats", "detect", tmp_path / "nothing"), "does not exist")
