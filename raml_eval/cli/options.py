"""The types of the command line's options, which typer reads from annotations."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

Text = Optional[str]  # noqa: UP045  typer reads the annotation
Number = Optional[float]  # noqa: UP045
Count = Optional[int]  # noqa: UP045
Place = Optional[Path]  # noqa: UP045
Texts = Optional[list[str]]  # noqa: UP045
Places = Optional[list[Path]]  # noqa: UP045
