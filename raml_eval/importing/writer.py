"""The second pass over a log: every sample is graded, and written into a run directory that exists whole or not at all."""

from __future__ import annotations

import asyncio
import secrets
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from raml_eval.concurrency import run_workers
from raml_eval.errors import StoreError
from raml_eval.grading import GRADER_VERSION
from raml_eval.grading.pool import GradingPool
from raml_eval.importing.golds import read_gold
from raml_eval.importing.manifest import import_manifest
from raml_eval.importing.samples import ImportedSample, Source
from raml_eval.importing.settings import ImportSettings, check_restorable
from raml_eval.importing.survey import Survey, split_sample, survey
from raml_eval.importing.thinking_text import Parts
from raml_eval.manifest import end_session, start_session
from raml_eval.progress import Progress, Stopwatch
from raml_eval.store import lines
from raml_eval.store.journal import Journal
from raml_eval.store.manifest_file import write_json
from raml_eval.types import (
    Finish,
    Grade,
    Imported,
    Question,
    SampleKey,
    SampleRecord,
    Status,
    ThinkingEnd,
    Trajectory,
)

IN_FLIGHT = 64  # samples graded at a time, so that one that takes its whole time limit delays no others
FLUSHED = 512  # lines that are written at a time
FILES = ("questions", "trajectories", "samples", "errors")


def import_run(source: Source, out: Path, settings: ImportSettings | None = None, quiet: bool = False) -> Path:
    """out is a run directory made from the log. Every sample is graded here, and the log's verdicts are kept beside ours.

    From a log that was exported from a run, that run is made again, and nothing is graded. Other logs are read twice, one
    sample at a time. Raises StoreError if out exists or cannot be written, SourceError and
    ConfigError for a log or settings that cannot be used. In these cases nothing new exists at out.

    Example: import_run(open_source("jsonl", Path("samples.jsonl")), Path("runs/mine"))
    """
    settings = settings or ImportSettings()
    _refuse_existing(out)
    write = _plan_writing(source, settings, out, quiet)
    draft = out.absolute().parent / f".{out.name}.{secrets.token_hex(4)}"
    try:  # around the making too: an interruption just after it must not leave the folder behind
        _make_draft(draft, out)
        write(draft)
        _refuse_existing(out)
        draft.chmod(0o755)  # only its owner may read a temporary folder
        draft.rename(out)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return out


def _plan_writing(source: Source, settings: ImportSettings, out: Path, quiet: bool) -> Callable[[Path], None]:
    """What writes the run directory into a folder, after everything that can be wrong before that was found."""
    if source.restore is not None:
        check_restorable(settings)
        restore = source.restore
        return lambda draft: restore(draft, settings.tasks, settings.name)
    found = survey(source, settings)
    manifest = import_manifest(source, found, settings, out)
    return lambda draft: _Import(source, found, manifest, draft).write(quiet)


def _make_draft(draft: Path, out: Path) -> None:
    try:
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir(mode=0o700)
    except OSError as error:
        raise StoreError(f"cannot write beside {out}: {error.strerror or error}. Choose a writable --out.") from error


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise StoreError(f"{out} exists, but an import writes a new run directory. Choose another --out, or delete it.")


class _Import:
    """One import that is being written."""

    def __init__(self, source: Source, found: Survey, manifest: dict[str, Any], folder: Path) -> None:
        self.source, self.found, self.manifest, self.folder = source, found, manifest, folder
        self.questions: dict[tuple[str, str], Question] = {}
        self.answers: dict[tuple[str, str], set[str]] = {}  # graded answers, from which the answer classes are formed
        self.waiting: dict[str, list[lines.Line]] = {name: [] for name in FILES}
        self.n_written = self.n_failed = 0

    def write(self, quiet: bool) -> None:
        """The folder holds all files of the run directory."""
        session, watch = start_session(GRADER_VERSION), Stopwatch()
        self.journals = {name: Journal(self.folder / f"{name}.jsonl") for name in FILES}
        pool = GradingPool()
        try:
            with watch("grading"), Progress(self.found.n_total, quiet=quiet) as progress:
                asyncio.run(self._grade_all(pool, progress))
            with watch("classes"):
                classes = {
                    "/".join(key): pool.classes_blocking(sorted(given), self.questions[key].grader)
                    for key, given in self.answers.items()
                }
        finally:
            pool.close()
            for journal in self.journals.values():
                journal.close()
        write_json(self.folder / "classes.json", classes)
        end_session(session, self.n_written, self.n_failed, watch.seconds)
        write_json(self.folder / "manifest.json", {**self.manifest, "sessions": [session]})

    async def _grade_all(self, pool: GradingPool, progress: Progress) -> None:
        samples = filter(self.found.keeps, self.source.read())

        async def work() -> None:
            for sample in samples:
                await self._grade(sample, pool)
                progress.advance(samples=not sample.error, errors=bool(sample.error))
                if len(self.waiting["samples"]) >= FLUSHED:
                    self._flush()

        await run_workers(work, IN_FLIGHT)
        self._flush()

    async def _grade(self, sample: ImportedSample, pool: GradingPool) -> None:
        question = self._question(sample)
        key = SampleKey(question.task, question.id, sample.index)
        if sample.error:
            failed = {"budgets": [self.found.budget], "error": "imported", "message": sample.error}
            self.waiting["errors"].append({**lines.key_line(key), **failed})
            self.n_failed += 1
            return
        parts = split_sample(sample, self.found.tasks[sample.task.name].opened)
        # None: there is no answer, so no grader is asked
        finish = sample.finish if parts.closed else None
        grade = await pool.grade_sample(question, parts.answer, finish)
        trajectory = None if parts.thinking is None else _trajectory(key, sample, parts)
        if trajectory is not None:
            self.waiting["trajectories"].append(lines.trajectory_line(trajectory))
        self.waiting["samples"].append(lines.sample_line(self._record(key, sample, parts, finish, grade, trajectory, question)))
        self.n_written += 1
        if grade.status in (Status.CORRECT, Status.INCORRECT) and grade.answer is not None:
            self.answers.setdefault((key.task, key.question_id), set()).add(grade.answer)

    def _question(self, sample: ImportedSample) -> Question:
        """The sample's question. It is written when it first occurs."""
        grading = self.found.tasks[sample.task.name].grading
        key = grading.name, sample.question_id
        if key not in self.questions:
            options = sample.options or grading.options
            gold, _ = read_gold(sample.targets, grading.kind, options, "/".join(key))
            question = Question(
                *key,
                cluster=sample.cluster or sample.question_id,
                doc={},
                messages=sample.messages,
                target=gold,
                grader=grading.kind,
                options=options if grading.kind == "choice" or grading.options else (),
                synthetic=sample.synthetic,
            )
            self.waiting["questions"].append(lines.question_line(question))
            self.questions[key] = replace(question, messages=())  # keeps the prompts of a whole log out of memory
        return self.questions[key]

    def _record(
        self,
        key: SampleKey,
        sample: ImportedSample,
        parts: Parts,
        finish: Finish | None,
        grade: Grade,
        trajectory: Trajectory | None,
        question: Question,
    ) -> SampleRecord:
        hidden = parts.thinking is None and (sample.sealed or bool(self.source.hides_thinking))
        # If there is no thinking and none was taken out, the whole completion is its answer.
        whole = parts.thinking is None and not hidden and sample.n_thinking_tokens is None
        n_thinking = 0 if whole and sample.n_tokens is not None else sample.n_thinking_tokens
        n_answer = sample.n_tokens if whole and sample.n_answer_tokens is None else sample.n_answer_tokens
        end = ThinkingEnd.UNKNOWN if hidden else ThinkingEnd.OFF
        return SampleRecord(
            key=key,
            budget=self.found.budget,
            trajectory=trajectory.id if trajectory else None,
            thinking_end=trajectory.end if trajectory else end,
            n_thinking_tokens=n_thinking,
            answer=parts.answer,
            answer_ids=(),
            answer_finish=finish,
            target=question.target,
            grade=grade,
            seed=None,
            leak=parts.leak,
            imported=Imported(sample.verdict, sample.of_question, sample.n_tokens, n_answer),
        )

    def _flush(self) -> None:
        """Everything that was waiting is on the disk: questions and thinking before the samples that refer to them."""
        for name, waiting in self.waiting.items():
            if waiting:
                self.journals[name].append_all(list(waiting))
                waiting.clear()


def _trajectory(key: SampleKey, sample: ImportedSample, parts: Parts) -> Trajectory:
    ends = {Finish.STOP: ThinkingEnd.EOS, Finish.LENGTH: ThinkingEnd.LENGTH, Finish.UNKNOWN: ThinkingEnd.UNKNOWN}
    end = ThinkingEnd.NATURAL if parts.closed else ends[sample.finish]
    return Trajectory(key, None, (), end, (), parts.thinking or "", None)
