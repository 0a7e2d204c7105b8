"""What a user adds to an import because the log does not say it, and how each task is graded as a result."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from raml_eval.errors import ConfigError, SourceError, near_names
from raml_eval.grading import KINDS
from raml_eval.importing.samples import ImportedSample
from raml_eval.tasks.catalogue import Catalogue
from raml_eval.tasks.rules import raml_of
from raml_eval.types import Budget, GraderKind, TaskDescription

# Kinds that need a sandbox are left out: they need the tests of each question, which no log holds.
GRADABLE = tuple(name for name, kind in KINDS.items() if not kind.needs_sandbox)


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """graders and task_map are keyed by the task's name in the log. grader applies to tasks whose grading nothing else names.

    Empty tasks means all of them; so does None for samples and limit. opened is true if the prompts open the thinking, so
    that a completion that does not end it is unfinished; None means that the log decides.
    """

    tasks: tuple[str, ...] = ()
    graders: Mapping[str, str] = field(default_factory=dict)
    grader: str | None = None
    task_map: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    samples: int | None = None
    model: str | None = None
    name: str | None = None
    budget: Budget | None = None
    opened: bool | None = None


@dataclass(frozen=True, slots=True)
class Grading:
    """How a task is graded: its name here, its kind of grading, the options of all its questions, and our task it maps to."""

    name: str
    kind: GraderKind
    options: tuple[str, ...] = ()
    ours: TaskDescription | None = None


def build_settings(
    graders: Iterable[str] = (), task_map: Iterable[str] = (), budget: str | None = None, **others: Any
) -> ImportSettings:
    """The settings from command-line words: KIND or TASK=KIND, THEIRS=OURS, a budget. Other fields are passed through.

    Raises ConfigError for words of another form.
    """
    pairs = [word.rpartition("=") for word in graders]
    general = [kind for task, _, kind in pairs if not task]
    for _, _, kind in pairs:
        _check_kind(kind, "--grader")
    if len(general) > 1:
        raise ConfigError(f"--grader names {', '.join(general)} for all tasks, wanted one. Write TASK=KIND for single tasks.")
    mapped = {theirs: ours for theirs, _, ours in (word.rpartition("=") for word in task_map)}
    if not all(mapped) or not all(mapped.values()):
        raise ConfigError("--task-map needs THEIRS=OURS, such as gsm8k_cot=gsm8k. Give one for each task to map.")
    return ImportSettings(
        graders={task: kind for task, _, kind in pairs if task},
        grader=general[0] if general else None,
        task_map=mapped,
        budget=None if budget is None else parse_budget(budget),
        **others,
    )


def check_restorable(settings: ImportSettings) -> None:
    """Raises ConfigError for settings that mean nothing for a log that was exported from a run, which brings its own."""
    given = {
        "--grader": settings.graders or settings.grader,
        "--task-map": settings.task_map,
        "--limit": settings.limit is not None,
        "--samples": settings.samples is not None,
        "--model": settings.model is not None,
        "--thinking-budget": settings.budget is not None,
        "--opened": settings.opened is not None,
    }
    if useless := [option for option, value in given.items() if value]:
        raise ConfigError(
            f"{', '.join(useless)} cannot be used, because the log was exported from a run of ours, which is made again as it "
            f"was. Leave it out; `raml-eval regrade` grades the run again."
        )


def parse_budget(text: str) -> Budget:
    """A thinking budget: a number of tokens, "unlimited" or "off".

    Example: parse_budget("1024") == 1024
    """
    if text in ("unlimited", "off"):
        return text
    if text.isdecimal():
        return int(text)
    raise ConfigError(f"--thinking-budget is {text!r}; wanted tokens, unlimited or off.")


def _check_kind(kind: str, where: str) -> None:
    if kind not in GRADABLE:
        raise ConfigError(
            f"{where}: there is no grader {kind!r} for logs.{near_names(kind, GRADABLE)} Known: {', '.join(GRADABLE)}."
        )


def check_names(settings: ImportSettings, known: Iterable[str]) -> None:
    """Raises ConfigError if a setting names a task that the log does not hold."""
    names = list(known)
    for option, given in (("--task", settings.tasks), ("--grader", settings.graders), ("--task-map", settings.task_map)):
        for name in given:
            if name not in names:
                listed = ", ".join(names)
                raise ConfigError(
                    f"{option} names {name!r}, which the log does not hold.{near_names(name, names)} It holds: {listed}."
                )


def choose_grading(sample: ImportedSample, settings: ImportSettings, catalogue: Catalogue | None) -> Grading:
    """How the sample's task is graded. The first of these decides: --grader TASK=KIND, --task-map, the log, --grader KIND.

    Raises SourceError if none of them names a kind of grading, TaskError for an unknown task of ours.
    """
    theirs = sample.task.name
    ours: TaskDescription | None = None
    options: tuple[str, ...] = ()
    if catalogue is not None and theirs in settings.task_map:
        name = settings.task_map[theirs]
        if catalogue.expand([name]) != [name]:
            raise ConfigError(f"--task-map maps {theirs} to {name}, which is a suite; wanted a task. Name one of its tasks.")
        ours = catalogue.tasks[name]
        found = raml_of(catalogue.files[name].config).get("options")
        options = tuple(map(str, found)) if isinstance(found, list) else ()
    logged = sample.task.grader or ("choice" if sample.options else None)
    kind = settings.graders.get(theirs) or (ours.grader if ours else None) or logged or settings.grader
    if kind is None:
        raise SourceError(
            f"the log does not say how task {theirs} is graded. Give --grader {theirs}=KIND with one of {', '.join(GRADABLE)}, "
            f"or --task-map {theirs}=OURS with the task of ours that asks the same (`raml-eval tasks list`)."
        )
    _check_kind(kind, f"task {theirs}")
    return Grading(ours.name if ours else theirs, kind, options, ours)  # type: ignore[arg-type]
