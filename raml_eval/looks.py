"""A run that may stop early, as its manifest tells it: its looks, what was decided at each, and what must stay the same."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from raml_eval.batches import LOOKS, Batch, order_batches, order_digest
from raml_eval.columns import STATUSES
from raml_eval.errors import ConfigError, MetricError, StoreError
from raml_eval.intervals import look_levels
from raml_eval.lazy import LazyMapping, records_of
from raml_eval.manifest import flatten
from raml_eval.plan import Plan
from raml_eval.tables import global_clusters, missing_samples
from raml_eval.tables.counted import planned_samples
from raml_eval.types import Question, QuestionKey, StoredRun, TaskDescription

KEY = "sequential"  # in the manifest
_SHOWN = 3  # changed rules that an error names
# What every record has, and of what type. Only these are read without asking whether they are there.
_FIELDS: Mapping[str, Any] = {
    "base": Mapping, "fractions": list, "n_questions_planned": int, "looks": list, "stopped_at": int | None, "drawn_on": bool,
}  # fmt: skip
_LOOK_FIELDS: Mapping[str, Any] = {"look": int, "n_questions": int, "words": str, "decided": bool}


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a run: number of n_looks, counted from 1. fractions holds the shares of the questions of the looks so far."""

    number: int
    n_looks: int
    fractions: tuple[float, ...]
    n_questions: int
    n_planned: int

    def level(self, whole: float = 0.95) -> float:
        """The level at which an interval must be taken at this look, so that those of all looks hold together at whole."""
        return look_levels(self.fractions, whole)[-1]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a look decided. words tell it in one line; entry holds plain values for the manifest.

    exit_code is that of the command if the run ends with this look, which the last look does even if nothing is decided.
    """

    decided: bool
    words: str
    entry: Mapping[str, Any] = field(default_factory=dict)
    exit_code: int = 0


class Decide(Protocol):
    """Judges the questions that were drawn so far, which all have all their samples. The run has no trajectories.

    A pass must be decided by an interval that shows it, and a fail by one that excludes a pass, both at look.level of the
    rule's own level. Anything else that ends a run takes away passes that would have come later: if a gate with a margin of
    5 points also ends where the interval lies below 0, a run at a true drop of 2.5 passes 52 times in 100 instead of 72
    (benchmarks/until_decided.py).
    """

    def __call__(self, run: StoredRun, look: Look) -> Decision: ...


@dataclass(frozen=True, slots=True)
class Until:
    """A run is drawn until decide has decided, in at most n_looks looks. gate is the digest of what decide applies.

    decide must depend on nothing but the base, the gate, the run and the look: looks are repeated on a resume. check_plan is
    given the run before the engine starts, with its plan and protocol and the samples of the base; check is given the run
    before a session draws anything, perhaps without a sample. Both raise InputError or MetricError if it could never be
    decided against the base. rules are what decide applies, as plain values, and name says where they were read: both are for
    messages.
    """

    base: StoredRun
    gate: str
    decide: Decide
    n_looks: int = LOOKS
    level: float = 0.95
    check: Callable[[StoredRun], None] | None = None
    check_plan: Callable[[StoredRun], None] | None = None
    rules: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""


@dataclass(frozen=True, slots=True)
class Course:
    """The batches of a run, and the record of its looks for the manifest."""

    until: Until
    batches: Sequence[Batch]
    record: Mapping[str, Any]

    @property
    def n_planned(self) -> int:
        return sum(map(len, self.batches))

    @property
    def stopped_at(self) -> int | None:
        """The look that ended the drawing; None as long as it goes on."""
        return self.record["stopped_at"]  # type: ignore[no-any-return]

    def drawn(self, number: int) -> list[QuestionKey]:
        """The questions that look number is taken at."""
        return [key for batch in self.batches[:number] for key in batch]

    def look(self, number: int) -> Look:
        fractions = tuple(self.record["fractions"][:number])
        return Look(number, len(self.batches), fractions, len(self.drawn(number)), self.n_planned)


def open_course(
    until: Until,
    plan: Plan,
    questions: Mapping[QuestionKey, Question],
    tasks: Mapping[str, TaskDescription],
    seed: int,
    stored: Mapping[str, Any] | None,
) -> Course:
    """The batches of the planned questions, with the record of the looks that the stored manifest tells of, or a new one.

    Raises ConfigError if the base cannot be compared with the plan, StoreError if the stored run was drawn another way.
    """
    check_base(until.base, plan, questions)
    batches = order_batches(global_clusters(questions, tasks), until.n_looks, seed)
    total = sum(map(len, batches))
    ends = [sum(map(len, batches[: number + 1])) / total for number in range(len(batches))]
    record: dict[str, Any] = {
        "base": {"name": until.base.name, "digest": base_digest(until.base, plan, questions)},
        "gate": until.gate,
        "rules": _plain(until.rules),
        "seed": seed,
        "order": order_digest(batches),
        "asked_looks": until.n_looks,
        "fractions": ends,
        "level": until.level,
        "n_questions_planned": total,
        "looks": [],
        "stopped_at": None,
        "drawn_on": False,
    }
    if stored is None:
        return Course(until, batches, record)
    _check_same(stored, record, plan, until.name)
    return Course(until, batches, stored[KEY])


def check_base(base: StoredRun, plan: Plan, questions: Collection[QuestionKey]) -> None:
    """Raises ConfigError, naming what is missing, unless the base has every task, budget, question and sample of the plan."""
    lacking: dict[str, list[Any]] = {
        "task": [task for task in plan.tasks if task not in base.tasks],
        "budget": [budget for budget in plan.budgets if budget not in base.budgets],
        "question": ["/".join(key) for key in questions if key not in base.questions],
    }
    advice = {
        "task": "Ask for tasks that it has, or draw them there",
        "budget": "Ask for budgets that it has, or draw them there",
        "question": "Pass the --limit of the base, or draw the base's other questions",
    }
    for what, names in lacking.items():
        if names:
            some = ", ".join(map(str, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            raise ConfigError(
                f"--until-decided compares with {base.directory}, which lacks {what} {some}, so nothing could be decided. "
                f"{advice[what]}."
            )
    owed = {cell: n for cell, n in missing_samples(base).items() if cell[0] in plan.tasks and cell[1] in plan.budgets}
    if owed:
        (task, budget), n = next(iter(owed.items()))
        raise ConfigError(
            f"--until-decided compares with {base.directory}, which lacks {sum(owed.values())} of its planned samples ({task} "
            f"at {budget}: {n}), and short thinking finishes first. Finish it with its own command."
        )


def base_digest(base: StoredRun, plan: Plan, questions: Collection[QuestionKey]) -> str:
    """SHA-256 (16 hex digits) of the verdicts of the base that the plan is compared with."""
    samples = planned_samples(base)
    samples = samples.take(samples.in_budgets(plan.budgets.__contains__) & samples.in_questions(questions.__contains__))
    verdicts = sorted(
        f"{samples.key(row)}@{samples.budgets[budget]} {STATUSES[status].value}"
        for row, (budget, status) in enumerate(zip(samples.budget.tolist(), samples.status.tolist(), strict=True))
    )
    return hashlib.sha256("\n".join(verdicts).encode()).hexdigest()[:16]


def _check_same(stored: Mapping[str, Any], record: Mapping[str, Any], plan: Plan, gate: str) -> None:
    """Raises StoreError, naming each difference, unless the stored run is drawn in this very order until this is decided."""
    before = stored.get(KEY)
    if before is None:
        raise StoreError(
            "the run directory was begun without --until-decided, so its looks were not counted. Leave the option out to "
            "finish it and use `raml-eval compare`, or choose another --out."
        )
    _check_record(before, "the run directory")
    if before["drawn_on"]:
        raise StoreError(
            "the run directory was begun with --until-decided and then drawn on without it, so looks no longer hold. Leave the "
            "option out, or choose another --out."
        )
    was = {**before, **before["base"], **stored["plan"]}
    now = {**record, **record["base"], **plan.fields()}
    words = {
        "asked_looks": "--looks",
        "seed": "--seed",
        "level": "level",
        "tasks": "tasks",
        "budgets": "budgets",
        "samples": "samples",
        "limit": "--limit",
    }
    digests = {"digest": "verdicts of the base (--until-decided)", "order": "order of the questions"}
    differing = [f"{told} changed" for key, told in digests.items() if was.get(key) != now[key]]
    differing += [
        f"{told}: {was.get(key)} there and {now[key]} here" for key, told in words.items() if was.get(key) != now[key]
    ]
    if was.get("gate") != now["gate"]:
        differing.append(f"--gate {gate}: {_changed_rules(before.get('rules') or {}, record['rules'])}")
    if differing:
        raise StoreError(
            f"the run directory was begun to decide something else ({'; '.join(differing)}), and looks at changed questions, "
            f"rules or bases do not hold together. Ask for what it was begun with, or choose another --out."
        )


def _changed_rules(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The rules that differ, by key; for runs that did not store their rules, only that they do."""
    old, new = (
        flatten({**one, "cells": {str(number): cell for number, cell in enumerate(one.get("cells", ()), 1)}})
        for one in (there, here)
    )
    differing = [key for key in dict.fromkeys([*old, *new]) if old.get(key) != new.get(key)] if there and here else []
    told = "; ".join(f"{key} {old.get(key)} there and {new.get(key)} here" for key in differing[:_SHOWN])
    more = f"; and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
    return f"{told}{more}" if told else "its rules have changed"


def restrict_run(run: StoredRun, keys: Collection[QuestionKey]) -> StoredRun:
    """The run as if only these questions had been planned."""
    kept = set(keys)
    tasks = {
        name: {**entry, "questions": [one for one in entry["questions"] if (name, one) in kept]}
        for name, entry in run.manifest["tasks"].items()
    }
    return replace(
        run,
        manifest={**run.manifest, "tasks": tasks},
        questions={key: question for key, question in run.questions.items() if key in kept},
        records=records_of(run, kept.__contains__),
        classes=LazyMapping(lambda: {key: group for key, group in run.classes.items() if key in kept}),
        n_errors=0,
    )


def read_looks(run: StoredRun) -> Mapping[str, Any] | None:
    """The record of the run's looks; None if it was drawn whole. Raises StoreError if the record cannot be read."""
    record: Mapping[str, Any] | None = run.manifest.get(KEY)
    if record is not None:
        _check_record(record, str(run.directory))
    return record


def _check_record(record: Any, where: str) -> None:
    """Raises StoreError unless the record has what is read of it."""
    wrong = [key for key, kind in _FIELDS.items() if not isinstance(record.get(key, ...), kind)] if _is_map(record) else [KEY]
    looks = [] if wrong else record["looks"]
    wrong += [
        f"looks[{place}].{key}"
        for place, look in enumerate(looks)
        for key, kind in _LOOK_FIELDS.items()
        if not _is_map(look) or not isinstance(look.get(key), kind)
    ]
    if not wrong and not isinstance(record["base"].get("name"), str):
        wrong.append("base.name")
    if wrong:
        raise StoreError(
            f"the record of the looks in {where} (manifest.json, {KEY}) cannot be read: {', '.join(wrong[:_SHOWN])} is missing "
            f"or of another type. Restore manifest.json from a copy."
        )


def _is_map(value: Any) -> bool:
    return isinstance(value, Mapping)


def check_looks(run: StoredRun, gated: bool) -> None:
    """Raises MetricError if judging the run would be one more look at a run that is drawn until a look decides.

    That is so for every comparison of a run between its looks, and, with gated, for a gate on a run that a look has ended: its
    gate was decided then. A run that was drawn on is whole, and looks no longer hold. Raises StoreError as read_looks does.
    """
    record = read_looks(run)
    if record is None or record["drawn_on"]:
        return
    looks, n_looks = record["looks"], len(record["fractions"])
    if record["stopped_at"] is None:
        place = f"between looks {len(looks)} and {len(looks) + 1}" if looks else "before look 1"
        raise MetricError(
            f"run {run.name} is {place} of {n_looks} (--until-decided), where a comparison would be one more look. Finish it "
            f"with its own command."
        )
    if gated and looks:
        last = looks[-1]
        how = "decided" if last["decided"] else "not decided"
        raise MetricError(
            f"run {run.name} was drawn until its gate was decided (--until-decided): look {last['look']} of {n_looks} "
            f"ended it, {how}, {last['words']}. Another gate would be one more look. The outcome is in manifest.json; for "
            f"another gate, draw the run whole: the same command without --until-decided."
        )


def note_look(record: dict[str, Any], look: Look, decision: Decision) -> None:
    """The record tells of the look. Raises StoreError if it told of it before, with another result."""
    entry = {
        "look": look.number,
        "fraction": look.fractions[-1],
        "n_questions": look.n_questions,
        "level": look.level(record["level"]),
        "decided": decision.decided,
        "words": decision.words,
        "exit_code": decision.exit_code,
        "decision": _plain(decision.entry),
    }
    if look.number > len(record["looks"]):
        record["looks"].append(entry)
        return
    before = record["looks"][look.number - 1]
    changed = [key for key in ("n_questions", "decided", "exit_code") if before[key] != entry[key]]
    if changed:
        raise StoreError(
            f"look {look.number} of {look.n_looks} said {before['words']!r} when it was taken and says {decision.words!r} now, "
            f"so verdicts have changed since. Restore them (a regrading, for example), or choose another --out."
        )


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: a number that is not finite is None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
