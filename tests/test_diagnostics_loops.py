"""Loops are found where a block repeats, and nowhere else: held against every period at every place."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval.diagnostics.loops import Loop, find_loops


def primitive(block: list[int]) -> bool:
    n = len(block)
    return not any(n % p == 0 and block == block[:p] * (n // p) for p in range(1, n))


def brute_force(x: list[int], repeats: int, cover: int, longest: int) -> list[Loop]:
    found = set()
    for p in range(1, longest + 1):
        start = 0
        while start + p < len(x):
            stop = start + p
            while stop < len(x) and x[stop] == x[stop - p]:
                stop += 1
            maximal = start == 0 or start + p - 1 >= len(x) or x[start - 1] != x[start + p - 1]
            length = stop - start
            if maximal and length >= max(cover, repeats * p) and primitive(x[start : start + p]):
                found.add(Loop(start, length, p))
            start += 1
    return sorted(found, key=lambda one: (one.start, one.period))


BLOCKS = st.lists(st.tuples(st.lists(st.integers(0, 2), min_size=1, max_size=5), st.integers(1, 7)), max_size=5)


@settings(max_examples=400)
@given(BLOCKS, st.integers(3, 5), st.integers(1, 20), st.integers(1, 9))
def test_every_loop_is_found(parts: list[tuple[list[int], int]], repeats: int, cover: int, longest: int) -> None:
    x = [element for block, n in parts for element in block * n]
    assert find_loops(x, repeats=repeats, cover=cover, longest=longest) == brute_force(x, repeats, cover, longest)


def test_a_long_block_in_long_text_is_found_at_its_place() -> None:
    draw = random.Random(1)
    text = [draw.randrange(50_000) for _ in range(9_000)]
    block = [draw.randrange(50_000) for _ in range(700)]
    assert find_loops([*text, *block * 5, *block[:9]]) == [Loop(9_000, 3_509, 700)]
    assert find_loops([*text, *block * 3]) == []
    assert find_loops([*text, *(block * 2)[:1100] * 5]) == []  # a block of 1,100 is beyond the longest


def ids(text: str) -> list[int]:
    """A token for each word, number and mark, as tokenizers roughly have them."""
    import re

    words = re.findall(r"\w+|[^\w\s]|\n", text)
    names = {word: number for number, word in enumerate(dict.fromkeys(words))}
    return [names[word] for word in words]


COUNTING = ", ".join(map(str, range(1, 400)))
TABLE = "".join(f"| {row} | {row * row} | {row**3} |\n" for row in range(60))
SHORT_LINES = "- not prime\n" * 25
GRID = ("0 0 0 0 0 0 0 0 0\n" * 9) + "so the grid is empty."
RULE = "-" * 120
STEPS = "".join(f"Step {n}: subtract 7, and look at the remainder again.\n" for n in range(60))
DECIMALS = "1 / 3 = 0." + " ".join("3" * 150)


@pytest.mark.parametrize("text", [COUNTING, TABLE, SHORT_LINES, GRID, RULE, STEPS, DECIMALS])
def test_legitimate_repetition_is_no_loop(text: str) -> None:
    assert find_loops(ids(text)) == []


SENTENCE = "Wait, let me check that again. "
STUCK = "So x = 2. " + SENTENCE * 40
PUNCTUATION = "The answer is 5 " + "! " * 400
PARAGRAPH = "First I add the numbers, then I halve the sum, and then I look at the result once more.\n\n" * 12
LINES = "- not prime\n" * 120


@pytest.mark.parametrize(("text", "period"), [(STUCK, 8), (PUNCTUATION, 1), (PARAGRAPH, 24), (LINES, 4)])
def test_a_model_that_is_stuck_is_in_a_loop(text: str, period: int) -> None:
    sequence = ids(text)
    loops = find_loops(sequence)
    assert [loop.period for loop in loops] == [period]
    assert loops[0].start + loops[0].length == len(sequence)
    left = find_loops([*sequence, -5, -6])
    assert [loop.period for loop in left] == [period]
    assert left[0].start + left[0].length == len(sequence)


def test_the_thresholds_are_those_that_are_documented() -> None:
    assert find_loops([1, 2] * 100) == [Loop(0, 200, 2)]
    assert find_loops([1, 2] * 99 + [1]) == []  # 199 tokens
    block = list(range(60))
    assert find_loops(block * 4) == [Loop(0, 240, 60)]
    assert find_loops((block * 4)[:-1]) == []  # the fourth is cut
    assert find_loops([]) == []
    assert find_loops(np.arange(1000)) == []
