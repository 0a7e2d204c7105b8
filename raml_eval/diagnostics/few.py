"""The one rule of all diagnoses for means over few questions: no interval that rests on a spread of fewer than six clusters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from raml_eval.intervals import GAFFKE, mean_interval
from raml_eval.intervals.clusters import Bounds, FloatArray
from raml_eval.intervals.means import ENOUGH
from raml_eval.types import Interval


def mean_with_enough(
    values: Sequence[float] | FloatArray, clusters: Sequence[str], bounds: Bounds = None, least: float = -math.inf
) -> Interval:
    """The mean with its interval clustered by question (intervals.mean_interval), if there are enough clusters (if_enough).

    bounds decide the method. least only cuts the interval off: a length and an NLL are not below 0. NaN without values.

    Example: mean_with_enough([1.0, 3.0], ["a", "b"]).method == "no interval: fewer than six clusters"
    """
    return if_enough(mean_interval(values, clusters, bounds=bounds), len({*clusters}), least)


def if_enough(found: Interval, n_clusters: int, least: float = -math.inf) -> Interval:
    """The interval, cut off at least; without ends where it rests on the spread of fewer than ENOUGH clusters.

    Two clusters say next to nothing of a spread: their t-interval reaches 12.7 standard errors to either side. Gaffke's
    interval, which shares and accuracies have where few clusters carry them, needs no spread and stays.
    """
    if math.isnan(found.low) or found.method == GAFFKE:
        return found
    if n_clusters < ENOUGH:
        return Interval(found.value, math.nan, math.nan, "no interval: fewer than six clusters")
    return replace(found, low=max(found.low, least))


def interval_columns(name: str, found: Interval) -> dict[str, Any]:
    """The columns name, name_low, name_high and name_method of a table; what is not known is null."""
    return {
        name: known(found.value), f"{name}_low": known(found.low), f"{name}_high": known(found.high),
        f"{name}_method": found.method,
    }  # fmt: skip


def known(value: float) -> float | None:
    """The value; None in place of NaN."""
    return None if math.isnan(value) else value
