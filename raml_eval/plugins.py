"""What other installed packages add, by entry points: tasks, graders and thinking formats."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib import metadata
from typing import Any

from raml_eval.errors import ConfigError

TASKS = "raml_eval.tasks"  # a folder with task YAMLs: a path, a package, or a function that returns a path
GRADERS = "raml_eval.graders"  # a raml_eval.grading.kinds.Kind
FORMATS = "raml_eval.thinking_formats"  # a record, a ThinkingFormat, or a function that returns either


def plugin_names(group: str) -> tuple[str, ...]:
    """The names that installed packages declare in a group, sorted. Nothing of theirs is imported."""
    return _names(group, tuple(sys.path))


@lru_cache(maxsize=8)  # the folders of all installed packages are looked through: 10 ms, and each task asks
def _names(group: str, path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({entry.name for entry in metadata.entry_points(group=group)}))


def load_plugins(group: str) -> Iterator[tuple[str, Any]]:
    """Each name of the group with what it stands for. Raises ConfigError if a package cannot be imported."""
    for entry in sorted(metadata.entry_points(group=group), key=lambda entry: entry.name):
        try:
            yield entry.name, entry.load()
        except Exception as error:
            raise broken_plugin(group, entry.name, error) from error


def broken_plugin(group: str, name: str, error: Exception | str) -> ConfigError:
    """The error about an entry point that cannot be used."""
    reason = error if isinstance(error, str) else repr(error)
    return ConfigError(f"the entry point {name} of {group} cannot be used ({reason}). Correct or uninstall its package.")
