"""counts.parquet: what tables read of a run directory's samples, kept so that the next report need not read the lines again.

It is only a copy of what the other files say. It is used if nothing has changed since: neither one of those files (size, times
and inode), nor the code that reads them, nor the grader. Otherwise, and if it cannot be read, it counts as missing and is
written anew. Failing to write it is no error.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from raml_eval import columns, reflection
from raml_eval.columns import IntArray, Samples
from raml_eval.store import grades, journal, lean, lines, schema_1

FILE = "counts.parquet"
READ = ("manifest", "questions", "samples", "trajectories", "errors", "classes", "grades-*")
# A file may change twice within one tick of its clock, which is 2 s on some file systems; the times then tell nothing.
SETTLED_S = 2.0
_CODE = (columns, reflection, grades, journal, lean, lines, schema_1)
_ARRAYS = tuple(f.name for f in fields(Samples) if f.type in ("IntArray", "FloatArray", "BoolArray"))


@dataclass(frozen=True)
class Kept:
    """What the file keeps: the samples, what their reflections are, and what read_run counts beside them."""

    samples: Samples
    words: IntArray
    grader_versions: tuple[str, ...]
    n_errors: int


class State(NamedTuple):
    """What counts.parquet depends on, at one moment. settled is false if a file may yet change without that being seen."""

    told: Mapping[str, Any]
    settled: bool


def state_of(directory: Path, grader_version: str) -> State | None:
    """The state of the directory now; None if it cannot be told, so that nothing may be kept."""
    now = time.time_ns()
    try:
        code = hashlib.blake2b(b"".join(Path(str(module.__file__)).read_bytes() for module in _CODE), digest_size=16)
        found = sorted(path for name in READ for path in directory.glob(f"{name}.json*"))
        files = {path.name: _identity(path) for path in found}
    except OSError:
        return None
    newest = max((max(mtime, ctime) for _, mtime, ctime, _ in files.values()), default=0)
    told = {"code": code.hexdigest(), "grader_version": grader_version, "files": files}
    return State(told, now - newest > SETTLED_S * 1e9)


def _identity(path: Path) -> list[int]:
    told = path.stat()
    return [told.st_size, told.st_mtime_ns, told.st_ctime_ns, told.st_ino]


def read_kept(directory: Path, state: State | None) -> Kept | None:
    """What was kept in this very state of the directory; None if there is nothing, or if anything about it is amiss."""
    path = directory / FILE
    if state is None or not path.exists():
        return None
    try:
        return _read(path, state.told)
    except Exception:  # whatever another program, a full disk or a failing one left there: the lines themselves are read
        return None


def _read(path: Path, state: Mapping[str, Any]) -> Kept | None:
    import pyarrow.parquet as pq

    table = pq.read_table(path, page_checksum_verification=True, partitioning=None)
    told = table.schema.metadata
    text = told[b"raml_eval"]
    about = json.loads(text)
    if told[b"digest"].decode() != _digest(text) or about["state"] != state or about["n"] != len(table):
        return None
    arrays = {name: table[name].to_numpy() for name in table.column_names}
    words = arrays.pop("words")
    samples = Samples(
        questions=[(task, question_id) for task, question_id in about["questions"]],
        budgets=about["budgets"],
        verdicts={metric: arrays.pop(f"verdict {place}") for place, metric in enumerate(about["metrics"])},
        n_trajectories=about["n_trajectories"],
        n_redrawn=about["n_redrawn"],
        reflections=words.__getitem__,
        **arrays,
    )
    return Kept(samples, words, tuple(about["grader_versions"]), about["n_errors"])


def keep(directory: Path, state: State | None, kept: Kept) -> None:
    """counts.parquet holds this, which was read after that state was told.

    It is not written if the state was not settled, if it is another one now, or if the directory cannot be written.
    """
    if state is None or not state.settled:
        return
    now = state_of(directory, state.told["grader_version"])
    if now is None or now.told != state.told:
        return
    draft = directory / f".{FILE}.{os.getpid()}.draft"  # one of its own for every process that writes at the same time
    try:
        _write(draft, state.told, kept)
        draft.replace(directory / FILE)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)


def _write(path: Path, state: Mapping[str, Any], kept: Kept) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    samples = kept.samples
    arrays: dict[str, Any] = {name: getattr(samples, name) for name in _ARRAYS} | {"words": kept.words}
    arrays |= {f"verdict {place}": values for place, values in enumerate(samples.verdicts.values())}
    about = {
        "state": state,
        "n": len(samples),
        "questions": list(samples.questions),
        "budgets": list(samples.budgets),
        "metrics": list(samples.verdicts),
        "n_trajectories": samples.n_trajectories,
        "n_redrawn": samples.n_redrawn,
        "grader_versions": kept.grader_versions,
        "n_errors": kept.n_errors,
    }
    text = json.dumps(about).encode()
    table = pa.table({name: np.ascontiguousarray(values) for name, values in arrays.items()})
    table = table.replace_schema_metadata({b"raml_eval": text, b"digest": _digest(text).encode()})
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def _digest(text: bytes) -> str:
    return hashlib.blake2b(text, digest_size=16).hexdigest()
