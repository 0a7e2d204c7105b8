"""Compares two runs on the questions they share: paired differences, with one correction over all tests."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from raml_eval.errors import ConfigError, MetricError, near_names
from raml_eval.intervals import holm, paired_difference
from raml_eval.manifest import flatten
from raml_eval.reporting.imports import import_notes
from raml_eval.reporting.render import Cell, Table, percent, render
from raml_eval.tables import STABILITY, Measure, count_run, pair_counts, question_values, repeats_draws
from raml_eval.tables.counted import Cells, budget_label, budget_order
from raml_eval.types import Budget, QuestionCounts, Status, StoredRun
from raml_eval.wording import count_noun

TIMEOUTS_ALLOWED = 0.01  # share of a cell's samples; above it, the grader and not the model could decide
Pair = tuple[list[QuestionCounts], list[QuestionCounts]]
SHOWN = 8  # differing protocol keys that a note names


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """One task at one budget. p_holm is corrected over all cells; p and the ends are NaN if they cannot be given.

    verdict is better, worse, undecided (no difference shown) or not tested. difference is new minus base.
    """

    task: str
    budget: str
    base: float
    new: float
    difference: float
    low: float
    high: float
    p: float
    p_holm: float
    n_questions: int
    verdict: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """All cells that two runs share. level is the level of the intervals; the tests are at 1 - level."""

    base: str
    new: str
    metric: str
    level: float
    rows: tuple[ComparedCell, ...]
    notes: tuple[str, ...]

    @property
    def regressed(self) -> bool:
        """True if the new run is significantly worse in some cell, after Holm's correction."""
        return any(row.verdict == "worse" for row in self.rows)


def parse_metric(name: str) -> Measure:
    """The measure of that name: avg@n, pass@K, g_pass@K:TAU, mg_pass@K, mg_pass_normalized@K or maj@K.

    Raises ConfigError for another name. Example: parse_metric("g_pass@8:0.5").k == 8
    """
    if name == "avg@n":
        return Measure(name)
    found = re.fullmatch(r"(\w+)@([1-9]\d*)(?::(0?\.\d+|0|1(?:\.0*)?))?", name)
    if not found or f"{found[1]}@k" not in STABILITY or (found[3] is not None) != (found[1] == "g_pass"):
        known = ("avg@n", "pass@8", "g_pass@8:1.0", "mg_pass@8", "mg_pass_normalized@8", "maj@8")
        raise ConfigError(
            f"there is no metric {name!r} to compare by.{near_names(name, known)} Give one such as {', '.join(known)}."
        )
    return Measure(f"{found[1]}@k", int(found[2]), None if found[3] is None else float(found[3]))


def compare_runs(base: StoredRun, new: StoredRun, *, metric: str = "avg@n", level: float = 0.95) -> Comparison:
    """The paired differences of two finished runs by task and budget, tested with Holm's correction over all of them.

    Raises MetricError if the runs share no question or budget, if a question's content differs, if planned samples are
    missing, if more than 1 % of a cell's samples timed out, or if n < k; ConfigError for an unknown metric.

    Example: compare_runs(load_run("runs/base"), load_run("runs/new"), metric="pass@8").regressed
    """
    measure = parse_metric(metric)
    before, after = count_run(base), count_run(new)
    _check_content(base, new)
    shared = _shared_cells(before, after)
    if not shared:
        raise MetricError(
            f"runs {base.name} and {new.name} share no question at the same budget: {_holdings(before)} against "
            f"{_holdings(after)}. Compare runs with a task, its questions and a budget in common."
        )
    for run, side in ((base, 0), (new, 1)):
        _check_drawn(run, measure)
        for cell, pair in shared.items():
            _check_timeouts(run, cell, pair[side])
    cells = [_test(cell, *pair, measure, level) for cell, pair in shared.items()]
    names = (base.name, new.name) if base.name != new.name else (str(base.directory), str(new.directory))
    return Comparison(*names, metric, level, _judge(cells, level), _notes(base, new, cells))


def _shared_cells(before: Cells, after: Cells) -> dict[tuple[str, Budget], Pair]:
    pairs = {cell: pair_counts(before.get(cell, []), counts) for cell, counts in after.items()}
    ordered = sorted(pairs.items(), key=lambda item: budget_order(budget_label(item[0][1])))
    tasks = list(dict.fromkeys(task for task, _ in pairs))
    return {cell: pair for task in tasks for cell, pair in ordered if cell[0] == task and pair[1]}


def _holdings(cells: Cells) -> str:
    tasks = {task: len(counts) for (task, _), counts in cells.items()}
    budgets = sorted({budget_label(budget) for _, budget in cells}, key=budget_order)
    return f"{', '.join(f'{n} of {task}' for task, n in tasks.items())} at {', '.join(budgets)}"


def _check_content(base: StoredRun, new: StoredRun) -> None:
    """Raises MetricError if a row's content differs. An id is a row's index and a hash of its content."""
    for task in new.tasks:
        ids = [{i.rpartition("-")[0]: i for owner, i in run.questions if owner == task} for run in (base, new)]
        common = ids[0].keys() & ids[1].keys()
        same = sum(ids[0][row] == ids[1][row] for row in common)
        if same < len(common):
            raise MetricError(
                f"{task} holds other questions in {new.name} than in {base.name}: of the {len(common)} rows that both have, "
                f"{same} are the same. Run the older one again on the present data."
            )


def _check_drawn(run: StoredRun, measure: Measure) -> None:
    if measure.k is not None and repeats_draws(run):
        raise MetricError(f"run {run.name} is greedy, so its samples only repeat one another. Compare it by avg@n.")
    if measure.k is not None and run.n_samples < measure.k:
        raise MetricError(
            f"{measure.metric} with k = {measure.k} needs {count_noun(measure.k, 'sample')} per question; run {run.name} has "
            f"{run.n_samples}. Run again with --samples {measure.k} and the same --out, or ask for k <= {run.n_samples}."
        )


def _check_timeouts(run: StoredRun, cell: tuple[str, Budget], counts: Sequence[QuestionCounts]) -> None:
    stopped, drawn = sum(q.statuses.get(Status.TIMEOUT, 0) for q in counts), sum(q.n for q in counts)
    if stopped > TIMEOUTS_ALLOWED * drawn:
        raise MetricError(
            f"the grader was stopped on {stopped} of {drawn} compared samples of {cell[0]} at {cell[1]} in run {run.name}, "
            f"wanted at most {TIMEOUTS_ALLOWED:.0%}: a difference could be the grader's. Grade both again with more time: "
            f"`raml-eval regrade --timeout SECONDS`."
        )


def _test(
    cell: tuple[str, Budget], before: list[QuestionCounts], after: list[QuestionCounts], measure: Measure, level: float
) -> ComparedCell:
    old, new = question_values(before, measure), question_values(after, measure)
    found = paired_difference(old, new, [q.cluster for q in after], level)
    return ComparedCell(
        task=cell[0],
        budget=budget_label(cell[1]),
        base=float(old.mean()),
        new=float(new.mean()),
        difference=found.value,
        low=found.low,
        high=found.high,
        p=found.p_value,
        p_holm=math.nan,
        n_questions=found.n_questions,
        verdict="not tested",
    )


def _judge(cells: Sequence[ComparedCell], level: float) -> tuple[ComparedCell, ...]:
    tested = [cell for cell in cells if not math.isnan(cell.p)]
    corrected = dict(zip(map(id, tested), holm([cell.p for cell in tested]), strict=True))
    judged = []
    for cell in cells:
        p_holm = corrected.get(id(cell), math.nan)
        verdict = "not tested" if math.isnan(p_holm) else "undecided"
        if p_holm < 1 - level:
            verdict = "better" if cell.difference > 0 else "worse"
        judged.append(replace(cell, p_holm=p_holm, verdict=verdict))
    return tuple(judged)


def _notes(base: StoredRun, new: StoredRun, cells: Sequence[ComparedCell]) -> tuple[str, ...]:
    notes = [f"{run.name}: {note}" for run in (base, new) for note in import_notes(run)]
    for task in dict.fromkeys(cell.task for cell in cells):
        sizes = [sum(owner == task for owner, _ in run.questions) for run in (base, new)]
        shared = next(cell.n_questions for cell in cells if cell.task == task)
        if shared < max(sizes):
            are = f"{count_noun(shared, 'question')} {'is' if shared == 1 else 'are'}"
            notes.append(f"{task}: {are} shared, of {sizes[0]} in {base.name} and {sizes[1]} in {new.name}")
    compared = {(cell.task, cell.budget) for cell in cells}
    drawn = dict.fromkeys((task, budget_label(budget)) for run in (base, new) for task in run.tasks for budget in run.budgets)
    left_out = [f"{task} at {budget}" for task, budget in drawn if (task, budget) not in compared]
    if left_out:
        notes.append(f"left out, because only one run has it: {', '.join(left_out)}")
    if len({*base.grader_versions, *new.grader_versions}) > 1:
        before, after = (" and ".join(run.grader_versions) or "an unknown grader" for run in (base, new))
        notes.append(
            f"warning: different graders graded the runs ({before} for {base.name}, {after} for {new.name}), so a difference "
            f"could come from them; `raml-eval regrade` grades both with one"
        )
    old, now = (flatten(run.manifest.get("protocol", {})) for run in (base, new))
    tasks = {f"tasks.{cell.task}." for cell in cells}
    keys = [
        key
        for key in sorted(old.keys() & now.keys())  # runs of different versions do not store the same keys
        if old[key] != now[key] and (not key.startswith("tasks.") or key.startswith(tuple(tasks)))
    ]
    if keys:
        listed = "; ".join(f"{key} {old.get(key)!r}, then {now.get(key)!r}" for key in keys[:SHOWN])
        more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
        notes.append(f"the protocols differ in {count_noun(len(keys), 'key')}: {listed}{more}")
    return tuple(notes)


def render_comparison(comparison: Comparison, format: str = "terminal") -> str:
    """The comparison as text. format is terminal or markdown; ConfigError for another."""
    if format not in ("terminal", "markdown"):
        raise ConfigError(f"a comparison cannot be printed as {format!r}. Choose terminal or markdown.")
    percent_level = f"{100 * comparison.level:g} %"
    head = ("task", "budget", "base", "new", f"difference [{percent_level}]", "p", "p (Holm)", "n", "verdict")
    rows = tuple(tuple(map(Cell, _texts(cell))) for cell in comparison.rows)
    return render(
        f"_comparison.{format}.jinja",
        format,
        title=f"{comparison.new} against {comparison.base}, {comparison.metric} in percent, paired",
        table=Table("", tuple(map(Cell, head)), rows, 2),
        summary=_summary(comparison),
        notes=comparison.notes,
    )


def _texts(cell: ComparedCell) -> tuple[str, ...]:
    low, high = (None if math.isnan(end) else end for end in (cell.low, cell.high))
    difference = percent(cell.difference, low, high, signed=True)
    chances = ("n/a" if math.isnan(p) else "<0.001" if p < 0.001 else f"{p:.3f}" for p in (cell.p, cell.p_holm))
    before, after = percent(cell.base), percent(cell.new)
    return cell.task, cell.budget, before, after, difference, *chances, str(cell.n_questions), cell.verdict


def _summary(comparison: Comparison) -> str:
    tested = [row.verdict for row in comparison.rows if row.verdict != "not tested"]
    worse, better = tested.count("worse"), tested.count("better")
    word = "Regression" if comparison.regressed else "No significant regression"
    tests = count_noun(len(tested), "test")
    return f"{word}: {worse} worse and {better} better in {tests}, Holm's correction at {1 - comparison.level:.3g}."
