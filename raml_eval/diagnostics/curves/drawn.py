"""Curves with what the run says about their trajectories: whose they are, and the verdicts of what was read of them."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from raml_eval.budgets import OFF
from raml_eval.diagnostics.curves.driver import Curve, is_scored
from raml_eval.diagnostics.curves.shape import Shape, normalised, shape_of, smoothed
from raml_eval.diagnostics.curves.targets import Target
from raml_eval.intervals.clusters import FloatArray
from raml_eval.types import Budget, Question, QuestionKey, Status

VERDICTS = (Status.CORRECT, Status.INCORRECT)  # samples without a graded answer are neither


@dataclass(frozen=True, eq=False)
class Drawn:
    """One curve. read holds, for each budget, the position to which it read the thinking, and whether that sample is correct.

    status is that of the sample that read the most.
    """

    task: str
    question_id: str
    cluster: str
    sample: int
    prompt: str
    status: Status
    curve: Curve
    read: tuple[tuple[Budget, int, bool], ...]

    @property
    def question(self) -> str:
        return f"{self.task}/{self.question_id}"

    @property
    def length(self) -> int:
        """Thinking tokens; without thinking, the tokens of the answer before its final answer."""
        return self.curve.positions[-1]

    @cached_property
    def mean_nll(self) -> FloatArray:
        """The mean negative log-likelihood of the gold's tokens at each position, (P,), in nats."""
        return np.array(self.curve.nll) / self.curve.n_scored

    @cached_property
    def shape(self) -> Shape:
        return shape_of(self.curve.positions, self.mean_nll)

    def nll(self, position: int) -> float:
        """The negative log-likelihood of the whole gold, in nats, after so many tokens. ValueError for one not measured."""
        return self.curve.nll[self.curve.positions.index(position)]


def match_curves(
    targets: Iterable[Target], curves: Mapping[str, Curve], questions: Mapping[QuestionKey, Question]
) -> list[Drawn]:
    """The curve of every target that has one, in the order of the targets.

    Trajectories of one question that begin alike have the same values there, those of the first: an engine repeats a number to
    about 1e-5 nats only, and what is the same must tie.
    """
    drawn = []
    shared: dict[bytes, float] = {}
    last: QuestionKey | None = None
    for target in targets:
        if not is_scored(target, curves):
            continue
        key = target.key.task, target.key.question_id
        if key != last:
            shared, last = {}, key
        curve = curves[target.id]
        one = Drawn(
            task=target.key.task,
            question_id=target.key.question_id,
            cluster=questions[key].cluster,
            sample=target.key.index,
            prompt=target.prompt,
            status=target.records[-1].status,
            curve=replace(curve, nll=_with_shared(target, curve, shared)),
            read=tuple(
                (record.budget, 0 if record.budget == OFF else record.n_thinking_tokens or 0, record.grade.correct)
                for record in target.records
            ),
        )
        drawn.append(one)
    return drawn


def _with_shared(target: Target, curve: Curve, shared: dict[bytes, float]) -> tuple[float, ...]:
    """The curve's values, but for a prefix that is in shared the value there; the others are added to it."""
    digest = hashlib.blake2b(
        array("q", (*target.probe.ids, -1, *target.token_ids[: target.n_prompt])).tobytes(), digest_size=16
    )
    values, before = [], target.n_prompt
    for position, value in zip(curve.positions, curve.nll, strict=True):
        digest.update(array("q", target.token_ids[before : target.n_prompt + position]).tobytes())
        before = target.n_prompt + position
        values.append(shared.setdefault(digest.digest(), value))
    return tuple(values)


def trajectory_row(one: Drawn) -> dict[str, Any]:
    """The trajectory's line of trajectories.parquet."""
    shape = one.shape
    return {
        "task": one.task,
        "question_id": one.question_id,
        "cluster": one.cluster,
        "sample": one.sample,
        "prompt": one.prompt,
        "trajectory": one.curve.id,
        "status": str(one.status),
        "n_tokens": one.length,
        "n_positions": len(one.curve.positions),
        "n_gold_tokens": one.curve.n_scored,
        "start": shape.start,
        "half": shape.half,
        "final": shape.final,
        "drop": shape.drop,
        "slope": shape.slope,
        "area": shape.area,
        "decided_at": shape.decided_at,
        "decided_share": None if shape.decided_at is None else shape.decided_at / max(one.length, 1),
        "commitments": shape.commitments,
        "reversals": shape.reversals,
        "tokenised_together": one.curve.together,
    }


def curve_columns(drawn: Iterable[Drawn]) -> dict[str, list[Any]]:
    """The columns of curves.parquet: one row for each position of each trajectory."""
    columns: dict[str, list[Any]] = {
        name: []
        for name in ("task", "question_id", "sample", "prompt", "position", "share", "nll_mean", "nll_sum", "nll_smoothed")
    }
    for one in drawn:
        n = len(one.curve.positions)
        values: tuple[Iterable[Any], ...] = (
            [one.task] * n, [one.question_id] * n, [one.sample] * n, [one.prompt] * n, one.curve.positions,
            normalised(one.curve.positions), one.mean_nll, one.curve.nll, smoothed(one.curve.positions, one.mean_nll),
        )  # fmt: skip
        for column, more in zip(columns.values(), values, strict=True):
            column.extend(more)
    return columns
