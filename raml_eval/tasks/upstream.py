"""Tasks of the installed lm-eval under the names lm_eval:NAME: asked as lm-eval asks them, scored by its own graders.

Nothing here imports lm_eval: the YAML is read, and what cannot be used is refused by name. docs/tasks.md lists the reasons.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from raml_eval.errors import TaskError, near_names
from raml_eval.sandbox.rules.lm_eval import without_downloads
from raml_eval.tasks.task_file import FunctionName, TaskFile, read_task_file
from raml_eval.tasks.upstream_index import Index, package_folder, upstream_index
from raml_eval.tasks.upstream_refusals import Primary, alternatives_to, find_primary, refusal_of

PREFIX = "lm_eval:"
# The beginnings of the names of tasks about mathematics. Everything else counts as cross-domain.
MATH = ("aime", "asdiv", "gsm", "gsm8k", "hendrycks_math", "hrm8k", "leaderboard_math", "mgsm", "minerva_math")
# Settings of lm-eval that a run's own take the place of.
_REPLACED = ("do_sample", "temperature", "top_p", "top_k", "max_gen_toks", "max_tokens", "max_new_tokens", "num_beams")
_DROPPED_KEYS = ("tag", "group", "task_list", "task_alias", "repeats")


@functools.cache
def _mentions_nltk(folder: Path) -> bool:
    return any(b"nltk" in path.read_bytes() for path in folder.glob("*.py"))


@dataclass(frozen=True, slots=True)
class UpstreamTests:
    """What the rule lm_eval scores answers with: the task's YAML, relative to lm-eval's folder, and its primary pair."""

    path: str
    task: str
    primary: Primary

    def read(self, task: Any, doc: Mapping[str, Any]) -> dict[str, Any]:
        """The tests of one row; task is lm-eval's, built on the whole data set. Raises ValueError for a row that JSON lacks."""
        return {
            "rule": "lm_eval",
            "read": "whole",
            "path": self.path,
            "task": self.task,
            "filter": self.primary.filter,
            "metric": self.primary.metric,
            "multiple_target": task.multiple_target,
            "version": metadata.version("lm_eval"),  # another one may decide otherwise, so it is a part of the question
            "doc": plain_row(doc),
        }


def plain_row(doc: Mapping[str, Any]) -> dict[str, Any]:
    """The row as JSON gives it back, if nothing of it is lost. Raises ValueError, naming the column, if something is."""
    kept = {}
    for column, value in doc.items():
        try:
            text = json.dumps(value)
        except (TypeError, ValueError):
            text = ""
        kept[column] = json.loads(text) if text else None
        if not text or not (kept[column] == value or "NaN" in text):
            raise ValueError(f"the column {column} holds {type(value).__name__}, which does not survive being stored as JSON")
    return kept


def expand(rest: str) -> list[str]:
    """The tasks behind a name without its prefix, as names without it: the name itself, or all members of a group or tag.

    Raises TaskError for an unknown name, for a group that alters its members, and for one with a member that is refused.
    """
    index, folder = upstream_index(), package_folder()
    names = list(dict.fromkeys(_members(rest, index, ())))
    for name in names if names != [rest] else ():
        if reason := refusal_of(read_task_file(folder / index[name].path, strict=False).config):
            raise TaskError(
                f"{PREFIX}{rest} cannot be used, because of its member {PREFIX}{name}: {reason}."
                f"{alternatives_to(rest, index, folder)}"
            )
    return names


def _members(name: str, index: Index, above: tuple[str, ...]) -> Iterator[str]:
    if name not in index:
        near = near_names(PREFIX + name, [PREFIX + one for one in index])
        inside = f", which {PREFIX}{above[-1]} lists" if above else ""
        raise TaskError(
            f"lm-eval {metadata.version('lm_eval')} has no task {name!r}{inside}.{near} "
            f"`raml-eval tasks list --upstream WORD` finds names."
        )
    entry = index[name]
    if entry.kind in ("task", "python"):
        yield name
        return
    if entry.changes:
        some = ", ".join(PREFIX + one for one in entry.members[:5])
        raise TaskError(
            f"{PREFIX}{name} cannot be used: this group alters its members ({', '.join(entry.changes)}), so they are other "
            f"tasks than their names say. Name the members that you mean: {some}."
        )
    for member in entry.members:
        if member not in (*above, name):
            yield from _members(member, index, (*above, name))


def read_task(rest: str) -> TaskFile:
    """The task of a name without its prefix, such as gsm8k_cot. Raises TaskError for an unknown or a refused name."""
    index, folder = upstream_index(), package_folder()
    if list(_members(rest, index, ())) != [rest]:
        raise TaskError(f"{PREFIX}{rest} is a group of lm-eval. Name its members one by one.")
    file = read_task_file(folder / index[rest].path, strict=False)
    if reason := refusal_of(file.config):
        raise TaskError(f"{PREFIX}{rest} cannot be used: {reason}.{alternatives_to(rest, index, folder)}")
    primary = find_primary(rest, file.config)
    raml = _raml(rest, file, UpstreamTests(index[rest].path, rest, primary), primary)
    given = file.config.get("metadata")
    given = dict(given) if isinstance(given, Mapping) else {}
    version = given.get("version", metadata.version("lm_eval"))
    kept = {key: value for key, value in file.config.items() if key not in _DROPPED_KEYS}
    merged = {**kept, "task": PREFIX + rest, "metadata": {**given, "version": version, "raml": raml}}
    return TaskFile(file.path, merged, file.digest, made=True)


def _raml(name: str, file: TaskFile, tests: UpstreamTests, primary: Primary) -> dict[str, Any]:
    arguments = file.config.get("dataset_kwargs")
    fetched = arguments.get("revision", "main") if isinstance(arguments, Mapping) else "main"
    return {
        "domain": "in_domain" if name.startswith(MATH) else "cross_domain",
        "grader": "task_rule",
        "answer_format": f"as lm-eval's {primary.metric} under its filter {primary.filter} reads it",
        "source": f"lm-eval {metadata.version('lm_eval')}, {tests.path}",
        "licence": "not stated by lm-eval",
        "revision": fetched if file.config.get("dataset_path") else metadata.version("lm_eval"),
        "tests": tests,
        "overrides": overrides_of(file.config, primary),
    }


def overrides_of(config: Mapping[str, Any], primary: Primary) -> list[str]:
    """What a run does in another way than lm-eval would, and which of the task's numbers is its score, as sentences."""
    generation = config.get("generation_kwargs")
    generation = generation if isinstance(generation, Mapping) else {}
    ignored = [f"{key}={generation[key]}" for key in _REPLACED if key in generation]
    if config.get("repeats") not in (None, 1):
        ignored.append(f"repeats={config['repeats']}")
    said = [f"its score is {primary.metric} under the filter {primary.filter}"]
    if ignored:
        said.append(f"lm-eval's {', '.join(ignored)} give way to the run's own sampling and lengths")
    if "until" not in generation:
        said.append("lm-eval would stop at a blank line, which its YAML does not state; nothing stops an answer here")
    return said


def resolve_functions(value: Any) -> Any:
    """The keys of a task with each !function in them as the function itself, found as lm-eval finds it."""
    from lm_eval.tasks._yaml_loader import _import_func_in_yml

    if isinstance(value, FunctionName):
        if _mentions_nltk(value.folder):  # importing nltk takes a second
            without_downloads()
        return _import_func_in_yml(str(value), Path(value.folder))
    if isinstance(value, Mapping):
        return {key: resolve_functions(inner) for key, inner in value.items()}
    return [resolve_functions(inner) for inner in value] if isinstance(value, list) else value
