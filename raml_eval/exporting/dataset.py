"""A run as a data set: four Parquet tables and a card, without what must not be passed on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raml_eval.columns import take_batches
from raml_eval.errors import ConfigError, writing
from raml_eval.exporting.public import model_name
from raml_eval.exporting.shared import Shared
from raml_eval.redaction import without_secrets
from raml_eval.tables import COLUMNS, budget_label, frame_rows
from raml_eval.types import Question, SampleRecord, StoredRun, Trajectory

ALLOWED = ("yes", "non_commercial")
_FREEDOM = {"no": 0, "non_commercial": 1, "yes": 2}
TABLES = ("samples", "thinking", "questions", "numbers")
BATCH = 20_000  # rows that are in memory as columns at once

_SAMPLES: Mapping[str, str] = {
    "task": "string", "question_id": "string", "sample": "int64", "budget": "string", "trajectory": "string",
    "thinking_end": "string", "n_thinking_tokens": "int64", "answer": "string", "answer_finish": "string",
    "n_answer_tokens": "int64", "leak": "bool", "target": "string", "extracted": "string", "status": "string",
    "correct": "bool", "rule": "string", "detail": "string", "score": "float64", "seed": "uint64", "answer_sha256": "string",
    "withheld": "bool",
}  # fmt: skip
_THINKING: Mapping[str, str] = {
    "trajectory": "string", "task": "string", "question_id": "string", "sample": "int64", "limit": "int64", "end": "string",
    "n_tokens": "int64", "text": "string", "text_sha256": "string", "withheld": "bool",
}  # fmt: skip
_QUESTIONS: Mapping[str, str] = {
    "task": "string", "question_id": "string", "cluster": "string", "stratum": "string", "date": "string", "synthetic": "bool",
    "grader": "string", "messages": "string", "target": "string", "options": "string", "tests": "string",
    "row_sha256": "string", "withheld": "bool",
}  # fmt: skip
_NUMBERS: Mapping[str, str] = {
    **dict.fromkeys(COLUMNS, "string"), **dict.fromkeys(("k", "n_questions", "n_samples"), "int64"),
    **dict.fromkeys(("tau", "value", "low", "high"), "float64"), "notes": "string",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Passing:
    """What may be passed on, beyond what the run's tasks say. said maps a task to yes, no or non_commercial.

    If model_text is true, answers and thinking of withheld tasks are kept, although they may quote the questions.
    """

    said: Mapping[str, str] = field(default_factory=dict)
    model_text: bool = False

    def of(self, run: StoredRun, task: str) -> str:
        """yes, no, non_commercial, or an empty text if neither the task nor the user says it."""
        return self.said.get(task) or run.tasks[task].redistribute

    def withheld(self, run: StoredRun) -> frozenset[str]:
        """The tasks whose questions and gold answers are left out: those that say no, and those that do not say."""
        return frozenset(task for task in run.tasks if self.of(run, task) not in ALLOWED)

    def check(self, run: StoredRun) -> None:
        """Raises ConfigError for a task that the run does not have, or another word."""
        for task, word in self.said.items():
            if task not in run.tasks:
                raise ConfigError(f"--redistribute names {task!r}, which the run does not have. It has {', '.join(run.tasks)}.")
            if word not in _FREEDOM:
                raise ConfigError(f"--redistribute {task} is {word!r}; wanted yes, no or non_commercial.")
            stated = run.tasks[task].redistribute
            if stated and _FREEDOM[word] > _FREEDOM[stated]:
                raise ConfigError(
                    f"--redistribute {task}={word} allows more than the task, which says {stated}. Leave it out; it is for "
                    f"tasks that say nothing."
                )


def write_tables(shared: Shared, folder: Path, passing: Passing) -> dict[str, int]:
    """The four tables lie in folder/data; returns the number of rows of each. See docs/sharing.md for the columns."""
    run, withheld = shared.run, passing.withheld(shared.run)
    hidden = frozenset() if passing.model_text else withheld
    samples = (_sample_row(record, withheld, hidden) for record in run.records if record.key.task in run.tasks)
    thinking = (_thinking_row(t, hidden) for t in run.trajectories.values() if t.key.task in run.tasks)
    questions = (_question_row(question, withheld) for question in run.questions.values())
    return {
        "samples": _write(folder, "samples", _SAMPLES, samples),
        "thinking": _write(folder, "thinking", _THINKING, thinking),
        "questions": _write(folder, "questions", _QUESTIONS, questions),
        "numbers": _write(folder, "numbers", _NUMBERS, _number_rows(shared)),
    }


def _sample_row(record: SampleRecord, withheld: frozenset[str], hidden: frozenset[str]) -> dict[str, Any]:
    """The sample. The extracted answer of a correct sample is the gold answer, and a grader's words may hold it."""
    task = record.key.task
    gone, mute = task in withheld, task in hidden
    return {
        "task": task,
        "question_id": record.key.question_id,
        "sample": record.key.index,
        "budget": budget_label(record.budget),
        "trajectory": record.trajectory,
        "thinking_end": record.thinking_end.value,
        "n_thinking_tokens": record.n_thinking_tokens,
        "answer": None if mute else record.answer,
        "answer_finish": record.answer_finish.value if record.answer_finish else None,
        "n_answer_tokens": record.n_answer_tokens,
        "leak": record.leak,
        "target": None if gone else record.target,
        "extracted": None if gone else record.grade.answer,
        "status": record.status.value,
        "correct": record.grade.correct,
        "rule": record.grade.rule,
        "detail": None if gone else record.grade.detail,
        "score": record.grade.score,
        "seed": record.seed,
        "answer_sha256": None if gone else digest(record.answer),
        "withheld": gone,
    }


def _thinking_row(trajectory: Trajectory, hidden: frozenset[str]) -> dict[str, Any]:
    key = trajectory.key
    imported = trajectory.limit is None
    return {
        "trajectory": trajectory.id,
        "task": key.task,
        "question_id": key.question_id,
        "sample": key.index,
        "limit": trajectory.limit,
        "end": trajectory.end.value,
        "n_tokens": None if imported else len(trajectory.token_ids),
        "text": None if key.task in hidden else trajectory.text,
        "text_sha256": digest(trajectory.text),
        "withheld": key.task in hidden,
    }


def _question_row(question: Question, withheld: frozenset[str]) -> dict[str, Any]:
    gone = question.task in withheld
    messages = json.dumps([dict(message) for message in question.messages], ensure_ascii=False)
    return {
        "task": question.task,
        "question_id": question.id,
        "cluster": question.cluster if not gone else digest(question.cluster)[:16],
        "stratum": question.stratum,
        "date": question.date,
        "synthetic": question.synthetic,
        "grader": question.grader,
        "messages": None if gone else messages,
        "target": None if gone else question.target,
        "options": None if gone else json.dumps(list(question.options), ensure_ascii=False),
        "tests": None if gone else question.tests,
        # A digest of a short gold answer alone would give it away to whoever tries a few thousand.
        "row_sha256": digest(json.dumps([messages, question.gold, question.options], ensure_ascii=False)),
        "withheld": gone,
    }


def _number_rows(shared: Shared) -> Iterable[dict[str, Any]]:
    for row, number in zip(frame_rows(shared.frame), shared.numbers, strict=True):
        row |= {"model": model_name(shared.run), "engine": without_secrets(row["engine"])}
        yield {**row, "notes": "; ".join(number.notes)}


def digest(text: str) -> str:
    """The SHA-256 of the text in UTF-8, as hex digits. Lone surrogates, which a model can write, are kept apart."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _write(folder: Path, name: str, types: Mapping[str, str], rows: Iterable[dict[str, Any]]) -> int:
    """The rows are a Parquet file with columns of these types; returns how many."""
    import pyarrow as pa
    from pyarrow import parquet

    path = folder / "data" / f"{name}.parquet"
    schema, count = pa.schema(list(types.items())), 0
    with writing(path, "Choose a writable place with room."):
        path.parent.mkdir(parents=True, exist_ok=True)
        with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
            for batch in take_batches(rows, BATCH):
                clean = [{key: _clean(value) for key, value in row.items()} for row in batch]
                writer.write_table(pa.Table.from_pylist(clean, schema=schema))
                count += len(batch)
    return count


def _clean(value: Any) -> Any:
    """The value as Parquet can hold it: a lone surrogate is no text in UTF-8."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) and not value.isascii() else value
