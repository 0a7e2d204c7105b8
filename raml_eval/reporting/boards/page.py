"""A board as one HTML page that needs nothing else: no script, no font, no request."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from raml_eval.reporting.boards.board import Board
from raml_eval.reporting.render import Cell, Table, clean

_STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #f6f8fa; --text: #1f2328; --back: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #151b23; --text: #f0f6fc; --back: #0d1117; } }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); margin: 0 auto; max-width: 90rem;
  padding: 1rem; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .3rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem; text-align: right; white-space: nowrap; }
thead th { background: var(--soft); }
.label { text-align: left; }
"""


def board_page(board: Board, tables: Sequence[Table], marks: Sequence[str], notes: Sequence[str]) -> str:
    """The page. Every text is escaped; a content security policy forbids scripts and requests, should one slip through."""
    lead = re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(board.description))
    parts = [f"<h1>{_text(board.title)}</h1>", f"<p>{lead}</p>", *map(_table, tables)]
    if marks:
        items = "".join(f'<li id="note-{number}">{_text(mark)}</li>' for number, mark in enumerate(marks, start=1))
        parts.append(f"<h2>Marks</h2><ol>{items}</ol>")
    parts.append("<h2>Notes</h2><ul>" + "".join(f"<li>{_text(note)}</li>" for note in notes) + "</ul>")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(board.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _table(table: Table) -> str:
    head = "".join(_cell(cell, "th", n < table.n_labels, 'scope="col"') for n, cell in enumerate(table.header))
    body = "\n".join(f"<tr>{_row(row, table.n_labels)}</tr>" for row in table.rows)
    title = _text(table.title)
    # A region that scrolls must be reachable by keyboard, and have a name.
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{title}"><table>\n<caption>{title}</caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _row(cells: Sequence[Cell], n_labels: int) -> str:
    """The cells of a row. The last label is the model, which names the row."""
    labels = [_cell(cell, "td", True, "") for cell in cells[: n_labels - 1]]
    name = _cell(cells[n_labels - 1], "th", True, 'scope="row"')
    return "".join([*labels, name, *(_cell(cell, "td", False, "") for cell in cells[n_labels:])])


def _cell(cell: Cell, tag: str, is_label: bool, more: str) -> str:
    links = ",".join(f'<a href="#note-{number}">{number}</a>' for number in cell.marks)
    kind = ' class="label"' if is_label else ""
    return f"<{tag}{kind}{f' {more}' if more else ''}>{_text(cell.text)}{f'<sup>{links}</sup>' if links else ''}</{tag}>"


def _text(text: str) -> str:
    return html.escape(clean(text))
