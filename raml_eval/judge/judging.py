"""Judges a run: the judge is asked about what it has not judged yet, and each judgement is stored before it is counted."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from raml_eval.concurrency import run_workers
from raml_eval.endpoint import RequestFailed
from raml_eval.errors import GaveUp, choose_names
from raml_eval.judge.candidates import Asked, collect_candidates, judgements_by
from raml_eval.judge.client import ChatClient
from raml_eval.judge.prompt import PROMPT_VERSION, REASON_KEPT, build_messages, read_reply
from raml_eval.manifest import now
from raml_eval.progress import Progress
from raml_eval.store import RunDirectory, read_run
from raml_eval.store.journal import Journal, cut_torn_line
from raml_eval.store.judgements import FILE, judgement_line, read_judgements
from raml_eval.store.manifest_file import read_manifest
from raml_eval.types import Judgement, Question, StoredRun

MAX_FAILURES_IN_A_ROW = 20


@dataclass(frozen=True, slots=True)
class Judging:
    """The result of judging. run holds all judgements; n_left counts the candidates that max_asked left for another time."""

    run: StoredRun
    model: str
    tasks: tuple[str, ...]
    n_asked: int
    n_failed: int
    n_left: int
    last_failure: str = ""


def judge_run(
    directory: Path,
    client: ChatClient,
    *,
    tasks: Sequence[str] = (),
    workers: int = 8,
    max_asked: int | None = None,
    retry_unavailable: bool = False,
    quiet: bool = False,
) -> Judging:
    """judgements.jsonl holds the model's judgement of every distinct rejected answer, or of max_asked more than before.

    The rules' verdicts are unchanged. What this model judged with this prompt is not asked again, except for unavailable
    judgements if retry_unavailable is set. The answers that most samples gave come first. Raises ConfigError for an unknown
    task and for an endpoint that refuses, StoreError as read_run does, GaveUp if request after request fails. Finished
    judgements are stored in all cases.
    """
    read_manifest(directory / "manifest.json")  # before the lock, which would leave a file in a folder that is no run
    lock = RunDirectory(directory)
    try:
        cut_torn_line(directory / FILE)
        run = read_run(directory, drawn=False)
        chosen = choose_names("task", tasks, run.tasks)
        owed = _owed(run, chosen, client.model, retry_unavailable)
        asked = owed[:max_asked]
        journal = Journal(directory / FILE)
        try:
            with Progress(len(asked), quiet=quiet, noun="judgements") as progress:
                reason = asyncio.run(_ask_all(client, run.questions, asked, journal, progress, workers))
        finally:
            journal.close()
        judged = replace(run, judgements=tuple(read_judgements(directory)))
        n_failed = progress.errors
        return Judging(judged, client.model, chosen, len(asked) - n_failed, n_failed, len(owed) - len(asked), reason)
    finally:
        lock.close()


def _owed(run: StoredRun, tasks: Sequence[str], model: str, retry_unavailable: bool) -> list[Asked]:
    known = judgements_by(run, model, PROMPT_VERSION)
    settled = {asked for asked, j in known.items() if not (retry_unavailable and j.verdict == "unavailable")}
    return [asked for asked, _ in collect_candidates(run, tasks).most_common() if asked not in settled]


async def _ask_all(
    client: ChatClient,
    questions: Mapping[tuple[str, str], Question],
    asked: Sequence[Asked],
    journal: Journal,
    progress: Progress,
    workers: int,
) -> str:
    """Every judgement that arrived is stored. Returns the reason of the last failure, or "" if there was none."""
    waiting: Iterator[Asked] = iter(asked)
    failures, reason = 0, ""

    async def work() -> None:
        nonlocal failures, reason
        for one in waiting:
            try:
                judgement = await _judge(client, questions[one[0], one[1]], one)
            except RequestFailed as error:
                failures, reason = failures + 1, str(error)
                progress.advance(errors=1)
                if failures >= MAX_FAILURES_IN_A_ROW:
                    told = f"{failures} requests in a row failed, the last with: {error}."
                    raise GaveUp(f"{told} Judgements so far are stored; fix the cause and run again.") from error
                continue
            failures = 0
            await journal.append(judgement_line(judgement))
            progress.advance(1)

    async with client:
        await run_workers(work, workers)
    return reason


async def _judge(client: ChatClient, question: Question, asked: Asked) -> Judgement:
    text = "\n\n".join(str(message["content"]) for message in question.messages if message.get("role") == "user")
    reply = await client.ask(build_messages(text, question.options, question.target, asked[2]))
    verdict, reason = read_reply(reply) or ("unavailable", f"unreadable: {reply[-REASON_KEPT:]}")
    return Judgement(*asked, client.model, PROMPT_VERSION, verdict, reason, now())
