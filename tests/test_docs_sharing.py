"""docs/sharing.md names every command, option and column, and its links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from raml_eval.cli.exporting import app
from raml_eval.cli.sharing import COMMANDS
from raml_eval.exporting import dataset

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGE = (DOCS / "sharing.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_explained(name: str) -> None:
    assert f"`export {name} " in PAGE
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")} - {"--help"}
    assert [option for option in options if not re.search(rf"{option}\b", PAGE)] == []


@pytest.mark.parametrize("table", ["samples", "thinking", "questions"])
def test_the_columns_are_those_of_the_tables(table: str) -> None:
    (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| `{table}` |")]
    assert re.findall(r"`(\w+)`", line)[1:] == list(getattr(dataset, f"_{table.upper()}"))


def test_the_commands_of_the_page_are_understood() -> None:
    group = typer.main.get_command(app)
    lines = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.S) for line in block.splitlines()]
    words = [re.sub(r"\s+#.*", "", line).split()[1:] for line in lines if "raml-eval export" in line]
    assert len(words) >= 9
    for line in words:
        name, *rest = line[line.index("export") + 1 :]
        with group.commands[name].make_context(name, [word.strip('"') for word in rest if word != 'lab"']):  # type: ignore[attr-defined]
            pass


def test_the_links_lead_somewhere() -> None:
    for target, anchor in re.findall(r"\]\(([\w-]+\.md)#?([\w-]*)\)", PAGE):
        text = (DOCS / target).read_text(encoding="utf-8")
        titles = {
            re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-")
            for line in text.splitlines()
            if line.startswith("#")
        }
        assert not anchor or anchor in titles
