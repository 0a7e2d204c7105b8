"""Libraries that only an export needs."""

from __future__ import annotations

import sys

import pytest

from raml_eval.errors import ConfigError
from raml_eval.exporting.libraries import need


def test_a_library_that_is_there_is_imported() -> None:
    assert need("json.decoder", "json", "a test").JSONDecoder().decode("[1]") == [1]


def test_a_missing_library_is_told_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "no_such_package", None)
    with pytest.raises(
        ConfigError, match=r"^a log needs the package no-such, which is missing\. Install it: pip install no-such$"
    ):
        need("no_such_package.log", "no-such", "a log")


def test_a_library_that_lacks_another_one_says_so(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "half_installed.py").write_text("import not_there_at_all")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"cannot be imported \(No module named 'not_there_at_all'\)"):
        need("half_installed", "half-installed", "a log")
