"""Shows what a judge model would accept, beside what the rules accepted."""

from __future__ import annotations

import json
from collections.abc import Sequence

from raml_eval.judge.candidates import JudgedCell, count_judged
from raml_eval.judge.judging import Judging
from raml_eval.reporting.listing import Listing, check_format, render_listing
from raml_eval.reporting.render import Cell, Table, percent
from raml_eval.tables import budget_label
from raml_eval.tables.counted import planned_records
from raml_eval.types import StoredRun
from raml_eval.wording import count_noun

TITLES = ("task", "budget", "rejected", "judged", "accepted", "unclear", "unavailable", "by rule", "with judge")


def render_judging(done: Judging, format: str = "terminal") -> str:
    """The result of the model's judgements as text: terminal, markdown or json. ConfigError for another format."""
    check_format(format)
    cells = [cell for cell in count_judged(done.run, planned_records(done.run)) if cell.model == done.model]
    counts = {"n_asked": done.n_asked, "n_failed": done.n_failed, "n_left": done.n_left}
    if format == "json":
        shown = [{**{name: getattr(cell, name) for name in JudgedCell.__slots__}, "accepted": cell.accepted} for cell in cells]
        return json.dumps({"run": done.run.name, "model": done.model, **counts, "cells": shown}, indent=1, allow_nan=False)
    asked = count_noun(done.n_asked, "distinct answer")
    lead = [f"{asked} judged now, {done.n_failed} failed, {done.n_left} left; the rules' verdicts stand"]
    rows = tuple(tuple(map(Cell, _texts(cell))) for cell in cells)
    tables = (Table("Samples, and avg@n in percent", tuple(map(Cell, TITLES)), rows, 2),) if rows else ()
    return render_listing(Listing(f"{done.run.name}, judged by {done.model}", tuple(lead), tables), format)


def _texts(cell: JudgedCell) -> tuple[str, ...]:
    verdicts = (cell.accepted, cell.verdicts.get("unclear", 0), cell.verdicts.get("unavailable", 0))
    counts = map(str, (cell.n_rejected, cell.n_judged, *verdicts))
    return cell.task, budget_label(cell.budget), *counts, percent(cell.by_rule), percent(cell.with_judge)


def judge_notes(run: StoredRun) -> list[tuple[str, Sequence[JudgedCell]]]:
    """A line for each judge of the run, with the cells that it concerns."""
    by_judge: dict[tuple[str, str], list[JudgedCell]] = {}
    for cell in count_judged(run, planned_records(run)) if run.judgements else ():
        by_judge.setdefault((cell.model, cell.prompt_version), []).append(cell)
    return [(_note(model, cells), cells) for (model, _), cells in by_judge.items()]


def _note(model: str, cells: Sequence[JudgedCell]) -> str:
    accepted, rejected, judged = (
        sum(counts) for counts in zip(*((c.accepted, c.n_rejected, c.n_judged) for c in cells), strict=True)
    )
    moved = sorted((c for c in cells if c.accepted), key=lambda c: c.by_rule - c.with_judge)
    text = f"judge {model} would accept {accepted} of {rejected} rejected samples ({judged} judged)"
    if not moved:
        return text
    top = moved[0]
    more = f"; {len(moved) - 1} more cells change" if len(moved) > 1 else ""
    return (
        f"{text}; accuracy by rule {percent(top.by_rule)}, with the judge {percent(top.with_judge)} in {top.task} at "
        f"{budget_label(top.budget)}{more}"
    )
