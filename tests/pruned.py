"""A small run on the fake engine, to prune."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import raml_eval
from raml_eval.diagnostics.pruning.candidates import Candidate, read_candidates
from raml_eval.diagnostics.subjects import choose_questions
from raml_eval.store.seeking import RunReader

FEW: dict[str, Any] = {
    "model": "pocket", "backend": "fake", "tasks": "pocket_chain,pocket_sort", "samples": 3, "limit": 4,
    "thinking_budget": ["off", 16, "unlimited"], "answer_tokens": 48,
}  # fmt: skip


def draw_run(out: Path, **more: Any) -> Path:
    """The directory of a run with a few samples."""
    raml_eval.evaluate(**{**FEW, **more}, out=out, quiet=True)
    return out


def candidates_of(directory: Path) -> list[Candidate]:
    from collections import Counter

    with RunReader(directory) as run:
        return list(read_candidates(run, choose_questions(run, (), None), Counter()))
