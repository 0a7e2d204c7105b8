"""The tidy frame of one run or several."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from raml_eval.counts import uncollected
from raml_eval.errors import MetricError
from raml_eval.intervals import PairedDifference, Part, macro_mean, paired_difference, pooled_difference
from raml_eval.lazy import samples_of
from raml_eval.store import sample_line
from raml_eval.tables.clusters import global_clusters, overlap
from raml_eval.tables.counted import (
    Cells,
    budget_label,
    budget_order,
    count_run,
    describe_engine,
    repeats_draws,
    run_labels,
    same_directory,
)
from raml_eval.tables.loading import load_lean
from raml_eval.tables.measures import (
    AVERAGE,
    STABILITY,
    Measure,
    estimate,
    measures_for,
    not_given,
    question_values,
    token_quantiles,
)
from raml_eval.types import Budget, Domain, Interval, QuestionCounts, QuestionKey, Status, StoredRun

COLUMNS = (
    *("run", "model", "task", "domain", "budget", "metric", "k", "tau", "value", "low", "high"),
    *("n_questions", "n_samples", "engine", "method"),
)
DOMAINS: tuple[Domain, ...] = ("in_domain", "cross_domain")
DOMAIN_MEANS: Mapping[Domain, str] = {"in_domain": "in-domain mean", "cross_domain": "cross-domain mean"}
MACRO = "macro"
GAIN = Measure("gain", bounds=(-1.0, 1.0))
CHANCE = Measure("chance")

Row = dict[str, Any]
Estimates = dict[Measure, tuple[Interval, int]]


class Run(StoredRun):
    """A stored run that can be tabulated."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Run({self.name}: {self.model}, {len(self.records):,} samples of {', '.join(self.tasks)}, in {self.directory})"

    def table(self, **settings: Any) -> pd.DataFrame:
        """The tidy frame of this run alone; settings are those of build_frame."""
        return build_frame([self], **settings)

    def samples(self) -> pd.DataFrame:
        """Every sample joined with its thinking; see build_samples."""
        return build_samples(self)


def load_run(directory: Path | str) -> Run:
    """The run of a directory. Raises StoreError if it is not a run directory, CorruptStore if a line cannot be read.

    Only what tables need is read, and kept in the directory (counts.parquet); records, trajectories and classes are read when
    they are first asked for.

    Example: load_run("runs/mine").table()
    """
    return as_run(load_lean(directory))


def as_run(stored: StoredRun) -> Run:
    """The same run, as one that can be tabulated."""
    return Run(**{field.name: getattr(stored, field.name) for field in fields(stored)})


@uncollected()
def build_frame(
    runs: Sequence[StoredRun],
    *,
    k: Sequence[int] | None = None,
    base: StoredRun | None = None,
    level: float = 0.95,
    allow_partial: bool = False,
) -> pd.DataFrame:
    """One row for every number of the runs, with the columns COLUMNS. low and high are the ends of its interval at level.

    budget is "off", a number of tokens or "unlimited". n_questions counts the questions that a number covers, n_samples the
    samples planned for each. The task "macro" is the mean over a domain's tasks, which are fixed, not sampled. If k is None,
    the run's own k is used, or its n. With base, "gain" is avg@n minus that of base, paired on the questions that both have.
    A task whose answers have parts, such as the cells of a grid, has a row partial_score: the mean over a question's samples
    of the share that is right, then over questions. A number that cannot be given is NaN, and method says why.

    Raises MetricError for missing samples without allow_partial and for k < 1, InputError if a run is given twice.

    Example: build_frame([load_run("runs/a"), load_run("runs/b")], k=[1, 8])
    """
    against = None if base is None else (base, count_run(base, allow_partial))
    rows: list[Row] = []
    for run, label in zip(runs, run_labels(runs), strict=True):
        ks = tuple(sorted(set(k or run.manifest.get("config", {}).get("k") or [run.n_samples])))
        if ks[0] < 1:
            raise MetricError(f"k must be at least 1; met {ks[0]}. k samples are drawn from the n of each question.")
        cells = count_run(run, allow_partial)
        part = _Part(run, label, cells, _estimate_all(run, cells, ks, level), level, global_clusters(run.questions, run.tasks))
        rows += part.task_rows()
        rows += part.macro_rows()
        if against is not None and not same_directory(against[0], run):
            rows += part.gain_rows(against[1])
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = {"tau": "float64", "value": "float64", "low": "float64", "high": "float64"}
    return frame.astype({"k": "Int64", "n_questions": "int64", "n_samples": "int64", **numbers})


def build_samples(run: StoredRun) -> pd.DataFrame:
    """One row per sample and budget: the fields of samples.jsonl, with ids unpacked, and its thinking.

    thinking_ids are the ids that this budget keeps. trajectory_text is the text of the whole trajectory; a smaller budget
    saw only the beginning of it. Both are empty if thinking is off.

    Example: build_samples(load_run("runs/mine"))[["status", "answer"]]
    """
    rows: list[dict[str, Any]] = []
    for record in run.records:
        trajectory = run.trajectories.get(record.trajectory or "")
        rows.append(
            {
                **sample_line(record),
                "answer_ids": record.answer_ids,
                "thinking_ids": trajectory.token_ids[: record.n_thinking_tokens] if trajectory else (),
                "trajectory_text": trajectory.text if trajectory else "",
            }
        )
    return pd.DataFrame(rows)


@dataclass(frozen=True, slots=True)
class _Part:
    """One run that is being turned into rows of the frame."""

    run: StoredRun
    label: str
    cells: Cells
    estimates: dict[tuple[str, Budget], Estimates]
    level: float
    clusters: Mapping[QuestionKey, str]  # global: tasks may share questions

    @property
    def budgets(self) -> list[Budget]:
        return sorted(self.run.budgets, key=lambda budget: budget_order(budget_label(budget)))

    def tasks(self, domain: Domain | None = None) -> list[str]:
        return [task for task, about in self.run.tasks.items() if domain in (None, about.domain)]

    def task_rows(self) -> Iterator[Row]:
        for task in self.tasks():
            about = self.run.tasks[task]
            for budget in self.budgets:
                for measure, (interval, n_questions) in self.estimates[task, budget].items():
                    yield self.row(task, about.domain, budget, measure, interval, n_questions)
                covered = self.estimates[task, budget][AVERAGE][1]
                for metric, interval in token_quantiles(self.cells[task, budget]).items():
                    yield self.row(task, about.domain, budget, Measure(metric), interval, covered)
                if about.chance is not None:
                    yield self.row(task, about.domain, budget, CHANCE, _exactly(about.chance), covered)

    def macro_rows(self) -> Iterator[Row]:
        for domain in DOMAINS:
            tasks = self.tasks(domain)
            if not tasks:
                continue
            chances = [self.run.tasks[task].chance for task in tasks]
            related = overlap([[name for (of, _), name in self.clusters.items() if of == task] for task in tasks])
            for budget in self.budgets:
                of_tasks = [self.estimates[task, budget] for task in tasks]
                for measure in of_tasks[0]:
                    if not all(measure in estimates for estimates in of_tasks):
                        continue  # a mean over only some of the tasks would be a mean over another set
                    mean = macro_mean([estimates[measure][0] for estimates in of_tasks], related)
                    covered = sum(estimates[measure][1] for estimates in of_tasks)
                    yield self.row(MACRO, domain, budget, measure, mean, covered)
                if any(chances):  # a task without a chance level cannot be guessed, so it counts as 0
                    chance = _exactly(math.fsum(chance or 0.0 for chance in chances) / len(tasks))
                    yield self.row(MACRO, domain, budget, CHANCE, chance, sum(estimates[AVERAGE][1] for estimates in of_tasks))

    def gain_rows(self, base: Cells) -> Iterator[Row]:
        for domain in DOMAINS:
            for budget in self.budgets:
                gains = {task: self.gain(task, budget, base) for task in self.tasks(domain)}
                shared = {task: gain for task, gain in gains.items() if gain is not None}
                for task, gain in shared.items():
                    interval = Interval(gain.value, gain.low, gain.high, gain.method)
                    yield self.row(task, domain, budget, GAIN, interval, gain.n_questions)
                # A mean over only some of the tasks would cover another set than the accuracies beside it.
                if shared and len(shared) == len(gains):
                    parts = [part for task in shared if (part := self.gain_part(task, budget, base)) is not None]
                    mean = pooled_difference(parts, self.level, tested=False)
                    interval = Interval(mean.value, mean.low, mean.high, mean.method)
                    yield self.row(MACRO, domain, budget, GAIN, interval, mean.n_questions)

    def gain(self, task: str, budget: Budget, base: Cells) -> PairedDifference | None:
        part = self.gain_part(task, budget, base)
        return None if part is None else paired_difference(part.base, part.new, part.clusters, self.level)

    def gain_part(self, task: str, budget: Budget, base: Cells) -> Part | None:
        """The accuracies of the questions that both runs have, None if there are none."""
        before, after = pair_counts(base.get((task, budget), []), self.cells[task, budget])
        if not after:
            return None
        clusters = [self.clusters[task, q.question_id] for q in after]
        return Part(question_values(before, AVERAGE), question_values(after, AVERAGE), clusters)

    def row(self, task: str, domain: Domain, budget: Budget, measure: Measure, of: Interval, n_questions: int) -> Row:
        return {
            "run": self.label,
            "model": self.run.model,
            "task": task,
            "domain": domain,
            "budget": budget_label(budget),
            "metric": measure.metric,
            "k": measure.k,
            "tau": measure.tau,
            "value": of.value,
            "low": of.low,
            "high": of.high,
            "n_questions": n_questions,
            "n_samples": self.run.n_samples,
            "engine": describe_engine(self.run),
            "method": of.method,
        }


def _estimate_all(run: StoredRun, cells: Cells, ks: Sequence[int], level: float) -> dict[tuple[str, Budget], Estimates]:
    timeouts = bool(samples_of(run).is_status(Status.TIMEOUT).any())
    parted = {task for (task, _), counts in cells.items() if any(q.scores for q in counts)}
    repeats = repeats_draws(run)
    refused = not_given("greedy draws repeat themselves"), 0
    return {
        cell: {
            m: refused if repeats and m.metric in STABILITY else estimate(counts, m, level)
            for m in measures_for(ks, timeouts, cell[0] in parted)
        }
        for cell, counts in cells.items()
    }


def pair_counts(
    base: Sequence[QuestionCounts], new: Sequence[QuestionCounts]
) -> tuple[list[QuestionCounts], list[QuestionCounts]]:
    """The counts of the questions that both have samples of, in the order of new. Ids carry a hash of the content."""
    before = {q.question_id: q for q in base if q.n}
    shared = [q for q in new if q.n and q.question_id in before]
    return [before[q.question_id] for q in shared], shared


def _exactly(value: float) -> Interval:
    return Interval(value, math.nan, math.nan, "known, not estimated")


def frame_rows(frame: pd.DataFrame) -> list[Row]:
    """The rows as plain values, with None for a missing number."""
    columns = [[None if pd.isna(value) else value for value in frame[name].tolist()] for name in frame.columns]
    return [dict(zip(frame.columns, row, strict=True)) for row in zip(*columns, strict=True)]
