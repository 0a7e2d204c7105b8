"""The main path: owed samples are drawn, graded and stored. run_sample takes one sample from its prompt to the disk."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from raml_eval.budgets import OFF, THINKING, prompt_of, share_of
from raml_eval.concurrency import finish_soon, run_workers
from raml_eval.errors import GaveUp, InputError, ModelError, TaskError
from raml_eval.grading.pool import GradingPool
from raml_eval.native_budgets import draw_capped
from raml_eval.plan import Owed, Plan
from raml_eval.progress import Progress, SoFar
from raml_eval.protocols import Backend, NativeBudgets, Tokenizer
from raml_eval.servers import engine_for
from raml_eval.store import RunDirectory, read_run
from raml_eval.thinking import (
    NO_THINKING,
    ThinkingPolicy,
    answer_text,
    cut_share,
    cut_thinking,
    derive_seed,
    generate_answer,
    generate_thinking,
    serves,
)
from raml_eval.types import (
    Budget,
    Completion,
    Draw,
    Finish,
    Grade,
    Prompts,
    Question,
    QuestionKey,
    SampleKey,
    SampleRecord,
    SamplingParams,
    Status,
    Thinking,
    ThinkingEnd,
    TokenIds,
    Trajectory,
)

MAX_FAILURES_IN_A_ROW = 50
# What was drawn when the session is stopped is still graded and stored if that takes no longer: the draw was dear.
GRACE_S = 3.0
WATCHED = 32  # samples without thinking that are looked at for thinking
View = tuple[str, Thinking]  # a prompt, and its trajectory as a budget sees it


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
    native: NativeBudgets | None = None  # the engine, if it enforces the budgets itself
    backend_args: Mapping[str, Any] = field(default_factory=dict)


async def run_all(drawing: Drawing, progress: Progress) -> None:
    """Every owed sample is either finished and stored, or listed in errors.jsonl.

    Raises StoreError if the disk cannot be written, GaveUp if MAX_FAILURES_IN_A_ROW samples in a row fail,
    ModelError if the model thinks although its format says that it does not.
    """
    owed = drawing.plan.owed(drawing.questions, drawing.directory.done)
    failures = 0
    watch = UnaskedThinking(not drawing.policy.closer, len(drawing.directory.done), drawing.directory.n_leaks)
    watch.check(all_drawn=False)

    async def work() -> None:
        nonlocal failures
        for sample in owed:
            finished, errors = await run_sample(drawing, sample)
            failures = 0 if finished else failures + 1
            for budgets, error in errors:
                await drawing.directory.append_error(sample.key, budgets, error)
            tokens = sum((record.n_thinking_tokens or 0) + len(record.answer_ids) for record in finished)
            if progress.so_far is not None:
                for record in finished:
                    progress.so_far.count(str(record.budget), record.grade.status is Status.CORRECT)
            progress.advance(len(finished), tokens, len(errors))
            watch.look(finished)
            if failures >= MAX_FAILURES_IN_A_ROW and errors:
                raise GaveUp(
                    f"{failures} samples in a row failed, the last with: {errors[-1][1]} Finished samples are stored; fix the "
                    f"cause and run again with the same --out."
                )

    await run_workers(work, drawing.concurrency)
    watch.check(all_drawn=True)


def count_so_far(drawing: Drawing) -> SoFar:
    """What the directory holds of the planned samples, by budget."""
    plan, stored = drawing.plan, drawing.directory
    so_far = SoFar({str(budget): plan.count(len(drawing.questions)) // len(plan.budgets) for budget in plan.budgets})
    for record in read_run(stored.path).records if stored.done else ():
        key = record.key
        if record.budget in plan.budgets and key.index < plan.samples and (key.task, key.question_id) in drawing.questions:
            so_far.count(str(record.budget), record.grade.status is Status.CORRECT)
    return so_far


@dataclass(slots=True)
class UnaskedThinking:
    """Looks for delimiters of thinking in the first samples of a model that is taken for one that does not think.

    Such a model's thinking would be graded as its answer. One sample in ten with a delimiter is enough to stop.
    """

    watching: bool
    n_seen: int
    n_marked: int

    def look(self, records: Sequence[SampleRecord]) -> None:
        """The records count. Raises ModelError if WATCHED samples are seen and too many of them hold a delimiter."""
        if self.watching:
            self.n_seen += len(records)
            self.n_marked += sum(record.leak for record in records)
            self.check(all_drawn=False)

    def check(self, all_drawn: bool) -> None:
        if self.watching and self.n_marked and 10 * self.n_marked >= self.n_seen and (all_drawn or self.n_seen >= WATCHED):
            raise ModelError(
                f"{self.n_marked} of {self.n_seen} samples hold delimiters of thinking such as <think>, but the run takes the "
                f"model for one that does not think, so its thinking would be graded as its answer. Name its format with "
                f"--thinking-format (`raml-eval formats list` has them) and choose another --out."
            )


Failure = tuple[tuple[Budget, ...], BaseException]


async def run_sample(drawing: Drawing, owed: Owed) -> tuple[list[SampleRecord], list[Failure]]:
    """One sample, from its prompt to the disk, at every owed budget. Returns the stored records and the failures."""
    capped = _by_limit(drawing, owed) if drawing.native else {}
    shared = Owed(owed.key, tuple(budget for budget in owed.budgets if not any(budget in group for group in capped.values())))
    try:
        views = await think(drawing, shared)
    except Exception as error:
        return [], [(owed.budgets, _of_this_sample(error))]
    asked = [*views.values(), *capped.values()]
    outcomes = await asyncio.gather(
        *(answer(drawing, owed.key, view, budgets) for view, budgets in views.items()),
        *(answer_capped(drawing, owed.key, limit, budgets) for limit, budgets in capped.items()),
        return_exceptions=True,
    )
    records: list[SampleRecord] = []
    failures: list[Failure] = []
    for budgets, outcome in zip(asked, outcomes, strict=True):
        if isinstance(outcome, Exception):
            failures.append((tuple(budgets), _of_this_sample(outcome)))
        elif isinstance(outcome, BaseException):
            raise outcome
        else:
            records += outcome
    return records, failures


def _of_this_sample(error: Exception) -> Exception:
    """The error, as that of one sample, which must not end the others. Raises it if it is about the run as a whole.

    The tests of one question, a prompt that an engine cannot take and a text that a library cannot read are of one sample.
    """
    if isinstance(error, InputError) and not isinstance(error, TaskError):
        raise error
    return error


async def think(drawing: Drawing, owed: Owed) -> dict[View, list[Budget]]:
    """The view that each budget has of its trajectory. Budgets with the same view share one answer.

    All caps share one trajectory; each hint has a prompt, and so a trajectory, of its own.
    """
    by_prompt: dict[str, list[Budget]] = {}
    for budget in owed.budgets:
        by_prompt.setdefault(prompt_of(budget), []).append(budget)
    views: dict[View, list[Budget]] = {}
    for prompt, budgets in by_prompt.items():
        if prompt == OFF:
            views[OFF, NO_THINKING] = budgets
            continue
        for budget, thinking in (await _cut_all(drawing, owed.key, prompt, budgets)).items():
            views.setdefault((prompt, thinking), []).append(budget)
    return views


async def _cut_all(drawing: Drawing, key: SampleKey, prompt: str, budgets: Sequence[Budget]) -> dict[Budget, Thinking]:
    """The trajectory of one prompt as each of the budgets sees it."""
    policy, n_prompt = drawing.policy, len(drawing.prompts[key.task, key.question_id][prompt])
    limits = {budget: policy.thinking_limit(budget, n_prompt) for budget in budgets}
    trajectory = await _trajectory(drawing, (key, prompt), max(policy.draw_limit(limit) for limit in limits.values()))
    cuts: dict[Budget, Thinking] = {}
    for budget, limit in limits.items():
        share = share_of(budget)
        cuts[budget] = cut_thinking(trajectory, limit, policy) if share is None else cut_share(trajectory, share, policy)
    return cuts


async def _trajectory(drawing: Drawing, draw: Draw, limit: int) -> Trajectory:
    """The stored trajectory if it serves the limit; otherwise a new one, which is drawn and stored."""
    key, prompt = draw
    stored = drawing.directory.trajectories.get(draw)
    if stored is not None and serves(stored, limit):
        return stored
    # If seeds do not reproduce, a redraw gives another result. It is counted, because redrawing favours short thinking. A
    # greedy draw has no other result that could be shorter.
    chancy = drawing.sampling.temperature > 0 and not drawing.backend.description.reproducible
    redrawn = chancy and stored is None and draw in drawing.directory.started
    if chancy:
        await drawing.directory.append_started(draw)
        drawing.directory.started.add(draw)  # another try in this session is a redraw, too
    hint = () if prompt == THINKING else (prompt,)
    params = replace(drawing.sampling, seed=derive_seed(drawing.seed, key, "thinking", *hint))
    prompt_ids = drawing.prompts[key.task, key.question_id][prompt]
    engine = engine_for(drawing.backend, key.task, key.question_id)
    drawn = await generate_thinking(engine, drawing.tokenizer, prompt_ids, key, limit, drawing.policy, params, prompt)
    drawn = replace(drawn, redrawn=redrawn or drawn.redrawn)
    await drawing.directory.append_trajectory(drawn)
    return drawn


async def answer(drawing: Drawing, key: SampleKey, view: View, budgets: Sequence[Budget]) -> list[SampleRecord]:
    """The answer to one view of the thinking is drawn, graded and stored: one record for each budget that has this view."""
    prompt, thinking = view
    # The seed does not depend on the budget: equal views draw equal answers, in a sweep and in separate runs alike.
    hint = () if prompt in (THINKING, OFF) else (prompt,)
    phase = "off" if prompt == OFF else "answer"
    seed = derive_seed(drawing.seed, key, phase, len(thinking.token_ids), thinking.closing_ids, *hint)
    prompt_ids = drawing.prompts[key.task, key.question_id][prompt]
    engine = engine_for(drawing.backend, key.task, key.question_id)
    completion = await generate_answer(engine, prompt_ids, thinking, drawing.policy, replace(drawing.sampling, seed=seed))
    trajectory = None if prompt == OFF else drawing.directory.trajectories.identity((key, prompt))
    return await finish_soon(_store(drawing, key, thinking, trajectory, budgets, completion, seed), GRACE_S)


def _by_limit(drawing: Drawing, owed: Owed) -> dict[int, list[Budget]]:
    """The budgets that the engine itself enforces, by their number of tokens: a number may be what unlimited comes to."""
    n_prompt = len(drawing.prompts[owed.key.task, owed.key.question_id].get(THINKING, ()))
    groups: dict[int, list[Budget]] = {}
    for budget in owed.budgets:
        if budget != OFF:
            limit = drawing.policy.thinking_limit(budget, n_prompt)
            groups.setdefault(limit, []).append(budget)
    return groups


async def answer_capped(drawing: Drawing, key: SampleKey, limit: int, budgets: Sequence[Budget]) -> list[SampleRecord]:
    """One sample at a budget that the engine itself enforces: thinking and answer in one draw, graded and stored.

    If a killed session stored the thinking but not the answer, only the answer is drawn.
    """
    native, policy, directory = drawing.native, drawing.policy, drawing.directory
    assert native is not None
    prompt_ids = drawing.prompts[key.task, key.question_id][THINKING]
    seed = derive_seed(drawing.seed, key, "capped", limit)
    params = replace(drawing.sampling, seed=seed)
    if stored := directory.trajectories.at_limit(key, limit):  # or if grading failed in this one
        thinking = cut_thinking(stored, limit, policy)
        completion = await generate_answer(drawing.backend, prompt_ids, thinking, policy, params)
        return await finish_soon(_store(drawing, key, thinking, stored.id, budgets, completion, seed), GRACE_S)
    trajectory, completion = await draw_capped(native, drawing.tokenizer, prompt_ids, key, limit, policy, params)
    await directory.append_trajectory(trajectory)
    thinking = cut_thinking(trajectory, limit, policy) if completion else Thinking(trajectory.token_ids, trajectory.end, ())
    return await finish_soon(_store(drawing, key, thinking, trajectory.id, budgets, completion, seed), GRACE_S)


async def _store(
    drawing: Drawing,
    key: SampleKey,
    thinking: Thinking,
    trajectory: str | None,
    budgets: Sequence[Budget],
    completion: Completion | None,
    seed: int,
) -> list[SampleRecord]:
    """The answer is graded and stored: one record for each of the budgets."""
    question = drawing.questions[key.task, key.question_id]
    ids = completion.token_ids if completion else ()
    text, finish, grade = await grade_answer(drawing.pool, question, thinking, completion, drawing.policy, drawing.tokenizer)
    leak = _leaks(drawing, ids)
    records = [
        SampleRecord(
            key=key,
            budget=budget,
            trajectory=trajectory,
            thinking_end=thinking.end,
            n_thinking_tokens=len(thinking.token_ids),
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
    await drawing.directory.append_samples(records)
    return records


async def grade_answer(
    pool: GradingPool,
    question: Question,
    thinking: Thinking,
    completion: Completion | None,
    policy: ThinkingPolicy,
    tokenizer: Tokenizer,
) -> tuple[str, Finish | None, Grade]:
    """The answer's text as it is graded, why it ended, and its verdict. completion is None if no answer could be drawn."""
    ids = completion.token_ids if completion else ()
    written = completion.text if completion else None
    text = answer_text(ids, tokenizer, question.stop, policy.answer_openers, written)
    finish = completion.finish if completion else None
    if question.stop and text != answer_text(ids, tokenizer, (), policy.answer_openers, written):
        finish = Finish.STOP  # the answer ended at one of the task's stop strings; what was drawn after it does not count
    if completion and thinking.end is ThinkingEnd.FORCED:
        text = policy.answer_prefix + text  # what the harness wrote after the delimiter is part of the answer
    return text, finish, await pool.grade_sample(question, text, finish)


def _leaks(drawing: Drawing, ids: TokenIds) -> bool:
    """True if the answer holds a delimiter of thinking."""
    marks = drawing.policy.marks
    text = drawing.tokenizer.decode(ids, skip_special_tokens=False) if ids and marks else ""
    return any(mark in text for mark in marks)
