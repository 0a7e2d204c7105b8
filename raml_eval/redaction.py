"""What must not leave this machine: absolute paths, and texts like a token or a password."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

REMOVED = "[removed]"
_SECRET_KEYS = re.compile(
    r"token$|^base_url$|secret|passw|\bpwd\b|api[_-]?key|private[_-]?key|credential|\bauth(?:orization)?\b", re.IGNORECASE
)
_SECRETS = re.compile(
    r"\b(?:hf|api_org)_[A-Za-z0-9]{16,}|\bsk-[\w-]{16,}|\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\bAKIA[A-Z0-9]{12,}"
    r"|(?<=://)[^/\s@]+@|(?<=[?&])[\w-]*(?:token|key|secret|sig|auth)[\w-]*=[^&\s]+"
    r"|\b[A-Za-z_]*(?:API_?KEY|TOKEN|SECRET|PASSWORD)[A-Za-z_]*\s*[=:]\s*[^\s,;]+|\b[Bb]earer\s+[\w.~+/-]{8,}"
    r"|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+"
)
# A path of at least two parts; what stands before it must not make it a web address or a hub id.
_PATHS = re.compile(
    r"(?:(?<![\w:/.~-])|(?<=\w:)(?!//))(?:file://)?(?:~[\w.-]*/[\w.@+-]+|/[\w.@+-]+/[\w.@+-]+)(?:/[\w.@+-]+)*/?|\b[A-Za-z]:(?:\\[\w.@+-]+)+"
)


def without_secrets(value: Any) -> Any:
    """The value with each absolute path in its texts cut to the last part, and each token or password replaced.

    Example: without_secrets({"base": "/home/me/ckpt", "api_key": "x"}) == {"base": "ckpt", "api_key": "[removed]"}
    """
    if isinstance(value, Mapping):
        return {
            without_secrets(key): REMOVED if isinstance(key, str) and _SECRET_KEYS.search(key) else without_secrets(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(inner) for inner in value]
    if not isinstance(value, str):
        return value
    return _PATHS.sub(lambda found: _last_part(found[0]), _SECRETS.sub(REMOVED, _bare(value)))


def _bare(text: str) -> str:
    """The text, or its last part if the whole of it is an absolute path."""
    for kind in (PurePosixPath, PureWindowsPath):
        if "\n" not in text and (kind(text).is_absolute() or text.startswith("~")):
            return kind(text).name or REMOVED
    return text


def _last_part(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]
