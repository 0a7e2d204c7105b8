"""The tables of diagnoses, and that the frame of a report holds each of their numbers as it is stored."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from raml_eval.diagnostics.curves.diagnose import Wanted as Curves
from raml_eval.diagnostics.curves.diagnose import diagnose_curves
from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.landscape.choices import Choices
from raml_eval.diagnostics.landscape.surface import draw_landscape
from raml_eval.diagnostics.pruning.pruning import prune_run
from raml_eval.diagnostics.roles.diagnose import Wanted as Roles
from raml_eval.diagnostics.roles.diagnose import diagnose_roles
from raml_eval.diagnostics.section import Column, SectionTable, write_section
from raml_eval.diagnostics.statistics import diagnose_statistics
from raml_eval.intervals import GAFFKE
from raml_eval.reporting.diagnosed import ABOUT_GAFFKE, ORDER, find_diagnosed
from raml_eval.reporting.report import render_report
from raml_eval.reporting.reports.assemble import assemble
from raml_eval.reporting.reports.definition import Definition, find_report
from raml_eval.reporting.reports.files import write_report
from raml_eval.reporting.sheets import FORMS, Sheet, metric_of, series_of
from raml_eval.store.stamp import stamp_samples
from raml_eval.tables import load_run
from raml_eval.types import Grade, Status, StoredRun
from tests.pruned import draw_run
from tests.stored import Drawn, ask, store_run
from tests.test_reporting_reports import NUMBER, lost_numbers

RIGHT = Grade(Status.CORRECT, "7")
THIRD = 1 / 3
COLUMNS = (
    Column("task", "task"),
    Column("budget", "budget"),
    Column("role", "role"),
    Column("n", "n", "count"),
    Column("unit", "unit"),
    Column("mean", "mean", "number", 1, True, "mean_low", "mean_high"),
    Column("share", "share", "percent"),
)
ROWS = [
    {"task": "sums", "budget": "8", "role": "Wait", "n": 3, "unit": "tokens", "mean": THIRD, "mean_low": -THIRD,
     "mean_high": 2 / 3, "mean_method": "clustered", "share": 0.125, "n_questions": 2},
    {"task": "all tasks", "budget": None, "role": "Wait", "n": None, "unit": None, "mean": math.inf, "mean_low": None,
     "mean_high": None, "mean_method": "no interval: few", "share": None, "n_questions": None},
]  # fmt: skip
ALL = Definition.model_validate({"title": "t", "about": "a", "parts": [{"part": "diagnostics"}]})


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    return load_run(store_run(tmp_path / "mine", [ask(0, "7")], [Drawn("7", RIGHT), Drawn("8")]))


def diagnose(run: StoredRun, rows: list[dict[str, object]], kind: str = "pruning") -> None:
    folder = DiagnosisFolder(run.directory / "diagnostics", kind, {})
    write_section(folder, "Pruning", "", [SectionTable("main", "In percent", COLUMNS, rows, 3, brief=False)], notes=["Beware."])
    folder.finish({}, samples=stamp_samples(run.directory))


def test_a_number_is_a_row_in_full_precision(run: StoredRun) -> None:
    diagnose(run, ROWS)
    made = assemble(ALL, [run])
    own = made.frame[made.frame["metric"].str.startswith("pruning: ")]
    assert list(own["metric"]) == ["pruning: n", "pruning: mean", "pruning: share"] * 2
    (mean,) = own[(own["metric"] == "pruning: mean") & (own["task"] == "sums")].to_dict("records")
    assert (mean["value"], mean["low"], mean["high"], mean["interval_level"]) == (THIRD, -THIRD, 2 / 3, 0.95)
    assert (mean["run"], mean["domain"], mean["budget"]) == ("test", "in_domain", "8")
    assert pd.isna(mean["n_questions"])  # the column of that name may count the questions of another number
    assert (mean["table"], mean["series"], mean["method"]) == ("main", "role=Wait; unit=tokens", "clustered")
    first = made.frame.iloc[0]
    for name in ("model", "engine", "n_samples"):
        assert mean[name] == first[name]
    (endless,) = own[(own["metric"] == "pruning: mean") & (own["task"] == "all tasks")].to_dict("records")
    assert pd.isna([endless["value"], endless["low"], endless["interval_level"]]).all()
    assert (endless["domain"], endless["budget"]) == ("", "")
    assert (endless["series"], endless["method"]) == ("role=Wait", "no interval: few")


def test_rows_stand_in_every_form_of_the_numbers_and_have_the_diagnosis_s_notes(run: StoredRun, tmp_path: Path) -> None:
    diagnose(run, ROWS)
    made = assemble(ALL, [run])
    (path,) = write_report(made, tmp_path / "a.parquet")
    stored = pd.read_parquet(path)
    of_kind = stored[stored["metric"] == "pruning: share"]
    assert of_kind["value"].tolist()[0] == 0.125
    assert set(of_kind["notes"].map(lambda text: "test: Pruning: Beware." in text)) == {True}
    assert not stored[stored["metric"] == "avg@n"]["notes"].str.contains("Beware").any()
    (path,) = write_report(made, tmp_path / "a.csv")
    (mean, _) = (
        row for row in csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))) if row["metric"] == "pruning: mean"
    )
    assert float(mean["value"]) == THIRD
    (path,) = write_report(made, tmp_path / "a.json")
    shown = json.loads(path.read_text(encoding="utf-8"))
    (mean, endless) = (row for row in shown["rows"] if row["metric"] == "pruning: mean")
    assert (mean["value"], endless["value"]) == (THIRD, None)
    assert "test: Pruning: Beware." in [shown["notes"][number - 1] for number in mean["notes"]]


def test_the_standard_report_has_them_too(run: StoredRun) -> None:
    before = render_report([run], format="csv")
    assert "series" not in before.splitlines()[0]
    diagnose(run, ROWS)
    rows = list(csv.DictReader(io.StringIO(render_report([run], format="csv"))))
    assert [float(row["value"]) for row in rows if row["metric"] == "pruning: share" and row["value"]] == [0.125]
    assert len(rows) == len(before.splitlines()) - 1 + 6
    shown = json.loads(render_report([run], format="json"))
    assert {number for row in shown["rows"] if row["metric"].startswith("pruning: ") for number in row["notes"]} >= {
        shown["notes"].index("test: Pruning: Beware.") + 1
    }


def test_a_terminal_leaves_out_a_table_and_the_frame_does_not(run: StoredRun) -> None:
    diagnose(run, ROWS)
    short = find_diagnosed({"test": run}, short=True)
    assert short.sections[0].tables == ()
    assert len(short.rows) == 6


def test_rows_beyond_those_that_a_page_shows_are_in_the_frame(run: StoredRun) -> None:
    diagnose(run, [{**ROWS[0], "role": f"word {number}"} for number in range(502)])
    found = find_diagnosed({"test": run}, short=False)
    assert len(found.sections[0].tables[0].rows) == 500
    assert found.rows[-1]["series"] == "role=word 501; unit=tokens"


def test_a_diagnosis_that_is_left_out_has_no_rows(run: StoredRun) -> None:
    diagnose(run, ROWS)
    DiagnosisFolder(run.directory / "diagnostics", "pruning", {}).reopen()
    assert find_diagnosed({"test": run}, short=False).rows == ()
    assert "pruning: " not in set(assemble(ALL, [run]).frame["metric"])


def test_a_task_that_no_column_shows_is_told(run: StoredRun) -> None:
    folder = DiagnosisFolder(run.directory / "diagnostics", "roles", {})
    write_section(folder, "Roles", "", [SectionTable("main", "Of sums", COLUMNS[2:], ROWS, 1)])
    folder.finish({}, samples=stamp_samples(run.directory))
    rows = find_diagnosed({"test": run}, short=False).rows
    assert [(row["task"], row["domain"], row["series"]) for row in rows[::3]] == [
        ("sums", "in_domain", "role=Wait; unit=tokens"),
        ("all tasks", "", "role=Wait"),
    ]


def test_an_interval_that_is_missing_or_gaffke_s_is_marked(run: StoredRun) -> None:
    ends = {"mean_low": 0.1, "mean_high": 0.9}
    rows = [
        {**ROWS[0], **ends, "mean_method": GAFFKE},
        {**ROWS[0], "mean_low": None, "mean_method": "no interval: few"},
        ROWS[0],
    ]
    diagnose(run, rows)
    (found,) = find_diagnosed({"test": run}, short=False).shown
    place = [column.name for column in COLUMNS].index("mean")
    assert [line[place].text for line in found.sheets[0].table.rows] == ["+0.3 [0.1, 0.9]*", "+0.3 [n/a]", "+0.3 [-0.3, 0.7]"]
    assert [line[place + 1].text for line in found.sheets[0].table.rows] == ["12.5"] * 3  # a column without intervals
    assert [note for note in found.notes if ABOUT_GAFFKE in note]
    diagnose(run, rows[1:])
    (found,) = find_diagnosed({"test": run}, short=False).shown
    assert not [note for note in found.notes if ABOUT_GAFFKE in note]


@pytest.mark.parametrize(
    ("value", "text"), [(None, "n/a"), (0.0, "<0.001"), (0.0009, "<0.001"), (0.001, "0.001"), (1, "1.000")]
)
def test_a_p_value_is_never_0(value: float | None, text: str) -> None:
    assert FORMS["p"](value, None, None, {}) == text


def test_names() -> None:
    assert (metric_of("pruning", "share"), metric_of("pruning")) == ("pruning: share", "pruning: ")
    assert series_of({"a": 0.5, "b": "", "c": None}) == "a=0.5; b="
    assert set(FORMS) == {"text", "count", "number", "percent", "p"}


@pytest.fixture(scope="module")
def diagnosed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the fake engine with every kind of diagnosis."""
    pytest.importorskip("torch", reason="the landscape moves weights (pip install 'raml-eval[hf]')")
    run = draw_run(tmp_path_factory.mktemp("runs") / "run")
    out = run / "diagnostics"
    diagnose_statistics(run, out)
    diagnose_curves(run, Curves(), quiet=True)
    diagnose_roles(run, Roles(), quiet=True)
    prune_run(run, ["share:0.5", "no-repeats"], quiet=True)
    draw_landscape(run, out, Choices(n_questions=1, points=3, steps=2), {"backend": "hf"}, quiet=True)
    return run


def test_every_number_of_a_page_is_in_the_frame(diagnosed: Path) -> None:
    loaded = load_run(diagnosed)
    found = find_diagnosed({"run": loaded}, short=False)
    assert {one.kind for one in found.shown} == set(ORDER)
    for one in found.shown:
        assert one.rows
        for sheet in one.sheets:
            assert list(unlike(sheet)) == []
    for name in ("checkpoint", "paper-figure-3", "paper-figure-6"):
        made = assemble(find_report(name)[1], [loaded])
        assert len(made.report.sections) > 1
        assert lost_numbers(made) == []
        told = made.frame[made.frame["table"].notna()]
        keys = told[["run", "task", "budget", "metric", "table", "series"]].astype(str)
        assert not keys.duplicated().any()


def unlike(sheet: Sheet) -> Iterator[tuple[str, str]]:
    """The cells whose numbers are not those of their rows of the frame, in their order."""
    rows = iter(sheet.numbers)
    for line in sheet.table.rows:
        for column, cell in list(zip(sheet.columns, line, strict=True))[sheet.table.n_labels :]:
            if cell.text.startswith("<"):
                assert float(next(rows)["value"]) < 0.001
                continue
            if not cell.text or not (cell.text[-1].isdigit() or cell.text[-1] in "]*" or cell.text == "n/a"):
                continue  # a text, such as a unit
            row = next(rows)
            known = {
                f"{scale * row[end]:z.{digits}f}"
                for end in ("value", "low", "high")
                for scale in (1, 100)
                for digits in range(7)
                if row[end] is not None
            }
            named = row["metric"].endswith(f": {column}") and (row["value"] is None) == (cell.text == "n/a")
            if not named or any(one.lstrip("+") not in known for one in NUMBER.findall(cell.text)):
                yield cell.text, str(row)
