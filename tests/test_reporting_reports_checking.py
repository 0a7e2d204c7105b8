"""A mistake in a report.yaml is one error that names the key, the value and what there is; what may be missing is a note."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from raml_eval.errors import ConfigError
from raml_eval.reporting.reports.assemble import assemble
from raml_eval.reporting.reports.checking import ALL
from raml_eval.reporting.reports.definition import READS, Definition, find_report, read_definition
from raml_eval.reporting.reports.material import told_value
from raml_eval.types import StoredRun
from tests.test_reporting_reports import ABOUT, BASE, RUNS, SFT, parts, tables_of

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
        ("parts: [{part: trend, x: model}]", "x is 'model', a name and no number"),
        ("parts: [{part: trend, group: paradgm}]", r"group names 'paradgm', .*Did you mean paradigm\?"),
        ("runs: {paradgm: [sft]}\nparts: [{part: runs}]", r"runs names 'paradgm', .*Did you mean paradigm\?"),
        ("runs: {paradigm: [stf]}\nparts: [{part: runs}]", r"runs has the paradigm 'stf'\. Did you mean sft"),
        ("runs: {name: sfd}\nparts: [{part: runs}]", r"only those with name sfd\. Did you mean sft\? These have base, sft"),
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
        ("parts: [{part: trend, budgets: [16]}]", "trend does not read budgets; it reads title, note, x, group, metrics"),
        ("parts: [{part: means, tasks: [sums]}]", "means does not read tasks; it reads title, note"),
        ("parts: [{part: trend, metrics: [avg@n, pass@2]}]", "trend shows one metric, and has avg@n, pass@2"),
        ("parts: [{part: claims}]", "the part claims has no claims"),
        ("parts: [{part: published}]", "the part published has no published and no metrics"),
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
    from dataclasses import replace

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
    assert [note.partition(" is left out: ")[0] for note in notes] == [part.part for part in every.parts]
    assert "two values of step, and these tell 100" in notes[0]
    assert not [note for note in assemble(parts({"part": "runs"}), [SFT]).report.notes if "left out" in note]


def test_the_fields_of_parts_are_those_of_the_documentation() -> None:
    page = (Path(__file__).parents[1] / "docs" / "reports.md").read_text(encoding="utf-8").split("## Your own report")[1]
    rows = [[cell.strip() for cell in line.split("|")[1:4]] for line in page.splitlines() if line.startswith("| `")]
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
