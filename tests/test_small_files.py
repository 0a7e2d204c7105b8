"""A file is read whole, or refused before it is opened."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from raml_eval.errors import ConfigError, InputError
from raml_eval.reporting.boards.board import read_board
from raml_eval.reporting.boards.history import read_history
from raml_eval.reporting.reports.definition import read_definition
from raml_eval.small_files import read_small_text


def test_a_file_of_at_most_so_many_bytes_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("é\n", encoding="utf-8")
    assert read_small_text(path, 3) == "é\n"
    with pytest.raises(OSError, match="MB, wanted at most"):
        read_small_text(path, 2)
    (tmp_path / "link").symlink_to(path)
    assert read_small_text(tmp_path / "link", 3) == "é\n"


@pytest.mark.parametrize(
    ("name", "read", "kind"),
    [
        ("board.yaml", lambda path: read_board(path.parent), ConfigError),
        ("history.jsonl", lambda path: read_history(path.parent), InputError),
        ("report.yaml", read_definition, ConfigError),
    ],
)
def test_a_pipe_or_a_folder_is_refused_at_once(tmp_path: Path, name: str, read: Callable[[Path], object], kind: type) -> None:
    path = tmp_path / name
    os.mkfifo(path)  # reading one would wait for ever
    with pytest.raises(kind, match=rf"{name}( cannot be read)?: it is no file\. [NR]"):
        read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(kind, match="it is no file"):
        read(path)
