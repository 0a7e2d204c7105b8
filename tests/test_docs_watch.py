"""docs/watch.md explains every option, and its commands and keys are those of the program."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import typer

from raml_eval.cli import app
from raml_eval.exporting.growing import STEP
from raml_eval.watch import history

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "watch.md").read_text(encoding="utf-8")
WATCH = typer.main.get_command(app).commands["watch"]  # type: ignore[attr-defined]


def test_every_option_is_explained() -> None:
    options = {option for parameter in WATCH.params for option in parameter.opts if option.startswith("--")} - {"--help"}
    assert [option for option in options if not re.search(rf"{option}\b", PAGE)] == []


def test_the_commands_of_the_page_are_understood() -> None:
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
    assert len(lines) == 2
    for line in lines:
        program, command, *words = shlex.split(line)
        assert (program, command) == ("raml-eval", "watch")
        with WATCH.make_context("watch", words) as context:
            assert context.params["settings"][-1] == "runs/training"


def test_every_status_and_the_axis_are_named() -> None:
    for word in (history.DONE, history.SKIPPED, history.GONE, history.BROKEN, history.OWED, STEP, history.NAME):
        assert f"`{word}`" in PAGE


def test_the_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([\w-]+\.md)", PAGE):
        assert (DOCS / target).is_file()
