"""`raml-eval diagnose`: what happens along the trajectories of a stored run."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from functools import partial
from hashlib import file_digest
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raml_eval.cli.curving import pseudo_gradient
from raml_eval.cli.engines import engine_changes
from raml_eval.cli.landscape import landscape
from raml_eval.cli.options import Count, Place, Text, Texts, place_option
from raml_eval.cli.pruning import RULES, pruning
from raml_eval.cli.roles import token_roles
from raml_eval.errors import CorruptStore
from raml_eval.exits import ExitCode
from raml_eval.wording import one_line

if TYPE_CHECKING:
    from raml_eval.diagnostics.folder import OtherSettings

app = typer.Typer(
    rich_markup_mode=None,
    help="Analyse what happens along the trajectories of a stored run.",
    no_args_is_help=True,
)


@app.callback()
def _diagnose() -> None:
    """Analyse what happens along the trajectories of a stored run."""  # a callback keeps a single command's name


@app.command()
def statistics(
    run: Annotated[Path, typer.Argument(help="Run directory, drawn or imported.")],
    out: Annotated[Place, place_option("Folder for the diagnoses; RUN/diagnostics, which reports read, if not given.")] = None,
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Only this task; repeatable.")] = None,
    limit: Annotated[Count, typer.Option(min=1, help="At most this many questions of each task.")] = None,
    model: Annotated[
        Text, typer.Option(help="Where the checkpoint that drew the run lies now; only its tokenizer is loaded.")
    ] = None,
    quiet: Annotated[bool, typer.Option(help="No progress, as for the other diagnoses; this one shows none anyway.")] = False,
) -> None:
    """What the stored thinking shows, without an engine.

    Lengths by verdict and within questions, where the gold first stands, changes of the answer, loops and scripts.
    """
    from raml_eval.diagnostics.folder import PLACE
    from raml_eval.diagnostics.statistics import diagnose_statistics

    print(_shown(diagnose_statistics(run, out or run / PLACE, tuple(task or ()), limit, model)))


def _shown(folder: Path) -> str:
    """What a terminal shows of a diagnosis that was made, and where it lies."""
    from raml_eval.reporting.diagnosed import render_diagnosis

    return f"{render_diagnosis(folder)}\n{folder}"


app.command("pseudo-gradient")(pseudo_gradient)
app.command("token-roles")(token_roles)
app.command()(pruning)
app.command()(landscape)


@app.command("all")
def diagnose_all(
    run: Annotated[Path, typer.Argument(help="Run directory, drawn or imported.")],
    by: Annotated[
        Texts, typer.Option(metavar="<rule>", help="A rule of pruning; no-reflections and no-repeats if none is.")
    ] = None,
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Only this task; repeatable.")] = None,
    limit: Annotated[Count, typer.Option(min=1, help="With an engine, at most this many questions of each task.")] = None,
    samples: Annotated[
        Count, typer.Option(min=1, help="At most this many samples of each question, but for statistics and the landscape.")
    ] = None,
    model: Annotated[Text, typer.Option(help="Where the checkpoint that drew the run lies now.")] = None,
    backend: Annotated[Text, typer.Option(help="The engine; the run's own if not given. The landscape takes hf.")] = None,
    backend_arg: Annotated[Texts, typer.Option(metavar="<key=value>", help="An argument of the engine; repeatable.")] = None,
    out: Annotated[Place, place_option("Folder for the diagnoses; RUN/diagnostics, which reports read, if not given.")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
) -> None:
    """Each of them in turn, by its defaults.

    The options are checked before the first begins, and the last lines say what was made, up to date, kept or left out, and
    why. What is up to date is not shown again. One that was made before under other settings is kept. An imported run has only
    statistics. Exit code 2 if one was refused and 4 if one owes something; the others are made.
    """
    from raml_eval.diagnostics.folder import PLACE

    rules = by or list(RULES)
    place = out or run / PLACE
    own = _check_options(run, rules, task, model, backend, backend_arg, place)
    shared: dict[str, Any] = {"model": model, "out": out, "quiet": quiet}
    engine: dict[str, Any] = {"backend": backend, "backend_arg": backend_arg}
    chosen: dict[str, Any] = {"task": task, "limit": limit, "samples": samples}
    on_hf: dict[str, Any] = {"backend": "hf", "backend_arg": backend_arg if (backend or own) == "hf" else None, "task": task}
    made: dict[str, Callable[[], object]] = {
        "statistics": partial(statistics, run, out, task, None, model if own else None),
        "pseudo-gradient": partial(pseudo_gradient, run, **shared, **engine, **chosen),
        "token-roles": partial(token_roles, run, **shared, **engine, **chosen),
        "pruning": partial(pruning, run, rules, **shared, **engine, **chosen),
        "landscape": partial(landscape, run, **shared, **on_hf),
    }
    imported = "left out, because the run was imported, so its model is not known"
    endings = {
        kind: _try(kind, run, place / kind, diagnose) if own or kind == "statistics" else (ExitCode.DONE, imported)
        for kind, diagnose in made.items()
    }
    for kind, (_, told) in endings.items():
        print(one_line(f"{kind}: {told}"))
    if worst := {code for code, _ in endings.values()} - {ExitCode.DONE}:
        raise typer.Exit(min(worst))


def _check_options(
    run: Path, rules: Sequence[str], task: Texts, model: Text, backend: Text, backend_arg: Texts, place: Path
) -> str:
    """The engine that drew the run; empty if it was imported. Raises what any of the diagnoses would raise for an option.

    Nothing is written but the folder for the diagnoses.
    """
    from raml_eval.backends import check_library, check_name
    from raml_eval.diagnostics.model import load_run_model
    from raml_eval.diagnostics.pruning.rules import SUMMARY, parse_rules
    from raml_eval.errors import ConfigError, choose_names, writing
    from raml_eval.servers import check_settings
    from raml_eval.store.seeking import RunReader

    if SUMMARY in {rule.name for rule in parse_rules(rules)}:
        raise ConfigError(
            "--by summary needs a model of its own, which diagnose all does not take. Leave it out, and run "
            "`raml-eval diagnose pruning RUN --by summary --summarizer MODEL`."
        )
    changes = engine_changes(model, backend, backend_arg)
    if backend:
        check_name(backend)
        check_library(backend)
    with RunReader(run) as reader:
        choose_names("task", task or (), reader.manifest["tasks"])
        imported = reader.manifest.get("imported") is not None
        if not imported:
            config = load_run_model(reader, changes).config
            if backend or backend_arg:
                check_settings(config)
            if config.backend == "hf" and backend_arg:
                from raml_eval.backends.hf_model import HfArgs  # torch, which takes seconds

                HfArgs.parse(config.backend_args)
    with writing(place):
        place.mkdir(parents=True, exist_ok=True)
    return "" if imported else str(reader.manifest["config"]["backend"])


def _try(kind: str, run: Path, folder: Path, diagnose: Callable[[], object]) -> tuple[ExitCode, str]:
    """How the diagnosis would end as a command of its own, and what its last line says; why it was refused is told at once."""
    from raml_eval.diagnostics.folder import OtherSettings
    from raml_eval.errors import GaveUp, RamlError

    before, shown = _state(folder), StringIO()
    try:
        with redirect_stdout(shown):
            diagnose()
    except OtherSettings as error:
        return _tell_other(kind, run, folder, error)
    except RamlError as error:
        print(one_line(f"error: {kind} is left out: {error}"), file=sys.stderr)
        code = ExitCode.OWED if isinstance(error, GaveUp) else ExitCode.UNUSABLE
        return code, f"left out: {error}"
    except typer.Exit as leaving:
        code = ExitCode(leaving.exit_code)
        return code, f"not complete in {folder}: it owes what failed; the same command retries it"
    finally:
        is_new = before is None or _state(folder) != before
        print(shown.getvalue() if is_new else "", end="")
    return ExitCode.DONE, f"{'made' if is_new else 'up to date'} in {folder}"


def _state(folder: Path) -> tuple[Mapping[str, Any], dict[str, int], dict[str, str]] | None:
    """What a complete diagnosis was made of, the sizes of its journals, which only grow, and digests of what it shows.

    None if it is not complete.
    """
    from raml_eval.diagnostics.folder import read_about

    try:
        about = read_about(folder / "diagnosis.json")
    except CorruptStore:
        return None
    if about is None or not about["complete"]:
        return None
    journals = {path.name: path.stat().st_size for path in folder.glob("*.jsonl")}
    return about, journals, {path.name: _digest(path) for path in [folder / "section.json", *folder.glob("*.parquet")]}


def _digest(path: Path) -> str:
    """The digest of a file's bytes; empty if it is not there."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _tell_other(kind: str, run: Path, folder: Path, error: OtherSettings) -> tuple[ExitCode, str]:
    """A complete diagnosis of the run as it is now is kept, whatever its settings; what is wrong with any other is told."""
    from raml_eval.reporting.diagnosed import why_not_shown
    from raml_eval.store.stamp import stamp_samples

    why = why_not_shown(error.about, stamp_samples(run), str(run))
    if not why:
        return ExitCode.DONE, f"kept in {folder}, made before under other settings: {'; '.join(error.differences)}"
    print(one_line(f"error: {kind} is left out: {error}"), file=sys.stderr)
    return ExitCode.UNUSABLE, f"left out: {error} Besides, {why}"
