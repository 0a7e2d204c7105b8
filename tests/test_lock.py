"""The lock of the test environments fits what the project asks for, so that no install fails on it or does without it."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / ".ci" / "lock.txt"


def locked() -> dict[str, str]:
    """The version of each package that is locked on this Python."""
    found = [Requirement(line) for line in LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    return {
        canonicalize_name(one.name): next(iter(one.specifier)).version
        for one in found
        if one.marker is None or one.marker.evaluate()
    }


def asked_for() -> list[Requirement]:
    """What pyproject.toml and tox.ini ask for, without the lines of which scripts/lock.py leaves the packages out."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        spec = importlib.util.spec_from_file_location("lock", ROOT / "scripts" / "lock.py")
        assert spec
        assert spec.loader
        lock = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(lock)
    finally:
        sys.path.pop(0)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [line for name in lock.EXTRAS.split(",") for line in project["optional-dependencies"][name]]
    lines = [*project["dependencies"], *extras, *lock.requirements()[1:]]
    return [Requirement(line) for line in lines if not line.startswith(lock.GPU)]


def test_everything_that_is_asked_for_is_locked_at_a_version_that_is_wanted() -> None:
    versions = locked()
    asked = asked_for()
    assert len(asked) > 30
    for one in asked:
        assert versions.get(canonicalize_name(one.name), "") in one.specifier, one


def test_no_package_is_locked_twice_and_none_for_one_build_alone() -> None:
    lines = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert len(lines) == len(set(lines))
    assert len(locked()) > 150
    assert not [line for line in lines if "+" in line.split(";")[0]]
