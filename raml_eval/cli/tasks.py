"""`raml-eval tasks`: lists, shows and checks tasks."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.options import TRUST, Place, Places, Text, place_option
from raml_eval.exits import ExitCode
from raml_eval.wording import count_noun, one_line

app = typer.Typer(rich_markup_mode=None, help="The tasks that can be asked.", no_args_is_help=True)

LONGEST_NAME = 44  # the column's width; a longer name moves the rest of its line
MEMBERS_WIDTH = 110

Trusted = Annotated[bool, typer.Option("--trust-tasks", help=TRUST)]
TaskPaths = Annotated[Places, place_option("Folder with more tasks.", "<folder>")]


@app.command("list")
def tasks_list(
    word: Annotated[Text, typer.Argument(help="Only names that hold this word.")] = None,
    task_path: TaskPaths = None,
    upstream: Annotated[bool, typer.Option("--upstream", help="The tasks of lm-eval instead, as lm_eval:NAME.")] = False,
) -> None:
    """Every task and suite, without loading data."""
    from raml_eval.errors import TaskError, near_names
    from raml_eval.tasks.catalogue import load_catalogue
    from raml_eval.tasks.procedural import generated_names

    if upstream:
        _list_upstream(word or "")
        return
    catalogue = load_catalogue(task_path or ())
    if word:
        catalogue.expand(name for name in generated_names() if _holds(name, word))
    tasks = {name: task for name, task in sorted(catalogue.tasks.items()) if _holds(name, word)}
    suites = {name: members for name, members in sorted(catalogue.suites.items()) if _holds(name, word)}
    if not (tasks or suites):
        near = near_names(str(word), [*catalogue.tasks, *catalogue.suites])
        raise TaskError(f"no task or suite has {word!r} in its name.{near} `raml-eval tasks list` shows all.")
    width = min(LONGEST_NAME, max(map(len, [*tasks, *suites])))
    for name, task in tasks.items():
        print(f"{name:<{width}}  {task.domain:<12}  {task.grader:<9}  {task.dataset}")
    print()
    for name, members in suites.items():
        print(f"{name:<{width}}  {_shorten('suite', members)}")
    if not word:
        print("\nreasoning_gym:NAME and lm_eval:NAME are tasks too:", end=" ")
        print("`raml-eval tasks list reasoning_gym:` and `raml-eval tasks list --upstream` list them.")
    for name, reason in sorted(catalogue.unusable.items()):
        print(one_line(f"not usable: {name}: {reason}"), file=sys.stderr)


def _holds(name: str, word: str | None) -> bool:
    return (word or "").lower() in name.lower()


def _shorten(kind: str, members: Sequence[str]) -> str:
    """The kind with the number of its members, and the first of their names."""
    first = textwrap.shorten(", ".join(members), MEMBERS_WIDTH, placeholder=" ...")
    return f"{kind} of {count_noun(len(members), 'task')}: {first}"


def _list_upstream(word: str) -> None:
    from raml_eval.errors import TaskError, near_names
    from raml_eval.tasks.upstream_index import find_names, upstream_index

    index = upstream_index()
    found = list(find_names(index, word))
    if not found:
        raise TaskError(f"no task of lm-eval has {word!r} in its name.{near_names(word, index)}")
    width = min(LONGEST_NAME, max(len(name) for name, _ in found) + len("lm_eval:"))
    for name, entry in found:
        about = entry.output_type or _shorten(entry.kind, entry.members)
        print(f"{f'lm_eval:{name}':<{width}}  {'in Python code' if entry.kind == 'python' else about}")


@app.command("show")
def tasks_show(name: str, task_path: TaskPaths = None) -> None:
    """What the catalogue knows of a task or a suite."""
    from dataclasses import asdict

    from raml_eval.tasks.catalogue import load_catalogue

    catalogue = load_catalogue(task_path or ())
    tasks = catalogue.expand([name])
    if name in catalogue.suites:
        about, primary = catalogue.about.get(name), catalogue.primary.get(name)
        ranked = f"primary endpoint: {primary.metric} at budget {primary.budget}" if primary else ""
        head = f"{name}: suite of {count_noun(len(tasks), 'task')}: {', '.join(tasks)}"
        print("\n".join(filter(None, (head, about, ranked))), end="\n\n")
    for task in tasks:
        for key, value in asdict(catalogue.tasks[task]).items():
            if value in (None, "", ()):
                continue
            print(f"{key:<14} {', '.join(value) if isinstance(value, tuple) else value}")
        print()


Paths = Annotated[Places, typer.Argument(help="Files or folders; the shipped tasks if none is given.")]


Data = Annotated[
    bool | None,
    typer.Option(
        "--data/--no-data",
        help="Load the rows from the hub too, and grade every gold against itself; or load no rows. By default, only rows "
        "beside the YAML are loaded.",
    ),
]


DataDir = Annotated[Place, place_option("Folder with the data sets, OWNER/NAME each, in place of a hub.", "<folder>")]


@app.command("check")
def tasks_check(paths: Paths = None, data: Data = None, data_dir: DataDir = None, trust_tasks: Trusted = False) -> None:
    """Check task YAML, and the golds of rows beside it."""
    from raml_eval.stock import check_scorers
    from raml_eval.tasks.catalogue import tasks_dir
    from raml_eval.tasks.check import check_tasks, find_task_files

    roots = paths or [tasks_dir()]
    problems = check_tasks(roots) + check_scorers(roots)
    loaded = n_golds = 0
    untrusted = []
    if data is not False:
        from raml_eval.golds import check_rows

        known = {problem.path for problem in problems}
        for task in check_rows(
            roots, hub=data is True or data_dir is not None, data_dir=data_dir, without=known, trust_tasks=trust_tasks
        ):
            if task.untrusted:
                untrusted.append(task.name)
                continue
            problems += task.problems
            loaded, n_golds = loaded + 1, n_golds + task.n_questions
    if untrusted:
        named = f"{', '.join(untrusted)}: rows not loaded, because Python of that folder would be run"
        print(one_line(f"note: {named}; pass --trust-tasks if it may"), file=sys.stderr)
    for problem in problems:
        print(one_line(str(problem)), file=sys.stderr)
    if problems:
        raise typer.Exit(ExitCode.UNUSABLE)
    graded = f", {count_noun(loaded, 'task')} loaded with {count_noun(n_golds, 'gold')}" if loaded else ""
    print(f"{count_noun(len(find_task_files(roots)), 'task file')}{graded}, no problems")


@app.command("new")
def tasks_new(
    name: Annotated[str, typer.Argument(help="The name of the task, and of the folder that is written.")],
    grader: Annotated[str, typer.Option(help="math, exact, choice, label, bracket, grid or code.")] = "math",
    dataset: Annotated[Text, typer.Option(help="Hub id of the rows; without it, rows are written to be replaced.")] = None,
    config: Annotated[Text, typer.Option(help="Configuration of the data set.")] = None,
    split: Annotated[str, typer.Option(help="Split that holds the questions.")] = "test",
    domain: Annotated[str, typer.Option(help="in_domain or cross_domain: the mean that the task counts in.")] = "cross_domain",
    folder: Annotated[Place, place_option("Folder to write into; the current one if not given.", "<folder>")] = None,
) -> None:
    """Write the files of a new task."""
    from raml_eval.tasks.scaffold import write_task

    parent = folder or Path()
    for path in write_task(parent, name, grader, dataset, config, split, domain):
        print(path)
    place = parent / name
    print(f"Next: fill in the lines with TODO, then\n  raml-eval tasks check {place}", end="")
    print(f"\n  raml-eval tasks preview {name} --task-path {place}")


@app.command("preview")
def tasks_preview(
    name: str,
    limit: Annotated[int, typer.Option(min=1, help="Number of questions to show.")] = 3,
    model: Annotated[str, typer.Option(help="Checkpoint folder or hub id whose chat template renders them.")] = "pocket",
    task_path: TaskPaths = None,
    data_dir: DataDir = None,
    trust_tasks: Trusted = False,
) -> None:
    """Show prompts as a model sees them, and golds."""
    from raml_eval.preview import preview_task

    for line in preview_task(name, limit, model, tuple(task_path or ()), data_dir, trust_tasks):
        print(line)
