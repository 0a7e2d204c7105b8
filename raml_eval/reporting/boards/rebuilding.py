"""Makes entries again from their runs, and finds which run each entry was made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.errors import InputError
from raml_eval.manifest import flatten
from raml_eval.model_faults import show_value
from raml_eval.redaction import public_model
from raml_eval.reporting.boards.board import Board
from raml_eval.reporting.boards.entering import make_entry, public_run
from raml_eval.reporting.boards.entry import Entry, RunEntry, read_entry, validate
from raml_eval.reporting.boards.rules import Placed, same_questions
from raml_eval.types import StoredRun


@dataclass(frozen=True, slots=True)
class Origin:
    """What tells which entry a run is behind: its name, its model, and the fingerprint of the checkpoint if it is known."""

    run: str
    model: str
    fingerprint: str | None

    @staticmethod
    def of(manifest: Mapping[str, Any]) -> Origin:
        """The origin that a run's manifest tells."""
        model = manifest["model"]
        return Origin(public_run(str(manifest.get("name"))), public_model(model), model.get("fingerprint"))

    @staticmethod
    def of_run(run: StoredRun) -> Origin:
        """The origin of a run that was read."""
        return Origin.of({**run.manifest, "name": run.name})

    def is_of(self, entry: RunEntry) -> bool:
        """True if the entry is one of this run's model: of its checkpoint, or of its name."""
        return entry.model == self.model or (self.fingerprint is not None and entry.fingerprint == self.fingerprint)


def read_sound(folder: Path) -> list[Placed]:
    """The entries of a board's folder that can be read, with their files."""
    found: list[Placed] = []
    for path in sorted((folder / "entries").glob("*.json")):
        try:
            found.append((path, read_entry(path)))
        except InputError:  # which `check` tells
            continue
    return found


def match_origins(entries: Iterable[tuple[Path, Entry]], origins: Sequence[Origin]) -> dict[int, tuple[Path, RunEntry]]:
    """By the place of each run that is behind an entry, that entry with its file.

    These are the runs of the entry's model that have the name of its run. If none has, all of the model's are, and the
    comparison says that their names differ: otherwise an entry would escape it under another run's name.
    """
    found: dict[int, tuple[Path, RunEntry]] = {}
    for path, entry in entries:
        if isinstance(entry, RunEntry):
            of_model = [place for place, origin in enumerate(origins) if origin.is_of(entry)]
            named = [place for place in of_model if origins[place].run == entry.run]
            found |= dict.fromkeys(named or of_model, (path, entry))
    return found


def check_rebuilt(run: StoredRun, board: Board, path: Path, entry: RunEntry) -> None:
    """Raises InputError, which names the first difference, if the entry in path is not the one that the run gives."""
    made = validate(make_entry(run, board), f"run {run.name}")
    assert isinstance(made, RunEntry)
    if difference := first_difference(entry, made):
        raise InputError(f"{path} is not what run {run.name} gives: {difference}. Delete it, and add the run again.")


def first_difference(entry: RunEntry, made: RunEntry) -> str:
    """What an entry says otherwise than that which was made again of its run; empty if nothing.

    The numbers are left out: they follow from the counts, and their last digits differ from machine to machine. So is the
    model's name, which `leaderboard add --name` chooses.
    """
    for name in ("backend", "grader_version", "n_samples", "limit", "run"):
        if (met := getattr(entry, name)) != (right := getattr(made, name)):
            return f"{name} is {show_value(met)}, and {show_value(right)} in the run"
    kept, new = flatten(entry.protocol), flatten(made.protocol)
    for key in sorted(kept.keys() | new.keys()):
        if kept.get(key) != new.get(key):
            return f"{key} is {show_value(kept.get(key))}, and {show_value(new.get(key))} in the run"
    if tasks := [task for task, asked in made.questions.items() if not same_questions(asked, entry.questions.get(task))]:
        return f"it has other questions of {', '.join(tasks)}"
    counts = {(cell.task, cell.budget): cell for cell in entry.counts}
    for right_cell in made.counts:
        met_cell = counts[right_cell.task, right_cell.budget]
        for name in type(right_cell).model_fields:
            met, right = getattr(met_cell, name), getattr(right_cell, name)
            if met != right:
                at = next(i for i, (one, other) in enumerate(zip(met, right, strict=True)) if one != other)
                asked = f"{right_cell.task}/{made.questions[right_cell.task].ids[at]} at {right_cell.budget}"
                return f"{name} of {asked} is {met[at]}, and {right[at]} in the run"
    others = [name for name in ("checkpoint", "engine", "caveats", "origin") if getattr(entry, name) != getattr(made, name)]
    if tasks := [task for task, asked in made.questions.items() if entry.questions[task] != asked]:
        others.append(f"chance level of {', '.join(tasks)}")
    return f"its {', '.join(others)} {'is' if len(others) == 1 else 'are'} not the run's" if others else ""
