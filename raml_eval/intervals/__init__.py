"""Intervals for numbers over questions: clustered, valid near the bounds, never of width 0.

Two methods for a mean, named in the result. The t-interval with clustered standard errors (Miller 2024,
arXiv:2411.00640) stands where the mean is away from its bounds; near a bound, or without variance, it is far too short,
and Gaffke's interval takes its place. benchmarks/interval_coverage.py measures the coverage of both.
"""

from raml_eval.intervals.bootstrap import bootstrap_interval
from raml_eval.intervals.means import (
    GAFFKE,
    T_INTERVAL,
    PairedDifference,
    holm,
    macro_mean,
    mean_interval,
    paired_difference,
)

__all__ = [
    "GAFFKE",
    "T_INTERVAL",
    "PairedDifference",
    "bootstrap_interval",
    "holm",
    "macro_mean",
    "mean_interval",
    "paired_difference",
]
