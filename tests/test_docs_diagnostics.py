"""The pages of the diagnoses define each column of each table that is written, once, and have one word for each answer."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from raml_eval.diagnostics.pruning.outcomes import WAYS
from raml_eval.diagnostics.pruning.pruning import prune_run
from raml_eval.diagnostics.statistics import diagnose_statistics
from tests.defined import wrongly_defined
from tests.pruned import draw_run

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_run(tmp_path_factory.mktemp("runs") / "run", thinking_budget=["off", 0, 16, "unlimited"])


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def test_each_column_of_the_statistics_is_defined_once(run: Path, tmp_path: Path) -> None:
    folder = diagnose_statistics(run, tmp_path)
    assert len([*folder.glob("*.parquet")]) == 10  # the eight tables, subjects and questions
    assert wrongly_defined(page("diagnostics"), folder) == []


def test_each_column_of_a_pruning_is_defined_once(run: Path, tmp_path: Path) -> None:
    folder = prune_run(run, ["last:1", "share:0.5"], out=tmp_path, quiet=True).folder
    assert len([*folder.glob("*.parquet")]) == 3
    assert wrongly_defined(page("pruning"), folder) == []


def test_each_answer_of_a_pruning_has_one_word() -> None:
    text = page("pruning")
    assert [text.count(f"\n| {word} | ") for word in ("whole", "pruned", "forced", "no thinking")] == [1] * 4
    assert list(WAYS.values()) == ["whole", "pruned", "forced", "no thinking"]


def test_a_column_without_a_definition_or_with_two_is_noticed(tmp_path: Path) -> None:
    pd.DataFrame({"known": [1], "known_low": [1], "new": [1], "word_en": [1], "low_word": [1]}).to_parquet(
        tmp_path / "a.parquet"
    )
    pd.DataFrame({"known": [1]}).to_parquet(tmp_path / "b.parquet")
    head = "| shown as | column of `a.parquet` | meaning |\n|---|---|---|\n"
    once = f"{head}| known | `known`, `X_low` | it |\n| | `word_<x>` | it |"
    assert wrongly_defined(once, tmp_path) == [
        "a.parquet: new is defined 0 times", "a.parquet: low_word is defined 0 times", "b.parquet: known is defined 0 times",
    ]  # fmt: skip
    twice = f"{once}\n| | `new`, `low_word` | it |\n\n| column of every table | meaning |\n|---|---|\n| `known` | it |"
    assert wrongly_defined(twice, tmp_path) == ["a.parquet: known is defined 2 times"]
