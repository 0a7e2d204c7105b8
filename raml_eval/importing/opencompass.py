"""Reads OpenCompass's predictions (0.5.4): predictions/MODEL/DATASET.json, with verdicts in results/MODEL/DATASET.json.

The results hold verdicts only after a run with --dump-eval-details.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from raml_eval.errors import SourceError
from raml_eval.importing.files import as_object, read_json, refuse_twice, take
from raml_eval.importing.samples import (
    ImportedSample,
    Source,
    TaskFacts,
    as_messages,
    as_texts,
    identify,
    read_count,
    read_number,
)

HARNESS = "OpenCompass"
CORRECT = ("correct", "is_correct", "cascade_correct")  # keys of a verdict, in the order in which OpenCompass tries them


@dataclass(frozen=True, slots=True)
class _Log:
    """One data set under one model. parts are its files, in order."""

    parts: tuple[Path, ...]
    results: Path | None
    task: TaskFacts
    model: str


def open_source(path: Path) -> Source:
    """The predictions of one file, or of all files under a folder (that of a run, of its predictions, or of a model)."""
    logs = [_open_log(parts) for parts in _find_parts(path)]
    refuse_twice((f"{log.task.name} of {log.model}", log.parts[0]) for log in logs)
    files = [file for log in logs for file in (*log.parts, *((log.results,) if log.results else ()))]
    return Source(HARNESS, "", tuple(files), lambda: chain.from_iterable(map(_read_log, logs)))


def _find_parts(path: Path) -> list[tuple[Path, ...]]:
    """The files of each data set: DATASET.json, or DATASET_0.json and so on if the work was split."""
    if not path.is_dir():
        return [(path,)]
    within = [path] if "predictions" in path.absolute().parts else []
    folders = [folder for folder in path.rglob("predictions") if folder.is_dir()] or within
    files = sorted(file for folder in folders for file in folder.rglob("*.json") if not file.name.startswith("tmp_"))
    if not files:
        raise SourceError(f"{path} holds no predictions/MODEL/DATASET.json. Name the folder of one OpenCompass run.")
    groups: dict[tuple[Path, str], list[Path]] = {}
    for file in files:
        split = re.fullmatch(r"(.+)_(\d+)", file.stem)
        whole = split[1] if split and file.with_name(f"{split[1]}_0.json") in files else file.stem
        groups.setdefault((file.parent, whole), []).append(file)
    return [tuple(sorted(parts, key=lambda file: (len(file.stem), file.stem))) for parts in groups.values()]


def _open_log(parts: tuple[Path, ...]) -> _Log:
    name = parts[0].stem if len(parts) == 1 else parts[0].stem.removesuffix("_0")
    folders = list(parts[0].absolute().parts)
    results = None
    if "predictions" in folders:
        folders[len(folders) - 1 - folders[::-1].index("predictions")] = "results"
        results = Path(*folders).with_name(f"{name}.json")
    found = results if results is not None and results.is_file() else None
    return _Log(parts, found, TaskFacts(name), parts[0].absolute().parent.name)


def _read_log(log: _Log) -> Iterator[ImportedSample]:
    entries = [entry for part in log.parts for entry in _read_part(part)]
    prompts = [as_messages(entry.get("origin_prompt")) for entry in entries]
    contents = [{"messages": prompt, "gold": entry.get("gold")} for prompt, entry in zip(prompts, entries, strict=True)]
    n_questions = _period([json.dumps(content, sort_keys=True, default=str) for content in contents])
    verdicts = _read_verdicts(log.results, n_questions, len(entries) // n_questions)
    for place, (entry, messages, content) in enumerate(zip(entries, prompts, contents, strict=True)):
        replica, row = divmod(place, n_questions)
        texts, counts = as_texts(entry["prediction"]), entry.get("res_length")
        build = partial(
            ImportedSample,
            task=log.task,
            question_id=identify(row, content),
            messages=messages,
            targets=as_texts(entry.get("gold")),
            model=log.model,
        )
        for turn, text in enumerate(texts):
            yield build(
                index=replica * len(texts) + turn,
                text=text,
                verdict=verdicts.get((row, replica), {}) if len(texts) == 1 else {},
                n_tokens=read_count(counts[turn] if isinstance(counts, list) and turn < len(counts) else counts),
            )


def _read_part(path: Path) -> list[Mapping[str, Any]]:
    """The entries of a file, ordered by number. Raises SourceError unless each is a drawn answer to one prompt."""
    found = as_object(read_json(path), str(path))
    if not found:
        raise SourceError(f"{path} holds no samples. Name predictions that were written to their end.")
    entries: list[Mapping[str, Any]] = []
    for number in range(len(found)):
        where = f"{path}: entry {number}"
        entry = as_object(take(found, str(number), str(path), HARNESS), where)
        if any(key.startswith("label: ") for key in entry):
            raise SourceError(f"{where} holds scored continuations (PPL), so there is no answer to grade. Import other tasks.")
        prediction = take(entry, "prediction", where, HARNESS)
        turns = prediction if isinstance(prediction, list) else [prediction]
        several = isinstance(prediction, list) and isinstance(entry.get("gold"), list)
        if several or not turns or not all(isinstance(turn, str) for turn in turns):
            raise SourceError(f"{where} is a dialogue or a rollout, wanted a single answer. Import other tasks only.")
        entries.append(entry)
    return entries


def _period(contents: Sequence[str]) -> int:
    """The number of questions. With n > 1, OpenCompass asks the whole data set n times in a row."""
    total = len(contents)
    first = contents[0]
    for size in (place for place in range(1, total) if total % place == 0 and contents[place] == first):
        if all(contents[place] == contents[place % size] for place in range(size, total)):
            return size
    return total


def _read_verdicts(path: Path | None, n_questions: int, n_replicas: int) -> dict[tuple[int, int], dict[str, float]]:
    """Verdicts by (row, replica). Details hold a list over replicas for each question, or one value in older runs."""
    details = as_object(read_json(path), str(path)).get("details") if path else None
    if isinstance(details, Mapping):
        details = [details[str(number)] for number in range(len(details)) if str(number) in details]
    if not isinstance(details, list) or len(details) not in (n_questions, n_questions * n_replicas):
        return {}
    verdicts: dict[tuple[int, int], dict[str, float]] = {}
    for place, detail in enumerate(details):
        key = next((key for key in CORRECT if isinstance(detail, Mapping) and detail.get(key) is not None), None)
        if key is None:
            continue
        values = detail[key] if isinstance(detail[key], list) else [detail[key]]
        for turn, value in enumerate(values):
            number = read_number(value)
            if number is not None:
                verdicts[place % n_questions, place // n_questions + turn] = {key: number}
    return verdicts
