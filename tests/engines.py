"""Real engines on the pocket checkpoint, opened once for many sessions."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from raml_eval.backends import open_backend
from raml_eval.config import build_config, load_preset, merge
from raml_eval.protocols import Backend
from raml_eval.session import run_session
from raml_eval.types import Completion, SampleRecord, SamplingParams, StoredRun

ROOT = Path(__file__).resolve().parents[1]
ENGINE_ARGS: Mapping[str, Mapping[str, Any]] = {
    "hf": {"dtype": "float32"},
    "vllm": {"dtype": "float32", "max_model_len": 1024},
}
ENGINES = [
    pytest.param("hf", marks=pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="no torch")),
    pytest.param(
        "vllm", marks=[pytest.mark.vllm, pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="no vLLM")]
    ),
]


class Kept:
    """An open engine that a session cannot close."""

    def __init__(self, engine: Backend) -> None:
        self.engine = engine
        self.description = engine.description

    async def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        return await self.engine.generate(prompt_ids, params)

    async def aclose(self) -> None:
        pass


async def open_pocket(engine: str) -> Backend:
    return await open_backend(engine, str(ROOT / "raml_eval" / "pocket"), args=ENGINE_ARGS[engine])


async def sit(engine: Backend, out: Path, **settings: Any) -> StoredRun:
    """One session of the pocket preset on an engine that stays open."""

    async def opener(*_: Any, **__: Any) -> Backend:
        return Kept(engine)

    base = {"backend": engine.description.name, "backend_args": {}, "out": out, "max_total_tokens": None}
    return await run_session(build_config([merge([load_preset("pocket"), base, settings])]), quiet=True, opener=opener)


def drawn(record: SampleRecord) -> tuple[Any, ...]:
    """Everything that was drawn for a sample, without the fields that depend on the session."""
    return (
        record.thinking_end,
        record.n_thinking_tokens,
        record.answer_ids,
        record.answer_finish,
        record.seed,
        record.grade,
        record.leak,
    )
