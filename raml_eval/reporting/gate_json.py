"""A gate's outcome as plain values, with the schema that docs/comparing.md describes."""

from __future__ import annotations

from typing import Any

from raml_eval.comparison import GateResult, JudgedCell, Uncompared, needed_for
from raml_eval.reporting.comparison_json import plain


def gate_values(gate: GateResult) -> dict[str, Any]:
    """Everything in a gate's outcome as values that JSON has: null for a number that cannot be given."""
    found = plain(
        {
            "name": gate.name,
            "outcome": str(gate.outcome),
            "exit_code": int(gate.exit_code),
            "decided": gate.decided,
            "level": gate.level,
            "cells": [judged_values(cell) for cell in gate.cells],
            "not_compared": [uncompared_values(one) for one in gate.uncompared],
        }
    )
    assert isinstance(found, dict)
    return found


def uncompared_values(one: Uncompared) -> dict[str, Any]:
    """An advisory cell that could not be judged: what it asked for, and why there is no answer."""
    rule = one.rule
    return {
        "scope": rule.scope,
        "tasks": rule.tasks,
        "budget": rule.budget,
        "metric": rule.measure.name,
        "test": rule.test,
        "tier": rule.tier,
        "why": one.why,
    }


def judged_values(cell: JudgedCell) -> dict[str, Any]:
    """A cell's rule, its numbers and its outcome. Shares and their differences are shares; tokens are tokens."""
    rule, found = cell.rule, cell.found
    return {
        "scope": rule.scope,
        "tasks": rule.tasks,
        "budget": rule.budget,
        "metric": rule.measure.name,
        "unit": "tokens" if rule.in_tokens else "share",
        "test": rule.test,
        "tier": rule.tier,
        "inconclusive": rule.inconclusive,
        "direction": "lower" if rule.lower_is_better else "higher",
        "margin": rule.margin,
        "bar": rule.bar,
        "base": cell.base,
        "new": cell.new,
        "difference": found.value,
        "low": found.low,
        "high": found.high,
        "level": cell.level,
        "holm_level": cell.holm_level,
        "n_questions": found.n_questions,
        "n_clusters": found.n_clusters,
        "method": found.method,
        "outcome": str(cell.outcome),
        "blocks": cell.blocks,
        "detectable": cell.detectable,
        "needed_questions": cell.needed_questions,
        "needed_samples": cell.needed_samples,
        "needed_for": needed_for(rule),
    }
