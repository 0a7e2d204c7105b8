"""Imports other harnesses' sample logs as run directories: graded here, with their verdicts beside ours (docs/importing.md)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from raml_eval.errors import SourceError, near_names
from raml_eval.importing.files import check_kind_of_file
from raml_eval.importing.samples import ImportedSample, Source, check_sample

# Format -> the module with its open_source(path), which is imported only when it is asked for.
FORMATS = MappingProxyType(
    {
        "lm-eval": "raml_eval.importing.lm_eval",
        "lighteval": "raml_eval.importing.lighteval",
        "opencompass": "raml_eval.importing.opencompass",
        "inspect": "raml_eval.importing.inspect_ai",
        "jsonl": "raml_eval.importing.jsonl",
    }
)

__all__ = ["FORMATS", "open_source"]


def open_source(format: str, path: Path) -> Source:
    """The log at path, with its headers read and its samples not read yet.

    Raises SourceError if the log is not of that format. Reading its samples may raise it too.

    Example: import_run(open_source("lm-eval", Path("logs/mine")), Path("runs/mine"))
    """
    if format not in FORMATS:
        raise SourceError(f"there is no log format {format!r}.{near_names(format, FORMATS)} Known: {', '.join(FORMATS)}.")
    if not path.exists():
        raise SourceError(f"{path} does not exist. Name the file or folder that {format} wrote.")
    check_kind_of_file(path)
    with _explained(format, path):
        source: Source = import_module(FORMATS[format]).open_source(path)

    def read() -> Iterator[ImportedSample]:
        with _explained(format, path):
            for sample in source.read():
                check_sample(sample)
                yield sample

    if source.restore is None:
        return replace(source, read=read)
    write = source.restore

    def restore(folder: Path, tasks: Collection[str], name: str | None) -> None:
        with _explained(format, path):
            write(folder, tasks, name)

    return replace(source, read=read, restore=restore)


@contextmanager
def _explained(format: str, path: Path) -> Iterator[None]:
    """Inside, the exceptions that an unexpected layout causes become an error about that file."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
        raise SourceError(
            f"{path} does not have the layout of {format} logs ({type(error).__name__}: {error}). Name another format, or a "
            f"log of the version that docs/importing.md names."
        ) from error
