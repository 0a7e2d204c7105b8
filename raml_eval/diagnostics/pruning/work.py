"""Draws what a pruning still owes, first the summaries and then the answers, and stores each before the next."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from raml_eval.concurrency import run_workers, settled_heap
from raml_eval.diagnostics.folder import REPAIR, DiagnosisFolder
from raml_eval.diagnostics.model import RunModel, open_engine
from raml_eval.diagnostics.pruning.answers import Answering, Shortener, open_redrawing
from raml_eval.diagnostics.pruning.candidates import Candidate, name_of, read_candidates
from raml_eval.diagnostics.pruning.lines import read_answers, read_attempt, read_summary
from raml_eval.diagnostics.pruning.rules import SUMMARY, Rule
from raml_eval.diagnostics.pruning.summarizers import EmptySummary, Summarizer, SummarySettings, TooLong, open_summarizer
from raml_eval.diagnostics.subjects import digest_of_ids
from raml_eval.errors import GaveUp, InputError, TaskError
from raml_eval.grading import KINDS
from raml_eval.grading.pool import GradingPool
from raml_eval.inputs import Model
from raml_eval.progress import Progress, note
from raml_eval.sandbox.trial import open_sandbox
from raml_eval.session import CONCURRENCY
from raml_eval.store.journal import Journal
from raml_eval.store.seeking import RunReader
from raml_eval.thinking import derive_seed
from raml_eval.types import Question, QuestionKey

JOURNAL, SUMMARIES, EMPTY = "journal", "summaries", "empty"
_READERS = {  # of each journal: what checks a line, and what to do about one that cannot be used
    JOURNAL: (read_answers, REPAIR),
    SUMMARIES: (read_summary, "Repair the line or delete it (its thinking is then summarised again)"),
    EMPTY: (read_attempt, "Repair the line or delete it (its seed is then tried again)"),
}
MAX_FAILURES_IN_A_ROW = 50
TRIES = 3  # of a summary that comes back empty, each with its own seed
TOO_LONG = "the thinking does not fit into the summarizer's context"
_TOLD = 20  # failures that are told one by one
Line = dict[str, Any]
Lines = dict[str, dict[str, Line]]  # of a journal: by trajectory and rule


@dataclass(slots=True)
class Work:
    """What both parts need. rules are by the name that the journal and the tables have for them."""

    run: RunReader
    loaded: RunModel
    folder: DiagnosisFolder
    questions: Mapping[QuestionKey, Question]
    rules: Mapping[str, Rule]
    quiet: bool
    samples: int | None = None
    in_a_row: int = 0
    errors: list[str] = field(default_factory=list)

    def candidates(self) -> Iterator[Candidate]:
        """Every thinking that can be shortened."""
        return read_candidates(self.run, self.questions, Counter(), self.samples)

    async def attempt(self, one: Candidate, progress: Progress, work: Coroutine[Any, Any, Line]) -> Line | None:
        """The line that the work gives; None if it failed, which is told. GaveUp if too many failed in a row."""
        try:
            line = await work
        except Exception as error:
            if isinstance(error, InputError) and not isinstance(error, TaskError):
                raise  # it is about the run as a whole
            self.in_a_row += 1
            self.errors.append(f"{one.subject.key}: {type(error).__name__}: {error}")
            if len(self.errors) <= _TOLD:
                note(self.errors[-1])
            progress.advance(errors=1)
            if self.in_a_row >= MAX_FAILURES_IN_A_ROW:
                raise GaveUp(
                    f"{self.in_a_row} requests in a row failed, the last with: {error} What finished is stored; fix the cause "
                    "and run the same command again."
                ) from error
            return None
        self.in_a_row = 0
        return line

    @asynccontextmanager
    async def storing(self, name: str, total: int) -> AsyncIterator[tuple[Journal, Progress]]:
        """The journal of that name and the progress of filling it; both are closed at the end."""
        noun = "summaries" if name == SUMMARIES else "prunings"
        async with self.opened(name) as journal:
            with Progress(total, quiet=self.quiet, noun=noun, about="pruning: ") as progress:
                yield journal, progress

    @asynccontextmanager
    async def opened(self, name: str) -> AsyncIterator[Journal]:
        """The journal of that name, which is closed at the end."""
        journal = self.folder.journal(name)
        try:
            yield journal
        finally:
            await asyncio.to_thread(journal.close)


def read_stored(folder: DiagnosisFolder, name: str) -> Iterator[dict[str, Any]]:
    """The lines of one of the journals, checked. Raises CorruptStore."""
    parse, repair = _READERS[name]
    return folder.read(parse, name, repair)


def read_journal(folder: DiagnosisFolder, name: str = JOURNAL) -> Lines:
    """The lines of a journal by thinking (Candidate.identity) and rule. Of two for one, the first counts."""
    found: Lines = defaultdict(dict)
    for line in read_stored(folder, name):
        found[_identity(line)].setdefault(line["rule"], line)
    return found


async def summarise_all(work: Work, label: str, summary: SummarySettings, model: Model | None) -> None:
    """Every thinking has its summary in the journal of summaries, but for those that failed. model: see open_summarizer."""
    done = read_journal(work.folder, SUMMARIES)

    def owed() -> Iterator[Candidate]:
        return (one for one in work.candidates() if label not in done.get(one.identity, {}))

    total, waiting = sum(1 for _ in owed()), owed()
    if not total:
        return
    tried = Counter((_identity(line), line["rule"]) for line in read_stored(work.folder, EMPTY))
    async with (
        open_summarizer(summary, model) as summarizer,
        work.storing(SUMMARIES, total) as (journal, progress),
        work.opened(EMPTY) as empty,
    ):

        async def take() -> None:
            for one in waiting:
                n_before = tried[one.identity, label]
                line = await work.attempt(one, progress, _summarise(summarizer, summary, one, label, n_before, empty))
                if line is not None:
                    await journal.append({**_names(one, label), **line})
                    progress.advance(1)

        with settled_heap():
            await run_workers(take, CONCURRENCY.get(summary.backend, 8))


async def _summarise(
    summarizer: Summarizer, summary: SummarySettings, one: Candidate, label: str, n_before: int, empty: Journal
) -> Line:
    """The summary of one thinking as a line. One that comes back empty is asked for again, with another seed.

    n_before counts the empty ones of earlier sessions, whose seeds are not tried again.
    """
    subject = one.subject
    for attempt in range(n_before, n_before + TRIES):
        seed = derive_seed(summary.seed, subject.key, "summary", subject.trajectory.id, attempt)
        try:
            told = await summarizer.summarize(subject.key, subject.question, subject.trajectory.text, seed)
        except TooLong:
            return {"skipped": TOO_LONG}
        except EmptySummary as error:
            await empty.append({**_names(one, label), "seed": seed})
            last = error
        else:
            return {"summary": told.text, "cut": told.cut, "seed": seed}
    raise last


async def answer_all(work: Work) -> None:
    """Every thinking has a line in the journal for each rule, but for those that failed or still owe their summary."""
    done, summaries = read_journal(work.folder), read_journal(work.folder, SUMMARIES)

    def owed() -> Iterator[tuple[Candidate, list[str]]]:
        for one in work.candidates():
            identity = one.identity
            lines, own = done.get(identity, {}), summaries.get(identity, {})
            names = [name for name, rule in work.rules.items() if name not in lines and (rule.name != SUMMARY or name in own)]
            if names:
                yield one, names

    total, waiting = sum(len(names) for _, names in owed()), owed()
    if not total:
        return
    config = work.loaded.config
    async with _open_pool(work) as pool, open_engine(work.loaded) as backend, work.storing(JOURNAL, total) as (journal, told):
        drawing = open_redrawing(work.loaded, backend, pool)

        async def take() -> None:
            for one, names in waiting:
                identity = one.identity
                shortener, answering = Shortener(one, drawing), Answering(drawing, one, done.get(identity, {}).values())
                for name in names:
                    summary = summaries.get(identity, {}).get(name, {})
                    line = await work.attempt(one, told, _answer(work.rules[name], summary, shortener, answering))
                    if line is not None:
                        await journal.append({**_names(one, name), **line})
                        told.advance(1, sum(part.get("n_tokens", 0) for part in line.values() if isinstance(part, dict)))

        with settled_heap():
            await run_workers(take, config.concurrency or CONCURRENCY.get(config.backend, 64))


async def _answer(rule: Rule, summary: Line, shortener: Shortener, answering: Answering) -> Line:
    """The answers to one thinking, shortened by one rule, as a line. summary is that of the journal, if the rule is one."""
    if "skipped" in summary:
        return {"skipped": summary["skipped"]}
    kept = shortener.shorten(rule, summary.get("summary"))
    return {**await answering.answer(kept), **({"cut": summary["cut"]} if summary else {})}


@asynccontextmanager
async def _open_pool(work: Work) -> AsyncIterator[GradingPool]:
    """The graders. Raises as open_sandbox does if a program must be run and cannot be."""
    grading = work.loaded.config.grading
    sandboxed = any(KINDS[question.grader].needs_sandbox for question in work.questions.values())
    if sandboxed:
        open_sandbox(grading.allow_unsafe_code)  # refuse before the engine's long start, not after it
    pool = GradingPool(**grading.model_dump())
    try:
        if sandboxed:
            pool.code.open()
        yield pool
    finally:
        await asyncio.to_thread(pool.close)


def _names(one: Candidate, rule: str) -> Line:
    key = one.subject.key
    return {
        "task": key.task,
        "question_id": key.question_id,
        "sample": key.index,
        "trajectory": one.subject.trajectory.id,
        "drawn": digest_of_ids(one.subject.trajectory.token_ids),
        "rule": rule,
    }


def _identity(line: Line) -> str:
    """The Candidate.identity of the thinking that a line is of; one of an earlier version lacks the digest, and is of none."""
    return name_of(line["trajectory"], line.get("drawn", ""))
