"""Reports as files: definitions, parts, and that every number of a document is one of the frame's."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from raml_eval.errors import ConfigError, InputError, MetricError
from raml_eval.reporting.render import Table
from raml_eval.reporting.reports.assemble import PARTS, Assembled, assemble
from raml_eval.reporting.reports.definition import Definition, Part, find_report, read_definition, report_names, reports_dir
from raml_eval.reporting.reports.files import ENDINGS, figures_of, text_of, write_report
from raml_eval.reporting.reports.material import gather, rank
from raml_eval.types import Domain, Status, StoredRun
from tests.factory import make_run

TASKS: Mapping[str, Domain] = {"sums": "in_domain", "logic": "cross_domain"}
ABOUT = (
    *("base:paradigm=base", "base:step=0", "base:trajectories_per_question=1", "base:data_size=1000"),
    *("sft:paradigm=sft", "sft:step=100", "sft:trajectories_per_question=4", "sft:data_size=4000"),
    *("more:paradigm=sft", "more:step=200", "more:trajectories_per_question=16", "more:data_size=16000"),
)


def run_of(name: str, solved: int, **more: Any) -> StoredRun:
    """A run of four samples for 30 questions per task and budget; the first solved questions are mostly right."""

    def status(task: str, row: int, index: int, budget: Any) -> Status:
        edge = solved if budget == "unlimited" else solved // 2
        return Status.CORRECT if row < edge and (index or row % 3) else Status.INCORRECT

    run = make_run(status, name=name, tasks=TASKS, n_samples=4, n_questions=30, budgets=(16, "unlimited"), **more)
    questions = {
        key: replace(question, stratum=f"level {int(key[1].partition('-')[0]) % 2}") for key, question in run.questions.items()
    }
    return replace(run, questions=questions, tasks={task: replace(one, dataset=task) for task, one in run.tasks.items()})


BASE, SFT, MORE = run_of("base", 6), run_of("sft", 15), run_of("more", 22)
RUNS = (BASE, SFT, MORE)


def made(name: str, **more: Any) -> Assembled:
    return assemble(find_report(name)[1], RUNS, base=BASE, about=ABOUT, **more)


def tables_of(one: Assembled) -> list[Table]:
    return [table for section in one.report.sections for table in section.tables]


@pytest.mark.parametrize("name", report_names())
def test_every_shipped_report_is_made_in_every_form(name: str, tmp_path: Path) -> None:
    report = made(name)
    assert report.report.sections
    written = write_report(report, tmp_path / "out")
    assert {path.name for path in written} >= {
        f"report{ending}" for ending in (".md", ".html", ".tex", ".csv", ".json", ".parquet")
    }
    assert all(path.stat().st_size for path in written)
    for figure in figures_of(report):
        assert f"figures/{figure.name}.svg" in (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
        assert (tmp_path / "out" / "figures" / f"{figure.name}.pdf").read_bytes().startswith(b"%PDF")
    assert text_of(made(name, short=True), "terminal")


@pytest.mark.parametrize("name", report_names())
@pytest.mark.parametrize("more", [{}, {"full": True}, {"short": True}], ids=["plain", "full", "short"])
def test_no_table_of_a_shipped_report_has_two_columns_of_one_name(name: str, more: dict[str, bool]) -> None:
    tables = tables_of(made(name, **more))
    assert tables
    for table in tables:
        names = [cell.text for cell in table.header]
        assert len(names) == len(set(names)), f"{table.title}: {names}"


def test_the_shipped_reports_are_those_of_the_documentation() -> None:
    assert set(report_names()) == {
        *("budget-sweep", "checkpoint", "comparison", "generalization", "stability", "paper-table-2", "paper-table-3"),
        *(
            "paper-figure-2",
            "paper-figure-3",
            "paper-figure-5",
            "paper-figure-6",
            "paper-figure-12",
            "paper-figure-4",
            "paper-figure-7",
            "paper-figure-8",
            "paper-figure-9",
            "paper-figure-11",
        ),
    }
    used = {part.part for name in report_names() for part in find_report(name)[1].parts}
    assert used == set(PARTS)


NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?(?:e[-+]\d+)?")
NO_RESULTS = ("Checkpoints", "Correct samples of a question")  # docs/reports.md: what the frame does not have
COLUMNS = (
    *("value", "low", "high", "n_questions", "n_samples", "k", "tau", "p_holm"),
    *("low_alone", "high_alone", "value_base", "value_new"),
)


@pytest.mark.parametrize(
    "name", ["checkpoint", "generalization", "stability", "budget-sweep", "comparison", "paper-figure-7", "paper-figure-8"]
)
def test_every_number_of_a_table_is_in_the_frame(name: str) -> None:
    assert lost_numbers(made(name, full=True)) == []


def lost_numbers(report: Assembled) -> list[tuple[str, str, str]]:
    """The numbers of the report's tables that its frame does not have: the table, the cell and the number."""
    known = set()
    for column in COLUMNS:
        for value in report.frame.get(column, ()):
            if not pd.isna(value):
                known |= {f"{scale * float(value):z.{digits}f}" for scale in (1, 100) for digits in range(7)}
                known |= (
                    {"0.001" if float(value) < 0.001 else f"{float(value):.3f}"} if column in ("p_holm", "value") else set()
                )
                known |= {f"{float(value):.2g}"}
    lost = []
    for table in tables_of(report):
        for row in table.rows:
            for cell in row[table.n_labels :]:
                lost += [(table.title, cell.text, one) for one in NUMBER.findall(cell.text) if one.lstrip("+") not in known]
    return [one for one in lost if one[0] not in NO_RESULTS]


def test_generalization_of_known_runs() -> None:
    report = made("generalization")
    frame = report.frame
    sft = frame[frame["run"] == "sft"]
    gain = sft[
        (sft["metric"] == "gain") & (sft["task"] == "macro") & (sft["domain"] == "in_domain") & (sft["budget"] == "unlimited")
    ]
    # Of every three solved questions, one has three of four samples right.
    share = (2 + 0.75) / 3
    assert float(gain["value"].iloc[0]) == pytest.approx(9 * share / 30)
    ratio = sft[sft["metric"] == "transfer_ratio"]
    assert float(ratio["value"].iloc[0]) == pytest.approx(1.0)  # both tasks have the same samples
    kept = sft[(sft["metric"] == "retention") & (sft["domain"] == "in_domain")]
    assert float(kept["value"].iloc[0]) == pytest.approx((4 * 1 + 2 * 0.75**2) / (4 + 2 * 0.75))
    levels = sft[sft["level"].notna()]
    assert set(levels["level"]) == {"level 0", "level 1"}


def test_claims_are_tested_with_holm() -> None:
    (table,) = (table for table in tables_of(made("paper-figure-7")) if table.title == "Claims of direction")
    told = [(row[1].text, row[4].text) for row in table.rows]
    assert told == [(run, verdict) for _ in range(2) for run, verdict in (("sft", "holds"), ("more", "holds"))]
    (rises,) = (table for table in tables_of(made("paper-figure-8")) if table.title == "Claims of direction")
    assert [(row[1].text, row[4].text) for row in rises.rows] == [("sft, more", "holds")]
    (none,) = (table for table in tables_of(made("paper-figure-9")) if table.title == "Claims of direction")
    assert none.rows[0][4].text == "not tested: needs runs with two values of trajectories_per_question"


def test_published_rows_stand_beside_and_are_marked() -> None:
    (table,) = tables_of(made("paper-table-2"))
    assert {row[2].text for row in table.rows} == {"published, not rerun"}
    assert [row[3].text for row in table.rows] == ["20.34", "36.69", "27.37"]
    lead = made("paper-table-2").report.sections[0].lead
    assert "the table of other tasks is an example" in lead
    assert "pass@8, mg_pass@8 cannot be given: these runs have at most 4 samples per question" in lead


def test_parquet_and_csv_hold_the_frame(tmp_path: Path) -> None:
    report = made("generalization")
    (path,) = write_report(report, tmp_path / "a.parquet")
    stored = pd.read_parquet(path)
    assert len(stored) == len(report.frame)
    assert {"run", "task", "metric", "value", "low", "high", "level", "notes"} <= set(stored.columns)
    (text,) = write_report(report, tmp_path / "a.csv")
    assert len(pd.read_csv(text)) == len(report.frame)
    (content,) = write_report(report, tmp_path / "a.json")
    assert len(json.loads(content.read_text(encoding="utf-8"))["rows"]) == len(report.frame)


PLACE = (
    "run",
    "task",
    "domain",
    "budget",
    "metric",
    "k",
    "tau",
    "against",
    "part",
    "table",
    "series",
    "family",
    "claim",
    "level",
)


@pytest.mark.parametrize("name", report_names())
@pytest.mark.parametrize("partial", [False, True])
def test_a_number_that_two_parts_show_stands_once(name: str, partial: bool) -> None:
    if partial and find_report(name)[1].base == "required":
        pytest.skip("such a report takes whole runs")
    lacking = (replace(SFT, records=SFT.records[: -len(SFT.records) // 5]), MORE) if partial else RUNS
    base = None if partial else BASE
    frame = assemble(find_report(name)[1], lacking, base=base, allow_partial=partial).frame
    place = frame[[column for column in PLACE if column in frame]].astype(object).where(frame.notna(), "")
    assert not place.duplicated().any()
    if partial and "part" in frame:
        of_sweep = frame[frame["part"] == "trajectories with every budget"]
        assert set(of_sweep["run"]) == {"sft"}  # the run that lacks none shows its numbers once


def test_one_document_has_its_figures_beside_it(tmp_path: Path) -> None:
    written = [path.relative_to(tmp_path).as_posix() for path in write_report(made("stability"), tmp_path / "mine.md")]
    assert written == ["mine.md", "mine_figures/stability-curve.svg"]
    assert "](mine_figures/stability-curve.svg)" in (tmp_path / "mine.md").read_text(encoding="utf-8")
    assert [path.name for path in write_report(made("stability"), tmp_path / "one.png")] == ["one.png"]
    with pytest.raises(ConfigError, match=r"one\.png is one picture, and the report has 2 figures"):
        write_report(made("checkpoint"), tmp_path / "one.png")
    with pytest.raises(ConfigError, match=r"ends in '\.doc'; wanted one of \.md, \.html"):
        write_report(made("stability"), tmp_path / "a.doc")
    assert ".parquet" in ENDINGS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("paradigm=rl", "is not RUN:KEY=VALUE"),
        ("sft:paradigm", "is not RUN:KEY=VALUE"),
        ("sft:=rl", "is not RUN:KEY=VALUE"),
        ("sff:step=1", "is about a run 'sff'. Did you mean sft"),
        ("sft:step=many", "step is 'many'; wanted a whole number"),
        ("sft:paradigm=magic", "the paradigm is 'magic'; wanted one of base, sft, rl, sft[+]rl"),
        ("sft:name=other", "tells the name, which every run has of its own"),
        (f"sft:step={'9' * 5000}", "step is '999.*; wanted a whole number"),
    ],
)
def test_what_is_told_of_a_run_is_checked(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        gather(RUNS, about=[text])


def test_what_is_told_goes_before_the_checkpoint_s_record() -> None:
    run = replace(SFT, manifest={**SFT.manifest, "model": {"checkpoint": {"step": 5, "base": "x"}}})
    assert gather([run]).about == {"sft": {"step": 5, "base": "x"}}
    assert gather([run], about=["sft:step=7"]).about == {"sft": {"step": 7, "base": "x"}}


def test_a_key_is_told_of_a_run_once() -> None:
    with pytest.raises(ConfigError, match=r"--about tells step of sft twice, as 'sft:step=1' and 'sft:step=2'; wanted once"):
        gather(RUNS, about=["sft:step=1", "more:step=2", "sft:step=2"])


def test_a_run_s_own_name_and_model_choose_order_and_group() -> None:
    record = {"name": "zz", "model": "zz", "step": 10**400}
    runs = [MORE, BASE, replace(SFT, manifest={**SFT.manifest, "model": {"checkpoint": record}})]
    by_name = assemble(parts({"part": "runs"}, runs={"name": ["sft", "more", "base"]}, order="name"), runs)
    assert [run.name for run in by_name.runs] == ["base", "more", "sft"]
    with pytest.raises(ConfigError, match="only those with name zz"):
        assemble(parts({"part": "runs"}, runs={"name": ["zz"]}), runs)
    (table,) = tables_of(assemble(parts({"part": "trend", "group": "name"}), RUNS, about=ABOUT))
    assert [row[0].text for row in table.rows] == ["base", "more", "sft"]
    (table,) = tables_of(assemble(parts({"part": "trend", "group": "model"}), RUNS, about=ABOUT))
    assert {row[0].text for row in table.rows} == {"tiny"}


def test_a_step_that_is_no_finite_number_stands_after_those_that_are() -> None:
    endless = replace(SFT, manifest={**SFT.manifest, "model": {"checkpoint": {"step": 10**400}}})
    report = assemble(parts({"part": "runs"}, order="step"), [endless, MORE, BASE], about=["more:step=7"])
    assert [run.name for run in report.runs] == ["more", "sft", "base"]
    with pytest.raises(ConfigError, match=r"x is step, and sft tells 1000.*; wanted a finite number"):
        assemble(parts({"part": "trend"}), [endless, MORE], about=["more:step=7"])


def test_a_base_outside_the_runs_is_told_of_and_listed() -> None:
    base = replace(BASE, name="sft", directory=Path("other/sft"))
    about = ["other/sft:paradigm=base", "sft:paradigm=sft"]
    report = assemble(parts({"part": "runs"}), [SFT], base=base, about=about)
    (table,) = tables_of(report)
    assert [(row[0].text, row[2].text) for row in table.rows] == [("sft", "sft"), ("other/sft (base)", "base")]
    assert [line.partition(":")[0] for line in report.report.lead[1:]] == ["sft", "other/sft (base)"]
    assert set(report.frame["run"]) == {"sft"}
    among = assemble(parts({"part": "runs"}, runs={"paradigm": ["sft"]}), RUNS, base=BASE, about=ABOUT)
    assert [row[2].text for row in tables_of(among)[0].rows] == ["sft", "sft", "base"]  # told, though not chosen
    with pytest.raises(ConfigError, match=r"is about a run 'bse'\. Did you mean base\?"):
        assemble(parts({"part": "runs"}), [SFT], base=BASE, about=["bse:paradigm=base"])


def test_runs_are_chosen_and_ordered() -> None:
    definition = Definition(title="t", about="a", runs={"paradigm": ["sft"]}, order="step", parts=(Part(part="runs"),))
    report = assemble(definition, (MORE, BASE, SFT), about=ABOUT)
    assert [row[0].text for row in tables_of(report)[0].rows] == ["sft", "more"]
    nothing = definition.model_copy(update={"runs": {"paradigm": ("rl",)}})
    with pytest.raises(ConfigError, match=r"runs takes only those with paradigm rl\. These have base, sft"):
        assemble(nothing, RUNS, about=ABOUT)
    assert sorted([None, "b", 10, 9], key=rank) == [9, 10, "b", None]


def test_a_report_over_a_base_needs_one() -> None:
    with pytest.raises(ConfigError, match=r"measures gains over a base run\. Name its directory with --base"):
        assemble(find_report("generalization")[1], RUNS)


def test_an_unknown_report_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no report 'generalisation'\. Did you mean generalization"):
        find_report("generalisation")
    with pytest.raises(ConfigError, match="cannot read"):
        find_report(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("title: a\nabout: b\n", "parts is missing"),
        ("title: a\nabout: b\nparts: []\n", r"parts is .*wanted at least 1"),
        (
            "title: a\nabout: b\nparts: [{part: tabel}]\n",
            r"part 1 \(tabel\): part is 'tabel', wanted [^;]* or claims \(did you mean table\?\)\. docs",
        ),
        (
            "title: a\nabout: b\nparts: [{part: runs, x_axis: step}]\n",
            r"unknown key 'part 1 \(runs\): x_axis'\. Keys of part 1 \(runs\): part, ",
        ),
        ("title: a\ntitle: b\n", "the key 'title' occurs twice"),
    ],
)
def test_a_wrong_definition_is_refused_by_key(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "report.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        read_definition(path)


def test_one_s_own_definition(tmp_path: Path) -> None:
    content = {
        "title": "mine",
        "about": "x",
        "parts": [{"part": "table", "metrics": ["avg@n", "pass@2"], "tasks": ["sums"], "budgets": [16]}],
    }
    (tmp_path / "report.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    name, definition = find_report(str(tmp_path))
    assert name == tmp_path.name
    (table,) = tables_of(assemble(definition, [SFT]))
    assert [cell.text for cell in table.header] == ["model", "budget", "sums avg@n", "sums pass@2"]
    assert [row[1].text for row in table.rows] == ["16"]


def test_the_reports_ship_in_the_checkout() -> None:
    folder = reports_dir()
    assert folder is not None
    assert folder.name in ("reports", "_reports")


def test_the_wheel_holds_every_report() -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    wanted = {f"reports/{name}/report.yaml": f"raml_eval/_reports/{name}/report.yaml" for name in report_names()}
    assert {source: place for source, place in included.items() if source.startswith("reports/")} == wanted


def parts(*given: dict[str, Any], **more: Any) -> Definition:
    return Definition.model_validate({"title": "t", "about": "a", "parts": list(given), **more})


def test_tokens_are_no_shares() -> None:
    part = {"part": "trend", "metrics": ["thinking_tokens_mean"]}
    trend, table = tables_of(assemble(parts(part, {**part, "part": "table"}), RUNS, about=ABOUT))
    assert {cell.text for row in (*trend.rows, *table.rows) for cell in row[-2:]} <= {"40.0", "16.0"}
    assert "tokens as they are" in trend.title


def test_two_trends_are_two_files(tmp_path: Path) -> None:
    report = assemble(parts({"part": "trend"}, {"part": "trend"}), RUNS, about=ABOUT)
    assert [figure.name for figure in figures_of(report)] == ["avg-at-n-by-step", "avg-at-n-by-step-2"]


def test_a_claim_s_row_is_about_the_run_it_tested() -> None:
    frame = made("paper-figure-7").frame
    tested = frame[frame["metric"] == "claim: gain"]
    assert sorted(set(tested["run"])) == ["more", "sft"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sums": [50.0]}, "another number of values for sums"),
        ({"smus": [1.0, 2.0]}, "values of smus, which tasks does not name"),
    ],
)
def test_published_values_must_fit_their_columns(tmp_path: Path, values: dict[str, list[float]], words: str) -> None:
    part = {
        "part": "published",
        "tasks": ["sums"],
        "metrics": ["avg@n", "pass@2"],
        "published": [{"name": "x", "values": values}],
    }
    (tmp_path / "report.yaml").write_text(yaml.safe_dump({"title": "t", "about": "a", "parts": [part]}), encoding="utf-8")
    with pytest.raises(ConfigError, match=words):
        read_definition(tmp_path / "report.yaml")


def test_a_bare_off_is_a_budget_and_a_mistyped_one_is_an_error() -> None:
    assert Part.model_validate({"part": "table", "budgets": [False, 16]}).budgets == ("off", "16")
    with pytest.raises(
        ConfigError, match=r"part 1 \(table\) shows the budget 17, and no run has it\..* There are 16, unlimited"
    ):
        assemble(parts({"part": "table", "budgets": [17]}), [SFT])


def test_the_base_spelled_otherwise_is_no_run_of_its_own() -> None:
    again = replace(BASE, directory=Path(".") / ".." / Path.cwd().name / BASE.directory)
    report = assemble(find_report("paper-figure-7")[1], RUNS, base=again, about=ABOUT)
    (claims,) = (table for table in tables_of(report) if table.title == "Claims of direction")
    assert {row[1].text for row in claims.rows} == {"sft", "more"}


def test_a_pair_that_compare_refuses_is_refused() -> None:
    other = replace(BASE, manifest={**BASE.manifest, "protocol": {"sampling": {"temperature": 0.1}}})
    own = replace(SFT, manifest={**SFT.manifest, "protocol": {"sampling": {"temperature": 1.0}}})
    with pytest.raises(MetricError, match="temperature"):
        assemble(find_report("generalization")[1], [own], base=other)


def test_the_notes_of_the_pairs_and_of_the_base_are_carried() -> None:
    fake = replace(BASE, manifest={**BASE.manifest, "engine": {**BASE.manifest["engine"], "name": "fake"}})
    notes = assemble(find_report("generalization")[1], [SFT], base=fake).report.notes
    assert any(note.startswith("the base base: the fake backend made these answers up") for note in notes)
    named = replace(SFT, name="base", directory=Path("other/base"))  # a run with the label "base" is another one
    made_up = assemble(find_report("generalization")[1], [named, MORE], base=fake)
    (note,) = (note for note in made_up.notes if note.text.startswith("the base base: the fake backend"))
    assert {label for label, _, _ in note.places} == {"base", "more"}
    compared = assemble(find_report("comparison")[1], [BASE, SFT], base=BASE)
    assert (compared.frame["metric"] == "difference of avg@n").any()
    assert compared.report.notes


def test_filtered_runs_may_have_one_name() -> None:
    twins = [replace(SFT, directory=Path("a/sft")), replace(MORE, name="sft", directory=Path("b/sft"))]
    report = assemble(parts({"part": "runs"}, runs={"model": ["tiny"], "name": ["sft"]}, order="step"), [BASE, *twins])
    assert len(tables_of(report)[0].rows) == 2


def test_the_latex_says_how_the_runs_were_drawn() -> None:
    assert "samples per question" in text_of(made("stability"), "latex")


def test_figures_of_one_metric_have_names_of_their_own() -> None:
    several = (
        *({"part": "trend", "metrics": [metric]} for metric in ("pass@2", "pass@4", "g_pass@4:0.5", "g_pass@4:1")),
        *({"part": "trend", "metrics": ["pass@2"], "group": group} for group in ("data_size", "", "Data/..size")),
        {"part": "trend", "metrics": ["pass@2"]},
    )
    about = (*ABOUT, *(f"{label}:Data/..size=1" for label in ("base", "sft", "more")))
    report = assemble(parts(*several), RUNS, about=about)
    assert [figure.name for figure in figures_of(report)] == [
        "pass-at-2-by-step", "pass-at-4-by-step", "g_pass-at-4-0-5-by-step", "g_pass-at-4-1-by-step",
        "pass-at-2-by-step-per-data_size", "pass-at-2-by-step-per-nothing", "pass-at-2-by-step-per-Data-size",
        "pass-at-2-by-step-2",
    ]  # fmt: skip


def test_one_path_is_not_written_twice(tmp_path: Path) -> None:
    report = made("generalization")
    section = next(section for section in report.report.sections if section.figures)
    twice = replace(section, figures=(section.figures[0], replace(section.figures[0], name=section.figures[0].name.upper())))
    both = replace(report, report=replace(report.report, sections=(twice,)))
    with pytest.raises(ConfigError, match="two figures of the report are named heatmap, and each is a file"):
        write_report(both, tmp_path / "page.md")


def test_groups_that_are_numbers_stand_in_their_order() -> None:
    one = assemble(parts({"part": "trend", "group": "trajectories_per_question"}), RUNS, about=ABOUT)
    (table,) = tables_of(one)
    assert [row[0].text for row in table.rows] == ["1", "4", "16"]
    rates = [f"{label}:rate={rate}" for label, rate in zip(("base", "sft", "more"), ("1e-3", "16", "4"), strict=True)]
    (table,) = tables_of(assemble(parts({"part": "trend", "x": "rate"}), RUNS, about=[*ABOUT[:1], *rates]))
    assert [row[1].text for row in table.rows] == ["0.001", "4", "16"]


def test_no_table_names_two_columns_alike() -> None:
    for table in tables_of(made("generalization")):
        names = [cell.text for cell in table.header]
        assert len(set(names)) == len(names)


def test_a_partial_run_is_refused_with_advice_that_helps() -> None:
    partial = replace(SFT, records=SFT.records[1:])
    for name in ("generalization", "comparison"):
        with pytest.raises(MetricError, match=r"run sft lacks 1 of its .* --allow-partial does not change that") as error:
            assemble(find_report(name)[1], [BASE, partial], base=BASE, allow_partial=True)
        with pytest.raises(MetricError, match="--allow-partial does not change that"):
            assemble(find_report(name)[1], [BASE, partial], base=BASE)
        assert "--report checkpoint --allow-partial" in str(error.value)
    assert assemble(find_report("checkpoint")[1], [BASE, partial], allow_partial=True).report.sections


def test_a_copy_of_a_run_is_refused() -> None:
    made_at = {"created": "2026-01-01T00:00:00+00:00"}
    run = replace(SFT, manifest={**SFT.manifest, **made_at})
    copy = replace(run, directory=Path("elsewhere"))
    for runs, base in (([run, copy], None), ([copy], run)):
        with pytest.raises(InputError, match=r"is a copy of .*: both hold the same samples"):
            assemble(find_report("checkpoint")[1], runs, base=base)
    other = replace(copy, manifest={**copy.manifest, "created": "2026-01-02T00:00:00+00:00"})
    assert len(assemble(find_report("checkpoint")[1], [run, other]).runs) == 2


def test_two_runs_of_one_name_are_told_apart_in_the_head() -> None:
    first, second = (replace(SFT, directory=Path(place) / "sft") for place in ("a", "b"))
    lead = assemble(find_report("checkpoint")[1], [first, second]).report.lead
    assert [line.partition(":")[0] for line in lead[1:]] == ["a/sft", "b/sft"]


def test_avg_at_8_is_avg_at_n_of_runs_with_8_samples() -> None:
    def values(metric: str) -> list[str]:
        report = assemble(
            parts({"part": "table", "metrics": [metric]}, {"part": "trend", "metrics": [metric]}), RUNS, about=ABOUT
        )
        return [cell.text for table in tables_of(report) for row in table.rows for cell in row]

    assert values("avg@4") == values("avg@n")
    with pytest.raises(ConfigError, match=r"there is no metric 'avg@8': the runs have 4 samples per question\. Write avg@n"):
        values("avg@8")


def without_a_question(run: StoredRun) -> StoredRun:
    gone = ("sums", "0-aaaaaa")
    questions = {key: question for key, question in run.questions.items() if key != gone}
    return replace(run, questions=questions, records=tuple(r for r in run.records if (r.key.task, r.key.question_id) != gone))


def test_the_notes_of_a_pair_stand_on_its_differences_in_the_frame() -> None:
    runs = [BASE, without_a_question(SFT), without_a_question(MORE)]
    report = assemble(find_report("generalization")[1], runs, base=BASE, about=ABOUT)
    shown = json.loads(text_of(report, "json"))
    (number,) = [i for i, text in enumerate(shown["notes"], 1) if text.startswith("sft: sums: 29 questions are shared")]
    told = {(row["run"], row["metric"]) for row in shown["rows"] if number in row["notes"]}
    assert {run for run, _ in told} == {"sft"}
    assert {metric for _, metric in told} >= {"gain", "retention", "transfer_ratio"}
    assert not {metric for _, metric in told} & {"pass@k", "thinking_tokens_mean"}
    assert shown["notes"][number - 1] in report.report.notes


def test_a_report_has_no_two_empty_lines_and_fits_a_terminal() -> None:
    for name in report_names():
        lines = text_of(made(name, short=True), "terminal").splitlines()
        assert not [at for at, line in enumerate(lines[1:]) if not line and not lines[at]]
        assert max(map(len, lines)) <= 100
        assert "\n\n\n" not in text_of(made(name), "markdown")
