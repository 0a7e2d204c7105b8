"""What an engine that fails leaves: finished lines stay, the rest is owed, and too many failures end it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from raml_eval.backends.fake import FakeBackend
from raml_eval.diagnostics.pruning.pruning import prune_run
from raml_eval.errors import GaveUp, GenerationError
from raml_eval.types import Completion, SamplingParams
from tests.pruned import draw_run
from tests.test_cli import cli
from tests.test_pruning import journal


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return draw_run(tmp_path / "mine", tasks="pocket_chain")


def fail_every(n: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every n-th draw of the fake engine fails; returns the running count."""
    count, draw = [0], FakeBackend.generate

    async def generate(self: Any, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        count[0] += 1
        if count[0] % n == 0:
            raise GenerationError("out of luck.")
        return await draw(self, prompt_ids, params)

    monkeypatch.setattr(FakeBackend, "generate", generate)
    return count


def test_what_failed_is_owed_and_drawn_by_the_next_session(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as failing:
        fail_every(5, failing)
        done = cli("diagnose", "pruning", run, "--by", "last:1", "--by", "first:1", "--quiet")
    assert done.returncode == 4
    assert "out of luck" in done.stderr
    assert "still owed" in done.stdout
    lines = journal(run)
    assert lines
    count = fail_every(10**9, monkeypatch)
    again = prune_run(run, ["last:1", "first:1"], quiet=True)
    assert again.n_owed == 0
    assert journal(run)[: len(lines)] == lines
    assert len(journal(run)) == 2 * len({line["trajectory"] for line in journal(run)})
    n_drawn = count[0]
    prune_run(run, ["last:1", "first:1"], quiet=True)
    assert count[0] == n_drawn  # nothing is owed, so the engine is not asked


def test_failure_after_failure_ends_it(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raml_eval.diagnostics.pruning.work.MAX_FAILURES_IN_A_ROW", 4)
    fail_every(1, monkeypatch)
    with pytest.raises(GaveUp, match="4 requests in a row failed, the last with: out of luck"):
        prune_run(run, ["last:1"], quiet=True)
