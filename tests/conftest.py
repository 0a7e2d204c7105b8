"""What all tests share: how property tests draw, and hubs of data sets on this computer, with generated and with real rows."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.hub import Hub, serve

REAL_HUB = Path(__file__).resolve().parents[2] / "shared" / "hub_server.py"

# A commit that passes the tests passes them again: each run draws the same examples, and a busy machine fails none of them.
# New examples are looked for with --hypothesis-profile search.
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("same", settings.get_profile("search"), derandomize=True)
settings.load_profile("same")


@pytest.fixture(scope="session")
def hub() -> Iterator[Hub]:
    """The hub with generated rows."""
    with serve() as running:
        yield running


@pytest.fixture(scope="session")
def real_hub_url() -> Iterator[str]:
    """The address of a hub with the real rows: RAML_EVAL_HUB, or a mirror beside the checkout."""
    if url := os.environ.get("RAML_EVAL_HUB"):
        yield url
        return
    if not REAL_HUB.is_file():
        pytest.skip("no hub with the real rows: set RAML_EVAL_HUB to the address of one")
    with subprocess.Popen([sys.executable, str(REAL_HUB), "--port", "0"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.terminate()


@pytest.fixture(autouse=True)
def _no_summary(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the tests compare is not added to the summary of the step that runs them."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for temporary files, which must be empty at the end of the test."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []
