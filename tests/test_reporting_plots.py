"""The budget curve is a picture of the frame."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raml_eval.errors import ConfigError, MetricError
from raml_eval.reporting.plots import plot_budget_curve
from raml_eval.tables import build_frame
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
    labels = [text for text in drawn if text in ("off", "16", "unlimited", "thinking budget (tokens)", "c")]
    assert labels == ["off", "16", "unlimited", "thinking budget (tokens)", "c"]


def test_a_frame_without_accuracy_is_refused(tmp_path: Path) -> None:
    frame = build_frame([RUN])
    with pytest.raises(MetricError, match="no avg@n to plot"):
        plot_budget_curve(frame[frame["metric"] != "avg@n"], tmp_path / "x.png")
