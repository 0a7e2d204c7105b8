"""Whatever a model, a task or a file writes: no page runs it, no terminal obeys it, no format takes it for its own."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from raml_eval.cli.ending import _Output
from raml_eval.reporting.html import render_html
from raml_eval.reporting.raw import _disarm
from raml_eval.reporting.render import FORMATS, Cell, Figure, Table, escape_latex, escape_markdown
from raml_eval.reporting.report import Report, build_report
from raml_eval.reporting.sections import Section
from raml_eval.reporting.view import write_view
from raml_eval.tables import build_frame, load_run
from raml_eval.types import Grade, Status
from raml_eval.wording import disarm_terminal, one_line
from tests.browser import Watched, opened
from tests.hostile import PAYLOADS
from tests.stored import Drawn, ask, store_run
from tests.test_cli import cli
from tests.test_exits import raml_eval

BENIGN = tuple(f"text {number}" for number in range(len(PAYLOADS)))
# Every element of the page with the names of its attributes, but for marks of escaped characters and of where a label breaks.
SKELETON = """() => {
  const told = (element) =>
    element.matches(".escaped, mark, wbr, .keep") ? "" : element.tagName + "[" + element.getAttributeNames().sort() + "](" +
      Array.from(element.children, told).filter(Boolean).join() + ")";
  return told(document.documentElement);
}"""


def chart(label: str) -> Figure:
    from matplotlib.figure import Figure as Drawing

    drawing = Drawing(figsize=(3, 2))
    axes = drawing.subplots()
    axes.plot([0, 1], label=label.replace("$", r"\$"))
    axes.set_title(label.replace("$", r"\$"))
    return Figure(label, label, label, drawing)


def report(texts: tuple[str, ...]) -> Report:
    """A report that shows each text at every place."""
    rows = tuple((Cell(text, (1,)), Cell(text), Cell("1.0 [0.5, 1.5]"), Cell(f"1.5 {text}")) for text in texts)
    tables = tuple(Table(text, (Cell(text), Cell(text, (2,)), Cell("x"), Cell(text)), rows) for text in texts[:3])
    sections = tuple(Section(text, text, tables) for text in texts)
    return Report(" ".join(texts), texts, sections, texts, texts)


def poke(page: Any) -> None:
    """What a reader may do to set something off: point at everything, focus it, and click it."""
    page.evaluate("""() => {
      for (const element of document.querySelectorAll("body *")) {
        for (const kind of ["mouseover", "mouseenter", "pointerover", "focus", "load", "error"])
          element.dispatchEvent(new Event(kind));
        if (!element.closest("a, button, label, select, summary, input")) element.click?.();
      }
    }""")


def check(watched: Watched) -> None:
    poke(watched.page)
    watched.page.wait_for_timeout(100)
    watched.check_quiet()
    bad = "[...document.querySelectorAll('*')].flatMap((e) => e.getAttributeNames().filter((n) => n.startsWith('on')))"
    assert watched.page.evaluate(bad) == []
    links = watched.page.evaluate("[...document.querySelectorAll('[href]')].map((e) => e.getAttribute('href'))")
    assert all(link.startswith("#") for link in links)
    assert not {link for link in links if "script:" in link}


def test_a_report_shows_hostile_texts_and_nothing_else(tmp_path: Path) -> None:
    skeletons = []
    for name, texts in (("benign", BENIGN), ("hostile", PAYLOADS)):
        path = tmp_path / name / "report.html"
        path.parent.mkdir()
        path.write_text(render_html(report(texts)), encoding="utf-8")
        with opened(path) as watched:
            watched.page.get_by_label("Filter rows").first.fill("e")
            watched.page.locator("th button").first.click()
            watched.page.get_by_label("Filter rows").first.fill("")
            # long labels are broken into lines, which is a class and no other structure
            skeletons.append(watched.page.evaluate(SKELETON))
            check(watched)
            assert watched.files == ["report.html"]
    assert skeletons[0] == skeletons[1]


def test_the_report_of_a_hostile_run_is_quiet(tmp_path: Path) -> None:
    run = load_run(store(tmp_path / "run", PAYLOADS))
    path = tmp_path / "report.html"
    path.write_text(render_html(build_report([run], build_frame([run]))), encoding="utf-8")
    with opened(path) as watched:
        assert watched.page.get_by_text("task <script>alert(1)</script>", exact=True).first.is_visible()
        check(watched)


def test_figures_with_hostile_labels_are_shapes(tmp_path: Path) -> None:
    shown = [text for text in PAYLOADS if text.isprintable()]
    sections = tuple(Section("", "", (), (chart(text),)) for text in shown)
    path = tmp_path / "report.html"
    path.write_text(render_html(Report("", (), sections, (), ())), encoding="utf-8")
    assert "alert" not in re.sub(r"<title.*?</desc>|<figcaption>.*?</figcaption>", "", path.read_text(encoding="utf-8"))
    with opened(path) as watched:
        assert watched.page.locator("figure svg").count() == len(shown)
        check(watched)


def store(path: Path, texts: tuple[str, ...]) -> Path:
    """A run that has each text as question, option, gold, test, thinking, answer, extracted answer, rule and detail."""
    questions = [
        ask(row, text, "choice", task=f"task {texts[row % 3]}", options=(text, "b"), tests=text)
        for row, text in enumerate(texts)
    ]
    drawn = [
        Drawn(text, Grade(Status.INCORRECT, text, text, text), budget=budget, question=row, thinking=text)
        for row, text in enumerate(texts)
        for budget in (8, 16)
    ]
    store_run(path, questions, drawn, version="3")
    _rewrite(path / "manifest.json", texts)
    asked = [json.loads(line) for line in (path / "questions.jsonl").read_text().splitlines()]
    for line, text in zip(asked, texts, strict=True):
        line["messages"] = [{"role": text, "content": text}]
        line["question_id"] = text
    (path / "questions.jsonl").write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in asked))
    for name in ("samples", "trajectories"):
        lines = [json.loads(line) for line in (path / f"{name}.jsonl").read_text().splitlines()]
        for line in lines:  # question ids of any text, which the helper that stores runs does not write
            line["question_id"] = texts[int(line["question_id"].partition("-")[0])]
            if line.get("trajectory"):
                line["trajectory"] = f"{line['task']}/{line['question_id']}/{line['sample']}@64"
        (path / f"{name}.jsonl").write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    return path


def _rewrite(path: Path, texts: tuple[str, ...]) -> None:
    manifest = json.loads(path.read_text())
    named = [text for text in texts if text.isascii() or text.isprintable()]  # names of files hold no lone surrogate
    manifest["name"] = " ".join(named)
    manifest["model"]["name"] = " ".join(reversed(named))
    manifest["engine"] = {"name": texts[0], "version": texts[1]}
    for entry in manifest["tasks"].values():
        entry["questions"] = [texts[int(one.partition("-")[0])] for one in entry["questions"]]
    path.write_text(json.dumps(manifest))


def walk(watched: Watched) -> list[str]:
    """The skeleton of the page for each draw, as the next key leads through them."""
    page, found = watched.page, []
    page.get_by_text(f"1 of {len(PAYLOADS)}", exact=True).wait_for()
    for place in range(1, len(PAYLOADS) + 1):
        page.get_by_text(f"{place} of {len(PAYLOADS)}", exact=True).wait_for()
        found.append(page.evaluate(SKELETON))
        poke(page)
        page.keyboard.press("j")
    return found


def test_a_view_shows_hostile_texts_and_nothing_else(tmp_path: Path) -> None:
    skeletons = []
    for name, texts in (("benign", BENIGN), ("hostile", PAYLOADS)):
        run = store(tmp_path / name, texts)
        index = write_view([run, run], tmp_path / f"view {name}").index
        with opened(index) as watched:
            skeletons.append(walk(watched))
            for box in watched.page.locator("#filters select:visible").all():
                box.select_option(index=1)
                box.select_option(index=0)
            watched.page.get_by_label("Text").fill("</script>")
            watched.page.wait_for_timeout(600)
            check(watched)
            assert set(watched.files) == {"index.html", "index.js", "page_0.js"}
    assert skeletons[0] == skeletons[1]


def steering(text: str) -> set[str]:
    return {c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in "\n\t"}


@pytest.mark.parametrize("command", ["show", "report", "audit"])
def test_no_text_steers_a_terminal(command: str, tmp_path: Path) -> None:
    run = store(tmp_path / "run", PAYLOADS)
    if command == "show":
        for text in PAYLOADS:
            task = f"task {PAYLOADS[PAYLOADS.index(text) % 3]}"
            done = cli("show", run, "--task", task, "--question", text)
            assert done.returncode == 0, done.stderr
            assert not steering(done.stdout)
    else:
        done = cli(command, run)
        assert done.returncode == 0, done.stderr
        assert not steering(done.stdout + done.stderr)


@pytest.mark.parametrize(
    "words",
    [
        ["report", "no\x1b[2J\x9b31m\nerror: two"],
        ["show", "run", "--task", "\x1b]0;x\x07", "--question", "1"],
        ["tasks", "show", "\x1b[31mgsm8k"],
        ["leaderboard", "build", "a\x1bb"],
        ["run", "--model", "a\x1b[2Jb", "--tasks", "gsm8k"],
        ["\x1b[2J"],
        ["report", "x", "--format", "\x1b[2J"],
        ["report", "x", "--k", "\x1b[2J"],
    ],
)
def test_an_error_is_one_line_without_escapes(words: list[str]) -> None:
    done = raml_eval(*words)
    assert done.returncode == 2
    assert not steering(done.stderr)
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: ")


def test_a_crash_and_stdout_are_without_escapes() -> None:
    bug = "import raml_eval.reporting.boards.leaderboard as module\nmodule.build_board = lambda board: {}[f'\\x1b[2J{board}']"
    done = raml_eval("leaderboard", "build", "somewhere", before=bug)
    assert done.returncode == 70
    assert not steering(done.stderr)
    said = "import raml_eval.reporting.boards.leaderboard as module\nmodule.build_board = lambda board: ['a\\x1b[2J\\x9b\\rb']"
    assert raml_eval("leaderboard", "build", "somewhere", before=said).stdout == "a\\u001b[2J\\u009b\\u000db\n"


@given(st.text())
def test_the_terminal_is_disarmed_and_json_stays_json(text: str) -> None:
    assert not {c for c in disarm_terminal(text) if unicodedata.category(c) == "Cc"} - set("\n\t\r")
    assert json.loads(disarm_terminal(json.dumps(text, ensure_ascii=False))) == text
    assert not {c for c in one_line(text) if c in "\n\r\x1b\x9b"}
    stream = io.StringIO()
    assert _Output(stream, disarmed=True).write(text) == len(text)
    assert stream.getvalue() == disarm_terminal(text)


def spreadsheet_rows(text: str) -> list[list[str]]:
    """The cells as a spreadsheet reads them, which ends a row at a carriage return that no quotes enclose."""
    return list(csv.reader(io.StringIO(text, newline="")))


HOSTILE = st.one_of(st.text(), st.lists(st.sampled_from([*"=+-@\t\r\n ,\";'", "1+1", "＝", "\u2028"])).map("".join))


@given(HOSTILE)
def test_no_cell_of_a_csv_is_a_formula(text: str) -> None:
    import pandas as pd

    written = pd.DataFrame({"a": [_disarm(text)], "b": [1.5]}).to_csv(index=False)
    rows = spreadsheet_rows(written)
    assert [len(row) for row in rows] == [2, 2]
    assert not rows[1][0].lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠"))
    assert not steering(rows[1][0]) & set("\r\n\t\x1b")


def test_the_csv_of_a_report_has_no_formula(tmp_path: Path) -> None:
    run = store(tmp_path / "run", ("=1+1", "fine\r=1+1", "\t@SUM(1)"))
    (tmp_path / "run" / "manifest.json").write_text(
        json.dumps(json.loads((run / "manifest.json").read_text()) | {"name": "x\r=1+1"})
    )
    done = cli("report", run, "--format", "csv")
    assert done.returncode == 0, done.stderr
    rows = spreadsheet_rows(done.stdout.rstrip("\n"))
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell.lstrip().startswith(("=", "+", "@"))]
    assert "x =1+1" in {row[0] for row in rows}


FRAGMENTS = (
    "<script>", "</td>", "|", "\\", "\\|", "`", "``", "[x](javascript:alert(1))", "![x](http://e)", "<http://e>", "[x]: http://e",
    "[x][y]", "*a*", "**", "_a_", "__", "~~", "&lt;", "&#60;", "<!--", "a", " ", "\n", "\r", "](", "$x$", "\x00", "\t", "#",
)  # fmt: skip
PLAIN = {"inline", "text", "text_special", "paragraph_open", "paragraph_close", "code_inline"}
GRID = {f"{name}_{end}" for name in ("table", "thead", "tbody", "tr", "th", "td") for end in ("open", "close")}


def kinds(tokens: Any) -> set[str]:
    return {kind for token in tokens for kind in (token.type, *kinds(token.children or ()))}


@given(st.one_of(st.sampled_from(PAYLOADS), st.lists(st.sampled_from(FRAGMENTS), max_size=6).map("".join)))
def test_markdown_takes_every_text_literally(text: str) -> None:
    """No link, picture, emphasis or HTML, and a table of two rows keeps its two columns."""
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    assert kinds(reader.parse(f"It says: {escape_markdown(text)}")) <= PLAIN
    table = Table("t", (Cell("a"), Cell(text)), ((Cell(text), Cell("x")), (Cell("y"), Cell(text))))
    tokens = reader.parse(FORMATS["markdown"].table(table))
    assert kinds(tokens) <= PLAIN | GRID
    assert sum(token.type in ("th_open", "td_open") for token in tokens) == 6


@given(st.one_of(st.sampled_from(PAYLOADS), st.text(), st.text(alphabet="\\{}$%&#_~^<>|[]-\n ab")))
def test_latex_takes_every_text_literally(text: str) -> None:
    safe = escape_latex(text)
    known = r"\\text(?:backslash|asciitilde|asciicircum|less|greater|bar)\{\}|\\[&%$#_{}]|\$\\(?:tau|le)\$|-\{\}|\{[*\[]\}"
    # where a long word may break, and a character that a LaTeX without it prints by its number
    known += r"|\\allowbreak\{\}|\\ramlchar\{[0-9A-F]+\}\{[^\\{}]\}"
    assert not set(re.sub(known, "", safe)) & set("\\{}$%&#_~^\n\r")
    rest = FORMATS["latex"].table(Table("t", (Cell(text), Cell("b")), ((Cell(text), Cell(text)),)))
    assert rest.count("\\\\") == 2  # rows end so, and nothing else
