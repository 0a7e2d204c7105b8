"""What tests with reasoning-gym share. The package is imported only in processes of its own: importing it warns."""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Mapping
from typing import Any

import pytest

from raml_eval.sandbox.rules.reasoning_gym import EVALUATING, PARSING
from raml_eval.tasks.procedural import generate

needs_gym = pytest.mark.skipif(
    importlib.util.find_spec("reasoning_gym") is None, reason="reasoning-gym is not installed (the extra procedural)"
)
EVALUATED = sorted(EVALUATING | PARSING)


@functools.cache
def rows(generator: str, size: int = 20, seed: int = 7) -> list[dict[str, Any]]:
    return generate({"generator": generator, "size": size, "seed": seed, "settings": {}})


def changed(answer: str) -> str:
    """A near miss: one letter or digit in the middle is another one."""
    places = [place for place, mark in enumerate(answer) if mark.isalnum()]
    place = places[len(places) // 2]
    mark = answer[place]
    other = str((int(mark) + 1) % 10) if mark.isdigit() else "b" if mark != "b" else "d"
    return answer[:place] + (other.upper() if mark.isupper() else other) + answer[place + 1 :]


def rule(**fields: Any) -> str:
    tests: Mapping[str, Any] = {"rule": "hostile", **fields}
    return json.dumps(tests)
