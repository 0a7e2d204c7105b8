"""What each revision of a data set held when it was first loaded here: one commit must always give the same rows.

The digests stand beside the hub's cache. A cached file that was changed or damaged would otherwise alter scores in silence.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raml_eval.errors import TaskError
from raml_eval.types import TaskDescription

FILE_NAME = "raml_eval_rows.json"


def check_known_rows(task: TaskDescription, arguments: Mapping[str, Any], commit: str, digest: str, folder: Path) -> None:
    """The digest of the split's rows is noted in the folder. Raises TaskError if this commit gave other rows before.

    arguments are the task's dataset_kwargs, which choose files or parts of the data set. If the folder cannot be written to,
    nothing is noted.
    """
    path = folder / FILE_NAME
    known = _read(path)
    chosen = json.dumps(arguments, sort_keys=True, default=str) if arguments else ""
    key = "/".join((task.dataset, commit, task.config or "", task.split, chosen))
    if known.get(key, digest) != digest:
        raise TaskError(
            f"task {task.name}: the rows of {task.dataset} at commit {commit} have the digest {digest[:12]}, and had "
            f"{known[key][:12]} when they were first loaded here. A file in the cache {folder} was changed or damaged: remove "
            f"the data set from it and load it again. If the first load was the wrong one, remove {path}."
        )
    if key not in known:
        _write(path, known | {key: digest})


def _read(path: Path) -> dict[str, str]:
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in stored.items()} if isinstance(stored, dict) else {}


def _write(path: Path, known: dict[str, str]) -> None:
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=FILE_NAME)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(known, file, indent=0, sort_keys=True)
        os.replace(name, path)
