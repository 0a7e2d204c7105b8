"""Reads files of other programs, with one clear error for each way in which they can be unusable."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from raml_eval.errors import SourceError


def check_kind_of_file(path: Path) -> None:
    """Raises SourceError for a pipe, a device or a socket: reading one may never end."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}. Make it readable.") from error
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a device or a socket"
        raise SourceError(f"{path} is {kind}, wanted a file. Write what it gives into a file, and name that.")


def read_json(path: Path) -> Any:
    """The JSON of a file. Raises SourceError if it cannot be read."""
    check_kind_of_file(path)
    try:
        return parse_json(path.read_bytes(), str(path))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}. Make it readable.") from error


def parse_json(text: bytes, where: str) -> Any:
    """The JSON of a text. Raises SourceError if it is not JSON."""
    if not text.strip():
        raise SourceError(f"{where} is empty, wanted JSON. Name a log that was written to its end.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
        raise SourceError(f"{where} is not complete JSON ({reason}). Name a log that was written to its end.") from error


def read_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The place and the object of each line of a JSON-lines file, one at a time. Blank lines are skipped.

    Raises SourceError for a line that is not a JSON object, and for a file without any.
    """
    check_kind_of_file(path)
    found = False
    try:
        with path.open("rb") as file:
            for number, text in enumerate(file, 1):
                if not text.strip():
                    continue
                found = True
                yield f"{path}:{number}", as_object(parse_json(text, f"{path}:{number}"), f"{path}:{number}")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}. Make it readable.") from error
    if not found:
        raise SourceError(f"{path} holds no samples. Name a log that was written to its end.")


def as_object(value: Any, where: str) -> dict[str, Any]:
    """The value, if it is a JSON object. Raises SourceError if it is not."""
    if not isinstance(value, dict):
        raise SourceError(f"{where} holds {type(value).__name__}, wanted a JSON object. Is this the log of another harness?")
    return value


def take(entry: Mapping[str, Any], key: str, where: str, harness: str) -> Any:
    """The value of a key that every entry of this harness has. Raises SourceError if it is missing."""
    if key not in entry:
        listed = ", ".join(list(map(str, entry))[:8]) or "nothing"
        raise SourceError(f"{where} has no {key!r}, only {listed}: {harness} logs it otherwise. Name another format or file.")
    return entry[key]


def refuse_twice(logs: Iterable[tuple[str, Path]]) -> None:
    """Raises SourceError if several of the logs, each a task and its file, hold the same task: they are different runs."""
    owners: dict[str, list[Path]] = {}
    for task, path in logs:
        owners.setdefault(task, []).append(path)
    for task, paths in owners.items():
        if len(paths) > 1:
            raise SourceError(
                f"task {task} is in {len(paths)} logs, {paths[0]} and {paths[1]}, wanted one: they are different runs. "
                f"Name the one file to import, or move the other away."
            )


def digest_files(paths: Iterable[Path]) -> list[dict[str, str]]:
    """The name and the SHA-256 of each file, as a manifest stores them. Raises SourceError if one cannot be read."""
    return [{"name": path.name, "sha256": _digest(path)} for path in paths]


def _digest(path: Path) -> str:
    check_kind_of_file(path)
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}. Make it readable.") from error
