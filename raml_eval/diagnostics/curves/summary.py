"""Writes what the curves say: Parquet tables, figures, and the section of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from raml_eval.budgets import OFF, THINKING
from raml_eval.diagnostics.caveats import notes_of_skipped
from raml_eval.diagnostics.curves.averages import (
    GRID,
    MeanCurve,
    auroc_rows,
    budget_rows,
    calibration_rows,
    level_rows,
    mean_curves,
)
from raml_eval.diagnostics.curves.drawn import VERDICTS, Drawn, curve_columns, trajectory_row
from raml_eval.diagnostics.curves.figures import (
    SMOOTHED_ABOVE,
    draw_aurocs,
    draw_budgets,
    draw_means,
    draw_off,
    draw_trajectories,
    draw_within,
)
from raml_eval.diagnostics.curves.positions import Positions
from raml_eval.diagnostics.curves.targets import Asking
from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.panels import MOST_PANELS, more_than_panels
from raml_eval.diagnostics.section import Column, SectionFigure, SectionTable, write_section
from raml_eval.diagnostics.summary import in_words
from raml_eval.errors import StoreError, writing
from raml_eval.wording import count_noun, list_some

TITLE = "Pseudo-gradient curves"
LEAD = (
    "The negative log-likelihood (NLL) of the gold answer, in nats per token of the gold, if the thinking were cut after so "
    "many tokens and the gold written at once. A curve that falls says that the thinking moves the model towards the gold."
)
# Hall's correction in intervals.means.t_ends has a cube root, which is steep where the skewness is about 0.4 to 0.5.
SKEWED = (
    "All points have one method, the t-interval with a correction for skewness. Where few questions lie far above the others, "
    "an end lies far out, and it can jump from one point to the next though the mean does not."
)


def write_summary(
    folder: DiagnosisFolder,
    drawn: Sequence[Drawn],
    asking: Asking,
    positions: Positions,
    skipped: Mapping[str, Sequence[str]],
    caveats: Sequence[str] = (),
) -> None:
    """The folder holds the tables and figures of the curves, and section.json, whose notes begin with the caveats.

    Raises StoreError if it cannot be written.
    """
    curves = mean_curves(drawn)
    _write(folder, "curves", curve_columns(drawn))
    _write(folder, "trajectories", [trajectory_row(one) for one in drawn])
    _write(folder, "means", _mean_columns(curves))
    levels, aurocs, budgets, bins = level_rows(drawn), auroc_rows(drawn), budget_rows(drawn), calibration_rows(drawn)
    write_section(
        folder,
        TITLE,
        LEAD,
        [table for table in _tables(levels, aurocs, budgets, bins) if table.rows],
        _figures(drawn, curves, aurocs, budgets, asking),
        [*caveats, *_notes(drawn, asking, positions, skipped), *_told_means(aurocs)],
    )


def _write(folder: DiagnosisFolder, name: str, content: Any) -> None:
    import pandas as pd

    path = folder.path / f"{name}.parquet"
    with writing(path, "Free disk space or choose a writable --out.", StoreError):
        pd.DataFrame(content).to_parquet(path, index=False)


def _mean_columns(curves: Sequence[MeanCurve]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {}
    for one in curves:
        for share, mean, low, high in zip(GRID, one.mean, one.low, one.high, strict=True):
            row = {"task": one.task, "prompt": one.prompt, "group": one.group, "share": share, "nll_mean": mean, "low": low}
            row |= {"high": high, "n_trajectories": one.n_trajectories, "n_questions": one.n_questions}
            for name, value in row.items():
                columns.setdefault(name, []).append(value)
    return columns


def _number(name: str, heading: str, digits: int = 2, signed: bool = False) -> Column:
    return Column(name, heading, "number", digits, signed, f"{name}_low", f"{name}_high")


def _share(name: str, heading: str) -> Column:
    return Column(name, heading, "percent", 1, low=f"{name}_low", high=f"{name}_high")


def _tables(
    levels: Sequence[Mapping[str, Any]],
    aurocs: Sequence[Mapping[str, Any]],
    budgets: Sequence[Mapping[str, Any]],
    bins: Sequence[Mapping[str, Any]],
) -> list[SectionTable]:
    task, prompt = Column("task", "task"), Column("prompt", "prompt")
    remarks = [Column("remark", "remark")] if any(row["remark"] for row in aurocs) else []
    return [
        SectionTable(
            "levels",
            "NLL of the gold along trajectories, by verdict: means over trajectories, with intervals clustered by question",
            [
                task, prompt, Column("verdict", "verdict"), Column("n_trajectories", "trajectories", "count"),
                Column("n_questions", "questions", "count"), _number("start", "start"), _number("final", "final"),
                _number("drop", "drop", signed=True), _number("slope", "slope", signed=True),
                _number("decided", "share of them decided"), _number("reversals", "reversals"),
            ],
            levels,
            3,
        ),
        SectionTable(
            "auroc",
            "AUROC of a curve's numbers, correct against incorrect; within: the mean over questions that have both verdicts, "
            "each counted once; pairs: of a correct and an incorrect trajectory of one question; pooled: all trajectories, "
            "confounded by difficulty",
            [
                task, prompt, Column("number", "number"), _number("within", "within questions"),
                Column("n_questions", "questions", "count"), Column("n_pairs", "pairs", "count"),
                _number("pooled", "pooled (confounded)"), *remarks,
            ],
            aurocs,
            3,
        ),
        SectionTable(
            "budgets",
            "The gold's mean probability where each budget ends, and the budget's accuracy, in percent",
            [
                task, Column("budget", "budget"), Column("n_samples", "samples", "count"),
                _share("probability", "probability of the gold"), _share("accuracy", "accuracy"),
                Column("difference", "accuracy - probability", "percent", 1, True, "difference_low", "difference_high"),
                _number("within", "AUROC within questions"), Column("n_questions", "of questions", "count"),
            ],
            budgets,
            2,
            False,
        ),
        SectionTable(
            "calibration",
            "Accuracy at the finite budgets by the gold's probability, in percent",
            [
                task, Column("bin", "probability"), Column("n_samples", "samples", "count"),
                Column("probability", "mean probability", "percent"), _share("accuracy", "accuracy"),
            ],
            bins,
            2,
            False,
        ),
    ]  # fmt: skip


def _figures(
    drawn: Sequence[Drawn],
    curves: Sequence[MeanCurve],
    aurocs: Sequence[Mapping[str, Any]],
    budgets: Sequence[Mapping[str, Any]],
    asking: Asking,
) -> list[SectionFigure]:
    """The figures that there is something to show in. Prompts other than plain thinking (hints) are in the tables alone."""
    tasks = list(dict.fromkeys(one.task for one in drawn))
    prompts = {one.prompt for one in drawn}
    main = THINKING if THINKING in prompts else min(prompts)
    more = more_than_panels(tasks)
    figures = [
        SectionFigure(
            "by-verdict", "The gold along correct and incorrect trajectories",
            "Means over trajectories, with 95 % intervals of each point of its own, clustered by question. "
            f"Correct and incorrect trajectories are of different questions, so their levels differ by difficulty, too. "
            f"{SKEWED}{more}",
            draw_means(curves, tasks, main),
        ),
        SectionFigure(
            "within-questions", "The same within questions that have both verdicts",
            f"Each question counts once, with the mean of its trajectories of either verdict. {SKEWED}{more}",
            draw_within(drawn, curves, tasks, main),
        ),
        SectionFigure(
            "trajectories", "Single trajectories",
            "Up to two correct and two incorrect ones of each task's first question that has both. Marks are measured "
            f"values; of a thinking of more than {SMOOTHED_ABOVE:,} tokens, the line is their moving average.{more}",
            draw_trajectories(drawn, tasks, main),
        ),
    ]  # fmt: skip
    if OFF in prompts and main != OFF:
        differing = _differing(asking, tasks, main)
        about = "Means over all trajectories. A level line is of answers that reason nothing before their final answer."
        for words in dict.fromkeys(differing.values()):
            named = list_some([task for task, told in differing.items() if told == words], MOST_PANELS)
            about += f" In {named} the gold is introduced by {words}, so the levels of the two curves do not compare."
        drawing = draw_off(curves, tasks, main, differing)
        figures.append(SectionFigure("thinking-and-off", "With and without thinking", f"{about}{more}", drawing))
    shown = [row for row in aurocs if row["prompt"] == main]
    if any(row["within"] is not None for row in shown):
        about = (
            "0.5 is chance. Hollow marks compare trajectories of different questions, and so measure difficulty, too. A mean "
            "of tasks is the mean of the tasks' values within questions; no pair is of two tasks."
            f"{more_than_panels(tasks, 'rows')}"
        )
        figures.append(SectionFigure("auroc", "Correct against incorrect, by AUROC", about, draw_aurocs(shown)))
    if budgets:
        about = f"What the curve says where each budget ends, and how many samples were correct there.{more}"
        figures.append(SectionFigure("budgets", "The gold's probability and the accuracy", about, draw_budgets(budgets, tasks)))
    return figures


def _differing(asking: Asking, tasks: Sequence[str], main: str) -> dict[str, str]:
    """By task, the two introductions in words, where that after thinking is another than that of answers without it."""
    if asking.lead is not None:
        return {}
    pairs = {task: [asking.introductions.get((task, prompt)) for prompt in (main, OFF)] for task in tasks}
    return {
        task: f"{after!r} after thinking and by {without!r} without"
        for task, (after, without) in pairs.items()
        if None not in (after, without) and after != without
    }


def _notes(drawn: Sequence[Drawn], asking: Asking, positions: Positions, skipped: Mapping[str, Sequence[str]]) -> list[str]:
    written = asking.tokenizer.decode(asking.closing_ids, skip_special_tokens=False) if asking.closing_ids else ""
    notes = [
        f"After each prefix, {written!r} ends the thinking, and "
        + (f"{asking.lead!r} stands before the gold." if asking.lead is not None else told_introductions(asking))
        + " Only the gold's own tokens are scored.",
        "Positions: every token."
        if positions.stride == 1
        else f"Positions: every {positions.stride} tokens, the ends, and the places where budgets cut."
        if positions.tolerance is None
        else f"Positions: refined where neighbouring values differ by more than {positions.tolerance} nats per token; straight "
        "lines between them are that exact only where the curve is monotone.",
        "Numbers of a curve, in nats per token of the gold: start is its value right after the prompt, half after half of the "
        "thinking, final after all of it. drop is start - final, positive if the curve fell. area is its mean value. slope is "
        "that of its least-squares line, as a change over the whole thinking, negative if it falls.",
        "With p the geometric mean probability of the gold's tokens, exp(-NLL): a curve is decided if p is above 0.5 at the "
        "last position. It commits where p first exceeds 0.6; a reversal is where p then falls below 0.4.",
    ]
    apart = sum(not one.curve.together for one in drawn)
    if apart:
        notes.append(
            f"In {count_noun(apart, 'curve')} a token would straddle the border before the gold, which was tokenised apart."
        )
    others = Counter(in_words(one.status) for one in drawn if one.status not in VERDICTS)
    if others:
        told = ", ".join(f"{n:,} {status}" for status, n in others.items())
        notes.append(f"Neither correct nor incorrect, so in no row by verdict: {told}.")
    return [*notes, *notes_of_skipped(skipped)]


def told_introductions(asking: Asking) -> str:
    """What stands before the gold, by task and prompt, as the end of a sentence."""
    by_text: dict[str, list[str]] = {}
    for (task, prompt), text in asking.introductions.items():
        by_text.setdefault(text, []).append(f"{task} ({prompt})")
    told = "; ".join(f"{text!r}: {', '.join(places)}" for text, places in by_text.items())
    return f"an introduction stands before the gold as the task writes it: {told}."


def _told_means(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Which tasks a mean of tasks leaves out and why, and where there is no mean of several tasks and why."""
    for prompt in dict.fromkeys(row["prompt"] for row in rows):
        own = [row for row in rows if row["prompt"] == prompt]
        why = {row["task"]: row["remark"] for row in own if row["n_tasks"] == 1 and row["remark"]}
        n_tasks = len({row["task"] for row in own if row["n_tasks"] == 1})
        if n_tasks < 2:
            continue
        if all(row["n_tasks"] == 1 for row in own):
            yield (
                f"AUROC, {prompt}: there is no mean of tasks, because fewer than two of the {n_tasks} tasks have a question "
                f"with both correct and incorrect samples ({_reasons(why)})."
            )
        elif why:
            yield f"AUROC, {prompt}: the mean of tasks leaves out what has no value within questions: {_reasons(why)}."


def _reasons(why: Mapping[str, str]) -> str:
    return list_some([f"{task}: {reason}" for task, reason in why.items()], 8, "; ")
