"""The difference of pass@k over k: does training lift pass@1 and lose pass@k, and where do the curves cross?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from raml_eval.comparison.compared import Curve
from raml_eval.comparison.pairs import Pairs
from raml_eval.intervals import PairedDifference, side_means, simultaneous_band
from raml_eval.tables import DOMAINS, Measure, budget_label
from raml_eval.types import Budget, Domain

EVERY_K = 32  # up to here, every k has its point


def pass_curves(pairs: Pairs, budget: Budget, level: float) -> tuple[Curve, ...]:
    """The curve of each domain at the budget, over the k that both runs have samples for; none if there is only k = 1."""
    if pairs.n_samples < 2 or not pairs.can_give(Measure("pass@k", 2)):
        return ()
    return tuple(_curve(pairs, domain, tasks, budget, level) for domain in DOMAINS if (tasks := pairs.tasks(domain, budget)))


def choose_ks(n_samples: int) -> tuple[int, ...]:
    """Every k up to 32; beyond that, k grows by about an eighth from one to the next, up to n.

    Example: choose_ks(4) == (1, 2, 3, 4)
    """
    ks = list(range(1, min(n_samples, EVERY_K) + 1))
    while ks[-1] < n_samples:
        ks.append(min(n_samples, ks[-1] + ks[-1] // 8))
    return tuple(ks)


def _curve(pairs: Pairs, domain: Domain, tasks: Sequence[str], budget: Budget, level: float) -> Curve:
    ks = choose_ks(pairs.n_samples)
    parts = [[pairs.part(task, budget, Measure("pass@k", k)) for task in tasks] for k in ks]
    band = simultaneous_band(parts, level)
    crossing, certain = find_crossing(ks, band)
    means = [side_means(of_k) for of_k in parts]
    return Curve(
        domain=domain,
        budget=budget_label(budget),
        ks=ks,
        base=tuple(base for base, _ in means),
        new=tuple(new for _, new in means),
        difference=tuple(one.value for one in band),
        low=tuple(one.low for one in band),
        high=tuple(one.high for one in band),
        crossing=crossing,
        certain=certain,
    )


def find_crossing(ks: Sequence[int], band: Sequence[PairedDifference]) -> tuple[tuple[int, int] | None, bool]:
    """The neighbouring k between which the difference last changes its sign, and whether the band shows both signs.

    None if it never does. A difference of 0 has no sign.
    """
    signed = [(k, one.value > 0) for k, one in zip(ks, band, strict=True) if one.value != 0]
    changes = [(a, b) for (a, was), (b, is_) in pairwise(signed) if was != is_]
    if not changes:
        return None, False
    a, b = changes[-1]
    before = {one.low > 0 for k, one in zip(ks, band, strict=True) if k <= a and (one.low > 0 or one.high < 0)}
    after = {one.low > 0 for k, one in zip(ks, band, strict=True) if k >= b and (one.low > 0 or one.high < 0)}
    return (a, b), bool(before and after and before.isdisjoint(after))
