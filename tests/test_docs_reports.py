"""docs/reports.md: its tables name what there is, and its own report can be made."""

from __future__ import annotations

import re
from pathlib import Path

from raml_eval.reporting.reports.assemble import PARTS, assemble
from raml_eval.reporting.reports.definition import find_report, report_names
from raml_eval.reporting.reports.material import KNOWN
from tests.test_reporting_reports import ABOUT, RUNS

PAGE = (Path(__file__).parents[1] / "docs" / "reports.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def names(text: str) -> set[str]:
    """What stands in backticks in the first column of the text's tables."""
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def test_the_reports_parts_and_keys_are_those_that_there_are() -> None:
    told = names(section("The reports that ship"))
    figures = {f"paper-figure-{name.removeprefix('-')}" for name in told if name.startswith("-")}
    assert {name for name in told if not name.startswith("-")} | figures == set(report_names())
    assert names(section("Your own report")) == set(PARTS)
    assert names(section("What is known of the checkpoints")) == set(KNOWN)


def test_the_page_of_diagnoses_names_the_reports_about_one_kind() -> None:
    page = (Path(__file__).parents[1] / "docs" / "diagnostics.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in page.split("| `--report` |")[1].split("\n\n")[0].splitlines() if "`" in line]
    told = {(kind.strip(" `"), name) for _, kind, names_, _ in rows for name in re.findall(r"`([^`]+)`", names_)}
    parts = [(name, part) for name in report_names() for part in find_report(name)[1].parts]
    assert told == {(kind, name) for name, part in parts for kind in part.kinds}


def test_the_columns_of_a_diagnosis_s_number_are_told() -> None:
    assert {"table", "series", "source"} <= names(section("The frame"))


def test_the_example_of_a_definition_is_one(tmp_path: Path) -> None:
    text = section("Your own report").split("```yaml")[1].split("```")[0]
    assert "tasks: [aime24, gsm8k]" in text
    text = text.replace("[aime24, gsm8k]", "[sums, logic]").replace("pass@8", "pass@4")  # what the runs here have
    (tmp_path / "report.yaml").write_text(text, encoding="utf-8")
    name, definition = find_report(str(tmp_path))
    assert name == tmp_path.name
    made = assemble(definition, RUNS, about=ABOUT, k=[4])
    assert made.report.sections


def test_the_latex_frame_loads_what_a_report_needs() -> None:
    frame = section("What it writes").split("```latex")[1].split("```")[0]
    assert "booktabs,longtable,graphicx" in frame
