"""A comparison as plain values, with the schema that docs/comparing.md describes."""

from __future__ import annotations

import math
from dataclasses import asdict, fields
from typing import Any

from raml_eval.comparison import ComparedCell, Comparison

SCHEMA = "raml_eval.comparison/1"


def comparison_values(comparison: Comparison) -> dict[str, Any]:
    """Everything in a comparison as values that JSON has: null for a number that cannot be given."""
    primary = comparison.primary
    values = {
        "schema": SCHEMA,
        "base": comparison.base,
        "new": comparison.new,
        "verdict": str(comparison.verdict),
        "worse": comparison.regressed,
        "level": comparison.level,
        "margin": comparison.margin,
        "primary": {"metric": primary.measure.name, "budget": str(primary.budget), "source": primary.source},
        "cells": [cell_values(cell) for cell in comparison.cells],
        "listed": [asdict(one) for one in comparison.listed],
        "curves": [asdict(curve) for curve in comparison.curves],
        "flips": [{**asdict(flip), "turned": "right" if flip.to_right else "wrong"} for flip in comparison.flips],
    }
    found = plain(values)
    assert isinstance(found, dict)
    return found


def cell_values(cell: ComparedCell) -> dict[str, Any]:
    """The fields of a cell; the difference at the level of the whole comparison is under alone."""
    values = {field.name: getattr(cell, field.name) for field in fields(cell) if field.name not in ("alone", "noise")}
    return {**values, "alone": asdict(cell.alone), "noise": asdict(cell.noise) if cell.noise else None}


def plain(value: Any) -> Any:
    """The value with NaN and infinity as null, tuples as lists, and words as plain strings.

    Example: plain({"a": (1, float("nan"))}) == {"a": [1, None]}
    """
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, str) else value
