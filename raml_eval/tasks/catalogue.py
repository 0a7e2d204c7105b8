"""The catalogue of every task and suite by name, read from the YAML files alone, in milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import raml_eval
from raml_eval.errors import TaskError, near_names
from raml_eval.plugins import TASKS, broken_plugin, load_plugins
from raml_eval.tasks.rules import (
    find_suite_problems,
    find_task_problems,
    members_of,
    primary_of,
    raml_of,
    redistribute_of,
    split_of,
    tags_of,
)
from raml_eval.tasks.sources import is_source_name, read_source_task, source_members
from raml_eval.tasks.task_file import TaskFile, iterate_yaml_paths, read_task_file
from raml_eval.types import Primary, Suite, TaskDescription


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tasks and suites that can be asked for by name.

    suites maps a name to its tasks, with nested groups flattened, and primary to the primary endpoint that it declares, if it
    declares one. about is what a suite says of itself, if it does. files holds the YAML of each task. unusable maps each name
    that a YAML file declares but that cannot be run to the reason. data_dir is a folder with data sets that is read in place
    of a hub. untrusted names the tasks of foreign files, whose Python must not be run.
    """

    tasks: dict[str, TaskDescription] = field(default_factory=dict)
    suites: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: dict[str, TaskFile] = field(default_factory=dict)
    unusable: dict[str, str] = field(default_factory=dict)
    primary: dict[str, Primary] = field(default_factory=dict)
    about: dict[str, str] = field(default_factory=dict)
    data_dir: Path | None = None
    untrusted: set[str] = field(default_factory=set)

    def expand(self, names: Iterable[str]) -> list[str]:
        """The task names behind these task and suite names, in order, each once. TaskError for a name that cannot be used.

        Example: load_catalogue().expand(["pocket_chain", "pocket_chain"]) == ["pocket_chain"]
        """
        tasks: dict[str, None] = {}
        for asked in source_members(names):
            name = self._read_source(asked) if is_source_name(asked) and asked not in self.tasks else asked
            if name in self.unusable:
                raise TaskError(f"task {name} cannot be run: {self.unusable[name]}")
            if name not in self.tasks and name not in self.suites:
                near = near_names(name, [*self.tasks, *self.suites])
                raise TaskError(
                    f"there is no task or suite {name!r}.{near} `raml-eval tasks list` shows all; "
                    "--task-path FOLDER adds your own."
                )
            tasks |= dict.fromkeys(self.suites.get(name, (name,)))
        return list(tasks)

    def _read_source(self, name: str) -> str:
        """The canonical name of the task that a source makes of this one; the task is then among the tasks."""
        file = read_source_task(name)
        if file.name not in self.tasks:
            if problems := find_task_problems(file):
                raise TaskError(f"task {name} cannot be run: {' '.join(problems)}")
            self.tasks[file.name] = describe_task(file)
            self.files[file.name] = file
        return file.name

    def suites_among(self, names: Iterable[str]) -> dict[str, Suite]:
        """Those of the names that are suites, with their tasks and primary endpoints.

        Example: list(load_catalogue().suites_among(["pocket", "gsm8k"])) == ["pocket"]
        """
        return {name: Suite(self.suites[name], self.primary.get(name)) for name in names if name in self.suites}


def tasks_dir() -> Path:
    """The folder of the tasks that ship: inside an installed package, or at the top of a source checkout."""
    package = Path(raml_eval.__file__).resolve().parent
    for folder in (package / "_tasks", package.parent / "tasks"):
        if (folder / "suites").is_dir():
            return folder
    raise TaskError(f"the tasks that ship with raml_eval are not in {package / '_tasks'}. Install the package again.")


def _plugin_folders() -> Iterator[Path]:
    """The folders with tasks that installed packages declare. A package is imported for this, its tasks' code is not."""
    for name, found in load_plugins(TASKS):
        place = found() if callable(found) else found
        folders = getattr(place, "__path__", None) or [place]
        for folder in folders:
            if not Path(folder).is_dir():
                raise broken_plugin(TASKS, name, f"{folder} is no folder")
            yield Path(folder)


def load_catalogue(extra_paths: Sequence[Path] = (), data_dir: Path | None = None, trust_tasks: bool = False) -> Catalogue:
    """The tasks that ship with the package and those in these folders or files. No data and no code is loaded.

    data_dir is where tasks of the catalogue then find their data sets, in place of a hub. With trust_tasks, the Python that
    files in extra_paths name may be run when a task is loaded; otherwise load_task refuses such a task.

    If two files declare the same name, neither is used: a score must never appear under the name of another task.

    Example: "gsm8k" in load_catalogue().tasks
    """
    catalogue = Catalogue(data_dir=data_dir)
    groups: dict[str, TaskFile] = {}
    installed = {path.resolve(): None for root in (tasks_dir(), *_plugin_folders()) for path in iterate_yaml_paths(root)}
    added = {path.expanduser().resolve(): None for root in extra_paths for path in iterate_yaml_paths(Path(root))}
    for path in [*installed, *(path for path in added if path not in installed)]:
        try:
            file = read_task_file(path)
        except TaskError as error:
            catalogue.unusable[path.stem] = str(error)
            continue
        _add(catalogue, groups, file)
        if path not in installed and not trust_tasks and file.name in catalogue.tasks:
            catalogue.untrusted.add(file.name)
    tags = _tags_of(catalogue)
    for name in groups:
        _add_suite(catalogue, groups, tags, name)
    for name, tagged in tags.items():
        if name not in groups and name not in catalogue.tasks and name not in catalogue.unusable:
            catalogue.suites[name] = tagged
    for suite, members in catalogue.suites.items():
        for name in members:
            task = catalogue.tasks[name]
            catalogue.tasks[name] = replace(task, suites=(*task.suites, suite))
    return catalogue


def _add(catalogue: Catalogue, groups: dict[str, TaskFile], file: TaskFile) -> None:
    name = file.name
    if "task" not in file.config and "group" not in file.config:
        catalogue.unusable[name] = f"{file.path} has neither a task: nor a group: key."
        return
    other = catalogue.files.get(name) or groups.get(name)
    if other or name in catalogue.unusable:
        where = other.path if other else catalogue.unusable[name]
        catalogue.unusable[name] = f"two files declare its name, {file.path} and {where}; rename one."
        for known in (catalogue.tasks, catalogue.files, groups):
            known.pop(name, None)
        return
    problems = find_suite_problems(file) if file.is_suite else find_task_problems(file)
    if problems:
        catalogue.unusable[name] = f"{file.path}: {' '.join(problems)}"
    elif file.is_suite:
        groups[name] = file
    else:
        catalogue.tasks[name] = describe_task(file)
        catalogue.files[name] = file


def _tags_of(catalogue: Catalogue) -> dict[str, tuple[str, ...]]:
    """The tasks of each tag. As in lm-eval, a tag can be asked for as a suite, and a group can list it."""
    tags: dict[str, list[str]] = {}
    for name, file in catalogue.files.items():
        for tag in tags_of(file.config):
            tags.setdefault(tag, []).append(name)
    return {tag: tuple(names) for tag, names in tags.items()}


def _add_suite(catalogue: Catalogue, groups: Mapping[str, TaskFile], tags: Mapping[str, tuple[str, ...]], name: str) -> None:
    members, missing = _flatten(name, catalogue, groups, tags, ())
    if missing:
        near = near_names(missing[0], [*catalogue.tasks, *groups])
        why = catalogue.unusable.get(missing[0], f"there is no such task.{near}")
        catalogue.unusable[name] = f"{groups[name].path} lists {missing[0]}, and {why}"
    else:
        catalogue.suites[name] = tuple(members)
        catalogue.about[name] = str(raml_of(groups[name].config).get("about", ""))
        primary = primary_of(groups[name].config)
        if primary is not None:
            catalogue.primary[name] = primary


def _flatten(
    name: str,
    catalogue: Catalogue,
    groups: Mapping[str, TaskFile],
    tags: Mapping[str, tuple[str, ...]],
    above: tuple[str, ...],
) -> tuple[list[str], list[str]]:
    members: dict[str, None] = {}
    missing: list[str] = []
    for member in members_of(groups[name].config):
        if member in groups and member not in (*above, name):
            inner, inner_missing = _flatten(member, catalogue, groups, tags, (*above, name))
            members |= dict.fromkeys(inner)
            missing += inner_missing
        elif member in catalogue.tasks:
            members[member] = None
        elif member in tags:
            members |= dict.fromkeys(tags[member])
        elif is_source_name(member):
            try:
                members |= dict.fromkeys(catalogue.expand([member]))
            except TaskError as error:
                catalogue.unusable.setdefault(member, str(error))
                missing.append(member)
        else:
            missing.append(member)
    return list(members), missing


def describe_task(file: TaskFile) -> TaskDescription:
    """The description that the YAML gives; suites are left empty. Check the file with raml_eval.tasks.rules first."""
    config, raml = file.config, raml_of(file.config)
    chance = raml.get("chance")
    return TaskDescription(
        name=file.name,
        domain=raml["domain"],
        grader=raml["grader"],
        answer_format=str(raml["answer_format"]),
        source=str(raml["source"]),
        licence=str(raml["licence"]),
        dataset=_dataset_of(file, config),
        config=config.get("dataset_name"),
        split=split_of(config),
        revision=str(raml["revision"]),
        version=str(config["metadata"]["version"]),
        digest=file.digest,
        chance=None if chance is None else float(chance),
        family=str(raml.get("family", "")),
        perturbs=str(raml.get("perturbs", "")),
        date=str(raml.get("date", "")),
        redistribute=redistribute_of(raml) or "",
        overrides=tuple(raml.get("overrides", ())),
    )


def _dataset_of(file: TaskFile, config: Mapping[str, Any]) -> str:
    """The hub id, or the folder and file name of a task whose rows are in a file beside its YAML; the source of a made one."""
    if config.get("dataset_path"):
        return str(config["dataset_path"])
    if file.made:
        return str(raml_of(config)["source"])
    data_files = (config.get("dataset_kwargs") or {}).get("data_files") or {}
    name = data_files.get(split_of(config)) if isinstance(data_files, Mapping) else data_files
    return f"{file.path.parent.name}/{name or file.path.name}"
