"""The numbers of runs in W&B, MLflow, TensorBoard and trackio, each through its own library, imported only when asked for."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raml_eval.errors import ConfigError, InputError, writing
from raml_eval.exporting.libraries import need
from raml_eval.exporting.markdown import markdown_table, setting_rows
from raml_eval.exporting.public import model_name, public_settings
from raml_eval.exporting.shared import Shared
from raml_eval.redaction import without_secrets
from raml_eval.tables import run_labels, step_of
from raml_eval.wording import one_line

if TYPE_CHECKING:
    import pandas as pd

TENSORBOARD = "tensorboard", "writing event files for TensorBoard"  # package, purpose


@dataclass(frozen=True, slots=True)
class Track:
    """What one run of a tracker gets: numbers by step, a table with a row for each number, and settings."""

    name: str
    points: Mapping[int, Mapping[str, float]]
    config: Mapping[str, Any]
    table: pd.DataFrame
    notes: tuple[str, ...]


def build_tracks(every: Sequence[Shared], together: str | None = None) -> list[Track]:
    """A track for each run; with together, one of that name with a point for each run at its checkpoint's step.

    A run whose checkpoint states no step stands at step 0. Raises InputError if together meets such a run or a step twice, and
    for a run that is given twice.
    """
    run_labels([shared.run for shared in every])  # raises if a run is given twice
    if together is None:
        names = _distinct([shared.run.name for shared in every])
        return [
            Track(name, {step_of(s.run) or 0: named(s)}, _config(s), _table([s]), s.notes)
            for name, s in zip(names, every, strict=True)
        ]
    steps = [step_of(shared.run) for shared in every]
    if (lacking := [shared.run.name for shared, step in zip(every, steps, strict=True) if step is None]) or not steps:
        raise InputError(
            f"run {lacking[0] if lacking else 'none'} has no step, which --together needs as its axis. Write step: N into "
            f"checkpoint.yaml beside the model before the run, or leave --together out."
        )
    known = [step for step in steps if step is not None]
    if twice := [step for step in known if known.count(step) > 1]:
        both = " and ".join(str(s.run.directory) for s, step in zip(every, known, strict=True) if step == twice[0])
        raise InputError(
            f"step {twice[0]} is that of {both}; --together wants one run for each step. Leave out all but one of them."
        )
    ordered = [shared for _, shared in sorted(zip(known, every, strict=True), key=lambda pair: pair[0])]
    points = {step: named(shared) for step, shared in sorted(zip(known, every, strict=True), key=lambda pair: pair[0])}
    notes = tuple(dict.fromkeys(f"{s.run.name}: {note}" for s in ordered for note in s.notes))
    return [Track(together, points, _shared_config(ordered), _table(ordered), notes)]


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, of which those that occur several times are numbered: a tracker would mix what bears one name.

    Example: _distinct(["a", "b", "a"]) == ["a", "b", "a-2"]
    """
    found: list[str] = []
    for name in names:
        again = (f"{name}-{number}" for number in count(2))
        found.append(next(one for one in chain([name], again) if one not in found))
    return found


def named(shared: Shared) -> dict[str, float]:
    """Every number that is given, by its key, with the ends of its interval beside it.

    Example: {"gsm8k/1024/avg@8": 0.5, "gsm8k/1024/avg@8/low": 0.4, "gsm8k/1024/avg@8/high": 0.6}
    """
    found: dict[str, float] = {}
    for number in shared.numbers:
        for ending, value in (("", number.value), ("/low", number.low), ("/high", number.high)):
            if value is not None:
                found[number.key + ending] = value
    return found


def _config(shared: Shared) -> dict[str, Any]:
    return {**public_settings(shared.run), "run": shared.run.name, "notes": list(shared.notes)}


def _shared_config(every: Sequence[Shared]) -> dict[str, Any]:
    """The settings that all runs have in common, and the names of the runs."""
    configs = [public_settings(shared.run) for shared in every]
    common = {key: value for key, value in configs[0].items() if all(one.get(key) == value for one in configs)}
    return {**common, "runs": [shared.run.name for shared in every]}


def _table(every: Sequence[Shared]) -> pd.DataFrame:
    """The frames below one another, with the step, and each row's caveats. The model has its public name."""
    import pandas as pd

    parts = []
    for shared in every:
        notes = ["; ".join(number.notes) for number in shared.numbers]
        part = shared.frame.assign(
            model=model_name(shared.run), engine=shared.frame["engine"].map(without_secrets), notes=notes
        )
        part.insert(0, "step", pd.Series([step_of(shared.run)] * len(part), dtype="Int64"))
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _cells(table: pd.DataFrame) -> list[list[Any]]:
    """The rows of the table as plain values, None where a number is not given."""
    from raml_eval.tables import frame_rows

    return [list(row.values()) for row in frame_rows(table)]


@contextlib.contextmanager
def telling(library: str, advice: str = "Check its server and its settings, and run the command again.") -> Iterator[None]:
    """What the library raises inside becomes one line that names it, and what it prints goes to stderr."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (KeyboardInterrupt, InputError):
        raise
    except Exception as error:
        why = str(without_secrets(" ".join(str(error).split())))
        raise InputError(f"{library} could not log the run ({type(error).__name__}: {why[:300]}). {advice}") from error


def log_wandb(tracks: Sequence[Track], project: str) -> list[str]:
    """Each track is a run of the W&B project. WANDB_MODE=offline keeps it on this machine. Returns where the runs are."""
    wandb = need("wandb", "wandb", "logging to W&B")
    places = []
    with telling("wandb"):
        for track in tracks:
            # Console and code would carry paths of this machine, and what else the terminal shows.
            bare = {**{f"x_disable_{what}": True for what in ("meta", "stats", "machine_info")}, "x_save_requirements": False}
            quiet = wandb.Settings(console="off", save_code=False, disable_git=True, disable_code=True, silent=True, **bare)
            run = wandb.init(project=project, name=track.name, config=dict(track.config), settings=quiet, reinit="create_new")
            for step, point in track.points.items():
                run.log(dict(point), step=step)
            table = wandb.Table(columns=list(track.table.columns), data=_cells(track.table), allow_mixed_types=True)
            run.log({"frame": table}, step=max(track.points))
            places.append(str(Path(run.dir).parent) if run.offline else run.url)
            run.finish()
    return places


def log_mlflow(tracks: Sequence[Track], experiment: str, uri: str | None) -> list[str]:
    """Each track is a run of the MLflow experiment, on the server or in the file store of uri. Returns the runs' ids.

    MLflow allows fewer characters in a name, so that avg@8 is avg_at_8.
    """
    mlflow = need("mlflow", "mlflow", "logging to MLflow")
    places = []
    with telling("mlflow"):
        if uri is not None:
            mlflow.set_tracking_uri(uri)
        keep_together(mlflow, experiment, uri)
        mlflow.set_experiment(experiment)
        for track in tracks:
            # MLflow would note the path of the running program.
            with mlflow.start_run(run_name=track.name, tags={"mlflow.source.name": "raml-eval"}) as run:
                names = mlflow_names(track.config)
                mlflow.log_params({names[key]: short_text(value) for key, value in track.config.items()})
                names = mlflow_names(
                    dict.fromkeys(chain.from_iterable(track.points.values()))
                )  # one key is one name at all steps
                for step, point in track.points.items():
                    mlflow.log_metrics({names[key]: value for key, value in point.items()}, step=step)
                mlflow.log_text(disarm_table(track.table).to_csv(index=False), "frame.csv")
                places.append(f"experiment {experiment}, run {run.info.run_id}")
    return places


def keep_together(mlflow: Any, experiment: str, uri: str | None) -> None:
    """A new experiment in an SQLite file of uri keeps its files beside that; MLflow would take the working directory."""
    place = (uri or "").removeprefix("sqlite:///")
    if place not in ("", uri) and mlflow.get_experiment_by_name(experiment) is None:
        mlflow.create_experiment(experiment, artifact_location=(Path(place).resolve().parent / "mlruns").as_uri())


def disarm_table(table: pd.DataFrame) -> pd.DataFrame:
    """The table with every name on one line, without characters that steer a terminal."""
    return table.map(lambda value: one_line(value) if isinstance(value, str) else value)


def mlflow_names(keys: Iterable[str]) -> dict[str, str]:
    """Each key in the characters that MLflow allows, numbered where two would come to one name.

    Example: mlflow_names(["gsm8k/1024/g_pass@8:0.5"]) == {"gsm8k/1024/g_pass@8:0.5": "gsm8k/1024/g_pass_at_8:0.5"}
    """
    every = list(keys)
    return dict(zip(every, _distinct([re.sub(r"[^\w\-. :/]", "_", key.replace("@", "_at_")) for key in every]), strict=True))


def short_text(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 6000 else text[:5999] + "…"  # MLflow refuses longer parameters


def log_tensorboard(tracks: Sequence[Track], out: Path) -> list[str]:
    """Each track is a folder of event files in out, with the numbers as scalars, and settings and table as text."""
    writers = need("tensorboard.summary.writer.event_file_writer", *TENSORBOARD)
    scalar = need("tensorboard.plugins.scalar.summary_v2", *TENSORBOARD).scalar_pb
    text = need("tensorboard.plugins.text.summary_v2", *TENSORBOARD).text_pb
    event = need("tensorboard.compat.proto.event_pb2", *TENSORBOARD).Event
    folders = [out / name for name in _distinct([re.sub(r"[^\w.@+-]+", "-", track.name) for track in tracks])]
    if taken := next((folder for folder in folders if folder.exists()), None):
        raise ConfigError(
            f"{taken} exists, and TensorBoard would mix its numbers with those. Remove it, or name another --out."
        )
    with telling("tensorboard", "Report it with the run's manifest."), writing(out):
        out.mkdir(parents=True, exist_ok=True)
        for track, folder in zip(tracks, folders, strict=True):
            writer = writers.EventFileWriter(str(folder))
            try:
                for step, point in track.points.items():
                    for key, value in point.items():
                        writer.add_event(event(step=step, summary=scalar(key, value)))
                last = max(track.points)
                writer.add_event(event(step=last, summary=text("settings", markdown_table(setting_rows(track.config)))))
                writer.add_event(
                    event(step=last, summary=text("frame", markdown_table([list(track.table), *_cells(track.table)])))
                )
            finally:
                writer.close()
    return [str(folder) for folder in folders]


def log_trackio(tracks: Sequence[Track], project: str) -> list[str]:
    """Each track is a run of the local trackio project (TRACKIO_DIR says where). Returns the runs' names."""
    trackio = need("trackio", "trackio", "logging to trackio")
    places = []
    with telling("trackio"):
        for track in tracks:
            run = trackio.init(
                project=project, name=track.name, config=dict(track.config), embed=False, auto_log_gpu=False, auto_log_cpu=False
            )
            for step, point in track.points.items():
                run.log(dict(point), step=step)
            run.log({"frame": trackio.Table(dataframe=track.table)}, step=max(track.points))
            trackio.finish()  # a run that only finishes itself would be finished once more at exit
            places.append(f"project {project}, run {run.name}")
    return places
