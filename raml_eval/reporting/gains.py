"""The caveats of gains over a base run, wherever a table or a frame shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from raml_eval.comparison.notes import gain_notes
from raml_eval.comparison.pairs import pair_unchecked
from raml_eval.comparison.protocols import protocol_differences
from raml_eval.reporting.footnotes import Footnote, footnotes
from raml_eval.reporting.naming import Told, merge_runs
from raml_eval.tables import build_frame, count_run, run_labels, same_directory
from raml_eval.types import StoredRun

if TYPE_CHECKING:
    import pandas as pd


def gain_footnotes(runs: Sequence[StoredRun], base: StoredRun | None, frame: pd.DataFrame) -> list[Footnote]:
    """The caveats of the frame's gains: of each run held against the base, and of a base that is not among the runs.

    None without gains. Nothing is refused here, since a gain in a table is no verdict.
    """
    if base is None or not (frame["metric"] == "gain").any():
        return []
    return paired_footnotes([*_of_pairs(runs, base), *base_notes(runs, base)], run_labels(runs))


def _of_pairs(runs: Sequence[StoredRun], base: StoredRun) -> Iterator[Told]:
    before = count_run(base, allow_partial=True)
    for run, label in zip(runs, run_labels(runs), strict=True):
        pairs = None if same_directory(run, base) else pair_unchecked(base, run, before)
        if pairs is not None:
            yield from ((label, note) for note in gain_notes(pairs, protocol_differences(base, run, pairs.tasks())))


def base_notes(runs: Sequence[StoredRun], base: StoredRun) -> list[Told]:
    """The caveats of the base alone, unless it is among the runs, whose notes then tell them."""
    if any(same_directory(run, base) for run in runs):
        return []
    return [("", f"the base {base.name}: {note}") for note in footnotes([base], build_frame([base], k=[1], allow_partial=True))]


def paired_footnotes(notes: Sequence[Told], labels: Sequence[str]) -> list[Footnote]:
    """The notes on the differences of the runs that they are about, those of several runs merged; others are on all runs'."""
    return [
        Footnote(text, frozenset((label, None, None) for label in of_runs or labels), marked=False, paired=True)
        for text, of_runs in merge_runs(notes, labels)
    ]
