"""Thinking budgets on token ids: two-phase forcing that is exact on every engine, because no engine knows about thinking.

Phase 1 draws thinking up to a limit. Phase 2 draws the answer after the end delimiter, which the model or the harness wrote.
One drawn trajectory serves every budget up to its limit: see cut_thinking.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from raml_eval.errors import ConfigError
from raml_eval.protocols import Backend, Tokenizer
from raml_eval.types import (
    Completion,
    Finish,
    SampleKey,
    SamplingParams,
    Thinking,
    ThinkingEnd,
    TokenIds,
    Trajectory,
)


@dataclass(frozen=True, slots=True)
class ThinkingPolicy:
    """The thinking policy of one run: what ends thinking, what a forced end writes, and the allowances in tokens.

    closer is the end delimiter's text and closer_ids are its ids. closing_ids is what a forced end writes, delimiter
    included. max_total_tokens caps thinking and answer together, without delimiter and closing text; None means no cap. A
    thinking format without thinking has an empty closer, and then the only budget is "off".
    """

    closer: str
    closer_ids: TokenIds
    closing_ids: TokenIds
    end_of_text_ids: TokenIds
    answer_tokens: int
    max_total_tokens: int | None
    context: int

    @property
    def slack(self) -> int:
        """The tokens drawn past a limit, so that a delimiter which starts right at the limit is seen whole.

        A model may write a delimiter of several tokens in an unusual way, at worst with one token per byte.
        """
        return 1 if len(self.closer_ids) == 1 else len(self.closer.encode())

    def thinking_limit(self, budget: int | str, n_prompt: int) -> int:
        """The thinking tokens that a budget allows after a prompt of n_prompt tokens.

        "unlimited" is the rest of the context after prompt, closing and answer. Raises ConfigError if prompt, budget,
        closing and answer do not fit into the context: a budget is never silently lowered.
        """
        total = self.max_total_tokens
        room = self.context - n_prompt - max(self.slack, len(self.closing_ids))
        if total is not None and total > room:
            raise ConfigError(
                f"max_total_tokens {total} does not fit: the context of {self.context} leaves {room} after a prompt of "
                f"{n_prompt} tokens. Ask for max_total_tokens <= {room}."
            )
        if budget == "unlimited":
            limit = room - self.answer_tokens if total is None else total
            if limit < 1:
                raise ConfigError(
                    f"no room to think: the context of {self.context} leaves {room} tokens after a prompt of {n_prompt}, "
                    f"and the answer takes {self.answer_tokens}. Lower answer_tokens or raise the context."
                )
            return limit
        wanted = int(budget)
        if total is None and wanted + self.answer_tokens > room:
            most = room - self.answer_tokens
            advice = f"Ask for a budget <= {most}, or unlimited." if most >= 0 else "Lower answer_tokens or raise the context."
            raise ConfigError(
                f"thinking budget {wanted} and answer_tokens {self.answer_tokens} do not fit: the context of {self.context} "
                f"leaves {room} after a prompt of {n_prompt} tokens. {advice}"
            )
        if total is not None and wanted > total:
            raise ConfigError(
                f"thinking budget {wanted} exceeds max_total_tokens {total}, which would cut it first. Ask for a budget <= "
                f"{total}, or unlimited."
            )
        return wanted

    def answer_limit(self, n_thinking: int) -> int:
        """The tokens left for an answer after n_thinking thinking tokens."""
        if self.max_total_tokens is None:
            return self.answer_tokens
        return min(self.answer_tokens, self.max_total_tokens - n_thinking)

    def check_answer_only(self, n_prompt: int) -> None:
        """Raises ConfigError if a prompt without thinking and its answer do not fit into the context."""
        needed = n_prompt + self.answer_limit(0)
        if needed > self.context:
            raise ConfigError(
                f"a prompt of {n_prompt} tokens and answer_tokens {self.answer_limit(0)} do not fit into the context of "
                f"{self.context}. Ask for answer_tokens <= {self.context - n_prompt}."
            )


def derive_seed(run_seed: int, key: SampleKey, phase: str, *more: object) -> int:
    """A 63-bit seed that depends on its arguments only: SHA-256 of the run's seed, the sample and the phase.

    Example: derive_seed(0, SampleKey("gsm8k", "17-3fa9c1", 0), "thinking") < 2**63
    """
    words = "\x1f".join(map(str, (run_seed, key.task, key.question_id, key.index, phase, *more)))
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1


async def generate_thinking(
    backend: Backend,
    tokenizer: Tokenizer,
    prompt_ids: TokenIds,
    key: SampleKey,
    limit: int,
    policy: ThinkingPolicy,
    params: SamplingParams,
) -> Trajectory:
    """The thinking of one sample, drawn once, up to limit tokens.

    Up to limit + slack tokens are drawn, so that an end right after the last allowed token is seen; the excess is discarded.
    Nothing is drawn for a limit of 0. The seed is params.seed; if it depended on the limit, sweeps would not pair.
    """
    if limit == 0:
        return Trajectory(key, 0, (), ThinkingEnd.LENGTH, (), "", params.seed)
    single = len(policy.closer_ids) == 1
    completion = await backend.generate(
        prompt_ids,
        replace(
            params,
            max_tokens=limit + policy.slack,
            stop_ids=tuple(sorted({*policy.end_of_text_ids, *(policy.closer_ids if single else ())})),
            stop_strings=() if single else (policy.closer,),
        ),
    )
    n, end = _end_of_thinking(completion, tokenizer, policy)
    if n > limit or end is ThinkingEnd.LENGTH:
        n, end = limit, ThinkingEnd.LENGTH
    ids = completion.token_ids[:n]
    end_ids = () if end is ThinkingEnd.LENGTH else completion.token_ids[n:]
    text = tokenizer.decode(ids, skip_special_tokens=False)
    return Trajectory(key, limit, ids, end, end_ids, text, params.seed)


def _end_of_thinking(completion: Completion, tokenizer: Tokenizer, policy: ThinkingPolicy) -> tuple[int, ThinkingEnd]:
    """The number of thinking tokens before the end, and what ended them."""
    ids = completion.token_ids
    if completion.finish is Finish.LENGTH:
        return len(ids), ThinkingEnd.LENGTH
    if len(policy.closer_ids) == 1 and ids[-1] == policy.closer_ids[0]:
        return len(ids) - 1, ThinkingEnd.NATURAL
    # A delimiter of several tokens: walk back to the last token that still leaves the delimiter whole after it.
    if len(policy.closer_ids) > 1:
        for start in range(len(ids) - 1, max(-1, len(ids) - 2 - policy.slack), -1):
            if policy.closer in tokenizer.decode(ids[start:], skip_special_tokens=False):
                return start, ThinkingEnd.NATURAL
    return len(ids) - 1, ThinkingEnd.EOS


def serves(trajectory: Trajectory, limit: int) -> bool:
    """True if the trajectory shows what happens under the limit: it ended by itself, or was drawn at least that far."""
    return trajectory.end is not ThinkingEnd.LENGTH or (trajectory.limit or 0) >= limit


def cut_thinking(trajectory: Trajectory, limit: int, policy: ThinkingPolicy) -> Thinking:
    """The trajectory as a budget of limit tokens sees it.

    The trajectory keeps its own end if and only if that end comes after at most limit thinking tokens. Otherwise it is cut
    and closed by force. A limit of 0 draws nothing, so it always closes by force. If max_total_tokens is what cut the
    thinking, no tokens are left for an answer, and the end is LENGTH.
    """
    if not serves(trajectory, limit):
        raise ValueError(f"{trajectory.id} is open after {trajectory.limit} tokens and cannot be read at {limit}")
    ended = trajectory.end is not ThinkingEnd.LENGTH
    if ended and limit > 0 and len(trajectory.token_ids) <= limit:
        return Thinking(trajectory.token_ids, trajectory.end, trajectory.end_ids)
    kept = trajectory.token_ids[:limit]
    if policy.max_total_tokens is not None and limit >= policy.max_total_tokens:
        return Thinking(kept, ThinkingEnd.LENGTH, ())
    return Thinking(kept, ThinkingEnd.FORCED, policy.closing_ids)


async def generate_answer(
    backend: Backend, prompt_ids: TokenIds, thinking: Thinking, policy: ThinkingPolicy, params: SamplingParams
) -> Completion | None:
    """The answer that follows a closed thinking; None if the thinking never closed or no token is left for an answer."""
    if thinking.end in (ThinkingEnd.EOS, ThinkingEnd.LENGTH):
        return None
    allowance = policy.answer_limit(len(thinking.token_ids))
    if allowance < 1:
        return None
    return await backend.generate(
        (*prompt_ids, *thinking.token_ids, *thinking.closing_ids),
        replace(params, max_tokens=allowance, stop_ids=policy.end_of_text_ids, stop_strings=()),
    )


NO_THINKING = Thinking((), ThinkingEnd.OFF, ())


def answer_text(ids: Sequence[int], tokenizer: Tokenizer, stop: Iterable[str]) -> str:
    """The answer as it is graded: decoded without special tokens, and cut at the first of the task's stop strings.

    Stop strings only count after the first character that is not blank, because an answer may begin with line breaks.
    """
    text = tokenizer.decode(ids, skip_special_tokens=True)
    start = len(text) - len(text.lstrip())
    cuts = [at for word in stop if word and (at := text.find(word, start + 1)) >= 0]
    return text[: min(cuts)] if cuts else text
