"""Results as JSON of the schema every_eval_ever 0.3 (evaleval.github.io/every_eval_ever), a file for each benchmark.

The schema wants text in every free field and finite numbers, so that what cannot be given is left out.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.errors import ConfigError, writing
from raml_eval.exporting.dataset import Passing
from raml_eval.exporting.every_eval_ever_samples import write_samples
from raml_eval.exporting.model_card import dataset_commit, hub_dataset
from raml_eval.exporting.public import ended, model_name, public_settings
from raml_eval.exporting.shared import Number, Shared, describe_budget
from raml_eval.redaction import without_secrets
from raml_eval.types import TaskDescription

SCHEMA = "0.3.0"
RELATIONSHIPS = ("first_party", "third_party", "collaborative", "other")
AVAILABILITY = ("open_weights", "closed_weights", "unknown")
_IDS = {"avg@n": "accuracy", "pass@k": "pass_at_k", "maj@k": "maj_at_k"}
_MODEL_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")


@dataclass(frozen=True, slots=True)
class Source:
    """Who evaluated, which a run does not know. relationship is that between the evaluator and the model."""

    organization: str = "unknown"
    relationship: str = "other"
    availability: str = "unknown"
    model_id: str = ""
    retrieved: int | None = None  # seconds since 1970; now if None


def write_every_eval_ever(shared: Shared, out: Path, source: Source, passing: Passing | None = None) -> list[Path]:
    """For each task, the file out/data/TASK/DEVELOPER/MODEL/UUID.json. The same run writes the same names again.

    With passing, the samples of each task whose rows may be passed on stand beside it, in UUID_samples.jsonl.

    Raises ConfigError for a source that the schema does not know, InputError if a file cannot be written.
    """
    _check(source)
    retrieved = str(int(time.time()) if source.retrieved is None else source.retrieved)
    model_id = source.model_id or _guess_id(model_name(shared.run))
    paths = []
    for task in shared.run.tasks:
        record = _build_record(shared, task, source, model_id, retrieved)
        if not record["evaluation_results"]:
            continue
        place = "/".join(["data", _part(task), *map(_part, model_id.split("/")), str(_stable_id(shared, task))])
        path, samples = out / f"{place}.json", out / f"{place}_samples.jsonl"
        if passing is not None and task not in passing.withheld(shared.run):
            told = write_samples(shared.run, task, record, samples, f"{place}_samples.jsonl")
            record["detailed_evaluation_results"] = told
        else:
            with writing(path):
                samples.unlink(missing_ok=True)  # of an earlier export, which the record would not name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
        paths.append(path)
    return paths


def _check(source: Source) -> None:
    for option, value, known in (
        ("--relationship", source.relationship, RELATIONSHIPS),
        ("--availability", source.availability, AVAILABILITY),
    ):
        if value not in known:
            raise ConfigError(f"{option} is {value!r}; wanted one of {', '.join(known)}.")
    if source.model_id and not _MODEL_ID.fullmatch(source.model_id):
        raise ConfigError(f"--model-id is {source.model_id!r}; wanted OWNER/NAME, such as Qwen/Qwen3-0.6B.")


def _guess_id(name: str) -> str:
    return name if _MODEL_ID.fullmatch(name) else f"unknown/{_part(name)}"


def _part(name: str) -> str:
    """The name as one part of a path."""
    return re.sub(r"[^\w.@+-]+", "-", name).strip(".-") or "unnamed"


def _stable_id(shared: Shared, task: str) -> uuid.UUID:
    """A UUID of version 4 in form, which depends on the run and the task alone, so that a second export replaces the first."""
    manifest = shared.run.manifest
    facts = [shared.run.name, manifest.get("created"), manifest.get("protocol_digest"), task]
    return uuid.UUID(bytes=hashlib.sha256(json.dumps(facts).encode()).digest()[:16], version=4)


def _build_record(shared: Shared, task: str, source: Source, model_id: str, retrieved: str) -> dict[str, Any]:
    run, data = shared.run, _source_data(shared, task)
    numbers = [n for n in shared.given() if n.task == task and n.metric != "chance"]
    engine = run.manifest.get("engine", {})
    settings = public_settings(run)
    return {
        "schema_version": SCHEMA,
        "evaluation_id": f"{task}/{model_id}/{retrieved}",
        "evaluation_timestamp": ended(run),
        "retrieved_timestamp": retrieved,
        "source_metadata": {
            "source_name": "raml-eval",
            "source_type": "evaluation_run",
            "source_organization_name": source.organization,
            "evaluator_relationship": source.relationship,
            "additional_details": _texts({"run": run.name, "notes": " | ".join(shared.notes)}),
        },
        "eval_library": {
            "name": "raml-eval",
            "version": str(run.manifest.get("versions", {}).get("raml-eval", "unknown")),
            "additional_details": _texts({"grader": ", ".join(run.grader_versions)}),
        },
        "model_info": {
            "name": model_name(run),
            "id": model_id,
            "developer": model_id.partition("/")[0],
            "inference_engine": _texts({"name": engine.get("name"), "version": engine.get("version")}),
            "additional_details": {
                **_texts({k: v for k, v in settings.items() if k.startswith(("model.", "checkpoint.", "engine."))}),
                "deployment_type": "unknown" if run.imported else "self_deployed",
                "model_availability": source.availability,
            },
        },
        "evaluation_results": [_result(shared, number, data, settings) for number in numbers],
    }


def _source_data(shared: Shared, task: str) -> dict[str, Any]:
    about = shared.run.tasks[task]
    entry = shared.run.manifest["tasks"].get(task, {})
    ids = [question for of, question in shared.run.questions if of == task]
    details = {
        "config": about.config,
        "revision": dataset_commit(shared, task) or about.revision,
        "licence": about.licence,
        "source": about.source,
        "content_hash": entry.get("content_hash"),
        "task_version": about.version,
        "chance": about.chance,
        # The ids carry a hash of their rows; the list itself would stand in the file once for each number.
        "question_ids_sha256": hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest(),
    }
    dataset = hub_dataset(about)
    if dataset is None:
        return {
            "dataset_name": task,
            "source_type": "other",
            "additional_details": _texts({**details, **_own_data(about, ids)}),
        }
    return {
        "dataset_name": task,
        "source_type": "hf_dataset",
        "hf_repo": dataset,
        **({"hf_split": about.split} if about.split else {}),
        "samples_number": len(ids),
        "additional_details": _texts(details),
    }


def _own_data(about: TaskDescription, ids: list[str]) -> dict[str, Any]:
    return {"dataset": about.dataset, "split": about.split, "n_questions": len(ids)}


def _result(shared: Shared, number: Number, data: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    parameters = {"k": number.k, "tau": number.tau, "n_samples": number.n_samples, "thinking_budget": number.budget}
    score: dict[str, Any] = {
        "score": number.value,
        "details": _texts({"domain": number.domain, "interval": number.method, "notes": " | ".join(number.notes)}),
    }
    uncertainty: dict[str, Any] = {"num_samples": number.n_questions}
    if number.low is not None and number.high is not None:
        told = {"lower": number.low, "upper": number.high, "confidence_level": 0.95, "method": number.method}
        uncertainty["confidence_interval"] = told
    return {
        "evaluation_result_id": number.key,
        "evaluation_name": number.task,
        "source_data": dict(data),
        "evaluation_timestamp": ended(shared.run),
        "metric_config": {
            "evaluation_description": f"{number.name} with {describe_budget(number.budget)}",
            "metric_id": _IDS.get(number.metric, "raml_eval." + number.metric.replace("@k", "_at_k")),
            "metric_name": number.name,
            "metric_kind": _kind(number),
            "metric_unit": number.unit,
            "metric_parameters": {key: value for key, value in parameters.items() if value is not None},
            "lower_is_better": number.lower_is_better,
            "score_type": "continuous",
            "min_score": 0.0,
            "max_score": 1.0 if number.unit == "proportion" else "Infinity",
        },
        "score_details": {**score, "uncertainty": uncertainty},
        "generation_config": _generation(number, settings),
    }


def _kind(number: Number) -> str:
    if number.unit == "tokens":
        return "tokens"
    return "accuracy" if number.metric == "avg@n" else "pass_rate" if number.k else "rate"


def _generation(number: Number, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The sampling as the schema names it; everything else of the protocol as text."""
    named = {name: settings.get(f"sampling.{name}") for name in ("temperature", "top_p", "top_k")}
    args = {name: value for name, value in named.items() if isinstance(value, int | float)}
    rest = ("sampling.", "thinking.", "prompt.", "answer_tokens", "max_total_tokens", "protocol_digest", "limit", "samples")
    details = {key: value for key, value in settings.items() if key.startswith(rest)}
    reasoning = number.budget not in ("off", "0")
    return {
        "generation_args": {**args, "reasoning": reasoning},
        "additional_details": _texts({**details, "thinking_budget": number.budget}),
    }


def _texts(facts: Mapping[str, Any]) -> dict[str, str]:
    """The facts as text, without those that are not known."""
    return {
        key: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in without_secrets(facts).items()
        if value not in (None, "", [], {})
    }
