"""Which samples and verdicts a run directory holds, in a few numbers, so that what was made from them can be told to be old."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from raml_eval.store.grades import layer_lines, read_layers
from raml_eval.store.journal import count_lines, last_line_break
from raml_eval.store.manifest_file import read_manifest


def stamp_samples(directory: Path) -> dict[str, Any]:
    """The numbers of stored samples and trajectories, digests of the last ones, and one of the verdicts that regrading changed.

    Two stamps are equal if the same samples have the same verdicts: samples are added at the end of their file, and so is one
    that is drawn again because its line was damaged or deleted. A regrading that changes nothing leaves the digest as it is.
    Raises StoreError if the folder is not a run directory, CorruptStore for a layer that cannot be read.
    """
    manifest = read_manifest(directory / "manifest.json")
    return {
        "run": f"{manifest.get('protocol_digest', '')} {manifest.get('created', '')}",
        "n_samples": count_lines(directory / "samples.jsonl"),
        "n_trajectories": count_lines(directory / "trajectories.jsonl"),
        "last_sample": _digest_last(directory / "samples.jsonl"),
        "last_trajectory": _digest_last(directory / "trajectories.jsonl"),
        "verdicts": _digest_verdicts(directory),
    }


def _digest_last(path: Path) -> str:
    """16 hex digits that identify the last whole line and its place in the file; empty if there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        end = last_line_break(file, path.stat().st_size)
        start = last_line_break(file, end - 1)
        file.seek(start)
        return hashlib.blake2b(b"%d " % start + file.read(end - start), digest_size=8).hexdigest() if end else ""


def _digest_verdicts(directory: Path) -> str:
    """16 hex digits that identify the changed verdicts; empty if no layer changed any."""
    changed = [layer for layer in read_layers(directory) if layer.changes]
    if not changed:
        return ""
    digest = hashlib.blake2b(digest_size=8)
    for layer in changed:
        for line in list(layer_lines(layer))[1:]:  # without the header, which says when the verdicts were last confirmed
            digest.update(json.dumps(line, sort_keys=True).encode())
    return digest.hexdigest()
