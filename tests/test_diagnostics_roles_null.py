"""Nulls are spans alike: the same tenth, the same binary logarithm of the count, as long, and without a role."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.diagnostics.roles.null import N_SPANS, Pool, Span, seed_of
from raml_eval.diagnostics.roles.occurrences import LINE, Occurrence

# Two thinkings of ten tokens, so each place is a tenth of its own. Counts: 7 four times, 8 five, 1 three, 2 twice, others once.
FIRST = [7, 1, 1, 8, 8, 2, 3, 8, 7, 4]
SECOND = [8, 7, 1, 7, 9, 8, 2, 5, 6, 10]


def pool(*ids: list[int], at: tuple[tuple[Occurrence, ...], ...] = ()) -> Pool:
    return Pool([np.array(one, dtype=np.int64) for one in ids], at or ((),) * len(ids))


def test_the_null_is_matched_by_hand() -> None:
    # The word at place 3 of the first begins with 8 (five times); 7 (four times) stands at place 3 of the second.
    word = Occurrence("Wait", 3, 5)
    assert pool(FIRST, SECOND, at=((word,), ())).draw(0, word, seed=0) == [Span(1, 3, 5)]
    # At place 4 of the second is 9, which stands there once only, in another bin.
    word = Occurrence("Wait", 4, 5)
    assert pool(FIRST, SECOND, at=((word,), ())).draw(0, word, seed=0) == []
    # At place 2, both begin with 1.
    word = Occurrence("Wait", 2, 3)
    assert pool(FIRST, SECOND, at=((word,), ())).draw(0, word, seed=0) == [Span(1, 2, 3)]


def test_a_null_shares_no_token_with_a_word() -> None:
    word, other = Occurrence("Wait", 3, 5), Occurrence("However", 4, 5)
    assert pool(FIRST, SECOND, at=((word,), (other,))).draw(0, word, seed=0) == []
    # A break there does not matter to a word, but to another break.
    line = Occurrence(LINE, 4, 5)
    assert pool(FIRST, SECOND, at=((word,), (line,))).draw(0, word, seed=0) == [Span(1, 3, 5)]
    end = Occurrence(LINE, 3, 5)
    assert pool(FIRST, SECOND, at=((end,), (line,))).draw(0, end, seed=0) == []


def test_a_null_ends_within_its_thinking() -> None:
    word = Occurrence("Wait", 9, 10)
    assert pool(FIRST, SECOND, at=((word,), ())).draw(0, word, seed=0) == [Span(1, 9, 10)]
    long = Occurrence("Wait", 9, 11)
    assert pool([*FIRST, 4], SECOND, at=((long,), ())).draw(0, long, seed=0) == []


IDS = st.lists(st.lists(st.integers(0, 6), min_size=1, max_size=40), min_size=1, max_size=5)


@given(IDS, st.data())
def test_draws_are_those_of_a_plain_search(ids: list[list[int]], data: st.DataObject) -> None:
    """All spans alike are drawn if there are at most N_SPANS; otherwise so many different ones of them."""
    member = data.draw(st.integers(0, len(ids) - 1))
    start = data.draw(st.integers(0, len(ids[member]) - 1))
    word = Occurrence("Wait", start, data.draw(st.integers(start + 1, len(ids[member]))))
    found = pool(*ids, at=tuple((word,) if i == member else () for i in range(len(ids)))).draw(member, word, seed=3)
    counts = Counter(one for own in ids for one in own)

    def kind(i: int, at: int) -> tuple[int, int]:
        return 10 * at // len(ids[i]), int(math.log2(counts[ids[i][at]]))

    size = word.stop - word.start
    alike = {
        Span(i, at, at + size)
        for i, own in enumerate(ids)
        for at in range(len(own) - size + 1)
        if kind(i, at) == kind(member, start) and not (i == member and at < word.stop and at + size > word.start)
    }
    assert {*found} <= alike
    assert len({*found}) == len(found) == min(N_SPANS, len(alike))


def test_the_seed_decides() -> None:
    word = Occurrence("Wait", 0, 1)
    same = pool([1] * 400, at=((word,),))
    drawn = [tuple(same.draw(0, word, seed=seed_of(seed, "q"))) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_every_span_is_as_likely() -> None:
    word = Occurrence("Wait", 0, 1)
    same = pool([1] * 110, at=((word,),))  # places 1 to 10 are alike
    drawn = Counter(span.start for seed in range(2000) for span in same.draw(0, word, seed))
    assert {*drawn} == {*range(1, 11)}
    assert all(abs(n - 1000) < 5 * math.sqrt(2000 * 0.25) for n in drawn.values())


def test_an_occurrence_without_tokens_has_no_null() -> None:
    assert pool(FIRST, SECOND).draw(0, Occurrence("Wait", 3, 3), seed=0) == []
