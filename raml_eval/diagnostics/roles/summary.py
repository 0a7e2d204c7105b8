"""Writes what the roles and endings say: Parquet tables, figures, and the section of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raml_eval.diagnostics.caveats import notes_of_skipped
from raml_eval.diagnostics.curves.summary import told_introductions
from raml_eval.diagnostics.curves.targets import Asking, Skipped
from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.roles.changes import (
    ALL,
    FLOOR,
    Values,
    measure_changes,
    measure_delimiter,
    role_rows,
)
from raml_eval.diagnostics.roles.closings import BARE, NOTHING, Ending
from raml_eval.diagnostics.roles.compared import ending_rows
from raml_eval.diagnostics.roles.figures import draw_endings, draw_roles
from raml_eval.diagnostics.roles.null import N_SPANS
from raml_eval.diagnostics.roles.occurrences import DELIMITER
from raml_eval.diagnostics.roles.thoughts import SHARES, Found
from raml_eval.diagnostics.section import Column, SectionFigure, SectionTable, write_section
from raml_eval.errors import StoreError, writing
from raml_eval.wording import count_noun

TITLE = "Roles of tokens"
LEAD = (
    "How the negative log-likelihood (NLL) of the gold answer, in nats per token of the gold, changes over single words, ends "
    "of lines and the end of thinking. Each occurrence has a null: as many tokens elsewhere in thinkings of the same task and "
    "verdict, as far along and with a first token as frequent. An occurrence is matched if there is such a place. A role "
    "matters if its matched occurrences differ from their nulls; the mean relative change, which the paper shows, is that of "
    "the few values with the smallest denominators. docs/token-roles.md defines every number."
)

_ROLES = "Log changes of the gold's NLL: means over occurrences, matched ones against their nulls and all"
_ENDINGS = "NLL of the gold after each ending, and paired differences"


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a summary is made of beside the values: what was found, the endings, the roles in order, and what was left out.

    caveats are notes that stand first.
    """

    found: Found
    endings: Sequence[Ending]
    roles: Sequence[str]
    asking: Asking
    most: int
    skipped: Skipped
    caveats: Sequence[str] = ()


def write_summary(folder: DiagnosisFolder, spoken: Spoken, values: Values, by_ending: Mapping[str, Values]) -> int:
    """The folder holds the tables and figures, and section.json; returns how many occurrences were measured.

    values are those after the run's own closing, by_ending those after each ending. Raises StoreError if a file cannot be
    written.
    """
    if not spoken.found.thoughts:
        (folder.path / "occurrences.parquet").unlink(missing_ok=True)  # of an earlier session, which had some
        lead = "No thinking with a graded answer is stored, so there is nothing to measure."
        write_section(folder, TITLE, lead, notes=spoken.caveats)
        return 0
    measured = measure_changes(spoken.found, values)
    bare = next((one for one in spoken.endings if BARE in (one.name, *one.others)), None)
    if bare is not None:
        measured += measure_delimiter(spoken.found.thoughts, by_ending[NOTHING], by_ending[bare.name])
    roles = role_rows(measured, spoken.found, spoken.roles)
    endings = ending_rows(spoken.found.thoughts, by_ending)
    if measured:
        _write(folder, "occurrences", [one.row() for one in measured])
    tables = [table for table in _tables(roles, endings) if table.rows]
    write_section(folder, TITLE, LEAD, tables, list(_figures(roles, endings)), list(_notes(spoken, roles, bare)))
    return len(measured)


def _write(folder: DiagnosisFolder, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    import pandas as pd

    path = folder.path / f"{name}.parquet"
    with writing(path, "Free disk space or choose a writable --out.", StoreError):
        pd.DataFrame(rows).to_parquet(path, index=False)


def _number(name: str, heading: str, digits: int = 2, signed: bool = False) -> Column:
    return Column(name, heading, "number", digits, signed, f"{name}_low", f"{name}_high")


def _tables(roles: Sequence[Mapping[str, Any]], endings: Sequence[Mapping[str, Any]]) -> list[SectionTable]:
    """The rows over all tasks, or of the only one, and those of each of several tasks, which a terminal leaves out."""
    task = Column("task", "task")
    of_roles = [
        Column("role", "role"), Column("verdict", "verdict"), Column("n", "occurrences", "count"),
        Column("n_trajectories", "in thinkings", "count"), Column("n_questions", "of questions", "count"),
        Column("n_matched", "matched", "count"), _number("matched_log_change", "log change, matched", signed=True),
        _number("null_log_change", "log change, null", signed=True), _number("difference", "matched - null", signed=True),
        _number("log_change", "log change, all", signed=True),
        Column("median", "median |change|, all", "number", 3), Column("null_median", "median |change|, null", "number", 3),
        Column("relative", "relative change, all", "number", 2), Column("null_relative", "relative change, null", "number", 2),
    ]  # fmt: skip
    of_endings = [
        Column("ending", "ending"), Column("n", "thinkings", "count"), Column("n_questions", "of questions", "count"),
        _number("nll", "NLL", 3),
        _number("against_own", "minus the run's own", 3, True), _number("against_nothing", "minus nothing", 3, True),
    ]  # fmt: skip
    first = [row for row in roles if row["task"] == roles[0]["task"]]
    last = [row for row in endings if row["task"] == endings[0]["task"] and row["share"] == SHARES[-1]]
    more = [row for row in endings if row not in last]
    share = Column("share", "after share", "number", 2)
    return [
        SectionTable("roles", f"{_ROLES}, {_of(first)}", of_roles, first, 2),
        SectionTable("endings", f"{_ENDINGS} after natural thinkings, {_of(last)}", of_endings, last, 1),
        SectionTable("roles-by-task", f"{_ROLES}, by task", [task, *of_roles], roles[len(first) :], 3, False),
        SectionTable("endings-more", f"{_ENDINGS} after shares of them", [task, share, *of_endings], more, 3, False),
    ]


def _figures(roles: Sequence[Mapping[str, Any]], endings: Sequence[Mapping[str, Any]]) -> Iterator[SectionFigure]:
    """Of several tasks, the rows over all are drawn; the tables have each."""
    if shown := [row for row in roles if row["task"] == roles[0]["task"]]:
        about = (
            "Left, the mean change of the logarithm, with 95 % intervals clustered by question (none below six): filled marks "
            "are of the matched occurrences, those with a null, and hollow ones of their nulls, so the distance of the two is "
            "the difference. A cross is of all occurrences, where some have no null. Right, the paper's measure of all "
            "occurrences (cross) and of all spans of the nulls, on a logarithmic axis. "
            f"Occurrences {_of(shown)}{_strokes(shown)}."
        )
        drawing = draw_roles(shown, roles[len(shown) :])
        yield SectionFigure("roles", "Words, ends of lines and of thinking", about, drawing)
    if shown := [row for row in endings if row["task"] == endings[0]["task"]]:
        about = (
            f"Paired by thinking, with 95 % intervals clustered by question (none below six), {_of(shown)}{_strokes(shown)}."
        )
        drawing = draw_endings(shown, endings[len(shown) :])
        yield SectionFigure("endings", "Endings of thinking, against the run's own", about, drawing)


def _strokes(rows: Sequence[Mapping[str, Any]]) -> str:
    """What tells a mean over all tasks from the tasks that it mixes."""
    return "; tasks weigh by how many each has, and a stroke is the value of one task" if rows[0]["task"] == ALL else ""


def _of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Whose the rows are, in words."""
    return "" if not rows else "over all tasks" if rows[0]["task"] == ALL else f"task {rows[0]['task']}"


def tell_share(share: float) -> str:
    """The share in percent, which says 100 only of all.

    Example: tell_share(0.9966) == "over 99 %" and tell_share(0.986) == "99 %" and tell_share(1.0) == "100 %"
    """
    return "over 99 %" if share < 1 and round(100 * share) == 100 else f"{100 * share:.0f} %"


def _notes(spoken: Spoken, rows: Sequence[Mapping[str, Any]], bare: Ending | None) -> Iterator[str]:
    yield from spoken.caveats
    counted = [row for row in rows if row["task"] == rows[0]["task"]]
    absent = [role for role in spoken.roles if all(row["role"] != role for row in counted)]
    if absent:
        yield f"Nowhere in these thinkings: {', '.join(absent)}."
    for row in counted:
        if row["n"] < row["n_found"]:
            yield (
                f"{row['role']}, {row['verdict']}: {row['n']:,} of {row['n_found']:,} occurrences are measured, chosen by the "
                f"seed, at most {spoken.most} in a thinking."
            )
    few = [f"{row['n_few']:,} of {row['role']} ({row['verdict']})" for row in counted if row["n_few"]]
    if few:
        yield f"Occurrences with fewer than {N_SPANS} spans alike, or none, as null: {', '.join(few)}."
    floor = sum(row["n_floor"] for row in counted)
    if floor:
        yield (
            f"{count_noun(floor, 'occurrence')} with an NLL below {FLOOR:g} before and after, where the log change counts as 0 "
            "and the relative one is an engine's noise; those with 0 before have none: "
            f"{sum(row['n_zero'] for row in counted):,}."
        )
    shares = [
        f"{tell_share(row['largest_share'])} of {row['role']} ({row['verdict']})"
        for row in counted if row["largest_share"] is not None and row["n"] >= 10 and row["largest_share"] >= 0.25
    ]  # fmt: skip
    if shares:
        yield f"One single occurrence makes up this much of the mean relative change: {', '.join(shares)}."
    if bare is not None and any(row["role"] == DELIMITER for row in counted):
        yield (
            "End delimiter: the bare delimiter after all of a natural thinking, against nothing there; it has no null, because "
            "it stands at the end alone."
        )
    for one in spoken.endings:
        if one.others:
            yield f"Ending {one.name!r} is also {', '.join(map(repr, one.others))}: equal tokens."
    written = spoken.asking.tokenizer.decode(spoken.asking.closing_ids, skip_special_tokens=False)
    closed = f"After each prefix, {written!r} ends the thinking, unless an ending is named"
    yield f"{closed}, and {told_introductions(spoken.asking)}"
    yield from notes_of_skipped(spoken.skipped)
