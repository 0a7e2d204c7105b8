"""`raml-eval tasks`: lists, shows and checks tasks."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from raml_eval.cli.options import Places, Text, place_option
from raml_eval.exits import ExitCode
from raml_eval.wording import count_noun

app = typer.Typer(rich_markup_mode=None, help="The tasks that can be asked.", no_args_is_help=True)

TaskPaths = Annotated[Places, place_option("Folder with more tasks.", "<folder>")]


@app.command("list")
def tasks_list(
    word: Annotated[Text, typer.Argument(help="Only names that hold this word.")] = None,
    task_path: TaskPaths = None,
    upstream: Annotated[bool, typer.Option("--upstream", help="The tasks of lm-eval instead, as lm_eval:NAME.")] = False,
) -> None:
    """Every task and suite, without loading data."""
    from raml_eval.tasks.catalogue import load_catalogue

    if upstream:
        _list_upstream(word or "")
        return
    catalogue = load_catalogue(task_path or ())
    width = max(map(len, [*catalogue.tasks, *catalogue.suites]))
    for name, task in sorted((name, task) for name, task in catalogue.tasks.items() if (word or "") in name):
        print(f"{name:<{width}}  {task.domain:<12}  {task.grader:<7}  {task.dataset}")
    print()
    for name, members in sorted(catalogue.suites.items()):
        if (word or "") in name:
            print(f"{name:<{width}}  suite: {', '.join(members)}")


def _list_upstream(word: str) -> None:
    from raml_eval.errors import TaskError, near_names
    from raml_eval.tasks.upstream_index import find_names, upstream_index

    index = upstream_index()
    found = list(find_names(index, word))
    if not found:
        raise TaskError(f"no task of lm-eval has {word!r} in its name.{near_names(word, index)}")
    width = max(len(name) for name, _ in found) + len("lm_eval:")
    for name, entry in found:
        about = entry.output_type or f"{entry.kind}: {', '.join(entry.members[:6])}{', ...' if len(entry.members) > 6 else ''}"
        print(f"{f'lm_eval:{name}':<{width}}  {'in Python code' if entry.kind == 'python' else about}")


@app.command("show")
def tasks_show(name: str, task_path: TaskPaths = None) -> None:
    """What the catalogue knows about one task."""
    from dataclasses import asdict

    from raml_eval.tasks.catalogue import load_catalogue

    catalogue = load_catalogue(task_path or ())
    for task in catalogue.expand([name]):
        for key, value in asdict(catalogue.tasks[task]).items():
            if value in (None, "", ()):
                continue
            print(f"{key:<14} {', '.join(value) if isinstance(value, tuple) else value}")
        print()


Paths = Annotated[Places, typer.Argument(help="Files or folders; the shipped tasks if none is given.")]


@app.command("check")
def tasks_check(paths: Paths = None) -> None:
    """Validate task YAML, and files that lm-eval would skip."""
    from raml_eval.tasks.catalogue import tasks_dir
    from raml_eval.tasks.check import check_tasks, find_task_files

    roots = paths or [tasks_dir()]
    problems = check_tasks(roots)
    for problem in problems:
        print(f"{problem.path}: {problem.message}", file=sys.stderr)
    if problems:
        raise typer.Exit(ExitCode.UNUSABLE)
    print(f"{count_noun(len(find_task_files(roots)), 'task file')}, no problems")
