"""Adds the numbers of one checkpoint to a tracker's run that grows with the training, at the training step.

What was added is kept in a file of its own (Logged), because a tracker cannot always say it. After a kill between the two,
TensorBoard and MLflow are asked whether they have the point; W&B and trackio may get the same numbers at the same step again.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raml_eval.exporting.libraries import need
from raml_eval.exporting.shared import Shared
from raml_eval.exporting.trackers import Track, build_tracks, keep_together, log_tensorboard, mlflow_names, short_text, telling
from raml_eval.store.journal import cut_torn_line, encode_line, read_lines

STEP = "training_step"  # the axis of the numbers in W&B, which drops a point whose own step is below that of an earlier one
_OF_ONE = re.compile(r"run$|notes$|step$|created$|ended$|(model|checkpoint)\.")  # settings that differ between checkpoints


_PURPOSES = {
    "tensorboard": "event files for TensorBoard",
    "mlflow": "logging to MLflow",
    "wandb": "logging to W&B",
    "trackio": "logging to trackio",
}


def need_tracker(tracker: str) -> Any:
    """The tracker's library, imported now. Raises ConfigError with the command that installs it if it is missing."""
    return need(tracker, tracker, _PURPOSES[tracker])


@dataclass(frozen=True, slots=True)
class Grown:
    """A tracker's run of that name, to which grow adds a track with one point."""

    tracker: str
    name: str
    grow: Callable[..., None]

    def add(self, shared: Shared, key: str, step: int) -> None:
        """The tracker has the run's numbers at the step. key names the point. InputError if the library refuses."""
        (track,) = build_tracks([shared])
        (point,) = track.points.values()
        config = {name: value for name, value in track.config.items() if not _OF_ONE.match(name)}
        self.grow(replace(track, name=self.name, points={step: point}, config=config), key=key)


class Logged:
    """Which points each tracker has, by the lines of a file. begin and end are on the disk when they return."""

    def __init__(self, path: Path) -> None:
        self.path = path
        cut_torn_line(path)
        self._done = {(line.get("tracker"), line.get("name")) for _, line in read_lines(path) if line.get("state") == "logged"}

    def has(self, tracker: str, key: str) -> bool:
        return (tracker, key) in self._done

    def end(self, tracker: str, key: str) -> None:
        """The point counts as logged."""
        with self.path.open("ab", buffering=0) as file:
            file.write(encode_line({"tracker": tracker, "name": key, "state": "logged"}))
        self._done.add((tracker, key))


def grow_tensorboard(track: Track, key: str, out: Path) -> None:
    """The folder out/NAME has an event file whose name ends in the key, and never a part of it."""
    folder = out / track.name
    ending = re.sub(r"[^\w.+-]+", "-", key)
    need_tracker("tensorboard")
    with telling("tensorboard"):
        if any(folder.glob(f"events.*.{ending}")):
            return
        beside = folder / ".unfinished"
        if beside.exists():
            shutil.rmtree(beside)
        (written,) = log_tensorboard([replace(track, name="point")], beside)
        (file,) = Path(written).iterdir()
        file.rename(folder / f"{file.name}.{ending}")  # its time comes first: TensorBoard reads on by name
        shutil.rmtree(beside)


def grow_mlflow(track: Track, key: str, experiment: str, uri: str | None) -> None:
    """The MLflow experiment's run of that name has the point, once."""
    mlflow = need_tracker("mlflow")
    ((step, point),) = track.points.items()
    with telling("mlflow"):
        if uri is not None:
            mlflow.set_tracking_uri(uri)
        keep_together(mlflow, experiment, uri)
        chosen = mlflow.set_experiment(experiment)
        client = mlflow.MlflowClient()
        mine = f"tags.`raml_eval.watch` = '{track.name}'"
        found = client.search_runs([chosen.experiment_id], mine, max_results=1)
        new = {"run_name": track.name, "tags": {"mlflow.source.name": "raml-eval", "raml_eval.watch": track.name}}
        with mlflow.start_run(**({"run_id": found[0].info.run_id} if found else new)) as run:
            if not found:
                named = mlflow_names(track.config)
                mlflow.log_params({named[setting]: short_text(value) for setting, value in track.config.items()})
            names = mlflow_names(point)
            first = next(iter(names.values()))
            if any(metric.step == step for metric in client.get_metric_history(run.info.run_id, first)):
                return
            mlflow.log_text(track.table.to_csv(index=False), f"frames/{key}.csv")
            mlflow.log_metrics({names[number]: value for number, value in point.items()}, step=step)


def grow_wandb(track: Track, key: str, project: str) -> None:
    """The W&B project's run of that name has the point, with training_step as its axis."""
    wandb = need_tracker("wandb")
    ((step, point),) = track.points.items()
    with telling("wandb"):
        bare = {**{f"x_disable_{what}": True for what in ("meta", "stats", "machine_info")}, "x_save_requirements": False}
        quiet = wandb.Settings(console="off", save_code=False, disable_git=True, disable_code=True, silent=True, **bare)
        own = hashlib.sha256(f"{project}/{track.name}".encode()).hexdigest()[:16]
        run = wandb.init(
            project=project, name=track.name, id=own, resume="allow", config=dict(track.config), settings=quiet,
            reinit="create_new",
        )  # fmt: skip
        run.define_metric("*", step_metric=STEP)
        run.log({**point, STEP: step})
        run.finish()


def grow_trackio(track: Track, key: str, project: str) -> None:
    """The trackio project's run of that name has the point."""
    trackio = need_tracker("trackio")
    ((step, point),) = track.points.items()
    with telling("trackio"):
        run = trackio.init(
            project=project, name=track.name, config=dict(track.config), resume="allow", embed=False, auto_log_gpu=False,
            auto_log_cpu=False,
        )  # fmt: skip
        run.log(dict(point), step=step)
        trackio.finish()
