"""The levels of the intervals of a run that is looked at while it is drawn, so that the intervals of all looks hold together.

A run that may stop early is looked at J times, at the shares t_1 < ... < t_J <= 1 of its planned questions. If the ordinary
interval of look j is taken at level 2 Phi(c_j) - 1 instead of `level`, the chance that any of the J intervals misses the
truth is at most 1 - level, whatever stops the run: these are repeated confidence intervals (Jennison and Turnbull 1989,
Journal of the Royal Statistical Society B 51). The bounds c_j spend 1 - level over the looks (Lan and DeMets 1983, Biometrika
70) by the function of Hwang, Shih and DeCani (1990, Statistics in Medicine 9). A bound depends only on the looks so far, so a
look may be left out, or come at another share than was planned, unless the results decide that.

Means of questions in random order, at growing shares t, times t, have in the limit the joint distribution of a Brownian
motion, so the chance of leaving the bounds first at look j is an integral over the place at look j - 1 (Armitage, McPherson
and Rowe 1969, Journal of the Royal Statistical Society A 132).

The alternatives cost more. A confidence sequence allows a look after every question, but Robbins' normal mixture is nowhere
narrower than 3.0 standard errors at level 0.95, against 2.04 here at the end of six looks. Koning and van Meer
(arXiv:2501.03982) turn any test of N questions into an anytime-valid one that equals it at N: its value after n is the
chance, given the data and under the null hypothesis, that the test will reject at N. For a z-test, this value does not reach
1 before N. Stopping at a value of g needs a test at level g (1 - level) instead, and still stops later than the bounds here
at equal power. benchmarks/until_decided.py measures all three.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from raml_eval.errors import MetricError
from raml_eval.intervals.clusters import FloatArray, check_level

# The shape of the spending function: -4 spends late, like O'Brien and Fleming's bounds, but allows earlier stops at the same
# power. benchmarks/until_decided.py compares it with others.
GAMMA = -4.0
APART = 0.005  # the least distance of two looks: the nodes resolve the steps of a motion between looks this close
_NODES, _FAR = 400, 40.0


def look_levels(fractions: Sequence[float], level: float = 0.95) -> list[float]:
    """The level at which the interval of each look must be taken, so that all of them hold together at level.

    fractions holds the share of the planned questions that each look has, ascending, at most 1. A level depends only on
    the looks before it. Raises MetricError for fractions that do not ascend from above 0 to at most 1.

    Example: look_levels([1.0]) == [0.95]
    """
    check_level(level)
    bounds = spend_bounds(fractions, [spent_by(fraction, level) for fraction in fractions])
    return [level] if list(fractions) == [1] else [math.erf(bound / math.sqrt(2)) for bound in bounds]


def spent_by(fraction: float, level: float = 0.95) -> float:
    """The chance of a miss that may be spent up to a share of the questions: (1 - level) (1 - e^(-g t)) / (1 - e^(-g)).

    g is GAMMA. Source: Hwang, Shih and DeCani 1990, Statistics in Medicine 9.
    """
    return (1 - level) * math.expm1(-GAMMA * fraction) / math.expm1(-GAMMA)


def spend_bounds(fractions: Sequence[float], spent: Sequence[float]) -> list[float]:
    """The two-sided bound of each look in standard errors, such that the chance of having left them by look j is spent[j].

    Raises MetricError for fractions or chances that do not ascend.
    """
    from scipy.optimize import brentq

    check_fractions(fractions)
    if len(spent) != len(fractions) or not all(low < high for low, high in zip([0.0, *spent], [*spent, 1.0], strict=True)):
        raise MetricError(f"the chances spent must ascend between 0 and 1, one a look; met {list(spent)}.")
    bounds: list[float] = []
    inside = _Inside()
    for fraction, total, before in zip(fractions, spent, [0.0, *spent], strict=False):
        bounds.append(float(brentq(inside.excess, 0.0, _FAR, (fraction, total - before), xtol=1e-10)))
        inside = inside.step(fraction, bounds[-1])
    return bounds


def leave_chances(fractions: Sequence[float], bounds: Sequence[float], drift: float = 0.0) -> list[tuple[float, float]]:
    """The chances of leaving the bounds first at each look: (below, above) for each look.

    bounds are in standard errors, as is drift, the distance of the truth from the tested value at fraction 1.
    """
    check_fractions(fractions)
    chances: list[tuple[float, float]] = []
    inside = _Inside(drift=drift)
    for fraction, bound in zip(fractions, bounds, strict=True):
        chances.append(inside.ways_out(fraction, bound))
        inside = inside.step(fraction, bound)
    return chances


def check_fractions(fractions: Sequence[float]) -> None:
    """Raises MetricError unless the fractions ascend, from above 0 to at most 1, in steps of at least APART."""
    steps = [high - low for low, high in zip([0.0, *fractions], fractions, strict=False)]
    if not fractions or not all(step >= APART - 1e-9 for step in steps) or fractions[-1] > 1:
        raise MetricError(
            f"looks need ascending shares of the questions, at most 1 and at least {APART} apart; met {list(fractions)}. Take "
            f"fewer looks."
        )


class _Inside:
    """The density of a Brownian motion's place if it has left no bound so far, on Gauss-Legendre nodes."""

    def __init__(
        self,
        fraction: float = 0.0,
        places: FloatArray | None = None,
        weights: FloatArray | None = None,
        drift: float = 0.0,
    ) -> None:
        self.fraction, self.drift = fraction, drift
        self.places = np.zeros(1) if places is None else places
        self.weights = np.ones(1) if weights is None else weights  # density times quadrature weight

    def ways_out(self, fraction: float, bound: float) -> tuple[float, float]:
        """The chances of being below and above +-bound standard errors at the fraction."""
        from scipy.special import ndtr

        step = math.sqrt(fraction - self.fraction)
        centres = self.places + self.drift * (fraction - self.fraction)
        edge = bound * math.sqrt(fraction)
        below, above = ndtr((-edge - centres) / step), ndtr((centres - edge) / step)
        return float(self.weights @ below), float(self.weights @ above)

    def excess(self, bound: float, fraction: float, wanted: float) -> float:
        """By how much the chance of leaving exceeds the wanted one."""
        return sum(self.ways_out(fraction, bound)) - wanted

    def step(self, fraction: float, bound: float) -> _Inside:
        """The state after a look at the fraction that did not leave +-bound."""
        step = math.sqrt(fraction - self.fraction)
        edge = bound * math.sqrt(fraction)
        nodes, gauss = _legendre()
        places = edge * nodes
        centres = self.places + self.drift * (fraction - self.fraction)
        kernel = np.exp(-0.5 * ((places[:, None] - centres[None, :]) / step) ** 2) / (step * math.sqrt(2 * math.pi))
        return _Inside(fraction, places, edge * gauss * (kernel @ self.weights), self.drift)


@cache
def _legendre() -> tuple[FloatArray, FloatArray]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return nodes, weights
