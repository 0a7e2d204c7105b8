"""The numbers of one run as every export takes them: the rows of the tidy frame, named, with their caveats."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raml_eval.errors import ConfigError, InputError, MetricError, near_names
from raml_eval.looks import KEY as LOOKS
from raml_eval.looks import read_looks
from raml_eval.redaction import without_secrets
from raml_eval.tables import DOMAIN_MEANS, MACRO, Measure, budget_order, frame_rows, shard_of_run
from raml_eval.types import StoredRun

if TYPE_CHECKING:
    import pandas as pd

_ABOUT = {"off": "thinking off", "unlimited": "unlimited thinking", "0": "a thinking budget of 0 tokens"}


@dataclass(frozen=True, slots=True)
class Number:
    """One row of the frame. value, low and high are None where the frame has NaN. notes are its caveats.

    name is the metric with its parameters, and with the number of samples if it is a mean over them: avg@8, g_pass@8:0.5.
    """

    task: str
    domain: str
    budget: str
    metric: str
    name: str
    k: int | None
    tau: float | None
    value: float | None
    low: float | None
    high: float | None
    n_questions: int
    n_samples: int
    method: str
    notes: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The task, or the name of the mean over a domain's tasks.

        Example: the task macro of in_domain gives "in-domain mean"
        """
        return DOMAIN_MEANS[self.domain] if self.task == MACRO else self.task  # type: ignore[index]

    @property
    def key(self) -> str:
        """What identifies the number within its run: pocket_chain/1024/avg@8."""
        return f"{self.place}/{self.budget}/{self.name}"

    @property
    def lower_is_better(self) -> bool:
        return "tokens" in self.metric or self.metric.endswith("_rate")

    @property
    def unit(self) -> str:
        return "tokens" if "tokens" in self.metric else "proportion"


@dataclass(frozen=True, slots=True)
class Shared:
    """A run with its frame, and the numbers of that frame in its order. notes are the caveats of the whole."""

    run: StoredRun
    frame: pd.DataFrame
    numbers: tuple[Number, ...]
    notes: tuple[str, ...] = ()

    def given(self) -> list[Number]:
        """The numbers that have a value."""
        return [number for number in self.numbers if number.value is not None]


def gather(run: StoredRun, frame: pd.DataFrame, notes: Sequence[str] = (), marks: Sequence[Sequence[int]] = ()) -> Shared:
    """The run with its numbers. frame is build_frame of this run alone.

    notes are the texts of its caveats, and marks holds for each row the numbers of its notes, from 1.
    """
    rows, told = frame_rows(frame), [str(without_secrets(note)) for note in notes]
    of_rows = [tuple(told[number - 1] for number in of_row) for of_row in marks] or [()] * len(rows)
    numbers = [_read_row(row, of_row) for row, of_row in zip(rows, of_rows, strict=True)]
    return Shared(run, frame, tuple(numbers), tuple(told))


def _read_row(row: Mapping[str, Any], notes: tuple[str, ...]) -> Number:
    measure = Measure(row["metric"], row["k"], row["tau"])
    name = f"avg@{row['n_samples']}" if row["metric"] == "avg@n" else measure.name
    given: dict[str, Any] = {key: _number(row[key]) for key in ("value", "low", "high")}
    kept: dict[str, Any] = {
        key: row[key] for key in ("task", "domain", "budget", "metric", "k", "tau", "n_questions", "n_samples", "method")
    }
    return Number(**kept, name=name, **given, notes=notes)


def _number(value: float | None) -> float | None:
    """The number; None if there is none. No format of another program may turn NaN or infinity into something else."""
    return float(value) if value is not None and math.isfinite(value) else None


def describe_budget(budget: str) -> str:
    """The budget in words.

    Example: describe_budget("1024") == "a thinking budget of 1024 tokens"
    """
    return _ABOUT.get(budget, f"a thinking budget of {budget} tokens" if budget.isdigit() else f"thinking budget {budget}")


def choose_numbers(shared: Shared, metrics: Sequence[str], budgets: Sequence[str]) -> list[Number]:
    """The numbers of single tasks of these metrics and budgets that have a value; avg@n and every budget if none is named.

    A metric is named as in the table: avg@n, pass@8, g_pass@8:0.5. Raises ConfigError for one that the run does not have,
    MetricError if none of them could be given.
    """
    wanted = list(metrics) or ["avg@n"]
    own = [number for number in shared.numbers if number.task != MACRO and number.metric not in ("gain", "chance")]
    names = list(dict.fromkeys(name for number in own for name in (number.name, number.metric) if "@k" not in name))
    labels = sorted({number.budget for number in own}, key=budget_order)
    for noun, sought, known in (("metric", wanted, names), ("budget", budgets, labels)):
        for name in sought:
            if name not in known:
                told = f"run {shared.run.name} has no {noun} {name!r}."
                raise ConfigError(f"{told}{near_names(name, known)} It has {', '.join(known)}.")
    asked = [n for n in own if (n.name in wanted or n.metric in wanted) and (not budgets or n.budget in budgets)]
    if not any(number.value is not None for number in asked):
        raise MetricError(
            f"run {shared.run.name} gives none of {', '.join(wanted)} ({asked[0].method}). Name another --metric, or draw more."
        )
    return [number for number in asked if number.value is not None]


def check_publishable(run: StoredRun, purpose: str) -> None:
    """Raises InputError if the numbers of the run say nothing about its model: made-up answers, a shard, or a stopped drawing.

    purpose names what cannot be written, such as "a model card".
    """
    if run.manifest.get("engine", {}).get("name") == "fake" and not run.imported:
        raise InputError(
            f"run {run.name} holds answers that the fake backend made up, and {purpose} states results of a model. Draw the "
            f"run with another --backend."
        )
    if shard := shard_of_run(run):
        raise InputError(
            f"run {run.name} is {shard.words}, a part of the questions, and {purpose} states results of the whole. Join the "
            f"shards with `raml-eval merge`."
        )
    told = read_looks(run) if LOOKS in run.manifest else None
    if told is not None and not told["drawn_on"] and told["stopped_at"] != len(told["fractions"]):
        raise InputError(
            f"run {run.name} holds only the questions up to a look (--until-decided), so its means are biased and {purpose} "
            f"cannot state them. Run again without the option and with the same --out, which draws the rest."
        )
