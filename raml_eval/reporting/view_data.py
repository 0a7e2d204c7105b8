"""What the pages of `raml-eval view` show of one question: its text, and every draw's thinking, answers and verdicts."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from raml_eval.checkpoint import find_checkpoint
from raml_eval.kept_text import cut_text, tokenizer_at_hand
from raml_eval.manifest import name_model
from raml_eval.prompts.tokenizer import load_tokenizer
from raml_eval.protocols import Tokenizer
from raml_eval.store.seeking import RunReader
from raml_eval.tables import budget_label
from raml_eval.types import Question, QuestionKey, SampleRecord, Status, ThinkingEnd, Trajectory

Fields = dict[str, Any]
MISSING = "-"  # stands for a sample that the run does not have, where Status has a letter
LETTERS: Mapping[Status, str] = dict(zip(Status, "cinut", strict=True))


@dataclass(frozen=True)
class Viewed:
    """One of the runs that are shown: its files, and the folder of a tokenizer if one was named.

    n_thinkings counts those that a budget cut: with their cuts marked (True), and without (False).
    """

    reader: RunReader
    named: Path | None = None
    n_thinkings: Counter[bool] = field(default_factory=Counter)

    @cached_property
    def tokenizer(self) -> Tokenizer | None:
        """The one that was named, or that of the run's model if this machine holds it. Loaded only if a budget cut a thinking.

        Raises ModelError for a folder without a tokenizer.
        """
        if self.named is not None:
            return load_tokenizer(find_checkpoint(self.named))
        return tokenizer_at_hand(self.reader.manifest, self.reader.directory)

    def check(self) -> None:
        """Raises ModelError if a tokenizer was named that cannot be loaded, before anything is written."""
        if self.named is not None:
            _ = self.tokenizer

    def unmarked(self) -> str:
        """Why thinkings have no marks where budgets cut them, and what to do; empty if all have."""
        if not self.n_thinkings[False]:
            return ""
        run, model = self.reader.manifest["name"], self.reader.manifest["model"]["name"]
        without = f"in run {run}, {self.n_thinkings[False]:,} of {self.n_thinkings.total():,} thinkings that a budget cut"
        if self.tokenizer is None:
            relative = f"neither in {Path.cwd()} nor above the run nor in the hub's cache"
            asked = f"the tokenizer of its model {model} is {'not there' if Path(model).is_absolute() else relative}"
            return f"{without} show no cuts: {asked}. Name its folder with --tokenizer FOLDER."
        whose = f"in {self.named}" if self.named is not None else f"of {model}"
        return (
            f"{without} show no cuts: the tokenizer {whose} does not give their text. Name another one with --tokenizer FOLDER."
        )

    @property
    def budgets(self) -> tuple[str, ...]:
        return tuple(map(budget_label, self.reader.manifest["plan"]["budgets"]))

    def describe(self) -> Fields:
        """The run's name, model and engine."""
        manifest = self.reader.manifest
        engine = manifest.get("engine", {})
        told = f"{engine.get('name', 'unknown')} {engine.get('version', '')}".strip()
        return {"name": manifest["name"], "model": name_model(manifest["model"]), "engine": told}


def question_fields(question: Question) -> Fields:
    """What is shown of a question."""
    return {
        "task": question.task,
        "id": question.id,
        "grader": question.grader,
        "messages": [[str(message.get("role")), str(message.get("content"))] for message in question.messages],
        "options": [f"{letter_of(place)}. {option}" for place, option in enumerate(question.options)],
        "gold": question.target,
        "tests": question.tests,
    }


def letter_of(place: int) -> str:
    """The name of an option by its place: A to Z, then numbers from 27.

    Example: letter_of(1) == "B" and letter_of(26) == "27"
    """
    return string.ascii_uppercase[place] if place < len(string.ascii_uppercase) else str(place + 1)


@dataclass(frozen=True, slots=True)
class QuestionView:
    """One run's draws of one question: by sample index, the fields of the draw and one letter for each budget."""

    draws: Mapping[int, Fields]
    letters: Mapping[int, str]


def view_question(run: Viewed, key: QuestionKey, budgets: Sequence[str]) -> QuestionView:
    """The draws of the question. budgets are the labels of the columns, in order, and may hold other runs' too."""
    trajectories = run.reader.trajectories(key)
    by_index: dict[int, dict[str, tuple[SampleRecord, SampleRecord]]] = {}
    for record, stored in run.reader.records(key):
        if (label := budget_label(record.budget)) in budgets:
            by_index.setdefault(record.key.index, {})[label] = record, stored
    draws, letters = {}, {}
    for index, found in sorted(by_index.items()):
        ordered = {label: found[label] for label in budgets if label in found}
        draws[index] = _draw(ordered, [budgets.index(label) for label in ordered], trajectories, run)
        letters[index] = "".join(LETTERS[found[label][0].status] if label in found else MISSING for label in budgets)
    return QuestionView(draws, letters)


def _draw(
    found: Mapping[str, tuple[SampleRecord, SampleRecord]],
    columns: Sequence[int],
    trajectories: Mapping[str, Trajectory],
    run: Viewed,
) -> Fields:
    """samples (one for each budget), and the answers and thinkings that they name by place. Equal answers are held once."""
    answers: dict[str, int] = {}
    thinkings: dict[str, int] = {}
    samples = []
    for column, (record, first) in zip(columns, found.values(), strict=True):
        sample = _sample(record, first) | {"budget": column}
        sample["answer"] = answers.setdefault(record.answer, len(answers))
        if record.trajectory in trajectories:
            sample["thinking"] = thinkings.setdefault(str(record.trajectory), len(thinkings))
        samples.append(sample)
    records = [record for record, _ in found.values()]
    told = [_thinking(trajectories[name], [r for r in records if r.trajectory == name], run) for name in thinkings]
    return {"samples": samples, "answers": list(answers), "thinkings": told}


def _sample(record: SampleRecord, first: SampleRecord) -> Fields:
    """One sample's verdict and counts. Fields that say nothing are left out."""
    grade = record.grade
    fields = {
        "status": grade.status.value,
        "end": record.thinking_end.value,
        "kept": record.n_thinking_tokens,
        "tokens": record.n_answer_tokens,
        "finish": record.answer_finish.value if record.answer_finish else None,
        "leak": record.leak or None,
        "extracted": grade.answer,
        "rule": grade.rule or None,
        "detail": grade.detail or None,
        "score": grade.score,
        "seed": None if record.seed is None else str(record.seed),  # more digits than a number of JavaScript holds
        "was": first.grade.status.value if first.grade.status != grade.status else None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _thinking(trajectory: Trajectory, records: Sequence[SampleRecord], run: Viewed) -> Fields:
    """The text in parts, between which budgets cut it; in one part, with cut false, where the places cannot be told."""
    drawn = len(trajectory.token_ids) if trajectory.limit is not None else None
    counts = sorted(
        {
            record.n_thinking_tokens
            for record in records
            if record.thinking_end in (ThinkingEnd.FORCED, ThinkingEnd.LENGTH)
            and record.n_thinking_tokens is not None
            and drawn is not None
            and record.n_thinking_tokens < drawn
        }
    )
    parts = cut_text(trajectory, counts, run.tokenizer) if counts else [trajectory.text]
    if counts:
        run.n_thinkings[parts is not None] += 1
    return {
        "drawn": drawn,
        "end": trajectory.end.value,
        "prompt": trajectory.prompt,
        "seed": None if trajectory.seed is None else str(trajectory.seed),
        "counts": counts if parts else [],
        "parts": parts or [trajectory.text],
        "cut": parts is not None,
    }
