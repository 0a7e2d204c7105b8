"""Which answers to one question are the same answer, formed without the gold (maj@k votes on these)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from raml_eval.grading.kinds import Kind, kind_of

Equal = Callable[[str, str], bool | None]


def answer_classes(answers: Sequence[str], kind_name: str, equal: Equal) -> dict[str, int]:
    """Each distinct answer with the number of its class, counted from 0 in order of first appearance.

    Classes are the connected parts of the relation 'equal in either order' (its symmetric, transitive closure), so
    they depend on the set of answers alone. equal(a, b) is asked, once a pair, only where spelling and numbers do not
    decide; it must be symmetric. None from it means that the comparison was stopped: the longer answer of that pair
    is then compared no further, so that one hostile answer costs one time limit, not one for every other answer.
    """
    kind = kind_of(kind_name)
    distinct = list(dict.fromkeys(answers))
    parent = {answer: answer for answer in distinct}
    given_up: set[str] = set()

    def root(answer: str) -> str:
        while parent[answer] != answer:
            parent[answer] = answer = parent[parent[answer]]
        return answer

    undecided: list[tuple[str, str]] = []
    for a, b in _pairs(distinct, kind, parent):
        decision = kind.same(a, b)
        if decision is None:
            undecided.append((a, b))
        elif decision.equal:
            parent[root(b)] = root(a)
    for a, b in undecided:
        if a in given_up or b in given_up or root(a) == root(b):
            continue
        same = equal(a, b)
        if same is None:
            given_up.add(b)  # sorted by length: the second is the longer
        elif same:
            parent[root(b)] = root(a)
    numbers: dict[str, int] = {}
    return {answer: numbers.setdefault(root(answer), len(numbers)) for answer in distinct}


def _pairs(distinct: Sequence[str], kind: Kind, parent: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The pairs to compare, the shorter answer first.

    Answers of one spelling or number are joined in parent already, and no two numbers are compared: most of many answers
    are numbers.
    """
    first: dict[object, str] = {}
    numbers: list[str] = []
    others: list[str] = []
    for answer in sorted(distinct, key=lambda answer: (len(answer), answer)):
        shared, is_number = kind.spell(answer)
        if first.setdefault(shared, answer) != answer:
            parent[answer] = first[shared]
        else:
            (numbers if is_number else others).append(answer)
    yield from itertools.combinations(others, 2)
    for a, b in itertools.product(others, numbers):
        yield (a, b) if (len(a), a) < (len(b), b) else (b, a)
