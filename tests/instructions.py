"""What tests of the rules ifeval and ifbench share: whether checkers and data are installed, and questions for them."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

import pytest

from raml_eval.sandbox.rules import ifbench, ifeval


def missing(rule: ModuleType) -> str:
    """What the rule lacks here, as it says it; empty if it can score."""
    try:
        rule.prepare({})
    except LookupError as error:
        return str(error)
    return ""


MISSING = {"ifeval": missing(ifeval), "ifbench": missing(ifbench)}
needs_ifeval = pytest.mark.skipif(bool(MISSING["ifeval"]), reason=MISSING["ifeval"])
needs_ifbench = pytest.mark.skipif(bool(MISSING["ifbench"]), reason=MISSING["ifbench"])


def asked(rule: str, prompt: str, **instructions: dict[str, Any]) -> dict[str, Any]:
    """The tests of one question; a colon in the name of an instruction is written as two underscores."""
    named = [{"id": name.replace("__", ":"), "kwargs": given} for name, given in instructions.items()]
    return {"rule": rule, "read": "whole", "prompt": prompt, "instructions": named}


def as_gold(tests: dict[str, Any]) -> str:
    return json.dumps(tests)
