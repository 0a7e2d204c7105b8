"""Expands one command into the runs of many checkpoints: models by any other settings, each with a directory of its own.

models        a list, or the checkpoints below a folder in the order of their steps
matrix:       in a run.yaml: settings with several values each, such as tasks, thinking.budgets or sampling
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.checkpoint import Checkpoint, is_adapter_folder, step_of_path
from raml_eval.config import RunConfig, build_config, merge, setting_keys
from raml_eval.errors import ConfigError, ModelError, near_names
from raml_eval.manifest import flatten
from raml_eval.servers import check_models
from raml_eval.wording import list_some

MODELS = ("model", "adapter", "checkpoints", "steps")  # the keys of a matrix that stand for its models
_OWN = ("out", "name")  # what every run has of its own
_DEPTH = 2  # a trainer may keep the model below the step's folder, as in global_step_500/actor/huggingface
_NO_STEP = re.compile(r"\d+(\.\d+)?e[-+]?\d+|\d+\.\d+", re.IGNORECASE)
# Trainers write to tmp-checkpoint-500 or .checkpoint-500 first, and rename it.
_UNFINISHED = re.compile(r"[._~]|(tmp|temp)([-_.]|$)|.*[-_.](tmp|temp|partial|incomplete)$", re.IGNORECASE)
_SAFE = re.compile(r"[^A-Za-z0-9._+=,-]+")


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a matrix: the name of its directory, and its configuration."""

    name: str
    config: RunConfig


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of an axis, as settings, with the label that directories are named after."""

    label: str
    settings: Mapping[str, Any]


def merge_layers(layers: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The layers as one, for is_matrix, expand and one_run; later ones take precedence.

    A layer that says which models are meant, in whatever way, replaces what earlier ones said, and one that gives a setting
    replaces the values that an earlier matrix gives it. Raises ConfigError for a setting that one layer gives twice, and for
    one of several that a matrix's values set together.
    """
    merged: dict[str, Any] = {}
    for layer in layers:
        matrix = layer.get("matrix")
        own = {key: value for key, value in layer.items() if key != "matrix" and (value is not None or key not in MODELS)}
        if isinstance(matrix, Mapping):
            own |= {key: matrix[key] for key in MODELS if key in matrix}
            own["matrix"] = {key: values for key, values in matrix.items() if key not in MODELS}
        elif matrix is not None:
            raise ConfigError(f"matrix is {matrix!r:.60}; wanted settings with their values, such as tasks: [gsm8k, math500].")
        if isinstance(matrix, Mapping):
            _check_apart(layer, matrix)
        merged["matrix"] = _left_axes(merged.get("matrix", {}), own)
        if "model" in own or "checkpoints" in own:
            merged = {key: value for key, value in merged.items() if key not in ("model", "checkpoints", "steps")}
        merged = merge([merged, own])
    return merged


def _check_apart(layer: Mapping[str, Any], matrix: Mapping[str, Any]) -> None:
    """Raises ConfigError if the layer gives a setting of its matrix beside the matrix, too."""
    given = flatten(merge([{key: value for key, value in layer.items() if key != "matrix"}]))
    for axis, values in matrix.items():
        if axis in _OWN:
            continue  # which _axis refuses
        keys = {axis} if axis in MODELS else _keys_set(axis, values)
        if twice := next((key for key in given if _meets(key, keys)), None):
            raise ConfigError(f"{twice} is given both by itself and in matrix, under {axis}. Leave one of the two out.")


def _left_axes(matrix: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The matrix without the axes that a later layer's settings replace."""
    given = set(flatten(merge([{key: value for key, value in own.items() if key != "matrix"}])))
    left = {}
    for axis, values in matrix.items():
        keys = _keys_set(axis, values)
        replaced = {key for key in keys if _meets(key, given)}
        if not replaced:
            left[axis] = values
        elif replaced != keys:
            raise ConfigError(
                f"{min(replaced)} is given, but the matrix gives it under {axis}, together with "
                f"{list_some(sorted(keys - replaced))}. Leave it out, give these too, or change the matrix."
            )
    return left


def _keys_set(axis: str, values: Any) -> set[str]:
    """The settings, with dotted keys, that the values of an axis set."""
    listed = values.values() if isinstance(values, Mapping) else _listed(values)
    return {key for value in listed for key in flatten(merge([_nested(axis, value)]))} or {axis}


def _meets(key: str, others: Collection[str]) -> bool:
    """True if the key is one of the others, lies below one, or above."""
    return any(key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.") for other in others)


def is_matrix(settings: Mapping[str, Any]) -> bool:
    """True if merged layers ask for several runs, or for a folder of checkpoints."""
    several = any(len(_listed(settings.get(key))) > 1 or isinstance(settings.get(key), Mapping) for key in ("model", "adapter"))
    return several or bool(settings.get("matrix")) or settings.get("checkpoints") is not None


def one_run(settings: Mapping[str, Any]) -> RunConfig:
    """The configuration of merged layers that ask for one run. ConfigError as build_config, and for steps without a folder."""
    if settings.get("steps") is not None:
        raise _lone_steps(settings["steps"])
    single = {key: value for key, value in settings.items() if key not in ("checkpoints", "steps", "matrix")}
    for key in ("model", "adapter"):
        if isinstance(single.get(key), list | tuple):
            single[key] = next(iter(single[key]), None)
    if single.get("adapter") is not None and single.get("model") is None:
        single["model"] = str(single.pop("adapter"))  # its adapter_config.json names the base
    return build_config([single])


def expand(settings: Mapping[str, Any]) -> list[Cell]:
    """The runs of merged layers that ask for several. The models change slowest.

    settings is what build_config takes, and besides: model and adapter may be lists, or mappings from names to values;
    checkpoints is a folder and steps a selection (parse_steps); matrix maps settings to their values, which are a list or such
    a mapping. Every run's directory is out and its name. Raises ConfigError for an unknown setting, for equal names, and for
    several models on one server.

    Example: [cell.name for cell in expand({"model": ["a/x", "b/y"], "tasks": "pocket", "out": "runs"})] == ["x", "y"]
    """
    common = {key: value for key, value in settings.items() if key not in (*MODELS, "matrix", "out")}
    if not settings.get("out"):
        raise ConfigError("out is not given, so there is nowhere to write the runs. Pass --out DIR.")
    axes = [_model_choices(settings), *(_axis(key, values) for key, values in settings.get("matrix", {}).items())]
    cells: dict[str, Cell] = {}
    for choices in itertools.product(*axes):
        name = "_".join(choice.label for choice in choices if choice.label)
        if name in cells:
            raise ConfigError(
                f"two runs would both be named {name!r}. Name their values, as in `sampling: {{greedy: {{temperature: 0}}}}`."
            )
        named = {"name": f"{common['name']}-{name}"} if common.get("name") else {}
        layers = [common, *(choice.settings for choice in choices), {"out": Path(settings["out"]) / name}, named]
        cells[name] = Cell(name, build_config(layers))
    check_models([cell.config for cell in cells.values()])
    return list(cells.values())


def find_checkpoints(folder: Path, steps: str | None = None) -> list[tuple[str, Path]]:
    """The checkpoints in a folder, each with the name of its subfolder, in the order of their steps.

    A checkpoint lies in a subfolder, or below it, and may be an adapter. Those without a step come last, by name. Subfolders
    that a trainer has not yet renamed, such as tmp-checkpoint-500, are left out.
    Raises ConfigError if there is none, or none of the steps; a step that is asked for one by one must be there.
    """
    if not folder.is_dir():
        raise ConfigError(
            f"--checkpoints {folder} is no folder. Give the folder that a training run writes its checkpoints to."
        )
    children = (child for child in folder.iterdir() if child.is_dir() and not is_unfinished(child.name))
    found = [(_step_of(child.name, model), child.name, model) for child in children for model in models_below(child)]
    found.sort(key=lambda one: (one[0] is None, one[0] or 0, one[1]))
    if not found:
        itself = models_below(folder, depth=0)
        hint = f" The folder itself is one: pass --model {folder}." if itself else " Give the folder above the checkpoints."
        raise ConfigError(
            f"--checkpoints {folder} has no subfolder that is a checkpoint: none has config.json or adapter_config.json.{hint}"
        )
    if steps is None:
        return [(name, model) for _, name, model in found]
    wanted = parse_steps(steps)
    kept = [(name, model) for step, name, model in found if step is not None and wanted.holds(step)]
    there = {step for step, _, _ in found if step is not None}
    lacking = sorted(wanted.single - there)
    if not kept or lacking:
        known = ", ".join(map(str, sorted(there)))
        what = f"has no step {lacking[0]}" if lacking else f"has none of the steps {steps}"
        raise ConfigError(f"--checkpoints {folder} {what}; there are {known or 'no steps'}. Choose among these.")
    return kept


@dataclass(frozen=True, slots=True)
class Steps:
    """A selection of steps: single ones, and ranges (first, last, every) with both ends."""

    single: frozenset[int]
    ranges: tuple[tuple[int, int, int], ...]

    def holds(self, step: int) -> bool:
        return step in self.single or any(a <= step <= b and (step - a) % every == 0 for a, b, every in self.ranges)


def parse_steps(text: str) -> Steps:
    """A selection such as 500:4000:500 (both ends count), 1000: (from there on), or 500,1000. ConfigError for another text.

    Example: [step for step in range(0, 3001, 250) if parse_steps("500:1500:500,3000").holds(step)] == [500, 1000, 1500, 3000]
    """
    single, ranges = set(), []
    for part in str(text).split(","):
        match = re.fullmatch(r"\s*(\d+)\s*|\s*(\d*)\s*:\s*(\d*)\s*(?::\s*(\d+)\s*)?", part)
        if not match or match[4] == "0":
            raise ConfigError(f"steps {text!r} are not understood; wanted FIRST:LAST:EVERY, as in 500:4000:500, or 500,1000.")
        if match[1]:
            single.add(int(match[1]))
        else:
            first, last = int(match[2] or 0), int(match[3] or 10**18)
            if first > last:
                raise ConfigError(f"steps {text!r} run backwards; wanted the smaller end first, as in {last}:{first}.")
            ranges.append((first, last, int(match[4] or 1)))
    return Steps(frozenset(single), tuple(ranges))


def is_unfinished(name: str) -> bool:
    """True for the name of a folder that a trainer has not yet renamed, such as tmp-checkpoint-500.

    Example: is_unfinished(".checkpoint-500") and not is_unfinished("temperature-7")
    """
    return _UNFINISHED.match(name) is not None


def step_of_name(name: str) -> int | None:
    """The step that a subfolder's name gives: as step_of_path, or its last number, because here all are checkpoints.

    1e-5 and 0.1 are no steps, nor is a number inside a word.

    Example: step_of_name("epoch3_lr1e-5") == step_of_name("run3-4B") == 3
    """
    if (step := step_of_path(name)) is not None:
        return step
    words = re.split(r"[\W_]+", _NO_STEP.sub("", name))
    numbers = [match[1] for word in words if (match := re.fullmatch(r"[^\W\d]*(\d+)", word))]
    return int(numbers[-1]) if numbers else None


def _step_of(name: str, model: Path) -> int | None:
    """The step that the run will store (Checkpoint.read_record), or the one that the subfolder's name gives."""
    try:
        stored = Checkpoint(str(model)).read_record().get("step")
    except ModelError:  # the run itself will tell
        stored = None
    return step_of_name(name) if stored is None else int(stored)


def models_below(folder: Path, depth: int = _DEPTH) -> list[Path]:
    """The folder if it is a checkpoint or an adapter, otherwise the only one below it; empty if there is none."""
    if (folder / "config.json").is_file() or is_adapter_folder(folder):
        return [folder]
    if depth == 0:
        return []
    below = [model for child in sorted(folder.iterdir()) if child.is_dir() for model in models_below(child, depth - 1)]
    if len(below) > 1:
        names = list_some([str(model.relative_to(folder)) for model in below])
        raise ConfigError(f"{folder} holds several checkpoints ({names}). Name the ones that are meant with --model.")
    return below


def _model_choices(settings: Mapping[str, Any]) -> list[Choice]:
    """The models, or the adapters on each of them."""
    folder, steps = settings.get("checkpoints"), settings.get("steps")
    models, adapters = _named(settings.get("model")), _named(settings.get("adapter"))
    if folder is None and steps is not None:
        raise _lone_steps(steps)
    if folder is not None and models:
        raise ConfigError(
            f"--checkpoints {folder} and --model {models[0][1]} are both given, and each says which models are meant. Leave "
            f"one out, or name every model with --model."
        )
    if folder is not None:
        models = [(_slug(name), str(path)) for name, path in find_checkpoints(Path(folder), steps)]
    if not models:
        return [Choice(label, {"model": adapter}) for label, adapter in adapters] or [Choice("", {})]
    if not adapters:
        return [Choice(label, {"model": model}) for label, model in models]
    return [
        Choice(f"{base}_{label}" if len(models) > 1 else label, {"model": model, "adapter": adapter})
        for base, model in models
        for label, adapter in adapters
    ]


def _lone_steps(steps: Any) -> ConfigError:
    return ConfigError(f"--steps {steps} has no effect without --checkpoints DIR. Add that, or leave it out.")


def _named(value: Any) -> list[tuple[str, str]]:
    """Models or adapters with their labels: the names of a mapping, or as many last parts of a path as tell it from others."""
    if isinstance(value, Mapping):
        return [(_slug(str(name)), str(model)) for name, model in value.items()]
    models = list(map(str, _listed(value)))
    if repeated := [model for model in models if models.count(model) > 1]:
        raise ConfigError(f"model {repeated[0]} is given twice. Leave one out.")
    return list(zip(_labels(models), models, strict=True))


def _labels(models: Sequence[str]) -> Iterator[str]:
    parts = {model: [part for part in Path(model).parts if part not in ("/", ".", "..", "~")] or [model] for model in models}
    for model in models:
        own = parts[model]
        others = [parts[other] for other in models if other != model]
        n = next((n for n in range(1, len(own)) if all(own[-n:] != other[-n:] for other in others)), len(own))
        yield _slug("-".join(own[-n:]))


def _axis(key: str, values: Any) -> list[Choice]:
    """The values of a setting, by the names they are given or that they give themselves."""
    known = [*setting_keys(), *RunConfig.model_fields]
    if key not in known:
        raise ConfigError(
            f"matrix names {key!r}, which is no setting.{near_names(key, known)} docs/configuration.md lists all."
        )
    if key in _OWN:
        raise ConfigError(f"matrix names {key}, but every run gets a directory of its own below --out. Leave it out.")
    named = values.items() if isinstance(values, Mapping) else ((_label(key, value), value) for value in _listed(values))
    choices = [Choice(_slug(str(label)), _nested(key, value)) for label, value in named]
    if not choices:
        raise ConfigError(f"matrix has no values of {key}. Give a list, or leave it out.")
    return choices


def _label(key: str, value: Any) -> str:
    """A value as text. A number alone says nothing, so it has the last word of its key before it."""
    if isinstance(value, Mapping):
        return ",".join(f"{inner}={of}" for inner, of in value.items())
    if isinstance(value, list | tuple):
        value = "+".join(map(str, value))
    return str(value) if key in ("tasks", "sampling") else f"{key.rpartition('.')[2]}={value}"


def _nested(key: str, value: Any) -> dict[str, Any]:
    for part in reversed(key.split(".")):
        value = {part: value}
    return dict(value)


def _listed(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, list | tuple) else [value]


def _slug(label: str) -> str:
    return _SAFE.sub("-", label).strip("-.") or "run"
