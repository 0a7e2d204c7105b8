"""A mistake in a report.yaml is one error that names the key, the value and what there is; what may be missing is a note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from raml_eval.errors import ConfigError
from raml_eval.reporting.reports.assemble import assemble
from raml_eval.reporting.reports.checking import ALL
from raml_eval.reporting.reports.definition import READS, Definition, find_report, read_definition
from raml_eval.reporting.reports.material import told_value
from raml_eval.types import Budget, StoredRun
from tests.factory import by_row, make_run
from tests.test_reporting_reports import ABOUT, BASE, MORE, RUNS, SFT, TASKS, parts, tables_of

PUBLISHED = {"tasks": ["sums"], "metrics": ["avg@n"], "published": [{"name": "x", "values": {"sums": [50.0]}}]}


def definition(tmp_path: Path, text: str) -> Definition:
    (tmp_path / "report.yaml").write_text(f"title: t\nabout: a\n{text}\n", encoding="utf-8")
    return read_definition(tmp_path / "report.yaml")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("parts: [{part: table, tasks: [smus]}]", r"the task 'smus', .*Did you mean sums\? There are sums"),
        ("parts: [{part: runs}, {part: levels, tasks: [all, sums]}]", r"part 2 \(levels\) has tasks all, sums: all stands for"),
        ("parts: [{part: table, budgets: [unlimitd]}]", r"budget unlimitd, .*Did you mean unlimited\? There are 16, unlimited"),
        ("parts: [{part: table, budgets: off}]", "the budget off, and no run has it"),
        ("parts: [{part: trend, x: stpe}]", r"x names 'stpe', which no run tells\. Did you mean step\?"),
        ("parts: [{part: trend, x: model}]", "x is 'model', which is no number; wanted a key that is one: trajectories_per_qu"),
        ("parts: [{part: trend, group: paradgm}]", r"group names 'paradgm', .*Did you mean paradigm\?"),
        ("runs: {paradgm: [sft]}\nparts: [{part: runs}]", r"runs names 'paradgm', .*Did you mean paradigm\?"),
        ("runs: {paradigm: [stf]}\nparts: [{part: runs}]", r"runs has the paradigm 'stf'\. Did you mean sft"),
        ("runs: {name: sfd}\nparts: [{part: runs}]", r"only those with name sfd\. Did you mean sft\? These have base, sft"),
        ("runs: {name: [sft, moer]}\nparts: [{part: runs}]", r"those with name moer, and no run is one\. Did you mean more\?"),
        ("runs: {step: [100, 999]}\nparts: [{part: runs}]", r"step 999, and no run is one\. These .*--about RUN:step=VALUE"),
        ("parts: [{part: trend, where: {name: [sft, moer]}}]", r"part 1 \(trend\): where takes those with name moer"),
        ("parts: [{part: trend, x: paradigm}]", r"x is 'paradigm', which is no number; wanted .*: .*step, data_size\.$"),
        ("parts: [{part: table, metrics: [pass@16]}]", r"part 1 \(table\) shows pass@16, which needs 16 .* have at most 4\."),
        ("parts: [{part: trend, metrics: [pass@16]}]", r"part 1 \(trend\) shows pass@16, which needs 16 samples"),
        ("order: setp\nparts: [{part: runs}]", r"order names 'setp', .*Did you mean step\?"),
        (
            "parts: [{part: claims, claims: [{says: a, test: gain, where: {paradgm: rl}}]}]",
            r"part 1 \(claims\): where names 'paradgm', .*Did you mean paradigm",
        ),
    ],
)  # fmt: skip
def test_what_no_run_can_fill_is_one_error(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words) as error:
        assemble(definition(tmp_path, text), RUNS, about=ABOUT)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "parts: [{part: trend, budgets: [16]}]",
            r"part 1 \(trend\): it does not read budgets; it reads title, note, x, group, metrics, where\.",
        ),
        ("parts: [{part: means, tasks: [sums]}]", r"part 1 \(means\): it does not read tasks; it reads title, note\."),
        ("parts: [{part: trend, metrics: [avg@n, pass@2]}]", r"part 1 \(trend\): it shows one metric, and has avg@n, pass@2"),
        ("parts: [{part: runs}, {part: claims}]", r"part 2 \(claims\): it has no claims"),
        ("parts: [{part: published}]", r"part 1 \(published\): it has no published and no metrics"),
    ],
)
def test_what_a_part_would_not_read_is_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=words):
        definition(tmp_path, text)


@pytest.mark.parametrize("told", ["many", "nan", "inf", "1e999", "-", ""])
def test_a_place_on_an_axis_is_a_finite_number(told: str) -> None:
    run = with_record(SFT, {"rate": told, "paradigm": "sft"})
    if told == "1e999":
        run = with_record(SFT, {"rate": float("inf")})
    with pytest.raises(ConfigError, match=r"x is rate, and sft tells .*; wanted a finite number"):
        assemble(parts({"part": "trend", "x": "rate"}), [BASE, run], about=["base:rate=1"])


def with_record(run: StoredRun, record: dict[str, Any]) -> StoredRun:
    return replace(run, manifest={**run.manifest, "model": {**run.manifest["model"], "checkpoint": record}})


@pytest.mark.parametrize(
    ("key", "value", "is_"),
    [("lr", "1e-4", 0.0001), ("lr", "16", 16), ("step", "200", 200), ("base", "7", "7"), ("lr", "1_000", "1_000"),
     ("lr", "nan", "nan"), ("lr", 0.5, 0.5), ("name", "12", "12")],
)  # fmt: skip
def test_a_text_that_is_a_number_is_one(key: str, value: object, is_: object) -> None:
    found = told_value(key, value)
    assert (found, type(found)) == (is_, type(is_))


def test_runs_are_chosen_by_numbers_however_they_are_written(tmp_path: Path) -> None:
    chosen = definition(tmp_path, "runs: {rate: 1e-4}\nparts: [{part: runs}]")  # which YAML reads as a text
    report = assemble(chosen, RUNS, about=["sft:rate=0.0001", "more:rate=0.1"])
    assert [run.name for run in report.runs] == ["sft"]


@pytest.mark.parametrize("name", ["generalization", "comparison", "paper-figure-7"])
def test_the_base_alone_is_no_comparison(name: str) -> None:
    with pytest.raises(ConfigError, match="holds runs against the base base, and no other run is given"):
        assemble(find_report(name)[1], [BASE], base=BASE)
    assert assemble(find_report(name)[1], [SFT], base=BASE).report.sections


def test_a_part_that_these_runs_do_not_fill_is_a_note() -> None:
    every = parts(*({"part": part} for part in ("trend", "generalization", "levels", "comparison", "stability_curve")))
    report = assemble(every, [SFT], about=["sft:step=100"], k=[1])
    notes = [note for note in report.report.notes if "is left out" in note]
    assert [note.partition(" is left out: ")[0] for note in notes] == [
        "part 1 (trend)", "part 2 (generalization)", "part 3 (levels)", "part 4 (comparison)", "part 5 (stability_curve)"
    ]  # fmt: skip
    assert "two values of step, and these tell 100" in notes[0]
    assert not [note for note in assemble(parts({"part": "runs"}), [SFT]).report.notes if "left out" in note]


def test_the_fields_of_parts_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[1] / "docs" / "reports.md").read_text(encoding="utf-8")
    part_table = page.split("\n## Your own report\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in part_table.splitlines() if line.startswith("| `")]
    told = {
        part.strip("` "): {word.strip("` ") for word in reads.split(",") if word.strip("` ")}
        for parts_, _, reads in rows
        for part in parts_.split(",")
    }
    assert {part: fields for part, fields in told.items() if fields} == {part: set(fields) for part, fields in READS.items()}


def test_a_single_value_is_a_list_of_it(tmp_path: Path) -> None:
    one = definition(tmp_path, "parts: [{part: table, tasks: sums, metrics: avg@n, budgets: 16}]")
    (part,) = one.parts
    assert (part.tasks, part.metrics, part.budgets) == (("sums",), ("avg@n",), ("16",))
    (table,) = tables_of(assemble(one, [SFT]))
    assert [cell.text for cell in table.header] == ["model", "budget", "sums avg@n"]
    assert yaml.safe_load("off") is False  # why a budget may arrive as one
    assert ALL == "all"
    assert definition(tmp_path, yaml.safe_dump({"parts": [{"part": "published", **PUBLISHED}]})).parts


def test_no_advice_is_one_that_would_be_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="only those with name") as error:
        assemble(definition(tmp_path, "runs: {name: [sfd]}\nparts: [{part: runs}]"), RUNS)
    assert "--about" not in str(error.value)
    with pytest.raises(ConfigError, match=r"part 1 \(table\) shows pass@2, .* made for k 4\. Add k 2 to those of --k"):
        assemble(parts({"part": "table", "metrics": ["pass@2"]}), RUNS, k=[4])
    both = Definition.model_validate(
        {"title": "t", "about": "a", "runs": {"paradigm": ["sft", "rl"]}, "parts": [{"part": "runs"}]}
    )
    assert len(assemble(both, RUNS, about=ABOUT).runs) == 2  # a report may be made for more paradigms than one has


def at_budgets(run: StoredRun, *budgets: Budget) -> StoredRun:
    """The run at these of its budgets alone."""
    return replace(run, budgets=budgets, records=tuple(record for record in run.records if record.budget in budgets))


def of_task(run: StoredRun, task: str) -> StoredRun:
    """The run of this task alone."""
    return replace(
        run,
        tasks={task: run.tasks[task]},
        questions={key: question for key, question in run.questions.items() if key[0] == task},
        records=tuple(record for record in run.records if record.key.task == task),
    )


def left_out(runs: Sequence[StoredRun], *given: dict[str, Any], **more: Any) -> list[str]:
    return [note for note in assemble(parts(*given), runs, **more).report.notes if "left out of" in note]


CLAIM = {"says": "it rises", "test": "rises"}
SWEPT = make_run(by_row(lambda row: 1), name="swept", tasks=TASKS, budgets=(16, 64))
STEPS = ("sft:step=1", "more:step=2")


@pytest.mark.parametrize(
    ("part", "runs", "about", "note"),
    [
        ({"part": "table", "budgets": ["unlimited"]}, [at_budgets(SFT, 16), MORE], (),
         "sft is left out of part 2 (table): drawn at 16, not at unlimited"),
        ({"part": "published", **PUBLISHED, "budgets": ["unlimited"]}, [at_budgets(SFT, 16), MORE], (),
         "sft is left out of part 2 (published): drawn at 16, not at unlimited"),
        ({"part": "table", "tasks": ["logic"]}, [of_task(SFT, "sums"), BASE, of_task(MORE, "sums")], (),
         "sft, more are left out of part 2 (table): no task logic in it"),
        ({"part": "trend"}, RUNS, STEPS,
         "base is left out of part 2 (trend): no step is told (in checkpoint.yaml, or with --about RUN:step=NUMBER)"),
        ({"part": "claims", "claims": [CLAIM]}, RUNS, STEPS,
         "base is left out of part 2 (claims): no step is told (in checkpoint.yaml, or with --about RUN:step=NUMBER)"),
        ({"part": "trend"}, [at_budgets(BASE, 16), at_budgets(SFT, "unlimited"), at_budgets(MORE, "unlimited")],
         (*STEPS, "base:step=0"), "base is left out of part 2 (trend): drawn at 16, not at unlimited"),
        ({"part": "claims", "claims": [CLAIM, {**CLAIM, "says": "sft rises", "where": {"name": ["sft", "more"]}}]},
         [at_budgets(BASE, 16), at_budgets(SFT, "unlimited"), MORE], (*STEPS, "base:step=0"),
         "base is left out of the claim 'it rises' of part 2 (claims): drawn at 16, not at unlimited"),
        ({"part": "stability_curve"}, [make_run(by_row(lambda row: 1), name="few", tasks=TASKS, n_samples=2), BASE], (),
         "few is left out of part 2 (stability_curve): no G-Pass@4 can be given"),
        ({"part": "thinking"}, [SWEPT, at_budgets(BASE, 16)], (),
         "base is left out of part 2 (thinking): fewer than two thinking budgets in tokens"),
    ],
)  # fmt: skip
def test_a_run_without_a_row_is_told(part: dict[str, Any], runs: Sequence[StoredRun], about: Sequence[str], note: str) -> None:
    assert left_out(runs, {"part": "runs"}, part, about=about) == [note]


@pytest.mark.parametrize(
    "part",
    [{"part": "table", "budgets": ["unlimited"]}, {"part": "table", "tasks": ["logic"]}, {"part": "trend"},
     {"part": "published", **PUBLISHED}, {"part": "claims", "claims": [CLAIM]}, {"part": "stability_curve"},
     {"part": "thinking"}],
)  # fmt: skip
def test_runs_with_a_row_are_not(part: dict[str, Any]) -> None:
    assert left_out(RUNS, part, about=ABOUT) == []


def test_a_run_that_shares_nothing_with_the_base_is_told_where_gains_are_shown() -> None:
    runs, base = [of_task(SFT, "logic"), MORE, BASE], of_task(BASE, "sums")
    note = "sft is left out of part 1 (heatmap): no task and budget shared with the base"
    assert left_out([runs[0], MORE], {"part": "heatmap"}, base=base) == [note]
    assert left_out(RUNS, {"part": "heatmap"}, base=BASE) == []
    assert left_out(runs, {"part": "heatmap"}) == []
    questions = {key: replace(question, stratum=None) for key, question in SFT.questions.items()}
    flat = replace(SFT, questions=questions)
    note = "sft is left out of part 1 (levels): no levels of a task shared with the base"
    assert left_out([BASE, flat, MORE], {"part": "levels"}, base=BASE) == [note]


def test_no_common_budget_is_no_error_of_the_whole_report() -> None:
    runs, about = [at_budgets(SFT, 16), at_budgets(MORE, "unlimited")], STEPS
    report = assemble(parts({"part": "runs"}, {"part": "trend"}, {"part": "claims", "claims": [CLAIM]}), runs, about=about)
    assert "part 2 (trend) is left out: it needs runs with two values of step at one thinking budget" in report.report.notes
    assert tables_of(report)[1].rows[0][4].text == "not tested: needs runs with two values of step at one thinking budget"


def test_a_trend_shows_the_runs_it_chooses() -> None:
    one = parts({"part": "trend", "where": {"paradigm": "sft"}})
    report = assemble(one, RUNS, about=ABOUT)
    assert [row[0].text for row in tables_of(report)[0].rows] == ["sft", "sft"]
    assert not [note for note in report.report.notes if "left out" in note]  # base is not asked for
    (note,) = (note for note in assemble(one, RUNS[:2], about=ABOUT[:8]).report.notes if "left out" in note)
    assert note.startswith(
        "part 1 (trend) is left out: it needs runs with paradigm sft with two values of step, and these tell 100"
    )


@pytest.mark.parametrize("name", ["paper-figure-8", "paper-figure-9"])
def test_the_trend_of_a_paper_s_figure_shows_the_runs_of_its_claim(name: str) -> None:
    claims, trend = find_report(name)[1].parts
    assert trend.choice == claims.claims[0].choice
    assert trend.choice
