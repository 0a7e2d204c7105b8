"""A report as one HTML file that asks the network for nothing, runs no text of a model, and can be read without scripts."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from pathlib import Path
from typing import TYPE_CHECKING

from raml_eval.reporting.html_cells import TableCells
from raml_eval.reporting.html_figures import figure_markup
from raml_eval.reporting.render import Figure, Table, clean

if TYPE_CHECKING:
    from raml_eval.reporting.report import Report

PAGES = Path(__file__).parent / "pages"
_COMMAND = re.compile(r"`(raml-eval [A-Za-z -]{1,60})`")  # code of these letters is harmless, whoever wrote it


def render_html(report: Report) -> str:
    """The report as one HTML page: tables that sort and filter, intervals drawn in their cells, figures, linked notes.

    The page holds everything it shows, and its policy forbids every request and every script but its own. All texts are
    escaped, and have no control characters. Equal reports give equal pages.

    Example: Path("report.html").write_text(render_html(report), encoding="utf-8")
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    style, script = (read_page(f"report.{ending}") for ending in ("css", "js"))
    environment = Environment(
        loader=FileSystemLoader(PAGES),
        undefined=StrictUndefined,
        trim_blocks=True,
        autoescape=True,
        # escape() leaves Markup as it is; everything else loses its control characters before it is escaped
        finalize=lambda value: value if isinstance(value, Markup) else clean(str(value)),
    )
    n_drawn = iter(range(1, 1_000_000))
    environment.filters["grid"] = lambda table: Markup(_table(table))
    environment.filters["picture"] = lambda figure: Markup(_picture(figure, f"fig{next(n_drawn)}-"))
    environment.filters["prose"] = lambda text: Markup(_COMMAND.sub(r"<code>\1</code>", escape_html(text)))
    environment.filters["lines"] = lambda lines: Markup("\n".join(escape_html(line, keep_blanks=True) for line in lines))
    return environment.get_template("report.html.jinja").render(
        report=report, policy=policy(style, script), style=Markup(style), script=Markup(script)
    )


def read_page(name: str) -> str:
    """The text of a file that pages are made of."""
    return (PAGES / name).read_text(encoding="utf-8")


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy under which only this style and this script act, and nothing is fetched."""
    allowed = {"style-src": _digest(style), "script-src": _digest(script), "img-src": "data:"}
    return "; ".join(
        [
            "default-src 'none'",
            *(f"{kind} {source}" for kind, source in allowed.items()),
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}'"


def escape_html(text: str, keep_blanks: bool = False) -> str:
    """The text as HTML that shows it literally, in an attribute too. Control and formatting characters are left out.

    Example: escape_html("<b>") == "&lt;b&gt;"
    """
    safe = " ".join(clean(part) for part in text.split(" ")) if keep_blanks else clean(text)
    return html.escape(safe, quote=True)


def _table(table: Table) -> str:
    cells = TableCells(table)
    head = "".join(cells.head(column) for column in range(len(table.header)))
    rows = "\n".join(f"<tr>{''.join(cells.cell(row, column) for column in range(len(row)))}</tr>" for row in table.rows)
    title = escape_html(table.title)
    return (
        f'<div class="table"><div class="box" role="region" tabindex="0" aria-label="{title}"><table>\n'
        f"<caption><span>{title}</span></caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div></div>"
    )


def _picture(figure: Figure, prefix: str) -> str:
    about = f"<figcaption><b>{escape_html(_stopped(figure.title))}</b> {escape_html(_stopped(figure.about))}</figcaption>"
    # A region that scrolls must be reachable by keyboard, and have a name.
    region = f'<div class="drawing" role="region" tabindex="0" aria-labelledby="{prefix}title">'
    return f"<figure>{region}{figure_markup(figure, prefix)}</div>{about}</figure>"


def _stopped(text: str) -> str:
    """The text as a sentence, with a capital and a full stop.

    Example: _stopped("avg@n") == "Avg@n."
    """
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")
