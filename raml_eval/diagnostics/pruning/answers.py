"""The answers to a shortened thinking: to what a rule keeps, to as many of the first tokens, and to none."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from raml_eval.budgets import THINKING
from raml_eval.codec import codec_of
from raml_eval.diagnostics.model import RunModel
from raml_eval.diagnostics.pruning.candidates import Candidate
from raml_eval.diagnostics.pruning.kept import Kept, Piece, encode_text, keep_spans, place_tokens
from raml_eval.diagnostics.pruning.rules import Rule, share_of_tokens
from raml_eval.grading.pool import GradingPool
from raml_eval.protocols import Backend, Tokenizer
from raml_eval.runner import grade_answer
from raml_eval.servers import check_engine, engine_for
from raml_eval.thinking import ThinkingPolicy, derive_seed, generate_answer
from raml_eval.types import SamplingParams, Thinking, ThinkingEnd, TokenIds

TOO_LONG = "the shortened thinking and an answer do not fit into the context"
# An answer is either the run's own, {"budget": ...}, or one drawn here: {"at": digest of the ids it follows, "status": ...}.
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Redrawing:
    """Everything that drawing answers needs, ready to use. seed is the run's."""

    loaded: RunModel
    policy: ThinkingPolicy
    sampling: SamplingParams
    codec: Tokenizer
    backend: Backend
    pool: GradingPool


def open_redrawing(loaded: RunModel, backend: Backend, pool: GradingPool) -> Redrawing:
    """The run's policy, sampling and tokenizer, to draw on this engine. Each draw sets its own max_tokens and seed.

    Raises ConfigError if the engine cannot force an end of thinking, or does not know a field of the sampling.
    """
    settings = loaded.config.sampling.model_dump(exclude={"source"})
    sampling = SamplingParams(**settings, max_tokens=1, seed=0, stop_ids=loaded.model.end_of_text_ids)
    check_engine(backend, (0,), sampling)
    policy = loaded.policy(backend.description.context)
    return Redrawing(loaded, policy, sampling, codec_of(loaded.model.tokenizer), backend, pool)


class Shortener:
    """Shortens one thinking by any rule. Where its tokens stand in its text is found once, when it is first needed."""

    def __init__(self, candidate: Candidate, drawing: Redrawing) -> None:
        self._trajectory = candidate.subject.trajectory
        self._tokenizer, self._codec = drawing.loaded.model.tokenizer, drawing.codec
        self._pieces: list[Piece] | None = None
        self._placed = False

    def shorten(self, rule: Rule, summary: str | None) -> Kept:
        """What the rule keeps; summary is the text that takes the thinking's place, for that rule.

        A summary ends in a line break if the thinking does, so that the delimiter stands where the model would write it.
        """
        ids, text = self._trajectory.token_ids, self._trajectory.text
        if rule.share is not None:
            return Kept(ids[: share_of_tokens(len(ids), rule.share)], 0)
        if rule.spans is None:
            assert summary is not None
            end = text[len(text.rstrip("\n")) :]
            new = encode_text(summary + end, self._tokenizer)
            return Kept(new, len(new))
        if not self._placed:
            self._pieces, self._placed = place_tokens(ids, text, self._codec), True
        return keep_spans(ids, text, rule.spans(text), self._pieces, self._tokenizer)


class Answering:
    """Draws the answers to one thinking. What one rule has drawn, another with the same tokens does not draw again.

    known are the lines that the journal has of this thinking.
    """

    def __init__(self, drawing: Redrawing, candidate: Candidate, known: Iterable[Mapping[str, Any]]) -> None:
        self._drawing, self._candidate = drawing, candidate
        self._trajectory = candidate.subject.trajectory
        key = (candidate.subject.question.task, candidate.subject.question.id)
        self._prompt_ids = drawing.loaded.prompts[key][THINKING]
        answers = (line[name] for line in known for name in ("pruned", "forced", "none") if name in line)
        self._drawn: dict[str, Answer] = {answer["at"]: answer for answer in answers if "at" in answer}

    async def answer(self, kept: Kept) -> dict[str, Any]:
        """The answers after the kept tokens, after as many of the first ones, and without any: fields of a journal's line.

        Raises what the engine raises.
        """
        policy, n = self._drawing.policy, len(kept.ids)
        needed = len(self._prompt_ids) + n + len(policy.closing_ids) + max(1, policy.answer_limit(n))
        if needed > self._drawing.backend.description.context:
            return {"skipped": TOO_LONG}
        off = self._candidate.off
        return {
            "n_whole": len(self._trajectory.token_ids),
            "n_kept": n,
            "n_new": kept.n_new,
            "pruned": await self._after(kept.ids),
            "forced": await self._after(self._trajectory.token_ids[:n]),
            "none": {"budget": off.budget} if off is not None else await self._after(()),
        }

    async def _after(self, ids: TokenIds) -> Answer:
        """The answer after these thinking tokens: the run's own where it has one, otherwise one that is drawn once."""
        whole = self._trajectory.token_ids
        if ids == whole:
            return {"budget": self._candidate.subject.whole.budget}
        is_cut = ids == whole[: len(ids)]
        if is_cut and (stored := self._candidate.cut_at(len(ids))) is not None:
            return {"budget": stored.budget}
        at = hashlib.sha256(array("q", ids).tobytes()).hexdigest()[:16]
        if at not in self._drawn:
            self._drawn[at] = {"at": at, **await self._draw(ids, is_cut, at)}
        return self._drawn[at]

    async def _draw(self, ids: TokenIds, is_cut: bool, at: str) -> Answer:
        """An answer drawn with the run's sampling. After a cut it has the seed that the run has at a budget of that length."""
        drawing, subject = self._drawing, self._candidate.subject
        policy, key = drawing.policy, subject.key
        phase, more = ("answer", ()) if is_cut else ("pruned", (at,))
        seed = derive_seed(drawing.loaded.config.seed, key, phase, len(ids), policy.closing_ids, *more)
        thinking = Thinking(ids, ThinkingEnd.FORCED, policy.closing_ids)
        engine = engine_for(drawing.backend, key.task, key.question_id)
        params = replace(drawing.sampling, seed=seed)
        completion = await generate_answer(engine, self._prompt_ids, thinking, policy, params)
        text, finish, grade = await grade_answer(drawing.pool, subject.question, thinking, completion, policy, drawing.codec)
        return {
            "status": grade.status.value,
            "extracted": grade.answer,
            "rule": grade.rule,
            "answer": text,
            "finish": finish.value if finish else None,
            "n_tokens": len(completion.token_ids) if completion else 0,
            "seed": seed,
        }
