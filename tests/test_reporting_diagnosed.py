"""A report shows the diagnoses of a run as their files say, and tells what it leaves out."""

from __future__ import annotations

import html
import json
import unicodedata
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.section import Column, SectionFigure, SectionTable, write_section
from raml_eval.drawing import new_figure, plain_label
from raml_eval.errors import CorruptStore
from raml_eval.reporting.diagnosed import find_diagnosed, render_diagnosis, why_not_shown
from raml_eval.reporting.report import render_report
from raml_eval.reporting.reports.assemble import assemble
from raml_eval.reporting.reports.definition import find_report
from raml_eval.reporting.reports.files import text_of, write_report
from raml_eval.store.grades import Layer, change_of, write_layer
from raml_eval.store.stamp import stamp_samples
from raml_eval.tables import load_run
from raml_eval.types import Grade, Status, StoredRun
from tests.hostile import PAYLOADS
from tests.stored import Drawn, ask, store_run

RIGHT = Grade(Status.CORRECT, "7")
COLUMNS = (
    Column("task", "task"),
    Column("n", "thinkings", "count"),
    Column("mean", "mean", "number", 2, low="low", high="high"),
    Column("share", "share", "percent", low="share_low", high="share_high"),
    Column("change", "change", "number", 1, signed=True),
)
ROWS = [
    {"task": "sums", "n": 12, "mean": 3.14159, "low": 2.0, "high": 4.0, "share": 0.25, "share_low": 0.1, "share_high": 0.5,
     "change": 1.5, "hidden": "x"},
    {"task": None, "n": None, "mean": None, "low": None, "high": None, "share": None, "share_low": None, "share_high": None,
     "change": -0.04, "hidden": "y"},
]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    return load_run(store_run(tmp_path / "mine", [ask(0, "7")], [Drawn("7", RIGHT), Drawn("8")]))


def diagnose(
    run: StoredRun, kind: str = "pruning", title: str = "Pruning", lead: str = "What it shows.", text: str = "seen"
) -> Path:
    folder = DiagnosisFolder(run.directory / "diagnostics", kind, {})
    with new_figure(6, 3) as figure:
        axes = figure.subplots()
        axes.plot([1, 2])
        axes.set_title(plain_label("".join(filter(str.isprintable, text.encode("ascii", "ignore").decode()))[:30]))
    rows = [{**ROWS[0], "task": text.encode("utf-8", "replace").decode()}, ROWS[1]]
    tables = [
        SectionTable("main", "In percent", COLUMNS, rows, 1),
        SectionTable("detail", "Detail", COLUMNS[:1], ROWS[:1], brief=False),
    ]
    write_section(folder, title, lead, tables, [SectionFigure("curve", title, "a curve", figure)], [text])
    folder.finish({}, samples=stamp_samples(run.directory))
    return folder.path


def test_numbers_are_written_as_the_columns_say(run: StoredRun) -> None:
    diagnose(run)
    (section,) = find_diagnosed({"test": run}, short=False).sections
    assert (section.title, section.lead) == ("Pruning", "What it shows.")
    assert [cell.text for cell in section.tables[0].header] == ["task", "thinkings", "mean", "share", "change"]
    assert [[cell.text for cell in row] for row in section.tables[0].rows] == [
        ["seen", "12", "3.14 [2.00, 4.00]", "25.0 [10.0, 50.0]", "+1.5"],
        ["", "n/a", "n/a", "n/a", "+0.0"],
    ]
    assert [one.title for one in find_diagnosed({"test": run}, short=True).sections[0].tables] == ["In percent"]


def test_every_report_includes_it(run: StoredRun, tmp_path: Path) -> None:
    diagnose(run)
    for format in ("terminal", "markdown", "latex"):
        text = render_report([run], format=format)
        assert "Pruning" in text
        assert "25.0 [10.0, 50.0]" in text
        assert "test: Pruning: seen" in text
    made = assemble(find_report("checkpoint")[1], [run])
    page = text_of(made, "html")
    assert "<svg" in page
    assert "25.0" in page
    written = {path.name for path in write_report(made, tmp_path / "folder")}
    assert {"curve.svg", "curve.pdf", "curve.png"} <= written
    stored = run.directory / "diagnostics" / "pruning"
    assert (tmp_path / "folder" / "figures" / "curve.png").read_bytes() == (stored / "curve.png").read_bytes()


def test_a_run_without_diagnoses_has_neither_sections_nor_notes(run: StoredRun) -> None:
    found = find_diagnosed({"test": run}, short=False)
    assert (found.sections, found.notes) == ((), ())
    made = assemble(find_report("checkpoint")[1], [run])
    assert not [note for note in made.report.notes if "diagnos" in note]
    (run.directory / "diagnostics" / "notes").mkdir(parents=True)  # a folder of somebody else's
    assert find_diagnosed({"test": run}, short=False) == found


def test_several_runs_and_kinds_have_their_names_and_order(tmp_path: Path) -> None:
    runs = {name: load_run(store_run(tmp_path / name, [ask(0, "7")], [Drawn("7", RIGHT)])) for name in ("a", "b")}
    diagnose(runs["a"], "pruning")
    diagnose(runs["a"], "statistics", "Trajectory statistics")
    diagnose(runs["b"], "another", "Another")
    titles = [section.title for section in find_diagnosed(runs, short=False).sections]
    assert titles == ["Trajectory statistics: a", "Pruning: a", "Another: b"]
    figures = [one.name for section in assemble(find_report("checkpoint")[1], list(runs.values())).report.sections
               for one in section.figures]  # fmt: skip
    assert len({name.lower() for name in figures}) == len(figures)


def add_sample(run: StoredRun, folder: Path) -> None:
    lines = (run.directory / "samples.jsonl").read_text().splitlines()
    (run.directory / "samples.jsonl").write_text("\n".join([*lines, lines[-1].replace('"sample":1', '"sample":2')]) + "\n")


def regrade(run: StoredRun, folder: Path) -> None:
    record = run.records[1]
    changes = {(record.key, record.budget): change_of(record, RIGHT)}
    write_layer(run.directory, Layer(1, "9", "2026-01-01", 1, 1, changes))


def add_thinking(run: StoredRun, folder: Path) -> None:
    with (run.directory / "trajectories.jsonl").open("a") as file:
        file.write((run.directory / "trajectories.jsonl").read_text().splitlines()[0] + "\n")


def draw_again(run: StoredRun, folder: Path) -> None:
    """The first sample's line was deleted, and the sample drawn again."""
    first, *others = (run.directory / "samples.jsonl").read_text().splitlines()
    (run.directory / "samples.jsonl").write_text("\n".join([*others, first]) + "\n")


def test_a_diagnosis_of_an_earlier_version_is_shown_by_the_numbers_that_it_has(run: StoredRun) -> None:
    folder = diagnose(run)
    about = json.loads((folder / "diagnosis.json").read_text())
    about["samples"] = {name: about["samples"][name] for name in ("run", "n_samples", "n_trajectories", "verdicts")}
    (folder / "diagnosis.json").write_text(json.dumps(about))
    assert find_diagnosed({"test": run}, short=False).left_out == ()
    add_sample(run, folder)
    assert len(find_diagnosed({"test": run}, short=False).left_out) == 1


def test_the_command_to_run_again_names_the_run_and_no_folder_above_it(run: StoredRun) -> None:
    cut_short(run, diagnose(run))
    (note,) = find_diagnosed({"test": run}, short=False).left_out
    assert f"diagnose pruning {run.directory.name} " in note
    assert str(run.directory.parent) not in note
    about = json.loads((run.directory / "diagnostics" / "pruning" / "diagnosis.json").read_text())
    assert "diagnose pruning 'my runs/a' --by" in why_not_shown(about, {}, "my runs/a")


def cut_short(run: StoredRun, folder: Path) -> None:
    DiagnosisFolder(folder.parent, "pruning", {}).reopen()


def forget_samples(run: StoredRun, folder: Path) -> None:
    DiagnosisFolder(folder.parent, "pruning", {}).finish({}, samples=None)


def edit(name: str, old: str, new: str) -> Callable[[StoredRun, Path], None]:
    def change(run: StoredRun, folder: Path) -> None:
        text = (folder / name).read_text()
        assert old in text
        (folder / name).write_text(text.replace(old, new))

    return change


def remove(name: str) -> Callable[[StoredRun, Path], None]:
    return lambda run, folder: (folder / name).unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            add_sample,
            "it is of 2 samples, and the run has 3 now. Run `raml-eval diagnose pruning mine --by ...` again, with the same "
            "options.",
        ),
        (regrade, "the run was regraded since"),
        (add_thinking, "the run was given more thinking since"),
        (draw_again, "the run was drawn anew in part since"),
        (cut_short, "it is not complete"),
        (forget_samples, "it does not say of which samples it is"),
        (edit("diagnosis.json", "{", "["), "cannot be read"),
        (edit("section.json", '"schema_version": 1', '"schema_version": 2'), "no schema_version 1"),
        (edit("section.json", '"main.parquet"', '"../../questions.jsonl"'), "no name of a table"),
        (edit("section.json", '"curve"', '"../curve"'), "no name of a figure"),
        (edit("section.json", '"number"', '"code"'), "nothing is called 'code'"),
        (edit("section.json", '"mean"', '"nothing"'), "nothing is called 'nothing'"),
        (remove("main.parquet"), "main.parquet is missing"),
        (remove("curve.pdf"), "curve.pdf is missing"),
        (edit("curve.svg", "<defs>", "<script>alert(1)</script><defs>"), "the element 'script'"),
        (edit("curve.svg", "<defs>", '<g onclick="alert(1)"/><defs>'), "the attribute 'onclick'"),
        (edit("curve.svg", "<defs>", '<image href="http://evil.example/a.png"/><defs>'), "the attribute 'href'"),
        (edit("curve.svg", "<svg ", "<svg"), "cannot be read"),
        (edit("curve.svg", "<!DOCTYPE svg ", '<!DOCTYPE svg [<!ENTITY a "b">] '), "cannot be read"),
    ],
)
def test_what_cannot_be_shown_is_told_and_left_out(
    run: StoredRun, change: Callable[[StoredRun, Path], None], reason: str
) -> None:
    folder = diagnose(run)
    diagnose(run, "statistics", "Good")
    change(run, folder)
    found = find_diagnosed({"test": run}, short=False)
    (note,) = [note for note in found.notes if "left out" in note and "pruning" in note]
    assert reason in note
    assert "Pruning" not in [section.title for section in found.sections]
    if change not in (add_sample, regrade, add_thinking, draw_again):
        assert [section.title for section in found.sections] == ["Good"]
    if change is not add_thinking:  # a line twice is a run that no report reads
        text = render_report([load_run(run.directory)], format="markdown", allow_partial=True)
        assert note in html.unescape(text.replace("\\", ""))


def test_hostile_texts_are_shown_as_texts(run: StoredRun) -> None:
    def pages(payloads: Sequence[str]) -> dict[str, str]:
        for number, payload in enumerate(payloads):
            clean = payload.encode("utf-8", "replace").decode()  # JSON files hold no half characters
            folder = DiagnosisFolder(run.directory / "diagnostics", f"kind{number}", {})
            table = SectionTable("main", clean, [Column("task", clean)], [{"task": clean}])
            write_section(folder, clean, clean, [table], notes=[clean])
            folder.finish({}, samples=stamp_samples(run.directory))
        made = assemble(find_report("checkpoint")[1], [run])
        return {format: text_of(made, format) for format in ("html", "markdown", "terminal", "latex")}

    plain, hostile = pages(["harmless"] * len(PAYLOADS)), pages(PAYLOADS)
    for opener in (
        "<script",
        "<img",
        "<iframe",
        "<style",
        "<link",
        "<meta",
        "<a ",
        "<form",
        "<object",
        "<base",
        "<math",
        "<svg",
    ):
        assert hostile["html"].count(opener) == plain["html"].count(opener), opener
        assert hostile["markdown"].count(opener) == plain["markdown"].count(opener), opener
    assert "\\input{" not in hostile["latex"]
    for text in hostile.values():
        assert not [c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"]


def test_a_table_shows_its_first_rows(run: StoredRun) -> None:
    folder = DiagnosisFolder(run.directory / "diagnostics", "many", {})
    write_section(folder, "Many", "", [SectionTable("rows", "Rows", COLUMNS[:1], [{"task": str(i)} for i in range(600)])])
    folder.finish({}, samples=stamp_samples(run.directory))
    (table,) = find_diagnosed({"test": run}, short=False).sections[0].tables
    assert (table.title, len(table.rows)) == ("Rows (the first 500 of 600 rows)", 500)


def test_one_diagnosis_is_rendered_by_itself(run: StoredRun) -> None:
    folder = diagnose(run)
    text = render_diagnosis(folder)
    assert text.startswith("Pruning\n=======\nWhat it shows.")
    assert "Detail" not in text
    assert "Detail" in render_diagnosis(folder, "markdown")
    (folder / "section.json").write_text(json.dumps({"schema_version": 1}))
    with pytest.raises(CorruptStore, match="Delete the folder"):
        render_diagnosis(folder)


def test_a_figure_that_this_version_draws_is_accepted(run: StoredRun) -> None:
    folder = diagnose(run)
    names = {element.tag.rpartition("}")[2] for element in ElementTree.parse(folder / "curve.svg").iter()}
    assert "path" in names
    assert find_diagnosed({"test": run}, short=False).sections[0].figures[0].name == "curve"


def test_a_part_shows_the_kinds_and_figures_that_it_names(run: StoredRun, tmp_path: Path) -> None:
    diagnose(run, "pruning", "Pruning")
    diagnose(run, "statistics", "Statistics")
    part = "  - part: diagnostics\n    kinds: [{kind}]\n    figures: [{figure}]\n"
    for kind, figure, titles, n_figures in (("pruning", "curve", ["Pruning"], 1), ("pruning", "other", ["Pruning"], 0)):
        text = f"title: T\nabout: A\nparts:\n  - part: runs\n{part.format(kind=kind, figure=figure)}"
        (tmp_path / "report.yaml").write_text(text, encoding="utf-8")
        made = assemble(find_report(str(tmp_path))[1], [run])
        found = [section for section in made.report.sections if section.title in ("Pruning", "Statistics")]
        assert [section.title for section in found] == titles
        assert sum(len(section.figures) for section in found) == n_figures
        told = f"part 2 (diagnostics) has no figure {figure} of test: pruning has nothing to draw there"
        assert (told in made.report.notes) == (not n_figures)


def test_a_run_without_the_named_diagnosis_is_told(run: StoredRun, tmp_path: Path) -> None:
    diagnose(run, "pruning")
    text = "title: T\nabout: A\nparts:\n  - part: runs\n  - part: diagnostics\n    kinds: [pseudo-gradient]\n"
    (tmp_path / "report.yaml").write_text(text, encoding="utf-8")
    told = text_of(assemble(find_report(str(tmp_path))[1], [run]), "markdown")
    assert "no diagnosis pseudo-gradient is stored" in told
