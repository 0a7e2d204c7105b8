"""The figures of a comparison."""

from __future__ import annotations

from pathlib import Path

import pytest

from raml_eval.comparison import compare_runs
from raml_eval.errors import ConfigError
from raml_eval.reporting.compare_plots import plot_comparison
from tests.factory import by_row, make_run

BASE = make_run(by_row(lambda row: row % 4), name="base $x$", n_questions=32)
WORSE = make_run(by_row(lambda row: max(row % 4 - 1, 0)), name="worse", n_questions=32)


def test_every_cell_and_curve_is_drawn(tmp_path: Path) -> None:
    found = compare_runs(BASE, WORSE)
    paths = plot_comparison(found, tmp_path)
    assert [path.name for path in paths] == [
        f"{name}.{ending}" for name in ("compare_differences", "compare_pass_at_k") for ending in ("png", "svg")
    ]
    text = (tmp_path / "compare_differences.svg").read_text()
    assert text.count("<!-- worse -->") == sum(cell.verdict == "worse" for cell in found.cells)
    assert "<!-- pocket_chain, avg@n at 64 -->" in text
    assert "<!-- pass@k, new - base (points) -->" in (tmp_path / "compare_pass_at_k.svg").read_text()


def test_equal_comparisons_give_equal_files(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        plot_comparison(compare_runs(BASE, WORSE), tmp_path / folder)
    for name in ("compare_differences.svg", "compare_pass_at_k.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_one_sample_and_one_cluster_can_be_drawn(tmp_path: Path) -> None:
    single = make_run(by_row(lambda row: 1), name="s", n_questions=3, per_cluster=3, n_samples=1)
    paths = plot_comparison(
        compare_runs(single, make_run(by_row(lambda row: 0), name="t", n_questions=3, per_cluster=3, n_samples=1)), tmp_path
    )
    assert [path.name for path in paths] == ["compare_differences.png", "compare_differences.svg"]


def test_a_folder_that_cannot_be_written_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"cannot write .*file"):
        plot_comparison(compare_runs(BASE, WORSE), tmp_path / "file")
