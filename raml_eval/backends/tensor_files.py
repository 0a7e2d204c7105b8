"""The tensors of a checkpoint as its files describe them, read without loading the checkpoint."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

import numpy as np

from raml_eval.checkpoint import first_line
from raml_eval.errors import ModelError
from raml_eval.fingerprint import is_training_state

_PICKLES = "pytorch_model.bin"
_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
_GIB = 2**30
_READ_LIMIT = 2 * _GIB
_BLOCK, _CHUNK = 1 << 16, 1 << 22
_MAX_HEADER = 10**8  # the format's own limit
# By type: the unsigned integer that holds its bits, the mask of everything but the sign, and the smallest masked value that is
# infinite or NaN. E8M0 has no sign and no infinity.
_BITS: Mapping[str, tuple[str, int, int]] = MappingProxyType(
    {
        "F64": ("<u8", 0x7FFF_FFFF_FFFF_FFFF, 0x7FF0_0000_0000_0000),
        "F32": ("<u4", 0x7FFF_FFFF, 0x7F80_0000),
        "F16": ("<u2", 0x7FFF, 0x7C00),
        "BF16": ("<u2", 0x7FFF, 0x7F80),
        "F8_E4M3": ("u1", 0x7F, 0x7F),
        "F8_E5M2": ("u1", 0x7F, 0x7C),
        "F8_E8M0": ("u1", 0xFF, 0xFF),
    }
)


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """One tensor in a file: its type in safetensors' names, and the bytes [start, stop) of the file that hold it."""

    shape: tuple[int, ...]
    dtype: str
    path: Path
    start: int
    stop: int


def read_tensors(folder: Path) -> dict[str, StoredTensor] | None:
    """The tensors of the folder's safetensors files by name, without adapters; None if it has no such files.

    An index decides which files count. Only the headers are read, about 100 bytes per tensor. Raises ModelError if a file is
    missing, cut off or damaged.
    """
    files = _listed(folder, _INDEX)
    if files is None:
        files = sorted(path for path in folder.glob("*.safetensors") if not is_adapter(path))
    if not files:
        return None
    return {name: tensor for path in files for name, tensor in read_file(path).items()}


def read_headers(model: str, folder: Path) -> dict[str, StoredTensor]:
    """The tensors of the folder's model.safetensors, or of the files that its index lists; empty if it has neither.

    Raises ModelError if the folder has both and they are different files, because transformers then loads the single one and
    vLLM the others; if it has no weights of any kind; and as read_tensors does.
    """
    single, listed = folder / _SINGLE, _listed(folder, _INDEX)
    if single.is_file():
        shards = sorted(folder.glob("model-*-of-*.safetensors")) if listed is None else listed
        if shards and single not in shards:
            other = shards[0] if listed is None else folder / _INDEX
            raise ModelError(
                f"model {model} has two sets of weights, {single} and {other}, and engines differ in which one they load. "
                "Remove the one that is out of date."
            )
    elif not has_weights(folder) and not (folder / "adapter_config.json").is_file():
        raise no_weights(model)
    files = listed or [path for path in [single] if path.is_file()]
    return {name: tensor for path in files for name, tensor in read_file(path).items()}


def has_weights(folder: Path) -> bool:
    """True if the folder has a file in which an engine looks for weights, other than an adapter's."""
    found = (path for ending in ("safetensors", "bin", "pt") for path in folder.glob(f"*.{ending}"))
    return any(not is_adapter(path) and not is_training_state(path.name) for path in found)


def no_weights(model: str) -> ModelError:
    """The error for a folder without weights."""
    return ModelError(
        f"model {model} has no weights: its folder has no *.safetensors, *.bin or *.pt. Copy the checkpoint again, completely."
    )


def is_adapter(path: Path) -> bool:
    """True for the file of an adapter, which may lie beside the weights and is no part of them."""
    return path.name.startswith("adapter_model")


def pickled_files(folder: Path) -> list[Path]:
    """The folder's pytorch_model.bin, or the files that its index lists; empty if there is neither. ModelError as above."""
    files = _listed(folder, f"{_PICKLES}.index.json")
    return files if files is not None else [path for path in [folder / _PICKLES] if path.is_file()]


def _listed(folder: Path, index_name: str) -> list[Path] | None:
    """The files that an index lists, all of which exist; None if there is no such index."""
    index = folder / index_name
    if not index.is_file():
        return None
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{index} cannot be read ({first_line(error)}). Copy it again from its source.") from error
    missing = [name for name in names if not (folder / name).is_file()]
    if not names:
        raise ModelError(
            f"{index} lists no files, wanted those of the weights. Copy the checkpoint again, completely, or remove it."
        )
    if missing:
        raise ModelError(f"{index} lists {name_some(missing)}, which the folder lacks. Copy the checkpoint again, completely.")
    return [folder / name for name in names]


def read_file(path: Path) -> dict[str, StoredTensor]:
    """The tensors of one file (https://github.com/huggingface/safetensors#format). ModelError if it is cut off or damaged."""
    size = path.stat().st_size
    try:
        with path.open("rb") as file:
            if size < 8:
                raise ValueError(f"it has {size} bytes, the size of its header alone takes 8")
            (n_header,) = struct.unpack("<Q", file.read(8))
            if n_header > min(size, _MAX_HEADER):
                raise ValueError(f"its header would take {n_header} bytes")
            header: dict[str, Any] = json.loads(file.read(n_header))
        tensors = {}
        for name, entry in header.items():
            if name != "__metadata__":
                start, stop = (8 + n_header + offset for offset in entry["data_offsets"])
                tensors[name] = StoredTensor(tuple(entry["shape"]), entry["dtype"], path, start, stop)
        end = max((tensor.stop for tensor in tensors.values()), default=8 + n_header)
        if end != size:
            raise ValueError(f"it has {size} bytes, its header describes {end}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
        raise ModelError(f"{path} is no complete safetensors file ({first_line(error)}). Copy it again.") from error
    return tensors


@dataclass(frozen=True, slots=True)
class ValueCheck:
    """What find_not_finite found: the names of tensors with NaN or infinite values, and in words how much was read.

    all_zero is True if every value that was read of every tensor of two or more dimensions is zero, and all were read.
    """

    not_finite: tuple[str, ...]
    extent: str
    all_zero: bool


def find_not_finite(tensors: Mapping[str, StoredTensor], read_limit: int = _READ_LIMIT) -> ValueCheck:
    """The tensors that hold a NaN or an infinity in what was read of them.

    Up to 2 GiB of floating-point tensors are read in full. Of a larger checkpoint about 2 GiB are read, in blocks of 64 KiB
    that are evenly spread over each tensor, at least one per tensor: a damaged file or a diverged training spoils more than a
    few values, and the engine reads hundreds of gigabytes anyway. Memory: 8 MiB.
    """
    floats = {name: tensor for name, tensor in tensors.items() if tensor.dtype in _BITS}
    total = sum(tensor.stop - tensor.start for tensor in floats.values())
    n_blocks = None if total <= read_limit else max(1, read_limit // _BLOCK // len(floats))
    found: list[str] = []
    n_read = 0
    zero = {name for name, tensor in tensors.items() if len(tensor.shape) > 1 and tensor.stop > tensor.start}
    n_matrices = len(zero)
    by_file = sorted(floats.items(), key=lambda item: (item[1].path, item[1].start))
    file: IO[bytes] | None = None
    try:
        for name, tensor in by_file:
            if file is None or file.name != str(tensor.path):
                if file is not None:
                    file.close()
                file = tensor.path.open("rb")
            largest, n = _read_largest(file, tensor, n_blocks)
            n_read += n
            if largest >= _BITS[tensor.dtype][2]:
                found.append(name)
            if largest > 0 or tensor.dtype == "F8_E8M0":  # which has no zero
                zero.discard(name)
    finally:
        if file is not None:
            file.close()
    whole = f"all values of {len(floats)} tensors"
    part = f"{n_read / _GIB:.1f} of {total / _GIB:.1f} GiB, spread over {len(floats)} tensors"
    all_zero = 0 < n_matrices == len(zero & floats.keys())
    return ValueCheck(tuple(found), whole if n_blocks is None else part, all_zero)


def _read_largest(file: IO[bytes], tensor: StoredTensor, n_blocks: int | None) -> tuple[int, int]:
    """The largest bits without the sign of the values that were read, and how many bytes were; ends at a value not finite."""
    kind, mask, limit = _BITS[tensor.dtype]
    n_read, largest = 0, 0
    for start, n in _ranges(tensor, n_blocks, np.dtype(kind).itemsize):
        file.seek(start)
        values = np.frombuffer(file.read(n), dtype=kind)
        n_read += n
        if values.size:
            largest = max(largest, int((values & values.dtype.type(mask)).max()))
        if largest >= limit:
            break
    return largest, n_read


def _ranges(tensor: StoredTensor, n_blocks: int | None, itemsize: int) -> Iterator[tuple[int, int]]:
    """The places (offset, length) to read, aligned to whole values: everything, or n blocks with the first and the last."""
    size = tensor.stop - tensor.start
    if n_blocks is None or size <= n_blocks * _BLOCK:
        for start in range(tensor.start, tensor.stop, _CHUNK):
            yield start, min(_CHUNK, tensor.stop - start)
        return
    for number in range(n_blocks):
        place = (size - _BLOCK) * number // max(1, n_blocks - 1)
        yield tensor.start + place // itemsize * itemsize, _BLOCK


def name_some(names: Iterable[str], most: int = 3) -> str:
    """A few names in order, then how many more there are.

    Example: name_some(["b", "a", "d", "c"]) == "a, b, c and 1 more"
    """
    ordered = sorted(names)
    more = len(ordered) - most
    return ", ".join(ordered[:most]) + (f" and {more} more" if more > 0 else "")
