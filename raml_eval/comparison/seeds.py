"""Whether the draws of two runs are independent: runs with the same seed draw coupled samples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from raml_eval.intervals import NoiseSplit
from raml_eval.intervals.clusters import FloatArray
from raml_eval.intervals.components import drawn_variance
from raml_eval.types import StoredRun

COUPLED = (
    "both runs were drawn with seed {seed}, so their samples are coupled: that does no harm to the interval of the difference, "
    "but its split into questions and redrawing takes the draws as independent, and shows too much from redrawing. n/a: the "
    "runs share their seed, and redrawing came out as more than the whole"
)
SAME = "both runs drew the same model with the same seed ({seed}), so they say nothing about redrawing"


def shared_seed(base: StoredRun, new: StoredRun) -> int | None:
    """The seed that both runs were drawn with; None if they differ in it, and if one does not store it (an imported run)."""
    seeds = {run.manifest.get("protocol", {}).get("sampling", {}).get("seed") for run in (base, new)}
    seed = seeds.pop()
    return seed if not seeds and type(seed) is int else None


def draw_the_same(base: StoredRun, new: StoredRun) -> bool:
    """True if both runs drew the same weights with the same seed."""
    prints = {run.manifest.get("model", {}).get("fingerprint") for run in (base, new)}
    return shared_seed(base, new) is not None and len(prints) == 1 and None not in prints


def seed_notes(base: StoredRun, new: StoredRun) -> Iterator[str]:
    """What the noise of a difference does not say, if the runs share their seed."""
    seed = shared_seed(base, new)
    if seed is not None:
        yield (SAME if draw_the_same(base, new) else COUPLED).format(seed=seed)


def untie(noise: NoiseSplit, redraws: Sequence[FloatArray], base: StoredRun, new: StoredRun) -> NoiseSplit:
    """The split with unknown parts (NaN), if the runs share their seed and the redraw part is not to be had.

    That is if redrawing, taken as independent, would be more than the whole variance, or if both drew the same model.
    redraws are those that split_noise was given. Runs with seeds of their own keep their split, whatever it is.
    """
    if shared_seed(base, new) is None:
        return noise
    if drawn_variance(redraws) <= noise.standard_error**2 and not draw_the_same(base, new):
        return noise
    return replace(noise, from_questions=math.nan, from_redraw=math.nan)
