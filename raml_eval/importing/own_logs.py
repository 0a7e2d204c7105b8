"""Logs that `raml-eval export inspect` wrote: the run is made from them again, with its own verdicts."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.errors import SourceError, StoreError, choose_names
from raml_eval.importing.files import digest_files, take
from raml_eval.store import read_run
from raml_eval.store.portable import FORMAT, PREFIX, Line, Piece, restore_pieces
from raml_eval.store.sealing import SEAL, broken_log_part, broken_part

_HEADER = f"{PREFIX}run"
Samples = Callable[[], Iterator[tuple[str, Mapping[str, Any]]]]  # each with its place


@dataclass(frozen=True, slots=True)
class OwnLog:
    """A log with the header that the export wrote into it. samples reads its samples, one at a time."""

    path: Path
    header: Line
    run_id: str
    task: str
    samples: Samples


def is_own(spec: Mapping[str, Any]) -> bool:
    """True if the spec of a log says that we wrote it."""
    return _HEADER in (spec.get("metadata") or {})


def open_own(path: Path, log: Mapping[str, Any], samples: Samples) -> OwnLog:
    """The log with its header read; log is all of it but the samples.

    Raises SourceError if it has another format than this version's, or was changed after the export.
    """
    spec = log["eval"]
    header = _parse(spec["metadata"][_HEADER], str(path))
    if header.get("format") != FORMAT:
        raise SourceError(
            f"{path} was exported in format {header.get('format')!r}, and this raml-eval reads {FORMAT}. Install the version "
            f"that wrote it ({(spec.get('packages') or {}).get('raml-eval', 'unknown')})."
        )
    if changed := broken_log_part(log):
        raise _changed(str(path), changed)
    _check_layers(header, path)
    return OwnLog(path, header, str(spec.get("run_id")), str(take(spec, "task", str(path), "Inspect")), samples)


def _check_layers(header: Line, path: Path) -> None:
    """Raises SourceError unless the layers of grades are numbered by integers, as their files are."""
    numbers = [layer.get("number") for layer in take(header, "layers", str(path), "raml_eval")]
    if any(type(number) is not int or number < 1 for number in numbers) or numbers != sorted(set(numbers)):
        raise SourceError(f"{path} numbers its layers of grades {numbers}; wanted integers from 1 on. Export the run again.")


def restore_run(logs: Sequence[OwnLog], version: str, folder: Path, tasks: Collection[str], name: str | None) -> None:
    """The folder is the run directory from which the logs were exported, as far as they go.

    tasks chooses among their tasks; empty means all. name replaces the run's own. Raises SourceError if the logs are of several
    runs, lack a part, or were changed after the export.
    """
    if len({log.run_id for log in logs}) > 1:
        other = next(log for log in logs if log.run_id != logs[0].run_id)
        raise SourceError(f"{logs[0].path} and {other.path} are of two runs, wanted one. Name the logs of one run.")
    chosen = choose_names("task", tasks, dict.fromkeys(log.task for log in logs))
    kept = [log for log in logs if log.task in chosen]
    more: Line = {"restored": {"harness": "Inspect", "version": version or None, "files": digest_files([x.path for x in kept])}}
    more |= {} if name is None else {"name": name}
    restore_pieces(folder, [log.header for log in kept], _pieces(kept), more)
    try:
        read_run(folder)
    except StoreError as error:
        reason = str(error).replace(f"{folder}/", "")
        raise SourceError(f"{logs[0].path} does not give a run back: {reason} Export the run again.") from error


def _pieces(logs: Sequence[OwnLog]) -> Iterator[Piece]:
    seen: dict[tuple[Any, ...], str] = {}
    for log in logs:
        before = len(seen)
        for where, sample in log.samples():
            piece = _read_piece(sample, where)
            line = piece["sample"]
            key = line["task"], line["question_id"], line["sample"], type(line["budget"]).__name__, line["budget"]
            if key in seen:
                raise SourceError(f"{where} holds a sample that {seen[key]} holds too, wanted it once. Name each log once.")
            seen[key] = where
            if changed := broken_part(sample, log.run_id):
                raise _changed(where, changed)
            yield piece
        if (there := len(seen) - before) != log.header["n_samples"]:
            raise SourceError(
                f"{log.path} holds {there} samples, and {log.header['n_samples']} were exported. Export it again."
            )


def _read_piece(sample: Mapping[str, Any], where: str) -> Piece:
    store = sample.get("store") or {}
    piece = {part.removeprefix(PREFIX): _parse(text, where) for part, text in store.items() if _is_piece(part)}
    take(piece, "sample", f"{where}: its store", "raml_eval")
    return piece


def _is_piece(part: str) -> bool:
    return part.startswith(PREFIX) and part != SEAL


def _changed(where: str, what: str) -> SourceError:
    """The error about a log that was edited: an import would lose the edit in silence, or take it for the run's."""
    return SourceError(f"{where}: {what} was changed after the export, so the run is not what the log shows. Export it again.")


def _parse(text: Any, where: str) -> Line:
    try:
        found = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise SourceError(f"{where}: what raml_eval stored in it is not JSON ({error}). Export the run again.") from error
    if not isinstance(found, dict):
        raise SourceError(f"{where}: what raml_eval stored in it is {type(found).__name__}, wanted an object. Export it again.")
    return found
