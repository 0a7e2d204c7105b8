"""Whether a new run may pass: rules with margins, judged on intervals. Nothing here reads a run; see comparison.gating."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from raml_eval.comparison.needed import half_width, needed
from raml_eval.comparison.verdicts import MARGIN, POWER, detectable, findable
from raml_eval.errors import ConfigError
from raml_eval.exits import ExitCode
from raml_eval.gate_file import Inconclusive, Test, Tier
from raml_eval.intervals import PairedDifference, Part, pooled_difference, side_means, split_noise
from raml_eval.intervals.clusters import FloatArray
from raml_eval.tables import Measure
from raml_eval.tables.measures import AVERAGE

Level = float | Callable[[float], float]


class Outcome(StrEnum):
    """What a cell, or the whole gate, has shown."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a cell asks of a mean difference new - base. margin and bar are shares, for tokens tokens.

    non_inferiority passes if the interval at level lies above -margin, superiority if it lies above bar, equivalence if it
    lies within the margin, all in the direction that is better. margin is also the difference that the needed questions are
    counted for.
    """

    scope: str
    measure: Measure = AVERAGE
    budget: str = "unlimited"
    tasks: tuple[str, ...] = ()
    test: Test = "non_inferiority"
    tier: Tier = "blocking"
    inconclusive: Inconclusive = "fail"
    margin: float = MARGIN
    bar: float = 0.0
    level: float = 0.95
    lower_is_better: bool = False

    @property
    def name(self) -> str:
        """The cell in words.

        Example: Rule("in-domain mean").name == "in-domain mean, avg@n at unlimited"
        """
        return f"{self.scope}, {self.measure.name} at {self.budget}"

    @property
    def in_tokens(self) -> bool:
        """True if margin and difference are tokens and no shares."""
        return self.measure.bounds is None

    def passes(self, found: PairedDifference) -> bool:
        """True if the interval shows what the rule asks for; false if there is no interval."""
        low, high = self._oriented(found)
        match self.test:
            case "non_inferiority":
                return low > -self.margin
            case "superiority":
                return low > self.bar
        return -self.margin < low and high < self.margin

    def excludes_pass(self, found: PairedDifference) -> bool:
        """True if the interval excludes that the rule holds. It may be refuted without: worse, but within the margin."""
        low, high = self._oriented(found)
        if self.test == "superiority":
            return high < self.bar
        return high < -self.margin or (self.test == "equivalence" and low > self.margin)

    def refuted(self, found: PairedDifference) -> bool:
        """True if the interval shows the opposite: worse, below a superiority's bar, beyond an equivalence's margin."""
        if self.test != "non_inferiority":
            return self.excludes_pass(found)
        return self._oriented(found)[1] < 0 and not self.passes(found)

    def _oriented(self, found: PairedDifference) -> tuple[float, float]:
        return (-found.high, -found.low) if self.lower_is_better else (found.low, found.high)


@dataclass(frozen=True, slots=True)
class CellValues:
    """A rule with the values that it is judged on, a Part for each of its tasks.

    redraws are the variances of the questions' differences over redrawing, (Q,) for each task, at n_samples samples per
    question; without them it is not known how many samples are needed.
    """

    rule: Rule
    parts: Sequence[Part]
    redraws: Sequence[FloatArray] | None = None
    n_samples: int = 1


@dataclass(frozen=True, slots=True)
class JudgedCell:
    """A rule's outcome. found is new - base, not turned round, with its interval at level; base and new are the means.

    holm_level is the level at which Holm's correction over the tier asked whether the opposite is shown. detectable is the
    true difference that this interval would have excluded 0 for in four of five comparisons. With needed_questions, or with
    needed_samples for each of the present ones, the cell would pass in four of five comparisons (see needed_for): None if it
    is decided, if there are enough already, or if it is not known; infinite if no number of samples is enough.
    """

    rule: Rule
    base: float
    new: float
    found: PairedDifference
    level: float
    holm_level: float
    outcome: Outcome
    detectable: float
    needed_questions: int | None = None
    needed_samples: float | None = None

    @property
    def unknown(self) -> bool:
        """True if there is no interval, so that nothing can be said about the cell."""
        return math.isnan(self.found.low)

    @property
    def blocks(self) -> bool:
        """True if this cell alone keeps the gate from passing. What is unknown, or cannot pass, is never let through."""
        if self.rule.tier == "advisory" or self.outcome is Outcome.PASSED:
            return False
        return self.outcome is Outcome.FAILED or self.rule.inconclusive == "fail" or self.unknown or self.cannot_pass

    @property
    def cannot_pass(self) -> bool:
        """True if the interval excludes that the cell passes, whatever the correction for the tier's other cells leaves."""
        return self.rule.excludes_pass(self.found)

    @property
    def worse_alone(self) -> bool:
        """True if the opposite is shown at the cell's own level, but not after the correction for the tier's other cells."""
        return self.outcome is Outcome.INCONCLUSIVE and self.rule.refuted(self.found)


@dataclass(frozen=True, slots=True)
class Uncompared:
    """An advisory rule that could not be judged on these runs, and why. It has no outcome, and changes none."""

    rule: Rule
    why: str


@dataclass(frozen=True, slots=True)
class GateResult:
    """The outcome of every cell, and of the whole gate. level is the one at which false alarms of a tier are held."""

    name: str
    level: float
    cells: tuple[JudgedCell, ...]
    uncompared: tuple[Uncompared, ...] = ()

    def tier(self, tier: Tier) -> tuple[JudgedCell, ...]:
        """The cells of one tier."""
        return tuple(cell for cell in self.cells if cell.rule.tier == tier)

    @property
    def outcome(self) -> Outcome:
        """Failed if a blocking cell failed, otherwise inconclusive if one blocks, otherwise passed."""
        blocking = self.tier("blocking")
        if any(cell.outcome is Outcome.FAILED for cell in blocking):
            return Outcome.FAILED
        return Outcome.INCONCLUSIVE if any(cell.blocks for cell in blocking) else Outcome.PASSED

    @property
    def headline(self) -> str:
        """The outcome, and those of the blocking cells that it comes from.

        For example: Gate release: failed (blocking cells: 1 failed, 2 passed)
        """
        counts = Counter(cell.outcome for cell in self.tier("blocking"))
        told = ", ".join(
            f"{counts[one]} {one}" for one in (Outcome.FAILED, Outcome.INCONCLUSIVE, Outcome.PASSED) if counts[one]
        )
        return f"Gate {self.name}: {self.outcome} (blocking cells: {told})"

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that the outcome ends a command with."""
        codes = {Outcome.PASSED: ExitCode.DONE, Outcome.FAILED: ExitCode.WORSE, Outcome.INCONCLUSIVE: ExitCode.INCONCLUSIVE}
        return codes[self.outcome]

    def entry(self) -> dict[str, Any]:
        """What a manifest keeps of the outcome, as plain values; None for an end that cannot be given."""
        cells = [
            {
                "cell": cell.rule.name,
                "tier": cell.rule.tier,
                "outcome": str(cell.outcome),
                "difference": cell.found.value,
                "low": None if cell.unknown else cell.found.low,
                "high": None if cell.unknown else cell.found.high,
                "level": cell.level,
            }
            for cell in self.cells
        ]
        told = [{"cell": one.rule.name, "why": one.why} for one in self.uncompared]
        more = {"not_compared": told} if told else {}
        return {"gate": self.name, "outcome": str(self.outcome), "level": self.level, "cells": cells, **more}

    @property
    def decided(self) -> bool:
        """True if every blocking cell has passed, or one cannot pass any more."""
        blocking = self.tier("blocking")
        return all(cell.outcome is Outcome.PASSED for cell in blocking) or any(cell.cannot_pass for cell in blocking)

    @property
    def warned(self) -> tuple[JudgedCell, ...]:
        """The cells that did not pass and do not block, apart from those whose rule says that inconclusive passes."""
        return tuple(
            cell
            for cell in self.cells
            if cell.outcome is not Outcome.PASSED
            and not cell.blocks
            and (cell.rule.inconclusive != "pass" or cell.outcome is Outcome.FAILED)
        )


def judge_gate(cells: Sequence[CellValues], name: str = "gate", whole: float = 0.95, level: Level | None = None) -> GateResult:
    """Every cell's outcome, from its paired and pooled difference.

    A cell passes by its own interval at its own level. Because every blocking cell must pass, a wrong pass of the gate is at
    most as likely as that of one cell, however many there are (intersection-union test: Berger 1982, Technometrics 24). A
    cell fails only if the opposite is shown after Holm's correction over the cells of its tier at the level whole, and at the
    cell's own level; so at most 1 - whole of all gates fail although no cell is worse. Everything else is inconclusive, and
    so is a cell without an interval.

    level is for looks at a growing run: each cell, and Holm's correction, is judged at no less than this level, or, if it is a
    function, at the level that the function gives for its own. Raises ConfigError without a blocking cell, MetricError as
    pooled_difference does.

    Example: judge_gate([CellValues(Rule("math"), [Part(np.zeros(99), np.ones(99), [*map(str, range(99))])])]).exit_code == 0
    """
    if not any(cell.rule.tier == "blocking" for cell in cells):
        raise ConfigError(f"gate {name} has no blocking cell, so it could never fail. Give it one with tier: blocking.")
    levels = [_at(cell.rule.level, level) for cell in cells]
    found = [_difference(cell, at) for cell, at in zip(cells, levels, strict=True)]
    whole = _at(whole, level)
    holm: dict[int, tuple[float, bool]] = {}
    for tier in ("blocking", "advisory"):
        places = [place for place, cell in enumerate(cells) if cell.rule.tier == tier]
        holm |= _refute(cells, found, levels, places, 1 - whole)
    judged = (
        _judge(cell, one, at, *holm[place]) for place, (cell, one, at) in enumerate(zip(cells, found, levels, strict=True))
    )
    return GateResult(name, whole, tuple(judged))


def _at(own: float, level: Level | None) -> float:
    if level is None:
        return own
    return level(own) if callable(level) else max(own, level)


def _refute(
    cells: Sequence[CellValues],
    found: Sequence[PairedDifference],
    levels: Sequence[float],
    places: Sequence[int],
    alpha: float,
) -> dict[int, tuple[float, bool]]:
    """For each place, the level at which Holm's procedure judged it, and whether the opposite is shown there.

    As long as some hypothesis is rejected at alpha / (those left), the others are tried again with fewer left. That rejects
    what Holm's ordered p-values reject, and needs no p-value, which an equivalence's distance from its margin does not have.
    A cell without an interval cannot be rejected, so it is left out.
    """
    tested = [place for place in places if not math.isnan(found[place].low)]
    suspects = [place for place in tested if cells[place].rule.refuted(found[place])]
    refuted: dict[int, float] = {}
    share = 1 - alpha / max(1, len(tested))
    while suspects:
        share = 1 - alpha / (len(tested) - len(refuted))
        new = {place: at for place in suspects if _refuted_at(cells[place], at := max(share, levels[place]))}
        if not new:
            break
        refuted |= new
        suspects = [place for place in suspects if place not in refuted]
    return {place: (refuted.get(place, max(share, levels[place])), place in refuted) for place in places}


def _refuted_at(cell: CellValues, level: float) -> bool:
    return cell.rule.refuted(_difference(cell, level))


def _difference(cell: CellValues, level: float) -> PairedDifference:
    """The difference with its interval. There is no p: every rule is read from intervals."""
    return pooled_difference(cell.parts, level, cell.rule.measure.bounds, tested=False)


def _judge(cell: CellValues, found: PairedDifference, level: float, holm_level: float, refuted: bool) -> JudgedCell:
    rule = cell.rule
    outcome = Outcome.PASSED if rule.passes(found) else Outcome.FAILED if refuted else Outcome.INCONCLUSIVE
    questions, samples = _needed(cell, found, level) if outcome is Outcome.INCONCLUSIVE else (None, None)
    base, new = side_means(cell.parts)
    return JudgedCell(
        rule=rule,
        base=base,
        new=new,
        found=found,
        level=level,
        holm_level=holm_level,
        outcome=outcome,
        detectable=(detectable if rule.measure.bounds is None else findable)(half_width(found), level),
        needed_questions=questions,
        needed_samples=samples,
    )


def needed_for(rule: Rule) -> str:
    """What the needed questions are counted for: a truth for which the rule should pass. Never the observed difference.

    Equivalence and non-inferiority should pass if there is no difference, superiority if it is the margin, or as far beyond
    the bar as the bar is beyond 0.
    """
    if rule.test != "superiority":
        return "there is no difference"
    size = rule.margin + rule.bar
    return f"the new run is better by {amount(rule, size)}"


def amount(rule: Rule, size: float) -> str:
    """A margin in its unit.

    Example: amount(Rule("math"), 0.02) == "2 points"
    """
    shown, noun = (size, "token") if rule.in_tokens else (round(100 * size, 6), "point")
    return f"{shown:g} {noun if shown == 1 else f'{noun}s'}"


def _needed(cell: CellValues, found: PairedDifference, level: float) -> tuple[int | None, float | None]:
    """The questions, or the samples of each, with which four of five comparisons would pass, if needed_for holds."""
    power = (1 + POWER) / 2 if cell.rule.test == "equivalence" else POWER  # two ends, each of which may miss
    noise = split_noise(cell.parts, cell.redraws) if cell.redraws else None
    return needed(found, noise, cell.n_samples, cell.rule.margin, level, power)
