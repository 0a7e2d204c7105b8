"""Sources of tasks: a name with a colon, such as reasoning_gym:chain_sum, is a task that a source makes from the name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from raml_eval.errors import TaskError, near_names
from raml_eval.tasks.task_file import TaskFile

# prefix -> the function that makes the task, imported when it is first asked for
SOURCES: Mapping[str, str] = MappingProxyType(
    {"reasoning_gym": "raml_eval.tasks.procedural:read_task", "lm_eval": "raml_eval.tasks.upstream:read_task"}
)
# prefix -> the function that lists the tasks behind a name, where a source has names of several tasks
GROUPS: Mapping[str, str] = MappingProxyType({"lm_eval": "raml_eval.tasks.upstream:expand"})


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
    read: Callable[[str], TaskFile] = _import(SOURCES[prefix])
    return read(rest)


def source_members(names: Iterable[str]) -> Iterator[str]:
    """The names with each group of a source replaced by its tasks. Raises TaskError for a group that cannot be used."""
    for name in names:
        prefix, _, rest = name.partition(":")
        if prefix in GROUPS and rest:
            expand: Callable[[str], list[str]] = _import(GROUPS[prefix])
            yield from (f"{prefix}:{one}" for one in expand(rest))
        else:
            yield name


def _import(place: str) -> Any:
    module, _, function = place.partition(":")
    return getattr(importlib.import_module(module), function)
