"""Reads lm-eval's sample logs (`--log_samples`, 0.4.13): samples_TASK_DATE.jsonl, with results_DATE.json beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from raml_eval.errors import SourceError
from raml_eval.importing.files import as_object, read_json, read_lines, refuse_twice, take
from raml_eval.importing.samples import (
    ImportedSample,
    Source,
    TaskFacts,
    as_messages,
    as_options,
    as_texts,
    identify,
    read_number,
    read_sampling,
)
from raml_eval.tasks.rows import is_synthetic
from raml_eval.tasks.rules import raml_of
from raml_eval.types import Message

HARNESS = "lm-eval"
_NAME = re.compile(r"(?:samples_)?(.+)_(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d(?:\.\d+)?)")
# Filters that see one answer at a time. After any other filter, a verdict is not that of the first sample.
_SINGLE = {"take_first", "regex", "regex_pos", "multi_choice_regex", "remove_whitespace", "lowercase", "uppercase", "map"}


@dataclass(frozen=True, slots=True)
class _Log:
    """The samples of one task. filters is None if they are unknown because there is no results file."""

    path: Path
    task: TaskFacts
    model: str | None
    config: Mapping[str, Any]
    filters: tuple[tuple[str, ...], ...] | None


def open_source(path: Path) -> Source:
    """The logs of a samples file, of a results file with its samples, or of all such files in a folder."""
    results = {file: _results_of(file) for file in _find_files(path)}
    heads = {found: as_object(read_json(found), str(found)) for found in dict.fromkeys(results.values()) if found is not None}
    logs = [_open_log(file, {} if found is None else heads[found]) for file, found in results.items()]
    refuse_twice((log.task.name, log.path) for log in logs)
    return Source(
        harness=HARNESS,
        version=" and ".join(sorted({str(head["lm_eval_version"]) for head in heads.values() if head.get("lm_eval_version")})),
        files=(*results, *heads),
        read=lambda: chain.from_iterable(map(_read_log, logs)),
        hides_thinking="; ".join(dict.fromkeys(filter(None, map(_hides_thinking, heads.values())))),
    )


def _find_files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(path.rglob("samples_*.jsonl"))
    elif path.suffix == ".json" and (date := _NAME.fullmatch(path.stem)):
        found = sorted(path.parent.glob(f"samples_*_{date[2]}.jsonl"))
    else:
        found = [path]
    if not found:
        raise SourceError(f"{path} holds no samples_TASK_DATE.jsonl of lm-eval. Run lm-eval with --log_samples.")
    return found


def _results_of(path: Path) -> Path | None:
    """The results file of the same date. With --output_path FILE.json, its name does not begin with results."""
    date = _NAME.fullmatch(path.stem)
    return next(iter(sorted(path.parent.glob(f"*_{date[2]}.json"))), None) if date else None


def _hides_thinking(head: Mapping[str, Any]) -> str:
    arguments = (head.get("config") or {}).get("model_args")
    if isinstance(arguments, str):
        stripped = re.search(r"think_end_token=([^,]+)", arguments)
        token = stripped[1] if stripped else None
    else:
        token = arguments.get("think_end_token") if isinstance(arguments, Mapping) else None
    return f"lm-eval kept only what follows think_end_token {token}" if token else ""


def _open_log(path: Path, head: Mapping[str, Any]) -> _Log:
    where, first = next(read_lines(path))
    for key in ("doc_id", "doc", "target", "resps", "arguments"):
        take(first, key, where, HARNESS)
    named = _NAME.fullmatch(path.stem)
    name = named[1] if named else path.stem
    config = (head.get("configs") or {}).get(name) or {}
    raml = raml_of(config)
    chance = read_number(raml.get("chance"))
    task = TaskFacts(
        name=name,
        version=str((head.get("versions") or {}).get(name, "")),
        sampling=_sampling(_arguments(first, where)[1]),
        grader=raml.get("grader"),
        domain=raml.get("domain"),
        chance=chance,
        dataset=str(config.get("dataset_path") or ""),
        config=config.get("dataset_name"),
        split=str(config.get("test_split") or ""),
    )
    return _Log(path, task, head.get("model_name"), config, _filters_of(config) if config else None)


def _filters_of(config: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    pipelines = config.get("filter_list") or [{"filter": [{"function": "take_first"}]}]
    return tuple(tuple(str(step.get("function")) for step in pipeline.get("filter") or []) for pipeline in pipelines)


def _arguments(line: Mapping[str, Any], where: str) -> tuple[Any, Mapping[str, Any]]:
    """The prompt and the generation arguments of a line. SourceError if continuations were scored and no text was drawn."""
    requests = list(as_object(line["arguments"], where).values())
    prompt, settings = (requests[0].get("arg_0"), requests[0].get("arg_1")) if requests else (None, None)
    if len(requests) != 1 or not isinstance(settings, Mapping):
        raise SourceError(
            f"{where} holds {len(requests)} scored continuations (multiple_choice or loglikelihood), wanted one drawn text: no "
            f"answer was written, so there is none to grade. Import tasks with output_type generate_until."
        )
    return prompt, settings


def _sampling(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The sampling settings. lm-eval is greedy by default; do_sample without a temperature leaves it to the checkpoint."""
    sampling = read_sampling(settings, "max_gen_toks")
    if settings.get("do_sample") is False:
        return sampling | {"temperature": 0.0}
    return sampling if settings.get("do_sample") else {"temperature": 0.0} | sampling


def _read_log(log: _Log) -> Iterator[ImportedSample]:
    """The samples in the lines of the first filter, with the verdicts of all filters."""
    several = log.filters is None or len(log.filters) > 1
    verdicts = _collect_verdicts(log) if several else {}
    chosen: str | None = None
    for where, line in read_lines(log.path):
        filtered_by = str(line.get("filter", "none"))
        chosen = filtered_by if chosen is None else chosen
        if filtered_by == chosen:
            doc_id = take(line, "doc_id", where, HARNESS)
            yield from _read_samples(log, line, where, verdicts.get(doc_id) if several else _verdict(line))


def _collect_verdicts(log: _Log) -> dict[Any, dict[str, float]]:
    verdicts: dict[Any, dict[str, float]] = {}
    for where, line in read_lines(log.path):
        verdicts.setdefault(take(line, "doc_id", where, HARNESS), {}).update(_verdict(line))
    return verdicts


def _verdict(line: Mapping[str, Any]) -> dict[str, float]:
    suffix = "" if line.get("filter", "none") == "none" else f",{line['filter']}"
    numbers = {str(metric): read_number(line.get(metric)) for metric in line.get("metrics") or []}
    return {f"{metric}{suffix}": number for metric, number in numbers.items() if number is not None}


def _read_samples(
    log: _Log, line: Mapping[str, Any], where: str, verdict: Mapping[str, float] | None
) -> Iterator[ImportedSample]:
    doc, resps = take(line, "doc", where, HARNESS), take(line, "resps", where, HARNESS)
    prompt, _ = _arguments(line, where)
    texts = resps[0] if isinstance(resps, list) and len(resps) == 1 else None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise SourceError(f"{where} has resps of another shape, wanted one list of texts. Import generate_until tasks only.")
    content = doc if isinstance(doc, Mapping) else {"doc": doc}
    of_first = len(texts) == 1 or (log.filters is not None and all(map(_looks_at_first, log.filters)))
    build = partial(
        ImportedSample,
        task=log.task,
        question_id=identify(line["doc_id"], content),
        messages=_messages(prompt),
        targets=as_texts(take(line, "target", where, HARNESS)),
        model=log.model,
        options=_options(log.config, content),
        synthetic=is_synthetic(content),
    )
    for index, text in enumerate(texts):
        yield build(index=index, text=text, verdict=dict(verdict or {}) if of_first and index == 0 else {})


def _looks_at_first(pipeline: tuple[str, ...]) -> bool:
    return pipeline[-1:] == ("take_first",) and _SINGLE.issuperset(pipeline)


def _messages(prompt: Any) -> tuple[Message, ...]:
    """The prompt as it was sent: a rendered text, or the messages of a chat interface, which are logged as JSON text."""
    text = prompt[0] if isinstance(prompt, list) and len(prompt) == 1 else prompt
    if isinstance(prompt, list) and isinstance(text, str):
        try:
            return as_messages(json.loads(text))
        except (ValueError, RecursionError):  # a prompt that begins as JSON does
            pass
    return as_messages(text)


def _options(config: Mapping[str, Any], doc: Mapping[str, Any]) -> tuple[str, ...]:
    """The texts of a choice, if the task file names them or a column has that name."""
    named = raml_of(config).get("options")
    found = named if isinstance(named, list) else doc.get(str(named or "options")) or doc.get("choices")
    texts = found.get("text") if isinstance(found, Mapping) else found
    return as_options(texts) if isinstance(texts, list) else ()
