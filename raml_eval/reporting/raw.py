"""The tidy frame itself, as CSV, JSON or Parquet, with the footnotes of each row."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raml_eval.errors import writing
from raml_eval.reporting.footnotes import Footnote
from raml_eval.tables import DOMAIN_MEANS, MACRO, Row, budget_label, frame_rows, run_labels
from raml_eval.types import StoredRun

if TYPE_CHECKING:
    import pandas as pd

RAW = ("csv", "json")
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # characters that begin a spreadsheet's formula, full width ones too
# The metrics of a run held against a base.
_PAIRED = re.compile(r"gain$|retention|transfer_ratio$|difference of |claim: gain$|avg@n of the base$|noise of |flips to ")
_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def render_raw(runs: Sequence[StoredRun], frame: pd.DataFrame, notes: Sequence[Footnote], format: str) -> str:
    """The frame of the runs as csv or json.

    csv has a last column, notes: the texts of the notes on the row, with "; " between them. json is {"notes": [text, ...],
    "rows": [...]}, and each row has the numbers of its notes, from 1. A number that cannot be given is empty or null.
    """
    if format == "csv":
        return frame_csv(_with_notes(runs, frame, notes))
    rows = [{**row, "notes": mark_row(row, notes, runs)} for row in frame_rows(frame)]
    content = {"notes": [note.text for note in notes], "rows": rows}
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def write_parquet(runs: Sequence[StoredRun], frame: pd.DataFrame, notes: Sequence[Footnote], path: Path) -> Path:
    """The file has the rows and columns of the csv, with one type for each column. ConfigError if it cannot be written."""
    import pandas as pd

    noted = _with_notes(runs, frame, notes)
    numbers: Mapping[str, str] = {name: "Float64" for name in ("tau", "value", "low", "high") if name in noted}
    whole = {name: "Int64" for name in ("k", "n_questions", "n_samples") if name in noted}
    typed = noted.astype({**numbers, **whole})
    texts = [name for name in typed.columns if name not in {*numbers, *whole}]
    typed[texts] = typed[texts].map(lambda value: None if pd.isna(value) else value)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        typed.to_parquet(path, index=False)
    return path


def _with_notes(runs: Sequence[StoredRun], frame: pd.DataFrame, notes: Sequence[Footnote]) -> pd.DataFrame:
    """The frame with a last column of the texts of the notes on each row, with "; " between them."""
    numbers = (mark_row(row, notes, runs) for row in frame_rows(frame))
    return frame.assign(notes=["; ".join(notes[number - 1].text for number in of_row) for of_row in numbers])


def mark_row(row: Row, notes: Sequence[Footnote], runs: Sequence[StoredRun]) -> list[int]:
    """The numbers, from 1, of the notes that apply to a row of the runs' frame, or of their sweep's.

    A row of several runs, whose run is their labels with ", " between them, has the notes of each; one of no run, such as a
    published value, has none.
    """
    known = dict(zip(run_labels(runs), runs, strict=True))
    named = [row["run"]] if row["run"] in known else [label for label in known if f", {label}, " in f", {row['run']}, "]
    return sorted({number for label in named for number in _marks(row, label, notes, known[label])})


def _marks(row: Row, label: str, notes: Sequence[Footnote], run: StoredRun) -> list[int]:
    """The numbers of the notes on a row that is about this run."""
    tasks = {row["task"]}
    mean = DOMAIN_MEANS.get(row["domain"])
    if row["task"] in (MACRO, mean):
        tasks = {mean, *(name for name, task in run.tasks.items() if task.domain == row["domain"])}
    known = {budget_label(budget) for budget in run.budgets}
    # A number of a sweep may be a difference to another budget, or rest on all budgets of the run.
    budgets = {row["budget"], row.get("against")} if row["budget"] in known else known
    metric = row.get("metric", "")
    pairs = _PAIRED.match(metric) is not None
    return [
        number
        for number, note in enumerate(notes, 1)
        if _applies(note, label, tasks, budgets) and (pairs or not note.paired) and metric.startswith(note.only)
    ]


def _applies(note: Footnote, run: str, tasks: set[str], budgets: set[Any]) -> bool:
    return any(
        place[0] == run and (place[1] is None or place[1] in tasks) and (place[2] is None or place[2] in budgets)
        for place in note.places
    )


def with_rows(frame: pd.DataFrame, rows: Sequence[Row]) -> pd.DataFrame:
    """The frame with these rows, too, and with the columns that only they have."""
    import pandas as pd

    if not rows:
        return frame
    more = pd.DataFrame(list(rows))
    columns = [*frame.columns, *(name for name in more.columns if name not in frame.columns)]
    both = (one.reindex(columns=columns).astype(object) for one in (frame, more))
    return pd.concat(both, ignore_index=True)


def frame_csv(frame: pd.DataFrame) -> str:
    """The frame as CSV. A text that a spreadsheet would take for a formula gets an apostrophe; numbers stay as they are."""
    texts = frame.select_dtypes(exclude="number").columns
    disarmed: Mapping[str, Any] = {name: frame[name].map(_disarm) for name in texts}
    return frame.assign(**disarmed).to_csv(index=False)


def _disarm(value: Any) -> Any:
    """The value, as text on one line that no spreadsheet computes.

    A blank stands for control characters. The csv module puts no quotes around a lone carriage return, so a spreadsheet would
    begin a new row there, with whatever follows as its first cell; and a blank before a formula is skipped.
    """
    if not isinstance(value, str):
        return value
    line = _BREAKS.sub(" ", value)
    return f"'{line}" if line.lstrip().startswith(FORMULA) else line
