"""The commands of `raml-eval export` that share results: model cards, every_eval_ever, the hub and experiment trackers."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raml_eval.cli.ending import stopping
from raml_eval.cli.options import Place, Text, Texts, place_option

if TYPE_CHECKING:
    from raml_eval.exporting.shared import Shared
    from raml_eval.exporting.trackers import Track

Run = Annotated[Path, typer.Argument(help="Run directory.")]
Runs = Annotated[list[Path], typer.Argument(help="Run directories.")]
Ks = Annotated[Text, typer.Option("--k", help="The k of pass@k and related metrics, by comma.")]
Project = Annotated[str, typer.Option(help="Project to log into.")]
Together = Annotated[
    Text,
    typer.Option(metavar="<name>", help="One run of that name, with a point for each run at its checkpoint's step."),
]
Redistribute = Annotated[
    Texts,
    typer.Option(
        metavar="<task=word>", help="yes, no or non_commercial, for a task that does not say whether it may be passed on."
    ),
]


def gather_run(path: Path, k: str | None = None) -> Shared:
    """The run of a directory with its numbers, and with the caveats that a report of it has."""
    from raml_eval.cli.results import read_numbers
    from raml_eval.exporting.shared import gather
    from raml_eval.reporting.footnotes import find_footnotes
    from raml_eval.reporting.raw import mark_row
    from raml_eval.tables import build_frame, frame_rows, load_run

    run = load_run(path)
    frame = build_frame([run], k=read_numbers(k))
    notes = find_footnotes([run], frame)
    marks = [mark_row(row, notes, [run]) for row in frame_rows(frame)]
    return gather(run, frame, [note.text for note in notes], marks)


def split_pairs(pairs: Sequence[str] | None, option: str) -> dict[str, str]:
    """The pairs TASK=VALUE of an option as a mapping. Raises ConfigError for one without a task, a sign or a value."""
    from raml_eval.errors import ConfigError

    found = {}
    for pair in pairs or ():
        task, sign, value = pair.partition("=")
        if not (task and sign and value):
            raise ConfigError(f"{option} is {pair!r}; wanted TASK=VALUE.")
        found[task] = value
    return found


def export_model_card(
    run: Run,
    out: Annotated[
        Path, place_option("A folder, which gets .eval_results/*.yaml; or FILE.yaml; or README.md, its model-index.")
    ],
    metric: Annotated[Texts, typer.Option(metavar="<metric>", help="avg@n if not given, or pass@8, ...; repeatable.")] = None,
    budget: Annotated[Texts, typer.Option(metavar="<budget>", help="Only this thinking budget; repeatable.")] = None,
    task_id: Annotated[
        Texts, typer.Option(metavar="<task=id>", help="The task_id of the data set's eval.yaml, if not our name; repeatable.")
    ] = None,
    model_id: Annotated[Text, typer.Option(help="The model's id on the hub, for a new README.")] = None,
    source_url: Annotated[
        Text, typer.Option(help="Address of the samples, such as a data set that `export hub` pushed.")
    ] = None,
    source_name: Annotated[Text, typer.Option(help="Name of that source.")] = None,
    percent: Annotated[bool, typer.Option("--percent", help="Write shares as percentages.")] = False,
    k: Ks = None,
) -> None:
    """Results for a model's page on the hub."""
    from raml_eval.exporting.model_card import (
        CardSettings,
        check_settings,
        left_out,
        write_eval_results,
        write_model_index,
    )
    from raml_eval.exporting.shared import check_publishable, choose_numbers

    ids = split_pairs(task_id, "--task-id")
    settings = CardSettings(ids, model_id or "", source_url, source_name, percent)
    shared = gather_run(run, k)
    check_settings(settings, list(shared.run.tasks))
    check_publishable(shared.run, "a model card")
    numbers = choose_numbers(shared, metric or (), budget or ())
    if out.suffix == ".md":
        if not out.exists():
            _note_name(shared, model_id)
        print(write_model_index(shared, numbers, out, settings))
        return
    for path in write_eval_results(shared, numbers, out, settings):
        print(path)
    if lacking := left_out(shared, numbers):
        print(f"note: left out {', '.join(lacking)}, whose data is not a data set of the hub", file=sys.stderr)


def _note_name(shared: Shared, model_id: str | None, so: str = "") -> None:
    """A note stands on stderr if the model may have lost its owner, or has none where so says what follows from that."""
    from raml_eval.exporting.public import model_name
    from raml_eval.redaction import may_be_hub_id

    name, known = model_name(shared.run), shared.run.manifest.get("model", {})
    unknown = may_be_hub_id(known)
    if model_id or ("/" in name and not known.get("adapter")) or not (unknown or so):
        return
    why = "the model has no owner"
    if unknown:
        why = f"the run does not say whether {known['name']} is an id of the hub or a folder, and it is published as {name}"
    print(f"note: {', '.join(filter(None, (why, so)))}. Name it: --model-id OWNER/NAME", file=sys.stderr)


def export_every_eval_ever(
    run: Run,
    out: Annotated[Path, place_option("A folder, which gets data/TASK/DEVELOPER/MODEL/UUID.json.")],
    organization: Annotated[str, typer.Option(help="Who evaluated.")] = "unknown",
    relationship: Annotated[
        str, typer.Option(help="Evaluator to model: first_party, third_party, collaborative or other.")
    ] = "other",
    availability: Annotated[str, typer.Option(help="open_weights, closed_weights or unknown.")] = "unknown",
    model_id: Annotated[Text, typer.Option(help="The model as OWNER/NAME.")] = None,
    samples: Annotated[bool, typer.Option("--samples", help="Also the samples of tasks whose rows may be passed on.")] = False,
    redistribute: Redistribute = None,
    k: Ks = None,
) -> None:
    """Results in the schema of Every Eval Ever, a JSON file for each task."""
    from raml_eval.exporting.dataset import Passing
    from raml_eval.exporting.every_eval_ever import Source, write_every_eval_ever
    from raml_eval.exporting.shared import check_publishable

    passing = Passing(split_pairs(redistribute, "--redistribute"))
    shared = gather_run(run, k)
    check_publishable(shared.run, "a record of every_eval_ever")
    passing.check(shared.run)
    source = Source(organization, relationship, availability, model_id or "")
    _note_name(shared, model_id, "so the records stand under unknown/")
    for path in write_every_eval_ever(shared, out, source, passing if samples else None):
        print(path)
    if samples and (withheld := sorted(passing.withheld(shared.run))):
        print(f"note: no samples of {', '.join(withheld)}, whose rows must not be passed on, or do not say", file=sys.stderr)


def export_hub(
    run: Run,
    repo_id: Annotated[str, typer.Argument(help="Data set to push to, OWNER/NAME.", metavar="REPO_ID")],
    private: Annotated[bool, typer.Option("--private", help="Make the data set a private one.")] = False,
    folder: Annotated[Place, place_option("Write the files here and push nothing.")] = None,
    redistribute: Redistribute = None,
    keep_model_text: Annotated[
        bool, typer.Option("--keep-model-text", help="Keep the model's text on questions that must not be passed on.")
    ] = False,
    k: Ks = None,
) -> None:
    """Push the run's samples to the hub as a data set.

    The token is that of HF_TOKEN, and HF_ENDPOINT says which hub. Questions and answers of a task are left out unless the
    task, or --redistribute, says that its rows may be passed on.
    """
    from raml_eval.exporting.dataset import Passing
    from raml_eval.exporting.hub import push_dataset, write_dataset

    passing = Passing(split_pairs(redistribute, "--redistribute"), keep_model_text)
    shared = gather_run(run, k)
    if folder is not None:
        for path in write_dataset(shared, repo_id, folder, passing):
            print(path)
        return
    with stopping("the hub may hold a new repository without files"):
        print(push_dataset(shared, repo_id, passing, private))


def _track(library: str, purpose: str, runs: Sequence[Path], k: str | None, together: str | None) -> list[Track]:
    """The tracks of the runs. A missing library is told before the runs are read, which may take long."""
    from raml_eval.exporting.libraries import need
    from raml_eval.exporting.trackers import build_tracks
    from raml_eval.store import read_manifest

    for path in runs:
        read_manifest(path / "manifest.json")
    need(library, library, purpose)
    return build_tracks([gather_run(path, k) for path in runs], together)


def _tell(places: Sequence[str]) -> None:
    for place in places:
        print(place)


def export_wandb(runs: Runs, project: Project = "raml-eval", together: Together = None, k: Ks = None) -> None:
    """Log the numbers to Weights & Biases; WANDB_MODE=offline keeps them here."""
    from raml_eval.exporting.trackers import log_wandb

    _tell(log_wandb(_track("wandb", "logging to W&B", runs, k, together), project))


def export_mlflow(
    runs: Runs,
    experiment: Annotated[str, typer.Option(help="Experiment to log into.")] = "raml-eval",
    uri: Annotated[
        Text, typer.Option(help="Tracking server or store, such as sqlite:///mlflow.db; MLflow's own if not given.")
    ] = None,
    together: Together = None,
    k: Ks = None,
) -> None:
    """Log the numbers to MLflow."""
    from raml_eval.exporting.trackers import log_mlflow

    _tell(log_mlflow(_track("mlflow", "logging to MLflow", runs, k, together), experiment, uri))


def export_tensorboard(
    runs: Runs,
    out: Annotated[Path, place_option("Log folder, which gets a folder for each run.")],
    together: Together = None,
    k: Ks = None,
) -> None:
    """Write the numbers as event files of TensorBoard."""
    from raml_eval.exporting.trackers import TENSORBOARD, log_tensorboard

    _tell(log_tensorboard(_track(*TENSORBOARD, runs, k, together), out))


def export_trackio(runs: Runs, project: Project = "raml-eval", together: Together = None, k: Ks = None) -> None:
    """Log the numbers to trackio on this machine; TRACKIO_DIR says where."""
    from raml_eval.exporting.trackers import log_trackio

    _tell(log_trackio(_track("trackio", "logging to trackio", runs, k, together), project))


COMMANDS: dict[str, Callable[..., Any]] = {
    "model-card": export_model_card,
    "every-eval-ever": export_every_eval_ever,
    "hub": export_hub,
    "wandb": export_wandb,
    "mlflow": export_mlflow,
    "tensorboard": export_tensorboard,
    "trackio": export_trackio,
}


def add_commands(app: typer.Typer) -> None:
    """The group has these commands."""
    for name, command in COMMANDS.items():
        app.command(name)(command)
