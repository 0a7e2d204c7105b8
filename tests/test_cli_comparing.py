"""`raml-eval compare` as a pipeline runs it: exit codes, files, and the summary of a step."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.gates import write_run
from tests.test_cli import cli, fails

GATE = "cells: [{domain: in_domain}]\n"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs whose questions have 1 to 4 of 4 samples right (base), some fewer, one fewer, or all."""
    folder = tmp_path_factory.mktemp("runs")
    write_run(folder / "base", lambda row: row % 4 + 1)
    write_run(folder / "some", lambda row: row % 4 + 1 - (row % 8 == 0))
    write_run(folder / "worse", lambda row: row % 4)
    write_run(folder / "better", lambda row: 4)
    write_run(folder / "other", lambda row: 4, tasks=("products",))
    (folder / "release.yaml").write_text(GATE)
    (folder / "lenient.yaml").write_text("cells: [{domain: in_domain, inconclusive: warn}]")
    (folder / "advice.yaml").write_text("cells: [{domain: in_domain, margin: 60}, {task: sums, tier: advisory}]")
    (folder / "wrong.yaml").write_text("cells: [{domain: in_domian}]")
    return folder


@pytest.mark.parametrize(
    ("new", "gate", "code", "said"),
    [
        ("better", "release", 0, "Gate release: passed (blocking cells: 1 passed)"),
        ("worse", "release", 1, "Gate release: failed (blocking cells: 1 failed)"),
        ("some", "release", 3, "Gate release: inconclusive (blocking cells: 1 inconclusive)"),
        ("some", "lenient", 0, "Gate lenient: passed (blocking cells: 1 inconclusive)"),
        ("worse", "lenient", 1, "Gate lenient: failed (blocking cells: 1 failed)"),
        ("worse", "advice", 0, "Gate advice: passed (blocking cells: 1 passed)"),
    ],
)
def test_the_gate_alone_decides_the_exit_code(runs: Path, new: str, gate: str, code: int, said: str) -> None:
    done = cli("compare", runs / "base", runs / new, "--gate", runs / f"{gate}.yaml")
    assert done.returncode == code, done.stderr
    assert done.stdout.splitlines()[0] == said
    if code == 0 and new != "better":
        assert "inconclusive" in done.stdout or "worse" in done.stdout


def test_without_a_gate_nothing_has_changed(runs: Path) -> None:
    assert cli("compare", runs / "base", runs / "worse").returncode == 1
    assert cli("compare", runs / "base", runs / "better").returncode == 0
    same = cli("compare", runs / "base", runs / "some")
    assert same.returncode == 0
    assert "Verdict: inconclusive." in same.stdout


def test_the_real_command_ends_with_the_gates_code(runs: Path) -> None:
    words = ["-m", "raml_eval", "compare", runs / "base", runs / "some", "--gate", runs / "release.yaml"]
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 3, done.stderr
    assert done.stderr == ""


def test_what_cannot_be_used_is_one_line(runs: Path, tmp_path: Path) -> None:
    base, worse, gate = runs / "base", runs / "worse", runs / "release.yaml"
    fails(cli("compare", base, worse, "--gate", runs / "wrong.yaml"), "wrong.yaml: cell 1: domain is 'in_domian'")
    fails(cli("compare", base, worse, "--gate", runs / "none.yaml"), "cannot read the gate")
    fails(cli("compare", base, base, "--gate", gate), "a run is as good as itself")
    fails(cli("compare", base, worse, "--out", tmp_path / "gate.xml"), "format junit shows the outcome of a gate")
    fails(cli("compare", base, worse, "--out", tmp_path / "a.pdf"), "ends in '.pdf'; wanted a folder, or one of")
    fails(cli("compare", base, worse, "--format", "json", "--out", "a.md", "--out", "b.md"), "is for one output")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_gets_every_file_and_endings_choose_one(runs: Path, tmp_path: Path) -> None:
    words = ["compare", runs / "base", runs / "worse", "--gate", runs / "release.yaml"]
    out, table = tmp_path / "gate", tmp_path / "table.tex"
    done = cli(*words, "--out", out, "--out", table)
    assert done.returncode == 1
    names = ["comparison.md", "comparison.json", "gate.xml", "badge.svg", "badge.json", "comment.md"]
    assert done.stdout.splitlines() == [
        "Gate release: failed (blocking cells: 1 failed).", *(str(out / name) for name in names), str(table)
    ]  # fmt: skip
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    assert json.loads((out / "comparison.json").read_text())["gate"]["outcome"] == "failed"
    assert ElementTree.parse(out / "gate.xml").getroot().get("failures") == "1"
    assert (out / "comment.md").read_text().startswith("<!-- raml-eval gate: release -->\n")
    assert "\\subsection*{Gate release}" in table.read_text()
    assert cli(*words, "--format", "badge-json").stdout.startswith('{"schemaVersion": 1')


def test_a_refusal_takes_the_place_of_an_older_outcome(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "gate"
    assert cli("compare", runs / "base", runs / "better", "--gate", runs / "release.yaml", "--out", out).returncode == 0
    assert "passed" in (out / "badge.svg").read_text()
    done = cli("compare", runs / "base", runs / "other", "--gate", runs / "release.yaml", "--out", out)
    fails(done, "share no question")
    for path in out.iterdir():
        text = path.read_text()
        assert "not comparable" in text, path
        assert "passed" not in text, path


def test_the_summary_of_a_step_grows(runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    summary = tmp_path / "step_summary"
    summary.write_text("# Before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    words = ["compare", runs / "base", runs / "better", "--gate", runs / "release.yaml"]
    assert cli(*words, "--out", tmp_path / "a.json").returncode == 0
    assert cli(*words, "--out", summary).returncode == 0  # its own path adds nothing a second time
    fails(cli("compare", runs / "base", runs / "other", "--gate", runs / "release.yaml"), "share no question")
    text = summary.read_text()
    assert text.startswith("# Before\n\n# ")
    assert text.count("## Gate release") == 2
    assert text.count("# Gate release: not comparable") == 1


def test_flags_that_change_no_cell_are_refused_with_a_gate(runs: Path, tmp_path: Path) -> None:
    words = ["compare", runs / "base", runs / "worse", "--gate", runs / "release.yaml", "--out", tmp_path / "gate"]
    fails(
        cli(*words, "--margin", "7"), "--margin 7 would change no cell of the gate, which has its own margins. Change them in"
    )
    fails(cli(*words, "--level", "0.9"), "--level 0.9 would change no cell of the gate, which has its own levels")
    assert list(tmp_path.iterdir()) == []


def test_flags_add_to_the_gate(runs: Path) -> None:
    done = cli("compare", runs / "base", runs / "worse", "--gate", runs / "release.yaml", "--metric", "pass@2")
    text = " ".join(done.stdout.split())
    assert "in-domain mean, pass@2 at 8: failed" in text
    assert "wanted above -2 points" in text
    assert "Primary: pass@2 at 8 (--metric pass@2), paired; margin 2 points" in text


def test_a_broken_gate_takes_the_place_of_an_older_outcome(runs: Path, tmp_path: Path) -> None:
    out, gate = tmp_path / "gate", tmp_path / "nightly.yaml"
    gate.write_text("name: release\n" + GATE)
    words = ["compare", runs / "base", runs / "better", "--gate", gate, "--out", out]
    assert cli(*words).returncode == 0
    assert "passed" in (out / "badge.json").read_text()
    for broken, said, name in (("name: release\ncells: []", "it has no cells", "release"), ("cells: [", "as YAML", "nightly")):
        gate.write_text(broken)
        fails(cli(*words), said)
        assert len(list(out.iterdir())) == 6
        for path in out.iterdir():
            text = path.read_text()
            assert "not comparable" in text, path
            assert "passed" not in text, path
        assert (out / "comment.md").read_text().startswith(f"<!-- raml-eval gate: {name} -->")


@pytest.mark.parametrize("new", ["worse", "some", "other"])
def test_a_summary_that_cannot_be_written_changes_no_outcome(
    runs: Path, new: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["compare", runs / "base", runs / new, "--gate", runs / "release.yaml", "--out", tmp_path / "gate"]
    before = cli(*words)
    wanted = {path.name: path.read_text() for path in (tmp_path / "gate").iterdir()}
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    after = cli(*words)
    assert (after.returncode, after.stdout) == (before.returncode, before.stdout)
    assert {path.name: path.read_text() for path in (tmp_path / "gate").iterdir()} == wanted
    warning = f"warning: the summary was not added to, because GITHUB_STEP_SUMMARY ({tmp_path}) cannot be written: "
    assert after.stderr.startswith(warning)
    assert "--out" not in after.stderr


def test_a_format_for_a_folder_is_its_one_file(runs: Path, tmp_path: Path) -> None:
    done = cli("compare", runs / "base", runs / "better", "--format", "json", "--out", tmp_path / "new")
    assert done.returncode == 0
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["comparison.json"]


def test_an_empty_gate_is_refused(runs: Path) -> None:
    done = cli("compare", runs / "base", runs / "better", "--gate", "")
    assert done.returncode == 2
    assert "it is empty. Name a path" in done.stderr
