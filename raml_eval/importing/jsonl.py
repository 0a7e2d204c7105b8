"""Reads our own simple format, for completions from anywhere: one JSON object per line (docs/importing.md)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from raml_eval.errors import SourceError, near_names
from raml_eval.importing.files import read_lines
from raml_eval.importing.samples import (
    ImportedSample,
    Source,
    TaskFacts,
    as_messages,
    as_options,
    as_texts,
    identify,
    read_count,
    read_number,
    read_sampling,
)
from raml_eval.tasks.rows import canonical_json
from raml_eval.types import Finish

HARNESS = "JSON lines"
OF_COMPLETION = (
    *("completion", "thinking", "sample", "verdict", "finish", "n_tokens", "n_thinking_tokens", "n_answer_tokens", "extra"),
)
KEYS = (
    *("task", "question_id", "prompt", "target", "grader", "options", "cluster", "model", "sampling", "completions"),
    *OF_COMPLETION,
)
_OUR_ID = re.compile(r"\d+-[0-9a-f]{6}")
_FINISH = {None: Finish.UNKNOWN, "stop": Finish.STOP, "length": Finish.LENGTH}


def open_source(path: Path) -> Source:
    """The samples of one file, or of all *.jsonl in a folder."""
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise SourceError(f"{path} holds no *.jsonl. Name a file of JSON lines, or a folder with some.")
    return Source(HARNESS, "", tuple(files), lambda: _Reader().read(files))


class _Reader:
    """One pass over the files. It remembers the questions so far, and the number of samples of each."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskFacts] = {}
        self._rows: dict[tuple[str, str], tuple[str, str]] = {}  # (task, id in the file) -> question id, content digest
        self._n_rows: dict[str, int] = {}
        self._given: dict[tuple[str, str], int] = {}  # number of samples so far

    def read(self, files: list[Path]) -> Iterator[ImportedSample]:
        for where, line in chain.from_iterable(map(read_lines, files)):
            yield from self._read_line(line, where)

    def _read_line(self, line: Mapping[str, Any], where: str) -> Iterator[ImportedSample]:
        _check_keys(line, KEYS, where)
        task = self._task(line, where)
        question_id = self._question(task.name, line, where)
        question = ImportedSample(
            task=task,
            question_id=question_id,
            index=0,
            messages=as_messages(line.get("prompt")),
            targets=as_texts(line["target"]),
            text="",
            model=None if line.get("model") is None else _text(line, "model", where),
            options=as_options(line.get("options")),
            cluster="" if line.get("cluster") is None else str(line["cluster"]),
        )
        for completion in _completions(line, where):
            given = self._given.get((task.name, question_id), 0)
            self._given[task.name, question_id] = given + 1
            yield _complete(question, completion, given, where)

    def _task(self, line: Mapping[str, Any], where: str) -> TaskFacts:
        name, sampling = _text(line, "task", where), line.get("sampling") or {}
        if not isinstance(sampling, Mapping):
            raise SourceError(f"{where}: sampling is {sampling!r:.60}, wanted one like {{'temperature': 0.6}}. Correct it.")
        found = TaskFacts(name, sampling=read_sampling(sampling, "max_tokens"), grader=line.get("grader"))
        known = self._tasks.setdefault(name, found)
        if known != found:
            raise SourceError(
                f"{where}: task {name} has grader {found.grader!s:.60} and sampling {dict(found.sampling)}, on an earlier line "
                f"{known.grader} and {dict(known.sampling)}; wanted the same on all its lines. Make two tasks of it."
            )
        return known

    def _question(self, task: str, line: Mapping[str, Any], where: str) -> str:
        """The question's id: a row's number and a hash of its content. An id that has this form already is kept."""
        if "target" not in line:
            raise SourceError(f"{where} has no target. Add the right answer of each question.")
        asked = {key: line.get(key) for key in ("question_id", "prompt", "target", "options")}
        if asked["question_id"] is None and asked["prompt"] is None:
            raise SourceError(f"{where} has neither question_id nor prompt, so its question is unknown. Add one of the two.")
        given = asked["question_id"]
        named = _digest({"prompt": asked["prompt"]}) if given is None else str(given)
        content = _digest(asked)
        if (task, named) not in self._rows:
            row = self._n_rows[task] = self._n_rows.get(task, -1) + 1
            label = row if given is None else given if isinstance(given, int) else str(given)
            kept = isinstance(label, str) and _OUR_ID.fullmatch(label) is not None
            self._rows[task, named] = (str(label) if kept else identify(label, asked), content)
        question_id, first = self._rows[task, named]
        if content != first:
            raise SourceError(
                f"{where}: the question {question_id} of task {task} has another prompt, target or options than on an earlier "
                f"line; wanted the same. Give different questions different ids."
            )
        return question_id


def _completions(line: Mapping[str, Any], where: str) -> list[Mapping[str, Any]]:
    """The completions of a line: one whose fields are in the line itself, or a list of texts or objects."""
    if "completions" not in line:
        _text(line, "completion", where)
        return [line]
    several = line["completions"]
    if "completion" in line or not isinstance(several, list) or not several:
        raise SourceError(f"{where}: wanted either a completion or a list of completions with at least one. Correct it.")
    found: list[Mapping[str, Any]] = []
    for entry in several:
        completion = {"completion": entry} if isinstance(entry, str) else entry
        if not isinstance(completion, Mapping):
            raise SourceError(f"{where}: a completion is {type(entry).__name__}, wanted a text or an object. Correct it.")
        _check_keys(completion, OF_COMPLETION, where)
        _text(completion, "completion", where)
        found.append(completion)
    return found


def _complete(question: ImportedSample, said: Mapping[str, Any], given: int, where: str) -> ImportedSample:
    finish, verdict, index = said.get("finish"), said.get("verdict"), said.get("sample", given)
    verdict = {} if verdict is None else verdict if isinstance(verdict, Mapping) else {"verdict": verdict}
    numbers = {str(metric): read_number(value) for metric, value in verdict.items()}
    if finish not in (None, "stop", "length") or None in numbers.values() or not _is_whole(index):
        met = f"finish is {finish!r:.60}, verdict {said.get('verdict')!r:.60} and sample {index!r:.60}"
        raise SourceError(
            f"{where}: {met}; wanted stop or length, numbers by metric, and a number from 0 on. Correct "
            f"them, or leave out what is not known."
        )
    return replace(
        question,
        index=int(index),
        text=said["completion"],
        thinking=None if said.get("thinking") is None else _text(said, "thinking", where),
        verdict={metric: number for metric, number in numbers.items() if number is not None},
        finish=_FINISH[finish],
        n_tokens=read_count(said.get("n_tokens")),
        n_thinking_tokens=read_count(said.get("n_thinking_tokens")),
        n_answer_tokens=read_count(said.get("n_answer_tokens")),
    )


def _is_whole(index: Any) -> bool:
    number = read_number(index)
    return number is not None and number >= 0 and number == int(number)


def _digest(asked: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(asked).encode("utf-8", "surrogatepass")).hexdigest()


def _check_keys(entry: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in entry:
        if key not in known:
            raise SourceError(
                f"{where} has the key {key!r}, which the format does not know.{near_names(str(key), known)} Known: "
                f"{', '.join(known)}; put anything else under extra."
            )


def _text(entry: Mapping[str, Any], key: str, where: str) -> str:
    value = entry.get(key)
    if not isinstance(value, str):
        raise SourceError(f"{where}: {key} is {value!r:.60}, wanted a text. Add it.")
    return value
