"""The figures of a sweep are pictures of its frame."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from raml_eval.errors import ConfigError
from raml_eval.reporting.sweep_plots import plot_sweep
from raml_eval.tables import build_sweep
from tests.sweeps import cut_run

TASKS = {"a$b": "in_domain", "c": "in_domain", "d": "cross_domain"}
RUN = cut_run(
    lambda task, row, index, budget: (row + index) % 4 < (2 if budget in (0, 16) else 3),
    lambda task, row, index: 10 + 20 * row,
    tasks=TASKS,  # type: ignore[arg-type]
)
OTHER = cut_run(lambda *_: True, lambda *_: 20, name="o$th$er", tasks={"d": "cross_domain"}, budgets=(16, 32))


def test_each_figure_is_drawn_as_png_and_svg(tmp_path: Path) -> None:
    paths = plot_sweep(build_sweep([RUN, OTHER]), tmp_path / "new")
    names = [f"sweep_{name}.{form}" for name in ("curve", "frontier", "escape") for form in ("png", "svg")]
    assert [path.name for path in paths] == names
    for path in paths:
        assert path.read_bytes()[:4] in (b"\x89PNG", b"<?xm")
        assert path.stat().st_size > 10_000


def test_domains_stand_side_by_side_before_the_tasks_and_budgets_in_order(tmp_path: Path) -> None:
    plot_sweep(build_sweep([RUN]), tmp_path)
    drawn = re.findall(r"<!-- (.*?) -->", (tmp_path / "sweep_curve.svg").read_text(encoding="utf-8"))
    titles = [text for text in drawn if "domain" in text]
    assert titles == ["In-domain: mean of 2 tasks", "d (cross-domain)", "a$b (in-domain)", "c (in-domain)"]
    ticks = [text for text in drawn if text in ("16", "64", "no cap")]
    assert ticks[:3] == ["16", "64", "no cap"]


def test_equal_frames_give_equal_svg_files(tmp_path: Path) -> None:
    frame = build_sweep([RUN])
    for first, second in zip(plot_sweep(frame, tmp_path / "a"), plot_sweep(frame, tmp_path / "b"), strict=True):
        if first.suffix == ".svg":
            assert first.read_bytes() == second.read_bytes()


def test_without_a_forced_answer_there_is_no_figure_of_escapes(tmp_path: Path) -> None:
    quiet = cut_run(lambda *_: True, lambda *_: 10, budgets=(16, 64))
    assert [path.name for path in plot_sweep(build_sweep([quiet]), tmp_path)][-1] == "sweep_frontier.svg"


def test_shares_of_a_trajectory_have_a_figure_of_their_own(tmp_path: Path) -> None:
    run = cut_run(lambda *_: True, lambda *_: 100, budgets=(16, 64, "frac:0.25", "frac:0.5"))
    assert [path.name for path in plot_sweep(build_sweep([run]), tmp_path)][-1] == "sweep_shares.svg"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot write .*sweep_curve\.png: .*writable --plot"):
        plot_sweep(build_sweep([RUN]), tmp_path / "file")
