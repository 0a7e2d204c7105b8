"""Loads a run directory for tables: the samples as columns, from the cache if it holds, and the rest when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path

from raml_eval.answer_classes import Answers, Classes, complete_classes, with_classes
from raml_eval.errors import StoreError
from raml_eval.grading import GRADER_VERSION
from raml_eval.lazy import LazyMapping, LazyRecords
from raml_eval.manifest import Manifest
from raml_eval.store import read_manifest, read_run
from raml_eval.store.cache import Kept, keep, read_kept, state_of
from raml_eval.store.directory import ReadState, build_run, read_classes, read_questions
from raml_eval.store.failures import read_owed
from raml_eval.store.grades import read_layers
from raml_eval.store.lean import present, read_lean
from raml_eval.types import Question, QuestionKey, StoredRun


def load_lean(directory: Path | str) -> StoredRun:
    """The run of a directory, of which records, trajectories and classes are read when somebody asks for them.

    Raises StoreError and CorruptStore as read_run does, but for token ids and texts of trajectories, which are not looked at
    before they are asked for.
    """
    path = Path(directory)
    manifest = read_manifest(path / "manifest.json")
    state = state_of(path, GRADER_VERSION)
    questions = read_questions(path, manifest)
    kept = read_kept(path, state)
    if kept is None:
        kept = _count(path, manifest, questions)
        keep(path, state, kept)
    whole = _Whole(path, len(kept.samples))
    return build_run(
        path,
        manifest,
        questions=questions,
        records=LazyRecords(kept.samples, lambda: whole.run.records),
        trajectories=LazyMapping(lambda: whole.run.trajectories),
        classes=LazyMapping(lambda: whole.run.classes),
        n_errors=kept.n_errors,
        grader_versions=kept.grader_versions,
    )


def load_drawn(directory: Path, form: Callable[[Answers, Mapping[QuestionKey, Question], Classes], Classes]) -> StoredRun:
    """The run of a directory whose session has drawn everything, with the classes that form makes of the answers.

    Records and trajectories are read when somebody asks for them, and are then those of now, whatever is added later. form
    gets the graded answers, the questions, and the classes that are stored.
    """
    manifest = read_manifest(directory / "manifest.json")
    questions, layers = read_questions(directory, manifest), read_layers(directory)
    lean = read_lean(directory, manifest)
    classes = form(lean.collector.answers, questions, read_classes(directory))
    samples, owed = lean.samples(classes), read_owed(directory)
    state = ReadState(len(samples), lean.n_trajectories, layers)
    whole = _Whole(directory, len(samples), state)
    return build_run(
        directory,
        manifest,
        questions=questions,
        records=LazyRecords(samples, lambda: whole.run.records),
        trajectories=LazyMapping(lambda: whole.run.trajectories),
        classes=classes,
        n_errors=len(owed) - len(present(samples, owed)),
        grader_versions=lean.grader_versions,
    )


def _count(path: Path, manifest: Manifest, questions: dict[QuestionKey, Question]) -> Kept:
    """What tables read of the samples, from the lines themselves."""
    lean = read_lean(path, manifest)
    samples = lean.samples(complete_classes(lean.collector.answers, questions, read_classes(path)))
    owed = read_owed(path)
    return Kept(samples, lean.words, lean.grader_versions, len(owed) - len(present(samples, owed)))


class _Whole:
    """The whole run, read at its first use; with a state, as it was then."""

    def __init__(self, path: Path, n_samples: int, state: ReadState | None = None) -> None:
        self.path, self.n_samples, self.state = path, n_samples, state

    @cached_property
    def run(self) -> StoredRun:
        run = read_run(self.path, state=self.state)
        if len(run.records) != self.n_samples:
            raise StoreError(
                f"{self.path / 'samples.jsonl'} holds {len(run.records)} samples now and held {self.n_samples} when this "
                f"command began to read it: the run is being drawn. Try again."
            )
        return with_classes(run) if self.state is None else run
