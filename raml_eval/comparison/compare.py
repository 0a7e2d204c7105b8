"""Compares two runs: the path from two stored runs to verdicts. Read compare_runs from its top."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from raml_eval.comparison.compared import ComparedCell, Comparison, Listed
from raml_eval.comparison.curve import pass_curves
from raml_eval.comparison.endpoints import (
    FAMILIES,
    Target,
    check_whole_level,
    choose_primary,
    default_metrics,
    list_targets,
)
from raml_eval.comparison.flips import find_flips
from raml_eval.comparison.needed import half_width, needed
from raml_eval.comparison.notes import comparison_notes
from raml_eval.comparison.pairs import Pairs, pair_runs
from raml_eval.comparison.protocols import check_protocols
from raml_eval.comparison.seeds import seed_notes, untie
from raml_eval.comparison.verdicts import (
    MARGIN,
    PRIMARY_SHARE,
    Verdict,
    check_margin,
    findable,
    holm_shares,
    judge,
    lies_within,
    overall,
    split_alpha,
)
from raml_eval.intervals import NoiseSplit, PairedDifference, Part, pooled_difference, side_means, split_noise
from raml_eval.looks import check_looks
from raml_eval.tables import Measure, budget_label, parse_measure
from raml_eval.types import StoredRun

LISTED = ("unfinished_rate", "no_answer_rate", "thinking_tokens_mean", "answer_tokens_mean")


@dataclass(frozen=True, slots=True)
class Tested:
    """A target with its values and its difference at the level of the whole comparison.

    n_samples is the smaller n of both runs; noise is the split of the difference's variance at the runs' own n.
    """

    target: Target
    parts: tuple[Part, ...]
    alone: PairedDifference
    n_samples: int = 1
    noise: NoiseSplit | None = None


def compare_runs(
    base: StoredRun,
    new: StoredRun,
    *,
    metric: str | None = None,
    budget: str | None = None,
    margin: float = MARGIN,
    level: float = 0.95,
    allow_different: Sequence[str] = (),
) -> Comparison:
    """Two finished runs compared on the questions that they share: verdicts, curves and flips.

    metric and budget name the primary ones; if they are None, the suite's, otherwise avg@n at unlimited. margin is a share.
    allow_different names protocol keys that may differ. Raises MetricError if the runs cannot be compared (nothing shared,
    other content, missing samples, timeouts, n < k, protocols that differ, a run between looks), ConfigError for an unknown
    metric, or a margin or level out of range.

    Example: compare_runs(load_run("runs/base"), load_run("runs/new"), metric="pass@8").verdict
    """
    check_margin(margin)
    check_whole_level(level)
    for run in (base, new):
        check_looks(run, gated=False)
    pairs = pair_runs(base, new)
    differing = check_protocols(base, new, pairs.tasks(), allow_different)
    primary = choose_primary(pairs, metric, budget)
    targets = list_targets(pairs, primary, default_metrics(pairs))
    tested = [_test(pairs, target, level) for target in targets]
    cells = judge_all(tested, level, margin)
    names = (base.name, new.name) if base.name != new.name else (str(base.directory), str(new.directory))
    return Comparison(
        *names,
        primary=primary,
        level=level,
        margin=margin,
        verdict=overall([cell.verdict for cell in cells if cell.family == "primary"]),
        cells=cells,
        listed=tuple(_list_others(pairs, targets, level)),
        curves=pass_curves(pairs, primary.budget, level),
        flips=find_flips(pairs, primary.budget),
        notes=(*primary.notes, *comparison_notes(pairs, differing), *seed_notes(base, new)),
    )


def _test(pairs: Pairs, target: Target, level: float) -> Tested:
    parts = tuple(pairs.part(task, target.budget, target.measure) for task in target.tasks)
    redraws = [pairs.redraw(task, target.budget, target.measure) for task in target.tasks]
    noise = untie(split_noise(parts, redraws), redraws, pairs.base, pairs.new)
    return Tested(target, parts, pooled_difference(parts, level, target.measure.bounds), pairs.n_samples, noise)


def judge_all(tested: Sequence[Tested], level: float, margin: float) -> tuple[ComparedCell, ...]:
    """Every target with its verdict; the error rate 1 - level holds over all of them together.

    The primary endpoints come first, with Holm's correction over them; then each family, with Holm's within.
    """
    alpha = 1 - level
    families = [family for family in FAMILIES if any(one.target.family == family for one in tested)]
    primary = [one for one in tested if one.target.family == "primary"]
    first = _judge_family(primary, alpha * PRIMARY_SHARE if families else alpha, alpha, margin)
    rejected = bool(first) and all(cell.verdict in (Verdict.BETTER, Verdict.WORSE) for cell in first)
    cells = list(first)
    shares: Mapping[str, float] = split_alpha(alpha, families, rejected)
    for family, share in shares.items():
        cells += _judge_family([one for one in tested if one.target.family == family], share, alpha, margin)
    return tuple(cells)


def _judge_family(tested: Sequence[Tested], alpha: float, whole: float, margin: float) -> list[ComparedCell]:
    shares = holm_shares([one.alone.p_value for one in tested], alpha, whole)
    return [_judge_one(one, share.level, share.p_adjusted, margin) for one, share in zip(tested, shares, strict=True)]


def _judge_one(one: Tested, level: float, p_adjusted: float, margin: float) -> ComparedCell:
    target = one.target
    found = pooled_difference(one.parts, level, target.measure.bounds, tested=False)
    verdict = judge(found.low, found.high, margin, target.measure.lower_is_better)
    base, new = side_means(one.parts)
    cell = ComparedCell(
        family=target.family,
        scope=target.scope,
        domain=target.domain,
        tasks=target.tasks,
        budget=budget_label(target.budget),
        metric=target.measure.name,
        base=base,
        new=new,
        difference=found.value,
        low=found.low,
        high=found.high,
        level=level,
        alone=one.alone,
        p=one.alone.p_value,
        p_adjusted=p_adjusted,
        n_questions=found.n_questions,
        verdict=verdict,
        within_margin=lies_within(found.low, found.high, margin),
        detectable=findable(half_width(found), level),
        noise=one.noise,
    )
    if verdict is not Verdict.INCONCLUSIVE or math.isnan(cell.detectable):
        return cell
    questions, samples = needed(found, one.noise, one.n_samples, margin, level)
    return replace(cell, needed_questions=questions, needed_samples=samples)


def _list_others(pairs: Pairs, targets: Sequence[Target], level: float) -> list[Listed]:
    """Differences of tokens and of how samples ended, and single tasks at the other budgets: shown, and not tested."""
    primary = [target for target in targets if target.family == "primary"]
    measure, at = primary[0].measure, primary[0].budget
    asked = [(target.scope, target.tasks, at, parse_measure(name)) for target in primary for name in LISTED]
    others = [budget for budget in pairs.budgets if budget != at]
    asked += [(task, (task,), budget, measure) for budget in others for task in pairs.tasks(budget=budget)]
    return [_list_one(pairs, *one, level) for one in asked if _known(pairs, *one[1:])]


def _known(pairs: Pairs, tasks: Sequence[str], budget: int | str, measure: Measure) -> bool:
    """True if every sample's tokens are counted, which the logs of other harnesses do not always do."""
    if measure.bounds is not None:
        return True
    kind = measure.metric.removesuffix("_mean")
    return not any(None in getattr(q, kind) for task in tasks for side in pairs.cells[task, budget] for q in side)


def _list_one(pairs: Pairs, scope: str, tasks: Sequence[str], budget: int | str, measure: Measure, level: float) -> Listed:
    parts = [pairs.part(task, budget, measure) for task in tasks]
    base, new = side_means(parts)
    found = pooled_difference(parts, level, measure.bounds, tested=False)
    return Listed(scope, budget_label(budget), measure.name, base, new, found)
