"""Rows of IFEval and IFBench: a prompt, the instructions in it, and the arguments that check each.

Like raml_eval.tasks.docs, the YAML files name these functions.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import metadata
from typing import Any

from raml_eval.errors import TaskError

Row = Mapping[str, Any]
PACKAGES = {"ifeval": "lm_eval", "ifbench": "if-verifiable"}  # the packages that hold the checkers


def named_instructions(doc: Row) -> str:
    """The ids of the instructions, for people: no text is the one right answer."""
    return "follows " + ", ".join(doc["instruction_id_list"])


def ifeval_tests(doc: Row) -> dict[str, Any]:
    """The rule of an IFEval row."""
    return _tests(doc, "ifeval")


def ifbench_tests(doc: Row) -> dict[str, Any]:
    """The rule of an IFBench row."""
    return _tests(doc, "ifbench")


def _tests(doc: Row, rule: str) -> dict[str, Any]:
    """The rule over the whole answer: the prompt, and each instruction with the arguments that it has.

    datasets gives every instruction the arguments of all others, as None; these are dropped. Raises TaskError if the row does
    not hold one set of arguments for each instruction.
    """
    names, arguments = list(doc["instruction_id_list"]), list(doc["kwargs"])
    if not names or len(names) != len(arguments):
        raise TaskError(
            f"the row {doc['key']} has {len(names)} instructions and {len(arguments)} sets of arguments; wanted one for each, "
            "and at least one instruction. Correct the row."
        )
    instructions = [
        {"id": name, "kwargs": {key: value for key, value in (given or {}).items() if value is not None}}
        for name, given in zip(names, arguments, strict=True)
    ]
    version = _version(PACKAGES[rule])  # another one may decide otherwise, so it is a part of the question
    return {"rule": rule, "read": "whole", "prompt": doc["prompt"], "instructions": instructions, "checkers": version}


def _version(package: str) -> str:
    """The package and its installed version; the package alone if it is missing."""
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return package
