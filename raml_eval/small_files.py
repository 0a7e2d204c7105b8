"""Reads text files that a person or a program wrote, and nothing that would never end."""

from __future__ import annotations

import errno
from pathlib import Path

YAML_BYTES = 16_000_000  # far more than anybody writes by hand


def read_small_text(path: Path, most: int) -> str:
    """The text of a file of at most so many bytes, in UTF-8.

    Raises OSError, whose strerror is the reason, if it cannot be read, is no regular file, such as a pipe, which would be
    waited for without end, or is larger; UnicodeDecodeError if it is no text.
    """
    size = path.stat().st_size
    if not path.is_file():
        raise OSError(errno.EINVAL, "it is no file", str(path))
    if size > most:
        raise OSError(errno.EFBIG, f"it has {size / 1e6:,.0f} MB, wanted at most {most / 1e6:,.0f}", str(path))
    return path.read_text(encoding="utf-8")
