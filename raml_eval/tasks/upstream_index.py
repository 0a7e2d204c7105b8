"""The index of the tasks that come with lm-eval: built once from its YAML files, then read from the user's cache.

Listing 14,000 YAML files takes lm-eval some ten seconds at every start. Nothing here imports lm_eval.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, cast

import yaml

from raml_eval.errors import TaskError
from raml_eval.progress import Progress
from raml_eval.tasks.task_file import iterate_yaml_paths

FORMAT = 1  # of the file; raise it with every change of Entry
PLAIN_GROUP_KEYS = ("group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag", "weight_by_size", "include")

Kind = Literal["task", "python", "group", "tag"]
Index = Mapping[str, "Entry"]
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index knows of one name.

    path is the YAML's, relative to lm_eval's folder; empty for a tag. output_type is a task's. members are those of a group
    or tag as they are listed. changes names the keys by which a group alters its members.
    """

    kind: Kind
    path: str
    output_type: str = ""
    members: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()


def package_folder() -> Path:
    """The folder of the installed package lm_eval, which is not imported. Raises TaskError if there is none."""
    spec = importlib.util.find_spec("lm_eval")
    if spec is None or spec.origin is None:
        raise TaskError("lm-eval is not installed, so there are no tasks lm_eval:NAME. Install it: pip install 'lm-eval<0.5'.")
    return Path(spec.origin).parent


def upstream_index(quiet: bool = False) -> Index:
    """Every name of the installed lm-eval. The first call on a machine reads all YAML files, and says so on stderr."""
    folder = package_folder()
    cached = cache_path(folder)
    with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
        return _decode(json.loads(cached.read_bytes()))
    index = build_index(folder, quiet)
    with contextlib.suppress(OSError):  # a read-only home costs time at every start, and nothing else
        _write(cached, _encode(index))
    return index


def cache_path(folder: Path) -> Path:
    """Where the index of this lm_eval folder is kept: one file for each version and place of an installation."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser())
    place = hashlib.sha256(str(folder).encode()).hexdigest()[:8]
    return base / "raml-eval" / f"lm_eval-{metadata.version('lm_eval')}-{place}.{FORMAT}.json"


def build_index(folder: Path, quiet: bool = False) -> dict[str, Entry]:
    """The index of the YAML files below folder/tasks. As in lm-eval, the first file of a name counts; broken ones do not."""
    paths = list(iterate_yaml_paths(folder / "tasks"))
    index: dict[str, Entry] = {}
    tags: dict[str, list[str]] = {}
    includes: dict[Path, dict[str, Any]] = {}
    if not quiet:
        Progress(0).tell("building the index of lm-eval's tasks (once for each version of lm-eval)")
    with Progress(len(paths), quiet=quiet, noun="files") as progress:
        for path in paths:
            with contextlib.suppress(yaml.YAMLError, OSError, UnicodeDecodeError, ValueError, RecursionError):
                _add(index, tags, path.relative_to(folder).as_posix(), _read(path, includes))
            progress.advance(1)
    for tag, members in tags.items():
        index.setdefault(tag, Entry("tag", "", members=tuple(members)))
    return index


def _add(index: dict[str, Entry], tags: dict[str, list[str]], path: str, config: Mapping[str, Any]) -> None:
    is_group = "group" in config and "class" not in config
    name = config.get("group" if is_group else "task")
    if not isinstance(name, str) or name in index:
        return
    if is_group:
        members, changes = _members(config)
        index[name] = Entry("group", path, members=tuple(members), changes=tuple(dict.fromkeys(changes)))
        return
    index[name] = Entry("python" if "class" in config else "task", path, str(config.get("output_type", "generate_until")))
    declared = config.get("tag") or []
    for tag in [declared] if isinstance(declared, str) else declared:
        tags.setdefault(str(tag), []).append(name)


def _members(group: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The names that a group lists, those of groups inside it included, and the keys by which it alters them."""
    changes = [str(key) for key in group if key not in PLAIN_GROUP_KEYS]
    names: list[str] = []
    listed = group.get("task") or []
    for member in listed if isinstance(listed, list) else [listed]:
        if isinstance(member, Mapping) and "group" in member:
            inner, more = _members(member)
            names, changes = names + inner, changes + more
        elif isinstance(member, Mapping):
            names.append(str(member.get("task")))
            changes += [str(key) for key in member if key not in ("task", "task_alias", "weight_by_size")]
        else:
            names.append(str(member))
    return names, changes


def _read(path: Path, includes: dict[Path, dict[str, Any]]) -> dict[str, Any]:
    """The file merged with what it includes. A file that others include is read once."""
    config = yaml.load(path.read_bytes(), Loader=_Loader)
    if not isinstance(config, dict):
        raise ValueError(f"{path} is no mapping")
    named = config.pop("include", None) or []
    merged: dict[str, Any] = {}
    for name in named if isinstance(named, list) else [named]:
        target = (path.parent / str(name)).resolve()
        if target not in includes:
            includes[target] = _read(target, includes)
        merged |= {key: value for key, value in includes[target].items() if key != "task_list"}
    return merged | config


class _Loader(_SafeLoader):  # type: ignore[misc]
    """Reads a !function tag as its text."""


_Loader.add_constructor("!function", lambda loader, node: loader.construct_scalar(node))


def _encode(index: Index) -> dict[str, Any]:
    return {name: [e.kind, e.path, e.output_type, list(e.members), list(e.changes)] for name, e in index.items()}


def _decode(stored: Mapping[str, Any]) -> dict[str, Entry]:
    return {
        name: Entry(cast(Kind, kind), path, output_type, tuple(members), tuple(changes))
        for name, (kind, path, output_type, members, changes) in stored.items()
    }


def _write(path: Path, content: Mapping[str, Any]) -> None:
    """The file holds the content, whole, even if another process writes it at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, separators=(",", ":"))
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def find_names(index: Index, word: str = "") -> Iterator[tuple[str, Entry]]:
    """The names that hold the word, in alphabetical order, whatever its case."""
    return ((name, index[name]) for name in sorted(index) if word.lower() in name.lower())
