"""Append-only files of JSON lines that survive a kill: an append returns once its line is on the disk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from raml_eval.errors import CorruptStore, StoreError

# What is lost with a line that is deleted differs from file to file.
REPAIRS = {
    "samples": "Repair the line or delete it (its sample is then drawn again)",
    "trajectories": "Repair the line, or delete it and the lines of samples.jsonl that name it (they are then drawn again)",
    "questions": "Repair the line or delete it (its question is then added again)",
    "errors": "Repair the line or delete it (nothing but the message is lost)",
    "started": "Repair the line or delete it (its sample then no longer counts as redrawn)",
    "judgements": "Repair the line or delete it (the judge is then asked again)",
}
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), allow_nan=False)
_Entry = tuple[bytes, "asyncio.Future[int]", asyncio.AbstractEventLoop]


class Journal:
    """One append-only file. A thread writes all waiting lines in one go, and syncs once for all of them.

    If the disk fails (full, read-only) or memory is short, every append that was waiting and every later one raises StoreError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise _unwritable(path, error) from error
        self._end = os.fstat(self._file).st_size
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._failed: StoreError | None = None
        self._thread = threading.Thread(target=self._write_all, name=f"journal-{path.name}", daemon=True)
        self._thread.start()

    async def append(self, *lines: Mapping[str, Any]) -> int:
        """The lines are on the disk, one after the other; returns the offset of the first. StoreError if they could not be."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[int] = loop.create_future()
        self._queue.put((b"".join(map(encode_line, lines)), done, loop))
        return await done

    def append_all(self, lines: list[Mapping[str, Any]]) -> None:
        """All lines are on the disk. Use this before or after the run, not at the same time as append.

        Raises StoreError if they could not be, and after any append that could not: a line might follow a torn one.
        """
        if self._failed is not None:
            raise self._failed
        try:
            text = b"".join(map(encode_line, lines))
            _write(self._file, text)
            os.fsync(self._file)
            self._end += len(text)
        except OSError as error:
            self._failed = _unwritable(self.path, error)
            raise self._failed from error

    def close(self) -> None:
        """Everything that was appended is on the disk, and the file is closed. May be called again."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
            os.close(self._file)

    def _write_all(self) -> None:
        while True:
            entries = self._take()
            batch = [entry for entry in entries if entry is not None]
            if batch and self._failed is None:
                try:
                    _write(self._file, b"".join(text for text, _, _ in batch))
                    os.fsync(self._file)
                except Exception as error:  # whatever it is: a thread that ended would leave its appends waiting for ever
                    self._failed = _unwritable(self.path, error)
            by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[int], int]]] = {}
            for text, done, loop in batch:
                by_loop.setdefault(loop, []).append((done, self._end))
                self._end += len(text)
            for loop, waiting in by_loop.items():
                with contextlib.suppress(RuntimeError):  # nobody waits on a loop that is closed
                    loop.call_soon_threadsafe(_settle, waiting, self._failed)
            if None in entries:
                return

    def _take(self) -> list[_Entry | None]:
        entries = [self._queue.get()]
        while not self._queue.empty():
            entries.append(self._queue.get())
        return entries


def _settle(waiting: Iterable[tuple[asyncio.Future[int], int]], error: StoreError | None) -> None:
    for done, offset in waiting:
        if done.done():
            continue
        if error is None:
            done.set_result(offset)
        else:
            done.set_exception(error)


def _write(file: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(file, view) :]


def _unwritable(path: Path, error: Exception) -> StoreError:
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return StoreError(
        f"cannot write {path}: {reason}. Nothing that was stored is lost; free disk space or choose a "
        f"writable --out, and run again to resume."
    )


def encode_line(line: Mapping[str, Any]) -> bytes:
    r"""One line of UTF-8 JSON with its line break. Lone surrogates, which a model can write, are kept as escapes.

    Example: encode_line({"a": 1}) == b'{"a":1}\n'
    """
    return _ENCODER.encode(line).encode() + b"\n"


def read_lines(path: Path, repair: str = "") -> Iterator[tuple[int, dict[str, Any]]]:
    """The line numbers (from 1) and objects of a file. A torn last line is left out; a missing file has no lines.

    A line is torn if the file ends without its line break: its append never returned. Any other line that cannot be read
    raises CorruptStore, as corrupt tells it.
    """
    for number, text in whole_lines(path):
        yield number, parse_line(path, number, text, repair)


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The line numbers (from 1) and texts of a file, but for a torn last line; a missing file has no lines."""
    if not path.exists():
        return
    with path.open("rb", buffering=1 << 20) as file:
        for number, text in enumerate(file, 1):
            if not text.endswith(b"\n"):
                return
            yield number, text


def parse_line(path: Path, number: int, text: bytes, repair: str = "") -> dict[str, Any]:
    """The object of one line. Raises CorruptStore, as corrupt tells it, if it is none."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):  # JSON that nests too deeply was not written by this program
        line = None
    if not isinstance(line, dict):
        raise corrupt(path, number, f"is {text[:60]!r}, wanted a JSON object", repair)
    return line


def corrupt(path: Path, number: int, reason: str, repair: str = "") -> CorruptStore:
    """The error for one line that cannot be used. repair says what to do if the file is none of a run directory's."""
    return CorruptStore(f"{path}:{number} {reason}. {repair or REPAIRS.get(path.stem, 'Repair the line')}, and run again.")


def lacks_trajectories(directory: Path, identity: str, sample: str, n_more: int) -> CorruptStore:
    """The error for samples whose trajectories are not stored: what was thought cannot be told without them."""
    named = f"{identity}, which sample {sample} in samples.jsonl names, and {n_more} more"
    return CorruptStore(
        f"{directory / 'trajectories.jsonl'} lacks {named}. Restore the lines; or delete the lines of these samples in "
        f"samples.jsonl and run again, and they are drawn again."
    )


def count_lines(path: Path) -> int:
    """The number of whole lines in the file; 0 if there is no file."""
    if not path.exists():
        return 0
    with path.open("rb") as file:
        return sum(part.count(b"\n") for part in iter(partial(file.read, 1 << 20), b""))


def cut_torn_line(path: Path) -> bool:
    """The file ends with a line break. Returns True if a torn last line had to be cut for that."""
    if not path.exists() or path.stat().st_size == 0:
        return False
    with path.open("rb+") as file:
        file.seek(-1, os.SEEK_END)
        if file.read(1) == b"\n":
            return False
        end = last_line_break(file, path.stat().st_size)
        file.truncate(end)
        os.fsync(file.fileno())
    return True


def last_line_break(file: Any, size: int) -> int:
    """The offset after the last line break before size, or 0 if there is none."""
    step = 1 << 16
    while size > 0:
        start = max(0, size - step)
        file.seek(start)
        at = file.read(size - start).rfind(b"\n")
        if at >= 0:
            return int(start + at + 1)
        size = start
    return 0
