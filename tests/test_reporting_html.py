"""The HTML page of a report: what it holds, that it runs nothing of its own texts, and how it works in a real browser."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.reporting.html import escape_html, render_html
from raml_eval.reporting.html_cells import Reading, TableCells, breakable, read_cell
from raml_eval.reporting.html_figures import embed_svg
from raml_eval.reporting.render import Cell, Figure, Table, alignments, percent, render
from raml_eval.reporting.report import Report
from raml_eval.reporting.sections import Section
from tests.browser import opened

ROWS = (("small", 0.2, 0.1, 0.3), ("large", 0.9, 0.8, 0.95), ("middle", 0.5, 0.4, 0.6), ("none", None, None, None))


def draw() -> Figure:
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(3, 2))
    axes = drawing.subplots()
    axes.plot([0, 1], [0, 1], label="a < b & c")
    axes.legend()
    return Figure("line", "A line", "It rises from 0 to 1.", drawing)


def report(*figures: Figure) -> Report:
    rows = tuple((Cell(name, (1,)), Cell(percent(value, low, high))) for name, value, low, high in ROWS)
    table = Table("Accuracy in percent", (Cell("model"), Cell("avg@8", (2,))), rows)
    gains = Table("Gains", (Cell("model"), Cell("gain")), ((Cell("large"), Cell(percent(0.7, -0.1, 0.8, signed=True))),))
    sections = (Section("In-domain", "Two tables.", (table, gains), figures), Section("Rest", "", ()))
    return Report("A report", ("of four models",), sections, ("     0  16", "a  ▁ 1 █ 9"), ("the first", "the second"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_html(report(draw(), draw())), encoding="utf-8")
    return path


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1), st.booleans())
def test_the_numbers_of_a_cell_are_those_it_was_written_from(value: float, below: float, above: float, signed: bool) -> None:
    found = read_cell(percent(value, value - below, value + above, signed=signed))
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.value == pytest.approx(100 * value, abs=0.051)
    assert (found.low, found.high) == pytest.approx((100 * (value - below), 100 * (value + above)), abs=0.051)


@pytest.mark.parametrize("text", ["", "n/a", "qwen3", "3.5b", "1.2.3", "[1, 2]", "<b>", "2025-01-02", "12/20", "10:30", "1,2"])
def test_other_texts_are_no_numbers(text: str) -> None:
    assert read_cell(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12.0),
        ("1,234,567.5", 1234567.5),
        ("1,024 tokens", 1024.0),
        ("−3.5", -3.5),
        ("3 of 8", 3.0),
        ("45.0 %", 45.0),
        ("1e-05", 1e-05),
    ],
)
def test_plain_numbers_are_read(text: str, value: float) -> None:
    assert read_cell(text) == Reading(value, None, None, text.startswith("−"))


class Found(HTMLParser):
    """Every tag of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_holds_everything_and_fetches_nothing() -> None:
    text = render_html(report(draw()))
    assert text == render_html(report(draw()))
    tags = Found(text).tags
    assert [attrs for tag, attrs in tags if tag in ("link", "iframe", "object", "embed", "base", "form", "img")] == []
    assert all(attrs["href"].startswith("#") for _, attrs in tags if attrs.get("href"))  # type: ignore[union-attr]
    assert not any(name.startswith("on") or name in ("src", "style") for _, attrs in tags for name in attrs)
    (policy,) = [attrs["content"] for tag, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    ids = [attrs["id"] for _, attrs in tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"] for _, attrs in tags if attrs.get("href")} <= {f"#{one}" for one in ids}  # type: ignore[str-bytes-safe]


def test_tables_have_captions_and_scopes_and_links_to_notes() -> None:
    text = render_html(report())
    assert text.count("<caption>") == 2
    assert '<th scope="col" class="label first">model</th>' in text
    assert '<th scope="row" class="label first">small<sup><a href="#note-1" aria-label="note 1">1</a></sup></th>' in text
    assert '<td data-v="20">20.0 <span class="range">[10.0, 30.0]</span><svg class="whisker"' in text
    assert '<li id="note-2">the second</li>' in text


def test_tables_without_rows_or_labels_are_written() -> None:
    empty = Table("Empty", (Cell("a"), Cell("b")), ())
    bare = Table("Bare", (Cell("a"),), ((Cell("5.0 [5.0, 5.0]"),),), 0)
    text = render_html(Report("x", (), (Section("y", "", (empty, bare)),), (), ()))
    assert text.count("<tr>") == 3
    assert 'data-v="5"' in text
    assert "nan" not in text


def test_an_interval_is_drawn_to_the_scale_of_its_kind() -> None:
    shares, gains = re.findall(r"<caption>.*?</table>", render_html(report()), re.DOTALL)
    assert 'cx="22.6"' in shares  # 20 of 0 to 100, on 98 pixels after 3
    assert 'class="zero"' not in shares
    assert gains.count('class="zero"') == 1


@pytest.mark.parametrize("about", ["It rises from 0 to 1", "It rises from 0 to 1."])
@pytest.mark.parametrize(
    ("form", "pictures", "told"),
    [
        ("terminal", "", "Figure: It rises from 0 to 1 (--out FOLDER draws it)."),
        ("markdown", "", "Figure: It rises from 0 to 1."),
        ("latex", "figures", "A line: It rises from 0 to 1."),
    ],
)
def test_a_caption_ends_in_one_full_stop(form: str, pictures: str, told: str, about: str) -> None:
    of = report(Figure("line", "A line", about, None))
    text = render(f"default.{form}.jinja", form, report=of, pictures=pictures)
    assert any(line.endswith(told) for line in text.splitlines())


@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        (("0.70 [0.52, 0.88]", "1.20 [0.90, 1.60]"), 0),  # AUROCs and ratios of lengths, whose null is not 0
        (("0.70 [0.52, 0.88]", "0.10 [-0.20, 0.40]"), 2),
        (("0.70 [0.52, 0.88]", "-0.10 [-0.20, 0.10]"), 2),
        (("+0.70 [0.52, 0.88]", "+1.20 [0.90, 1.60]"), 2),
    ],
)
def test_zero_is_marked_only_where_a_column_has_two_sides_of_it(texts: tuple[str, str], lines: int) -> None:
    table = Table("AUROC", (Cell("task"), Cell("within")), tuple((Cell("a"), Cell(text)) for text in texts))
    cells = TableCells(table)
    assert sum('class="zero"' in cells.cell(row, 1) for row in table.rows) == lines


def test_columns_of_other_units_have_scales_of_their_own() -> None:
    """Neither tokens nor a transfer ratio may squeeze the shares of the same table, nor be squeezed by them."""
    header = ("model", "avg@8", "pass@8", "thinking tokens", "transfer", "gain")
    rows = (
        ("a", "20.0 [10.0, 30.0]", "50.0 [40.0, 60.0]", "900.0 [800.0, 1,000.0]", "1.00 [0.33, 3.02]", "+5.0 [1.0, 9.0]"),
        ("b", "20.0 [10.0, 30.0]", "50.0 [40.0, 60.0]", "46.9 [40.0, 50.0]", "2.00 [1.00, 3.00]", "-5.0 [-9.0, -1.0]"),
    )
    table = Table("In percent [95 % interval]", tuple(map(Cell, header)), tuple(tuple(map(Cell, row)) for row in rows))
    cells = TableCells(table)

    def places(column: int) -> list[float]:
        return [float(re.findall(r'cx="([\d.]+)"', cells.cell(row, column))[0]) for row in table.rows]

    assert places(1) == [22.6, 22.6]  # 20 of 0 to 100, on 98 pixels after 3
    assert places(2) == [52.0, 52.0]
    for column in (3, 4, 5):
        assert abs(places(column)[0] - places(column)[1]) > 25  # their difference is seen


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sft-4", '<span class="keep">sft-4</span>'),
        ("runs/sft-4, 64", 'runs/<wbr><span class="keep">sft-4,</span> 64'),
        ("a-word-that-is-too-long-to-be-kept", "a-word-that-is-too-long-to-be-kept"),
        ("a/b", "a/<wbr>b"),
        ("&lt;/b&gt; &amp;", "&lt;/<wbr>b&gt; &amp;"),
    ],
)
def test_names_break_at_slashes_and_not_at_hyphens(text: str, expected: str) -> None:
    assert breakable(text) == expected


@given(st.text())
def test_a_breakable_text_is_the_same_text(text: str) -> None:
    found = breakable(escape_html(text))
    assert re.sub(r'<wbr>|<span class="keep">|</span>', "", found) == escape_html(text)


@given(st.text())
def test_any_text_stays_text(text: str) -> None:
    safe = escape_html(text)
    assert not set(safe) & set("<>\"'\x00\u2028\u202e")
    assert Found(f"<p title='{safe}'>{safe}</p>").tags[0][0] == "p"
    assert len(Found(f"<p title='{safe}'>{safe}</p>").tags) == 1


def test_a_command_in_backticks_is_code_and_nothing_else_is() -> None:
    lead = ("Run `raml-eval diagnose landscape` first.", "`raml-eval <script>` and `rm -rf x`")
    text = render_html(Report("T", lead, (Section("S", "`raml-eval report`", ()),), (), ("See `raml-eval show`.",)))
    assert text.count("<code>") == text.count("</code>") == 3
    for name in ("diagnose landscape", "report", "show"):
        assert f"<code>raml-eval {name}</code>" in text
    assert "`raml-eval &lt;script&gt;` and `rm -rf x`" in text


def test_a_figure_keeps_only_shapes() -> None:
    svg = b"""<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9"
    onload="alert(1)">
    <script>alert(1)</script><style>@import "http://a";</style><foreignObject><p>x</p></foreignObject>
    <a href="javascript:alert(1)"><path d="M0 0"/></a><image xlink:href="http://a/b.png"/><set attributeName="href"/>
    <path id="one" d="M 0 0 L 9 9" style="fill: none; stroke: #000000; clip-path: url(#p)" onclick="alert(1)"/>
    <path d="M 1 1" fill="url(http://a)"/><rect style="fill: #ffffff"/><use xlink:href="#one"/></svg>"""
    text = embed_svg(svg, "f1-", "T<i>", 'about "x"')
    names = [tag for tag, _ in Found(text).tags]
    assert names == ["svg", "title", "desc", "image", "path", "path", "rect", "use"]
    assert '<path id="f1-one" d="M 0 0 L 9 9" fill="none" stroke="currentColor" clip-path="url(#f1-p)"/>' in text
    assert '<rect class="paper-fill"/><use href="#f1-one"/>' in text
    assert "http://a" not in text
    assert "alert" not in text
    assert "T&lt;i&gt;" in text


def column(page: object, number: int = 1) -> list[str]:
    return page.locator(".table >> nth=0").locator(f"tbody tr:visible > :nth-child({number})").all_inner_texts()  # type: ignore


NAMES = [f"{name}1" for name, *_ in ROWS]


def test_a_column_sorts_by_click_and_by_key(page: Path) -> None:
    with opened(page) as watched:
        head = watched.page.locator("th", has_text="avg@8")
        assert [name.replace("\n", "") for name in column(watched.page)] == NAMES
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == "descending"
        assert [name[:-1] for name in column(watched.page)] == ["large", "middle", "small", "none"]
        head.locator("button").press("Enter")
        assert head.get_attribute("aria-sort") == "ascending"
        assert [name[:-1] for name in column(watched.page)] == ["small", "middle", "large", "none"]
        head.locator("button").press("Space")
        assert head.get_attribute("aria-sort") is None
        assert column(watched.page) == NAMES
        model = watched.page.get_by_role("button", name="model").first
        model.click()
        assert [name[:-1] for name in column(watched.page)] == ["large", "middle", "none", "small"]
        watched.check_quiet()


def test_rows_are_filtered_and_told(page: Path) -> None:
    with opened(page) as watched:
        field = watched.page.get_by_label("Filter rows").first
        field.fill("LARGE")
        assert column(watched.page) == ["large1"]
        assert watched.page.locator("[role=status]").first.inner_text() == "1 of 4 rows"
        field.fill("")
        assert len(column(watched.page)) == len(ROWS)
        assert watched.page.locator("[role=status]").first.inner_text() == "4 rows"
        watched.check_quiet()


def test_everything_is_reached_with_the_keyboard(page: Path) -> None:
    with opened(page) as watched:
        reached = []
        for _ in range(14):
            watched.page.keyboard.press("Tab")
            reached.append(watched.page.evaluate("document.activeElement.tagName + ' ' + document.activeElement.innerText"))
        assert reached[0] == "A Skip to the tables"
        assert {"INPUT ", "BUTTON model", "BUTTON avg@8", "A 2"} <= set(reached)
        watched.check_quiet()


def test_without_scripts_all_is_there(page: Path) -> None:
    with opened(page, scripts=False) as watched:
        assert column(watched.page) == NAMES
        assert watched.page.locator("input, button").count() == 0
        assert watched.page.locator("figure svg:visible").count() == 2
        assert watched.page.get_by_text("the second").is_visible()


@pytest.mark.parametrize("dark", [False, True])
def test_a_phone_scrolls_a_table_and_not_the_page(tmp_path: Path, dark: bool) -> None:
    header = (Cell("model"), *(Cell(f"a long task's name {i}") for i in range(12)))
    table = Table(
        "Gains in points, transfer, and retention in percent [95 % interval]",
        header,
        tuple((Cell(f"checkpoints/sft-4 model {j}"), *(Cell("50.0 [40.0, 60.0]") for _ in range(12))) for j in range(3)),
    )
    path = tmp_path / "wide.html"
    path.write_text(render_html(Report("Wide", (), (Section("All", "", (table,), (draw(),)),), (), ())), encoding="utf-8")
    with opened(path, width=360, dark=dark) as watched:
        look = watched.page.evaluate
        assert look("document.documentElement.scrollWidth") <= 360
        caption = watched.page.locator("caption span").bounding_box()
        assert caption["x"] + caption["width"] <= 360  # it wraps
        assert look("document.querySelector('figure svg').getBoundingClientRect().width") > 500  # its words can be read
        assert look("document.querySelector('.drawing').getBoundingClientRect().right") <= 360
        label = watched.page.locator("tbody th .keep").first
        assert label.inner_text() == "sft-4"
        assert label.bounding_box()["height"] < 24  # on one line
        assert watched.page.get_by_text("scroll in their frames").is_visible()
        look("document.querySelector('.box').scrollLeft = 500")
        edge = look("document.querySelector('tbody th').getBoundingClientRect().left")
        assert 0 <= edge < 40  # the label stays in sight
        ink, paper = look("[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]")
        bright = [sum(map(int, re.findall(r"\d+", colour))) for colour in (ink, paper)]
        assert (bright[0] > 500 > 100 > bright[1]) if dark else (bright[1] > 500 > 100 > bright[0])
        watched.check_quiet()


MIXED = Table(
    "Mixed",
    tuple(map(Cell, ("step", "engine", "gain", "verdict", "empty"))),
    (
        tuple(map(Cell, ("100", "hf 5.1", "+0.5 [0.1, 0.9]", "holds", ""))),
        tuple(map(Cell, ("200", "vllm 0.1", "n/a", "not tested: 2 runs", ""))),
    ),
)


def test_texts_stand_left_and_numbers_right_in_every_form() -> None:
    assert alignments(MIXED) == ("left", "left", "right", "left", "right")
    mixed = Report("t", (), (Section("s", "", (MIXED,)),), (), ())
    html = render_html(mixed)
    assert '<td class="text">hf 5.1</td>' in html
    assert '<th scope="col" class="text">engine</th>' in html
    assert "<td>n/a</td>" in html
    markdown = render("default.markdown.jinja", "markdown", report=mixed)
    (rules,) = [line for line in markdown.splitlines() if line.startswith("|:")]
    assert [rule.startswith(":") for rule in rules.strip("|").split("|")] == [True, True, False, True, False]
    terminal = render("default.terminal.jinja", "terminal", report=mixed)
    assert re.search(r"^100 +hf 5\.1 ", terminal, re.MULTILINE)
    assert "\\ramltable{llrlr}" in render("default.latex.jinja", "latex", report=mixed)


def test_captions_are_sentences(page: Path) -> None:
    assert "<figcaption><b>A line.</b> It rises from 0 to 1.</figcaption>" in page.read_text(encoding="utf-8")
