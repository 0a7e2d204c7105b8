"""The types of the command line's options, which typer reads from annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import typer

Text = Optional[str]  # noqa: UP045  typer reads the annotation
Number = Optional[float]  # noqa: UP045
Count = Optional[int]  # noqa: UP045
Place = Optional[Path]  # noqa: UP045
Texts = Optional[list[str]]  # noqa: UP045
Places = Optional[list[Path]]  # noqa: UP045
TRUST = "Let the Python that tasks in --task-path name be run."


def read_place(text: str) -> Path:
    """The path that an option names. Path("") would be the current directory, as if a variable of a script were not empty."""
    if not text:
        raise typer.BadParameter("it is empty. Name a path, or . for the current directory.")
    return Path(text)


def place_option(help: str, metavar: str = "<path>") -> Any:
    """An option that takes a path, and refuses an empty one."""
    return typer.Option(help=help, metavar=metavar, parser=read_place)
