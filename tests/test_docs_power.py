"""The examples of docs/power.md are true, and it names every key and option."""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path
from typing import Any

from raml_eval.cli.planning import power
from raml_eval.comparison.planned import Wanted, plan_comparison
from raml_eval.comparison.power import power_rows
from raml_eval.reporting.power import HEADER, render_power

PAGE = (Path(__file__).parents[1] / "docs" / "power.md").read_text(encoding="utf-8")


def test_the_python_examples_are_true() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.S)
    names: dict[str, Any] = {}
    results = [node for node in ast.parse(block).body if isinstance(node, ast.Expr)]
    exec("\n".join(ast.unparse(node) for node in ast.parse(block).body if not isinstance(node, ast.Expr)), names)
    assert len(results) == 2
    assert all(eval(ast.unparse(node), names) is True for node in results)


def test_every_column_key_and_option_is_explained() -> None:
    planned = plan_comparison(["gsm8k"], assume="beta:2,2", n_questions=30)
    values = json.loads(render_power(power_rows(planned, Wanted()), planned, Wanted(), "json"))
    for key in (*values, *values["rows"][0]):
        assert f"`{key}`" in PAGE, key
    for column in HEADER:
        assert re.search(rf"^\| {column} \|", PAGE, re.M), column
    for option in inspect.signature(power).parameters:
        if option not in ("tasks", "task_path", "trust_tasks"):
            assert f"--{option}" in PAGE, option
