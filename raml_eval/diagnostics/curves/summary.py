"""Writes what the curves say: Parquet tables, figures, and the section of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from raml_eval.budgets import OFF, THINKING
from raml_eval.diagnostics.caveats import notes_of_skipped
from raml_eval.diagnostics.curves.averages import (
    GRID,
    SCORES,
    UNMOVED,
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
    rarely_moving,
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

DEFINED = (
    "Numbers of a curve, in nats per token of the gold: start is its value right after the prompt, half after half of the "
    "thinking, final after all of it. drop is start - final, positive if the curve fell. area is its mean value. slope is "
    "that of its least-squares line, as a change over the whole thinking, negative if it falls. A curve of one position has no "
    "change, so drop and slope are means over the others, and n/a if there are none.",
    "With p the geometric mean probability of the gold's tokens, exp(-NLL): a curve is decided if p is above 0.5 at the "
    "last position. It commits where p first exceeds 0.6; a reversal is where p then falls below 0.4.",
    "AUROC within questions is the mean over the questions that have both verdicts, each counted once; a pair is a correct and "
    "an incorrect trajectory of one question. Questions of which nothing was thought before the number are left out: their "
    "trajectories share one value. The pooled one is of all trajectories, so it is confounded by difficulty. It has "
    "no interval where it is 0 or 1, which every resample repeats, or where fewer than six questions, or too few with "
    "one of the verdicts, are behind it. A mean of tasks is that of their values within questions.",
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

    Without a curve, the section says that there is none. Raises StoreError if it cannot be written.
    """
    if not drawn:
        for name in ("curves", "trajectories", "means"):  # of an earlier session, which had some
            (folder.path / f"{name}.parquet").unlink(missing_ok=True)
        lead = "No trajectory that was asked for has a curve, so there is nothing to tell."
        write_section(folder, TITLE, lead, notes=[*caveats, *notes_of_skipped(skipped)])
        return
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
    return [
        SectionTable(
            "levels",
            "NLL of the gold along trajectories, by verdict: means over trajectories, with intervals clustered by question",
            [
                task, prompt, Column("verdict", "verdict"), Column("n_trajectories", "trajectories", "count"),
                Column("n_questions", "questions", "count"), _number("start", "start"), _number("final", "final"),
                _number("drop", "drop", signed=True), _number("slope", "slope", signed=True),
                _number("decided", "share decided"), _number("reversals", "reversals"),
            ],
            levels,
            3,
        ),
        SectionTable(
            "auroc",
            "AUROC of a curve's numbers, correct against incorrect",
            [
                task, prompt, Column("number", "number"), _number("within", "within questions"),
                Column("n_questions", "questions", "count"), Column("n_pairs", "pairs", "count"),
                _number("pooled", "pooled (confounded)"),
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
            draw_means(drawn, curves, tasks, main),
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
        about = _told_off(drawn, tasks)
        for words in dict.fromkeys(differing.values()):
            named = list_some([task for task, told in differing.items() if told == words], MOST_PANELS)
            about += f" In {named} the gold is introduced by {words}, so the levels of the two curves do not compare."
        drawing = draw_off(drawn, curves, tasks, main, differing)
        figures.append(SectionFigure("thinking-and-off", "With and without thinking", f"{about}{more}", drawing))
    shown = [row for row in aurocs if row["prompt"] == main]
    if any(row["within"] is not None for row in shown):
        lines = " A mark without a line has no interval." if any(row["pooled_low"] is None for row in shown) else ""
        about = f"0.5 is chance. Hollow marks pool all questions, and so measure difficulty, too.{lines}"
        about += more_than_panels(tasks, "rows")
        figures.append(SectionFigure("auroc", "Correct against incorrect, by AUROC", about, draw_aurocs(shown)))
    if budgets:
        about = f"What the curve says where each budget ends, and how many samples were correct there.{more}"
        figures.append(SectionFigure("budgets", "The gold's probability and the accuracy", about, draw_budgets(budgets, tasks)))
    return figures


def _told_off(drawn: Sequence[Drawn], tasks: Sequence[str]) -> str:
    """What the figure of thinking and off shows, and of which tasks answers without thinking are a mark or level."""
    still = rarely_moving(drawn)
    marked: list[str] = []
    level: list[str] = []
    for task in tasks[:MOST_PANELS]:
        own = [one for one in drawn if (one.task, one.prompt) == (task, OFF)]
        if n_once := sum(not one.length for one in own):
            (marked if (task, OFF) in still else level).append(f"{task} ({n_once:,} of {len(own):,})")
    told = ["Means over all trajectories."]
    if marked or level:
        told.append("Answers without thinking that say nothing before their final answer have one position.")
    if marked:
        told.append(f"Where they are at least half, a mark is the mean right after the prompt: {', '.join(marked)}.")
    if level:
        told.append(f"In other curves they count as level: {', '.join(level)}.")
    return " ".join(told)


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
        *DEFINED,
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
    """Which AUROCs within questions have no value and why, so that no mean of tasks holds them, and where there is no mean."""
    for prompt in dict.fromkeys(row["prompt"] for row in rows):
        own = [row for row in rows if row["prompt"] == prompt]
        means = {row["number"] for row in own if row["n_tasks"] > 1}
        tasks = dict.fromkeys(row["task"] for row in own if row["n_tasks"] == 1)
        lacking = {task: _lacking(own, task, means) for task in tasks}
        why = [f"{task}: {told}" for task, told in lacking.items() if told]
        reasons = list_some(why, 8, "; ")
        if len(tasks) > 1 and not means:
            yield (
                f"AUROC, {prompt}: there is no mean of tasks, because fewer than two of the {len(tasks)} tasks have a value "
                f"({reasons})."
            )
        elif why:
            without = ", and no mean of tasks holds it" if means else ""
            yield f"AUROC, {prompt}: what has no value within questions{without}: {reasons}."


def _lacking(own: Sequence[Mapping[str, Any]], task: str, means: Collection[str]) -> str:
    """Why numbers of a task have no AUROC within questions, with their names if others have one; empty if all have."""
    there = {row["number"]: row for row in own if row["task"] == task}
    why = {number: row["remark"] for number, row in there.items() if row["within"] is None}
    if "all" not in there:
        why |= {name: UNMOVED for name in SCORES if name in means and name not in there}
    return "; ".join(
        reason if {*why} >= {*there} else f"{', '.join(name for name in why if why[name] == reason)}: {reason}"
        for reason in dict.fromkeys(why.values())
    )
