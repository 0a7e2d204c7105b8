"""The planned samples of a stored run, counted, and the names that a table shows for the run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from raml_eval.budgets import budget_rank, in_tokens, parse_label
from raml_eval.columns import Samples
from raml_eval.counts import count_samples
from raml_eval.errors import InputError, MetricError
from raml_eval.lazy import samples_of
from raml_eval.manifest import protocol_digest
from raml_eval.shards import Shard, read_shard
from raml_eval.store import read_suite
from raml_eval.types import Budget, QuestionCounts, SampleRecord, StoredRun, Suite

Cells = dict[tuple[str, Budget], list[QuestionCounts]]
# What a copy's manifest may say otherwise: its name, and what restoring, or drawing on, changes.
_VARYING = frozenset({"schema_version", "name", "restored", "plan", "config", "tasks", "suites", "protocol_digest"})
NAMED = 4  # cells that an error names; it only counts the rest


def same_directory(one: StoredRun, other: StoredRun) -> bool:
    """True if both are of one directory, however its path was written."""
    return one.directory.resolve() == other.directory.resolve()


def run_labels(runs: Sequence[StoredRun]) -> list[str]:
    """A name of its own for each run: the stored one, or its directory if another run has that name too.

    A directory may be what another run is called ("m" in p, "m" in q, "p" in z), so this goes on until no two are alike. The
    directories of runs that are not given twice differ. Raises InputError if a run is given twice.
    """
    labels = [run.name for run in runs]
    while alike := {label for label, n in Counter(labels).items() if n > 1}:
        named = [str(run.directory) if label in alike else label for run, label in zip(runs, labels, strict=True)]
        if named == labels:
            break  # one directory twice, which is refused below
        labels = named
    first: dict[Path, str] = {}
    for run, label in zip(runs, labels, strict=True):
        if run.directory.resolve() in first:
            raise InputError(f"run {label} is given twice, wanted once. Name each run directory once.")
        first[run.directory.resolve()] = label
    return labels


def check_copies(runs: Sequence[StoredRun]) -> None:
    """Raises InputError for two directories with samples of one run: a copy would count the same samples twice.

    A copy may have another name, fewer tasks and budgets, and may have been made again from the run's exported log.
    """
    for place, run in enumerate(runs):
        if not run.manifest.get("created"):
            continue
        for other in runs[:place]:
            if not same_directory(run, other) and _drawing(run) == _drawing(other) and _share_cells(run, other):
                restored = [one for one in (run, other) if one.manifest.get("restored")]
                how = " (made again from an exported log)" if len(restored) == 1 else ""
                first, second = (other, run) if restored == [other] else (run, other)
                raise InputError(
                    f"run {first.directory} is a copy of {second.directory}{how}: both hold the same samples, drawn at "
                    f"{run.manifest['created']}. Name one of them only."
                )


def _drawing(run: StoredRun) -> dict[str, Any]:
    """What two directories have alike if and only if they hold samples of one run: when it began, and how it drew."""
    told = {key: value for key, value in run.manifest.items() if key not in _VARYING}
    sessions = run.manifest.get("sessions") or []  # with its times to the millisecond, so that runs of one second differ
    return {**told, "protocol": protocol_digest(run.manifest.get("protocol") or {}), "sessions": sessions[:1]}


def _share_cells(run: StoredRun, other: StoredRun) -> bool:
    return bool(set(run.tasks) & set(other.tasks)) and bool(set(run.budgets) & set(other.budgets))


def budget_label(budget: Budget) -> str:
    """The budget as the frame writes it.

    Example: budget_label(1024) == "1024"
    """
    return str(budget)


def budget_order(label: str) -> tuple[float | str, ...]:
    """A sort key for budget labels: off, numbers ascending, unlimited, then shares, hints and efforts.

    Example: sorted(["unlimited", "64", "off"], key=budget_order) == ["off", "64", "unlimited"]
    """
    return budget_rank(parse_label(label))


def largest_budget(budgets: Iterable[Budget]) -> Budget:
    """The largest cap in tokens among the budgets; without one, the last in the order of the tables.

    Example: largest_budget([64, 16, "effort:high"]) == 64
    """
    every = list(budgets)
    caps = [budget for budget in every if in_tokens(budget)] or every
    return max(caps, key=lambda budget: budget_order(budget_label(budget)))


def describe_engine(run: StoredRun) -> str:
    """The engine that drew the run: name, version, number format and device."""
    return engine_words(run.manifest.get("engine", {}))


def engine_words(engine: Mapping[str, Any]) -> str:
    """An engine as its manifest describes it: name, version, number format and device.

    Example: engine_words({"name": "hf", "version": "5", "dtype": "float32", "device": "cpu"}) == "hf 5 float32 cpu"
    """
    parts = (engine.get(key) for key in ("name", "version", "dtype", "device"))
    return " ".join(str(part) for part in parts if part and part != "none") or "unknown"  # the fake has no dtype and device


def is_greedy(run: StoredRun) -> bool:
    """True if the run was drawn at temperature 0."""
    return bool(run.manifest.get("config", {}).get("sampling", {}).get("temperature") == 0)


def repeats_draws(run: StoredRun) -> bool:
    """True if a question's samples repeat one another: several draws at temperature 0."""
    return is_greedy(run) and run.n_samples > 1


def draws_apart(run: StoredRun) -> bool:
    """True if the engine enforced the budgets, so that each budget of a sample is a draw of its own, with its own seed."""
    return bool(run.manifest.get("protocol", {}).get("thinking", {}).get("capped_by") == "engine")


def step_of(run: StoredRun) -> int | None:
    """The training step of the run's checkpoint, as its checkpoint.yaml or its folder's name says; None if neither does."""
    step = (run.manifest.get("model", {}).get("checkpoint") or {}).get("step")
    return step if type(step) is int else None


def suites_of(run: StoredRun) -> dict[str, Suite]:
    """The suites that the run was asked for by name, with the primary endpoints that they declared then.

    Empty for an imported run, for one of single tasks, and for one that was drawn before runs stored their suites.
    """
    return {name: read_suite(entry) for name, entry in run.manifest.get("suites", {}).items()}


def n_planned(run: StoredRun) -> int:
    """The number of samples that the finished run has: questions times samples times budgets."""
    return len(run.questions) * run.n_samples * len(run.budgets)


def shard_of_run(run: StoredRun) -> Shard | None:
    """The part of its questions that the run holds; None for a run of all of them."""
    shard = run.manifest.get("plan", {}).get("shard")
    return read_shard(shard) if shard else None


def n_whole(run: StoredRun) -> int:
    """The number of questions that all shards of the run have together; those of the run itself if it is no shard."""
    if shard_of_run(run) is None:
        return len(run.questions)
    limit = run.manifest["plan"]["limit"]
    sizes = [int(entry["n_available"]) for entry in run.manifest["tasks"].values()]
    return sum(size if limit is None else min(size, limit) for size in sizes)


def missing_samples(run: StoredRun) -> dict[tuple[str, Budget], int]:
    """The number of planned samples that each task lacks at each budget. Cells that lack none have no entry."""
    samples = planned_samples(run)
    present: Counter[tuple[str, Budget]] = Counter()
    counts = np.bincount(samples.question * len(samples.budgets) + samples.budget)
    for place in np.flatnonzero(counts).tolist():
        question, budget = divmod(place, len(samples.budgets))
        present[samples.questions[question][0], samples.budgets[budget]] += int(counts[place])
    planned = Counter(task for task, _ in run.questions)
    owed = {(t, b): planned[t] * run.n_samples - present[t, b] for t in planned for b in run.budgets}
    return {cell: lacking for cell, lacking in owed.items() if lacking}


def planned_records(run: StoredRun) -> list[SampleRecord]:
    """The records of planned samples. A directory may hold more samples than its plan."""
    wanted = set(run.budgets)
    return [
        record
        for record in run.records
        if record.budget in wanted
        and record.key.index < run.n_samples
        and (record.key.task, record.key.question_id) in run.questions
    ]


def planned_samples(run: StoredRun) -> Samples:
    """The columns of the planned samples."""
    samples = samples_of(run)
    asked = samples.in_questions(run.questions.__contains__) & samples.in_budgets(set(run.budgets).__contains__)
    asked &= samples.index < run.n_samples
    return samples if asked.all() else samples.take(asked)


def check_complete(run: StoredRun) -> None:
    """Raises MetricError if planned samples are missing."""
    missing = missing_samples(run)
    if missing:
        named = ", ".join(f"{task} at {budget} lacks {n}" for (task, budget), n in list(missing.items())[:NAMED])
        more = f" and {len(missing) - NAMED} more cells" if len(missing) > NAMED else ""
        raise MetricError(
            f"run {run.name} lacks {sum(missing.values())} of its {n_planned(run)} planned samples ({named}{more}; "
            f"{run.n_errors} failed); short thinking finishes first, so a partial table is biased. "
            f"{'Import a whole log' if run.imported else 'Run again with the same --out'}, and `raml-eval report "
            f"--allow-partial` shows what is there."
        )


def count_run(run: StoredRun, allow_partial: bool = False) -> Cells:
    """The counts of the planned samples by task and budget. A question without a sample has n = 0.

    Raises MetricError if planned samples are missing, unless allow_partial is set.
    """
    if not allow_partial:
        check_complete(run)
    counted = count_samples(planned_samples(run), run.questions)
    none = {t: [QuestionCounts(t, i, q.cluster, 0, 0) for (o, i), q in run.questions.items() if o == t] for t in run.tasks}
    return {(t, b): counted.get((t, b), none[t]) for t in run.tasks for b in run.budgets}
