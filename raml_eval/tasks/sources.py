"""Sources of tasks: a name with a colon, such as reasoning_gym:chain_sum, is a task that a source makes from the name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from types import MappingProxyType

from raml_eval.errors import TaskError, near_names
from raml_eval.tasks.task_file import TaskFile

# prefix -> the function that makes the task, imported when it is first asked for
SOURCES: Mapping[str, str] = MappingProxyType({"reasoning_gym": "raml_eval.tasks.procedural:read_task"})


def is_source_name(name: str) -> bool:
    """Whether the name asks a source. Plain names of tasks and suites hold no colon."""
    return ":" in name


def read_source_task(name: str) -> TaskFile:
    """The task that a source makes of the name, under its canonical name. Raises TaskError for a name that no source knows.

    Example: read_source_task("reasoning_gym:chain_sum?size=100").name == "reasoning_gym:chain_sum"
    """
    prefix, _, rest = name.partition(":")
    if prefix not in SOURCES:
        known = ", ".join(f"{one}:NAME" for one in SOURCES)
        raise TaskError(f"there is no source of tasks {prefix!r}.{near_names(prefix, SOURCES)} The sources are {known}.")
    module, _, function = SOURCES[prefix].partition(":")
    read: Callable[[str], TaskFile] = getattr(importlib.import_module(module), function)
    return read(rest)
