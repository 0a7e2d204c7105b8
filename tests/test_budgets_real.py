"""Exact budgets on real engines: recounted from the packed ids, and sweeps compared with separate runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

from raml_eval.checkpoint import find_checkpoint
from raml_eval.prompts import load_tokenizer
from raml_eval.protocols import Backend
from raml_eval.types import StoredRun, ThinkingEnd
from tests.engines import ENGINES, ROOT, drawn, open_pocket, sit

CLOSER = 260
WAIT = tuple(load_tokenizer(find_checkpoint("pocket")).encode("Wait", add_special_tokens=False))
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


def recount(run: StoredRun, min_tokens: int) -> Counter[str]:
    """The ends of a run's samples, each recounted from the ids that are stored: every cap and every minimum holds."""
    ends: Counter[str] = Counter()
    for record in run.records:
        trajectory = run.trajectories[record.trajectory or ""]
        ids = trajectory.token_ids[: record.n_thinking_tokens]
        assert len(ids) == record.n_thinking_tokens
        assert CLOSER not in ids
        assert isinstance(record.budget, int)
        assert len(ids) <= record.budget
        assert len(ids) >= min(min_tokens, record.budget)
        if record.thinking_end is ThinkingEnd.FORCED:
            assert len(ids) == record.budget
        for at in trajectory.extensions:
            assert trajectory.token_ids[at : at + len(WAIT)] == WAIT[: trajectory.limit - at]  # type: ignore[operator]
        ends[record.thinking_end] += 1
        ends["extended"] += any(at < len(ids) for at in trajectory.extensions)
    return ends


async def draw_random(engine: Backend, out: Path, seed: int, **settings: Any) -> tuple[StoredRun, int]:
    """A session with random budgets up to 300, and a random minimum below all of them; and that minimum."""
    random = Random(seed)
    least = (0, 1, 20, 60, 120)[seed % 5]
    budgets = sorted({random.randint(least, 300) for _ in range(5)})
    thinking = {"budgets": budgets, "min_tokens": least, "continuation": "Wait"}
    return await sit(engine, out, **settings, seed=seed, thinking=thinking), least


@pytest.mark.parametrize("name", ENGINES)
def test_no_cap_is_exceeded_and_no_minimum_undercut(name: str, tmp_path: Path) -> None:
    async def run() -> Counter[str]:
        engine, ends = await open_pocket(name), Counter[str]()
        try:
            for seed in range(2, 6):
                ends += recount(*await draw_random(engine, tmp_path / str(seed), seed, limit=5, samples=2))
        finally:
            await engine.aclose()
        return ends

    ends = asyncio.run(run())
    assert min(ends[ThinkingEnd.NATURAL], ends[ThinkingEnd.FORCED], ends["extended"]) > 0


async def sweep_and_alone(engine: Backend, folder: Path, temperature: float, **thinking: Any) -> None:
    few: dict[str, Any] = {"limit": 6, "samples": 4, "sampling": {"temperature": temperature, "top_p": 0.95}}
    few["answer_tokens"] = 24
    budgets = [0, 12, 30, "unlimited", "off"]
    few["max_total_tokens"] = 300
    sweep = await sit(engine, folder / "sweep", **few, thinking={"budgets": budgets, **thinking})
    swept = {(record.key, record.budget): drawn(record) for record in sweep.records}
    for budget in budgets:
        alone = await sit(engine, folder / str(budget), **few, thinking={"budgets": [budget], **thinking})
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
                await sweep_and_alone(engine, tmp_path / f"{temperature}-extended", temperature, extensions=2)
                await sweep_and_alone(engine, tmp_path / f"{temperature}-line", temperature, cut="newline", grace=9)
        finally:
            await engine.aclose()

    asyncio.run(run())


def test_the_pocket_checkpoint_is_small_and_takes_any_text() -> None:
    folder = ROOT / "raml_eval" / "pocket"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 2_000_000
    tokenizer = load_tokenizer(find_checkpoint(folder))
    text = "∫ é 漢字 🙂 \x00 \\frac{1}{2}" + "x" * 5000
    assert tokenizer.decode(tokenizer.encode(text, add_special_tokens=False), skip_special_tokens=False) == text
