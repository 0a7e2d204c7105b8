"""Tables, figures and the section of curves written by hand, whatever the tasks are called and however many there are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from raml_eval.diagnostics.curves.drawn import Drawn
from raml_eval.diagnostics.curves.figures import MOST_PANELS
from raml_eval.diagnostics.curves.positions import Positions
from raml_eval.diagnostics.curves.summary import write_summary
from raml_eval.diagnostics.curves.targets import Asking
from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.reporting.diagnosed import render_diagnosis
from raml_eval.types import Status
from tests.scripted import CLOSE, Letters
from tests.test_diagnostics_curves_averages import ALL_RIGHT, APART, FOUR, RIGHT, WRONG, both, drawn

ASKING = Asking(Letters(), (CLOSE,), {("sums", "thinking"): "\n\n", ("sums", "off"): ""})


def write(path: Path, own: list[Drawn], asking: Asking = ASKING, positions: Positions = Positions(8)) -> dict[str, object]:  # noqa: B008
    folder = DiagnosisFolder(path, "pseudo-gradient", {})
    write_summary(folder, own, asking, positions, {"no gold": ["sums/9-abcdef"] * 7})
    folder.finish({})
    section: dict[str, object] = json.loads((folder.path / "section.json").read_text())
    return section


def names(section: dict[str, object]) -> list[str]:
    return [one["name"] for one in section["figures"]]  # type: ignore[index, attr-defined]


def test_what_is_left_out_and_how_the_gold_was_asked_for_is_told(tmp_path: Path) -> None:
    notes = "\n".join(write(tmp_path, [*FOUR, drawn(2, 0, Status.UNFINISHED, (1.0, 2.0))])["notes"])  # type: ignore[arg-type]
    assert "'</t>' ends the thinking" in notes
    assert "'\\n\\n': sums (thinking)" in notes
    assert "Neither correct nor incorrect, so in no row by verdict: 1 unfinished" in notes
    assert "slope is that of its least-squares line, as a change over the whole thinking, negative if it falls" in notes
    assert "Left out, no gold: 7 (named in diagnosis.json)." in notes
    assert "AUROC" in render_diagnosis(tmp_path / "pseudo-gradient", "markdown")


def test_the_page_has_the_headings_of_the_levels(tmp_path: Path) -> None:
    tables = {one["file"]: one for one in write(tmp_path, FOUR)["tables"]}  # type: ignore[attr-defined]
    headings = {one["name"]: one["heading"] for one in tables["levels.parquet"]["columns"]}
    page = (Path(__file__).resolve().parents[1] / "docs" / "pseudo-gradient.md").read_text(encoding="utf-8")
    assert f"| {headings['decided']} | `decided` |" in page


def test_a_lead_of_ones_own_is_told(tmp_path: Path) -> None:
    section = write(tmp_path, FOUR, replace(ASKING, lead="It is "), Positions(1, 0.25))
    assert "'It is ' stands before the gold" in "\n".join(section["notes"])  # type: ignore[arg-type]


def test_figures_are_those_that_there_is_something_to_show_in(tmp_path: Path) -> None:
    off = [replace(one, prompt="off", curve=replace(one.curve, positions=(0,), nll=one.curve.nll[:1])) for one in FOUR]
    assert names(write(tmp_path / "a", FOUR)) == ["by-verdict", "within-questions", "trajectories", "auroc"]
    assert "thinking-and-off" in names(write(tmp_path / "b", [*FOUR, *off]))
    assert "thinking-and-off" not in names(write(tmp_path / "c", off))
    assert "auroc" not in names(write(tmp_path / "d", FOUR[2:]))


def test_of_many_tasks_the_first_have_a_panel(tmp_path: Path) -> None:
    many = [replace(one, task=f"task_{n:02}") for n in range(MOST_PANELS + 2) for one in FOUR[:2]]
    section = write(tmp_path, many)
    assert all(f"Only the first {MOST_PANELS} of {MOST_PANELS + 2}" in one["about"] for one in section["figures"][:3])  # type: ignore[index]


@pytest.mark.parametrize("task", ["_x", "$a$ & \\b", "<script>", "a" * 90, "数学"])
def test_tasks_of_any_name_are_drawn(tmp_path: Path, task: str) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # fonts without Chinese letters
        write(tmp_path, [replace(one, task=task) for one in FOUR])
    assert set(pd.read_parquet(tmp_path / "pseudo-gradient" / "levels.parquet")["task"]) == {task}


def test_a_single_trajectory_is_enough(tmp_path: Path) -> None:
    section = write(tmp_path, [drawn(0, 0, RIGHT, (1.0,), ((0, 0, True),))])
    assert "budgets" in names(section)


def test_statuses_are_told_in_words(tmp_path: Path) -> None:
    notes = "\n".join(write(tmp_path, [*FOUR, drawn(2, 0, Status.NO_ANSWER, (1.0, 2.0))])["notes"])  # type: ignore[arg-type]
    assert "so in no row by verdict: 1 no answer" in notes


def test_the_section_names_what_a_mean_of_tasks_leaves_out(tmp_path: Path) -> None:
    section = write(tmp_path, [*both("a"), *both("b"), *ALL_RIGHT, *APART])
    told = [note for note in section["notes"] if note.startswith("AUROC, ")]  # type: ignore[attr-defined]
    assert told == [
        "AUROC, thinking: what has no value within questions, and no mean of tasks holds it: easy: no incorrect sample; apart: "
        "no question with both verdicts."
    ]
    assert "without easy, apart" in set(pd.read_parquet(tmp_path / "pseudo-gradient" / "auroc.parquet")["remark"])
    assert "remark" not in render_diagnosis(tmp_path / "pseudo-gradient")  # a column that is blank in nearly every row


def test_a_task_is_named_with_the_numbers_that_it_lacks_alone(tmp_path: Path) -> None:
    off = [drawn(q, s, RIGHT if s else WRONG, (2.0, 1.5 - s), prompt="off") for q in range(2) for s in range(2)]
    more = [drawn(0, 0, WRONG, (2.0,), prompt="off", task="more"), drawn(0, 1, RIGHT, (2.0, 1.0), prompt="off", task="more")]
    two = [*off, *more]
    told = [note for note in write(tmp_path, two)["notes"] if note.startswith("AUROC, ")]  # type: ignore[attr-defined]
    assert told == [
        "AUROC, off: what has no value within questions, and no mean of tasks holds it: more: slope, drop: no question has "
        "this number for both verdicts."
    ]


def test_a_task_whose_curves_have_one_position_says_so(tmp_path: Path) -> None:
    one = [drawn(q, s, RIGHT if s else WRONG, (2.0,), prompt="off", task="one") for q in range(2) for s in range(2)]
    told = [note for note in write(tmp_path, [*one, *both("a"), *both("b")])["notes"] if note.startswith("AUROC, ")]  # type: ignore[attr-defined]
    assert told == ["AUROC, off: what has no value within questions: one: no trajectory has a second position."]


def test_the_figure_of_off_says_where_there_is_one_position(tmp_path: Path) -> None:
    off = [drawn(q, 0, RIGHT, (3.0,) * n, prompt="off") for q, n in enumerate((1, 1, 2))]
    most = [replace(one, task="most") for one in [*FOUR, *off, drawn(3, 0, RIGHT, (3.0, 3.0), prompt="off")]]
    most += [drawn(4, 0, RIGHT, (3.0, 3.0), prompt="off", task="most")]
    asking = Asking(Letters(), (CLOSE,), {(task, prompt): "" for task in ("sums", "most") for prompt in ("thinking", "off")})
    figures = write(tmp_path, [*FOUR, *off, *most], asking)["figures"]
    (about,) = [one["about"] for one in figures if one["name"] == "thinking-and-off"]  # type: ignore[attr-defined]
    assert "a mark is the mean right after the prompt: sums (2 of 3)." in about
    assert "In other curves they count as level: most (2 of 5)." in about


def test_a_level_has_no_drop(tmp_path: Path) -> None:
    write(tmp_path, [drawn(0, 0, RIGHT, (1.0,), prompt="off"), drawn(0, 1, WRONG, (1.0, 3.0), prompt="off")])
    rows = pd.read_parquet(tmp_path / "pseudo-gradient" / "levels.parquet").set_index("verdict")
    assert pd.isna(rows.loc["correct", "drop"])
    assert rows.loc["incorrect", "drop"] == -1


def test_the_section_says_why_there_is_no_mean(tmp_path: Path) -> None:
    told = [note for note in write(tmp_path, [*FOUR, *APART])["notes"] if note.startswith("AUROC, ")]  # type: ignore[attr-defined]
    assert told == [
        "AUROC, thinking: there is no mean of tasks, because fewer than two of the 2 tasks have a value (apart: no "
        "question with both verdicts)."
    ]


def test_nothing_is_remarked_where_every_task_has_a_value(tmp_path: Path) -> None:
    section = write(tmp_path, [*both("a"), *both("b")])
    assert not [note for note in section["notes"] if note.startswith("AUROC, ")]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("without", "told"), [("", True), ("\n\n", False)])
def test_differing_introductions_are_told_with_the_figure(tmp_path: Path, without: str, told: bool) -> None:
    off = [replace(one, prompt="off") for one in FOUR]
    asking = Asking(Letters(), (CLOSE,), {("sums", "thinking"): "\n\n", ("sums", "off"): without})
    figures = write(tmp_path / "a", [*FOUR, *off], asking)["figures"]
    (about,) = [one["about"] for one in figures if one["name"] == "thinking-and-off"]  # type: ignore[attr-defined]
    words = "In sums the gold is introduced by '\\n\\n' after thinking and by '' without"
    assert (words in about) is told
    own = write(tmp_path / "b", [*FOUR, *off], replace(asking, lead="It is "))["figures"]
    assert "introduced" not in next(one["about"] for one in own if one["name"] == "thinking-and-off")  # type: ignore[attr-defined]


@pytest.mark.parametrize("text", ["5\\% of $x_1$ & #2 is \\(", "<script>alert(1)</script>", "a\nb\x1b[2J"])
def test_an_introduction_of_any_text_is_shown_literally(tmp_path: Path, text: str) -> None:
    """Introductions are what a model wrote before its answers, LaTeX among it."""
    off = [replace(one, prompt="off") for one in FOUR]
    asking = Asking(Letters(), (CLOSE,), {("sums", "thinking"): text, ("sums", "off"): ""})
    write(tmp_path, [*FOUR, *off], asking)
    folder = tmp_path / "pseudo-gradient"
    terminal, markdown = (render_diagnosis(folder, form) for form in ("terminal", "markdown"))
    assert "\x1b" not in terminal + markdown
    assert repr(text)[:6] in terminal
    assert "<script" not in markdown
    svg = (folder / "thinking-and-off.svg").read_text()
    assert "<script" not in svg
