"""What differs between the protocols of two runs: refused, or allowed by name."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raml_eval.errors import MetricError, near_names
from raml_eval.manifest import flatten
from raml_eval.tables import n_whole, shard_of_run
from raml_eval.types import StoredRun
from raml_eval.wording import count_noun

GRADER = "grader"
SHARD = "shard"
# What makes a comparison one: another model, and other draws of it. Neither is a difference of how the runs were made.
_EXPECTED = ("model.", "sampling.seed")
_SHOWN = 8  # differing keys that an error names


@dataclass(frozen=True, slots=True)
class ProtocolDifference:
    """One key in which the runs were made differently. A side without the key has None, and known is false."""

    key: str
    base: Any
    new: Any
    known: bool = True  # false if only one of the two runs stores the key

    def __str__(self) -> str:
        return f"{self.key} {self.base!r}, then {self.new!r}"


def protocol_differences(base: StoredRun, new: StoredRun, tasks: Collection[str]) -> list[ProtocolDifference]:
    """Every key in which the protocols differ, for the compared tasks, and "grader" if other graders gave the verdicts.

    The model and the seed are left out: they are what a comparison is about. So is a task's YAML where both runs store the
    digest of the questions that were made of it: it holds all that a run takes from a task, and the YAML holds more, such as
    licences and what stock lm-eval does. A key that only one run stores (another version wrote the other) is listed with
    known = False.
    """
    old, now = (flatten(run.manifest.get("protocol", {})) for run in (base, new))
    told = {f"tasks.{task}.yaml" for task in tasks if all(f"tasks.{task}.questions" in side for side in (old, now))}
    compared = tuple(f"tasks.{task}." for task in tasks)
    found = [
        ProtocolDifference(key, old.get(key), now.get(key), key in old and key in now)
        for key in sorted(old.keys() | now.keys())
        if old.get(key) != now.get(key)
        and key not in told
        and not key.startswith(_EXPECTED)
        and (not key.startswith("tasks.") or key.startswith(compared))
    ]
    # Two runs of the same several graders may have graded other samples with each.
    if len({*base.grader_versions, *new.grader_versions}) > 1:
        before, after = (" and ".join(run.grader_versions) or None for run in (base, new))
        found.append(ProtocolDifference(GRADER, before, after))
    return found


def check_protocols(
    base: StoredRun, new: StoredRun, tasks: Collection[str], allowed: Sequence[str] = (), in_gate: bool = False
) -> list[ProtocolDifference]:
    """The differences that are allowed by name. A name allows its key, and every key below it: "sampling", "sampling.top_p".

    A key that only one run stores is no reason to refuse, because runs of different versions store different keys; it is
    returned with the others. Raises MetricError with every other difference; in_gate is true if only the file of a gate can
    allow it. A run that holds one shard of its questions is refused unless SHARD is allowed.
    """
    if not any(_covers(name, SHARD) for name in allowed):
        _check_whole(base, new, in_gate)
    found = protocol_differences(base, new, tasks)
    refused = [one for one in found if one.known and not any(_covers(name, one.key) for name in allowed)]
    if not refused:
        return found
    listed = "; ".join(map(str, refused[:_SHOWN])) + (f"; and {len(refused) - _SHOWN} more" if len(refused) > _SHOWN else "")
    keys = [one.key for one in refused]
    unused = [name for name in allowed if not any(_covers(name, one.key) for one in found)]
    near = near_names(unused[0], keys) if unused else ""
    names = _shortest(keys)
    advice = " ".join(f"--allow-different {key}" for key in names)
    if in_gate:
        advice = f"`allow_different: [{', '.join(names)}]` in the gate's file"
    graders = " `raml-eval regrade` grades both runs with one grader." if GRADER in keys else ""
    raise MetricError(
        f"runs {base.name} and {new.name} were made differently in {count_noun(len(refused), 'key')}, so a difference could "
        f"come from that: {listed}.{near}{graders} Draw one of them again, or allow each by name: {advice}"
    )


def _check_whole(base: StoredRun, new: StoredRun, in_gate: bool) -> None:
    """Raises MetricError if one of the runs holds only a part of its questions."""
    for run in (base, new):
        if shard := shard_of_run(run):
            advice = f"`allow_different: [{SHARD}]` in the gate's file" if in_gate else f"--allow-different {SHARD}"
            raise MetricError(
                f"run {run.name} is {shard.words}, {len(run.questions)} of {n_whole(run)} questions, so a comparison would not "
                f"be that of the whole. Join the shards with `raml-eval merge`, or allow it by name: {advice}"
            )


def _covers(name: str, key: str) -> bool:
    return key == name or key.startswith(f"{name}.")


def _shortest(keys: Sequence[str]) -> list[str]:
    """Names that cover the keys: the key itself, or its section if several keys of it differ."""
    sections: Mapping[str, list[str]] = {key.split(".")[0]: [] for key in keys}
    for key in keys:
        sections[key.split(".")[0]].append(key)
    return [members[0] if len(members) == 1 else section for section, members in sections.items()]
