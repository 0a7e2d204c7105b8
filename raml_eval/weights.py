"""Where a checkpoint lies, and a fingerprint by which a changed one is noticed."""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

POCKET = "pocket"
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
_EDGE = 1 << 20


def locate(model: str) -> str:
    """The path or hub id to load: `pocket` is the checkpoint that ships with the package, all else stays as it is."""
    if model == POCKET and not Path(model).exists():
        return str(resources.files("raml_eval") / "pocket")
    return model


def fingerprint(folder: Path) -> str:
    """16 hex digits that change with the checkpoint: its JSON files, and size, first and last MiB of each weight file.

    A hub's snapshot without weights is told by its folder's name, which is the commit.
    """
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.json")):
        digest.update(path.name.encode() + path.read_bytes())
    weights = sorted(path for pattern in _WEIGHTS for path in folder.glob(pattern))
    if not weights:
        digest.update(folder.name.encode())
    for path in weights:
        size = path.stat().st_size
        with path.open("rb") as file:
            digest.update(f"{path.name} {size}".encode() + file.read(_EDGE))
            file.seek(max(0, size - _EDGE))
            digest.update(file.read(_EDGE))
    return digest.hexdigest()[:16]
