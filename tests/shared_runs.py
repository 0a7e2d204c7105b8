"""A stored run of three tasks whose data may, may not and may only partly be passed on, full of what must stay private."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from raml_eval.cli.sharing import gather_run
from raml_eval.exporting.shared import Shared
from raml_eval.types import Grade, Status
from tests.stored import Drawn, ask, store_run

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SECRETS = ("hf_AbCdEfGhIjKlMnOpQrStUv", "/home/someone", "someone", "s3cr3t")
HOSTILE = "<script>alert(1)</script>|`x`"
_RIGHT, _WRONG = Grade(Status.CORRECT, "12", "boxed", "identical"), Grade(Status.INCORRECT, "7", "boxed", "number")
_TASKS: dict[str, dict[str, Any]] = {
    "free": {"dataset": "someorg/free", "redistribute": "yes", "licence": "MIT", "config": "main", "split": "test"},
    "kept": {"dataset": "someorg/kept", "redistribute": "no", "licence": "none stated", "domain": "cross_domain"},
    "half": {"dataset": "half/questions.jsonl", "redistribute": "non_commercial", "licence": f"CC BY-NC {HOSTILE}"},
}


def private_run(path: Path, step: int | None = 500, right: Sequence[int] = (3, 1, 0), **changes: Any) -> Path:
    """A finished run with 4 samples for each of 3 questions of each task, of which right[i] of question i are correct."""
    questions = [ask(row, "12", task=task) for task in _TASKS for row in range(3)]
    samples = [
        Drawn(
            f"private words \\boxed{{{grade.answer}}}", grade, question=place, thinking=f"thinking of {questions[place].task}"
        )
        for place in range(len(questions))
        for number in range(4)
        for grade in [_RIGHT if number < right[place % 3] else _WRONG]
    ]
    store_run(path, questions, samples, version="4")
    manifest = json.loads((path / "manifest.json").read_text())
    for task, facts in _TASKS.items():
        manifest["tasks"][task] |= {"chance": None, "commit": COMMIT if task == "free" else None, **facts}
    record = {"base": "/home/someone/base", "note": "key hf_AbCdEfGhIjKlMnOpQrStUv", "password": "s3cr3t"}
    manifest |= {
        "name": path.name,
        "created": "2026-01-01T00:00:00+00:00",
        "model": {"name": "/home/someone/ckpt/step_500", "fingerprint": "f" * 16, "checkpoint": {**record, "step": step}},
        "engine": {"name": "hf", "version": "5", "device": "cpu", "dtype": "float32", "details": {"where": "/home/someone"}},
        "versions": {"raml-eval": "0.1.0"},
        "config": {"k": [], "model": "/home/someone/ckpt", "backend_args": {"key": "s3cr3t"}},
        **changes,
    }
    if step is None:
        del manifest["model"]["checkpoint"]["step"]
    (path / "manifest.json").write_text(json.dumps(manifest))
    return path


def share(path: Path, k: str | None = "2,64") -> Shared:
    """The run as the commands share it; at k = 64 no number can be given."""
    return gather_run(path, k)


def values(shared: Shared) -> dict[tuple[str, ...], float]:
    """What the frame says, by task, budget, metric, k and tau, without the numbers that cannot be given."""
    columns = ["task", "domain", "budget", "metric", "k", "tau"]
    rows = shared.frame[shared.frame["value"].notna()]
    return {tuple(str(row[c]) for c in columns): float(row["value"]) for _, row in rows.iterrows()}


def holds_nothing_private(content: bytes | str) -> None:
    """Fails if the content holds a token, a password or a path of the run."""
    text = content if isinstance(content, bytes) else content.encode()
    for secret in SECRETS:
        assert secret.encode() not in text, secret
