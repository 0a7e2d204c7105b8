"""The page of a board: every number of its tables, nothing that runs, and no request."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval.reporting.boards.board import Board, Ranking
from raml_eval.reporting.boards.page import board_page
from raml_eval.reporting.render import Cell, Table, clean
from tests.browser import opened


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
@settings(max_examples=200)
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
        page = re.sub(r"</?span[^>]*>", "", page)
        assert len(numbers) > 8
        assert [number for number in numbers if number not in page] == []


def wide_table() -> Table:
    metrics = [
        f"{domain} {metric}"
        for metric in ("avg@n", "pass@8", "G-Pass@8 τ=1", "mG-Pass@8")
        for domain in ("In-domain", "Cross-domain")
    ]
    names = ("org/a-model-of-72b-with-a-name", "checkpoints/sft-4", "x" * 70)
    rows = tuple(
        (Cell("1"), Cell(name), Cell("ab"), Cell("1 to 3"), *(Cell("81.5 [73.8, 87.0]") for _ in metrics)) for name in names
    )
    title = "At budget unlimited, in percent [95 % interval], which is a title that is longer than a phone is wide"
    return Table(title, tuple(map(Cell, ("rank", "model", "letters", "possible", *metrics))), rows, 2)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1400])
def test_the_main_table_fits_and_says_where_it_scrolls(tmp_path: Path, width: int, dark: bool) -> None:
    path = tmp_path / "index.html"
    path.write_text(board_page(board_of("Tiny"), [wide_table()], [], ["note"]), encoding="utf-8")
    with opened(path, scripts=False, width=width, dark=dark) as watched:
        page = watched.page
        box = page.locator(".wide").bounding_box()
        caption = page.locator("caption span").bounding_box()
        model = page.locator("tbody th", has_text="sft-4")
        assert box["x"] + box["width"] <= width
        assert caption["x"] + caption["width"] <= width
        assert page.get_by_text("scroll sideways").is_visible() == (width == 400)
        last = page.locator("thead th").last
        if width == 1400:
            end = last.bounding_box()
            assert end["x"] + end["width"] <= width  # every column is seen
        else:
            assert page.locator("thead th").nth(4).bounding_box()["x"] < width  # the number that ranks comes into sight
            page.locator(".wide").focus()
            for _ in range(40):
                page.keyboard.press("ArrowRight")
            last.wait_for()
            page.wait_for_timeout(300)
            place = model.bounding_box()
            assert 0 <= place["x"] < 40  # the model stays
            assert place["width"] < 0.45 * width
        watched.check_quiet()
