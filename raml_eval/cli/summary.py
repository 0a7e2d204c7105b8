"""The summary that GitHub Actions shows of a step: commands add to the file that GITHUB_STEP_SUMMARY names."""

from __future__ import annotations

import os
from pathlib import Path


def is_summary(path: Path) -> bool:
    """True if the path is the step's summary, which several commands write to one after another."""
    named = os.environ.get("GITHUB_STEP_SUMMARY")
    return bool(named) and path.resolve() == Path(str(named)).resolve()


def append_summary(text: str) -> None:
    """The step's summary, if there is one, ends with the Markdown. Raises ConfigError if it cannot be written."""
    named = os.environ.get("GITHUB_STEP_SUMMARY")
    if named:
        append_text(Path(named), text)


def append_text(path: Path, text: str) -> None:
    """The file ends with the text, after an empty line if it had any content."""
    from raml_eval.errors import ConfigError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(("\n" if file.tell() else "") + text.rstrip("\n") + "\n")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}. GITHUB_STEP_SUMMARY must name a writable file.") from error
