"""The numbers of the sweep frame by line and place, and how a table writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from raml_eval.reporting.numbers import Numbers
from raml_eval.reporting.render import Cell, percent
from raml_eval.tables import DOMAIN_MEANS, DOMAINS, MACRO, Row, frame_rows
from raml_eval.tables.measures import APART, not_given
from raml_eval.types import Domain

if TYPE_CHECKING:
    import pandas as pd

REAL = 0.05  # p (Holm) below which a step gets an asterisk
Writer = Callable[[Row], str]


class Line(NamedTuple):
    """One task of one run, or the mean over a domain's tasks."""

    run: str
    task: str
    domain: Domain

    @property
    def name(self) -> str:
        return self.task if self.task != MACRO else DOMAIN_MEANS[self.domain]


class What(NamedTuple):
    """What one cell shows of a line."""

    metric: str
    budget: str = ""
    k: int | None = None
    part: str = ""


@dataclass(frozen=True, slots=True)
class Swept:
    """The numbers of the sweep frame by line and place; numbers holds the names and notes of the report."""

    rows: dict[Line, dict[What, Row]]
    numbers: Numbers

    def labels(self, line: Line) -> tuple[Cell, ...]:
        model = Cell(self.numbers.models[line.run], self.numbers.marks((line.run, None, None)))
        return (Cell(line.name), *(() if self.one_model else (model,)))

    @property
    def apart(self) -> list[str]:
        """The runs each of whose budgets is a draw of its own, so that nothing rests on one trajectory cut at several."""
        refused = not_given(APART).method
        found = [line.run for line, of in self.rows.items() if any(row["method"] == refused for row in of.values())]
        return list(dict.fromkeys(found))

    @property
    def all_apart(self) -> bool:
        """True if every run is one of these."""
        return {line.run for line in self.rows} == set(self.apart)

    @property
    def one_model(self) -> bool:
        return self.numbers.short and len(self.numbers.models) == 1

    @property
    def header(self) -> tuple[Cell, ...]:
        return (Cell("task"), *(() if self.one_model else (Cell("model"),)))

    def cell(self, line: Line, what: What, write: Writer) -> Cell:
        row = self.rows[line].get(what)
        return Cell("" if row is None else write(row))

    def budgets(self, line: Line) -> list[str]:
        """The budgets in tokens of the line, ascending."""
        return [what.budget for what in self.rows[line] if what.metric == "forced_rate"]


def index_sweep(frame: pd.DataFrame, numbers: Numbers) -> Swept:
    """The numbers of build_sweep by line: each domain's tasks and, if there are several, their mean."""
    found: dict[Line, dict[What, Row]] = {}
    for row in frame_rows(frame):
        line = Line(row["run"], row["task"], row["domain"])
        found.setdefault(line, {})[What(row["metric"], row["budget"], row["k"], row["part"])] = row
    tasks = {(run, domain): [x for x in found if x.run == run and x.domain == domain] for run, _, domain in found}
    runs = list(dict.fromkeys(line.run for line in found))
    ordered = [
        line
        for domain in DOMAINS
        for name in dict.fromkeys(line.task for line in found if line.domain == domain)
        for line in (Line(run, name, domain) for run in runs)
        if line in found and (name != MACRO or len(tasks[line.run, domain]) > 2)
    ]
    ordered.sort(key=lambda line: (DOMAINS.index(line.domain), line.task == MACRO))
    return Swept({line: found[line] for line in ordered}, numbers)


def share(row: Row) -> str:
    """In percent with the interval."""
    return percent(row["value"], row["low"], row["high"])


def bare(row: Row) -> str:
    """In percent without the interval."""
    return percent(row["value"])


def change(row: Row) -> str:
    """In percentage points with the interval, and an asterisk for a step that is real."""
    star = " *" if row["p_holm"] is not None and row["p_holm"] < REAL else ""
    return percent(row["value"], row["low"], row["high"], signed=True) + star


def points(row: Row) -> str:
    """In percentage points without the interval."""
    return percent(row["value"], signed=True)


def tokens(row: Row) -> str:
    """A number of tokens or samples."""
    return "n/a" if row["value"] is None else f"{row['value']:,.1f}".removesuffix(".0") if row["value"] else "0"


def more_tokens(row: Row) -> str:
    """A difference in tokens with its interval."""
    if row["value"] is None:
        return "n/a"
    ends = "" if row["low"] is None else f" [{row['low']:z.1f}, {row['high']:z.1f}]"
    return f"{row['value']:+z.1f}{ends}"
