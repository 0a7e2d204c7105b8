"""Gives the stored answers of a run new verdicts, and keeps them in a layer of grades."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from raml_eval.answer_classes import graded_answers, lacking_classes
from raml_eval.errors import ConfigError, StoreError, choose_names
from raml_eval.grading import GRADER_VERSION, KINDS
from raml_eval.grading.pool import usable_cores
from raml_eval.manifest import now
from raml_eval.progress import Progress, Stopwatch
from raml_eval.regrade.crew import Answer, Chunk, Crew, split_answers
from raml_eval.sandbox.trial import open_sandbox
from raml_eval.store import RunDirectory, read_run
from raml_eval.store.grades import Change, Layer, change_of, read_layers, write_layer
from raml_eval.store.lines import read_grade
from raml_eval.store.manifest_file import read_manifest
from raml_eval.types import Grade, Question, QuestionKey, SampleId, SampleRecord, StoredRun

TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Regrading:
    """The result of a regrading. run holds the verdicts from before; changes pairs its records with their new verdicts.

    failed says why a record kept its verdict. layer is the file that keeps the changes; it is None for a dry run, and if the
    verdicts were already known to be this grader's. seconds holds the seconds of each part.
    """

    run: StoredRun
    grader_version: str
    tasks: tuple[str, ...]
    n_graded: int
    changes: tuple[tuple[SampleRecord, Grade], ...]
    failed: tuple[tuple[SampleRecord, str], ...]
    layer: Path | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)


def regrade_run(
    directory: Path,
    *,
    grader_version: str | None = None,
    tasks: Sequence[str] = (),
    workers: int | None = None,
    timeout_s: float | None = None,
    allow_unsafe_code: bool = False,
    dry_run: bool = False,
    quiet: bool = False,
) -> Regrading:
    """The stored answers are graded again. If a verdict or its grader changed, a new layer of grades is on the disk.

    Only the installed grader can grade; grader_version refuses any other. workers counts processes, and defaults to one per
    usable core. timeout_s is in seconds per comparison, and defaults to the run's own. The run stays unchanged until
    everything is graded, and a dry run writes nothing. Raises ConfigError for another grader's version, for an unknown task,
    and for programs without a sandbox unless allow_unsafe_code is set; StoreError as read_run does.

    Example: regrade_run(Path("runs/mine"), dry_run=True).changes
    """
    _check_version(grader_version)
    read_manifest(directory / "manifest.json")  # before the lock, which would leave a file in a folder that is no run
    lock = None if dry_run else RunDirectory(directory)
    try:
        watch = Stopwatch()
        with watch("reading"):
            run = read_run(directory, drawn=False)
        chosen = choose_names("task", tasks, run.tasks)
        records = [record for record in run.records if record.key.task in chosen]
        if any(KINDS[run.tasks[name].grader].needs_sandbox for name in chosen):
            open_sandbox(allow_unsafe_code)
        limit_s = timeout_s or run.manifest["config"].get("grading", {}).get("timeout_s") or TIMEOUT_S
        with Crew(workers or usable_cores(), limit_s, allow_unsafe_code) as crew:
            with watch("grading"), Progress(len(records), quiet=quiet) as progress:
                changes, failed = _grade_all(crew, run.questions, records, progress)
            done = Regrading(run, GRADER_VERSION, chosen, len(records), tuple(changes), tuple(failed), None, watch.seconds)
            if lock is None:
                return done
            layer, is_new = _layer_of(done, read_layers(directory), limit_s)
            if layer is None:
                return done
            with watch("classes"):
                classes = _form_classes(crew, done) if is_new else None
        with watch("writing"):
            path = _write(lock, layer, classes)
        return replace(done, layer=path if is_new else None)
    finally:
        if lock is not None:
            lock.close()


def _check_version(wanted: str | None) -> None:
    if wanted not in (None, GRADER_VERSION):
        raise ConfigError(
            f"--grader-version is {wanted}, but the installed grader is version {GRADER_VERSION}. Only the installed one can "
            f"grade: install the raml-eval whose raml_eval.grading.GRADER_VERSION is {wanted}, or drop the flag."
        )


def _grade_all(
    crew: Crew, questions: Mapping[QuestionKey, Question], records: Sequence[SampleRecord], progress: Progress
) -> tuple[list[tuple[SampleRecord, Grade]], list[tuple[SampleRecord, str]]]:
    """The records whose verdict changed, and those that could not be graded, in the order of the records."""
    by_answer: dict[QuestionKey, dict[Answer, list[int]]] = {}
    for position, record in enumerate(records):
        given = by_answer.setdefault((record.key.task, record.key.question_id), {})
        given.setdefault((record.answer, record.answer_finish), []).append(position)
    verdicts: dict[int, Grade | str] = {}
    chunks: list[Chunk] = []
    for key, given in by_answer.items():
        if key in questions:
            chunks += split_answers(questions[key], given)
        else:
            lost = f"question {'/'.join(key)} is not among the run's planned questions"
            verdicts |= {position: lost for positions in given.values() for position in positions}
    for chunk, replies in crew.grade(chunks):
        given = by_answer[chunk.question.task, chunk.question.id]
        for answer, fields in zip(chunk.answers, replies, strict=True):
            verdict = str(fields["error"]) if "error" in fields else read_grade(fields)
            verdicts |= dict.fromkeys(given[answer], verdict)
            progress.advance(len(given[answer]), errors=len(given[answer]) if "error" in fields else 0)
    graded = [(record, verdicts[position]) for position, record in enumerate(records)]
    changes = [(record, verdict) for record, verdict in graded if isinstance(verdict, Grade) and verdict != record.grade]
    return changes, [(record, verdict) for record, verdict in graded if isinstance(verdict, str)]


def _layer_of(done: Regrading, layers: Sequence[Layer], timeout_s: float) -> tuple[Layer | None, bool]:
    """The layer to write, and whether it is a new one.

    A regrading that changes nothing adds no file, unless it confirms the verdicts of another grader. If the last layer has
    the same grader and tasks, the regrading is noted there. If older layers of this grader cover every sample, nothing is
    written.
    """
    layer = Layer(
        number=1 + max((layer.number for layer in layers), default=0),
        grader_version=done.grader_version,
        created=now(),
        n_graded=len(done.run.records),
        changes={(record.key, record.budget): change_of(record, grade) for record, grade in done.changes},
        tasks=None if set(done.tasks) == set(done.run.tasks) else done.tasks,
        timeout_s=timeout_s,
        failed={(record.key, record.budget): reason for record, reason in done.failed},
        n_sessions=len(done.run.manifest["sessions"]),
    )
    last = layers[-1] if layers else None
    if done.changes:
        return layer, True
    if last is None:
        return (None, False) if done.run.grader_versions == (layer.grader_version,) else (layer, True)
    if (last.grader_version, last.tasks) == (layer.grader_version, layer.tasks):
        kept = _kept(last, done.run)
        return replace(layer, number=last.number, created=last.created, verified=layer.created, changes=kept), False
    return (layer, True) if _adds(layer, layers, done.run) else (None, False)


def _kept(layer: Layer, run: StoredRun) -> dict[SampleId, Change]:
    """The layer's changes without those of samples that were drawn again, which must not get their old verdicts back."""
    redrawn = {(record.key, record.budget) for record in run.records if layer.change_for(record) is None}
    return {sample: change for sample, change in layer.changes.items() if sample not in redrawn}


def _adds(layer: Layer, layers: Sequence[Layer], run: StoredRun) -> bool:
    """True if the layer covers a sample whose present verdict is another grader's."""
    for record in run.records:
        if layer.covers(record):
            top = next((old for old in reversed(layers) if old.covers(record)), None)
            if top is None or top.grader_version != layer.grader_version:
                return True
    return False


def _form_classes(crew: Crew, done: Regrading) -> dict[QuestionKey, dict[str, int]]:
    """The answer classes. Those of the graded tasks are formed again, because a new grader may find other answers equal."""
    new = {(record.key, record.budget): grade for record, grade in done.changes}
    records = [replace(r, grade=new[r.key, r.budget]) if (r.key, r.budget) in new else r for r in done.run.records]
    kept = {key: dict(group) for key, group in done.run.classes.items() if key[0] not in done.tasks}
    owed = {key: given for key, given in lacking_classes(graded_answers(records), kept).items() if key in done.run.questions}
    kept |= {key: {given[0]: 0} for key, given in owed.items() if len(given) == 1}
    several = [(done.run.questions[key], given) for key, given in owed.items() if len(given) > 1]
    for question, group in crew.classes(several):
        if group is not None:
            kept[question.task, question.id] = group
    return kept


def _write(lock: RunDirectory, layer: Layer, classes: Mapping[QuestionKey, Mapping[str, int]] | None) -> Path:
    """The layer and the classes are on the disk. After a kill between the two there are no classes, and readers form them."""
    if classes is None:
        return write_layer(lock.path, layer)
    try:
        (lock.path / "classes.json").unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot replace {lock.path / 'classes.json'}: {error.strerror}. Make the run writable.") from error
    path = write_layer(lock.path, layer)
    lock.write_classes(classes)
    return path
