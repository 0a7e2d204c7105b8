"""The part diagnostics: published values beside those of a diagnosis's own table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.section import Column, SectionTable, write_section
from raml_eval.errors import ConfigError
from raml_eval.reporting.render import Table
from raml_eval.reporting.reports.assemble import Assembled, assemble
from raml_eval.reporting.reports.definition import Definition, find_report
from raml_eval.reporting.reports.files import text_of
from raml_eval.store.stamp import stamp_samples
from raml_eval.tables import load_run
from raml_eval.types import Grade, Status, StoredRun
from tests.stored import Drawn, ask, store_run

COLUMNS = (
    Column("role", "role"),
    Column("verdict", "verdict"),
    Column("relative", "mean relative change", "number", 2),
    Column("median", "median |change|", "number", 3),
)
ROWS = [
    {"role": "Wait", "verdict": "correct", "relative": 279.123, "median": 0.0954},
    {"role": "Wait", "verdict": "incorrect", "relative": 90.2, "median": 0.111},
    {"role": "line end", "verdict": "correct", "relative": 1.0, "median": 0.1},
]
PUBLISHED = [{"name": "avg", "values": {"roles": [0.56, None]}}, {"name": "Wait", "values": {"roles": [1.22, None]}}]
PART: Mapping[str, Any] = {
    "part": "diagnostics",
    "kinds": ["token-roles"],
    "columns": ["relative", "median"],
    "source": "Figure 6",
    "note": "Beware.",
    "published": PUBLISHED,
}


def run_of(folder: Path, name: str, diagnosed: bool = True) -> StoredRun:
    run = load_run(store_run(folder / name, [ask(0, "7")], [Drawn("7", Grade(Status.CORRECT, "7")), Drawn("8")]))
    if diagnosed:
        stored = DiagnosisFolder(run.directory / "diagnostics", "token-roles", {})
        write_section(stored, "Roles of tokens", "", [SectionTable("roles", "Changes", COLUMNS, ROWS, 2)])
        stored.finish({}, samples=stamp_samples(run.directory))
    return run


def definition(**more: Any) -> Definition:
    part = {key: value for key, value in {**PART, **more}.items() if value is not None}
    return Definition.model_validate({"title": "t", "about": "a", "parts": [part]})


def texts(table: Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def section_of(made: Assembled) -> Any:
    return made.report.sections[0]


def test_own_rows_stand_below_the_published_row_of_their_name(tmp_path: Path) -> None:
    section = section_of(assemble(definition(), [run_of(tmp_path, "mine")]))
    assert (section.title, section.lead) == ("Published values", "Source: Figure 6. Beware.")
    (table,) = section.tables
    assert [cell.text for cell in table.header] == ["role", "run", "verdict", "mean relative change", "median |change|"]
    assert table.n_labels == 3
    assert table.title == "Published values beside one's own; the paper gives no intervals"
    (alone,) = section_of(assemble(definition(source=None), [run_of(tmp_path, "other")])).tables
    assert alone.title == "Published values beside one's own; published values have no intervals here"
    assert texts(table) == [
        ["avg", "published, not rerun", "", "0.56", ""],
        ["Wait", "published, not rerun", "", "1.22", ""],
        ["Wait", "tiny", "correct", "279.12", "0.095"],
        ["Wait", "tiny", "incorrect", "90.20", "0.111"],
    ]


def test_a_run_without_the_diagnosis_leaves_the_published_values_alone(tmp_path: Path) -> None:
    made = assemble(definition(), [run_of(tmp_path, "mine", diagnosed=False)])
    (table,) = section_of(made).tables
    assert texts(table) == [["avg", "published, not rerun", "0.56", ""], ["Wait", "published, not rerun", "1.22", ""]]
    assert [note for note in made.report.notes if "no diagnosis token-roles is stored" in note]


def test_the_frame_marks_published_values(tmp_path: Path) -> None:
    made = assemble(definition(), [run_of(tmp_path, "mine")])
    rows = made.frame[made.frame["metric"] == "token-roles: relative"]
    told = rows[rows["method"] == "published, not rerun"]
    assert [(row["run"], row["value"], row["table"], row["series"], row["source"]) for row in told.to_dict("records")] == [
        ("published: avg", 0.56, "roles", "role=avg", "Figure 6"),
        ("published: Wait", 1.22, "roles", "role=Wait", "Figure 6"),
    ]
    assert list(rows[rows["run"] == "test"]["value"]) == [279.123, 90.2, 1.0]
    assert (made.frame[made.frame["metric"] == "token-roles: median"]["run"] == "test").all()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"kinds": None}, "needs one of kinds and the columns of its table"),
        ({"kinds": ["token-roles", "pruning"]}, "needs one of kinds"),
        ({"columns": None}, "and the columns of its table"),
        ({"published": None}, "it has columns and source, which it reads beside published alone"),
        ({"published": [{"name": "a", "values": {}}]}, "have values of no table; wanted one table"),
        ({"published": [*PUBLISHED, {"name": "a", "values": {"other": [1, 2]}}]}, "values of other, roles; wanted one table"),
        ({"published": [*PUBLISHED, {"name": "a", "values": {}}]}, "row 'a' has 0 values; wanted 2"),
        ({"published": [{"name": "a", "values": {"roles": [1]}}]}, "row 'a' has 1 values; wanted 2"),
        ({"published": [{"name": "a", "values": {"roles": [1, float("inf")]}}]}, "row 'a' has inf; wanted finite numbers"),
        ({"metrics": ["avg@n"]}, "it does not read metrics; it reads title, note, kinds, figures, published, columns, source"),
    ],
)
def test_what_does_not_fit_is_refused(more: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        definition(**more)


def test_values_above_100_are_no_error() -> None:
    values = definition(published=[{"name": "Hold on", "values": {"roles": [279.5, -1]}}]).parts[0].published[0].values
    assert values == {"roles": (279.5, -1.0)}


def test_a_column_that_the_table_lacks_is_named(tmp_path: Path) -> None:
    wrong = definition(columns=["relative", "medain"])
    with pytest.raises(
        ConfigError, match=r"part 1 \(diagnostics\) has the column 'medain', which the table roles of token-roles"
    ):
        assemble(wrong, [run_of(tmp_path, "mine")])


def test_figure_6_shows_the_six_published_values(tmp_path: Path) -> None:
    made = assemble(find_report("paper-figure-6")[1], [run_of(tmp_path, "mine", diagnosed=False)])
    told = made.frame[made.frame["method"] == "published, not rerun"]
    assert dict(zip(told["model"], told["value"], strict=True)) == {
        "avg": 0.56, "Wait": 1.22, "Therefore": 0.76, "Alternatively": 16.33, "Hold on": 279.5, "Since": 4.54,
    }  # fmt: skip
    assert "heavy-tailed" in text_of(made, "markdown")
