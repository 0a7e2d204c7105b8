"""Intervals for means over questions: clustered, valid near the bounds, and never of width 0.

There are two methods for a mean, and the result names the one used. The t-interval with clustered standard errors (Miller
2024, arXiv:2411.00640) is used if enough value lies on either side of the mean and enough clusters carry it (means.WORTH,
means.ENOUGH), and is corrected for skewness where there is much. Near a bound, or without variance, Gaffke's interval is used
instead. benchmarks/interval_coverage.py measures the coverage of both.
"""

from raml_eval.intervals.bands import simultaneous_band
from raml_eval.intervals.bootstrap import bootstrap_interval
from raml_eval.intervals.components import NoiseSplit, split_noise
from raml_eval.intervals.means import (
    GAFFKE,
    T_INTERVAL,
    PairedDifference,
    holm,
    macro_mean,
    mean_interval,
    paired_difference,
)
from raml_eval.intervals.pooled import Part, pooled_difference, side_means
from raml_eval.intervals.ratio import FIELLER, ratio_of_means, share_of_means
from raml_eval.intervals.sequential import look_levels

__all__ = [
    "FIELLER",
    "GAFFKE",
    "T_INTERVAL",
    "NoiseSplit",
    "PairedDifference",
    "Part",
    "bootstrap_interval",
    "holm",
    "look_levels",
    "macro_mean",
    "mean_interval",
    "paired_difference",
    "pooled_difference",
    "ratio_of_means",
    "share_of_means",
    "side_means",
    "simultaneous_band",
    "split_noise",
]
