"""The errors that a user can meet.

    RamlError               exit code 2, but for GaveUp
    ├── InputError          something the caller gave cannot be used: nothing written
    │   ├── ConfigError     a configuration, flag or preset
    │   ├── TaskError       a task, its YAML or its data
    │   ├── ModelError      a checkpoint, its tokenizer or its thinking format
    │   ├── StoreError      a run directory: foreign, locked, unwritable
    │   │   └── CorruptStore    a stored line that cannot be read
    │   └── SourceError     another harness's log: unreadable, or of samples that cannot be imported
    ├── MetricError         a number that cannot be computed from the samples
    ├── GenerationError     one request failed in the engine: the sample is owed again
    │   └── GaveUp          request after request failed: the rest was not tried, and is owed too; exit code 4
    └── SwapRefused         an engine does not take another checkpoint's weights: a new one is opened

Every message says what failed, the value met, the value wanted, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


class RamlError(Exception):
    """The root of all errors that this package raises on purpose."""


class InputError(RamlError):
    """Something that the caller gave cannot be used."""


class ConfigError(InputError):
    """A configuration file, flag or preset is wrong."""


class TaskError(InputError):
    """A task, its YAML or its data is wrong or cannot be reached."""


class ModelError(InputError):
    """A checkpoint, its tokenizer or its thinking format is wrong or cannot be reached."""


class StoreError(InputError):
    """A run directory cannot be used."""


class CorruptStore(StoreError):
    """A stored line cannot be read, and it is not a torn last line."""


class SourceError(InputError):
    """Another harness's log cannot be imported."""


class MetricError(RamlError):
    """The requested number cannot be computed from the samples."""


class GenerationError(RamlError):
    """One request failed in the engine. A failure is not an answer: the sample is owed again."""


class SwapRefused(RamlError):
    """An engine cannot hold the other checkpoint, or a test after the swap failed. It must be closed, and a new one opened."""


class GaveUp(GenerationError):
    """So many requests in a row failed that the rest was not tried. What finished is stored, and everything else is owed."""


@contextmanager
def writing(path: Path, advice: str = "Choose a writable --out.", kind: type[RamlError] = ConfigError) -> Iterator[None]:
    """Inside, an OSError becomes an error of this kind, which names the path, the reason and what to do.

    Example: writing(Path("out.txt")) around a write gives "cannot write out.txt: Permission denied. Choose a writable --out."
    """
    try:
        yield
    except OSError as error:
        raise kind(f"cannot write {path}: {error.strerror or error}. {advice}") from error


def near_names(wanted: str, known: Iterable[str]) -> str:
    """The text ' Did you mean a, b?' with the known names that resemble the wanted one, whatever their case; empty for none.

    Example: near_names("math50", ["math500", "gsm8k"]) == " Did you mean math500?"
    """
    by_lower: dict[str, list[str]] = {}
    for name in dict.fromkeys(known):
        by_lower.setdefault(name.lower(), []).append(name)
    found = difflib.get_close_matches(wanted.lower(), by_lower, n=3, cutoff=0.6)
    close = [name for lower in found for name in by_lower[lower]][:3]
    return f" Did you mean {', '.join(close)}?" if close else ""


def choose_names(noun: str, wanted: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """The wanted names in the order of the known ones, or all known ones if none is wanted. ConfigError for an unknown name.

    Example: choose_names("task", ["b"], ["a", "b"]) == ("b",)
    """
    names, asked = list(known), list(wanted)
    for name in asked:
        if name not in names:
            raise ConfigError(f"there is no {noun} {name!r}.{near_names(name, names)} There are {', '.join(names)}.")
    return tuple(name for name in names if not asked or name in asked)
