"""Turns a stored run into an entry: cut to what the board shows, counted by question, fit to be published."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from raml_eval.errors import InputError, near_names
from raml_eval.manifest import flatten, protocol_digest
from raml_eval.redaction import public_checkpoint, public_model, without_secrets
from raml_eval.reporting.boards.board import Board
from raml_eval.reporting.boards.entry import ENTRY_VERSION, IMPORTED, MADE_UP, NOTE, SYNTHETIC, Asked, Content, Counted, seal
from raml_eval.reporting.boards.numbers import compute_numbers, measures_of
from raml_eval.reporting.footnotes import find_footnotes
from raml_eval.reporting.imports import describe_source
from raml_eval.reporting.looked import stopped_early
from raml_eval.tables import budget_label, build_frame, count_run, engine_words, global_clusters, is_greedy, shard_of_run
from raml_eval.types import QuestionCounts, Status, StoredRun, ThinkingEnd
from raml_eval.wording import count_noun

FAKE = "fake"
FACTS = ("created", "engine", "versions", "git_commit", "plan")
# What the caveats of other kinds say, what a board says of all its entries, and what a budget is there for.
_TOLD_APART = (MADE_UP, SYNTHETIC, "subset", "forced_rate")
SHOWN = 6  # keys that a caveat names


def make_entry(run: StoredRun, board: Board, name: str | None = None) -> Content:
    """The run as the content of an entry, with its digest: counts, what follows from them, and where they came from.

    name stands for the model's own. Absolute paths are cut to their last part and secrets replaced, except in the protocol.
    boards.rules checks the result against the board. Raises InputError for a run that the board cannot show: tasks, budgets
    or samples are missing, questions were left out at a look or are in other shards, or several graders gave its verdicts;
    MetricError if planned samples are missing.
    """
    if stopped_early(run):
        raise InputError(
            f"run {run.name} holds only the questions up to a look (--until-decided), so its means are biased and cannot be "
            f"ranked. Run again without the option and with the same --out, which draws the rest."
        )
    if shard := shard_of_run(run):
        raise InputError(
            f"run {run.name} is {shard.words}, a part of the questions, and cannot be ranked. Join the shards with `raml-eval "
            f"merge`."
        )
    if len(run.grader_versions) != 1:
        graders = " and ".join(run.grader_versions) or "an unknown grader"
        raise InputError(
            f"the verdicts of run {run.name} are those of {graders}, wanted one. Grade it with `raml-eval regrade`."
        )
    run = _restrict(run, board)
    questions, counts = _ask(run), _count(run)
    protocol = run.manifest.get("protocol", {})  # as it is: a system prompt may be /no_think
    tasks = {task: entry for task, entry in protocol.get("tasks", {}).items() if task in run.tasks}
    model = run.manifest["model"]
    shown = public_model(model) if name is None else str(without_secrets(name))
    facts = without_secrets({key: run.manifest[key] for key in FACTS if key in run.manifest})
    engine = facts.get("engine", {})
    content = {
        "schema_version": ENTRY_VERSION,
        "kind": "run",
        "model": shown,
        "checkpoint": public_checkpoint(model),
        "run": public_run(run.name),
        "backend": str(engine.get("name")),
        "engine": engine_words(engine),
        "grader_version": run.grader_versions[0],
        "n_samples": run.n_samples,
        "limit": run.manifest.get("plan", {}).get("limit"),
        "caveats": without_secrets(_caveats(run, board)),
        "origin": {**facts, "protocol_digest": protocol_digest(protocol)},
        "protocol": {**protocol, "tasks": tasks},
        "questions": {task: asked.model_dump() for task, asked in questions.items()},
        "counts": [cell.model_dump() for cell in counts],
    }
    greedy = is_greedy(run) and run.n_samples > 1
    return seal(
        {**content, "rows": [row.model_dump() for row in compute_numbers(questions, counts, measures_of(board.ks), greedy)]}
    )


def public_run(name: str) -> str:
    """The run's name as the public may know it."""
    return str(without_secrets(name))


def _restrict(run: StoredRun, board: Board) -> StoredRun:
    """The run with only the board's tasks, budgets and samples. Samples after the board's n are left out, whatever they are."""
    lacking = [f"task {t}" for t in board.tasks if t not in run.tasks]
    lacking += [f"budget {b}" for b in board.budgets if b not in run.budgets]
    if lacking:
        near = "".join(near_names(task, run.tasks) for task in board.tasks if task not in run.tasks)
        raise InputError(
            f"run {run.name} lacks {', '.join(lacking)}, which the board {board.title!r} shows.{near} Run again with them, or "
            f"correct board.yaml."
        )
    if run.n_samples < board.samples:
        raise InputError(
            f"run {run.name} has {count_noun(run.n_samples, 'sample')} per question, the board {board.title!r} needs "
            f"{board.samples}. Run again with --samples {board.samples} and the same --out."
        )
    tasks = {name: run.tasks[name] for name in board.tasks}
    return replace(
        run,
        tasks=tasks,
        budgets=board.budgets,
        n_samples=board.samples,
        questions={key: q for key, q in run.questions.items() if key[0] in tasks},
        records=tuple(
            r for r in run.records if r.key.task in tasks and r.budget in board.budgets and r.key.index < board.samples
        ),
    )


def _ask(run: StoredRun) -> dict[str, Asked]:
    """The questions of each task, in the order of their ids, so that entries of one board have the same lists."""
    groups = global_clusters(run.questions, run.tasks)
    asked = {}
    for task, about in run.tasks.items():
        of_task = sorted((q for (owner, _), q in run.questions.items() if owner == task), key=lambda q: q.id)
        asked[task] = Asked(
            domain=about.domain,
            ids=[q.id for q in of_task],
            clusters=[_digest(q.cluster) for q in of_task],  # a cluster may be named after a text that must not be published
            groups=[_digest(groups[task, q.id]) for q in of_task],
            synthetic=sum(q.synthetic for q in of_task),
            chance=about.chance,
        )
    return asked


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _count(run: StoredRun) -> list[Counted]:
    cells = count_run(run)
    return [
        _count_cell(task, budget_label(budget), sorted(cells[task, budget], key=lambda q: q.question_id))
        for task in run.tasks
        for budget in run.budgets
    ]


def _count_cell(task: str, budget: str, counts: Sequence[QuestionCounts]) -> Counted:
    def ended(status: Status) -> list[int]:
        return [q.statuses.get(status, 0) for q in counts]

    return Counted(
        task=task,
        budget=budget,
        n=[q.n for q in counts],
        correct=[q.correct for q in counts],
        classes=[sorted([count, right] for count, right in q.classes) for q in counts],
        unfinished=ended(Status.UNFINISHED),
        no_answer=ended(Status.NO_ANSWER),
        timeout=ended(Status.TIMEOUT),
        forced=[q.ends.get(ThinkingEnd.FORCED, 0) for q in counts],
        thinking_tokens=[_sum(q.thinking_tokens) for q in counts],
        answer_tokens=[_sum(q.answer_tokens) for q in counts],
    )


def _sum(tokens: Sequence[int | None]) -> int | None:
    known = [one for one in tokens if one is not None]
    return sum(known) if len(known) == len(tokens) else None


def _caveats(run: StoredRun, board: Board) -> list[Content]:
    """Every caveat of the run: those that rules.check_marks holds an entry to, and what a report of the run would note."""
    found: list[Content] = []
    source = None if run.imported is None else describe_source(run)
    if source is not None:
        found.append({"kind": IMPORTED, "text": f"{source}{_untold(run, board)}"})
    elif run.manifest.get("engine", {}).get("name") == FAKE:
        text = "the fake backend made these answers up: no number here says anything about a model"
        found.append({"kind": MADE_UP, "text": text})
    made_up = {task: [q.synthetic for (of, _), q in run.questions.items() if of == task] for task in run.tasks}
    listed = [f"{sum(of)} of {len(of)} questions of {task}" for task, of in made_up.items() if any(of)]
    if listed:
        found.append({"kind": SYNTHETIC, "text": f"{', '.join(listed)} are synthetic, so this is no score on that benchmark"})
    notes = find_footnotes([run], build_frame([run], k=board.ks or [1]))
    return found + [
        {"kind": NOTE, "text": note.text, "sort": note.kind}
        for note in notes
        if note.kind not in _TOLD_APART and note.text != source
    ]


def _untold(run: StoredRun, board: Board) -> str:
    """The pinned keys that an imported run's log does not tell."""
    told = flatten(run.manifest.get("protocol", {}))
    untold = [key for key in board.rules.pins() if told.get(key) is None and not key.startswith("tasks.")]
    more = f" and {len(untold) - SHOWN} more" if len(untold) > SHOWN else ""
    return f"; its log does not tell {', '.join(untold[:SHOWN])}{more}" if untold else ""
