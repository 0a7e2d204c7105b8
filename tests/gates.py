"""What the tests of gates share: cells with intervals that are known, run directories on disk, and a check of JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from raml_eval.comparison import CellValues, Rule
from raml_eval.intervals import Part
from raml_eval.types import Grade, Status
from tests.stored import Drawn, ask, store_run

RIGHT, WRONG = Grade(Status.CORRECT, "7", "a rule", "0"), Grade(Status.INCORRECT, "8", "a rule", "0")


def moved(mean: float, spread: float = 0.1, n: int = 400) -> Part:
    """n questions, each its own cluster, whose differences have this mean and this standard deviation."""
    steps = np.where(np.arange(n) % 2 == 0, spread, -spread) * np.sqrt((n - 1) / n)
    return Part(np.full(n, 0.5), 0.5 + mean + steps, [f"q{row}" for row in range(n)])


def cell(mean: float, spread: float = 0.1, n: int = 400, **rule: Any) -> CellValues:
    """A cell of one task whose t-interval is mean +- t * spread / sqrt(n)."""
    return CellValues(Rule(rule.pop("scope", "sums"), **rule), [moved(mean, spread, n)])


def write_run(
    path: Path, hits: Callable[[int], int], rows: int = 40, samples: int = 4, tasks: tuple[str, ...] = ("sums",)
) -> Path:
    """A finished run directory: the first hits(row) samples of each question of each task are right."""
    questions = [ask(row, "7", task=task) for task in tasks for row in range(rows)]
    drawn = [
        Drawn("7" if right else "8", RIGHT if right else WRONG, question=place)
        for place in range(len(questions))
        for index in range(samples)
        for right in [index < hits(place % rows)]
    ]
    return store_run(path, questions, drawn)


KINDS: Mapping[str, Any] = {
    "object": dict, "array": list, "string": str, "number": (int, float), "integer": int, "boolean": bool, "null": type(None),
}  # fmt: skip


def schema_errors(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any], place: str = "$") -> list[str]:
    """Where the value departs from the schema, for the keywords that ours uses. A key that no property describes is one."""
    schema = {**schema, **root["$defs"][schema["$ref"].rpartition("/")[2]]} if "$ref" in schema else schema
    unread = schema.keys() - {"$ref", "$schema", "$id", "$defs", "title", "description", *READ}
    assert not unread, f"the check does not know {unread}"
    errors = []
    if "anyOf" in schema:
        options = [schema_errors(value, one, root, place) for one in schema["anyOf"]]
        errors += [] if [] in options else min(options, key=len)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    is_bool = isinstance(value, bool) and "boolean" not in kinds
    if kinds and (is_bool or not any(isinstance(value, KINDS[kind]) for kind in kinds)):
        return [*errors, f"{place} is {value!r:.40}, no {kinds}"]
    if value != schema.get("const", value) or value not in schema.get("enum", [value]):
        errors.append(f"{place} is {value!r:.40}")
    if isinstance(value, dict) and "properties" in schema:
        errors += [f"{place} lacks {key}" for key in schema["required"] if key not in value]
        errors += [f"{place} has {key}, which is not described" for key in value if key not in schema["properties"]]
        for key, one in schema["properties"].items():
            errors += schema_errors(value[key], one, root, f"{place}.{key}") if key in value else []
    if isinstance(value, list) and "items" in schema:
        errors += [error for i, one in enumerate(value) for error in schema_errors(one, schema["items"], root, f"{place}[{i}]")]
    return errors


READ = ("anyOf", "type", "const", "enum", "properties", "required", "items")
