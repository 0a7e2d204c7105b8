"""The configuration of a run: YAML, presets and flags are merged into one checked RunConfig."""

from __future__ import annotations

import datetime
import difflib
import os
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from raml_eval.budgets import parse_budgets
from raml_eval.errors import ConfigError, near_names
from raml_eval.model_faults import show_value, wanted
from raml_eval.shards import Shard, parse_shard, read_shard, shard_folder
from raml_eval.window import is_date
from raml_eval.yaml_text import read_yaml


def _split(value: Any) -> Any:
    """A comma-separated list, or a single value, as a list: YAML, flags and --set may use either."""
    if isinstance(value, str):
        return [_scalar(word.strip()) for word in value.split(",")]
    return value if isinstance(value, list | tuple) else [value]


def _scalar(word: str) -> Any:
    return int(word) if word.isascii() and word.isdigit() else word


def _budgets(value: Any) -> Any:
    try:
        return tuple(parse_budgets(value))
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _names(value: Any) -> Any:
    return [word.strip() for word in value.split(",")] if isinstance(value, str) else value


def _flat_names(value: Any) -> Any:
    """Names by comma, in a text or in each text of a list, as a repeated flag gives them."""
    words = [value] if isinstance(value, str) else value
    return [name for word in words for name in _names(word)] if isinstance(words, list | tuple) else value


def _date(value: Any) -> Any:
    text = str(value)  # YAML reads a bare 2025-06-15 as a date
    if text and not is_date(text):
        raise ValueError("wanted a day or a month, such as 2025-06-15 or 2025-06")
    return text


def _place(value: Any) -> Any:
    if value == "":
        raise ValueError("it is empty; wanted a path, or . for the current directory")
    return value


def _shard(value: Any) -> Any:
    try:
        return None if value is None else str(parse_shard(str(value), os.environ))
    except ConfigError as error:
        raise ValueError(str(error)) from None


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Sampling(_Section):
    """How tokens are drawn. temperature 0 is greedy; top_p 1, top_k 0, min_p 0 and repetition_penalty 1 turn a filter off.

    With source model, the fields that are not given are those of the checkpoint's generation_config.json.
    """

    source: Literal["default", "model"] = "default"
    temperature: float = Field(0.6, ge=0)
    top_p: float = Field(0.95, gt=0, le=1)
    top_k: int = Field(0, ge=0)
    min_p: float = Field(0.0, ge=0, le=1)
    repetition_penalty: float = Field(1.0, gt=0)


class ThinkingSection(_Section):
    """The thinking budgets, what is written if one binds, and how the model is made to think longer.

    budgets are those of raml_eval.budgets. closing names one of the format's closings or of those that fit any format
    (thinking_formats.CLOSINGS), or is a record of one; closing_text alone replaces the text before the delimiter. format is
    the name of a thinking format, a YAML file, or a record; if it is None, the format is detected. effort is a value of the
    format's effort variable, for every budget of the run. With cut newline, a budget is cut at the end of its line, at most
    grace tokens later. An end of thinking is withheld, and continuation is written in its place, until min_tokens are
    reached, or the first `extensions` times. With capped_by engine, vLLM's own budget is used.
    """

    budgets: Annotated[tuple[int | str, ...], BeforeValidator(_budgets), Field(min_length=1)] = ("unlimited",)
    closing: str | dict[str, Any] | None = None
    closing_text: str | None = None
    format: str | dict[str, Any] | None = None
    effort: str | None = None
    cut: Literal["exact", "newline"] = "exact"
    grace: int = Field(500, ge=1)
    min_tokens: int = Field(0, ge=0)
    extensions: int = Field(0, ge=0)
    continuation: str = Field("Wait", min_length=1)
    capped_by: Literal["harness", "engine"] = "harness"


class Grading(_Section):
    """The number of grading processes, and the limits in wall-clock seconds of one comparison and of one test of a program.

    If no sandbox works, allow_unsafe_code runs programs unprotected; without it, code tasks are then refused.
    """

    workers: int = Field(1, ge=1)
    timeout_s: float = Field(5.0, gt=0)
    test_timeout_s: float = Field(10.0, gt=0)
    allow_unsafe_code: bool = False


class RunConfig(_Section):
    """Everything that decides a run. Unknown keys are refused.

    adapter is the folder of a LoRA adapter, which is merged into the model. With prompt plain, questions are asked as text,
    without a chat template. prompt_date is the date that a chat template prints. trust_tasks lets the Python that tasks in
    task_path name be run. samples is n, the draws per question. k lists the k of pass@k and related metrics; an empty list
    means k = n. limit selects a seeded subset of each task, and shard a part of the questions for one machine of several.
    base_url holds the addresses of completion servers, and api_key_env names the environment variable with their key. after
    and before keep the questions whose dates lie between them. If concurrency is None, the backend's default is used.
    """

    model: str
    revision: str | None = None
    adapter: Annotated[Path | None, BeforeValidator(_place)] = None
    backend: str = "vllm"
    backend_args: dict[str, Any] = {}
    base_url: Annotated[tuple[str, ...], BeforeValidator(_flat_names)] = ()
    api_key_env: str | None = None
    tasks: Annotated[tuple[str, ...], BeforeValidator(_names), Field(min_length=1)]
    task_path: tuple[Path, ...] = ()
    trust_tasks: bool = False
    data_dir: Path | None = None
    samples: int = Field(1, ge=1)
    k: Annotated[tuple[Annotated[int, Field(ge=1)], ...], BeforeValidator(_split)] = ()
    limit: int | None = Field(None, ge=1)
    shard: Annotated[str | None, BeforeValidator(_shard)] = None
    after: Annotated[str, BeforeValidator(_date)] = ""
    before: Annotated[str, BeforeValidator(_date)] = ""
    seed: int = Field(0, ge=0)
    thinking: ThinkingSection = ThinkingSection()
    answer_tokens: int = Field(2048, ge=1)
    max_total_tokens: int | None = Field(None, ge=1)
    sampling: Sampling = Sampling()
    system_prompt: str | None = None
    prompt: Literal["chat", "plain"] = "chat"
    prompt_date: datetime.date | None = None
    concurrency: int | None = Field(None, ge=1)
    grading: Grading = Grading()
    out: Annotated[Path | None, BeforeValidator(_place)] = None
    name: str | None = None


def shard_of(config: RunConfig) -> Shard | None:
    """The part of the questions that the configuration asks for; None for all of them."""
    return read_shard(config.shard) if config.shard else None


def in_shard_folder(config: RunConfig) -> RunConfig:
    """The configuration whose out is the run directory of its shard. Without a shard, and a second time, nothing changes."""
    shard = shard_of(config)
    return config if shard is None or config.out is None else config.model_copy(update={"out": shard_folder(config.out, shard)})


def preset_names() -> list[str]:
    """The names of the presets that ship with the package, sorted."""
    folder = resources.files("raml_eval") / "presets"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_preset(name: str) -> dict[str, Any]:
    """The settings of a preset, not yet checked. Raises ConfigError for an unknown name."""
    if name not in preset_names():
        raise ConfigError(f"unknown preset {name!r}.{near_names(name, preset_names())} Presets: {', '.join(preset_names())}.")
    text = (resources.files("raml_eval") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


def load_yaml(path: Path) -> dict[str, Any]:
    """The settings of a YAML file, not yet checked. Raises ConfigError if it cannot be read or does not hold a mapping."""
    try:
        settings = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}. Name a YAML file with a run configuration.") from error
    except ValueError as error:
        raise ConfigError(f"{path} is not YAML: {error}. Correct it there.") from error
    if not isinstance(settings, dict):
        raise ConfigError(f"{path} holds {type(settings).__name__}, wanted keys and values such as `model: PATH`.")
    return settings


def parse_set(assignment: str, flag: str = "--set") -> dict[str, Any]:
    """The nested settings of one `a.b=value`. The value is read as YAML. Raises ConfigError for any other form.

    Example: parse_set("sampling.top_k=20") == {"sampling": {"top_k": 20}}
    """
    path, equals, text = assignment.partition("=")
    if not equals or not all(path.split(".")):
        raise ConfigError(f"{flag} {assignment!r} is not an assignment; wanted KEY=VALUE, as in sampling.temperature=0.8.")
    try:
        value: Any = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{flag} {assignment!r}: {text!r} is not a YAML value. Quote it.") from error
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def merge(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Nested settings, with later layers taking precedence over earlier ones.

    Example: merge([{"a": {"x": 1, "y": 2}}, {"a": {"y": 3}}]) == {"a": {"x": 1, "y": 3}}
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        for key, given in layer.items():
            under = merged.get(key)
            value = {"source": given} if key == "sampling" and isinstance(given, str) else given
            both = isinstance(under, Mapping) and isinstance(value, Mapping)
            merged[key] = merge([under, value]) if both else value  # type: ignore[list-item]
    return merged


def build_config(layers: Iterable[Mapping[str, Any]]) -> RunConfig:
    """The checked configuration of the merged settings. Raises ConfigError, which names each wrong key in one line."""
    try:
        return RunConfig.model_validate(merge(layers))
    except ValidationError as error:
        problems = "; ".join(dict.fromkeys(_problem(detail) for detail in error.errors()))
        start = "" if all(_tells_itself(detail) for detail in error.errors()) else "configuration: "
        raise ConfigError(f"{start}{problems}.") from None


def _problem(detail: Any) -> str:
    place = [str(part) for part in detail["loc"]]
    key = ".".join(place)
    if detail["type"] == "extra_forbidden":
        return f"unknown key {key};{_near_keys(place[-1])} docs/configuration.md lists all"
    if detail["type"] == "missing":
        return f"{key} is not given; pass --{key.replace('_', '-')} or put it into the YAML"
    if _tells_itself(detail):
        return str(detail["ctx"]["error"]).rstrip(".")
    if detail["type"] == "value_error":
        return f"{key} is {show_value(detail['input'])}: {str(detail['ctx']['error']).rstrip('.')}"
    return f"{key} is {show_value(detail['input'])}, wanted {wanted(detail, RunConfig)}"


def _tells_itself(detail: Any) -> bool:
    """True if the problem's own text names the setting, as a flag does."""
    place = [str(part) for part in detail["loc"]]
    return detail["type"] == "value_error" and (place[:2] == ["thinking", "budgets"] or place == ["shard"])


def _near_keys(name: str) -> str:
    """A suggestion of dotted keys whose last part, or whose flag, resembles the name; empty if there are none."""
    keys = {key.rpartition(".")[2]: key for key in setting_keys()} | _NESTED
    close = dict.fromkeys(keys[near] for near in difflib.get_close_matches(name, list(keys), n=3, cutoff=0.6))
    return f" did you mean {', '.join(close)}?" if close else ""


def setting_keys(section: type[BaseModel] = RunConfig, prefix: str = "") -> list[str]:
    """Every key of a configuration; nested keys have dots, as in "sampling.top_k"."""
    keys = []
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys += setting_keys(kind, f"{prefix}{name}.")
        else:
            keys.append(f"{prefix}{name}")
    return keys


# Flags and keyword arguments that set a nested key. Every other field of RunConfig has a flag of its own name.
_NESTED = {
    "thinking_budget": "thinking.budgets",
    "closing": "thinking.closing",
    "closing_text": "thinking.closing_text",
    "thinking_format": "thinking.format",
    "effort": "thinking.effort",
    "cut": "thinking.cut",
    "grace": "thinking.grace",
    "min_thinking_tokens": "thinking.min_tokens",
    "extensions": "thinking.extensions",
    "continuation": "thinking.continuation",
    "capped_by": "thinking.capped_by",
    "temperature": "sampling.temperature",
    "top_p": "sampling.top_p",
    "top_k": "sampling.top_k",
    "min_p": "sampling.min_p",
    "repetition_penalty": "sampling.repetition_penalty",
    "allow_unsafe_code": "grading.allow_unsafe_code",
}
FLAGS = frozenset(_NESTED) | frozenset(RunConfig.model_fields)


def flags_layer(**flags: Any) -> dict[str, Any]:
    """Flags and keyword arguments as one layer of settings. Raises ConfigError for an unknown name.

    Example: flags_layer(temperature=0.0, seed=1) == {"sampling": {"temperature": 0.0}, "seed": 1}
    """
    layers = []
    for name, value in flags.items():
        setting = value
        for key in reversed(_NESTED.get(name, name).split(".")):
            setting = {key: setting}
        layers.append(setting)
    return merge(layers)


def parse_backend_args(assignments: Iterable[str]) -> dict[str, Any]:
    """The engine's arguments from words of the form key=value. The values are read as YAML.

    Example: parse_backend_args(["dtype=float32", "max_num_seqs=64"]) == {"dtype": "float32", "max_num_seqs": 64}
    """
    return merge(parse_set(assignment, "--backend-arg") for assignment in assignments)
