"""Reads Inspect's logs (log version 2), as .eval files or in their JSON form, without inspect_ai."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from raml_eval.errors import SourceError
from raml_eval.importing.eval_zip import EvalZip
from raml_eval.importing.files import as_object, read_json, refuse_twice, take
from raml_eval.importing.own_logs import is_own, open_own, restore_run
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
from raml_eval.types import Finish, GraderKind, Message

HARNESS = "Inspect"
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}  # the values that Inspect gives its grades
_FINISH = {"stop": Finish.STOP, "max_tokens": Finish.LENGTH, "model_length": Finish.LENGTH}
_SCORERS: Mapping[str, GraderKind] = {"choice": "choice", "exact": "exact", "math": "math"}


@dataclass(frozen=True, slots=True)
class _Log:
    path: Path
    task: TaskFacts
    model: str | None
    version: str


def open_source(path: Path) -> Source:
    """The log of one task, or all logs in a folder."""
    files = sorted(file for kind in ("*.eval", "*.json") for file in path.rglob(kind)) if path.is_dir() else [path]
    headers = {file: header for file in files if (header := _read_header(file, chosen=not path.is_dir())) is not None}
    if not headers:
        raise SourceError(f"{path} holds no .eval or .json log of Inspect. Name the folder given as --log-dir.")
    logs = [_open_log(file, header) for file, header in headers.items()]
    source = Source(
        harness=HARNESS,
        version=" and ".join(sorted({log.version for log in logs if log.version})),
        files=tuple(headers),
        read=lambda: chain.from_iterable(map(_read_log, logs)),
    )
    own = [open_own(file, header, partial(_samples, file)) for file, header in headers.items() if is_own(header["eval"])]
    if own:
        if len(own) < len(logs):
            other = next(file for file in headers if file not in {log.path for log in own})
            raise SourceError(f"{own[0].path} was exported from a run, and {other} was not. Import them one by one.")
        return replace(source, restore=partial(restore_run, own, source.version))
    refuse_twice((log.task.name, log.path) for log in logs)
    return source


def _read_header(path: Path, chosen: bool) -> Mapping[str, Any] | None:
    """What a log says about its task; None for another JSON file in the same folder."""
    if path.suffix != ".json":
        with EvalZip(path) as log:
            # A log that was cut short has no header.json yet, only the start of its journal.
            name = next((name for name in ("header.json", "_journal/start.json") if name in log.names), None)
            if name is None:
                raise SourceError(f"{path} has no header.json, so it is not a log of Inspect. Name another format or file.")
            found = log.read_json(name)
    else:
        found = read_json(path)
        if not chosen and not (isinstance(found, Mapping) and isinstance(found.get("eval"), Mapping)):
            return None
    as_object(take(as_object(found, str(path)), "eval", str(path), HARNESS), str(path))
    return {key: value for key, value in found.items() if key != "samples"}


def _open_log(path: Path, header: Mapping[str, Any]) -> _Log:
    spec: Mapping[str, Any] = header["eval"]
    settings = {
        **{key: value for key, value in (spec.get("model_generate_config") or {}).items() if value is not None},
        **{key: value for key, value in ((header.get("plan") or {}).get("config") or {}).items() if value is not None},
    }
    dataset = spec.get("dataset") or {}
    task = TaskFacts(
        name=str(take(spec, "task", str(path), HARNESS)),
        version=str(spec.get("task_version", "")),
        sampling=read_sampling(settings, "max_tokens"),
        grader=_grader(spec.get("scorers") or []),
        dataset=str(dataset.get("name") or dataset.get("location") or ""),
    )
    version = str((spec.get("packages") or {}).get("inspect_ai", ""))
    return _Log(path, task, spec.get("model"), version)


def _grader(scorers: list[Mapping[str, Any]]) -> GraderKind | None:
    """Our kind of grading for a scorer that compares as that kind does; None for all others, such as models that grade."""
    for scorer in scorers:
        name = str(scorer.get("name", "")).rpartition("/")[2]
        if name in _SCORERS:
            return _SCORERS[name]
        if name == "match" and (scorer.get("options") or {}).get("numeric"):
            return "math"
    return None


def _read_log(log: _Log) -> Iterator[ImportedSample]:
    found = False
    for where, sample in _samples(log.path):
        found = True
        yield _read_sample(log, sample, where)
    if not found:
        raise SourceError(f"{log.path} holds no samples. Name a log that was written to its end, with --log-samples.")


def _samples(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The place and the object of each sample of a log."""
    if path.suffix == ".json":
        samples: Iterator[Any] = iter(as_object(read_json(path), str(path)).get("samples") or [])
        for place, sample in enumerate(samples):
            yield f"{path}: sample {place}", as_object(sample, f"{path}: sample {place}")
        return
    with EvalZip(path) as archive:
        for name in archive.names:
            if name.startswith("samples/") and name.endswith(".json"):
                yield f"{path}: {name}", as_object(archive.read_json(name), f"{path}: {name}")


def _read_sample(log: _Log, sample: Mapping[str, Any], where: str) -> ImportedSample:
    label = take(sample, "id", where, HARNESS)
    attachments = sample.get("attachments") or {}
    output = sample.get("output") or {}
    choice = next(iter(output.get("choices") or []), None)
    asked = _texts(take(sample, "input", where, HARNESS), attachments)
    content = {"input": asked, "choices": sample.get("choices"), "target": take(sample, "target", where, HARNESS)}
    thinking, sealed, text = _split(choice, attachments)
    usage = output.get("usage") or {}
    failed = (sample.get("error") or {}).get("message") or ("" if choice is not None else "there is no output")
    n_tokens, n_thinking = read_count(usage.get("output_tokens")), read_count(usage.get("reasoning_tokens"))
    counted = n_tokens is not None and n_thinking is not None and n_thinking <= n_tokens
    return ImportedSample(
        task=log.task,
        question_id=identify(label if isinstance(label, int) else str(label), content),
        index=int(take(sample, "epoch", where, HARNESS)) - 1,
        messages=_prompt(sample.get("messages") or [], attachments) or asked,
        targets=as_texts(content["target"]),
        text=text,
        model=log.model,
        thinking=thinking,
        sealed=thinking is None and (sealed or bool(n_thinking)),
        options=as_options(sample.get("choices")),
        verdict=_verdict(sample.get("scores") or {}),
        finish=_FINISH.get(str((choice or {}).get("stop_reason")), Finish.UNKNOWN),
        n_tokens=n_tokens,
        n_thinking_tokens=n_thinking,
        n_answer_tokens=n_tokens - n_thinking if counted and n_tokens is not None and n_thinking is not None else None,
        error=str(failed),
    )


def _prompt(messages: list[Mapping[str, Any]], attachments: Mapping[str, str]) -> tuple[Message, ...]:
    """The conversation before the last message of the model."""
    answers = [place for place, message in enumerate(messages) if message.get("role") == "assistant"]
    return _texts(messages[: answers[-1]] if answers else messages, attachments)


def _texts(asked: Any, attachments: Mapping[str, str]) -> tuple[Message, ...]:
    if isinstance(asked, str):
        return ({"role": "user", "content": _resolve(asked, attachments)},)
    return tuple({"role": str(m.get("role") or "user"), "content": _content(m.get("content"), attachments)} for m in asked)


def _resolve(text: str, attachments: Mapping[str, str]) -> str:
    """The text itself if the log only refers to it."""
    return str(attachments.get(text.removeprefix("attachment://"), text)) if text.startswith("attachment://") else text


def _content(content: Any, attachments: Mapping[str, str]) -> str:
    if isinstance(content, str):
        return _resolve(content, attachments)
    parts = [part for part in content or [] if isinstance(part, Mapping) and part.get("type") == "text"]
    return "\n".join(_resolve(str(part.get("text") or ""), attachments) for part in parts)


def _split(choice: Mapping[str, Any] | None, attachments: Mapping[str, str]) -> tuple[str | None, bool, str]:
    """The thinking, if the log has its text; whether a provider has sealed any thinking; and the answer."""
    content = ((choice or {}).get("message") or {}).get("content")
    parts = [part for part in (content if isinstance(content, list) else []) if isinstance(part, Mapping)]
    reasoning = [part for part in parts if part.get("type") == "reasoning"]
    shown = [_resolve(str(part.get("reasoning") or ""), attachments) for part in reasoning if not part.get("redacted")]
    thinking = "\n\n".join(filter(str.strip, shown))
    return thinking or None, bool(reasoning), _content(content, attachments)


def _verdict(scores: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for scorer, score in scores.items():
        value = score.get("value") if isinstance(score, Mapping) else None
        values = {f"{scorer}/{key}": inner for key, inner in value.items()} if isinstance(value, Mapping) else {scorer: value}
        for name, inner in values.items():
            number = _LETTERS.get(inner) if isinstance(inner, str) else read_number(inner)
            if number is not None:
                found[name] = number
    return found
