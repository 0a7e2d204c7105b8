"""`raml-eval tasks`: lists, shows and checks tasks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.options import Place, Places, Text, place_option
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
    for name, reason in sorted(catalogue.unusable.items()):
        print(f"not usable: {name}: {reason}", file=sys.stderr)


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
    if catalogue.about.get(name):
        print(f"{name}: {catalogue.about[name]}\n")
    for task in catalogue.expand([name]):
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
def tasks_check(paths: Paths = None, data: Data = None, data_dir: DataDir = None) -> None:
    """Check task YAML, and the golds of rows beside it."""
    from raml_eval.tasks.catalogue import tasks_dir
    from raml_eval.tasks.check import check_tasks, find_task_files

    roots = paths or [tasks_dir()]
    problems = check_tasks(roots)
    loaded = n_golds = 0
    if data is not False:
        from raml_eval.golds import check_rows

        for task in check_rows(roots, hub=data is True or data_dir is not None, data_dir=data_dir):
            problems += task.problems
            loaded, n_golds = loaded + 1, n_golds + task.n_questions
    for problem in problems:
        print(problem, file=sys.stderr)
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
    limit: Annotated[int, typer.Option(help="Number of questions to show.")] = 3,
    model: Annotated[str, typer.Option(help="Checkpoint folder or hub id whose chat template renders them.")] = "pocket",
    task_path: TaskPaths = None,
    data_dir: DataDir = None,
) -> None:
    """Show prompts as a model sees them, and golds."""
    from raml_eval.preview import preview_task

    for line in preview_task(name, limit, model, tuple(task_path or ()), data_dir):
        print(line)
