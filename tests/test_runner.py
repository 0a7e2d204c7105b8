"""The main path on a scripted engine: statuses, sharing, resuming, failing."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from raml_eval.errors import GenerationError, ModelError, TaskError
from raml_eval.grading.pool import GradingPool
from raml_eval.store import read_run
from raml_eval.store.failures import tell_reasons
from raml_eval.types import (
    Budget,
    Finish,
    Grade,
    Question,
    SampleKey,
    SampleRecord,
    SamplingParams,
    Status,
    StoredRun,
    ThinkingEnd,
)
from tests.dying import dies_at
from tests.scripted import CLOSE, EOS, HINT, OPEN, run_scripted, solver

ROOT = Path(__file__).resolve().parents[1]


def by_key(run: StoredRun) -> dict[tuple[SampleKey, Budget], SampleRecord]:
    """The samples, but for the session that drew each."""
    return {(record.key, record.budget): replace(record, session=0) for record in run.records}


def test_every_planned_sample_is_stored_once_with_its_ending(tmp_path: Path) -> None:
    run = run_scripted(tmp_path)
    assert len(run.records) == len(by_key(run)) == 6 * 2 * 4
    for record in run.records:
        number = int(record.key.question_id.split("-")[0])
        if record.budget == "off":
            expected = (ThinkingEnd.OFF, 0, Status.INCORRECT)
        elif record.budget == 0:
            # Nothing is drawn and the end is forced, also where the model would have closed at once.
            expected = (ThinkingEnd.FORCED, 0, Status.CORRECT if number == 0 else Status.INCORRECT)
        elif record.budget == 3 and number > 3:
            expected = (ThinkingEnd.FORCED, 3, Status.INCORRECT)
        else:
            expected = (ThinkingEnd.NATURAL, number, Status.CORRECT)
        assert (record.thinking_end, record.n_thinking_tokens, record.status) == expected
        assert record.answer_finish is Finish.STOP
        assert (record.trajectory is None) == (record.budget == "off")


def test_each_trajectory_is_drawn_once_and_equal_views_share_one_answer(tmp_path: Path) -> None:
    draws: Counter[tuple[int, ...]] = Counter()

    def counting(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        draws[tuple(prompt)] += 1
        return solver(prompt, params)

    run_scripted(tmp_path, script=counting, n_samples=1, budgets=(3, 5, "unlimited"), n_questions=6)
    thinking = {prompt: n for prompt, n in draws.items() if prompt[-1] == OPEN}
    assert set(thinking.values()) == {1}
    # Questions 0 to 3 end within every budget, 4 and 5 are cut at 3: one answer each, and one more for the cut.
    assert sum(draws.values()) - len(thinking) == 4 + 2 + 2


def test_a_sweep_equals_runs_of_their_own(tmp_path: Path) -> None:
    def noisy(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        rng = random.Random(params.seed)
        if CLOSE not in prompt:
            yield from (rng.randrange(97, 123) for _ in range(rng.randrange(12)))
            yield CLOSE
        yield from map(ord, f"\\boxed{{{rng.randrange(100)}}}")
        yield EOS

    budgets = (0, 2, 5, "unlimited")
    sweep = by_key(run_scripted(tmp_path / "sweep", script=noisy, budgets=budgets, n_samples=4))
    for budget in budgets:
        alone = run_scripted(tmp_path / str(budget), script=noisy, budgets=(budget,), n_samples=4)
        for record in alone.records:
            swept = sweep[record.key, budget]
            same = ("answer_ids", "n_thinking_tokens", "thinking_end", "seed", "status")
            assert [getattr(swept, name) for name in same] == [getattr(record, name) for name in same]


def test_more_samples_budgets_and_questions_extend_a_run(tmp_path: Path) -> None:
    first = by_key(run_scripted(tmp_path, n_questions=2, n_samples=1, budgets=(3,)))
    second = by_key(run_scripted(tmp_path, n_questions=5, n_samples=3, budgets=("unlimited",)))
    assert len(second) == 5 * 3 * 2
    assert first.items() <= second.items()
    at_once = by_key(run_scripted(tmp_path / "new", n_questions=5, n_samples=3, budgets=(3, "unlimited")))
    # Only the name of the trajectory tells to which limit it was drawn first.
    assert {k: replace(r, trajectory=None) for k, r in second.items()} == {
        k: replace(r, trajectory=None) for k, r in at_once.items()
    }
    assert len(by_key(run_scripted(tmp_path, n_questions=1, n_samples=1, budgets=(3,)))) == 30


@pytest.mark.parametrize(
    ("text", "end", "status"),
    [
        (f"{'a' * 9}", "eos", Status.UNFINISHED),  # the turn ends inside the thinking
        ("the answer is 5", "close", Status.UNFINISHED),  # cut off: who knows what digits would follow
        ("The answer is 5.\nTo check this we may now go on and on", "close", Status.CORRECT),
        (r"\boxed{5} and to check", "close", Status.CORRECT),
        (r"\boxed{6} and to check", "close", Status.INCORRECT),
        ("no idea at all, none, none, none", "close", Status.UNFINISHED),
    ],
)
def test_what_runs_out_of_tokens_counts_only_what_it_finished(tmp_path: Path, text: str, end: str, status: Status) -> None:
    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        if CLOSE not in prompt:
            return iter([97, EOS if end == "eos" else CLOSE])
        return itertools.chain(map(ord, text), itertools.repeat(32))

    policy = {"answer_tokens": len(text.split(" to ")[0]) if "boxed" in text else min(len(text), 40)}
    run = run_scripted(tmp_path, script=script, n_questions=6, budgets=(4,), n_samples=1, policy=policy)
    assert [r.status for r in run.records if r.key.question_id.startswith("5")] == [status]


def test_finished_without_an_answer_is_not_unfinished(tmp_path: Path) -> None:
    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        return iter([CLOSE] if CLOSE not in prompt else [*map(ord, "no idea"), EOS])

    run = run_scripted(tmp_path, script=script, budgets=(4,))
    assert {record.status for record in run.records} == {Status.NO_ANSWER}


def test_thinking_after_the_close_is_noted_as_a_leak(tmp_path: Path) -> None:
    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        return iter([97] * 9 + [CLOSE] if CLOSE not in prompt else [97, CLOSE, *map(ord, r"\boxed{5}"), EOS])

    run = run_scripted(tmp_path, script=script, budgets=(4,))
    assert all(record.leak and record.thinking_end is ThinkingEnd.FORCED for record in run.records)


@pytest.mark.parametrize(
    ("written", "leak"), [([OPEN, 97, CLOSE], True), ([OPEN], True), (list(map(ord, "<t>")), True), ([97], False)]
)
def test_thinking_that_is_opened_again_in_the_answer_is_noted(tmp_path: Path, written: list[int], leak: bool) -> None:
    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        return iter([97, CLOSE] if CLOSE not in prompt else [*written, *map(ord, r"\boxed{5}"), EOS])

    run = run_scripted(tmp_path, script=script, budgets=(4,), n_samples=1, policy={"marks": ("<t>", "</t>")})
    assert {record.leak for record in run.records} == {leak}


def test_a_total_cap_inside_the_thinking_is_unfinished(tmp_path: Path) -> None:
    run = run_scripted(tmp_path, budgets=("unlimited",), policy={"max_total_tokens": 4, "answer_tokens": 4})
    ends = {int(r.key.question_id[0]): (r.thinking_end, r.status) for r in run.records}
    assert ends[5] == (ThinkingEnd.LENGTH, Status.UNFINISHED)
    assert ends[4] == (ThinkingEnd.NATURAL, Status.UNFINISHED)  # closed, with nothing left for an answer


def test_a_failed_request_is_an_error_and_no_answer_and_is_owed_again(tmp_path: Path) -> None:
    broken = {"on": True}

    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        if broken["on"] and prompt[0] == 102 and CLOSE in prompt:
            raise GenerationError("the engine dropped the request")
        return solver(prompt, params)

    run = run_scripted(tmp_path, script=script, budgets=("unlimited", "off"))
    assert run.n_errors == 2
    assert len(run.records) == 6 * 2 * 2 - 2
    broken["on"] = False
    again = run_scripted(tmp_path, script=script, budgets=("unlimited", "off"))
    assert again.n_errors == 0
    assert len(again.records) == 6 * 2 * 2


def test_an_engine_that_only_fails_stops_the_run(tmp_path: Path) -> None:
    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        raise GenerationError("the engine is gone")

    with pytest.raises(GenerationError, match="in a row failed, the last with: the engine is gone"):
        run_scripted(tmp_path, script=script, n_questions=200)


def test_redraws_are_marked_where_seeds_do_not_reproduce(tmp_path: Path) -> None:
    killed = {"on": True}

    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        if killed["on"] and prompt[0] == 103:
            raise GenerationError("cut short")
        return solver(prompt, params)

    run_scripted(tmp_path, script=script, budgets=(4,), reproducible=False)
    killed["on"] = False
    run = run_scripted(tmp_path, script=script, budgets=(4,), reproducible=False)
    assert {t.key.question_id for t in run.trajectories.values() if t.redrawn} == {"3-abcdef"}


def test_a_greedy_redraw_favours_nothing(tmp_path: Path) -> None:
    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        if prompt[0] == 103:
            raise GenerationError("cut short")
        return solver(prompt, params)

    for one in (script, solver):
        run = run_scripted(tmp_path, script=one, budgets=(4,), reproducible=False, temperature=0.0)
    assert len(run.trajectories) == 12
    assert not any(t.redrawn for t in run.trajectories.values())


def test_any_error_of_one_sample_is_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    grade = GradingPool.grade_sample

    async def fail(self: GradingPool, question: Question, answer: str, finish: Finish | None) -> Grade:
        if question.id.startswith("3-"):
            raise RecursionError("too deep") if answer else TaskError("its tests cannot be run")
        return await grade(self, question, answer, finish)

    monkeypatch.setattr(GradingPool, "grade_sample", fail)
    run = run_scripted(tmp_path, budgets=("unlimited",))
    assert (len(run.records), run.n_errors) == (5 * 2, 2)
    (told, _) = tell_reasons(tmp_path, {(record.key, record.budget) for record in run.records})
    assert told == "sums/3-abcdef, sample 0 at unlimited: RecursionError: too deep"


NEVER_THINKS = {"closer": "", "closer_ids": (), "closing_ids": (), "marks": ("<t>", "</t>")}


def thinking_unasked(every: int, start: int = 0) -> Callable[[Sequence[int], SamplingParams], Iterator[int]]:
    """A model without a thinking format, one in so many of whose answers holds a thought."""
    seen = itertools.count(start)

    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        text = "<t>5 or 6</t>\\boxed{5}" if next(seen) % every == 0 else r"\boxed{5}"
        return itertools.chain(map(ord, text), itertools.repeat(EOS))

    return script


def run_without_thinking(path: Path, n: int, every: int, start: int = 0) -> StoredRun:
    return run_scripted(
        path, script=thinking_unasked(every, start), n_questions=n, n_samples=1, budgets=("off",), policy=NEVER_THINKS,
        concurrency=1,
    )  # fmt: skip


def test_unasked_thinking_stops_a_run_after_its_first_samples(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"of 32 samples hold delimiters of thinking such as <think>.*--thinking-format"):
        run_without_thinking(tmp_path, 60, every=2)
    stored = read_run(tmp_path)
    assert len(stored.records) == 32
    assert sum(record.leak for record in stored.records) == 16


def test_unasked_thinking_stops_a_short_run_at_its_end(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="4 of 8 samples hold delimiters"):
        run_without_thinking(tmp_path, 8, every=2)


def test_unasked_thinking_stops_a_resumed_run_before_it_draws(tmp_path: Path) -> None:
    with pytest.raises(ModelError):
        run_without_thinking(tmp_path, 60, every=2)
    with pytest.raises(ModelError, match="16 of 32 samples"):
        run_without_thinking(tmp_path, 60, every=2)
    assert len(read_run(tmp_path).records) == 32


def test_a_rare_quotation_of_a_delimiter_stops_nothing(tmp_path: Path) -> None:
    run = run_without_thinking(tmp_path, 60, every=20, start=1)
    assert len(run.records) == 60
    assert sum(record.leak for record in run.records) == 3


def test_a_model_that_is_known_to_think_is_not_stopped_by_its_leaks(tmp_path: Path) -> None:
    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        return iter([97, CLOSE] if CLOSE not in prompt else [97, CLOSE, *map(ord, r"\boxed{5}"), EOS])

    run = run_scripted(tmp_path, script=script, n_questions=40, n_samples=1, budgets=(4,))
    assert len(run.records) == 40
    assert all(record.leak for record in run.records)


def test_hints_have_trajectories_of_their_own_in_one_run_and_are_resumed(tmp_path: Path) -> None:
    draws: Counter[tuple[int, ...]] = Counter()

    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        draws[tuple(prompt)] += 1
        if CLOSE not in prompt:  # the more the hint asks for, the longer it thinks
            yield from [97] * (2 + max(0, prompt[1] - HINT) * 3 if prompt[1] >= HINT else 9)
            yield CLOSE
        yield from map(ord, r"\boxed{5}")
        while True:
            yield EOS

    budgets = (4, "effort:low", "effort:high", "unlimited")
    run = run_scripted(tmp_path, script=script, budgets=budgets, n_samples=1)
    lengths = {budget: {r.n_thinking_tokens for r in run.records if r.budget == budget} for budget in budgets}
    assert lengths == {4: {4}, "effort:low": {2}, "effort:high": {5}, "unlimited": {9}}
    assert Counter(t.prompt for t in run.trajectories.values()) == {"thinking": 6, "effort:low": 6, "effort:high": 6}
    assert all(
        run.trajectories[r.trajectory or ""].prompt == (r.budget if r.budget in budgets[1:3] else "thinking")
        for r in run.records
    )
    n_drawn = draws.total()
    assert by_key(run_scripted(tmp_path, script=script, budgets=budgets, n_samples=1)) == by_key(run)
    assert draws.total() == n_drawn
    # A lower cap and another hint draw only what they need: answers to the cap, and the hint's own thinking.
    more = run_scripted(tmp_path, script=script, budgets=(*budgets, "hint:64", 3), n_samples=1)
    assert by_key(run).items() <= by_key(more).items()
    assert draws.total() == n_drawn + 6 * 2 + 6


def test_shares_of_each_thinking_that_ended_by_itself(tmp_path: Path) -> None:
    run = run_scripted(tmp_path, budgets=("frac:0", "frac:0.5", "frac:1", "unlimited"), n_samples=1)
    for record in run.records:
        number = int(record.key.question_id.split("-")[0])
        share = 1.0 if record.budget == "unlimited" else float(str(record.budget).removeprefix("frac:"))
        assert record.n_thinking_tokens == int(share * number)
        whole = record.n_thinking_tokens == number
        assert record.thinking_end is (ThinkingEnd.NATURAL if whole else ThinkingEnd.FORCED)
        assert record.status is (Status.CORRECT if whole else Status.INCORRECT)


def test_a_share_of_what_never_ended_is_unfinished(tmp_path: Path) -> None:
    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        return itertools.repeat(97)

    run = run_scripted(tmp_path, script=script, budgets=("frac:0.5",), n_samples=1)
    assert {(r.thinking_end, r.status) for r in run.records} == {(ThinkingEnd.LENGTH, Status.UNFINISHED)}


def test_what_a_forced_end_writes_after_the_thinking_belongs_to_the_answer(tmp_path: Path) -> None:
    box = tuple(map(ord, "\\boxed{"))

    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        if tuple(prompt[-len(box) :]) == box:
            return itertools.chain(map(ord, "5}"), itertools.repeat(EOS))
        if CLOSE in prompt:
            return itertools.chain(map(ord, r"\boxed{5}"), itertools.repeat(EOS))
        return iter([97] * (2 if prompt[0] % 2 else 9) + [CLOSE])

    policy = {"closing_ids": box, "answer_prefix": "\\boxed{"}
    run = run_scripted(tmp_path, script=script, budgets=(4,), n_samples=1, policy=policy)
    assert {(r.thinking_end, r.answer, r.grade.answer) for r in run.records} == {
        (ThinkingEnd.FORCED, r"\boxed{5}", "5"),
        (ThinkingEnd.NATURAL, r"\boxed{5}", "5"),
    }
    assert all(len(r.answer_ids) == (3 if r.thinking_end is ThinkingEnd.FORCED else 10) for r in run.records)


SLOW = """
from pathlib import Path
from tests.scripted import run_scripted
run_scripted(Path({path!r}), n_questions=30, latency_s=0.05)
"""


def test_killed_five_times_it_still_holds_every_sample_once(tmp_path: Path) -> None:
    for n in (1, 40, 100, 160, 230):
        program = dies_at(tmp_path / "killed" / "samples.jsonl", n) + SLOW.format(path=str(tmp_path / "killed"))
        process = subprocess.run([sys.executable, "-c", program], cwd=ROOT, timeout=120, check=False)
        assert process.returncode == -signal.SIGKILL
    killed = run_scripted(tmp_path / "killed", n_questions=30)
    whole = run_scripted(tmp_path / "whole", n_questions=30)
    assert by_key(killed) == by_key(whole)
    assert killed.trajectories == whole.trajectories
