"""Sums the values of questions by cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from raml_eval.errors import MetricError

FloatArray = NDArray[np.float64]
Bounds = tuple[float, float] | None

SAME = 1e-12  # values with a smaller relative spread differ by rounding alone


@dataclass(frozen=True)
class Clustered:
    """Values summed by cluster: sums (G,) and sizes (G,)."""

    sums: FloatArray
    sizes: FloatArray

    @property
    def n_clusters(self) -> int:
        return len(self.sums)

    @cached_property
    def mean(self) -> float:
        return float(self.sums.sum() / self.sizes.sum())

    @cached_property
    def pulls(self) -> FloatArray:
        """What each cluster adds to the mean beyond an average one, (G,), corrected for what it takes part in the mean itself.

        The correction is that of CR2, 1 / sqrt(1 - size / all questions): Bell and McCaffrey 2002, Survey Methodology 28. For
        clusters of equal size it is the usual factor sqrt(G / (G - 1)).
        """
        total = self.sizes.sum()
        if self.n_clusters < 2:
            return np.zeros(self.n_clusters)
        return np.asarray((self.sums - self.sizes * self.mean) / total / np.sqrt(1 - self.sizes / total))

    @property
    def standard_error(self) -> float:
        """The cluster-robust standard error, the root of the summed squares of the pulls."""
        return float(np.sqrt(np.sum(self.pulls**2)))

    @cached_property
    def skewness(self) -> float:
        """The skewness of the mean's error; see skewness_of."""
        return skewness_of(self.pulls)

    @property
    def freedom(self) -> float:
        """Degrees of freedom: G - 1 for clusters of equal size, fewer if some are larger, which then weigh more.

        G is replaced by the number of clusters that carry the sizes (carriers), which is Satterthwaite's if the questions of a
        cluster go together.
        """
        return carriers(self.sizes) - 1


def skewness_of(pulls: FloatArray) -> float:
    """The third moment of a mean's error in standard errors, which is skewness / sqrt(G) for clusters of equal size."""
    spread = float(np.sqrt(np.sum(pulls**2)))
    return float(np.sum((pulls / spread) ** 3)) if spread > 0 else 0.0


def carriers(amounts: FloatArray) -> float:
    """How many clusters carry the amounts, (G,): n if n of them are equal and the others 0, fewer if some outweigh the rest.

    It is (sum a^2)^2 / sum a^4, so G divided by it is the kurtosis about 0, and twice it is Satterthwaite's number of degrees
    of freedom of sum a^2 (Satterthwaite 1946, Biometrics Bulletin 2). It is 0 if all are 0.
    """
    greatest = float(np.abs(amounts).max(initial=0.0))
    if not greatest:
        return 0.0
    squares = (amounts / greatest) ** 2
    return round(float(squares.sum() ** 2 / (squares @ squares)), 9)  # so that six equal amounts are six, not a little less


def sum_by_cluster(values: Sequence[float] | FloatArray, clusters: Sequence[str], bounds: Bounds) -> Clustered:
    """The sums and sizes of the clusters. MetricError for NaN, values out of bounds, or lengths that differ."""
    array = np.asarray(values, dtype=np.float64)
    check_lengths(len(array), len(clusters))
    if not np.isfinite(array).all():
        n_bad = int(np.sum(~np.isfinite(array)))
        raise MetricError(f"a mean needs finite values; {n_bad} of {len(array)} questions have none. Leave them out.")
    if bounds and array.size and not bounds[0] <= array.min() <= array.max() <= bounds[1]:
        raise MetricError(
            f"values must lie from {bounds[0]} to {bounds[1]}; met {array.min()} to {array.max()}. Give their bounds, or None."
        )
    index = _places(tuple(clusters))
    return Clustered(np.bincount(index, weights=array).astype(np.float64), np.bincount(index).astype(np.float64))


@lru_cache(maxsize=256)
def _places(clusters: tuple[str, ...]) -> NDArray[np.int64]:
    """The place of each question's cluster in their sorted order. A table asks for the same ones some hundred times."""
    places: NDArray[np.int64] = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)[1]
    places.setflags(write=False)
    return places


def check_lengths(n_values: int, n_clusters: int) -> None:
    if n_values != n_clusters:
        raise MetricError(
            f"each value needs its cluster; met {n_values} values and {n_clusters} clusters. Give one per question."
        )


def check_level(level: float) -> None:
    if not 0 < level < 1:
        raise MetricError(f"a level must lie between 0 and 1; met {level}. Give 0.95 for 95 %.")
