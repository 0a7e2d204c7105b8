"""Where a checkpoint lies, and a fingerprint by which a changed one is noticed."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

POCKET = "pocket"
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
_BLOCK, _BLOCKS = 1 << 16, 256


def locate(model: str) -> str:
    """The path or hub id to load: `pocket` is the checkpoint that ships with the package, all else stays as it is."""
    if model == POCKET and not Path(model).exists():
        return str(resources.files("raml_eval") / "pocket")
    return model


def fingerprint(folder: Path) -> str:
    """16 hex digits that change with the checkpoint: its JSON files, and size and content of each weight file.

    Of a weight file over 16 MiB, 256 blocks of 64 KiB are read, evenly spread: training changes all tensors, and reading
    hundreds of gigabytes at every start would cost more than it tells. A hub's snapshot without weights is told by its folder's
    name, which is the commit.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.json")):
        digest.update(path.name.encode() + path.read_bytes())
    weights = sorted(path for pattern in _WEIGHTS for path in folder.glob(pattern))
    if not weights:
        digest.update(folder.name.encode())
    for path in weights:
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            for number in range(_BLOCKS):
                file.seek(number * max(_BLOCK, (size - _BLOCK) // (_BLOCKS - 1)))
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()[:16]
