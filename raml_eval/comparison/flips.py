"""The questions whose majority of samples turned from right to wrong, or from wrong to right."""

from __future__ import annotations

from raml_eval.comparison.compared import Flip
from raml_eval.comparison.pairs import Pairs
from raml_eval.types import Budget


def find_flips(pairs: Pairs, budget: Budget) -> tuple[Flip, ...]:
    """Every question of which one run got more than half of its samples right at the budget, and the other at most half.

    The largest change of accuracy comes first. A flip describes; no single one is tested.
    """
    found = [
        Flip(new.task, new.question_id, old.correct, old.n, new.correct, new.n)
        for (_, at), (before, after) in pairs.cells.items()
        if at == budget
        for old, new in zip(before, after, strict=True)
        if (2 * old.correct > old.n) != (2 * new.correct > new.n)
    ]
    return tuple(sorted(found, key=lambda flip: -abs(flip.new / flip.n_new - flip.base / flip.n_base)))
