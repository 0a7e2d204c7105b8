"""Computes a digest that changes with every byte of a checkpoint's files, and tells which file has changed since."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

from raml_eval.errors import ModelError

_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
# Files beside the weights that look like some, or like a configuration: the state and the results of a training.
_TRAINING = (
    *("training_args.bin", "optimizer*.bin", "optimizer*.pt", "optim_*.pt", "scheduler*.bin", "scheduler*.pt", "scaler*.pt"),
    *("sampler*.bin", "rng_state*", "extra_state_*.pt", "recipe_state.pt", "trainer_state.json", "*_results.json"),
)
_WHOLE = 1 << 24  # a file up to here is hashed as it is; a larger one in blocks of this size, by several threads
_THREADS = min(8, os.cpu_count() or 1)
Stamp: TypeAlias = tuple[int, int, int, int]  # size, mtime_ns, ctime_ns, inode


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A digest of 16 hex digits, and what each file behind it looked like before it was read, by its path."""

    digest: str
    stamps: Mapping[str, Stamp]


def take_fingerprint(folder: Path, with_weights: bool = True) -> Fingerprint:
    """The fingerprint of a folder's JSON files and weight files, whole, without the state of a training.

    Without weights, the folder's name stands for them, as it does if there are none. A file over 16 MiB is read once per
    process, as long as its size, times and inode stay the same. Memory: 16 MiB per thread, at most 8 of them. Raises
    ModelError if a file cannot be read.
    """
    digest, stamps = hashlib.sha256(), {}
    weights = list(_files(folder, *_WEIGHTS)) if with_weights else []
    try:
        for path in _files(folder, "*.json"):
            stamps[str(path)] = _stamp(path)
            digest.update(path.name.encode() + path.read_bytes())
        if not weights:
            digest.update(folder.name.encode())
        for path in weights:
            stamp = stamps[str(path)] = _stamp(path)
            digest.update(f"{path.name} {stamp[0]}".encode())
            digest.update(path.read_bytes() if stamp[0] <= _WHOLE else _digest_of_blocks(str(path), stamp))
    except OSError as error:
        raise ModelError(
            f"model file {error.filename} cannot be read ({error.strerror}). Check that nothing moves or deletes it, and run "
            "again."
        ) from error
    return Fingerprint(digest.hexdigest()[:16], stamps)


def check_same(before: Fingerprint, now: Fingerprint) -> None:
    """Raises ModelError, naming the files, if the digests differ."""
    if before.digest == now.digest:
        return
    paths = sorted({*before.stamps, *now.stamps})
    changed = [path for path in paths if before.stamps.get(path) != now.stamps.get(path)]
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    raise ModelError(
        f"{changed[0] if changed else 'the checkpoint'}{more} changed while the engine loaded it (fingerprint {before.digest} "
        f"before, {now.digest} after), so what was loaded is not known. Nothing was drawn. Run again once nothing writes there."
    )


def is_training_state(name: str) -> bool:
    """True for the name of a file that a trainer writes beside a model, and that is no part of it."""
    return any(fnmatch(name, pattern) for pattern in _TRAINING)


def _files(folder: Path, *patterns: str) -> Iterator[Path]:
    found = sorted(path for pattern in patterns for path in folder.glob(pattern))
    return (path for path in found if not is_training_state(path.name) and path.is_file())


def _stamp(path: Path) -> Stamp:
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


@lru_cache(maxsize=4096)
def _digest_of_blocks(path: str, stamp: Stamp) -> bytes:
    """The digest of the digests of the file's blocks. A changed stamp is another key, so a changed file is read again."""

    def digest_at(start: int) -> bytes:
        with open(path, "rb") as file:
            file.seek(start)
            return hashlib.sha256(file.read(_WHOLE)).digest()  # this and the reading let other threads run

    with ThreadPoolExecutor(_THREADS) as pool:
        return hashlib.sha256(b"".join(pool.map(digest_at, range(0, stamp[0], _WHOLE)))).digest()
