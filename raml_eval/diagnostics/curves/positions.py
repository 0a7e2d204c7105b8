"""At which positions of a thinking the gold is scored: every so many tokens, at every one, or where the curve moves."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from raml_eval.errors import ConfigError

_COARSE = 16  # intervals that an adaptive curve begins with


@dataclass(frozen=True, slots=True)
class Positions:
    """A choice of positions. stride is the step in tokens; a tolerance in nats makes it adaptive, and stride the first step.

    An adaptive curve begins with steps of max(stride, length / 16) tokens and splits each interval whose ends differ by more
    than the tolerance in the middle, until they are neighbouring tokens. So neighbouring measured values differ by at most the
    tolerance or lie one token apart. That bounds the error of the straight line between them by the tolerance only where the
    curve is monotone in between: a dip that begins and ends between two measured positions is not seen.
    """

    stride: int = 8
    tolerance: float | None = None

    def __post_init__(self) -> None:
        if self.stride < 1:
            raise ConfigError(f"--stride is {self.stride}, wanted a number of tokens of 1 or more. Pass one.")
        if self.tolerance is not None and not self.tolerance > 0:
            raise ConfigError(f"--tolerance is {self.tolerance}, wanted a number of nats above 0. Pass one, such as 0.1.")

    def first(self, length: int, marks: Iterable[int] = ()) -> list[int]:
        """The positions to begin with, ascending: 0, the length, the steps between, and the marks.

        Example: Positions(8).first(20, [5]) == [0, 5, 8, 16, 20]
        """
        step = self.stride if self.tolerance is None else max(self.stride, -(-length // _COARSE))
        return sorted({0, length, *range(0, length, step), *marks})

    def next(self, values: Mapping[int, float]) -> list[int]:
        """The positions to score after those of values, ascending; empty if the curve is fine enough.

        Example: Positions(8, 0.1).next({0: 3.0, 8: 1.0, 16: 1.05}) == [4]
        """
        if self.tolerance is None:
            return []
        at = sorted(values)
        return [(a + b) // 2 for a, b in itertools.pairwise(at) if b - a > 1 and abs(values[a] - values[b]) > self.tolerance]
