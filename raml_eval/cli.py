"""The command line. Everything heavy is imported inside the commands, so that --help stays instant."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

app = typer.Typer(
    name="raml-eval",
    help="Evaluate reasoning models under exact thinking budgets, with error bars.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # drawing help with rich takes longer than all the rest of the start
)
tasks_app = typer.Typer(rich_markup_mode=None, help="The tasks that can be asked.", no_args_is_help=True)
board_app = typer.Typer(
    rich_markup_mode=None, help="Leaderboards: a folder with board.yaml, entries and a rendered README.", no_args_is_help=True
)
app.add_typer(tasks_app, name="tasks")
app.add_typer(board_app, name="leaderboard")

Text = Optional[str]  # noqa: UP045  typer reads the annotation
Number = Optional[float]  # noqa: UP045
Count = Optional[int]  # noqa: UP045
Place = Optional[Path]  # noqa: UP045


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(version("raml-eval"))
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    """Evaluate reasoning models under exact thinking budgets, with error bars."""


@app.command()
def run(
    preset: Annotated[Text, typer.Argument(help="A preset: pocket, raml-paper, raml-repo.")] = None,
    config: Annotated[Place, typer.Option(help="YAML file with a run configuration.")] = None,
    model: Annotated[Text, typer.Option(help="Checkpoint folder or hub id; 'pocket' ships with the package.")] = None,
    revision: Annotated[Text, typer.Option(help="Revision of a hub model.")] = None,
    backend: Annotated[Text, typer.Option(help="vllm (the default), hf or fake.")] = None,
    backend_arg: Annotated[Optional[list[str]], typer.Option(help="key=value for the engine; repeatable.")] = None,  # noqa: UP045
    tasks: Annotated[Text, typer.Option(help="Tasks and suites, by comma.")] = None,
    task_path: Annotated[Optional[list[Path]], typer.Option(help="Folder with more tasks; its Python is run.")] = None,  # noqa: UP045
    samples: Annotated[Count, typer.Option(help="Draws per question, n; 1 if not given.")] = None,
    thinking_budget: Annotated[
        Text, typer.Option(help="Tokens, 'unlimited' (the default) or 'off'; a list by comma sweeps.")
    ] = None,
    closing_text: Annotated[Text, typer.Option(help="Written before the end delimiter when the budget binds.")] = None,
    format: Annotated[Text, typer.Option(help="Reasoning format; detected from the tokenizer if not given.")] = None,
    answer_tokens: Annotated[Count, typer.Option(help="Token allowance of the answer; 2048 if not given.")] = None,
    max_total_tokens: Annotated[Count, typer.Option(help="Cap on thinking and answer together.")] = None,
    temperature: Annotated[Number, typer.Option(help="0 is greedy; 0.6 if not given.")] = None,
    top_p: Annotated[Number, typer.Option(help="1 is off; 0.95 if not given.")] = None,
    top_k: Annotated[Count, typer.Option(help="0, the default, is off.")] = None,
    min_p: Annotated[Number, typer.Option(help="0, the default, is off.")] = None,
    repetition_penalty: Annotated[Number, typer.Option(help="1, the default, is off.")] = None,
    system_prompt: Annotated[Text, typer.Option(help="A system message before every question.")] = None,
    seed: Annotated[Count, typer.Option(help="Run seed; 0 if not given.")] = None,
    limit: Annotated[Count, typer.Option(help="At most so many questions a task, a nested subset.")] = None,
    k: Annotated[Text, typer.Option(help="The k of pass@k and its kin, by comma; n if not given.")] = None,
    concurrency: Annotated[Count, typer.Option(help="Samples in flight.")] = None,
    set_: Annotated[Optional[list[str]], typer.Option("--set", help="a.b=value over everything else; repeatable.")] = None,  # noqa: UP045
    out: Annotated[Place, typer.Option(help="Run directory; an existing one is resumed or extended.")] = None,
    dry_run: Annotated[bool, typer.Option(help="All but the engine: load, render, check, and draw from a fake.")] = False,
    quiet: Annotated[bool, typer.Option(help="No progress and no table.")] = False,
) -> None:
    """Draw, grade and store samples; ends in a table."""
    from raml_eval import config as configs
    from raml_eval.api import run_and_load

    flags = {name: value for name, value in locals().items() if name in configs.FLAGS and value is not None}
    layers = [
        {"out": f"runs/{preset or (config.stem if config else '')}"} if preset or config else {},
        configs.load_preset(preset) if preset else {},
        configs.load_yaml(config) if config else {},
        configs.flags_layer(**flags),
        {"backend_args": configs.parse_backend_args(backend_arg or [])},
        *map(configs.parse_set, set_ or []),
    ]
    try:
        finished = run_and_load(configs.build_config(layers), quiet=quiet, dry_run=dry_run)
    except KeyboardInterrupt:
        print("\ninterrupted; what was finished is stored, and the same command goes on from there", file=sys.stderr)
        raise typer.Exit(130) from None
    if dry_run:
        print(finished.summary)
        return
    if not quiet:
        _print_report([finished.run])
        print(finished.summary)
    if finished.n_owed:
        print(f"{finished.n_owed} samples failed and are owed; run the same command again to retry them.", file=sys.stderr)
        raise typer.Exit(1)


def _print_report(runs: list[Any]) -> None:
    from raml_eval.reporting.report import render_report

    print(render_report(runs, format="terminal", allow_partial=True))


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    template: Annotated[str, typer.Option(help="Template of the report.")] = "default",
    format: Annotated[str, typer.Option(help="terminal, markdown, csv, json or latex.")] = "terminal",
    out: Annotated[Place, typer.Option(help="File to write; standard output if not given.")] = None,
    base: Annotated[Place, typer.Option(help="Run directory that gains are measured against.")] = None,
    k: Annotated[Text, typer.Option(help="The k of pass@k and its kin, by comma.")] = None,
    plot: Annotated[Place, typer.Option(help="Also draw accuracy over budget into this PNG or SVG.")] = None,
    allow_partial: Annotated[bool, typer.Option(help="Report a run that is not finished; the table says so.")] = False,
) -> None:
    """Tables of one run or several, rebuilt from the stored samples."""
    from raml_eval.errors import ConfigError
    from raml_eval.reporting.report import render_report
    from raml_eval.tables import build_frame, load_run

    if plot is not None and plot.suffix not in (".png", ".svg"):
        raise ConfigError(f"--plot {plot} ends in {plot.suffix or 'nothing'!r}; wanted .png or .svg.")
    loaded = [load_run(path) for path in runs]
    base_run = load_run(base) if base else None
    ks = _numbers(k)
    text = render_report(loaded, template=template, format=format, k=ks, base=base_run, allow_partial=allow_partial)
    if out is None:
        print(text)
    else:
        print(_write(out, text))
    if plot is not None:
        from raml_eval.reporting.plots import plot_budget_curve

        print(plot_budget_curve(build_frame(loaded, k=ks, allow_partial=allow_partial), plot))


@app.command()
def compare(
    base: Annotated[Path, typer.Argument(help="Run directory to compare against.")],
    new: Annotated[Path, typer.Argument(help="Run directory that may be better or worse.")],
    metric: Annotated[str, typer.Option(help="avg@n, pass@K, g_pass@K:TAU or mg_pass@K.")] = "avg@n",
    level: Annotated[float, typer.Option(help="Level of the intervals.")] = 0.95,
    format: Annotated[str, typer.Option(help="terminal or markdown.")] = "terminal",
) -> None:
    """Paired differences on shared questions; exit code 1 on a significant regression."""
    from raml_eval.reporting.compare import compare_runs, render_comparison
    from raml_eval.tables import load_run

    comparison = compare_runs(load_run(base), load_run(new), metric=metric, level=level)
    print(render_comparison(comparison, format))
    if comparison.regressed:
        raise typer.Exit(1)


TaskPaths = Annotated[Optional[list[Path]], typer.Option("--task-path", help="Folder with more tasks.")]  # noqa: UP045


@tasks_app.command("list")
def tasks_list(task_path: TaskPaths = None) -> None:
    """Every task and suite, without loading data."""
    from raml_eval.tasks.catalogue import load_catalogue

    catalogue = load_catalogue(task_path or ())
    width = max(map(len, [*catalogue.tasks, *catalogue.suites]))
    for name, task in sorted(catalogue.tasks.items()):
        print(f"{name:<{width}}  {task.domain:<12}  {task.grader:<6}  {task.dataset}")
    print()
    for name, members in sorted(catalogue.suites.items()):
        print(f"{name:<{width}}  suite: {', '.join(members)}")


@tasks_app.command("show")
def tasks_show(name: str, task_path: TaskPaths = None) -> None:
    """What the catalogue knows of one task."""
    from dataclasses import asdict

    from raml_eval.tasks.catalogue import load_catalogue

    catalogue = load_catalogue(task_path or ())
    for task in catalogue.expand([name]):
        for key, value in asdict(catalogue.tasks[task]).items():
            print(f"{key:<14} {', '.join(value) if isinstance(value, tuple) else value}")
        print()


Paths = Annotated[Optional[list[Path]], typer.Argument(help="Files or folders; the shipped tasks if none.")]  # noqa: UP045


@tasks_app.command("check")
def tasks_check(paths: Paths = None) -> None:
    """Validate task YAML, those files too that lm-eval would skip without a word."""
    from raml_eval.tasks.catalogue import tasks_dir
    from raml_eval.tasks.check import check_tasks

    problems = check_tasks(paths or [tasks_dir()])
    for problem in problems:
        print(f"{problem.path}: {problem.message}", file=sys.stderr)
    if problems:
        raise typer.Exit(2)
    print("no problems")


@board_app.command("add")
def leaderboard_add(
    board: Annotated[Path, typer.Argument(help="Board folder, such as leaderboards/pocket.")],
    run_dir: Annotated[Path, typer.Argument(help="Run directory to enter.")],
) -> None:
    """Enter a finished run; the board's README is rendered anew."""
    from raml_eval.reporting.leaderboard import add_entry, build_board
    from raml_eval.tables import load_run

    print(add_entry(board, load_run(run_dir)))
    print(build_board(board))


@board_app.command("build")
def leaderboard_build(board: Annotated[Path, typer.Argument(help="Board folder.")]) -> None:
    """Render the board's README from its entries."""
    from raml_eval.reporting.leaderboard import build_board

    print(build_board(board))


def _numbers(text: str | None) -> list[int] | None:
    from raml_eval.errors import ConfigError

    if text is None:
        return None
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise ConfigError(f"--k {text!r} is no list of numbers; wanted such as 1,8.") from None


def _write(path: Path, text: str) -> Path:
    from raml_eval.errors import ConfigError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text if text.endswith("\n") else f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}. Choose a writable --out.") from error
    return path


def main() -> None:
    """The command's entry: an error that a person can mend is one line and exit code 2."""
    from raml_eval.errors import RamlError

    try:
        app()
    except RamlError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
