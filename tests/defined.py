"""Which columns of a diagnosis' tables a page of the documentation defines, and how often."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

EVERY = "every table"
VALUES = {"language": "[a-z]{2}", "budget": r"\S+"}  # what may stand for <language> and the like; otherwise a word


def rows_of(page: str) -> Iterator[tuple[str, list[str]]]:
    """For each row of a table that has a column headed "column of ...": what it is the column of, and the names in the row."""
    at, of = -1, ""
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        headed = [place for place, cell in enumerate(cells) if cell.startswith("column of ")]
        if headed:
            at, of = headed[0], cells[headed[0]].removeprefix("column of ")
        elif not cells:
            at = -1
        elif at >= 0 and not set(cells[at]) <= set("-: "):
            yield of, re.findall(r"`([^`]+)`", cells[at])


def names_for(page: str, file: str) -> list[str]:
    """The names that the page defines for the columns of a file, and for those of every table."""
    return [name for of, names in rows_of(page) if f"`{file}`" in of or of == EVERY for name in names]


def matches(column: str, name: str, names: list[str]) -> bool:
    """True if the defined name is that of the column: X_low stands for the ends of any column X."""
    if name.startswith("X_"):
        stem = column.removesuffix(name[1:])
        return stem != column and stem in names
    pattern = re.sub(r"<(\w+)>", lambda found: VALUES.get(found[1], "[a-z]+"), name)
    return re.fullmatch(pattern, column) is not None


def wrongly_defined(page: str, folder: Path) -> list[str]:
    """The columns of the folder's Parquet files that the page does not define exactly once."""
    wrong = []
    for path in sorted(folder.glob("*.parquet")):
        names = names_for(page, path.name)
        for column in pd.read_parquet(path).columns:
            exact = [name for name in names if name == column]
            found = exact or [name for name in names if matches(column, name, names)]
            if len(found) != 1:
                wrong.append(f"{path.name}: {column} is defined {len(found)} times")
    return wrong
