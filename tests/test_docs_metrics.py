"""The worked examples of docs/metrics.md are true, its links lead somewhere, and it names everything that a frame holds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raml_eval.reporting.sections import LENGTHS
from raml_eval.tables import COLUMNS, SWEEP_COLUMNS, build_sweep
from raml_eval.tables.measures import QUANTILES, TOKENS, measures_for
from tests.sweeps import cut_run

PAGE = (Path(__file__).parents[1] / "docs" / "metrics.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)


def stated_results() -> Iterator[tuple[str, str]]:
    """(the statements of the block before it, expression) for each line `expression == value` of the page."""
    for block in BLOCKS:
        before: list[str] = []
        for node in ast.parse(block).body:
            if isinstance(node, ast.Expr):
                yield "\n".join(before), ast.unparse(node)
            else:
                before.append(ast.unparse(node))


@pytest.mark.parametrize(("before", "expression"), list(stated_results()), ids=lambda text: text[-60:])
def test_a_worked_example_is_true(before: str, expression: str) -> None:
    comparison = ast.parse(expression, mode="eval").body
    assert isinstance(comparison, ast.Compare), f"{expression} states no result; write it as expression == value"
    assert isinstance(comparison.ops[0], ast.Eq)
    names: dict[str, Any] = {}
    exec(before, names)
    assert eval(expression, names) is True


def test_every_block_states_a_result() -> None:
    assert len(BLOCKS) >= 8
    assert all(" == " in block for block in BLOCKS)


def test_every_metric_and_column_is_explained() -> None:
    metrics = {measure.metric for measure in measures_for((2,), timeouts=True, cells=True)}
    quantiles = {f"{kind}_{name}" for kind in TOKENS for name in QUANTILES}
    missing = [name for name in {*metrics, *quantiles, *COLUMNS, "gain", "chance"} if f"`{name}`" not in PAGE]
    assert missing == []
    for column, metric, _ in LENGTHS:
        assert re.search(rf"^\| [^|]*\b{column}\b[^|]*\| [^|]*`{metric}`", PAGE, re.M), f"no row explains {column}, {metric}"


def test_every_number_of_a_sweep_is_explained() -> None:
    budgets = (16, 32, "unlimited", "frac:0.5")
    run = cut_run(lambda *_: True, lambda task, row, index: 10 * row + 10, budgets=budgets, n_questions=12)
    frame = build_sweep([run], price=1.0)
    assert [name for name in sorted({*frame["metric"], *SWEEP_COLUMNS}) if f"`{name}`" not in PAGE] == []


def test_a_link_within_the_page_leads_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.M)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", PAGE)) <= anchors
