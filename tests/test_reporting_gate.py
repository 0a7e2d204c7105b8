"""What a gate's outcome looks like: words, table, JSON, JUnit XML, badge and comment, with hostile names too."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import raml_eval.reporting
from raml_eval.comparison import CellValues, GateResult, Rule, compare_gated, judge_gate
from raml_eval.errors import ConfigError
from raml_eval.gate_file import build_gate
from raml_eval.intervals import Part
from raml_eval.reporting import comment
from raml_eval.reporting.badge import COLORS, render_badge, render_badge_json
from raml_eval.reporting.comment import marker, mute
from raml_eval.reporting.gate import advice, explain, wanted
from raml_eval.reporting.gated import FOLDER, Compared, Refused, plan_files
from raml_eval.reporting.junit import render_junit
from raml_eval.reporting.refused import GREY
from raml_eval.tables import parse_measure
from raml_eval.types import Domain
from tests.factory import by_row, make_run
from tests.gates import cell, schema_errors

SCHEMA = json.loads((Path(raml_eval.reporting.__file__).parent / "schemas" / "comparison.schema.json").read_text())
HOSTILE = "]]>\x1b[31m<script>alert(1)</script>|`--></details>&amp;\"' @all \x00\ufffe\u202e\n# two"
RULES = {
    "name": "release",
    "cells": [
        {"domain": "in_domain"},
        {"task": "*", "test": "superiority", "tier": "advisory"},
        {"domain": "cross_domain", "metric": "thinking_tokens_mean", "margin": 100, "inconclusive": "warn"},
        {"domain": "cross_domain", "budget": 16, "test": "equivalence", "margin": 12, "inconclusive": "warn", "level": 0.99},
    ],
}


def compared(tasks: Mapping[str, Domain], names: tuple[str, str] = ("base", "new"), **rules: Any) -> Compared:
    base = make_run(by_row(lambda row: row % 4), name=names[0], tasks=tasks, n_questions=40)
    new = make_run(by_row(lambda row: max(row % 4 - row % 2, 0)), name=names[1], tasks=tasks, n_questions=40)
    base, new = replace(base, directory=Path("runs") / "one"), replace(new, directory=Path("runs") / "two")
    return Compared(*compare_gated(base, new, build_gate({**RULES, **rules})), base, new)


TASKS: Mapping[str, Domain] = {"pocket_chain": "in_domain", "pocket_logic": "in_domain", "pocket_sort": "cross_domain"}
DONE = compared(TASKS)
NASTY = compared({HOSTILE: "in_domain", "=cmd|x": "cross_domain"}, names=(f"base {HOSTILE}", "new <b>"))


def gate_of(done: Compared) -> GateResult:
    assert done.gate is not None
    return done.gate


def test_the_gate_comes_first_and_fits_a_terminal() -> None:
    text = DONE.render("terminal")
    lines = text.splitlines()
    assert lines[0] == "Gate release: failed (blocking cells: 1 failed, 2 inconclusive)"
    assert text.index("Blocking cells") < text.index("Advisory cells") < text.index("Primary endpoints")
    assert max(map(len, lines)) <= 100
    told = " ".join(text.split())
    assert "in-domain mean, avg@n at 64: failed, -12.5 [" in told
    assert "Inconclusive is no sign that the runs are alike" in told
    assert "passed" not in told.replace("have passed", "")
    assert "new against base. Below is the comparison" in told
    assert "at higher levels than the gate's 95 %, and are wider" in told
    assert told.index("new against base. Below") < told.index("Verdict: ")
    assert DONE.render("markdown").startswith("# Gate release: failed (blocking cells: 1 failed, 2 inconclusive)\n")


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({}, "above -2 points"),
        ({"test": "superiority"}, "above 0 points"),
        ({"test": "superiority", "bar": 0.01}, "above 1 point"),
        ({"test": "equivalence", "margin": 0.015}, "within 1.5 points"),
        ({"lower_is_better": True}, "below 2 points"),
        ({"test": "superiority", "lower_is_better": True}, "below 0 points"),
        ({"test": "superiority", "lower_is_better": True, "bar": 0.02}, "below -2 points"),
        ({"measure": parse_measure("answer_tokens_mean"), "margin": 1, "lower_is_better": True}, "below 1 token"),
    ],
)
def test_what_is_wanted_is_said_of_the_difference_itself(rule: dict[str, Any], words: str) -> None:
    assert wanted(Rule("x", **rule)) == words


def test_every_outcome_is_explained() -> None:
    unknown = CellValues(Rule("one", inconclusive="pass"), [Part([0.0] * 3, [1.0] * 3, ["c"] * 3)])  # type: ignore[arg-type]
    cells = [
        cell(0.0, scope="ok"),
        cell(-0.1, scope="bad"),
        cell(0.1, scope="apart", test="equivalence"),
        cell(-0.009, 0.3, scope="open"),
        cell(-0.0105, margin=0.001, scope="alone"),
        unknown,
        *(cell(0.0, 0.1, scope=f"more{i}") for i in range(9)),
    ]
    told = dict(zip("abcdef", map(explain, judge_gate(cells).cells), strict=False))
    assert told["a"] == "ok, avg@n at unlimited: passed, +0.0 [-1.0, 1.0] points, wanted above -2 points"
    assert told["b"].endswith("it is worse, wanted above -2 points")
    assert told["c"].endswith("it differs by more than the margin, wanted within 2 points")
    assert re.search(r"if there is no difference, it takes about 1,7\d\d questions in place of 400", told["d"])
    assert "it is worse at 95 %, but not after the correction for the tier's other cells" in told["e"]
    assert "so nothing is known, and that never passes" in told["f"]


def test_flips_are_named_where_samples_are_counted() -> None:
    """The flips are those of avg@n: a cell of another metric that failed is not explained by them."""
    assert any("flips name" in line for line in advice(judge_gate([cell(-0.1)])))
    assert not any("flips name" in line for line in advice(judge_gate([cell(-0.1, measure=parse_measure("pass@8"))])))


def test_what_cannot_pass_is_told_without_more_questions() -> None:
    many = [cell(0.0, scope=f"more{i}") for i in range(19)]
    told = explain(judge_gate([cell(-0.0125, margin=0.001, inconclusive="warn"), *many]).cells[0])
    assert "`inconclusive: warn` lets nothing through that cannot pass" in told
    assert "it takes" not in told
    short = explain(judge_gate([cell(0.02, test="superiority", bar=0.05)]).cells[0])
    assert short.endswith("a difference as large as that is excluded, wanted above 5 points")


def test_a_passed_gate_needs_nothing_and_names_its_warnings() -> None:
    passed = judge_gate([cell(0.0)], "release")
    assert (passed.headline, advice(passed)) == ("Gate release: passed (blocking cells: 1 passed)", [])
    warned = judge_gate([cell(0.0), cell(0.0, 0.5, inconclusive="warn", scope="loose")], "release")
    assert warned.headline == "Gate release: passed (blocking cells: 1 inconclusive, 1 passed)"
    assert any("loose, avg@n at unlimited: inconclusive" in line for line in advice(warned))
    assert ">passed, 1 warning<" in render_badge(warned)


@pytest.mark.parametrize("done", [DONE, NASTY], ids=["plain", "hostile"])
def test_the_json_follows_the_schema_that_is_shipped(done: Compared) -> None:
    values = json.loads(done.render("json"))
    assert schema_errors(values, SCHEMA, SCHEMA) == []
    assert schema_errors(json.loads(Compared(done.comparison, None, done.base, done.new).render("json")), SCHEMA, SCHEMA) == []
    assert schema_errors(json.loads(Refused("release", HOSTILE).render("json")), SCHEMA, SCHEMA) == []
    first = values["gate"]["cells"][0]
    assert (first["outcome"], first["difference"], first["test"], first["unit"]) == (
        "failed",
        -0.125,
        "non_inferiority",
        "share",
    )
    assert values["gate"]["exit_code"] == 1


def test_the_schema_notices_what_is_wrong() -> None:
    values = json.loads(DONE.render("json"))
    for spoil in ({"verdict": "fine"}, {"level": "0.95"}, {"more": 1}, {"gate": {**values["gate"], "exit_code": 2}}):
        assert schema_errors({**values, **spoil}, SCHEMA, SCHEMA)
    del values["notes"]
    assert schema_errors(values, SCHEMA, SCHEMA)


@pytest.mark.parametrize("done", [DONE, NASTY], ids=["plain", "hostile"])
def test_junit_has_a_case_for_each_cell(done: Compared) -> None:
    root = ElementTree.fromstring(done.render("junit"))
    suites = {str(suite.get("name")): suite for suite in root}
    assert list(suites) == ["gate release, blocking", "gate release, advisory"]
    cases = [[child.tag for child in case] for case in root.iter("testcase")]
    advisory = len(gate_of(done).tier("advisory"))
    assert cases == [["failure"], ["failure"], ["system-out"], *[["skipped"]] * advisory]
    kinds = [failure.get("type") for failure in root.iter("failure")]
    assert kinds == ["failed", "inconclusive"]  # tokens without variance are unknown, which blocks though it may only warn
    assert (root.get("tests"), root.get("failures"), root.get("skipped")) == (str(3 + advisory), "2", str(advisory))
    assert len({(case.get("classname"), case.get("name")) for case in root.iter("testcase")}) == 3 + advisory


def test_a_case_keeps_its_name_while_its_margin_changes() -> None:
    def names(*cells: CellValues) -> list[str]:
        root = ElementTree.fromstring(render_junit(judge_gate(cells, "release"), "base", "new"))
        return [str(case.get("name")) for case in root.iter("testcase")]

    assert names(cell(0.0, margin=0.02)) == names(cell(0.0, margin=0.05)) == ["sums, avg@n at unlimited: non-inferiority"]
    both = names(cell(0.0, margin=0.02), cell(0.0, margin=0.05), cell(0.0, test="equivalence"))
    assert both[1:] == [f"{both[0]} (2)", "sums, avg@n at unlimited: equivalence"]


def test_junit_tells_every_caveat_once() -> None:
    root = ElementTree.fromstring(DONE.render("junit"))
    blocking, advisory = (str(suite.findtext("system-out")) for suite in root)
    for note in json.loads(DONE.render("json"))["notes"]:
        assert f"Note: {note}" in blocking
        assert note not in advisory
    assert blocking.startswith(f"{gate_of(DONE).headline}.\nin-domain mean, avg@n at 64: failed")
    assert {line.partition(":")[0] for line in advisory.splitlines()} == {"Advisory"}


def test_a_cell_that_was_not_compared_is_shown_everywhere_and_blocks_nothing() -> None:
    done = compared(TASKS, cells=[{"domain": "in_domain", "margin": 40}, {"task": "gone", "tier": "advisory"}])
    why = "gone, avg@n at 64: not compared, because neither run has it"
    assert gate_of(done).exit_code == 0
    for form in ("terminal", "markdown", "junit"):
        assert f"Advisory: {why}." in " ".join(done.render(form).split())
    assert re.search(r"\| gone +\| avg@n at 64 +\| advisory +\| +not compared", done.render("comment").replace("<!-- -->", ""))
    assert "Advisory cells that were not compared" in done.render("markdown")
    values = json.loads(done.render("json"))
    assert schema_errors(values, SCHEMA, SCHEMA) == []
    (told,) = values["gate"]["not_compared"]
    assert (told["scope"], told["tier"], told["why"]) == ("gone", "advisory", "neither run has it")
    root = ElementTree.fromstring(done.render("junit"))
    assert [(suite.get("tests"), suite.get("failures"), suite.get("skipped")) for suite in root] == [
        ("1", "0", "0"),
        ("1", "0", "1"),
    ]


def test_junit_holds_any_name() -> None:
    text = render_junit(judge_gate([cell(-0.1, scope=HOSTILE)], "release"), HOSTILE, HOSTILE)
    root = ElementTree.fromstring(text)
    assert "<script>" not in text
    assert "<script>alert(1)</script>" in str(next(root.iter("testcase")).get("name"))
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", text)


@pytest.mark.parametrize("name", ["release", "a & b \"c\" 'd'", "日本語のゲート", "w" * 60])
def test_the_badge_is_one_svg_that_loads_nothing(name: str) -> None:
    for mean, spread, word in ((0.0, 0.01, "passed"), (-0.1, 0.01, "failed"), (0.0, 0.5, "inconclusive")):
        gate = judge_gate([cell(mean, spread)], name)
        text = render_badge(gate)
        root = ElementTree.fromstring(text)
        label, message = [str(node.text) for node in root.iter("{http://www.w3.org/2000/svg}text")]
        assert label == f"gate {name}"[:39] + ("…" if len(name) > 35 else f"gate {name}"[39:])
        assert message == word
        assert not re.search(r"href|url\((?!#)|@import|<script|<image", text)
        sizes = [float(str(node.get("textLength"))) for node in root.iter("{http://www.w3.org/2000/svg}text")]
        assert float(str(root.get("width"))) == sum(sizes) + 24
        values = json.loads(render_badge_json(gate))
        assert values == {"schemaVersion": 1, "label": label, "message": word, "color": COLORS[gate.outcome][1:]}


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("color", [*COLORS.values(), GREY, "#444444"])
def test_white_can_be_read_on_every_color(color: str) -> None:
    assert 1.05 / (luminance(color) + 0.05) >= 4.5  # WCAG 2.2, 1.4.3


@pytest.mark.parametrize("done", [DONE, NASTY], ids=["plain", "hostile"])
def test_the_comment_is_found_by_its_first_line_and_folds_the_rest(done: Compared) -> None:
    text = done.render("comment")
    lines = text.splitlines()
    assert lines[0] == marker("release") == "<!-- raml-eval gate: release -->"
    assert lines[2] == "### Gate release: failed (blocking cells: 1 failed, 2 inconclusive)"
    assert text.index("| in-domain mean") < text.index("failed, -12.5 [") < text.index("<details>")
    assert text.count("<details>") == text.count("</details>") == 1
    assert text.rstrip().endswith("</details>")
    assert "<script>" not in text
    assert "\x1b" not in text
    assert not re.search(r"(?<![\w;])@\w", text)
    rows = [line for line in text.split("<details>")[0].splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {7}


def test_a_comment_that_would_be_too_long_leaves_the_comparison_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comment, "MOST", 4000)
    text = DONE.render("comment")
    assert len(DONE.render("markdown")) > 4000 > len(text)
    assert "too long for a comment" in text
    assert "<details>" not in text
    assert "| in-domain mean" in text


def test_nobody_is_called() -> None:
    assert mute("@all, pass@8 of (@team/x)") == "@<!-- -->all, pass@8 of (@<!-- -->team/x)"


@pytest.mark.parametrize("form", ["markdown", "latex", "terminal"])
def test_hostile_names_are_escaped(form: str) -> None:
    text = NASTY.render(form)
    assert "\x1b" not in text
    assert "\u202e" not in text
    if form == "markdown":
        assert "<script>" not in text
    if form == "latex":
        assert "\\textless{}script" in text


@pytest.mark.parametrize("format", sorted(set(FOLDER.values()) | {"terminal", "latex"}))
def test_a_refusal_is_written_in_every_form(format: str) -> None:
    text = Refused("release", f"nothing is shared {HOSTILE}").render(format)
    assert "not comparable" in text
    assert "passed" not in text
    assert "\x1b" not in text or format == "json"
    if format == "junit":
        assert ElementTree.fromstring(text).get("errors") == "1"
    if format == "comment":
        assert text.startswith(marker("release") + "\n")
        assert "<script>" not in text


def test_an_ending_names_a_form() -> None:
    runs = Path("out")
    assert plan_files(runs, gated=True) == {runs / name: form for name, form in FOLDER.items()}
    assert list(plan_files(runs, gated=False)) == [runs / "comparison.md", runs / "comparison.json"]
    assert plan_files(Path("a.svg"), gated=True) == {Path("a.svg"): "badge"}
    assert plan_files(Path("a.txt"), gated=True, format="comment") == {Path("a.txt"): "comment"}
    assert plan_files(runs, gated=False, format="json") == {runs / "comparison.json": "json"}
    assert plan_files(runs, gated=True, format="badge") == {runs / "badge.svg": "badge"}
    assert plan_files(Path("/dev/stdout"), gated=False, format="json") == {Path("/dev/stdout"): "json"}
    with pytest.raises(ConfigError, match=r"--out out is a folder, and none of its files is latex; wanted markdown, json"):
        plan_files(runs, gated=False, format="latex")
    with pytest.raises(ConfigError, match="format junit shows the outcome of a gate"):
        plan_files(runs, gated=False, format="junit")
    with pytest.raises(ConfigError, match=r"ends in '.pdf'; wanted a folder, or one of .md"):
        plan_files(Path("a.pdf"), gated=True)
    with pytest.raises(ConfigError, match="format junit shows the outcome of a gate, and there is none"):
        plan_files(Path("a.xml"), gated=False)
    with pytest.raises(ConfigError, match=r"no comparison format 'jnit'\. Did you mean junit"):
        DONE.render("jnit")


def test_no_caveat_of_a_run_is_lost() -> None:
    for form in ("terminal", "markdown", "json", "comment"):
        assert "the fake backend made these answers up" in " ".join(DONE.render(form).split())
