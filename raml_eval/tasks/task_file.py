"""Reads one task or suite YAML in lm-eval's format without lm-eval: no function is imported, no data is loaded.

lm-eval's own index could be used, but importing it imports `datasets`, which takes longer than listing tasks may.
tests/test_tasks_catalogue.py checks that the two readers agree.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import yaml

from raml_eval.errors import TaskError

_OWN = ("raml_eval.", "lm_eval.")  # packages whose functions a foreign task may name without being trusted
_SKIPPED_FOLDERS = {"__pycache__", ".ipynb_checkpoints"}
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class FunctionName(str):
    """The text after a !function tag. folder is where lm-eval looks for the module first."""

    __slots__ = ("folder",)
    folder: Path

    @property
    def beside(self) -> Path:
        """Where its module lies if it is beside the YAML. lm-eval looks there first."""
        return self.folder / f"{self.rpartition('.')[0].replace('.', '/')}.py"


@runtime_checkable
class TaskTests(Protocol):
    """What a source may put under metadata.raml.tests: it reads a question's tests with lm-eval's task at hand."""

    def read(self, task: Any, doc: Mapping[str, Any]) -> Mapping[str, Any]:
        """The tests of one row. Whatever it raises is reported as the row's fault."""


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A YAML file merged with everything it includes. digest is the SHA-256 of its bytes and those of the included files.

    made: no file holds the task; a source made its keys, and functions stand in them as themselves. path is then the module
    of the source.
    """

    path: Path
    config: Mapping[str, Any]
    digest: str
    made: bool = False

    @property
    def is_suite(self) -> bool:
        return "group" in self.config and "class" not in self.config

    @property
    def name(self) -> str:
        """The name of the task or suite, or the file's stem if the file states none."""
        return str(self.config.get("group" if self.is_suite else "task") or self.path.stem)


def functions_in(value: Any) -> Iterator[FunctionName]:
    """Every !function in a part of a task's configuration."""
    if isinstance(value, FunctionName):
        yield value
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from functions_in(inner)


def foreign_functions(file: TaskFile) -> list[FunctionName]:
    """The functions that the file names, but for those of raml_eval and lm-eval themselves.

    lm-eval looks for a module beside the YAML first, so a file there can stand in for one of ours: it counts as foreign.
    """
    return [name for name in functions_in(file.config) if not (name.startswith(_OWN) and not name.beside.exists())]


def has_local_rows(file: TaskFile) -> bool:
    """True if the task's rows lie in files beside its YAML."""
    loader = file.config.get("custom_dataset")
    return isinstance(loader, FunctionName) and loader == "raml_eval.tasks.docs.load_jsonl"


def iterate_yaml_paths(root: Path) -> Iterator[Path]:
    """The task YAML paths under a folder, in lm-eval's order, or the one file itself. TaskError if nothing is there."""
    if root.is_file():
        yield root
    elif root.is_dir():
        found = (path for path in root.glob("**/*.yaml") if not _SKIPPED_FOLDERS.intersection(path.parts))
        yield from sorted(found, key=lambda path: path.as_posix())
    else:
        raise TaskError(f"the task path {root} does not exist. Name a folder with lm-eval task YAMLs, or one such file.")


def read_task_file(path: Path, strict: bool = True) -> TaskFile:
    """The file as a TaskFile. Includes are merged as in lm-eval: later includes win, and the file's own keys win over all.

    Raises TaskError, with the line if there is one, for a file that is not a YAML mapping or includes a file that is
    missing. strict: a key that occurs twice in a mapping is an error, and not the last one's as in lm-eval.
    """
    digest = hashlib.sha256()
    config = _read_merged(path.expanduser().resolve(), set(), digest, strict)
    return TaskFile(path, config, digest.hexdigest())


def _read_merged(path: Path, seen: set[Path], digest: Any, strict: bool) -> dict[str, Any]:
    if path in seen:
        raise TaskError(f"{path} is included twice. lm-eval allows each file once; remove one of the include lines.")
    seen.add(path)
    try:
        content = path.read_bytes()
        config = yaml.load(content, Loader=_loader(path.parent, strict))
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror}. Correct the include line or the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).replace('in "<byte string>", ', "in ").split())
        raise TaskError(f"{path} is not valid YAML: {said}") from error
    if not isinstance(config, dict):
        raise TaskError(f"{path} holds {type(config).__name__}, not a mapping of keys. Start it with task: or group:.")
    digest.update(len(content).to_bytes(8, "big") + content)
    includes = config.pop("include", [])
    merged: dict[str, Any] = {}
    for included in includes if isinstance(includes, list) else [includes]:
        inherited = _read_merged((path.parent / str(included)).resolve(), seen, digest, strict)
        inherited.pop("task_list", None)
        merged |= inherited
    return merged | config


def _loader(folder: Path, strict: bool) -> Any:
    class Loader(_SafeLoader):  # type: ignore[misc]
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            twice = sorted({name for name in names if names.count(name) > 1 and name != "<<"})
            if twice and strict:
                raise yaml.YAMLError(f"the key {twice[0]} occurs twice in one mapping, line {node.start_mark.line + 1}")
            mapping: dict[Any, Any] = super().construct_mapping(node, deep)
            return mapping

    def construct_function(loader: Any, node: yaml.ScalarNode) -> FunctionName:
        name = FunctionName(loader.construct_scalar(node))
        name.folder = folder
        return name

    Loader.add_constructor("!function", construct_function)
    return Loader
