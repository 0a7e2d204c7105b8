"""What a report shows of a pruning: its tables, its figure, and the caveats."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from raml_eval.diagnostics.caveats import notes_of_engines
from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.pruning.figure import draw_pruning, tell_figure
from raml_eval.diagnostics.pruning.outcomes import WAYS, Collected, Outcome
from raml_eval.diagnostics.pruning.rules import is_cut
from raml_eval.diagnostics.pruning.summary_rows import MEAN_OF_TASKS, Difference, SummaryRow
from raml_eval.diagnostics.section import Column, SectionFigure, SectionTable, write_section
from raml_eval.errors import StoreError, writing
from raml_eval.grading import GRADER_VERSION
from raml_eval.intervals import GAFFKE
from raml_eval.types import Status
from raml_eval.wording import count_noun, list_some

TITLE = "Pruned thinking"
LEAD = (
    "Each thinking that ended by itself was shortened, closed, and answered anew (pruned). The same thinking was also cut to "
    "as many of its first tokens and closed (forced: budget forcing), and compared with the whole of it and with no thinking. "
    "docs/pruning.md defines every number."
)
_MODES = {"off": "the model's own mode without thinking", "0": "a thinking that is closed at once"}


@dataclass(frozen=True, slots=True)
class Told:
    """What the caveats need to know: the thinkings that were left out, the summarizers by rule, the graders of the run's own
    verdicts, the engine that drew the run and the one that drew the answers, and which part of the run was asked for.
    """

    skipped: Mapping[str, int]
    summarizers: Mapping[str, Mapping[str, Any]]
    graders: Sequence[str]
    drawn_by: str
    redrawn_by: str
    part: str = ""


def write_pruning(folder: DiagnosisFolder, collected: Collected, rows: Sequence[SummaryRow], told: Told) -> None:
    """The folder holds the tables, the figure and section.json. A pruning without a single outcome has its notes alone."""
    figures = []
    if rows:
        figures = [SectionFigure("accuracy", "Accuracy after pruned thinking", tell_figure(rows), draw_pruning(rows))]
        write_outcomes(folder, collected.outcomes)
    tables = [summary_table(rows), difference_table(rows)] if rows else []
    write_section(folder, TITLE, LEAD, tables, figures, list(notes_of(collected, rows, told)))


def summary_table(rows: Sequence[SummaryRow]) -> SectionTable:
    """Tokens and accuracies by task and rule."""
    columns = (
        Column("task", "task"),
        Column("rule", "rule"),
        Column("n_thinkings", "thinkings", "count"),
        Column("n_before", "thinking tokens", "number", 1),
        Column("n_after", "tokens kept", "number", 1),
        Column("share", "share kept", "percent"),
        *(Column(way, name, "percent", low=f"{way}_low", high=f"{way}_high") for way, name in WAYS.items()),
    )
    return SectionTable("rules", "Thinking tokens and accuracy in percent [95 % interval]", columns, list(map(flat, rows)), 2)


def difference_table(rows: Sequence[SummaryRow]) -> SectionTable:
    """The paired differences by task and rule."""
    columns = (
        Column("task", "task"),
        Column("rule", "rule"),
        Column("n_questions", "questions", "count"),
        Column("over_forced", "pruned - forced", "percent", signed=True, low="over_forced_low", high="over_forced_high"),
        Column("over_forced_p_holm", "p (forced)", "p"),
        Column("over_whole", "pruned - whole", "percent", signed=True, low="over_whole_low", high="over_whole_high"),
        Column("over_whole_p_holm", "p (whole)", "p"),
        Column("n_thinkings", "thinkings", "count"),
        Column("n_unchanged", "unchanged", "count"),
        Column("n_emptied", "emptied", "count"),
        *([Column("n_longer", "longer", "count")] if any(row.n_longer for row in rows) else []),
    )
    title = "Pruned minus forced at equal tokens, and minus whole, in points [95 % interval], with p after Holm"
    return SectionTable("differences", title, columns, list(map(flat, rows)), 2)


def write_outcomes(folder: DiagnosisFolder, outcomes: Sequence[Outcome]) -> None:
    """outcomes.parquet has a row for each thinking and rule."""
    import pandas as pd

    path = folder.path / "outcomes.parquet"
    frame = pd.DataFrame([asdict(one) | {way: getattr(one, way).value for way in WAYS} for one in outcomes])
    with writing(path, "Free disk space or choose a writable --out.", StoreError):
        frame.to_parquet(path, index=False)


def flat(row: SummaryRow) -> dict[str, Any]:
    """The row with a column for each number; None stands for NaN."""
    plain = ("task", "rule", "n_questions", "n_thinkings", "n_before", "n_after", "share")
    counts = ("n_unchanged", "n_emptied", "n_longer", "n_cut")
    told: dict[str, Any] = {name: getattr(row, name) for name in (*plain, *counts)}
    for way, interval in row.accuracy.items():
        told |= {
            way: interval.value,
            f"{way}_low": interval.low,
            f"{way}_high": interval.high,
            f"{way}_method": interval.method,
        }
        told |= {f"{way}_unfinished": row.unfinished[way], f"{way}_timeouts": row.timeouts[way]}
    for name in ("over_forced", "over_whole"):
        told |= _flat_difference(name, getattr(row, name))
    return {name: None if isinstance(value, float) and math.isnan(value) else value for name, value in told.items()}


def _flat_difference(name: str, one: Difference) -> dict[str, Any]:
    return {
        name: one.value,
        f"{name}_low": one.low,
        f"{name}_high": one.high,
        f"{name}_p": one.p_value,
        f"{name}_p_holm": one.p_holm,
        f"{name}_method": one.method,
    }


def notes_of(collected: Collected, rows: Sequence[SummaryRow], told: Told) -> Iterator[str]:
    """The caveats: what is missing, what the ways are, and what would make them unequal."""
    if told.part:
        yield told.part
    for rule, n in collected.owed.items():
        yield f"{rule}: {count_noun(n, 'thinking')} failed and {'is' if n == 1 else 'are'} still owed; run the command again."
    if told.skipped:
        reasons = "; ".join(f"{reason}: {n:,}" for reason, n in told.skipped.items())
        yield f"Left out for every rule, so that the numbers are those of thinking that ended by itself: {reasons}."
    for rule, why in collected.skipped.items():
        if why:
            yield f"{rule}: left out: {'; '.join(f'{reason}: {n:,}' for reason, n in why.items())}."
    if any(is_cut(row.rule) for row in rows):
        yield "Rules that keep the first tokens are budget forcing themselves: pruned is forced, so their difference is n/a."
    modes = list(dict.fromkeys(one.no_thinking_mode for one in collected.outcomes))
    yield f"No thinking is {' or '.join(_MODES.get(mode, mode) for mode in modes)}." if modes else "Nothing was pruned."
    whole = [row for row in rows if row.task != MEAN_OF_TASKS]
    if same := [f"{row.rule} on {row.task}" for row in whole if row.n_unchanged == row.n_thinkings]:
        yield f"Nothing was changed, so the differences are 0 by construction, without interval and p: {', '.join(same)}."
    yield from _wide(whole, collected.outcomes)
    for rule in dict.fromkeys(row.rule for row in whole):
        yield from _notes_of_rule(rule, [row for row in whole if row.rule == rule])
    yield from _unclear(whole)
    if told.summarizers:
        used = [rule for rule in told.summarizers if any(row.rule == rule for row in rows)]
        yield from (_summarizer_note(rule, told.summarizers[rule]) for rule in used)
    graders = set(told.graders) | {GRADER_VERSION}
    if len(graders) > 1:
        yield (
            f"The run's verdicts are those of grader {' and '.join(told.graders)}, the new ones those of {GRADER_VERSION}: "
            "`raml-eval regrade` grades the run's anew, and the same command then compares like with like."
        )
    yield from notes_of_engines(told.drawn_by, told.redrawn_by, "the new answers")


def _wide(rows: Sequence[SummaryRow], outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Why a difference of next to nothing has a wide interval, by task; empty if no difference has Gaffke's."""
    tasks = dict.fromkeys(row.task for row in rows if GAFFKE in (row.over_forced.method, row.over_whole.method))
    reach = {task: 1 - 0.025 ** (1 / len({one.cluster for one in outcomes if one.task == task})) for task in tasks}
    if reach:
        alike = {points: [task for task, own in reach.items() if own == points] for points in reach.values()}
        told = "; ".join(f"{100 * points:.1f} ({list_some(tasks, 8)})" for points, tasks in alike.items())
        yield (
            "A difference of 0 over few questions has a wide interval even where a rule leaves nearly every thinking "
            "unchanged, because it may change those of questions that were not drawn. Gaffke's interval (*) then reaches at "
            f"least so many points to either side: {told}."
        )


def _notes_of_rule(rule: str, rows: Sequence[SummaryRow]) -> Iterator[str]:
    """What is special about a rule on the tasks together."""
    emptied, cut, longer = (sum(getattr(row, name) for row in rows) for name in ("n_emptied", "n_cut", "n_longer"))
    if emptied:
        yield f"{rule}: nothing was left of {count_noun(emptied, 'thinking')}, which is a thinking budget of 0."
    if cut:
        yield f"{rule}: {count_noun(cut, 'summary').replace('summarys', 'summaries')} ran out of tokens."
    if longer:
        yield f"{rule}: {count_noun(longer, 'thinking')} became longer; forced is then the whole of it."


def _unclear(rows: Sequence[SummaryRow]) -> Iterator[str]:
    """How many answers no grader saw, or stopped one, by rule; empty without any."""
    for name, status in (("unfinished", Status.UNFINISHED), ("timeouts", Status.TIMEOUT)):
        by_rule: dict[str, list[int]] = {}
        for row in rows:
            counts = by_rule.setdefault(row.rule, [0] * len(WAYS))
            by_rule[row.rule] = [n + getattr(row, name)[way] for n, way in zip(counts, WAYS, strict=True)]
        told = [f"{rule} {', '.join(map(str, counts))}" for rule, counts in by_rule.items() if any(counts)]
        if told:
            yield f"Answers with the status {status} count as not correct. {', '.join(WAYS.values())}: {'; '.join(told)}."


def _summarizer_note(rule: str, how: Mapping[str, Any]) -> str:
    return (
        f"{rule}: summaries by {how['model']} ({how['backend']}), temperature {how['temperature']:g}, seed {how['seed']}, at "
        f"most {how['max_tokens']:,} tokens, prompt version {how['prompt_version']}. A summary stands between the delimiters "
        "of the thinking, unlike the paper's."
    )
