"""A part with notes that apply to some of its numbers only, and the footnotes of all parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raml_eval.reporting.footnotes import Footnote
from raml_eval.reporting.gains import gain_footnotes, paired_footnotes
from raml_eval.reporting.reports.material import Built, Material


@dataclass(frozen=True, slots=True)
class Alone:
    """A note on the rows of these runs whose metric begins with metric."""

    metric: str
    runs: tuple[str, ...]  # labels
    text: str


@dataclass(frozen=True, slots=True)
class Noted(Built):
    """What a part made, with notes on some of its numbers beside those on all differences."""

    alone: tuple[Alone, ...] = ()


def part_notes(material: Material, built: Sequence[Built]) -> list[Footnote]:
    """The caveats of the runs that parts held against the base, or else those of the frame's gains; then single numbers'.

    Those of several runs are merged.
    """
    paired = paired_footnotes([note for one in built for note in one.notes], list(material.labels))
    found = paired or gain_footnotes(material.runs, material.base, material.frame)
    return [*found, *_merged([note for one in built if isinstance(one, Noted) for note in one.alone])]


def _merged(notes: Sequence[Alone]) -> Iterator[Footnote]:
    of_runs: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        of_runs.setdefault((note.metric, note.text), []).extend(note.runs)
    for (metric, text), runs in of_runs.items():
        labels = list(dict.fromkeys(runs))
        places = frozenset((label, None, None) for label in labels)
        yield Footnote(f"{', '.join(labels)}: {text}", places, marked=False, only=metric)
