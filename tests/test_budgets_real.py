"""Exact budgets on real engines: recounted from the packed ids, and sweeps compared with separate runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from raml_eval.checkpoint import find_checkpoint
from raml_eval.prompts import load_tokenizer
from raml_eval.protocols import Backend
from raml_eval.types import StoredRun, ThinkingEnd
from tests.engines import ENGINES, ROOT, drawn, open_pocket, sit

CLOSER = 260
FEW: dict[str, Any] = {"tasks": ["pocket_chain"], "limit": 70, "samples": 8, "thinking": {"budgets": [400]}}


def natural_lengths(run: StoredRun) -> dict[Any, int | None]:
    """The number of thinking tokens before each trajectory's own end; None if it did not end."""
    return {t.key: len(t.token_ids) if t.end is ThinkingEnd.NATURAL else None for t in run.trajectories.values()}


@pytest.mark.parametrize("name", ENGINES)
def test_no_thinking_exceeds_its_cap_and_natural_means_at_most_b(name: str, tmp_path: Path) -> None:
    async def run() -> tuple[StoredRun, StoredRun, int]:
        engine = await open_pocket(name)
        try:
            free = await sit(engine, tmp_path / "free", **FEW)
            counts = Counter(n for n in natural_lengths(free).values() if n)
            total = sum(counts.values())
            # A budget in the thick of the lengths, with some that end right before, at and after it.
            fits = [b for b in counts if counts[b - 1] and counts[b + 1]]
            budget = min(fits, key=lambda b: abs(sum(n for length, n in counts.items() if length <= b) - total / 2))
            return free, await sit(engine, tmp_path / "capped", **{**FEW, "thinking": {"budgets": [budget]}}), budget
        finally:
            await engine.aclose()

    free, capped, budget = asyncio.run(run())
    ends = Counter(record.thinking_end for record in capped.records)
    assert len(capped.records) == 560
    assert ends[ThinkingEnd.FORCED] >= 0.3 * 560
    assert ends[ThinkingEnd.NATURAL] >= 0.3 * 560
    before, near = natural_lengths(free), Counter[int]()
    for record in capped.records:
        assert record.trajectory is not None
        ids = capped.trajectories[record.trajectory].token_ids
        assert CLOSER not in ids
        assert len(ids) == record.n_thinking_tokens <= budget
        length = before[record.key]
        if name == "vllm":  # reproducible: the same draw with and without the cap
            natural = length is not None and length <= budget
            assert record.thinking_end is (ThinkingEnd.NATURAL if natural else ThinkingEnd.FORCED)
            assert record.n_thinking_tokens == (length if natural else budget)
            near[(length or 0) - budget] += 1
    if name == "vllm":
        assert min(near[-1], near[0], near[1]) > 0


async def sweep_and_alone(engine: Backend, folder: Path, temperature: float) -> None:
    few: dict[str, Any] = {"limit": 6, "samples": 4, "sampling": {"temperature": temperature, "top_p": 0.95}}
    few["answer_tokens"] = 24
    budgets = [0, 12, 30, "unlimited", "off"]
    few["max_total_tokens"] = 300
    sweep = await sit(engine, folder / "sweep", **few, thinking={"budgets": budgets})
    swept = {(record.key, record.budget): drawn(record) for record in sweep.records}
    for budget in budgets:
        alone = await sit(engine, folder / str(budget), **few, thinking={"budgets": [budget]})
        assert len(alone.records) == 4 * 6 * 4
        for record in alone.records:
            assert drawn(record) == swept[record.key, budget], (record.key, budget)


@pytest.mark.parametrize("name", [e for e in ENGINES if e.values == ("vllm",)])
def test_a_sweep_equals_separate_runs_token_for_token(name: str, tmp_path: Path) -> None:
    async def run() -> None:
        engine = await open_pocket(name)
        try:
            for temperature in (0.0, 1.0):
                await sweep_and_alone(engine, tmp_path / str(temperature), temperature)
        finally:
            await engine.aclose()

    asyncio.run(run())


def test_the_pocket_checkpoint_is_small_and_takes_any_text() -> None:
    folder = ROOT / "raml_eval" / "pocket"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 2_000_000
    tokenizer = load_tokenizer(find_checkpoint(folder))
    text = "∫ é 漢字 🙂 \x00 \\frac{1}{2}" + "x" * 5000
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False), skip_special_tokens=False) == text
