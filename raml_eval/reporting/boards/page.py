"""A board as one HTML page that needs nothing else: no script, no font, no request."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from raml_eval.reporting.boards.board import Board
from raml_eval.reporting.html_cells import breakable
from raml_eval.reporting.render import Cell, Table, clean

_STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #f6f8fa; --text: #1f2328; --faint: #59636e; --back: #ffffff;
  --veil: #ffffff00; --shade: #1f232866; }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #151b23; --text: #f0f6fc; --faint: #9198a1;
  --back: #0d1117; --veil: #0d111700; --shade: #f0f6fc66; } }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--back); margin: 0 auto; max-width: 90rem;
  padding: 1rem; overflow-wrap: anywhere; }
.hint { display: none; color: var(--faint); font-size: .875rem; }
/* An edge is shaded as long as there is more of the table beyond it: covers of the page's colour scroll along. */
.wide { overflow-x: auto; margin: 1rem 0; width: fit-content; max-width: 100%;
  background: linear-gradient(to right, var(--back) 50%, var(--veil)) left / 3rem 100% local,
    linear-gradient(to left, var(--back) 50%, var(--veil)) right / 3rem 100% local,
    linear-gradient(to right, var(--shade), transparent) left / 1rem 100% scroll,
    linear-gradient(to left, var(--shade), transparent) right / 1rem 100% scroll;
  background-color: var(--back); background-repeat: no-repeat; }
table { border-collapse: separate; border-spacing: 0; font-size: .9375rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; }
caption span { display: block; position: sticky; left: 0; width: fit-content; max-width: calc(100vw - 2rem); padding: .3rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .5rem; text-align: right; vertical-align: top;
  overflow-wrap: normal; }
td { white-space: nowrap; }
thead th { vertical-align: bottom; border-top: 1px solid var(--line); }
.label { text-align: left; }
.model { position: sticky; left: 0; z-index: 1; min-width: 6rem; max-width: 14rem; background: var(--back);
  border-right: 1px solid var(--line); overflow-wrap: break-word; }
.keep { white-space: nowrap; }
.range { display: block; color: var(--faint); font-size: .8125rem; }
@media (max-width: 48rem) { .hint { display: block; } .model { max-width: 8.5rem; } th, td { padding: .3rem .4rem; }
  td.label { white-space: normal; } }
"""
_HINT = "Wide tables scroll sideways; an edge is shaded where there is more."
_RANGE = re.compile(r"^(\S+) (\[[^\[\]]+\])$")


def board_page(board: Board, tables: Sequence[Table], marks: Sequence[str], notes: Sequence[str]) -> str:
    """The page. Every text is escaped; a content security policy forbids scripts and requests, should one slip through."""
    lead = re.sub(r"`([^`]+)`", r"<code>\1</code>", _text(board.description))
    parts = [f"<h1>{_text(board.title)}</h1>", f"<p>{lead}</p>", f'<p class="hint">{_HINT}</p>', *map(_table, tables)]
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
    name = table.n_labels - 1  # the last label is the model
    kinds = ["label model" if n == name else "label" if n < name else "" for n in range(len(table.header))]
    head = "".join(_cell(cell, "th", kind, 'scope="col"') for cell, kind in zip(table.header, kinds, strict=True))
    body = "\n".join(f"<tr>{_row(row, table.n_labels)}</tr>" for row in table.rows)
    title = _text(table.title)
    # A region that scrolls must be reachable by keyboard, and have a name.
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{title}"><table>\n<caption><span>{title}</span></caption>\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _row(cells: Sequence[Cell], n_labels: int) -> str:
    """The cells of a row. The last label is the model, which names the row."""
    labels = [_cell(cell, "td", "label", "") for cell in cells[: n_labels - 1]]
    name = _cell(cells[n_labels - 1], "th", "label model", 'scope="row"')
    return "".join([*labels, name, *(_cell(cell, "td", "", "") for cell in cells[n_labels:])])


def _cell(cell: Cell, tag: str, kind: str, more: str) -> str:
    """A cell. An interval stands below its number, so that the columns are narrow."""
    links = ",".join(f'<a href="#note-{number}">{number}</a>' for number in cell.marks)
    text = _text(cell.text)
    text = breakable(text) if tag == "th" else _RANGE.sub(r'\1 <span class="range">\2</span>', text)
    named = f' class="{kind}"' if kind else ""
    return f"<{tag}{named}{f' {more}' if more else ''}>{text}{f'<sup>{links}</sup>' if links else ''}</{tag}>"


def _text(text: str) -> str:
    return html.escape(clean(text))
