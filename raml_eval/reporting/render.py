"""Writes tables and text in the format that the user chose, with every text escaped for that format."""

from __future__ import annotations

import html
import io
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Literal

from raml_eval.errors import ConfigError, near_names
from raml_eval.reporting.latex import escape_line, latex_table, mark_latex

TEMPLATES = Path(__file__).parent / "templates"
WIDTH = 100  # columns of a terminal
MAX_LABEL = 32  # columns of a terminal that one label may take
Align = Literal["left", "right"]
_NUMBER = re.compile(r"[+\-−]?\d")
_NO_NUMBER = ("", "n/a", "none")  # what stands in place of a number


class Ready(str):
    """Text that is already in the document's format, and must not be escaped again."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, not yet escaped, and the numbers of the footnotes beside it."""

    text: str
    marks: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under a header. The first n_labels columns label a row; a terminal repeats them if it splits the table."""

    title: str
    header: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    n_labels: int = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture: the name of its file without an ending, a title, what it shows in words, and the matplotlib Figure itself."""

    name: str
    title: str
    about: str
    drawing: Any


@dataclass(frozen=True, slots=True)
class Format:
    """How one document format writes text, footnote marks and tables."""

    escape: Callable[[str], str]
    mark: Callable[[str], str]
    table: Callable[[Table], str]


def percent(
    value: float | None, low: float | None = None, high: float | None = None, *, digits: int = 1, signed: bool = False
) -> str:
    """A share in percent with its interval, or 'n/a' for a number that cannot be given.

    Example: percent(0.613, 0.57, 0.654) == "61.3 [57.0, 65.4]"
    """
    if value is None:
        return "n/a"
    text = _rounded(100 * value, 1, signed)
    ends = "" if low is None or high is None else f" [{_rounded(100 * low, digits)}, {_rounded(100 * high, digits)}]"
    return f"{text}{ends}"


def _rounded(number: float, digits: int, signed: bool = False) -> str:
    """The number with these digits. A tie is rounded away from 0, whatever its last binary digit makes of it.

    Example: _rounded(5.25, 1) == "5.3" and _rounded(100 * 0.0325, 1) == "3.3"
    """
    if not math.isfinite(number):
        return f"{number:.1f}"
    exactly = Decimal(repr(round(number, 9))).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)
    return f"{exactly:{'+' if signed else ''}zf}"


def p_value(p: float | None) -> str:
    """A p-value, which is never 0; n/a for one that cannot be given.

    Example: p_value(0.0004) == "<0.001" and p_value(0.04) == "0.040"
    """
    return "n/a" if p is None or math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}"


def percent_of(value: float, low: float, high: float, *, signed: bool = False) -> str:
    """A share in percent with its interval; without one if its ends are NaN, and empty if the share is NaN.

    Example: percent_of(0.1, math.nan, math.nan, signed=True) == "+10.0"
    """
    if math.isnan(value):
        return ""
    return percent(value, *((None, None) if math.isnan(low) else (low, high)), signed=signed)


def shorten(text: str, size: int = MAX_LABEL) -> str:
    """The text, cleaned, in at most size characters.

    Example: shorten("a long label", 6) == "a lon…"
    """
    text = clean(text)
    return text if len(text) <= size else f"{text[: size - 1]}…"


def shorten_all(texts: Sequence[str], size: int = MAX_LABEL) -> list[str]:
    """The texts, cleaned, in at most size characters each if they can still be told apart, and whole otherwise.

    Example: shorten_all(["run-5_greedy", "run-5_warm"], 6) == ["run-5_greedy", "run-5_warm"]
    """
    short = [shorten(text, size) for text in texts]
    return short if len(set(short)) == len(set(texts)) else [clean(text) for text in texts]


def clean(text: str) -> str:
    r"""The text on one line, without control and formatting characters, which could redraw a terminal.

    Example: clean("two\nlines") == "two lines"
    """
    seen = "".join(" " if c.isspace() else c for c in text if c.isspace() or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))
    return " ".join(seen.split())


# What would begin a heading, a list item or a rule at the start of a line.
_BLOCK = re.compile(r"^(?:(?:#{1,6}|[-+])(?= |$)|-(?=[- ]*$)|=+$|\d{1,9}(?=[.)](?: |$)))")


def escape_markdown(text: str, begins_line: bool = True) -> str:
    """The text as Markdown that shows it literally, in a table too, where nothing begins a line.

    A `raml-eval` command in backticks stays code.
    """
    # Markdown takes an underscore within a word, and a bracket without a second one after it, literally. Not escaping
    # them keeps the source readable.
    safe = html.escape(clean(text), quote=False)
    safe = re.sub(r"[\\`*|~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=\])[(\[:]", r"\\\g<0>", safe)
    if begins_line:
        safe = _BLOCK.sub(lambda found: f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}", safe)
    # Our own commands stay code. Code of these letters is harmless, whoever wrote it.
    return re.sub(r"\\`(raml-eval [A-Za-z -]{1,60})\\`", r"`\1`", safe)


def _markdown_cell(text: str) -> str:
    return escape_markdown(text, begins_line=False)


def escape_latex(text: str) -> str:
    r"""The text as LaTeX that prints it literally.

    Example: escape_latex("50%") == "50\\%"
    """
    return escape_line(clean(text))


def alignments(table: Table) -> tuple[Align, ...]:
    """How each column is aligned: numbers to the right, labels and texts to the left.

    Example: of the columns "rl", "hf 5.1" and "+0.5 [0.1, 0.9]" after the labels, only the last is aligned to the right
    """

    def of(column: int) -> Align:
        texts = [text for row in table.rows if (text := clean(row[column].text)) not in _NO_NUMBER]
        n_numbers = sum(bool(_NUMBER.match(text)) for text in texts)
        return "left" if column < table.n_labels or 2 * n_numbers < len(texts) else "right"

    return tuple(of(column) for column in range(len(table.header)))


def _write(cell: Cell, escape: Callable[[str], str], mark: Callable[[str], str]) -> str:
    return escape(cell.text) + (mark(",".join(map(str, cell.marks))) if cell.marks else "")


def _markdown(table: Table) -> str:
    from tabulate import tabulate

    rows = [[_write(cell, _markdown_cell, _mark_markdown) for cell in row] for row in table.rows]
    head = [_write(cell, _markdown_cell, _mark_markdown) for cell in table.header]
    return tabulate(rows, head, "pipe", disable_numparse=True, colalign=alignments(table) if rows else None)


def _latex(table: Table) -> str:
    head, *rows = [[_write(cell, escape_latex, mark_latex) for cell in row] for row in (table.header, *table.rows)]
    every = (table.header, *table.rows)
    sizes = [max(len(clean(row[column].text)) + len(row[column].marks) for row in every) for column in range(len(head))]
    return latex_table(escape_latex(table.title), head, rows, alignments(table), sizes, table.n_labels)


def _mark_markdown(numbers: str) -> str:
    return f"<sup>{numbers}</sup>"


def _mark_terminal(numbers: str) -> str:
    return " " + numbers.translate(str.maketrans("0123456789,", "⁰¹²³⁴⁵⁶⁷⁸⁹ "))


def _terminal(table: Table) -> str:
    lines = [[_write(cell, clean, _mark_terminal) for cell in row] for row in (table.header, *table.rows)]
    widths = [max(len(line[column]) for line in lines) + 2 for column in range(len(table.header))]
    label_width = sum(min(w, MAX_LABEL + 2) for w in widths[: table.n_labels])
    groups: list[list[int]] = [[]]
    for column in range(table.n_labels, len(widths)):
        if groups[-1] and label_width + sum(widths[c] for c in groups[-1]) + widths[column] > WIDTH:
            groups.append([])
        groups[-1].append(column)
    align = alignments(table)
    return "\n\n".join(_terminal_part(lines, table.n_labels, group, align) for group in groups)


def _terminal_part(lines: Sequence[Sequence[str]], n_labels: int, columns: Sequence[int], align: Sequence[Align]) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    grid = RichTable(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for label in range(n_labels):
        grid.add_column(Text(lines[0][label]), max_width=MAX_LABEL, overflow="fold")
    for column in columns:
        grid.add_column(Text(lines[0][column]), justify=align[column], no_wrap=True)
    above: Sequence[str] = ()
    for line in lines[1:]:
        same = 0  # labels that repeat the line above are left blank, except the last label
        while above and same < n_labels - 1 and line[same] == above[same]:
            same += 1
        grid.add_row(*([Text("")] * same + [Text(line[c]) for c in (*range(same, n_labels), *columns)]))
        above = line
    out = io.StringIO()
    Console(file=out, width=WIDTH, color_system=None, legacy_windows=False).print(grid)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


FORMATS = {
    "terminal": Format(clean, _mark_terminal, _terminal),
    "markdown": Format(escape_markdown, _mark_markdown, _markdown),
    "latex": Format(escape_latex, mark_latex, _latex),
}


def known_templates() -> dict[str, list[str]]:
    """Each template's name with the formats that it is written for."""
    known: dict[str, list[str]] = {}
    for path in sorted(TEMPLATES.glob("[!_]*.jinja")):
        name, form, _ = path.name.split(".")
        known.setdefault(name, []).append(form)
    return known


def find_template(name: str, form: str) -> str:
    """The file name of a report template. Raises ConfigError for an unknown name, or if it is not written for the format."""
    known = known_templates()
    if name not in known:
        raise ConfigError(f"there is no report template {name!r}.{near_names(name, known)} Known: {', '.join(known)}.")
    if form not in known[name]:
        raise ConfigError(f"template {name} has no format {form!r}; it has {', '.join(known[name])}. Choose with --format.")
    return f"{name}.{form}.jinja"


def render(file: str, form: str, **values: Any) -> str:
    """The filled-in template. Every value is escaped for the format, and the filter 'grid' lays out tables."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    chosen = FORMATS[form]
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        finalize=lambda value: value if isinstance(value, Ready) else chosen.escape(str(value)),
    )
    environment.filters["grid"] = lambda table: Ready(chosen.table(table))
    environment.filters["underline"] = lambda text, with_: Ready(clean(text) + "\n" + with_ * len(clean(text)))
    environment.filters["ready"] = lambda text: Ready(text)
    environment.filters["wrap"] = lambda text, indent: Ready(_wrap(clean(text), indent))
    return environment.get_template(file).render(**{"pictures": "", **values})


def _wrap(text: str, indent: int) -> str:
    import textwrap

    return textwrap.fill(text, WIDTH - indent, break_long_words=False).replace("\n", "\n" + " " * indent)
