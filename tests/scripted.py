"""A session on the scripted backend without data sets, checkpoints or graders' processes, for tests of the main path."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from raml_eval.backends.fake import FakeBackend, Script
from raml_eval.budgets import OFF as OFF_PROMPT
from raml_eval.budgets import THINKING, prompt_of
from raml_eval.grading.pool import GradingPool
from raml_eval.plan import Plan
from raml_eval.progress import Progress
from raml_eval.runner import Drawing, run_all
from raml_eval.store import RunDirectory, read_run
from raml_eval.thinking import ThinkingPolicy
from raml_eval.types import Budget, Question, SamplingParams, StoredRun
from tests.test_store import manifest

EOS, CLOSE, OPEN, OFF, HINT = 1, 2, 3, 4, 200  # from 200 on: one prompt token for each hint


class Letters:
    """A tokenizer whose ids are character codes; the named ids are special tokens."""

    names = {EOS: "<eos>", CLOSE: "</t>", OPEN: "<t>", OFF: "<off>"}  # noqa: RUF012

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return list(map(ord, text))

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        special = {} if not skip_special_tokens else dict.fromkeys(self.names, "")
        return "".join(special.get(i, self.names.get(i, chr(i))) for i in token_ids)


def questions(n: int) -> list[Question]:
    return [
        Question("sums", f"{i}-abcdef", f"{i}-abcdef", {}, ({"role": "user", "content": f"{i}"},), str(i), "math")
        for i in range(n)
    ]


def solver(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
    """A model that thinks as many tokens as the question's number, then answers right; without thinking it answers 7."""
    number = prompt[0] - 100
    if OPEN in prompt and CLOSE not in prompt:
        yield from [97] * number
        yield CLOSE
    kept = prompt.count(97)
    yield from map(ord, f"\\boxed{{{number if kept == number and OFF not in prompt else 7}}}")
    while True:
        yield EOS


def run_scripted(
    path: Path,
    *,
    script: Script = solver,
    n_questions: int = 6,
    budgets: Sequence[Budget] = (0, 3, "unlimited", "off"),
    n_samples: int = 2,
    policy: dict[str, Any] | None = None,
    reproducible: bool = True,
    latency_s: float = 0.0,
    concurrency: int = 4,
    temperature: float = 1.0,
) -> StoredRun:
    """The stored run after one session."""
    asked = {(q.task, q.id): q for q in questions(n_questions)}
    settings = {
        "closer": "</t>", "closer_ids": (CLOSE,), "closing_ids": (CLOSE,), "end_of_text_ids": (EOS,), "marks": ("</t>",),
        "answer_tokens": 20, "max_total_tokens": None, "context": 200, **(policy or {}),
    }  # fmt: skip
    hints = [prompt for budget in budgets if (prompt := prompt_of(budget)) not in (THINKING, OFF_PROMPT)]
    base = manifest()
    plan = {"tasks": ["sums"], "budgets": list(budgets), "samples": n_samples, "limit": None}
    tasks = {"sums": {**base["tasks"]["sums"], "questions": [qid for _, qid in asked]}}

    async def sit() -> None:
        directory = RunDirectory(path)
        pool = GradingPool(workers=1, timeout_s=60.0)
        try:
            directory.open({**base, "plan": plan, "tasks": tasks})
            directory.begin_session({})
            directory.add_questions(asked.values())
            drawing = Drawing(
                questions=asked,
                prompts={
                    key: {THINKING: (100 + i, OPEN), OFF_PROMPT: (100 + i, OFF)}
                    | {hint: (100 + i, HINT + at, OPEN) for at, hint in enumerate(hints)}
                    for i, key in enumerate(asked)
                },
                plan=Plan.read(directory.manifest["plan"]),
                seed=0,
                policy=ThinkingPolicy(**settings),
                sampling=SamplingParams(temperature, 1.0, 0, 0.0, 1.0, 1, 0, (EOS,)),
                tokenizer=Letters(),
                backend=FakeBackend(script, context=200, reproducible=reproducible, latency_s=latency_s),
                pool=pool,
                directory=directory,
                concurrency=concurrency,
            )
            with Progress(1, quiet=True) as progress:
                await run_all(drawing, progress)
        finally:
            pool.close()
            directory.close()

    asyncio.run(sit())
    return read_run(path)
