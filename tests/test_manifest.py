"""What a manifest says of where a run came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from raml_eval import manifest


def test_without_git_the_commit_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = tmp_path / "checkout"
    (checkout / ".git").mkdir(parents=True)
    monkeypatch.setattr(manifest, "__file__", str(checkout / "raml_eval" / "manifest.py"))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert manifest.git_commit() is None
