"""Checks every YAML file of a folder against lm-eval's format and this package's, without loading data.

lm-eval itself skips files that it cannot read, and finds an unknown key only when it loads the data.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from raml_eval.errors import TaskError, near_names
from raml_eval.tasks.catalogue import load_catalogue, tasks_dir
from raml_eval.tasks.rules import find_suite_problems, find_task_problems, members_of, raml_of, tags_of
from raml_eval.tasks.sources import is_source_name, read_source_task
from raml_eval.tasks.task_file import FunctionName, TaskFile, functions_in, iterate_yaml_paths, read_task_file

MOST_NEAR = 3  # members of one group for which near names are looked up


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to correct in one file. line is where, None if it is the whole file or something that is missing."""

    path: Path
    message: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.message}"


def check_tasks(paths: Sequence[Path] = ()) -> list[Problem]:
    """All problems in the YAML files under these folders or files, or in the tasks that ship if no path is given.

    A group may list tasks from any of the paths and tasks that ship. TaskError for a path that does not exist.

    Example: check_tasks([Path("tasks/gsm8k")]) == []
    """
    problems: list[Problem] = []
    files: list[TaskFile] = []
    found = find_task_files(paths or [tasks_dir()])
    if not found:
        raise TaskError(f"there is no task file under {', '.join(map(str, paths))}. Name a folder with .yaml files.")
    for path in found:
        if path.suffix == ".yml":
            problems.append(Problem(path, "lm-eval only reads files that end in .yaml; rename it."))
            continue
        try:
            files.append(read_task_file(path))
        except TaskError as error:
            problems.append(Problem(path, str(error).removeprefix(f"{path} ")))
    _names_defined.cache_clear()
    known = _known_keys()
    members = {name for file in files for name in (file.name, *tags_of(file.config))} | _shipped_names()
    for file in files:
        found_here = list(_file_problems(file, known, members))
        lines = file.path.read_text(encoding="utf-8").split("\n") if found_here else []
        problems += [Problem(file.path, message, _line_of(message, lines)) for message in found_here]
    return problems + list(_twice(files)) + list(_shipped_too(files))


def _line_of(message: str, lines: Sequence[str]) -> int | None:
    """The line that a message is about: the one with the key, its parent's, or the one with the function that it names."""
    subject = message.removeprefix("lists ").removeprefix("!function ").partition(" ")[0].rstrip(":,")
    names = [subject, *reversed(subject.split("."))]
    for name in dict.fromkeys(names):
        key = re.compile(rf"(?:^|[\s{{,\-\"']){re.escape(name)}(?:$|[\s:}},\"'\]])")
        for number, line in enumerate(lines, 1):
            if key.search(f" {line}".partition(" #")[0]):
                return number
    return None


def find_task_files(roots: Iterable[Path]) -> list[Path]:
    """Every YAML file under these folders or files, once, in the order in which it is checked."""
    return list(dict.fromkeys(_all_paths(roots)))


def _all_paths(roots: Iterable[Path]) -> Iterator[Path]:
    for root in map(Path, roots):
        for path in iterate_yaml_paths(root):
            yield path.expanduser().resolve()
        yield from sorted(path.resolve() for path in root.glob("**/*.yml"))


def _shipped_names() -> set[str]:
    catalogue = load_catalogue()
    return {*catalogue.tasks, *catalogue.suites}


def _known_keys() -> frozenset[str]:
    from lm_eval.config.task import TaskConfig

    return frozenset(field.name for field in fields(TaskConfig))


def _file_problems(file: TaskFile, known: frozenset[str], members: set[str]) -> Iterator[str]:
    if "task" not in file.config and "group" not in file.config:
        yield "has neither a task: nor a group: key, so lm-eval skips it silently. Without .yaml it may be included."
    elif file.is_suite:
        yield from find_suite_problems(file)
        named = [member for member in members_of(file.config) if isinstance(member, str)]
        for member in filter(is_source_name, named):
            yield from _source_problems(member)
        strange = [member for member in named if member not in members and not is_source_name(member)]
        for number, member in enumerate(strange):  # with thousands of names, looking for near ones takes long
            yield f"lists {member}, which is not a task.{near_names(member, members) if number < MOST_NEAR else ''}"
    elif not isinstance(file.config.get("task"), str):
        yield f"task is {file.config.get('task')!r}; it must be a name."
    else:
        yield from find_task_problems(file)
        for key in file.config:
            if key not in known and key not in ("class", "group", "task_list"):
                yield f"{key} is not a key of an lm-eval task; our own go under metadata.raml.{near_names(key, known)}"
        yield from _data_problems(file)
        yield from _function_problems(file.config)
        yield from _until_problems(file.config)
        yield from (
            f"metadata.raml.{name} is {value!r:.60}; fill it in, since reports print it."
            for name, value in raml_of(file.config).items()
            if str(value).startswith("TODO")
        )


def _until_problems(config: Mapping[str, Any]) -> Iterator[str]:
    arguments = config.get("generation_kwargs") or {}
    if not isinstance(arguments, Mapping):
        return
    if "until" not in arguments:
        yield "generation_kwargs.until is missing, so stock lm-eval stops at the first blank line; write until: []."
    until = arguments.get("until")
    texts = until if isinstance(until, list) else [until]
    breaks = [text for text in texts if isinstance(text, str) and text.isspace()]
    if breaks:
        yield f"generation_kwargs.until holds {breaks[0]!r}, which ends an answer, and its thinking, there; write until: []."


def _source_problems(member: str) -> Iterator[str]:
    try:
        read_source_task(member)
    except TaskError as error:
        yield f"lists {member}, and {error}"


def _data_problems(file: TaskFile) -> Iterator[str]:
    arguments = file.config.get("dataset_kwargs")
    data_files = arguments.get("data_files") if isinstance(arguments, Mapping) else None
    if data_files is None or "/" in str(file.config.get("dataset_path", "")):  # a hub's data files are on the hub
        return
    names = data_files.values() if isinstance(data_files, Mapping) else [data_files]
    for name in names:
        if isinstance(name, str) and "://" not in name and not (file.path.parent / name).is_file():
            yield f"dataset_kwargs.data_files names {name}, which is not beside the YAML, in {file.path.parent}."


def _function_problems(value: Any) -> Iterator[str]:
    yield from filter(None, map(_missing_function, functions_in(value)))


def _missing_function(name: FunctionName) -> str:
    """Why lm-eval would not find the function; empty if it would. Its module is parsed but never run."""
    module, _, function = name.rpartition(".")
    beside = name.beside
    try:
        spec = None if beside.is_file() or not module else importlib.util.find_spec(module)
    except (ImportError, ValueError):
        spec = None
    source = beside if beside.is_file() else Path(spec.origin) if spec and spec.origin else None
    if source is None:
        return f"!function {name}: there is no module {module or name} beside the YAML or installed."
    if source.suffix != ".py":
        return ""
    try:
        defined = _names_defined(source)
    except SyntaxError as error:
        return f"!function {name}: {source} is not valid Python, line {error.lineno}."
    return "" if function in defined else f"!function {name}: {source} defines no {function}.{near_names(function, defined)}"


@functools.lru_cache(maxsize=4096)
def _names_defined(source: Path) -> frozenset[str]:
    """The names that a module defines or imports at its top level. Raises SyntaxError."""
    body = ast.parse(source.read_bytes()).body
    defined = {node.name for node in body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    names = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    defined |= {target.id for target in names if isinstance(target, ast.Name)}
    imported = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    return frozenset(defined | {alias.asname or alias.name for node in imported for alias in node.names})


def _shipped_too(files: Sequence[TaskFile]) -> Iterator[Problem]:
    """The files that declare a name of the catalogue without being the file that the catalogue has it from."""
    catalogue, ours = load_catalogue(), tasks_dir().resolve()
    for file in files:
        shipped = catalogue.files.get(file.name)
        known = (shipped is not None and shipped.path != file.path) or (shipped is None and file.name in catalogue.suites)
        if known and ours not in file.path.parents:
            yield Problem(
                file.path, f"{file.name} is the name of a task or suite that ships, so neither could be run; rename it."
            )


def _twice(files: Sequence[TaskFile]) -> Iterator[Problem]:
    first: dict[str, Path] = {}
    for file in files:
        other = first.setdefault(file.name, file.path)
        if other != file.path and ("task" in file.config or "group" in file.config):
            yield Problem(file.path, f"{other} declares the name {file.name} too, and lm-eval uses one of them; rename it.")
