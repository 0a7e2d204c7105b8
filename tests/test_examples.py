"""The `Example:` lines of docstrings that state a result are true, under the names that their modules have or import."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from raml_eval.checkpoint import find_checkpoint
from raml_eval.prompts.tokenizer import load_tokenizer

PACKAGE = Path(__file__).resolve().parents[1] / "raml_eval"


def stated_results() -> Iterator[tuple[str, str]]:
    """(module, expression) for each example with ==; those without one show only how a function is called."""
    for path in sorted(PACKAGE.rglob("*.py")):
        names = path.relative_to(PACKAGE.parent).with_suffix("").parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
                for example in re.findall(r"Example: (.* == .*)$", ast.get_docstring(node) or "", re.MULTILINE):
                    yield ".".join(names).removesuffix(".__init__"), example.rstrip(".")


# Names that examples use although their modules do not import them.
EXTRA = {"np": np, "Path": Path, "load_tokenizer": load_tokenizer, "find_checkpoint": find_checkpoint}


@pytest.mark.parametrize(("module", "example"), sorted(stated_results()))
def test_an_example_is_true(module: str, example: str) -> None:
    assert eval(example, {**EXTRA, **vars(importlib.import_module(module))}) is True
