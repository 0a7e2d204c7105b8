"""The main path: owed samples are drawn, graded and stored. run_sample takes one sample from its prompt to the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from raml_eval.concurrency import run_workers
from raml_eval.errors import GenerationError, InputError, RamlError
from raml_eval.grading.pool import GradingPool
from raml_eval.plan import Owed, Plan
from raml_eval.progress import Progress
from raml_eval.protocols import Backend, Tokenizer
from raml_eval.store import RunDirectory
from raml_eval.thinking import (
    NO_THINKING,
    ThinkingPolicy,
    answer_text,
    cut_thinking,
    derive_seed,
    generate_answer,
    generate_thinking,
    serves,
)
from raml_eval.types import (
    Budget,
    Finish,
    Prompts,
    Question,
    QuestionKey,
    SampleKey,
    SampleRecord,
    SamplingParams,
    Thinking,
    ThinkingEnd,
    TokenIds,
    Trajectory,
)

MAX_FAILURES_IN_A_ROW = 50


@dataclass(slots=True)
class Drawing:
    """Everything that drawing one sample needs, ready to use."""

    questions: Mapping[QuestionKey, Question]
    prompts: Mapping[QuestionKey, Prompts]
    plan: Plan
    seed: int
    policy: ThinkingPolicy
    sampling: SamplingParams
    tokenizer: Tokenizer
    backend: Backend
    pool: GradingPool
    directory: RunDirectory
    concurrency: int


async def run_all(drawing: Drawing, progress: Progress) -> None:
    """Every owed sample is either finished and stored, or listed in errors.jsonl.

    Raises StoreError if the disk cannot be written, GenerationError if MAX_FAILURES_IN_A_ROW samples in a row fail.
    """
    owed = drawing.plan.owed(drawing.questions, drawing.directory.done)
    failures = 0

    async def work() -> None:
        nonlocal failures
        for sample in owed:
            finished, errors = await run_sample(drawing, sample)
            failures = 0 if finished else failures + 1
            for budgets, error in errors:
                await drawing.directory.append_error(sample.key, budgets, error)
            tokens = sum((record.n_thinking_tokens or 0) + len(record.answer_ids) for record in finished)
            progress.advance(len(finished), tokens, len(errors))
            if failures >= MAX_FAILURES_IN_A_ROW and errors:
                raise GenerationError(
                    f"{failures} samples in a row failed, the last with: {errors[-1][1]} Finished samples are stored; fix the "
                    f"cause and run again with the same --out."
                )

    await run_workers(work, drawing.concurrency)


Failure = tuple[tuple[Budget, ...], BaseException]


async def run_sample(drawing: Drawing, owed: Owed) -> tuple[list[SampleRecord], list[Failure]]:
    """One sample, from its prompt to the disk, at every owed budget. Returns the stored records and the failures."""
    try:
        views = await think(drawing, owed)
    except (GenerationError, OSError) as error:
        return [], [(owed.budgets, error)]
    outcomes = await asyncio.gather(
        *(answer(drawing, owed.key, thinking, budgets) for thinking, budgets in views.items()), return_exceptions=True
    )
    records: list[SampleRecord] = []
    failures: list[Failure] = []
    for budgets, outcome in zip(views.values(), outcomes, strict=True):
        if isinstance(outcome, RamlError) and not isinstance(outcome, InputError):
            failures.append((tuple(budgets), outcome))
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            records += outcome
    return records, failures


async def think(drawing: Drawing, owed: Owed) -> dict[Thinking, list[Budget]]:
    """The view that each budget has of the sample's one trajectory. Budgets with the same view share one answer."""
    views: dict[Thinking, list[Budget]] = {}
    limits: dict[Budget, int] = {}
    prompt_ids = drawing.prompts[owed.key.task, owed.key.question_id].thinking or ()
    for budget in owed.budgets:
        if budget == "off":
            views[NO_THINKING] = [budget]
        else:
            limits[budget] = drawing.policy.thinking_limit(budget, len(prompt_ids))
    if limits:
        trajectory = await _trajectory(drawing, owed.key, prompt_ids, max(limits.values()))
        for budget, limit in limits.items():
            views.setdefault(cut_thinking(trajectory, limit, drawing.policy), []).append(budget)
    return views


async def _trajectory(drawing: Drawing, key: SampleKey, prompt_ids: TokenIds, limit: int) -> Trajectory:
    """The stored trajectory if it serves the limit; otherwise a new one, which is drawn and stored."""
    stored = drawing.directory.trajectories.get(key)
    if stored is not None and serves(stored, limit):
        return stored
    # If seeds do not reproduce, a redraw gives another result. It is counted, because redrawing favours short thinking.
    if not drawing.backend.description.reproducible:
        await drawing.directory.append_started(key)
    params = replace(drawing.sampling, seed=derive_seed(drawing.seed, key, "thinking"))
    drawn = await generate_thinking(drawing.backend, drawing.tokenizer, prompt_ids, key, limit, drawing.policy, params)
    drawn = replace(drawn, redrawn=stored is None and key in drawing.directory.started)
    await drawing.directory.append_trajectory(drawn)
    drawing.directory.trajectories[key] = drawn
    return drawn


async def answer(drawing: Drawing, key: SampleKey, thinking: Thinking, budgets: Sequence[Budget]) -> list[SampleRecord]:
    """The answer to one view of the thinking is drawn, graded and stored: one record for each budget that has this view."""
    question = drawing.questions[key.task, key.question_id]
    prompts = drawing.prompts[key.task, key.question_id]
    off = thinking.end is ThinkingEnd.OFF
    prompt_ids = (prompts.off if off else prompts.thinking) or ()
    n_kept = len(thinking.token_ids)
    # The seed does not depend on the budget: equal views draw equal answers, in a sweep and in separate runs alike.
    seed = derive_seed(drawing.seed, key, "off" if off else "answer", n_kept, thinking.closing_ids)
    completion = await generate_answer(
        drawing.backend, prompt_ids, thinking, drawing.policy, replace(drawing.sampling, seed=seed)
    )
    ids = completion.token_ids if completion else ()
    text = answer_text(ids, drawing.tokenizer, question.stop)
    finish = completion.finish if completion else None
    if question.stop and text != drawing.tokenizer.decode(ids, skip_special_tokens=True):
        finish = Finish.STOP  # the answer ended at one of the task's stop strings; what was drawn after it does not count
    grade = await drawing.pool.grade_sample(question, text, finish)
    trajectory = None if off else drawing.directory.trajectories[key].id
    leak = _leaks(drawing, ids)
    records = [
        SampleRecord(
            key=key,
            budget=budget,
            trajectory=trajectory,
            thinking_end=thinking.end,
            n_thinking_tokens=n_kept,
            answer=text,
            answer_ids=ids,
            answer_finish=finish,
            target=question.target,
            grade=grade,
            seed=seed,
            leak=leak,
        )
        for budget in budgets
    ]
    await asyncio.gather(*(drawing.directory.append_sample(record) for record in records))
    return records


def _leaks(drawing: Drawing, ids: TokenIds) -> bool:
    closer = drawing.policy.closer
    return bool(closer) and closer in drawing.tokenizer.decode(ids, skip_special_tokens=False)
