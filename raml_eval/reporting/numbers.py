"""The numbers of the frame by key, as the tables of a report look them up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from raml_eval.manifest import name_model
from raml_eval.reporting.footnotes import Footnote, Place, find_footnotes
from raml_eval.reporting.render import Cell, percent
from raml_eval.tables import DOMAIN_MEANS, MACRO, Row, frame_rows, run_labels
from raml_eval.types import Domain, StoredRun

if TYPE_CHECKING:
    import pandas as pd


class Key(NamedTuple):
    """What identifies one number of the frame."""

    run: str
    task: str
    domain: str
    budget: str
    metric: str
    k: int | None = None
    tau: float | None = None


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers by key, with the names of the table's rows. short leaves out what does not fit on a terminal.

    full shows every metric of stability, and not only the main ones at the largest k.
    """

    rows: dict[Key, Row]
    models: dict[str, str]  # run label -> name shown
    lines: tuple[tuple[str, str], ...]  # run label and budget, one for each row of a table
    ks: tuple[int, ...]  # above 1, because at k = 1 pass@k, G-Pass@k and maj@k equal avg@n
    notes: tuple[Footnote, ...]
    short: bool
    full: bool = False

    @property
    def has_gains(self) -> bool:
        """True if a base run was named."""
        return any(key.metric == "gain" for key in self.rows)

    def share(self, key: Key, *, digits: int = 1, signed: bool = False, marks: tuple[int, ...] = ()) -> Cell:
        """The number in percent with its interval; 'n/a' if it cannot be given, blank if the frame does not have it."""
        row = self.rows.get(key)
        return Cell("" if row is None else percent(row["value"], row["low"], row["high"], digits=digits, signed=signed), marks)

    def number(self, run: str, task: str, domain: str, budget: str, metric: str) -> float | None:
        """The value of a number without k and tau; None if the frame does not have it, or if it cannot be given."""
        row = self.rows.get(Key(run, task, domain, budget, metric))
        return None if row is None else row["value"]

    def written(self, key: Key, bounded: bool, *, marks: tuple[int, ...] = ()) -> Cell:
        """The number as a table writes it: a share in percent, and anything else, such as tokens, as it is."""
        return self.share(key, marks=marks) if bounded else replace(self.plain(key), marks=marks)

    def plain(self, key: Key, scale: float = 1.0) -> Cell:
        """The number times scale, without its interval; blank if the frame does not have it."""
        row = self.rows.get(key)
        if row is None:
            return Cell("")
        return Cell("n/a" if row["value"] is None else f"{scale * row['value']:.1f}")

    def marks(self, *places: Place) -> tuple[int, ...]:
        """The numbers of the marked footnotes that belong to any of the places."""
        return tuple(i for i, note in enumerate(self.notes, 1) if note.marked and note.places.intersection(places))

    def column_marks(self, task: str, domain: Domain) -> tuple[int, ...]:
        """The numbers of the marked footnotes on all budgets of a task, or of a domain's mean, for the head of its column."""
        name = DOMAIN_MEANS[domain] if task == MACRO else task
        return self.marks(*((run, name, None) for run in self.models))


def index_numbers(runs: Sequence[StoredRun], frame: pd.DataFrame, short: bool, full: bool = False) -> Numbers:
    """The numbers of the frame by key. If two runs share a model's name, the run's name is added to it.

    A run's name that begins with the model's stands for both. If there are several runs, a model that is a folder is named
    without its path.
    """
    rows: dict[Key, Row] = {}
    for row in frame_rows(frame):
        rows[Key(*(row[name] for name in Key._fields))] = row
    names = [name_model({"name": run.model, **run.manifest.get("model", {})}, short=len(runs) > 1) for run in runs]
    shown = {
        label: name if names.count(name) == 1 else label if label.startswith(name) else f"{name} ({label})"
        for name, label in zip(names, run_labels(runs), strict=True)
    }
    return Numbers(
        rows=rows,
        models=shown,
        lines=tuple(dict.fromkeys((key.run, key.budget) for key in rows)),
        ks=tuple(sorted({key.k for key in rows if key.k is not None and key.k > 1})),
        notes=tuple(find_footnotes(runs, frame)),
        short=short,
        full=full,
    )
