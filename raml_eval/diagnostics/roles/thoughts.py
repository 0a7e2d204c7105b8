"""The graded thinkings of a run with the places whose role is asked for, and the spans of their nulls."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from raml_eval.budgets import OFF, THINKING
from raml_eval.diagnostics.curves.drawn import VERDICTS
from raml_eval.diagnostics.curves.targets import Skipped, Target
from raml_eval.diagnostics.roles.null import IntArray, Pool, Span, seed_of
from raml_eval.diagnostics.roles.occurrences import Occurrence, Words, find_occurrences
from raml_eval.diagnostics.roles.places import text_and_ends
from raml_eval.diagnostics.subjects import digest_of_ids
from raml_eval.diagnostics.summary import in_words
from raml_eval.protocols import Tokenizer
from raml_eval.types import Question, QuestionKey, SampleKey, Status, ThinkingEnd

SHARES = (0.25, 0.5, 0.75, 1.0)  # of a thinking, at which closings are compared


@dataclass(frozen=True, slots=True, eq=False)
class Thought:
    """One thinking (ids alone, without its prompt) and all occurrences in it. natural is true if it ended by itself."""

    id: str
    key: SampleKey
    cluster: str
    prompt: str
    verdict: Status
    natural: bool
    ids: IntArray
    occurrences: tuple[Occurrence, ...]

    @property
    def drawn(self) -> str:
        """The digest of its ids, as Target.drawn."""
        return digest_of_ids(tuple(self.ids.tolist()))

    @property
    def task(self) -> str:
        """The task, as tables name it: with the hint that the thinking was drawn under, if there was one."""
        return self.key.task if self.prompt == THINKING else f"{self.key.task} ({self.prompt})"

    @property
    def question(self) -> str:
        return f"{self.key.task}/{self.key.question_id}"

    @property
    def share_marks(self) -> dict[float, int]:
        """The position at each of SHARES."""
        return {share: round(share * len(self.ids)) for share in SHARES}


@dataclass(frozen=True, slots=True)
class Chosen:
    """An occurrence that is scored, in a thinking, with the spans of its null; a span's member is a place in the thoughts."""

    thought: Thought
    occurrence: Occurrence
    null: tuple[Span, ...]


@dataclass(slots=True)
class Found:
    """What the thinkings hold. n_found counts all occurrences by task, verdict and role, scored or not."""

    thoughts: list[Thought]
    chosen: list[Chosen] = field(default_factory=list)
    n_found: Counter[tuple[str, Status, str]] = field(default_factory=Counter)


def read_thoughts(
    targets: Iterable[Target],
    questions: Mapping[QuestionKey, Question],
    tokenizer: Tokenizer,
    words: Words,
    skipped: Skipped,
) -> list[Thought]:
    """The thinkings among the targets that have a graded answer and at least one token. skipped names the others by reason."""
    thoughts = []
    for target in targets:
        if target.prompt == OFF:
            continue
        whole = target.records[-1]
        if whole.status not in VERDICTS:
            skipped.setdefault(f"{in_words(whole.status)}, so neither correct nor incorrect", []).append(target.id)
            continue
        if not target.length:
            skipped.setdefault("it has no token", []).append(target.id)
            continue
        ids = target.token_ids[target.n_prompt :]
        try:
            occurrences = tuple(find_occurrences(*text_and_ends(tokenizer, ids), words))
        except ValueError:
            skipped.setdefault("its tokens do not tell which characters they hold", []).append(target.id)
            continue
        natural = whole.thinking_end is ThinkingEnd.NATURAL and whole.n_thinking_tokens == len(ids)
        cluster = questions[target.key.task, target.key.question_id].cluster
        array = np.array(ids, dtype=np.int64)
        thoughts.append(Thought(target.id, target.key, cluster, target.prompt, whole.status, natural, array, occurrences))
    return thoughts


def choose_occurrences(thoughts: Sequence[Thought], most: int, seed: int) -> Found:
    """At most so many occurrences of each role in each thinking, chosen by the seed, and the null of each.

    The null of an occurrence is drawn among the thinkings of the same task, prompt and verdict.
    """
    found = Found(list(thoughts))
    groups: dict[tuple[str, Status], list[int]] = {}
    for place, one in enumerate(thoughts):
        groups.setdefault((one.task, one.verdict), []).append(place)
        for occurrence in one.occurrences:
            found.n_found[one.task, one.verdict, occurrence.role] += 1
    for members in groups.values():
        pool = Pool([thoughts[i].ids for i in members], [thoughts[i].occurrences for i in members])
        for member, place in enumerate(members):
            thought = thoughts[place]
            for occurrence in _some(thought, most, seed):
                spans = pool.draw(member, occurrence, seed_of(seed, thought.id, occurrence.role, occurrence.start))
                null = tuple(Span(members[one.member], one.start, one.stop) for one in spans)
                found.chosen.append(Chosen(thought, occurrence, null))
    return found


def _some(thought: Thought, most: int, seed: int) -> list[Occurrence]:
    """At most so many occurrences of each role, in order; which ones, the seed alone decides."""
    by_role: dict[str, list[Occurrence]] = {}
    for one in thought.occurrences:
        by_role.setdefault(one.role, []).append(one)
    kept: list[Occurrence] = []
    for role, own in by_role.items():
        own.sort(key=lambda one: seed_of(seed, "kept", thought.id, role, one.start, one.stop))
        kept += own[:most]
    return sorted(kept, key=lambda one: (one.start, one.stop, one.role))


def needed_positions(found: Found) -> dict[str, set[int]]:
    """By the id of each thinking, the positions at which the gold is scored after the run's own closing."""
    needed: dict[str, set[int]] = {one.id: set() for one in found.thoughts}
    for one in found.chosen:
        needed[one.thought.id] |= {one.occurrence.start, one.occurrence.stop}
        for span in one.null:
            needed[found.thoughts[span.member].id] |= {span.start, span.stop}
    for thought in found.thoughts:
        if thought.natural:
            needed[thought.id] |= {*thought.share_marks.values()}
    return needed
