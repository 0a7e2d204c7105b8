"""The page of a board: every number of its tables, nothing that runs, and no request."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval.reporting.boards.board import Board, Ranking
from raml_eval.reporting.boards.page import board_page
from raml_eval.reporting.render import Cell, Table, clean


def board_of(title: str, description: str = "") -> Board:
    return Board(title=title, description=description, tasks=("a",), budgets=(16,), samples=4, rank_by=Ranking(budget=16))


class Read(HTMLParser):
    """The tags with their attributes, and the texts of the cells."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.cells: list[str] = []
        self.open = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag in ("td", "th"):
            self.cells.append("")
        self.open = self.open if tag in ("span", "wbr") else tag

    def handle_data(self, data: str) -> None:
        if self.open in ("td", "th"):
            self.cells[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open if tag == "span" else ""


KNOWN = {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "p", "div", "table", "caption", "thead", "tbody"}
KNOWN |= {"tr", "td", "th", "sup", "a", "ol", "ul", "li", "code", "span", "wbr"}


@given(st.text(min_size=1, max_size=40))
@settings(max_examples=200, deadline=None)
def test_any_text_stays_text(text: str) -> None:
    table = Table(text, (Cell("rank"), Cell("model"), Cell("x")), ((Cell("1"), Cell(text, (1,)), Cell(text)),), 2)
    read = Read()
    read.feed(board_page(board_of(text, text), [table], [text], [text]))
    assert set(read.tags) <= KNOWN
    assert not any(name.startswith("on") or name in ("src", "style") for name in read.attributes)
    assert read.cells[-1] == clean(text)


def test_it_asks_for_nothing_and_names_its_rows() -> None:
    table = Table(
        "At budget 16", (Cell("rank"), Cell("model"), Cell("avg@n")), ((Cell("1"), Cell("m", (1, 2)), Cell("50.0")),), 2
    )
    page = board_page(board_of("Tiny", "Run `raml-eval run`."), [table], ["one", "two"], ["note"])
    assert "default-src 'none'" in page
    assert not re.search(r"<script|src=|@import|url\(", page)
    assert '<th class="label model" scope="row">m<sup><a href="#note-1">1</a>,<a href="#note-2">2</a></sup></th>' in page
    assert '<li id="note-2">two</li>' in page
    assert "<code>raml-eval run</code>" in page
    assert "prefers-color-scheme: dark" in page


def test_the_shipped_pages_hold_every_number_of_their_readme() -> None:
    for folder in (Path(__file__).resolve().parents[1] / "leaderboards").iterdir():
        readme, page = ((folder / name).read_text(encoding="utf-8") for name in ("README.md", "index.html"))
        numbers = re.findall(r"\d+\.\d+(?: \[\d+\.\d+, \d+\.\d+\])?", "\n".join(of for of in readme.splitlines() if "|" in of))
        assert len(numbers) > 8
        assert [number for number in numbers if number not in page] == []
