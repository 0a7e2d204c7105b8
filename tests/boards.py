"""Small boards and the runs that enter them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from raml_eval.reporting.boards.entry import digest_of, entry_text
from raml_eval.types import StoredRun
from tests.factory import by_row, make_run

BOARD = """
title: Tiny | board
description: For tests, with `code`.
tasks: [pocket_chain, pocket_sort]
budgets: [16, 64]
samples: 4
columns: [avg@n, pass@4, "g_pass@4:0.5", maj@4]
rank_by: {budget: 64}
rules:
  grader_version: "4"
  protocol:
    prompt: {system_prompt: null}
    sampling: {temperature: 1.0, repetition_penalty: 1.0}
    thinking: {closing: {before: ""}}
    max_total_tokens: null
"""
PROTOCOL: Mapping[str, Any] = {
    "prompt": {"system_prompt": None, "chat_template": "abc"},
    "sampling": {"temperature": 1.0, "repetition_penalty": 1.0},
    "thinking": {"closing": {"before": ""}},
    "max_total_tokens": None,
    "answer_tokens": 48,
    "tasks": {},
}


def write_board(folder: Path, text: str = BOARD) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "board.yaml").write_text(text, encoding="utf-8")
    return folder


def entrant(
    model: str,
    hits: int | Callable[[int], int] = 2,
    fingerprint: str | None = None,
    backend: str = "hf",
    grader: str = "4",
    protocol: Mapping[str, Any] = PROTOCOL,
    **settings: Any,
) -> StoredRun:
    """A finished run of 30 questions per task. hits(row) of the 4 samples of a question are right, at every budget."""
    outcome = by_row(hits if callable(hits) else lambda row: hits)
    settings = {"n_questions": 30, **settings, "engine": {"name": backend, **settings.get("engine", {})}}
    run = make_run(outcome, name=f"of {model}", model=model, protocol={**protocol, "engine": {"name": backend}}, **settings)
    origin = "folder" if model.startswith("/") else "hub"
    told = {**run.manifest, "model": {"name": model, "origin": origin, "fingerprint": fingerprint or f"of {model}"}}
    return replace(run, manifest=told, grader_versions=(grader,))


def tamper(path: Path, change: Callable[[dict[str, Any]], object], sealed: bool = True) -> None:
    """The entry is changed; sealed gives it the digest of its new content, as somebody who knows the code would."""
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    if sealed:
        content["digest"] = digest_of(content)
    path.write_text(entry_text(content) if sealed else json.dumps(content), encoding="utf-8")
