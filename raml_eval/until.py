"""Draws a run batch by batch until a look at its complete batches has decided."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from raml_eval.answer_classes import form_for
from raml_eval.batches import LOOKS, Batch
from raml_eval.comparison import check_gate, check_planned
from raml_eval.comparison.looking import check_gated, decide_by
from raml_eval.gate_file import load_gate
from raml_eval.inputs import Inputs
from raml_eval.looks import KEY, Course, Decision, Until, check_looks, note_look, open_course, restrict_run
from raml_eval.manifest import prompt_digests, suite_entry
from raml_eval.plan import Plan
from raml_eval.progress import Progress
from raml_eval.runner import Drawing, run_all
from raml_eval.tables import missing_samples
from raml_eval.tables.loading import load_drawn, load_lean
from raml_eval.types import StoredRun
from raml_eval.wording import count_noun

TRIES = 2  # at the samples of a batch, in one session


def open_until(base: Path, gate: Path, n_looks: int | None = None) -> Until:
    """What a run is drawn for: until the gate's file has decided against the base.

    Raises InputError if one cannot be read, MetricError if the base itself is between two looks.
    """
    run, rules = load_lean(base), load_gate(gate)
    check_looks(run, gated=False)
    check_gate(rules)
    return Until(
        base=run,
        gate=rules.digest,
        decide=decide_by(run, rules),
        n_looks=LOOKS if n_looks is None else n_looks,
        level=rules.level,
        check=lambda new: check_gated(run, new, rules),
        check_plan=lambda planned: check_planned(run, planned, rules),
        rules=rules.model_dump(mode="json"),
        name=str(gate),
    )


def start_course(until: Until, plan: Plan, loaded: Inputs, seed: int, stored: Mapping[str, Any] | None) -> Course:
    """The batches and looks of the run.

    Raises InputError if the base or the stored run does not allow them, MetricError if nothing could ever be decided.
    """
    tasks = {name: task.description for name, task in loaded.tasks.items()}
    course = open_course(until, plan, loaded.questions, tasks, seed, stored)
    if until.check_plan:
        until.check_plan(_planned_run(until.base, plan, loaded))
    return course


def _planned_run(base: StoredRun, plan: Plan, loaded: Inputs) -> StoredRun:
    """The new run with its plan and its protocol, but for the engine, which is not open, and with the base's samples."""
    run = restrict_run(replace(base, manifest={"tasks": {}}), loaded.questions)
    manifest = {
        "plan": plan.fields(),
        "protocol": loaded.protocol,
        "config": {"sampling": loaded.protocol["sampling"]},
        "suites": {name: suite_entry(suite) for name, suite in loaded.suites.items()},
    }
    return replace(
        run,
        directory=Path("NEW"),
        name="NEW (planned)",
        manifest=manifest,
        tasks={name: loaded.tasks[name].description for name in plan.tasks},
        questions=loaded.questions,
        budgets=plan.budgets,
        n_samples=plan.samples,
    )


def drawn_inputs(loaded: Inputs, course: Course) -> Inputs:
    """The questions up to the look that stopped the run, or up to the last one that was taken."""
    kept = set(course.drawn(course.stopped_at or len(course.record["looks"])))
    return replace(
        loaded,
        questions={key: question for key, question in loaded.questions.items() if key in kept},
        prompts={key: prompts for key, prompts in loaded.prompts.items() if key in kept},
    )


def told_end(course: Course, out: Path) -> str:
    """A line for the user who starts a run again that a look has ended."""
    last = course.record["looks"][-1]
    return (
        f"{out} ended at look {last['look']} of {len(course.batches)} ({last['words']}), so nothing is drawn; without "
        f"--until-decided, the same command draws all questions"
    )


async def draw_until(drawing: Drawing, course: Course, progress: Progress) -> None:
    """Batch after batch is drawn, stored and looked at, up to the look that decides, or the last.

    A look is taken only if every sample of its batch is stored. If a sample fails twice, the drawing ends there, and the
    batch's samples are owed. Looks of earlier sessions are repeated on the stored samples and must decide as before.
    """
    record = drawing.directory.manifest[KEY]
    if course.until.check:
        course.until.check(await _read(drawing))
    for number, batch in enumerate(course.batches, start=1):
        _plan_batch(drawing, batch)
        run = await _draw_batch(drawing, batch, progress)
        if owed := sum(missing_samples(restrict_run(run, batch)).values()):
            progress.tell(
                f"look {number} of {len(course.batches)} is not taken: {count_noun(owed, 'sample')} of its questions failed "
                f"twice and are owed"
            )
            break
        decision = await _take_look(drawing, course, number, run)
        if number == len(course.batches) or decision.decided:
            record["stopped_at"] = number
        drawing.directory.write_manifest()
        progress.tell(_told(course, number, decision))
        if decision.decided:
            break
    progress.total = progress.done


def _plan_batch(drawing: Drawing, batch: Batch) -> None:
    """The run directory's plan holds the batch's questions."""
    drawing.directory.add_questions(drawing.questions[key] for key in batch)
    tasks = drawing.directory.manifest["tasks"]
    for key in batch:
        entry = tasks[key[0]]
        if key[1] not in entry["questions"]:
            entry["questions"].append(key[1])
            entry["prompts"][key[1]] = prompt_digests(drawing.prompts[key])
    drawing.directory.write_manifest()


async def _draw_batch(drawing: Drawing, batch: Batch, progress: Progress) -> StoredRun:
    """The run, read back after the samples of the batch have been drawn; those that failed were tried again."""
    directory, kept = drawing.directory, set(batch)
    part = replace(drawing, questions={key: question for key, question in drawing.questions.items() if key in kept})
    failed = progress.errors
    for _ in range(TRIES):
        progress.errors = failed  # what fails and then succeeds has not failed
        await run_all(part, progress)
        await asyncio.to_thread(directory.read_done)
        if next(part.plan.owed(part.questions, directory.done), None) is None:
            break
    return await _read(drawing)


async def _read(drawing: Drawing) -> StoredRun:
    """The run as it is stored now, with a class for every graded answer. Its records are not read before they are asked for."""
    run = await asyncio.to_thread(load_drawn, drawing.directory.path, partial(form_for, pool=drawing.pool))
    drawing.directory.write_classes(run.classes)  # the next look, and the end, need not form them again
    return run


async def _take_look(drawing: Drawing, course: Course, number: int, run: StoredRun) -> Decision:
    """The look's decision, noted in the manifest in memory."""
    look = course.look(number)
    decision = await asyncio.to_thread(course.until.decide, restrict_run(run, course.drawn(number)), look)
    note_look(drawing.directory.manifest[KEY], look, decision)
    return decision


def _told(course: Course, number: int, decision: Decision) -> str:
    look = course.look(number)
    head = f"look {number} of {look.n_looks}, {look.n_questions} of {look.n_planned} questions"
    return f"{head}: {'decided' if decision.decided else 'not decided'}, {decision.words}"
