"""Thinking budgets that an engine enforces itself: a test before the first sample, and an audit of every draw.

Two-phase forcing (thinking) is the default, because it is exact on every engine. An engine's own cap saves the second
request, but engines have forced the delimiter into answers and have counted other tokens, so its promise is tested.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace

from raml_eval.errors import ConfigError, GenerationError
from raml_eval.protocols import NativeBudgets, Tokenizer
from raml_eval.thinking import ThinkingPolicy
from raml_eval.types import Completion, Finish, SampleKey, SamplingParams, ThinkingEnd, TokenIds, Trajectory

TEST_BUDGETS = (1, 16)
_TEST_ANSWER_TOKENS = 48
_ADVICE = "Leave the engine's own budget off: budgets are then enforced in two phases, which every engine can do."


@dataclass(frozen=True, slots=True)
class CappedDraw:
    """A draw, split at its end delimiter. closed is false if it ended inside the thinking; answer_ids are then empty.

    at_cap is true if the thinking used up its budget: the delimiter was forced, or the model wrote it just there.
    """

    thinking_ids: TokenIds
    answer_ids: TokenIds
    closed: bool
    at_cap: bool


def audit(completion: Completion, closer_ids: Sequence[int], budget: int) -> CappedDraw:
    """The thinking and the answer of a capped draw, without the delimiter between them.

    A draw that ran out of tokens within the delimiter counts as open. Raises GenerationError if more than budget thinking
    tokens were drawn, or if the delimiter stands in the answer again just where an engine that missed the first one would
    force it: when the answer's tokens have used up the rest of the budget. Anywhere else it is the model's own, which went
    on reasoning in the answer.
    """
    ids, closer = completion.token_ids, tuple(closer_ids)
    if not closer:
        raise GenerationError("there is no end delimiter, so a thinking budget cannot be audited. Use a model that thinks.")
    end = _find(ids, closer)
    if end is None:
        thinking = ids[:budget] if _runs_out_in(ids[budget:], closer, completion.finish) else ids
        answer: TokenIds = ()
    else:
        thinking, answer = ids[:end], ids[end + len(closer) :]
    if len(thinking) > budget:
        raise GenerationError(f"the engine drew {len(thinking)} thinking tokens; the budget is {budget}. {_ADVICE}")
    again = _find(answer, closer)
    # The engine may count the first delimiter, and forces at the token after the last.
    if again is not None and len(thinking) < budget and abs(len(thinking) + again - budget) <= 2 * len(closer) + 1:
        raise GenerationError(
            f"the end delimiter stands in the draw twice, after {len(thinking)} thinking tokens and {again} tokens later; the "
            f"budget is {budget}. {_ADVICE}"
        )
    return CappedDraw(thinking, answer, end is not None, len(thinking) == budget)


async def draw_capped(
    engine: NativeBudgets,
    tokenizer: Tokenizer,
    prompt_ids: TokenIds,
    key: SampleKey,
    limit: int,
    policy: ThinkingPolicy,
    params: SamplingParams,
) -> tuple[Trajectory, Completion | None]:
    """The thinking of one sample at one budget, and the answer that was drawn with it; None if the thinking never closed.

    An answer has the policy's allowance, as in two phases: what was drawn beyond it does not count. Raises GenerationError
    if the draw fails its audit.
    """
    closer = policy.closer_ids
    most = limit + len(closer) + policy.answer_limit(limit)
    drawn = await engine.generate_capped(prompt_ids, replace(params, max_tokens=most, stop_ids=policy.end_of_text_ids), limit)
    draw = audit(drawn, closer, limit)
    ids = draw.thinking_ids
    end, end_ids = ThinkingEnd.NATURAL, closer
    if not draw.closed:
        ended = drawn.finish is Finish.STOP
        ids, end_ids = (ids[:-1], ids[-1:]) if ended else (ids, ())
        end = ThinkingEnd.EOS if ended else ThinkingEnd.LENGTH
    elif draw.at_cap:  # forced, or written by the model just there; the draw does not tell the two apart
        end, end_ids = ThinkingEnd.LENGTH, ()
    text = tokenizer.decode(ids, skip_special_tokens=False) if ids else ""
    trajectory = Trajectory(key, limit, ids, end, end_ids, text, params.seed)
    if not draw.closed:
        return trajectory, None
    allowed = policy.answer_limit(len(ids))
    if len(draw.answer_ids) > allowed:
        return trajectory, Completion(draw.answer_ids[:allowed], Finish.LENGTH)
    return trajectory, Completion(draw.answer_ids, drawn.finish)


async def check_native_budgets(
    engine: NativeBudgets, prompts: Sequence[TokenIds], params: SamplingParams, closer_ids: Sequence[int]
) -> dict[str, int]:
    """The numbers of draws that showed a binding budget, by budget, and an end that the model wrote itself.

    Every prompt must have opened the thinking. params is the run's sampling; its max_tokens is the most that a draw may take
    until the model ends its thinking itself, plus 48 tokens of answer. Each prompt is drawn with the budgets 1 and 16, which
    must bind exactly, then without a limit, and then with a budget that runs out inside the answer, where nothing may be
    forced.

    Raises ConfigError, which says what was seen, if a draw breaks its budget or has the delimiter twice, and if no prompt
    shows one of the cases: thinking of more than 16 tokens, and a natural end.
    """
    seen = {**{str(budget): 0 for budget in TEST_BUDGETS}, "natural": 0}
    for budget in TEST_BUDGETS:
        limit = replace(params, max_tokens=budget + len(closer_ids) + _TEST_ANSWER_TOKENS)
        draws = await _draw_all(engine, [(prompt, limit, budget) for prompt in prompts], closer_ids)
        seen[str(budget)] = sum(draw.closed and draw.at_cap for draw in draws)
        if open_ := [draw for draw in draws if not draw.closed and len(draw.thinking_ids) >= budget]:
            raise ConfigError(
                f"the engine wrote no end delimiter after {len(open_[0].thinking_ids)} thinking tokens; the budget is {budget}."
                f" {_ADVICE}"
            )
    free = await _draw_all(engine, [(prompt, params, params.max_tokens) for prompt in prompts], closer_ids)
    again = []
    for prompt, draw in zip(prompts, free, strict=True):
        # An engine that missed the natural end would still count, and force the delimiter after one token of the answer.
        n = len(draw.thinking_ids) + len(closer_ids) + 1
        if draw.closed and len(draw.answer_ids) > 1:
            again.append((prompt, replace(params, max_tokens=min(params.max_tokens, n + _TEST_ANSWER_TOKENS)), n))
    draws = await _draw_all(engine, again, closer_ids)
    seen["natural"] = sum(draw.closed and not draw.at_cap for draw in draws)
    if missing := [case for case, n in seen.items() if not n]:
        wanted = "a natural end" if missing == ["natural"] else f"a binding budget of {missing[0]}"
        raise ConfigError(
            f"the engine's own thinking budget cannot be tested: none of {len(prompts)} prompts showed {wanted} within "
            f"{params.max_tokens} tokens. {_ADVICE}"
        )
    return seen


async def _draw_all(
    engine: NativeBudgets, requests: Sequence[tuple[TokenIds, SamplingParams, int]], closer_ids: Sequence[int]
) -> list[CappedDraw]:
    """The audited draws. ConfigError if one fails, or fails its audit."""
    try:
        completions = await asyncio.gather(*(engine.generate_capped(*request) for request in requests))
        return [audit(drawn, closer_ids, budget) for drawn, (_, _, budget) in zip(completions, requests, strict=True)]
    except GenerationError as error:
        raise ConfigError(f"the engine's own thinking budget cannot be relied on: {error}") from error


def _find(ids: TokenIds, part: TokenIds) -> int | None:
    return next((i for i in range(len(ids) - len(part) + 1) if ids[i : i + len(part)] == part), None)


def _runs_out_in(rest: TokenIds, closer: TokenIds, finish: Finish) -> bool:
    """True if the draw's tokens ran out after a beginning of the delimiter."""
    return finish is Finish.LENGTH and 0 < len(rest) < len(closer) and rest == closer[: len(rest)]
