"""Imports only go down the layers, no sub-package has a cycle of imports, and files and functions stay short."""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "raml_eval"
LAYERS = [
    [
        "types", "protocols", "errors", "config", "checkpoint", "exits", "gate_file", "manifest", "plan", "thinking_formats",
        "codec", "columns", "concurrency", "budgets", "drawing", "endpoint", "fingerprint", "lazy", "metric_names",
        "model_faults",
        "parent_watch", "plugins", "progress", "redaction", "reflection", "sandbox", "shards", "small_files", "window",
        "wording", "yaml_text",
    ],
    [
        "allocation", "backends", "batches", "prompts", "thinking", "tasks", "grading", "store", "counts", "metrics",
        "intervals",
    ],
    [
        "answer_classes", "comparison", "doctor", "engines", "golds", "inputs", "inspection", "judge", "kept_text", "looks",
        "matrix", "merging", "native_budgets", "preview", "regrade", "runner", "sampling", "series", "servers", "session",
        "settings", "stock", "tables", "until", "watch",
    ],
    ["api", "diagnostics", "exporting", "importing", "lm_eval_model", "reporting"],
    ["callback", "cli", "__main__", "__init__"],
]  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
APART = {1, 3}  # the layers whose parts leave one another alone: what they share lies below


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def modules_imported(path: Path) -> set[str]:
    """The modules and names that a file imports, in functions too, as dotted names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def imports(path: Path) -> set[str]:
    """The parts of the package that a file imports."""
    return {name.split(".")[1] for name in modules_imported(path) if name.startswith("raml_eval.")}


FILES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down(path: Path) -> None:
    here = part_of(path)
    assert here in LEVEL, f"{here} is in no layer of this test"
    for there in imports(path) - {here}:
        assert LEVEL[there] <= LEVEL[here], f"{here} imports {there} from a higher layer"
        if LEVEL[there] == LEVEL[here]:
            assert LEVEL[here] not in APART, f"{here} imports its sibling {there}"


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


def without_type_checking(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node outside the branches that only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from without_type_checking(node)


def module_name(path: Path) -> str:
    names = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(names[:-1] if names[-1] == "__init__" else names)


def import_graph(paths: Sequence[Path]) -> dict[str, set[str]]:
    """Which of these modules imports which, at run time, at the top or inside a function."""
    names = {module_name(path) for path in paths}
    graph: dict[str, set[str]] = {}
    for path in paths:
        found: set[str] = set()
        for node in without_type_checking(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                # A name that is no module of its own comes from the module it is imported from.
                found |= (whole & names) or {str(node.module)}
        graph[module_name(path)] = (found & names) - {module_name(path)}
    return graph


def find_cycle(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of one cycle of imports, in order; empty if there is none."""
    settled: set[str] = set()

    def visit(module: str, above: list[str]) -> list[str]:
        if module in above:
            return [*above[above.index(module) :], module]
        if module in settled:
            return []
        for there in sorted(graph[module]):
            if cycle := visit(there, [*above, module]):
                return cycle
        settled.add(module)
        return []

    return next((cycle for module in sorted(graph) if (cycle := visit(module, []))), [])


SUB_PACKAGES = sorted({path.parent for path in FILES} - {PACKAGE})


@pytest.mark.parametrize("folder", SUB_PACKAGES, ids=lambda folder: str(folder.relative_to(PACKAGE)))
def test_no_sub_package_imports_in_a_circle(folder: Path) -> None:
    cycle = find_cycle(import_graph([path for path in FILES if folder in path.parents]))
    assert not cycle, " -> ".join(cycle)


def test_the_parts_of_the_package_import_without_a_circle() -> None:
    graph: dict[str, set[str]] = {name: set() for name in LEVEL}
    for path in FILES:
        graph[part_of(path)] |= imports(path) - {part_of(path)}
    cycle = find_cycle(graph)
    assert not cycle, " -> ".join(cycle)


def test_a_circle_through_a_function_is_found() -> None:
    assert find_cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c", "b"]
    assert find_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []
