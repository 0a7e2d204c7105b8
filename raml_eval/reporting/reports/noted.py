"""The footnotes of all parts of a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from raml_eval.reporting.footnotes import Footnote
from raml_eval.reporting.gains import gain_footnotes, paired_footnotes
from raml_eval.reporting.reports.material import Alone, Built, Material


def part_notes(material: Material, built: Sequence[Built]) -> list[Footnote]:
    """The caveats of the runs that parts held against the base, or else those of the frame's gains; then single numbers'.

    Those of several runs are merged.
    """
    paired = paired_footnotes([note for one in built for note in one.notes], list(material.labels))
    found = paired or gain_footnotes(material.runs, material.base, material.frame)
    return [*found, *_merged([note for one in built for note in one.alone])]


def _merged(notes: Sequence[Alone]) -> Iterator[Footnote]:
    of_runs: dict[tuple[str, str], list[str]] = {}
    for note in notes:
        of_runs.setdefault((note.metric, note.text), []).extend(note.runs)
    for (metric, text), runs in of_runs.items():
        labels = list(dict.fromkeys(runs))
        places = frozenset((label, None, None) for label in labels)
        yield Footnote(f"{', '.join(labels)}: {text}", places, marked=False, only=metric)
