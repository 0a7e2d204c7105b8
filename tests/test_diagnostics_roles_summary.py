"""Tables, figures and notes of values that are written by hand."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from raml_eval.diagnostics.curves.targets import Asking
from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.roles.changes import ALL
from raml_eval.diagnostics.roles.closings import BARE, NOTHING, OWN, Ending
from raml_eval.diagnostics.roles.figures import draw_endings, draw_roles
from raml_eval.diagnostics.roles.occurrences import BREAKS, DELIMITER
from raml_eval.diagnostics.roles.summary import Spoken, write_summary
from raml_eval.diagnostics.roles.thoughts import SHARES, choose_occurrences
from raml_eval.drawing import label_log_axis, new_figure
from raml_eval.types import SampleKey, Status
from tests.scripted import CLOSE, Letters
from tests.test_diagnostics_roles_thoughts import thought

TEXT = "abc wait def\nghi wait jkl\nmno wait pqr"
ENDINGS = [Ending(NOTHING, ()), Ending(OWN, (CLOSE,), "", (BARE, "think")), Ending("'so'", (1, 2))]
ROLES = ("Wait", "However", *BREAKS, DELIMITER)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Eight questions of two tasks, six of them right; the level of a thinking falls by 1 at each wait."""
    thoughts = []
    for i in range(8):
        one = thought(str(i), TEXT, Status.CORRECT if i < 6 else Status.INCORRECT)
        thoughts.append(replace(one, key=SampleKey("logic" if i % 2 else "sums", one.key.question_id, 0)))
    found = choose_occurrences(thoughts, 2, 0)
    levels = {at: 4.0 - TEXT[:at].count("wait") for at in range(len(TEXT) + 1)}
    values = {one.id: levels for one in thoughts}
    above = {one.id: {at: level + 0.5 for at, level in levels.items()} for one in thoughts}
    spoken = Spoken(
        found, ENDINGS, ROLES, Asking(Letters(), (CLOSE,), {("sums", "thinking"): "So "}), 2, {"no gold": ["sums/9-abcdef"]}
    )
    folder = DiagnosisFolder(tmp_path, "token-roles", {})
    n = write_summary(folder, spoken, values, {NOTHING: above, OWN: values, "'so'": above})
    assert n == 8 * (2 + 2 + 1)
    return folder.path


def test_the_tables_hold_the_numbers(written: Path) -> None:
    roles = pd.read_parquet(written / "roles.parquet").set_index(["role", "verdict"])
    assert {*roles.task} == {ALL}
    assert roles.loc[("Wait", "correct"), "n"] == 12
    assert roles.loc[("Wait", "correct"), "n_found"] == 18
    assert roles.loc[("Wait", "correct"), "median"] == 1.0
    assert roles.loc[("line end", "correct"), "log_change"] == 0
    assert roles.loc[(DELIMITER, "correct"), "median"] == pytest.approx(0.5)
    assert {*pd.read_parquet(written / "roles-by-task.parquet").task} == {"sums", "logic"}
    endings = pd.read_parquet(written / "endings.parquet").set_index("ending")
    assert endings.loc["'so'", "against_own"] == pytest.approx(0.5)
    assert endings.loc[OWN, "nll"] == pytest.approx(1.0)
    more = pd.read_parquet(written / "endings-more.parquet")
    assert len(more) == 3 * (4 * len(ENDINGS)) - len(ENDINGS)
    assert {*more.share} == {*SHARES}


def test_the_notes_tell_what_is_not_there(written: Path) -> None:
    notes = "\n".join(json.loads((written / "section.json").read_text())["notes"])
    assert "Nowhere in these thinkings: However, paragraph end." in notes
    assert "Wait, correct: 12 of 18 occurrences are measured" in notes
    assert f"Ending {OWN!r} is also {BARE!r}, 'think': equal tokens." in notes
    assert "Left out, no gold: 1 (named in diagnosis.json)." in notes
    assert "'</t>' ends the thinking" in notes
    assert "an introduction stands before the gold as the task writes it: 'So ': sums (thinking)." in notes


def records(written: Path, name: str) -> list[dict[str, object]]:
    frame = pd.read_parquet(written / f"{name}.parquet").astype(object)
    return frame.where(frame.notna(), None).to_dict("records")


def test_the_difference_is_that_of_the_two_numbers_beside_it(written: Path) -> None:
    columns = {
        one["name"]: one["heading"] for one in json.loads((written / "section.json").read_text())["tables"][0]["columns"]
    }
    shown = ["n_matched", "matched_log_change", "null_log_change", "difference", "log_change"]
    assert [columns[name] for name in shown] == [
        "matched", "log change, matched", "log change, null", "matched - null", "log change, all",
    ]  # fmt: skip
    for row in records(written, "roles"):
        if row["n_matched"]:
            assert row["matched_log_change"] - row["null_log_change"] == pytest.approx(row["difference"])  # type: ignore[operator]


@pytest.mark.parametrize(("n_matched", "marks"), [(12, ["o", "o"]), (5, ["o", "o", "x"]), (0, ["x"])])
def test_a_cross_of_all_occurrences_stands_where_some_have_no_null(written: Path, n_matched: int, marks: list[str]) -> None:
    (row,) = [row for row in records(written, "roles") if (row["role"], row["verdict"]) == ("Wait", "correct")]
    values = (0.25, 0.125) if n_matched else (None, None)
    ends = dict.fromkeys(f"{name}_log_change_{end}" for name in ("matched", "null") for end in ("low", "high"))
    changed = {"n": 12, "n_matched": n_matched, "matched_log_change": values[0], "null_log_change": values[1], **ends}
    left, right = draw_roles([{**row, **changed, "log_change": 0.5, "log_change_low": None, "relative": 3.0}]).axes
    drawn = [line for line in left.lines if len(line.get_xdata()) == 1 and line.get_marker() in "ox"]
    assert [line.get_marker() for line in drawn] == marks
    assert [line.get_xdata()[0] for line in drawn] == [x for x in (*values, *([0.5] if n_matched < 12 else [])) if x]
    assert right.lines[0].get_marker() == "x"
    assert left.figure.legends[0].get_texts()[2].get_text() == "correct, all"


def test_figures_have_a_row_for_each_role_and_ending(written: Path) -> None:
    left, right = draw_roles(records(written, "roles")).axes
    assert [label.get_text() for label in left.get_yticklabels()] == ["Wait", "line end", DELIMITER]
    assert right.get_xscale() == "log"
    (axes,) = draw_endings(records(written, "endings")).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [NOTHING, "'so'"]
    drawn = [line for line in axes.lines if list(line.get_xdata()) == [pytest.approx(0.5)]]
    assert len(drawn) == 2


@pytest.mark.parametrize("values", [(0.86, 1.15), (0.38, 2.3), (0.6, 1.7), (0.002, 140), (1e-6, 1e6), (3.0, 3.0)])
def test_labels_of_a_logarithmic_axis_do_not_overlap(values: tuple[float, float]) -> None:
    with new_figure(3.2, 2) as figure:
        axes = figure.subplots()
        axes.plot(values, [0, 1], "o")
        label_log_axis(axes)
        figure.draw_without_rendering()
    shown = [label for label in axes.get_xticklabels(which="both") if label.get_text()]
    boxes = sorted((label.get_window_extent() for label in shown), key=lambda box: box.x0)
    assert 2 <= len(boxes) <= 5
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
