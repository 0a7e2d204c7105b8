"""Samples as JSON lines of the schema every_eval_ever 0.3, beside the record of their task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from raml_eval.errors import writing
from raml_eval.tables import budget_label
from raml_eval.types import Question, SampleRecord, StoredRun


def write_samples(run: StoredRun, task: str, record: Mapping[str, Any], path: Path, place: str) -> dict[str, Any]:
    """The file holds a line for each sample of the task at each budget; returns how the record refers to it.

    record is that of the task, and place is the path of the file from data/ on. Raises InputError if it cannot be written.
    """
    digest, rows = hashlib.sha256(), 0
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for line in _lines(run, task, record):
                text = json.dumps(line, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace") + b"\n"
                digest.update(text)
                rows += 1
                file.write(text)
    return {
        "format": "jsonl",
        "file_path": place,
        "hash_algorithm": "sha256",
        "checksum": digest.hexdigest(),
        "total_rows": rows,
    }


def _lines(run: StoredRun, task: str, record: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for sample in run.records:
        question = run.questions.get((sample.key.task, sample.key.question_id))
        if (
            sample.key.task == task
            and question is not None
            and sample.budget in run.budgets
            and sample.key.index < run.n_samples
        ):
            yield {
                "schema_version": record["schema_version"],
                "evaluation_id": record["evaluation_id"],
                "model_id": record["model_info"]["id"],
                "evaluation_name": task,
                "evaluation_result_id": f"{task}/{budget_label(sample.budget)}/avg@{run.n_samples}",
                **_asked(question),
                **_answered(run, sample),
            }


def _asked(question: Question) -> dict[str, Any]:
    raw = "\n\n".join(message["content"] for message in question.messages)
    hashed = (raw + question.target).encode("utf-8", "replace")
    return {
        "sample_id": question.id,
        "sample_hash": hashlib.sha256(hashed).hexdigest(),
        "interaction_type": "single_turn",
        "input": {"raw": raw, "reference": [question.target], "choices": list(question.options) or None},
    }


def _answered(run: StoredRun, sample: SampleRecord) -> dict[str, Any]:
    trajectory = run.trajectories.get(sample.trajectory or "")
    # A smaller budget saw only the beginning of the text, which its tokens do not tell without the tokenizer.
    whole = trajectory is not None and (trajectory.limit is None or len(trajectory.token_ids) == sample.n_thinking_tokens)
    found = sample.grade.answer
    told = {
        "sample": sample.key.index,
        "thinking_budget": budget_label(sample.budget),
        "status": sample.status.value,
        "thinking_end": sample.thinking_end.value,
        "thinking_tokens": sample.n_thinking_tokens,
        "answer_tokens": sample.n_answer_tokens,
        "trajectory": sample.trajectory,
    }
    extracted = {"turn_idx": 0, "source": "output.raw", "extraction_method": sample.grade.rule or "none", "is_terminal": True}
    return {
        "output": {"raw": [sample.answer], "reasoning_trace": [trajectory.text] if trajectory and whole else None},
        "messages": None,
        "answer_attribution": [] if found is None else [{**extracted, "extracted_value": found}],
        "evaluation": {"score": float(sample.grade.correct), "is_correct": sample.grade.correct},
        "metadata": {key: str(value) for key, value in told.items() if value is not None},
    }
