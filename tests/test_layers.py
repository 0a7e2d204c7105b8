"""Imports go down the layers of the design only, and siblings of the first layer leave one another alone."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "raml_eval"
LAYERS = [
    ["types", "descriptions", "protocols", "errors", "config", "checkpoint"],
    [
        "backends", "prompts", "formats", "thinking", "tasks", "grading", "store", "counts", "metrics", "majority",
        "intervals", "progress", "plan", "workers", "lifeline",
    ],
    ["grouping", "importing", "inputs", "judge", "provenance", "regrade", "runner", "session", "tables"],
    ["reporting", "api"],
    ["cli", "__main__", "__init__"],
]  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
# First-layer modules that others of the layer may read: plain tables, and a guard of processes.
SHARED = {"lifeline", "formats", "majority"}


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module == "raml_eval":
            found |= {f"raml_eval.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(str(node.module))
    return {name.split(".")[1] for name in found if name.startswith("raml_eval.")}


FILES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    here = part_of(path)
    assert here in LEVEL, f"{here} stands in no layer of this test"
    for there in imports(path) - {here}:
        assert LEVEL[there] <= LEVEL[here], f"{here} imports {there} from a higher layer"
        if LEVEL[there] == LEVEL[here] == 1:
            assert there in SHARED, f"{here} imports its sibling {there}"


def test_every_layer_entry_exists() -> None:
    parts = {part_of(path) for path in FILES}
    assert set(LEVEL) <= parts


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            body = node.end_lineno - node.body[0].lineno + 1  # signatures of commands are their documentation
            assert body <= 60, f"{node.name} has {body} lines"
