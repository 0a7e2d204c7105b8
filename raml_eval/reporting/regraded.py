"""Shows what a regrading changed: first by task and budget, then by question."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from raml_eval.metrics import mean_avg_at_n
from raml_eval.regrade.regrading import Regrading
from raml_eval.reporting.listing import Item, Listing, ListSection, check_format, quote, render_listing
from raml_eval.reporting.render import Cell, Table, percent
from raml_eval.store.lines import grade_fields, key_line
from raml_eval.tables import budget_label, budget_order
from raml_eval.tables.counted import planned_records
from raml_eval.types import Budget, Grade, SampleRecord
from raml_eval.wording import count_noun

LISTED = 40  # questions shown in full; the rest is only counted
TITLES = ("task", "budget", "samples", "changed", "gained", "lost", "avg@n before", "after", "change")


@dataclass(frozen=True, slots=True)
class RegradedCell:
    """One task at one budget. before and after are avg@n; gained and lost count the samples that became right or wrong."""

    task: str
    budget: Budget
    n_samples: int
    n_changed: int
    gained: int
    lost: int
    before: float
    after: float


def count_regraded(done: Regrading) -> list[RegradedCell]:
    """The cells of the graded tasks. avg@n is the mean over questions that have a sample, and covers planned samples only."""
    new = {(record.key, record.budget): grade for record, grade in done.changes}
    cells: defaultdict[tuple[str, Budget], list[tuple[SampleRecord, Grade]]] = defaultdict(list)
    for record in planned_records(done.run):
        if record.key.task in done.tasks:
            grade = new.get((record.key, record.budget), record.grade)
            cells[record.key.task, record.budget].append((record, grade))
    ordered = sorted(cells, key=lambda cell: (done.tasks.index(cell[0]), budget_order(budget_label(cell[1]))))
    return [_count_cell(task, budget, cells[task, budget]) for task, budget in ordered]


def _count_cell(task: str, budget: Budget, pairs: Sequence[tuple[SampleRecord, Grade]]) -> RegradedCell:
    drawn = Counter(record.key.question_id for record, _ in pairs)
    before = Counter(record.key.question_id for record, _ in pairs if record.grade.correct)
    after = Counter(record.key.question_id for record, grade in pairs if grade.correct)
    return RegradedCell(
        task=task,
        budget=budget,
        n_samples=len(pairs),
        n_changed=sum(grade != record.grade for record, grade in pairs),
        gained=sum(grade.correct and not record.grade.correct for record, grade in pairs),
        lost=sum(record.grade.correct and not grade.correct for record, grade in pairs),
        before=mean_avg_at_n(drawn, before),
        after=mean_avg_at_n(drawn, after),
    )


def render_regrading(done: Regrading, format: str = "terminal") -> str:
    """The regrading as text: terminal, markdown, or json with every change in one line. ConfigError for another format."""
    check_format(format)
    cells = count_regraded(done)
    if format == "json":
        return json.dumps(_as_json(done, cells), allow_nan=False)
    rows = tuple(tuple(map(Cell, _texts(cell))) for cell in cells if cell.n_changed)
    tables = (Table("In percent, where a verdict changed", tuple(map(Cell, TITLES)), rows, 2),) if rows else ()
    telling, wording = _by_question(done)
    sections = (ListSection("Changes by question", tuple(telling[:LISTED])),) if telling else ()
    more = len(telling) - LISTED
    notes = [f"{count_noun(more, 'more question')} changed; --format json lists all"] if more > 0 else []
    if wording:
        keep = "sample keeps" if wording == 1 else "samples keep"
        notes.append(f"{wording} {keep} status and answer; only the rule or the wording of the verdict changed")
    return render_listing(
        Listing(
            title=f"{done.run.name}: {count_noun(done.n_graded, 'sample')} graded again by grader {done.grader_version}",
            lead=(_summary(done),),
            tables=tables,
            sections=(*sections, *_failures(done)),
            notes=tuple(notes),
        ),
        format,
    )


def _texts(cell: RegradedCell) -> tuple[str, ...]:
    counts = map(str, (cell.n_samples, cell.n_changed, cell.gained, cell.lost))
    difference = percent(cell.after - cell.before, signed=True)
    return cell.task, budget_label(cell.budget), *counts, percent(cell.before), percent(cell.after), difference


def _summary(done: Regrading) -> str:
    before = ", ".join(done.run.grader_versions) or "unknown"
    outcome = f"{count_noun(len(done.changes), 'verdict')} changed" if done.changes else "no verdict changed"
    if done.failed:
        keep = "keeps its own" if len(done.failed) == 1 else "keep theirs"
        outcome += f", {count_noun(len(done.failed), 'sample')} could not be graded and {keep}"
    where = f"the layer is {done.layer.name}" if done.layer else "no layer was added"
    took = ", ".join(f"{part} {seconds:.1f} s" for part, seconds in done.seconds.items())
    return f"{outcome}; graded before by {before}; {where} ({took})"


def _by_question(done: Regrading) -> tuple[list[Item], int]:
    """An item for each question with a changed status or extracted answer, and the number of all other changes."""
    questions: defaultdict[tuple[str, str], Counter[tuple[Grade, Grade]]] = defaultdict(Counter)
    wording = 0
    for record, grade in done.changes:
        if (record.status, record.grade.answer) == (grade.status, grade.answer):
            wording += 1
        else:
            questions[record.key.task, record.key.question_id][record.grade, grade] += 1
    items = []
    for (task, question_id), changes in questions.items():
        gold = quote(done.run.questions[task, question_id].target)
        lines = [f"{n} × {_verdict(was)} → {_verdict(now)}" for (was, now), n in changes.most_common()]
        items.append(Item(f"{task}/{question_id}, gold {gold}", tuple(lines)))
    return items, wording


def _verdict(grade: Grade) -> str:
    why = ", ".join(word for word in (grade.rule, grade.detail) if word)
    return f"{grade.status.value} {quote(grade.answer)}" + (f" ({why})" if why else "")


def _failures(done: Regrading) -> tuple[ListSection, ...]:
    reasons = Counter(reason for _, reason in done.failed)
    first = {reason: record for record, reason in reversed(done.failed)}
    items = [Item(f"{n} × such as {first[reason].key}: {reason}") for reason, n in reasons.most_common(LISTED)]
    return (ListSection("Not graded", tuple(items)),) if items else ()


def _as_json(done: Regrading, cells: Sequence[RegradedCell]) -> dict[str, Any]:
    return {
        "run": done.run.name,
        "grader_version": done.grader_version,
        "graded_before_by": done.run.grader_versions,
        "n_graded": done.n_graded,
        "n_changed": len(done.changes),
        "n_failed": len(done.failed),
        "layer": done.layer.name if done.layer else None,
        "seconds": dict(done.seconds),
        "cells": [{name: getattr(cell, name) for name in RegradedCell.__slots__} for cell in cells],
        "changes": [
            {**_named(record), "was": grade_fields(record.grade), "now": grade_fields(grade)} for record, grade in done.changes
        ],
        "failed": [{**_named(record), "error": reason} for record, reason in done.failed],
    }


def _named(record: SampleRecord) -> dict[str, Any]:
    return {**key_line(record.key), "budget": record.budget}
