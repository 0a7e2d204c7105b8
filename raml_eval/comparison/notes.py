"""What a reader of a comparison must know beside its numbers: what is shared, what was left out, what differs."""

from __future__ import annotations

from collections.abc import Sequence

from raml_eval.comparison.pairs import Pairs
from raml_eval.comparison.protocols import ProtocolDifference
from raml_eval.tables import DOMAIN_MEANS, DOMAINS, Measure, budget_label
from raml_eval.tables.redraw import is_too_high
from raml_eval.wording import count_noun

_SHOWN = 8  # differing keys that a note names


def comparison_notes(pairs: Pairs, differing: Sequence[ProtocolDifference]) -> list[str]:
    """Every caveat of the pair's differences, in a fixed order.

    The caveats of each run are reporting.footnotes', and those of a split of their noise are seed_notes.
    """
    return [*_shared(pairs), *_left_out(pairs), *_other_means(pairs), *_samples(pairs), *_different(differing)]


def gain_notes(pairs: Pairs, differing: Sequence[ProtocolDifference]) -> list[str]:
    """The caveats of gains that nothing was refused for: as comparison_notes, and each difference that no one allowed."""
    known = [one for one in differing if one.known]
    listed = "; ".join(map(str, known[:_SHOWN])) + (f"; and {len(known) - _SHOWN} more" if len(known) > _SHOWN else "")
    text = f"made otherwise than the base in {count_noun(len(known), 'key')}, so a gain could come from that: {listed}"
    return [*([text] if known else []), *comparison_notes(pairs, [one for one in differing if not one.known])]


def redraw_notes(pairs: Pairs, measure: Measure) -> tuple[str, ...]:
    """That the part from redrawing is too high for a measure at the n of these runs; nothing if it is not."""
    if not pairs.can_give(measure) or not is_too_high(pairs.n_samples, measure):
        return ()
    return (too_high_note([measure.name], pairs.n_samples),)


def too_high_note(names: Sequence[str], n: int) -> str:
    """The note for metrics whose part from redrawing is the jackknife's."""
    return (
        f"{', '.join(names)}: the part from redrawing is by the jackknife, which is too high, because n = {n} is less than "
        "twice k (maj@k: at any n); so less comes from redrawing than is shown"
    )


def _shared(pairs: Pairs) -> list[str]:
    notes = []
    for task in pairs.tasks():
        sizes = [sum(owner == task for owner, _ in run.questions) for run in (pairs.base, pairs.new)]
        shared = next(len(after) for (of, _), (_, after) in pairs.cells.items() if of == task)
        if shared < max(sizes):
            are = f"{count_noun(shared, 'question')} {'is' if shared == 1 else 'are'}"
            notes.append(f"{task}: {are} shared, of {sizes[0]} in {pairs.base.name} and {sizes[1]} in {pairs.new.name}")
    return notes


def _left_out(pairs: Pairs) -> list[str]:
    drawn = dict.fromkeys((task, budget) for run in (pairs.base, pairs.new) for task in run.tasks for budget in run.budgets)
    left_out = [f"{task} at {budget_label(budget)}" for task, budget in drawn if (task, budget) not in pairs.cells]
    return [f"left out, because only one run has it: {', '.join(left_out)}"] if left_out else []


def _other_means(pairs: Pairs) -> list[str]:
    """Domains whose mean covers fewer tasks than one of the runs has."""
    notes = []
    for domain in DOMAINS:
        shared = pairs.tasks(domain)
        every = dict.fromkeys(t for run in (pairs.base, pairs.new) for t, about in run.tasks.items() if about.domain == domain)
        missing = [task for task in every if task not in shared]
        if shared and missing:
            notes.append(f"the {DOMAIN_MEANS[domain]} is that of {', '.join(shared)}, without {', '.join(missing)}")
    return notes


def _samples(pairs: Pairs) -> list[str]:
    base, new = pairs.base, pairs.new
    if base.n_samples == new.n_samples:
        return []
    return [f"{base.name} has {count_noun(base.n_samples, 'sample')} per question and {new.name} has {new.n_samples}"]


def _different(differing: Sequence[ProtocolDifference]) -> list[str]:
    allowed = [one for one in differing if one.known]
    unknown = [one.key for one in differing if not one.known]
    notes = []
    if allowed:
        listed = "; ".join(map(str, allowed[:_SHOWN])) + (
            f"; and {len(allowed) - _SHOWN} more" if len(allowed) > _SHOWN else ""
        )
        notes.append(f"the protocols differ in {count_noun(len(allowed), 'key')}, which was allowed: {listed}")
    if unknown:
        listed = ", ".join(unknown[:_SHOWN]) + (f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else "")
        notes.append(f"only one of the runs stores {listed}, so these may differ")
    return notes
