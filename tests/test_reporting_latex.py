"""LaTeX tables are whole: pdflatex sets every row of a long one and every column of a wide one within the page."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from raml_eval.reporting.latex import WIDTH, escape_line
from raml_eval.reporting.render import Cell, Table, escape_latex, render
from raml_eval.reporting.report import Report
from raml_eval.reporting.sections import Section

needs_latex = pytest.mark.skipif(
    shutil.which("pdflatex") is None or shutil.which("pdftotext") is None, reason="needs pdflatex and pdftotext"
)
LONG_NAME = "a/very/long/path/of/a/checkpoint_without-any-blank/step-1000"
FRAMES = {  # class options, geometry, packages
    "wide page": ("", "a4paper,margin=2cm", "booktabs,longtable,graphicx"),
    "narrow page": ("", "a4paper,margin=7cm", "booktabs,longtable,graphicx"),
    "two columns": ("twocolumn", "a4paper,margin=2cm", "booktabs,longtable,graphicx"),
    "without longtable": ("", "a4paper,margin=2cm", "booktabs,graphicx"),
}


def table(n_rows: int, n_columns: int, label: str = "row") -> Table:
    head = ("name", *(f"metric{column:02}" for column in range(n_columns)))
    rows = [
        (f"{label}{row:04}", *(f"{row + column / 100:.2f} [0.0, 100.0]" for column in range(n_columns)))
        for row in range(n_rows)
    ]
    return Table("Shares in percent [95 % interval]", tuple(map(Cell, head)), tuple(tuple(map(Cell, row)) for row in rows), 1)


def latex(*tables: Table, lead: tuple[str, ...] = (), notes: tuple[str, ...] = ()) -> str:
    report = Report("The title of it", lead, (Section("Section", "", tables),), (), notes)
    return render("default.latex.jinja", "latex", report=report)


def compiled(text: str, folder: Path, frame: str) -> str:
    """The text of the PDF. Fails for an error, and for anything that is wider or higher than the page."""
    options, geometry, packages = FRAMES[frame]
    (folder / "report.tex").write_text(text, encoding="utf-8")
    (folder / "doc.tex").write_text(
        f"\\documentclass[{options}]{{article}}\n\\usepackage[{geometry}]{{geometry}}\n\\usepackage{{{packages}}}\n"
        "\\begin{document}\n\\input{report.tex}\n\\end{document}\n",
        encoding="utf-8",
    )
    for _ in range(2):  # longtable knows the widths of its columns at the second time
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "doc.tex"], cwd=folder, capture_output=True, timeout=120
        )
        assert done.returncode == 0, done.stdout[-2000:].decode(errors="replace")
    log = (folder / "doc.log").read_text(encoding="latin-1")
    assert "Overfull" not in log
    return subprocess.run(
        ["pdftotext", "-layout", "doc.pdf", "-"], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    ).stdout


@needs_latex
@pytest.mark.parametrize("frame", FRAMES)
def test_no_row_or_column_is_lost(frame: str, tmp_path: Path) -> None:
    shown = compiled(latex(table(150, 3, "long"), table(4, 12, "wide")), tmp_path, frame)
    assert len(set(re.findall(r"long\d{4}", shown))) == 150
    assert len(re.findall(r"long\d{4}", shown)) == 150
    assert {f"metric{column:02}" for column in range(12)} <= set(re.findall(r"metric\d\d", shown))
    pages = [page for page in shown.split("\f") if re.search(r"long\d{4}", page)]
    assert len(pages) > 1 or (frame == "two columns" and pages[0].count("metric00") > 2)
    assert all("metric00" in page for page in pages)  # the head stands on each page


@needs_latex
def test_any_name_is_set_within_the_page(tmp_path: Path) -> None:
    names = (LONG_NAME, "x" * 80, "[bracket", "*star", "50 % & #1_{2}", "名前 ±")
    rows = tuple((Cell(name, (1, 12)), Cell("12.5 [1.0, 20.0]"), Cell("a long text of a verdict, " * 4)) for name in names)
    hostile = Table("T" * 90, (Cell("model"), Cell("value"), Cell("verdict")), rows, 1)
    empty = Table("Nothing", (Cell("a"), Cell("b")), (), 1)
    shown = compiled(latex(hostile, empty, lead=names, notes=names), tmp_path, "wide page")
    assert shown.count("[bracket") == shown.count("*star") == 3
    assert len(re.findall(r"50 % & #1.\{2\}", shown)) == 3  # the font draws an underscore as a line
    assert "[U+540D]" in shown
    assert shown.count("The title of it") == 1


def test_a_wide_table_is_several_with_its_labels() -> None:
    text = latex(table(2, 12))
    parts = re.findall(r"\\ramltable\{(l+r+)\}\{(\d+)\}\{(.*)\}\{%", text)
    assert [title for *_, title in parts] == ["Shares in percent [95 \\% interval]"] + [
        "Shares in percent [95 \\% interval] (further columns)"
    ] * (len(parts) - 1)
    assert len(parts) > 1
    assert sum(int(n) - 1 for _, n, _ in parts) == 12
    assert text.count("row0001") == len(parts)
    assert WIDTH > 80


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("50%", r"50\%"),
        ("*", "{*}"),
        ("[a]", "{[}a]"),
        ("a/b", "a/b"),
        ("名", r"\ramlchar{540D}{名}"),
        ("a" * 25, "a" * 16 + r"\allowbreak{}" + "a" * 9),
        ("--out", "-{}-out"),
    ],
)
def test_texts_are_escaped(text: str, written: str) -> None:
    assert escape_line(text) == escape_latex(text) == written
