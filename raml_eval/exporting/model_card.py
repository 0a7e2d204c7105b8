"""Results for the page of a model on the hub: .eval_results/*.yaml, and the model-index of a README.

Formats: huggingface.co/docs/hub/eval-results and /model-cards; both are written and read back by huggingface_hub itself.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import yaml

from raml_eval.errors import ConfigError, InputError, writing
from raml_eval.exporting.public import ended, model_name, public_settings
from raml_eval.exporting.shared import Number, Shared, describe_budget
from raml_eval.redaction import without_secrets
from raml_eval.types import TaskDescription

_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_FILES = (".jsonl", ".json", ".csv", ".tsv", ".parquet", ".yaml", ".txt", ".zip")
_NO_METADATA = "---\n{}\n---\n"
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class CardSettings:
    """What the run does not know: the task ids of the benchmarks on the hub, the model's id, and where the samples are.

    task_ids maps our task to the task_id of its data set's eval.yaml; our name is taken where there is none. If percent is
    true, shares are written as percentages.
    """

    task_ids: Mapping[str, str] = field(default_factory=dict)
    model_id: str = ""
    source_url: str | None = None
    source_name: str | None = None
    percent: bool = False


def hub_dataset(task: TaskDescription) -> str | None:
    """The data set's id on the hub; None if the task's data is a file, generated, or not known."""
    name = task.dataset
    return name if _HUB_ID.fullmatch(name) and not name.lower().endswith(_FILES) else None


def dataset_commit(shared: Shared, task: str) -> str | None:
    """The commit of the hub's data set that the task was loaded from, None if the run does not know it."""
    entry = shared.run.manifest["tasks"].get(task, {})
    known = (entry.get("commit"), shared.run.tasks[task].revision)
    return next((str(one) for one in known if one and _COMMIT.fullmatch(str(one))), None)


def write_eval_results(shared: Shared, numbers: Sequence[Number], out: Path, settings: CardSettings) -> list[Path]:
    """The files of .eval_results, one for each number, because the hub wants variants of one benchmark in files of their own.

    If out ends in .yaml, all go into that one file. Tasks whose data is not on the hub are left out, since an entry names a
    data set of the hub. Raises InputError if none is left, or if what was written does not read back equal.
    """
    from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml, parse_eval_result_entries

    entries: dict[str, EvalResultEntry] = {}
    for number in numbers:
        if (entry := _entry(shared, number, settings)) is not None:
            entries[_file_name(number, entries)] = EvalResultEntry(**entry)
    if not entries:
        names = ", ".join(dict.fromkeys(number.task for number in numbers)) or "none"
        raise InputError(
            f"no task of run {shared.run.name} has its data on the hub (tasks with a number: {names}), and .eval_results names "
            f"data sets of the hub. Give --out README.md, whose model-index may name any data."
        )
    single = out.suffix in (".yaml", ".yml")
    files = {out: list(entries.values())} if single else {out / ".eval_results" / f: [e] for f, e in entries.items()}
    for path, of_file in files.items():
        _write(path, yaml.safe_dump(eval_result_entries_to_yaml(of_file), sort_keys=False, allow_unicode=True, width=1000))
        read = parse_eval_result_entries(yaml.safe_load(path.read_text(encoding="utf-8")))
        if read != of_file:
            raise InputError(f"{path} reads back as {read!r:.200}, wanted {of_file!r:.200}. Report it with the run's manifest.")
    return list(files)


def left_out(shared: Shared, numbers: Sequence[Number]) -> list[str]:
    """The tasks that .eval_results cannot name, because their data is not on the hub."""
    return [task for task in dict.fromkeys(n.task for n in numbers) if hub_dataset(shared.run.tasks[task]) is None]


def _entry(shared: Shared, number: Number, settings: CardSettings) -> dict[str, Any] | None:
    dataset = hub_dataset(shared.run.tasks[number.task])
    if dataset is None:
        return None
    return {
        "dataset_id": dataset,
        "task_id": settings.task_ids.get(number.task, number.task),
        "value": _value(number, number.value, settings),
        "dataset_revision": dataset_commit(shared, number.task),
        "date": ended(shared.run) or None,
        "source_url": settings.source_url,
        "source_name": settings.source_name,
        "notes": _notes(shared, number, settings),
    }


def _value(number: Number, value: float | None, settings: CardSettings) -> float | None:
    return value if value is None or number.unit != "proportion" or not settings.percent else 100 * value


def _notes(shared: Shared, number: Number, settings: CardSettings) -> str:
    """What a reader of the value must know, in one line: metric, budget, interval, size, grader and every caveat."""
    low, high = (_value(number, end, settings) for end in (number.low, number.high))
    unit = "%" if settings.percent and number.unit == "proportion" else number.unit
    parts = [
        f"{number.name} ({unit})",
        describe_budget(number.budget),
        "no interval" if low is None or high is None else f"95 % interval {low:.6g} to {high:.6g}",
        f"{number.n_questions} questions, {number.n_samples} samples each",
        f"raml-eval {shared.run.manifest.get('versions', {}).get('raml-eval', 'of unknown version')}",
        f"grader {' and '.join(shared.run.grader_versions) or 'unknown'}",
        *number.notes,
    ]
    return " ".join(str(without_secrets("; ".join(parts))).split())


def _file_name(number: Number, taken: Container[str]) -> str:
    """A name for the number's file, which no other has: the tasks a/b and a-b come to one name."""
    name = re.sub(r"[^\w.@+-]", "-", f"{number.task}_{number.budget}_{number.name}")
    names = (f"{name}{'' if again == 1 else f'-{again}'}.yaml" for again in count(1))
    return next(name for name in names if name not in taken)


def write_model_index(shared: Shared, numbers: Sequence[Number], path: Path, settings: CardSettings) -> Path:
    """The README at path holds the numbers in the model-index of its metadata. A README that is there keeps everything else.

    A result with the same data, metric and arguments is replaced. Raises InputError for a README whose metadata cannot be
    read, or if what was written does not read back equal.
    """
    from huggingface_hub import EvalResult, ModelCard

    new = [EvalResult(**_result(shared, number, settings)) for number in numbers]
    try:
        card = ModelCard(_with_metadata(path, settings.model_id or model_name(shared.run)))
    except (ValueError, OSError) as error:
        why = str(error).strip().partition("\n")[0]
        raise InputError(
            f"{path} is no model card that can be read ({why}). Repair its metadata, or name another --out."
        ) from error
    about: Any = card.data
    kept = [old for old in about.eval_results or [] if not any(_same_place(old, one) for one in new)]
    about.model_name = about.model_name or settings.model_id or model_name(shared.run)
    about.eval_results = [*kept, *new]
    _write(path, str(card))
    read = getattr(ModelCard.load(path, repo_type="model").data, "eval_results", None)
    if sorted(map(repr, read or [])) != sorted(map(repr, about.eval_results)):
        raise InputError(
            f"the model-index of {path} reads back with other results than were written. Report it with the README."
        )
    return path


def _with_metadata(path: Path, title: str) -> str:
    """The README's text, or a new one of this title. One without metadata gets an empty block, lest the hub's library warns."""
    from huggingface_hub.repocard import REGEX_YAML_BLOCK

    if not path.exists():
        return f"{_NO_METADATA}\n# {title}\n"
    with path.open(encoding="utf-8", newline="") as file:  # line breaks stay what they are
        text = file.read()
    return text if REGEX_YAML_BLOCK.search(text) else f"{_NO_METADATA}\n{text}"


def _same_place(old: Any, new: Any) -> bool:
    """True if the two are results of one metric on one task, whatever the values and the revision of the data."""
    return all(
        getattr(old, name) == getattr(new, name)
        for name in ("task_type", "dataset_type", "dataset_config", "dataset_split", "metric_type", "metric_name")
    )


def _result(shared: Shared, number: Number, settings: CardSettings) -> dict[str, Any]:
    """The fields of EvalResult. The names of data and task hold for all results of one data set, so ours is in the metric's."""
    task = shared.run.tasks[number.task]
    dataset = hub_dataset(task) or number.task
    revision = dataset_commit(shared, number.task)
    protocol = {k: v for k, v in public_settings(shared.run).items() if k.startswith("sampling.")}
    args = {
        "task": number.task,
        "thinking_budget": number.budget,
        "k": number.k,
        "tau": number.tau,
        "n_samples": number.n_samples,
        "n_questions": number.n_questions,
        "low": _value(number, number.low, settings),
        "high": _value(number, number.high, settings),
        "level": 0.95,
        "interval": number.method,
        "date": ended(shared.run),
        "notes": list(number.notes),
        **protocol,
    }
    return {
        "task_type": "text-generation",
        "task_name": "Text Generation",
        "dataset_type": dataset,
        "dataset_name": dataset,
        "dataset_config": task.config,
        "dataset_split": task.split or None,
        "dataset_revision": revision,
        "metric_type": "accuracy" if number.metric == "avg@n" else number.name,
        "metric_name": f"{number.task}: {number.name}, {describe_budget(number.budget)}",
        "metric_value": _value(number, number.value, settings),
        "metric_args": {key: value for key, value in args.items() if value not in (None, [])},
        "source_url": settings.source_url,
        "source_name": settings.source_name if settings.source_url else None,
    }


def check_settings(settings: CardSettings, tasks: Sequence[str]) -> None:
    """Raises ConfigError for a task id of a task that the run does not have, and for a source without an address."""
    if unknown := [task for task in settings.task_ids if task not in tasks]:
        raise ConfigError(f"--task-id names {unknown[0]!r}, which the run does not have. It has {', '.join(tasks)}.")
    if settings.source_name and not settings.source_url:
        raise ConfigError(f"--source-name is {settings.source_name!r} without --source-url, which it names. Give both.")
    if settings.source_url and not re.match(r"https?://", settings.source_url):
        raise ConfigError(
            f"--source-url is {settings.source_url!r}; wanted an address such as https://huggingface.co/datasets/a/b."
        )


def _write(path: Path, text: str) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
