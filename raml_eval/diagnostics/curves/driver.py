"""Scores the gold along every target of a run, and stores each finished curve as one line of the journal."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from raml_eval.concurrency import run_workers, settled_heap
from raml_eval.diagnostics.curves.positions import Positions
from raml_eval.diagnostics.curves.targets import Skipped, Target
from raml_eval.diagnostics.fields import count_of, counts_of, flag_of, numbers_of, text_of
from raml_eval.errors import GaveUp, GenerationError
from raml_eval.progress import Progress
from raml_eval.protocols import PositionScorer
from raml_eval.runner import MAX_FAILURES_IN_A_ROW
from raml_eval.store.journal import Journal

TOO_LONG = "longer than the engine's context"


@dataclass(frozen=True, slots=True)
class Scoring:
    """An engine with a context of so many tokens, where it scores, and how many targets are under way at once."""

    scorer: PositionScorer
    context: int
    positions: Positions
    concurrency: int


@dataclass(frozen=True, slots=True)
class Curve:
    """What the journal holds of one target: nll (P,) is the negative log-likelihood of all n_scored gold tokens in nats.

    positions (P,) are in thinking tokens and ascend from 0 to the length of the thinking. n_forwarded counts the tokens that
    the engine computed, together tells how the border before the gold was tokenised (Probe).
    """

    id: str
    positions: tuple[int, ...]
    nll: tuple[float, ...]
    n_scored: int
    n_prompt: int
    n_forwarded: int
    together: bool
    drawn: str = ""  # the digest of the ids that it is of (Target.drawn); empty in lines of earlier versions

    def line(self, target: Target) -> dict[str, Any]:
        """The journal's line."""
        return {
            "id": self.id,
            "drawn": self.drawn,
            "task": target.key.task,
            "question_id": target.key.question_id,
            "sample": target.key.index,
            "prompt": target.prompt,
            "n_prompt": self.n_prompt,
            "n_scored": self.n_scored,
            "together": self.together,
            "n_forwarded": self.n_forwarded,
            "positions": list(self.positions),
            "nll": [round(value, 7) for value in self.nll],
        }


def read_curve(line: Mapping[str, Any]) -> Curve:
    """The curve of a journal's line. Raises KeyError, TypeError or ValueError for one that is none."""
    curve = Curve(
        id=text_of(line, "id"),
        positions=tuple(counts_of(line, "positions")),
        nll=tuple(numbers_of(line, "nll")),
        n_scored=count_of(line, "n_scored", 1),
        n_prompt=count_of(line, "n_prompt"),
        n_forwarded=count_of(line, "n_forwarded"),
        together=flag_of(line, "together"),
        drawn=text_of(line, "drawn") if "drawn" in line else "",
    )
    if len(curve.nll) != len(curve.positions):
        raise ValueError(f"nll has {len(curve.nll)} values for {len(curve.positions)} positions, wanted one for each")
    if any(a >= b for a, b in itertools.pairwise(curve.positions)):
        raise ValueError(f"positions are {list(curve.positions)!r:.60}, wanted ascending ones")
    return curve


def is_scored(target: Target, curves: Mapping[str, Curve]) -> bool:
    """True if the curves have the target's.

    One of other ids is not, whose name may be the same: a sample whose lines were deleted is drawn again, and since a
    regrading the final answer of an answer without thinking may begin elsewhere.
    """
    curve = curves.get(target.id)
    return curve is not None and (curve.n_prompt, curve.drawn) == (target.n_prompt, target.drawn)


def count_targets(targets: Iterable[Target], curves: Mapping[str, Curve], context: int) -> tuple[int, int]:
    """How many of the targets are scored already, and how many will be in all: those beyond the context never are."""
    n_done = n_all = 0
    for target in targets:
        scored = is_scored(target, curves)
        n_done += scored
        n_all += scored or fits_context(target, context)
    return n_done, n_all


def fits_context(target: Target, context: int) -> bool:
    """True if the engine can read all of the target with its probe."""
    return len(target.token_ids) + len(target.probe.ids) <= context


async def score_targets(
    scoring: Scoring, targets: Iterable[Target], journal: Journal, progress: Progress, skipped: Skipped
) -> dict[str, str]:
    """Every target has a line in the journal, or is in skipped, or failed: returns the errors by id.

    A failed target is owed: the next session scores it. Raises GaveUp if MAX_FAILURES_IN_A_ROW in a row fail, StoreError
    if the journal cannot be written.
    """
    owed = _owed(targets, scoring.context, skipped)
    errors: dict[str, str] = {}
    in_a_row = 0

    async def work() -> None:
        nonlocal in_a_row
        for target in owed:
            try:
                curve = await score_target(scoring, target)
            except GenerationError as error:
                errors[target.id] = str(error)
                in_a_row += 1
                progress.advance(errors=1)
                if in_a_row >= MAX_FAILURES_IN_A_ROW:
                    raise GaveUp(
                        f"{in_a_row} trajectories in a row failed, the last with: {error} Finished curves are stored; fix the "
                        "cause and diagnose again to go on."
                    ) from error
                continue
            in_a_row = 0
            await journal.append(curve.line(target))
            progress.advance(1, curve.n_forwarded)

    with settled_heap():
        await run_workers(work, scoring.concurrency)
    return errors


def _owed(targets: Iterable[Target], context: int, skipped: Skipped) -> Iterator[Target]:
    for target in targets:
        if not fits_context(target, context):
            skipped.setdefault(TOO_LONG, []).append(target.id)
            continue
        yield target


async def score_target(scoring: Scoring, target: Target) -> Curve:
    """The curve of one target. Raises GenerationError if a request failed, or if the engine gave what is no number."""
    found: dict[int, float] = {}
    n_forwarded = 0
    asked = scoring.positions.first(target.length, target.marks)
    while asked:
        scores = await scoring.scorer.score_at(
            target.token_ids, [target.n_prompt + at for at in asked], target.probe.ids, target.probe.n_scored
        )
        for at, row in zip(asked, scores.logprobs, strict=True):
            value = -math.fsum(row)
            if not math.isfinite(value):
                raise GenerationError(
                    f"{target.id}: the gold has log-likelihood {-value} after {at} tokens, wanted a number. Check the model."
                )
            found[at] = value
        n_forwarded += scores.n_forwarded
        asked = scoring.positions.next({at: value / target.probe.n_scored for at, value in found.items()})
    places = tuple(sorted(found))
    return Curve(
        id=target.id,
        positions=places,
        nll=tuple(found[at] for at in places),
        n_scored=target.probe.n_scored,
        n_prompt=target.n_prompt,
        n_forwarded=n_forwarded,
        together=target.probe.together,
        drawn=target.drawn,
    )
