"""judgements.jsonl: what a judge model said, kept beside the verdicts and never in place of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from raml_eval.manifest import SCHEMA_VERSION
from raml_eval.store.journal import corrupt, read_lines
from raml_eval.types import Judgement

FILE = "judgements.jsonl"
VERDICTS = ("equivalent", "different", "unclear", "unavailable")


def judgement_line(judgement: Judgement) -> dict[str, Any]:
    """One line of judgements.jsonl."""
    return {"schema_version": SCHEMA_VERSION, **asdict(judgement)}


def read_judgements(directory: Path) -> list[Judgement]:
    """Every judgement, in the order of the lines. Of two about the same candidate, the later one holds. Raises CorruptStore."""
    path = directory / FILE
    last: dict[tuple[str, ...], Judgement] = {}
    for number, line in read_lines(path):
        try:
            judgement = _read(line)
        except (KeyError, TypeError, ValueError) as error:
            raise corrupt(path, number, f"is not of this file's schema ({type(error).__name__}: {error})") from error
        last[judgement_key(judgement)] = judgement
    return list(last.values())


def judgement_key(judgement: Judgement) -> tuple[str, ...]:
    """The key under which a judge is asked once: question, candidate, model and prompt version."""
    j = judgement
    return j.task, j.question_id, j.candidate, j.model, j.prompt_version


def _read(line: Mapping[str, Any]) -> Judgement:
    said = {field.name: line[field.name] for field in fields(Judgement)}
    for name, value in said.items():
        if type(value) is not str:
            raise TypeError(f"{name} is {value!r:.60}, wanted a text")
    judgement = Judgement(**said)
    if judgement.verdict not in VERDICTS:
        raise ValueError(f"verdict {judgement.verdict!r}, wanted one of {', '.join(VERDICTS)}")
    return judgement
