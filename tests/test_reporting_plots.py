"""The budget curve is a picture of the frame."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from raml_eval.drawing import plain_label, style_of
from raml_eval.errors import ConfigError, MetricError
from raml_eval.reporting.html_figures import figure_markup
from raml_eval.reporting.plots import draw_budget_curve, plot_budget_curve
from raml_eval.reporting.render import Figure
from raml_eval.reporting.reports.figures import draw_axis
from raml_eval.tables import Measure, build_frame, frame_rows
from tests.factory import by_row, make_run

RUN = make_run(by_row(lambda row: row % 5), budgets=("unlimited", "off", 16), tasks={"a$b": "in_domain", "c": "cross_domain"})
OTHER = make_run(by_row(lambda row: row % 3), name="other", budgets=(16, 64))


def test_a_png_stands_at_the_path(tmp_path: Path) -> None:
    path = plot_budget_curve(build_frame([RUN, OTHER]), tmp_path / "new" / "curve.png")
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 10_000


def test_a_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot write .*curve\.png: .*writable --plot"):
        plot_budget_curve(build_frame([RUN]), tmp_path / "file" / "curve.png")


def test_equal_frames_give_equal_svg_files(tmp_path: Path) -> None:
    frame = build_frame([RUN])
    first, second = (plot_budget_curve(frame, tmp_path / f"{name}.svg") for name in "ab")
    assert first.read_bytes() == second.read_bytes()
    drawn = re.findall(r"<!-- (.*?) -->", first.read_text(encoding="utf-8"))
    labels = [text for text in drawn if text in ("off", "16", "unlimited", "thinking budget (tokens, not to scale)", "c")]
    assert labels == ["off", "16", "unlimited", "thinking budget (tokens, not to scale)", "c"]


def test_a_frame_without_accuracy_is_refused(tmp_path: Path) -> None:
    frame = build_frame([RUN])
    with pytest.raises(MetricError, match="no avg@n to plot"):
        plot_budget_curve(frame[frame["metric"] != "avg@n"], tmp_path / "x.png")


FIVE = [make_run(by_row(lambda row: row % 5), name=f"run {i}", tasks={"a": "in_domain", "b": "in_domain"}) for i in range(5)]


def looks(figure: Any) -> dict[str, set[tuple[str, str]]]:
    """The colour and marker of each legend entry, over all axes of the figure."""
    found: dict[str, set[tuple[str, str]]] = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, set()).add((handle.lines[0].get_color(), handle.lines[0].get_marker()))
    return found


def test_each_of_five_runs_has_a_look_of_its_own_in_every_panel() -> None:
    figure = draw_budget_curve(build_frame(FIVE))
    found = looks(figure)
    assert list(found) == [run.name for run in FIVE]
    assert all(len(of) == 1 for of in found.values())
    (colours, markers) = zip(*(one for of in found.values() for one in of), strict=True)
    assert (len(set(colours)), len(set(markers))) == (5, 5)
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]


def test_intervals_at_one_budget_stand_beside_one_another() -> None:
    axes = draw_budget_curve(build_frame(FIVE)).axes[0]
    places = [float(handle.lines[0].get_xdata()[0]) for handle in axes.get_legend_handles_labels()[0]]
    gaps = [after - before for before, after in pairwise(places)]
    assert min(gaps) > 0.05
    assert places[-1] - places[0] < 0.7  # nearer to its budget than to the next


def test_a_run_looks_the_same_along_an_axis_and_over_budgets() -> None:
    labels, frame = [run.name for run in FIVE], build_frame(FIVE)
    means = {
        row["run"]: row for row in frame_rows(frame) if (row["task"], row["budget"]) == ("a", "16") and row["metric"] == "avg@n"
    }
    order = [4, 2, 1]
    points = [(labels[i], "in_domain", float(2**i), means[labels[i]]) for i in order]
    along = draw_axis(points, "step", Measure("avg@n"), labels)  # type: ignore[arg-type]
    assert looks(along) == {labels[i]: looks(draw_budget_curve(frame))[labels[i]] for i in order}
    assert along.axes[0].get_xlabel() == "step (log scale)"
    near = draw_axis([(label, domain, 10 + x, row) for label, domain, x, row in points], "step", Measure("avg@n"))  # type: ignore[arg-type, misc]
    assert near.axes[0].get_xlabel() == "step"


def test_56_lines_differ() -> None:
    assert len({style_of(number) for number in range(56)}) == 56


@pytest.mark.parametrize("name", ["a\x1b\x07b", "a\ud800b", "a\x85b", "a\ufffeb", "two\nlines", "\x00"])
def test_a_name_that_no_drawing_can_hold_is_drawn_with_replacements(name: str, tmp_path: Path) -> None:
    stored = name.encode("utf-8", "replace").decode()  # a run's files hold no half of a character; a report's groups may
    run = make_run(by_row(lambda row: 2), tasks={stored: "in_domain", "c": "cross_domain"})
    other = replace(run, name=stored, directory=Path("elsewhere"))
    frame = build_frame([run, other])
    row = next(row for row in frame_rows(frame) if row["metric"] == "avg@n")
    axis = draw_axis([(name, "in_domain", 1.0, row), (name, "in_domain", 16.0, row)], name, Measure("avg@n"))
    for drawing in (draw_budget_curve(frame), draw_budget_curve(build_frame([run])), axis):
        assert figure_markup(Figure("x", "title", "about", drawing), "f-").startswith("<svg")
    assert plot_budget_curve(frame, tmp_path / "curve.svg").stat().st_size > 10_000
    assert plain_label("a\x1bb$_") == "a\N{REPLACEMENT CHARACTER}b\\$_"


def test_the_axes_of_a_trend_show_every_point_with_its_ends() -> None:
    """Points of several groups are moved aside, which alone would not widen the axes."""
    rows = {x: {"run": f"r{x:g}", "value": 0.01 * x, "low": 0.005 * x, "high": 0.02 * x} for x in (4.0, 16.0, 40.0)}
    points = [
        (group, domain, x, row)
        for group in ("sft", "rl")
        for domain in ("in_domain", "cross_domain")
        for x, row in rows.items()
    ]
    figure = draw_axis(points, "step", Measure("avg@n"), [str(row["run"]) for row in rows.values()])  # type: ignore[arg-type]
    assert len(figure.axes) == 2
    for axes in figure.axes:
        assert axes.get_xlim()[0] <= 4
        assert axes.get_xlim()[1] >= 40
        assert axes.get_ylim()[0] <= 2
        assert axes.get_ylim()[1] >= 80
