"""What became of each thinking under each rule: a row made of the journal's line and the run's own samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from raml_eval.budgets import OFF
from raml_eval.diagnostics.pruning.candidates import Candidate
from raml_eval.errors import StoreError
from raml_eval.types import Status

# The four answers by their columns, with the words that tables, figures and docs have for them.
WAYS = {"whole": "whole", "pruned": "pruned", "forced": "forced", "no_thinking": "no thinking"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """One thinking under one rule: tokens before and after, and the status of each of its four answers.

    whole is the run's own answer; pruned that to what the rule keeps; forced that to as many of the first tokens (budget
    forcing); no_thinking that without thinking, in the mode no_thinking_mode ("off", or "0": closed at once). n_new of the
    n_kept tokens were encoded anew. cut is true if a summary ran out of tokens, None if the rule is no summary.
    """

    task: str
    question_id: str
    cluster: str
    sample: int
    trajectory: str
    rule: str
    n_whole: int
    n_kept: int
    n_new: int
    unchanged: bool
    cut: bool | None
    no_thinking_mode: str
    whole: Status
    pruned: Status
    forced: Status
    no_thinking: Status

    def correct(self, way: str) -> bool:
        """True if the answer of that way, one of WAYS, is right."""
        return getattr(self, way) is Status.CORRECT


@dataclass(frozen=True, slots=True)
class Collected:
    """The outcomes, by rule how many thinkings were skipped for which reason, and how many are still owed."""

    outcomes: list[Outcome]
    skipped: dict[str, Counter[str]]
    owed: Counter[str]


def collect_outcomes(
    candidates: Iterable[Candidate],
    lines: Mapping[str, Mapping[str, Mapping[str, Any]]],
    asked: Iterable[str],
    clusters: Mapping[tuple[str, str], str],
) -> Collected:
    """The outcomes of all rules that were asked for, and of every other rule that has a line for each of the candidates.

    lines are those of the journal, by thinking (Candidate.identity) and rule. Raises StoreError if a line names a sample that
    the run no longer has.
    """
    thinkings = [(one, lines.get(one.identity, {})) for one in candidates]
    known = dict.fromkeys(rule for _, own in thinkings for rule in own)
    whole = [rule for rule in known if all(rule in own for _, own in thinkings)]
    rules = list(dict.fromkeys((*whole, *asked)))
    found = Collected([], {rule: Counter() for rule in rules}, Counter())
    for one, own in thinkings:
        for rule in rules:
            line = own.get(rule)
            if line is None:
                found.owed[rule] += 1
            elif "skipped" in line:
                found.skipped[rule][line["skipped"]] += 1
            else:
                key = one.subject.key
                found.outcomes.append(_outcome(one, rule, line, clusters[key.task, key.question_id]))
    return found


def _outcome(one: Candidate, rule: str, line: Mapping[str, Any], cluster: str) -> Outcome:
    """The outcome that a line tells. What the run itself has by now counts, even if it had less when the line was drawn."""
    key, whole = one.subject.key, one.subject.whole
    n_whole, n_kept, pruned, forced = line["n_whole"], line["n_kept"], line["pruned"], line["forced"]
    after_first = _status_after(one, n_kept, forced)
    same = (pruned.get("at"), pruned.get("budget")) == (forced.get("at"), forced.get("budget"))
    return Outcome(
        task=key.task,
        question_id=key.question_id,
        cluster=cluster,
        sample=key.index,
        trajectory=one.subject.trajectory.id,
        rule=rule,
        n_whole=n_whole,
        n_kept=n_kept,
        n_new=line["n_new"],
        unchanged=same and n_kept == n_whole,
        cut=line.get("cut"),
        no_thinking_mode=OFF if one.off is not None else "0",
        whole=whole.status,
        pruned=after_first if same else _status(one, pruned),
        forced=after_first,
        no_thinking=_status_after(one, 0, line["none"]) if one.off is None else one.off.status,
    )


def _status_after(one: Candidate, n: int, answer: Mapping[str, Any]) -> Status:
    """The status of the answer after the first n tokens: the run's own if it has one by now, otherwise that of this answer."""
    if n >= len(one.subject.trajectory.token_ids):
        return one.subject.whole.status
    stored = one.cut_at(n)
    return _status(one, answer) if stored is None else stored.status


def _status(one: Candidate, answer: Mapping[str, Any]) -> Status:
    """The status of an answer: of the run's own, the last verdict."""
    if "budget" not in answer:
        return Status(answer["status"])
    record = one.records.get(answer["budget"])
    if record is None:
        raise StoreError(
            f"the journal names {one.subject.key} at budget {answer['budget']}, which the run no longer has. Delete the folder "
            "of the pruning, and prune again."
        )
    return record.status
