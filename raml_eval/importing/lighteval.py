"""Reads lighteval's details (0.13): details_TASK_DATE.parquet, with results_DATE.json in the same output folder.

`lighteval eval` runs on Inspect and writes Inspect's logs; import those as inspect.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from raml_eval.errors import SourceError
from raml_eval.importing.files import as_object, check_kind_of_file, read_json, refuse_twice
from raml_eval.importing.samples import (
    ImportedSample,
    Source,
    TaskFacts,
    as_options,
    as_texts,
    identify,
    read_count,
    read_number,
    read_sampling,
)
from raml_eval.types import Finish, Message

HARNESS = "lighteval"
_NAME = re.compile(r"details_(.+)_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)")
_ROWS = 64  # rows that are read at a time


@dataclass(frozen=True, slots=True)
class _Log:
    path: Path
    task: TaskFacts
    model: str | None
    system_prompt: str | None


def open_source(path: Path) -> Source:
    """The details of one task, or of all tasks in a folder."""
    files = sorted(path.rglob("details_*.parquet")) if path.is_dir() else [path]
    if not files:
        raise SourceError(f"{path} holds no details_TASK_DATE.parquet. Run lighteval with --save-details.")
    results = {file: _results_of(file) for file in files}
    heads = {found: as_object(read_json(found), str(found)) for found in dict.fromkeys(results.values()) if found is not None}
    logs = [_open_log(file, {} if found is None else heads[found]) for file, found in results.items()]
    refuse_twice((log.task.name, log.path) for log in logs)
    commits = {str((head.get("config_general") or {}).get("lighteval_sha") or "?") for head in heads.values()} - {"?"}
    return Source(
        harness=HARNESS,
        version=" and ".join(sorted(commit[:12] for commit in commits)),
        files=(*files, *heads),
        read=lambda: chain.from_iterable(map(_read_log, logs)),
    )


def _results_of(path: Path) -> Path | None:
    """OUT/results/MODEL/results_DATE.json for OUT/details/MODEL/DATE/details_TASK_DATE.parquet; MODEL may hold slashes."""
    named = _NAME.fullmatch(path.stem)
    if named is None:
        return None
    found = (
        hit for folder in path.absolute().parents[:6] for hit in sorted(folder.glob(f"results/**/results_{named[2]}.json"))
    )
    return next(found, None)


def _open_log(path: Path, head: Mapping[str, Any]) -> _Log:
    named = _NAME.fullmatch(path.stem)
    name = named[1] if named else path.stem
    model = (head.get("config_general") or {}).get("model_config") or {}
    about = (head.get("config_tasks") or {}).get(name) or {}
    task = TaskFacts(
        name=name,
        version=str(about.get("version", "")),
        sampling=read_sampling(model.get("generation_parameters") or {}, "max_new_tokens"),
        dataset=str(about.get("hf_repo") or ""),
        config=about.get("hf_subset"),
        split=", ".join(map(str, about.get("evaluation_splits") or [])),
    )
    return _Log(path, task, (head.get("config_general") or {}).get("model_name"), model.get("system_prompt"))


def _read_log(log: _Log) -> Iterator[ImportedSample]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    check_kind_of_file(log.path)
    found = False
    try:
        with pq.ParquetFile(log.path) as file:
            lacking = {"doc", "metric", "model_response"} - set(file.schema_arrow.names)
            if lacking:
                raise SourceError(f"{log.path} lacks the columns {', '.join(sorted(lacking))}, which lighteval's details have.")
            for batch in file.iter_batches(batch_size=_ROWS, columns=["doc", "metric", "model_response"]):
                for row in batch.to_pylist():
                    found = True
                    yield from _read_row(log, row["doc"] or {}, row["metric"] or {}, row["model_response"] or {})
    except (pa.ArrowException, OSError) as error:
        raise SourceError(f"{log.path} is not a complete parquet file ({error}). Name details written to their end.") from error
    if not found:
        raise SourceError(f"{log.path} holds no samples. Name details that were written to their end.")


def _read_row(
    log: _Log, doc: Mapping[str, Any], metric: Mapping[str, Any], response: Mapping[str, Any]
) -> Iterator[ImportedSample]:
    texts = response.get("text") or []
    if not texts:
        method = ", ".join(doc.get("sampling_methods") or ["unknown"])
        raise SourceError(
            f"{log.path} holds scored continuations (sampling method {method}) but no text, so there is no answer to grade. "
            f"Import generative tasks only."
        )
    verdict = {str(name): number for name, value in metric.items() if (number := read_number(value)) is not None}
    choices = doc.get("choices") or []
    golds = _golds(doc, choices)
    single = len(choices) > 1 and len(golds) == 1
    for index, text in enumerate(texts):
        n_tokens = _count(response.get("output_tokens"), index)
        limit = read_count(doc.get("generation_size"))
        yield ImportedSample(
            task=log.task,
            question_id=_identify(doc),
            index=index,
            messages=_messages(log, doc),
            targets=golds,
            text="" if text is None else str(text),
            model=log.model,
            thinking=_at(response.get("reasonings"), index),
            options=tuple(choice.strip() for choice in as_options(choices)) if single else (),
            verdict=verdict,
            of_question=len(texts) > 1,
            # lighteval does not log how a text ended, but a text of exactly the allowed length was cut.
            finish=Finish.LENGTH if n_tokens and limit and n_tokens >= limit else Finish.UNKNOWN,
            n_tokens=n_tokens,
        )


def _identify(doc: Mapping[str, Any]) -> str:
    """The document's identity, by its question: the fields that scoring and sampling add differ from run to run."""
    label = "" if doc.get("id") is None else str(doc["id"])
    content = {key: doc.get(key) for key in ("query", "choices", "gold_index")}
    return identify(int(label) if label.isdecimal() else label, content)


def _golds(doc: Mapping[str, Any], choices: Sequence[Any]) -> tuple[str, ...]:
    """The right choices. A choice may be a list of texts that are all right."""
    index = doc.get("gold_index")
    places = index if isinstance(index, list) else [index]
    right = [choices[place] for place in places if isinstance(place, int) and 0 <= place < len(choices)]
    return tuple(text.strip() for choice in right for text in as_texts(choice))


def _messages(log: _Log, doc: Mapping[str, Any]) -> tuple[Message, ...]:
    system = "\n\n".join(filter(None, (log.system_prompt, doc.get("instruction"))))
    start: tuple[Message, ...] = ({"role": "system", "content": system},) if system else ()
    return (*start, {"role": "user", "content": str(doc.get("query") or "")})


def _at(texts: Any, index: int) -> str | None:
    found = as_texts(texts)
    return found[index] if index < len(found) and isinstance(texts[index], str) and texts[index] else None


def _count(tokens: Any, index: int) -> int | None:
    """The number of drawn tokens of one text; None if the engine returned none and the lists are empty."""
    return len(tokens[index]) if isinstance(tokens, list) and index < len(tokens) and tokens[index] else None
