"""What the parts of a report are made from: the runs in order, what is known of their checkpoints, and their numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from raml_eval.comparison.endpoints import choose_primary
from raml_eval.comparison.generalization import Generalization, generalize
from raml_eval.comparison.notes import comparison_notes
from raml_eval.comparison.pairs import Pairs, pair_runs
from raml_eval.comparison.protocols import check_protocols
from raml_eval.errors import ConfigError, MetricError, near_names
from raml_eval.looks import check_looks
from raml_eval.reporting.gains import base_notes
from raml_eval.reporting.naming import Told
from raml_eval.reporting.numbers import Numbers, index_numbers
from raml_eval.reporting.render import Cell
from raml_eval.reporting.sections import Section
from raml_eval.tables import Measure, Row, build_frame, missing_samples, n_planned, parse_measure, run_labels, same_directory
from raml_eval.types import Budget, Interval, StoredRun

if TYPE_CHECKING:
    import pandas as pd

PARADIGMS = ("base", "sft", "rl", "sft+rl")
# What a checkpoint.yaml may say that reports know by name, and how a table calls it.
KNOWN: Mapping[str, str] = {
    "base": "base",
    "paradigm": "paradigm",
    "trajectories_per_question": "trajectories per question",
    "trajectory_source": "trajectory source",
    "trajectory_length": "trajectory length (tokens)",
    "step": "step",
    "data_size": "training samples",
}
_NUMERAL = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
NUMBERS = ("trajectories_per_question", "trajectory_length", "step", "data_size")
OWN = ("name", "model")  # what a run is called, by which a report can choose and order too; nothing told takes its place
_MOST_DIGITS = 300  # of a number that is told; more are no finite one


@dataclass(frozen=True, slots=True)
class Alone:
    """A note on the rows of these runs whose metric begins with metric."""

    metric: str
    runs: tuple[str, ...]  # labels
    text: str


@dataclass(frozen=True, slots=True)
class Built:
    """What a part made: its section, if it has one, the rows of numbers that the frame does not have, and notes on them.

    left_out are the notes on runs that have no row in it, and alone those on some of its numbers only.
    """

    section: Section | None
    rows: tuple[Row, ...] = ()
    notes: tuple[Told, ...] = ()
    left_out: tuple[str, ...] = ()
    alone: tuple[Alone, ...] = ()


@dataclass(frozen=True)
class Material:
    """Everything that a part may use. full shows every column; short leaves out what does not fit on a terminal.

    about holds what is known of each run's checkpoint, by the run's label; base_about the same of the base.
    """

    runs: tuple[StoredRun, ...]
    about: Mapping[str, Mapping[str, Any]]
    frame: pd.DataFrame
    numbers: Numbers
    base: StoredRun | None
    full: bool
    short: bool
    base_label: str = ""
    base_about: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def labels(self) -> dict[str, StoredRun]:
        """The runs by their labels, in order."""
        return dict(zip(run_labels(self.runs), self.runs, strict=True))

    @cached_property
    def heads(self) -> dict[str, StoredRun]:
        """The runs by the names that stand in the head of the report, and a base outside the runs, marked as the base."""
        if self.base is None or any(same_directory(run, self.base) for run in self.runs):
            return self.labels
        return {**self.labels, f"{self.base_label} (base)": self.base}

    def facts(self, label: str) -> dict[str, Any]:
        """What a report chooses, orders and groups a run by: its own name and model, and what is known of its checkpoint."""
        run = self.labels[label]
        return {**self.about[label], "name": run.name, "model": run.model}

    @cached_property
    def pairs(self) -> dict[str, Pairs]:
        """Each run but the base, paired with it, by label; empty without a base.

        Raises MetricError for two runs that `raml-eval compare` would refuse: made under other protocols, or between looks.
        """
        return {label: pairs for label, (pairs, _) in self._paired.items()}

    @cached_property
    def pair_notes(self) -> tuple[Told, ...]:
        """The caveats of the pairs by label, and under no label those of the base if it is not among the runs."""
        found = [(label, note) for label, (_, notes) in self._paired.items() for note in notes]
        found += base_notes(self.runs, self.base) if self.base is not None else []
        return tuple(dict.fromkeys(found))

    @cached_property
    def _paired(self) -> dict[str, tuple[Pairs, tuple[str, ...]]]:
        if self.base is None:
            return {}
        found = {}
        for label, run in self.labels.items():
            if not same_directory(run, self.base):
                for one in (self.base, run):
                    check_whole(one)
                    check_looks(one, gated=False)
                pairs = pair_runs(self.base, run)
                differing = check_protocols(self.base, run, pairs.tasks())
                found[label] = pairs, (*choose_primary(pairs).notes, *comparison_notes(pairs, differing))
        return found

    @cached_property
    def generalizations(self) -> dict[str, Generalization]:
        """Each run but the base, held against it at its primary budget, by label."""
        return {label: generalize(pairs, self.primary(label)) for label, pairs in self.pairs.items()}

    def primary(self, label: str) -> Budget:
        """The budget at which a run is held against the base: what its suites declare, otherwise the largest of both."""
        return choose_primary(self.pairs[label]).budget

    def measure(self, name: str) -> Measure:
        """The measure of that name, which may be avg@8 where the runs have 8 samples per question."""
        return parse_measure(name, {run.n_samples for run in self.runs})

    def model(self, label: str) -> Cell:
        """The run as the label of a row."""
        return Cell(self.numbers.models[label], self.numbers.marks((label, None, None)))


def gather(
    runs: Sequence[StoredRun],
    *,
    about: Sequence[str] = (),
    base: StoredRun | None = None,
    k: Sequence[int] | None = None,
    allow_partial: bool = False,
    full: bool = False,
    short: bool = False,
) -> Material:
    """The material of these runs. about are texts RUN:KEY=VALUE, which take precedence over a run's checkpoint.yaml.

    Raises ConfigError for a text of another form and for a run that is not there, and as build_frame does.
    """
    labels = run_labels(runs)
    told = {label: _recorded(run) for label, run in zip(labels, runs, strict=True)}
    of_base = "" if base is None else _label_of_base(base, runs, labels)
    if base is not None:
        told.setdefault(of_base, _recorded(base))
    for (label, key), value in _read_all(about, list(told)).items():
        told[label] = {**told[label], key: value}
    frame = build_frame(runs, k=k, base=base, allow_partial=allow_partial)
    return Material(
        runs=tuple(runs),
        about={label: told[label] for label in labels},
        frame=frame,
        numbers=index_numbers(runs, frame, short, full),
        base=base,
        full=full,
        short=short,
        base_label=of_base,
        base_about=told.get(of_base, {}),
    )


def _label_of_base(base: StoredRun, runs: Sequence[StoredRun], labels: Sequence[str]) -> str:
    """The label of the base: its own among the runs, otherwise one that no run has."""
    for label, run in zip(labels, runs, strict=True):
        if same_directory(run, base):
            return label
    names = (base.name, str(base.directory))
    return next((name for name in names if name not in labels), str(base.directory.resolve()))


def check_whole(run: StoredRun) -> None:
    """Raises MetricError if planned samples are missing, which allow_partial does not allow where runs are held together."""
    if missing := missing_samples(run):
        again = "Import a whole log" if run.imported else "Run again with the same --out"
        raise MetricError(
            f"run {run.name} lacks {sum(missing.values())} of its {n_planned(run)} planned samples, and this report tests "
            f"differences between runs, which needs whole ones: --allow-partial does not change that. {again}, or take a "
            f"report that tests none, such as --report checkpoint --allow-partial."
        )


def _recorded(run: StoredRun) -> dict[str, Any]:
    record: Mapping[str, Any] = run.manifest.get("model", {}).get("checkpoint") or {}
    return {key: told_value(key, value) for key, value in record.items()}


def told_value(key: str, value: Any) -> Any:
    """What is told of a checkpoint: a number if its text is one, but for names.

    YAML reads 1e-4 as a text, and so is everything behind --about.

    Example: told_value("learning_rate", "1e-4") == 0.0001 and told_value("base", "7") == "7"
    """
    named = key in ("name", "model") or (key in KNOWN and key not in NUMBERS)
    if named or not isinstance(value, str) or not _NUMERAL.fullmatch(value):
        return value
    if len(value) > _MOST_DIGITS:
        return value
    return int(value) if _is_whole(value) else float(value)


def _is_whole(value: Any) -> bool:
    return isinstance(value, str) and value.isascii() and value.isdecimal()


def as_number(value: Any) -> float | None:
    """The value if it is a finite number, such as a step; None otherwise.

    Example: as_number(200) == 200 and as_number("many") is None and as_number(10**400) is None
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return value if math.isfinite(value) else None
    except OverflowError:  # a whole number beyond the largest float
        return None


def _read_all(texts: Sequence[str], labels: Sequence[str]) -> dict[tuple[str, str], Any]:
    """What the texts RUN:KEY=VALUE tell, by run and key. Raises ConfigError for two texts on one."""
    found: dict[tuple[str, str], Any] = {}
    by: dict[tuple[str, str], str] = {}
    for text in texts:
        label, key, value = _read_about(text, labels)
        if (label, key) in found:
            raise ConfigError(
                f"--about tells {key} of {label} twice, as {by[label, key]!r} and {text!r}; wanted once. Leave one of them out."
            )
        found[label, key], by[label, key] = value, text
    return found


def _read_about(text: str, labels: Sequence[str]) -> tuple[str, str, Any]:
    label, colon, said = text.rpartition(":") if "=" not in text else (*_cut(text),)
    key, equals, value = said.partition("=")
    if not (colon and equals and key and value):
        raise ConfigError(f"--about {text!r} is not RUN:KEY=VALUE, such as mine:paradigm=rl. Correct it.")
    if label not in labels:
        raise ConfigError(
            f"--about {text!r} is about a run {label!r}.{near_names(label, labels)} There are {', '.join(labels)}."
        )
    if key in OWN:
        raise ConfigError(f"--about {text!r} tells the {key}, which every run has of its own. Tell it under another key.")
    if key == "paradigm" and value not in PARADIGMS:
        raise ConfigError(f"--about {text!r}: the paradigm is {value!r}; wanted one of {', '.join(PARADIGMS)}.")
    if key in NUMBERS:
        if not _is_whole(value) or len(value) > _MOST_DIGITS:
            raise ConfigError(f"--about {text!r:.90}: {key} is {value!r:.60}; wanted a whole number.")
        return label, key, int(value)
    return label, key, told_value(key, value)


def _cut(text: str) -> tuple[str, str, str]:
    """RUN, the colon and KEY=VALUE; a run's label may hold colons, a key holds none."""
    head, equals, value = text.partition("=")
    label, colon, key = head.rpartition(":")
    return label, colon, f"{key}{equals}{value}"


def select(material: Material, wanted: Mapping[str, Sequence[Any]], order: str) -> list[str]:
    """The labels of those runs whose checkpoint, name or model has one of the wanted values of every key, in order.

    Raises ConfigError if there is none.
    """
    kept = [label for label in material.labels if matches(material, label, wanted)]
    if not kept:
        told = "; ".join(f"{key} {' or '.join(map(str, values))}" for key, values in wanted.items())
        tell = "" if set(wanted) <= set(OWN) else ", or tell what they are with --about"
        raise ConfigError(f"the report takes only runs with {told}, and none of these is one. Correct the report{tell}.")
    return sorted(kept, key=lambda label: rank(material.facts(label).get(order))) if order else kept


def narrowed(material: Material, labels: Sequence[str], k: Sequence[int] | None, allow_partial: bool) -> Material:
    """The material of these of its runs alone, in this order."""
    if list(labels) == list(material.labels):
        return material
    again = gather(
        [material.labels[label] for label in labels],
        base=material.base,
        k=k,
        allow_partial=allow_partial,
        full=material.full,
        short=material.short,
    )
    told = dict(zip(again.labels, (material.about[label] for label in labels), strict=True))
    return replace(again, about=told, base_about=material.base_about)


def matches(material: Material, label: str, wanted: Mapping[str, Sequence[Any]]) -> bool:
    facts = material.facts(label)
    return all(str(facts.get(key)) in (str(told_value(key, one)) for one in values) for key, values in wanted.items())


def rank(value: Any) -> tuple[int, float, str]:
    """A sort key: finite numbers in their order, then texts and whatever else is told, then what is not known.

    Example: sorted([None, "b", 10, 9], key=rank) == [9, 10, "b", None]
    """
    if (number := as_number(value)) is not None:
        return 0, float(number), ""
    return (2, 0.0, "") if value is None else (1, 0.0, str(value))


def as_row(material: Material, label: str, of: Interval, **values: Any) -> Row:
    """A row in the columns of the frame, for a number that a part adds. NaN is None, as in frame_rows."""
    first = material.frame[material.frame["run"] == label].iloc[0]
    same = {name: first[name] for name in ("run", "model", "n_samples", "engine")}
    ends = {
        name: None if math.isnan(value) else value
        for name, value in zip(("value", "low", "high"), (of.value, of.low, of.high), strict=True)
    }
    return {**same, "k": None, "tau": None, **ends, "method": of.method, **values}
