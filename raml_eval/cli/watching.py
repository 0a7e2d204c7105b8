"""`raml-eval watch`: evaluates the checkpoints of a training while it runs."""

from __future__ import annotations

import functools
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from raml_eval.cli.ending import UsageError, stopping
from raml_eval.cli.evaluate import read_settings, run
from raml_eval.cli.many import show_runs
from raml_eval.cli.options import Count, Number, Place, Text, place_option
from raml_eval.exits import ExitCode

if TYPE_CHECKING:
    from raml_eval.exporting.growing import Grown
    from raml_eval.watch import Alarm, Ending

GOES_ON = "what is evaluated is in the history, and the same command goes on from there"
_UNFIT = ("model", "adapter", "checkpoints", "steps", "until_decided", "gate", "looks", "dry_run", "shard")


class WatchCommand(TyperCommand):
    """The command, which says where an option of `run` must stand."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except UsageError as error:
            name = getattr(error, "option_name", None)
            if any(name in option.opts for option in _run_command(lambda **_: None).params):
                text = f"{name} is an option of run, and these stand after --, as in `raml-eval watch FOLDER -- {name} ...`"
                raise UsageError(text, ctx=ctx) from error
            raise


def _run_command(does: Callable[..., None]) -> Any:
    """The options of `raml-eval run` as a command that does something else with them."""
    parser = typer.Typer(rich_markup_mode=None, add_completion=False)
    parser.command("run")(functools.wraps(run)(does))
    return typer.main.get_command(parser)


def watch(
    folder: Annotated[Path, typer.Argument(help="Folder that a training writes its checkpoints to.")],
    settings: Annotated[list[str] | None, typer.Argument(help="After --: options of `raml-eval run`, with --out.")] = None,
    every: Annotated[int, typer.Option(min=1, help="Only steps that are multiples of this.")] = 1,
    ready_file: Annotated[
        Text, typer.Option(metavar="<name>", help="A checkpoint is whole once it holds this file, such as DONE.")
    ] = None,
    settle: Annotated[
        float, typer.Option(min=0, help="Without --ready-file: whole once its files have not changed for so many seconds.")
    ] = 30.0,
    order: Annotated[str, typer.Option(help="newest or oldest: which of several is evaluated first.")] = "newest",
    max_behind: Annotated[
        Count, typer.Option(min=0, help="Skip a checkpoint that more than so many whole ones are newer than.")
    ] = None,
    until_step: Annotated[Count, typer.Option(help="End when this step, or a later one, is in the history.")] = None,
    idle_timeout: Annotated[Number, typer.Option(min=0, help="End when nothing has changed for so many seconds.")] = None,
    poll: Annotated[float, typer.Option(min=0.05, help="Seconds between two looks at the folder.")] = 5.0,
    retry: Annotated[bool, typer.Option("--retry", help="Try those again that were broken or owe samples.")] = False,
    tensorboard: Annotated[Place, place_option("Log the numbers by step as event files into this log folder.")] = None,
    wandb: Annotated[Text, typer.Option(metavar="<project>", help="Log the numbers by step to this W&B project.")] = None,
    mlflow: Annotated[Text, typer.Option(metavar="<experiment>", help="Log them to this MLflow experiment.")] = None,
    mlflow_uri: Annotated[Text, typer.Option(help="Tracking server or store of MLflow; its own if not given.")] = None,
    trackio: Annotated[Text, typer.Option(metavar="<project>", help="Log them to this trackio project.")] = None,
    gate: Annotated[Place, place_option("YAML file of a gate that every checkpoint is judged by (docs/comparing.md).")] = None,
    against: Annotated[Place, place_option("Run directory that --gate compares with.", "<base run>")] = None,
    stop_on_regression: Annotated[
        bool, typer.Option("--stop-on-regression", help="End with exit code 1 once a regression is certain.")
    ] = False,
    signal_file: Annotated[Place, place_option("File to write once a regression is certain.")] = None,
    on_regression: Annotated[
        Text, typer.Option(metavar="<command>", help="Command to run then, without a shell: RAML_EVAL_STEP, RAML_EVAL_RUN.")
    ] = None,
) -> None:
    """Evaluate checkpoints as they appear, once each.

    A checkpoint is evaluated when it is whole. The same command goes on after a kill.
    """
    import asyncio
    from contextlib import closing

    from raml_eval.errors import ConfigError
    from raml_eval.watch import History, Watcher, WatchSettings
    from raml_eval.watch.arrivals import Arrivals

    if order not in ("newest", "oldest"):
        raise ConfigError(f"--order is {order!r}; wanted newest or oldest.")
    common, quiet, live = _run_settings(settings or ())
    alarm = _alarm(gate, against, {"--stop-on-regression": stop_on_regression, "--signal-file": signal_file,
                                   "--on-regression": on_regression}, signal_file, on_regression)  # fmt: skip
    out = Path(common["out"])
    grown = _trackers(out, tensorboard, wandb, (mlflow, mlflow_uri), trackio)
    watched = WatchSettings(
        Arrivals(folder, every, ready_file, settle), order, max_behind, until_step, idle_timeout,  # type: ignore[arg-type]
        poll, stop_on_regression, retry,
    )  # fmt: skip
    with closing(History(out)) as history, stopping(GOES_ON):
        track = functools.partial(_track, grown, history)
        watcher = Watcher(watched, history, functools.partial(_cell, common), alarm=alarm, track=track, quiet=quiet, live=live)
        ending = asyncio.run(watcher.run())
    _tell(ending, out, quiet, stop_on_regression)


def _tell(ending: Ending, out: Path, quiet: bool, stop_on_regression: bool) -> None:
    """The table of all runs is printed. Raises typer.Exit with the code of a regression or of what is owed."""
    from raml_eval.tables import load_run

    if ending.runs:
        show_runs([load_run(path) for path in ending.runs], out, quiet)
    if stop_on_regression and ending.regressed:
        print(f"a regression is certain; {out / 'history.jsonl'} says since which step", file=sys.stderr)
        raise typer.Exit(ExitCode.WORSE)
    if ending.owed:
        print(
            f"{len(ending.owed)} not evaluated ({'; '.join(ending.owed)}); the same command goes on, and with --retry "
            f"it tries again what is broken or owed.",
            file=sys.stderr,
        )
        raise typer.Exit(ExitCode.OWED)


def _run_settings(words: Sequence[str]) -> tuple[dict[str, Any], bool, bool]:
    """The settings of every run, whether nothing is printed, and whether --live is given, from the words after --."""
    from raml_eval.backends import check_library
    from raml_eval.errors import ConfigError
    from raml_eval.matrix import is_matrix
    from raml_eval.session import check_run

    given: dict[str, Any] = {}
    with _run_command(lambda **values: given.update(values)).make_context("raml-eval run", list(words)) as context:
        context.command.invoke(context)
    if unfit := next((name for name in _UNFIT if given.get(name)), None):
        raise ConfigError(
            f"--{unfit.replace('_', '-')} is no setting of a watch, which evaluates whole checkpoints as they come. Drop it."
        )
    settings = read_settings(given)
    settings.pop("model", None)  # a preset's
    if is_matrix(settings):
        raise ConfigError("a watch evaluates each checkpoint once, and a matrix is asked for. Start a watch for each value.")
    if not settings.get("out"):
        raise ConfigError("out is not given, so there is nowhere to write. Pass --out DIR after --.")
    config = _cell(settings, "checkpoint-1", Path("checkpoint-1")).config
    if config.backend == "openai_server":
        raise ConfigError(
            "--backend openai_server draws from the weights that its server holds, not from those that arrive. Choose hf."
        )
    check_run(config)  # what is wrong is refused now, not at the first checkpoint
    check_library(config.backend)
    return settings, bool(given["quiet"]), bool(given["live"])


def _cell(settings: Mapping[str, Any], name: str, model: Path) -> Any:
    from raml_eval.matrix import expand

    return expand({**settings, "model": {name: str(model)}})[0]


def _alarm(
    gate: Path | None, against: Path | None, signals: Mapping[str, Any], file: Path | None, command: str | None
) -> Alarm | None:
    """The gate with its base run. Raises ConfigError if one option lacks another."""
    from raml_eval.comparison import check_gate
    from raml_eval.errors import ConfigError
    from raml_eval.gate_file import load_gate
    from raml_eval.tables import load_run
    from raml_eval.watch import Alarm

    if gate is None or against is None:
        given = {"--gate": gate, "--against": against, **signals}
        if alone := next((name for name, value in given.items() if value), None):
            raise ConfigError(f"{alone} needs both --gate FILE and --against BASE_RUN. Add them, or leave it out.")
        return None
    rules = load_gate(gate)
    check_gate(rules)
    try:
        words = shlex.split(command or "")
    except ValueError as error:
        raise ConfigError(f"--on-regression {command!r} cannot be split into words ({error}). Quote it.") from None
    return Alarm(rules, load_run(against), file, words)


def _trackers(
    out: Path, tensorboard: Path | None, wandb: str | None, mlflow: tuple[str | None, str | None], trackio: str | None
) -> list[Grown]:
    """The trackers that were asked for. Raises ConfigError if a library is missing."""
    from raml_eval.exporting.growing import Grown, grow_mlflow, grow_tensorboard, grow_trackio, grow_wandb, need_tracker

    name = out.resolve().name
    asked = []
    if tensorboard is not None:
        asked.append(Grown("tensorboard", name, functools.partial(grow_tensorboard, out=tensorboard)))
    if wandb is not None:
        asked.append(Grown("wandb", name, functools.partial(grow_wandb, project=wandb)))
    if mlflow[0] is not None:
        asked.append(Grown("mlflow", name, functools.partial(grow_mlflow, experiment=mlflow[0], uri=mlflow[1])))
    if trackio is not None:
        asked.append(Grown("trackio", name, functools.partial(grow_trackio, project=trackio)))
    for one in asked:
        need_tracker(one.tracker)
    return asked


def _track(grown: Sequence[Grown], history: Any) -> None:
    """Every tracker has every checkpoint of the history. If one fails, that is told, and it is tried again with the next."""
    from raml_eval.cli.sharing import gather_run
    from raml_eval.errors import InputError
    from raml_eval.exporting.growing import Logged
    from raml_eval.wording import one_line

    if not grown:
        return
    logged = Logged(history.path.with_name("trackers.jsonl"))
    for line in history.of("done"):
        lacking = [one for one in grown if not logged.has(one.tracker, line["name"])]
        if not lacking:
            continue
        for one in lacking:
            try:
                shared = gather_run(history.path.parent / line["run"])
                one.add(shared, line["name"], line["step"])
                logged.end(one.tracker, line["name"])
            except InputError as error:
                print(one_line(f"warning: {error}"), file=sys.stderr)
