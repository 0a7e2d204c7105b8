"""Thinking budgets on token ids: two-phase forcing that is exact on every engine, because no engine knows about thinking.

Phase 1 draws thinking up to a limit. Phase 2 draws the answer after the end delimiter, which the model or the harness wrote.
One drawn trajectory serves every budget up to its limit: see cut_thinking.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from raml_eval.budgets import THINKING
from raml_eval.errors import ConfigError
from raml_eval.protocols import Backend, Tokenizer
from raml_eval.types import (
    Budget,
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
    included; answer_prefix is the part of it that already belongs to the answer. answer_openers are texts with which models
    open an answer, and which are no part of it. max_total_tokens caps thinking and answer
    together, without delimiter and closing text; None means no cap. A thinking format without thinking has an empty closer,
    and then the only budget is "off".

    grace is how many tokens past a budget a thinking may go on to the end of its line; 0 cuts it exactly. ends_line tells
    whether a token holds a line break. An end is withheld, and continuation_ids are written in its place, until min_tokens
    are reached, or the first n_extensions times (s1, arXiv:2501.19393, section 3.1).

    resumes is the beginning of the delimiter with which the model goes on in a message of its own, if the delimiter begins
    with the end of a message: thinking may then go on in another message (harmony). Empty if there is no such beginning.

    own_ids are the ids of the delimiter that are tokens of their own: a delimiter spelled in other tokens is a quotation.
    marks are texts that thinking would begin or end with; an answer that holds one has a leak.
    """

    closer: str
    closer_ids: TokenIds
    closing_ids: TokenIds
    end_of_text_ids: TokenIds
    answer_tokens: int
    max_total_tokens: int | None
    context: int
    answer_prefix: str = ""
    answer_openers: tuple[str, ...] = ()
    grace: int = 0
    ends_line: Callable[[int], bool] = bool
    min_tokens: int = 0
    n_extensions: int = 0
    continuation_ids: TokenIds = ()
    resumes: str = ""
    own_ids: frozenset[int] = frozenset()
    marks: tuple[str, ...] = ()

    @property
    def thinking_stop_ids(self) -> TokenIds:
        """The ids that end a draw of thinking: the ends of a turn, unless the delimiter begins with one, and the delimiter."""
        single = self.closer_ids if len(self.closer_ids) == 1 else ()
        return tuple(sorted({*self.end_of_text_ids} - {*self.closer_ids} | {*single}))

    def draw_limit(self, limit: int) -> int:
        """The thinking tokens that must be drawn to see what a limit cuts."""
        total = self.max_total_tokens
        reached = limit + self.grace if limit else 0
        return reached if total is None else max(limit, min(reached, total))

    @property
    def slack(self) -> int:
        """The tokens drawn past a limit, so that a delimiter which starts right at the limit is seen whole.

        A model may write a delimiter of several tokens in an unusual way, at worst with one token per byte.
        """
        return 1 if len(self.closer_ids) == 1 else len(self.closer.encode())

    def thinking_limit(self, budget: Budget, n_prompt: int) -> int:
        """The thinking tokens that a budget allows after a prompt of n_prompt tokens.

        "unlimited" is the rest of the context after prompt, closing and answer. Raises ConfigError if prompt, budget,
        closing and answer do not fit into the context: a budget is never silently lowered.
        """
        total = self.max_total_tokens
        room = self.context - n_prompt - max(self.slack, len(self.closing_ids))
        if room < 1:
            raise ConfigError(
                f"a prompt of {n_prompt} tokens leaves no room in the context of {self.context}. Raise the context "
                f"(--backend-arg max_model_len=..., for vLLM), or leave out such long questions."
            )
        if total is not None and total > room:
            raise ConfigError(
                f"max_total_tokens {total} does not fit: the context of {self.context} leaves {room} after a prompt of "
                f"{n_prompt} tokens. Ask for max_total_tokens <= {room}."
            )
        if not isinstance(budget, int):
            limit = room - self.answer_tokens - self.grace if total is None else total
            if limit < 1:
                raise ConfigError(
                    f"no room to think: the context of {self.context} leaves {room} tokens after a prompt of {n_prompt}, "
                    f"and the answer takes {self.answer_tokens}. Lower answer_tokens or raise the context."
                )
            if limit < self.min_tokens:
                raise ConfigError(
                    f"min_tokens {self.min_tokens} do not fit: after a prompt of {n_prompt} tokens, {limit} are left to think. "
                    f"Ask for min_tokens <= {limit}."
                )
            return limit
        wanted = budget
        if wanted < self.min_tokens:
            raise ConfigError(
                f"thinking budget {wanted} is below min_tokens {self.min_tokens}, so one of them would be broken. Ask for a "
                f"budget >= {self.min_tokens}, or for fewer min_tokens."
            )
        if total is None and self.draw_limit(wanted) + self.answer_tokens > room:
            most, left = room - self.answer_tokens - self.grace, room - self.draw_limit(wanted)
            lower = f"Ask for answer_tokens <= {left}, or raise the context." if left >= 1 else "Raise the context."
            advice = f"Ask for a budget <= {most}, or unlimited." if most >= 0 else lower
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
        needed, most = n_prompt + self.answer_limit(0), self.context - n_prompt
        if needed > self.context:
            advice = (
                f"Ask for answer_tokens <= {most}." if most >= 1 else "Raise the context, or leave out such long questions."
            )
            raise ConfigError(
                f"a prompt of {n_prompt} tokens and answer_tokens {self.answer_limit(0)} do not fit into the context of "
                f"{self.context}. {advice}"
            )


def derive_seed(run_seed: int, key: SampleKey, phase: str, *more: object) -> int:
    """A 63-bit seed that depends on its arguments only: SHA-256 of the run's seed, the sample and the phase.

    Example: derive_seed(0, SampleKey("gsm8k", "17-3fa9c1", 0), "thinking") < 2**63
    """
    return _seed_of("\x1f".join(map(str, (run_seed, key.task, key.question_id, key.index, phase, *more))))


def _seed_of(words: str) -> int:
    return int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], "big") >> 1


async def generate_thinking(
    backend: Backend,
    tokenizer: Tokenizer,
    prompt_ids: TokenIds,
    key: SampleKey,
    limit: int,
    policy: ThinkingPolicy,
    params: SamplingParams,
    prompt: str = THINKING,
) -> Trajectory:
    """The thinking of one sample, drawn once, up to limit tokens.

    Up to limit + slack tokens are drawn, so that an end right after the last allowed token is seen; the excess is discarded.
    Nothing is drawn for a limit of 0. The first seed is params.seed; if it depended on the limit, sweeps would not pair. If
    an end is withheld, or if what stopped the draw was only a quotation of the delimiter, drawing goes on from there.
    """
    ids: TokenIds = ()
    end_ids: TokenIds = ()
    end: ThinkingEnd | None = ThinkingEnd.LENGTH
    extensions: list[int] = []
    redrawn = False
    while limit and len(ids) <= limit:  # at the limit too, where an end may still come
        n_before = len(ids)
        completion = await backend.generate(
            (*prompt_ids, *ids),
            replace(
                params,
                max_tokens=limit + policy.slack - n_before,
                seed=params.seed if n_before == 0 else _seed_at(params.seed, n_before),
                stop_ids=policy.thinking_stop_ids,
                stop_strings=() if len(policy.closer_ids) == 1 else (policy.closer,),
            ),
        )
        redrawn = redrawn or completion.redrawn
        n, end = _end_of_thinking(completion, tokenizer, policy)
        drawn, end_ids = completion.token_ids[:n], completion.token_ids[n:]
        if end is ThinkingEnd.EOS:
            end_ids = end_ids[:1]  # what an engine draws after the end of a turn is made up
        ids = (*ids, *drawn)
        if end is not None and (end is ThinkingEnd.LENGTH or not _withholds(policy, len(ids), len(extensions))):
            break
        if end is not None:
            extensions.append(len(ids))
            ids = (*ids, *policy.continuation_ids)
        end, end_ids = ThinkingEnd.LENGTH, ()
    if len(ids) > limit or end is None or end is ThinkingEnd.LENGTH:
        ids, end, end_ids = ids[:limit], ThinkingEnd.LENGTH, ()
    text = tokenizer.decode(ids, skip_special_tokens=False) if ids else ""
    within = tuple(at for at in extensions if at < limit)
    return Trajectory(key, limit, ids, end, end_ids, text, params.seed, redrawn, prompt=prompt, extensions=within)


def _seed_at(seed: int, n_tokens: int) -> int:
    """The seed of a draw that goes on after n_tokens: another one, so that the noise is not that of the first draw again."""
    return _seed_of(f"{seed}/{n_tokens}")


def _withholds(policy: ThinkingPolicy, n_tokens: int, n_extended: int) -> bool:
    """True if an end after n_tokens is withheld, n_extended others having been withheld before."""
    return bool(policy.continuation_ids) and (n_tokens < policy.min_tokens or n_extended < policy.n_extensions)


def _end_of_thinking(completion: Completion, tokenizer: Tokenizer, policy: ThinkingPolicy) -> tuple[int, ThinkingEnd | None]:
    """The number of thinking tokens before the end, and what ended them; None if only a quotation stopped the draw."""
    ids = completion.token_ids
    turn_end = _end_of_turn_within(ids, tokenizer, policy)
    if turn_end is not None:
        return turn_end, ThinkingEnd.EOS
    if completion.finish is Finish.LENGTH:
        return len(ids), ThinkingEnd.LENGTH
    if len(policy.closer_ids) == 1 and ids[-1] == policy.closer_ids[0]:
        return len(ids) - 1, ThinkingEnd.NATURAL
    if ids[-1] in policy.thinking_stop_ids:
        return len(ids) - 1, ThinkingEnd.EOS
    # A delimiter of several tokens: walk back to the last token that still leaves the delimiter whole after it.
    for start in range(len(ids) - 1, max(-1, len(ids) - 2 - policy.slack), -1):
        if policy.closer in tokenizer.decode(ids[start:], skip_special_tokens=False):
            return (start, ThinkingEnd.NATURAL) if policy.own_ids <= {*ids[start:]} else (len(ids), None)
    return len(ids), None


def _end_of_turn_within(ids: TokenIds, tokenizer: Tokenizer, policy: ThinkingPolicy) -> int | None:
    """Where the model ended its turn by a token that the delimiter begins with too, without the rest of the delimiter.

    It has not ended its turn if it goes on in another message of its own, whose thinking is then part of the same.
    """
    shared = {*policy.end_of_text_ids} & {*policy.closer_ids[:1]} if len(policy.closer_ids) > 1 else set()
    for at, one in enumerate(ids if shared else ()):
        if one in shared:
            rest = tokenizer.decode(ids[at : at + policy.slack], skip_special_tokens=False)
            goes_on = rest.startswith(policy.resumes or policy.closer) or policy.closer.startswith(rest)
            if not goes_on:
                return at
    return None


def serves(trajectory: Trajectory, limit: int) -> bool:
    """True if the trajectory shows its first limit tokens: it ended by itself, or was drawn at least that far."""
    return trajectory.end is not ThinkingEnd.LENGTH or (trajectory.limit or 0) >= limit


def cut_thinking(trajectory: Trajectory, limit: int, policy: ThinkingPolicy) -> Thinking:
    """The trajectory as a budget of limit tokens sees it.

    The trajectory keeps its own end if and only if that end comes after at most limit thinking tokens, or, with a grace,
    before the end of the line in which the limit lies. Otherwise it is cut and closed by force. A limit of 0 draws nothing,
    so it always closes by force. If max_total_tokens is what cut the thinking, no tokens are left for an answer, and the
    end is LENGTH.
    """
    if not serves(trajectory, policy.draw_limit(limit)):
        raise ValueError(f"{trajectory.id} is open after {trajectory.limit} tokens and cannot be read at {limit}")
    ended = trajectory.end is not ThinkingEnd.LENGTH
    cut = _end_of_line(trajectory, limit, policy) if policy.grace else limit
    if ended and limit > 0 and len(trajectory.token_ids) <= cut:
        return Thinking(trajectory.token_ids, trajectory.end, trajectory.end_ids)
    kept = trajectory.token_ids[:cut]
    if policy.max_total_tokens is not None and cut >= policy.max_total_tokens:
        return Thinking(kept, ThinkingEnd.LENGTH, ())
    return Thinking(kept, ThinkingEnd.FORCED, policy.closing_ids)


def _end_of_line(trajectory: Trajectory, limit: int, policy: ThinkingPolicy) -> int:
    """Where a thinking is cut that may go on to the end of its line, but not further than the grace."""
    ids, last = trajectory.token_ids, policy.draw_limit(limit)
    places = range(limit, min(last, len(ids)) + 1)
    return next((at for at in places if at == 0 or policy.ends_line(ids[at - 1])), last)


def cut_share(trajectory: Trajectory, share: float, policy: ThinkingPolicy) -> Thinking:
    """The share of a trajectory that ended by itself, cut and closed by force; the whole of it keeps its own end.

    A trajectory that did not end by itself has no length to take a share of: it has the end that it was drawn with, and
    LENGTH if that is open.
    """
    if trajectory.end is not ThinkingEnd.NATURAL:
        return Thinking(trajectory.token_ids, trajectory.end, ())
    n = len(trajectory.token_ids)
    kept = math.floor(share * n + 1e-9)
    if kept == n:
        return Thinking(trajectory.token_ids, trajectory.end, trajectory.end_ids)
    return Thinking(trajectory.token_ids[:kept], ThinkingEnd.FORCED, policy.closing_ids)


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


def _n_opening(ids: Sequence[int], tokenizer: Tokenizer, openers: Sequence[str]) -> int:
    """The number of tokens with which an answer is opened: line breaks and an opener; 0 if there is none."""
    most = max((len(opener.encode()) for opener in openers), default=0) + 4  # a token at least a byte, after line breaks
    begun = tokenizer.decode(ids[:most], skip_special_tokens=False).lstrip() if openers else ""
    for opener in openers:
        if begun.startswith(opener):
            ends = (n for n in range(1, most + 1) if opener in tokenizer.decode(ids[:n], skip_special_tokens=False))
            return next(ends)
    return 0


NO_THINKING = Thinking((), ThinkingEnd.OFF, ())


def answer_text(
    ids: Sequence[int], tokenizer: Tokenizer, stop: Iterable[str], openers: Sequence[str] = (), written: str | None = None
) -> str:
    """The answer as it is graded: decoded without special tokens, and cut at the first of the task's stop strings.

    Stop strings only count after the first character that is not blank, because an answer may begin with line breaks. An
    opener at the very beginning is left out, and so is the tag at the end that closes one. written is the text itself if the
    engine returned no ids (Completion.text).

    Example: answer_text(tokenizer.encode("<response>5</response>"), tokenizer, (), ("<response>",)) gives "5"
    """
    if written is None:
        text = tokenizer.decode(ids[_n_opening(ids, tokenizer, openers) :], skip_special_tokens=True)
    else:
        opened = next((opener for opener in openers if written.lstrip().startswith(opener)), "")
        text = written.lstrip().removeprefix(opened) if opened else written
    for opener in openers:
        if text.rstrip().endswith(closer := f"</{opener[1:]}"):
            text = text.rstrip().removesuffix(closer)
    start = len(text) - len(text.lstrip())
    cuts = [at for word in stop if word and (at := text.find(word, start + 1)) >= 0]
    return text[: min(cuts)] if cuts else text
