"""Thinking policies on random models: extensions, minimums, grace and delimiters of every shape keep what they promise."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.backends.fake import FakeBackend
from raml_eval.errors import ConfigError
from raml_eval.thinking import ThinkingPolicy, cut_share, cut_thinking, generate_answer, generate_thinking
from raml_eval.types import SampleKey, SamplingParams, Thinking, ThinkingEnd, TokenIds, Trajectory

EOS, CLOSE, END, TURN, MESSAGE, NEWLINE = 1, 2, 3, 4, 5, 10
KEY = SampleKey("task", "0-abcdef", 0)
PARAMS = SamplingParams(1.0, 1.0, 0, 0.0, 1.0, max_tokens=1, seed=7, stop_ids=(EOS,))
NAMES = {EOS: "<eos>", CLOSE: "</t>", END: "<|e|>", TURN: "<|s|>", MESSAGE: "<|m|>"}
WAIT = tuple(map(ord, "W!"))


class Letters:
    """A tokenizer whose ids are character codes, but for a few tokens with names."""

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return list(map(ord, text))

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        special = {EOS, END, TURN, MESSAGE}
        return "".join("" if skip_special_tokens and i in special else NAMES.get(i, chr(i)) for i in token_ids)


def policy(closer_ids: TokenIds, ends: TokenIds = (EOS,), **more: object) -> ThinkingPolicy:
    closer = Letters().decode(closer_ids)
    plain = ThinkingPolicy(closer, closer_ids, closer_ids, ends, 4, None, 10_000, ends_line=lambda one: one == NEWLINE)
    return replace(plain, own_ids=frozenset(closer_ids) & NAMES.keys(), **more)  # type: ignore[arg-type]


ONE = policy((CLOSE,))
SPELLED = policy(tuple(map(ord, "</t>")))  # a token each, and none of them a token of its own
OWN = policy((TURN, ord("f"), MESSAGE))  # s1's kind: tokens of its own around a word
HARMONY = policy((END, TURN, ord("f"), MESSAGE), (EOS, END), resumes="<|e|><|s|>")
CLOVA = policy((END, NEWLINE, TURN), (EOS, END))  # it begins with what ends a turn
SHAPES = {"one": ONE, "spelled": SPELLED, "own": OWN, "harmony": HARMONY, "clova": CLOVA}


def noise(seed: int, ends: Sequence[TokenIds]) -> FakeBackend:
    """A model that writes letters, line breaks, quotations and delimiters at random, without end."""
    pieces = [(97,), (97, 98), (NEWLINE,), (97, NEWLINE), *ends, (CLOSE,), tuple(map(ord, "</t>"))]
    pieces += [tuple(map(ord, "<|s|>f<|m|>")), (TURN, ord("f")), (END,), (END, TURN), (EOS,)]

    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        rng = random.Random(f"{seed}/{params.seed}/{tuple(prompt)}")
        weights = [rng.random() + (8 if i < 4 else 0.1) for i in range(len(pieces))]
        while True:
            yield from rng.choices(pieces, weights)[0]

    return FakeBackend(script, tokenizer=Letters(), context=10_000)


def draw(policy: ThinkingPolicy, seed: int, limit: int) -> Trajectory:
    backend = noise(seed, (policy.closer_ids,) * 2)
    return asyncio.run(generate_thinking(backend, Letters(), (50,), KEY, policy.draw_limit(limit), policy, PARAMS))


def cut(policy: ThinkingPolicy, trajectory: Trajectory, limit: int) -> Thinking:
    return cut_thinking(trajectory, limit, policy)


RANDOM = {
    "shape": st.sampled_from(sorted(SHAPES)),
    "seed": st.integers(0, 10**6),
    "minimum": st.sampled_from([0, 0, 3, 9]),
    "n_extensions": st.sampled_from([0, 0, 1, 3]),
    "grace": st.sampled_from([0, 0, 1, 6]),
    "largest": st.integers(0, 40),
    "smaller": st.integers(0, 40),
}


@given(**RANDOM)
def test_no_cap_is_exceeded_no_minimum_undercut_and_a_sweep_equals_runs_of_their_own(
    shape: str, seed: int, minimum: int, n_extensions: int, grace: int, largest: int, smaller: int
) -> None:
    more = {"min_tokens": minimum, "n_extensions": n_extensions, "continuation_ids": WAIT, "grace": grace}
    rules = replace(SHAPES[shape], **more)  # type: ignore[arg-type]
    smaller, largest = sorted((smaller, largest))
    drawn = draw(rules, seed, largest)
    assert len(drawn.token_ids) <= rules.draw_limit(largest)
    swept, alone = cut(rules, drawn, smaller), cut(rules, draw(rules, seed, smaller), smaller)
    assert swept == alone
    for view, budget in ((swept, smaller), (cut(rules, drawn, largest), largest)):
        assert len(view.token_ids) <= rules.draw_limit(budget)
        if view.end in (ThinkingEnd.NATURAL, ThinkingEnd.EOS):
            assert len(view.token_ids) >= minimum
        else:
            assert view.end is ThinkingEnd.FORCED
            assert len(view.token_ids) >= min(budget, len(drawn.token_ids))
            assert view.closing_ids == rules.closing_ids
        if view.end is ThinkingEnd.NATURAL:
            assert Letters().decode(view.closing_ids).startswith(rules.closer)
            assert rules.own_ids <= {*view.closing_ids}


@given(shape=RANDOM["shape"], seed=RANDOM["seed"], limit=st.integers(1, 40))
def test_a_natural_end_is_the_first_delimiter_in_tokens_of_its_own(shape: str, seed: int, limit: int) -> None:
    rules = SHAPES[shape]
    drawn = draw(rules, seed, limit)
    ids, n = drawn.token_ids, len(rules.closer_ids)
    if shape != "spelled":
        assert all(ids[at : at + n] != rules.closer_ids for at in range(len(ids)))
    else:
        assert rules.closer not in Letters().decode([one for one in ids if one != CLOSE])
    if drawn.end is ThinkingEnd.NATURAL and shape not in ("one", "spelled"):
        assert drawn.end_ids == rules.closer_ids


def written(text: Sequence[int], rules: ThinkingPolicy, limit: int) -> Trajectory:
    """The thinking of a model that writes these tokens, then letters without end, wherever a draw begins."""

    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        yield from text[len(prompt) - 1 :]
        while True:
            yield 122

    backend = FakeBackend(script, tokenizer=Letters(), context=10_000)
    return asyncio.run(generate_thinking(backend, Letters(), (50,), KEY, rules.draw_limit(limit), rules, PARAMS))


def test_extensions_write_the_continuation_in_place_of_the_delimiter() -> None:
    rules = replace(ONE, n_extensions=2, continuation_ids=WAIT)
    # Each draw goes on where the continuation ends: two delimiters are withheld, the third ends the thinking.
    text = [97, 97, CLOSE, 0, 98, CLOSE, 0, 99, CLOSE]
    drawn = written(text, rules, 50)
    assert drawn.token_ids == (97, 97, *WAIT, 98, *WAIT, 99)
    assert (drawn.end, drawn.end_ids, drawn.extensions) == (ThinkingEnd.NATURAL, (CLOSE,), (2, 5))
    assert cut(rules, drawn, 3).token_ids == (97, 97, WAIT[0])  # a cap cuts a continuation too
    assert cut(rules, drawn, 3).end is ThinkingEnd.FORCED


@pytest.mark.parametrize("end", [CLOSE, EOS])
def test_ends_are_withheld_until_the_minimum_is_reached(end: int) -> None:
    rules = replace(ONE, min_tokens=6, continuation_ids=WAIT)
    drawn = written([97, end, 0, end, 0, end, 0, 98], rules, 50)
    assert drawn.token_ids[:5] == (97, *WAIT, *WAIT)
    assert drawn.extensions[:2] == (1, 3)
    assert len(drawn.token_ids) >= 6


def test_a_budget_below_the_minimum_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"min_tokens 6 do not fit: .* Ask for min_tokens <= 5"):
        replace(ONE, min_tokens=6, context=11).thinking_limit("unlimited", 1)
    with pytest.raises(ConfigError, match="min_tokens 6 do not fit"):
        replace(ONE, min_tokens=6, max_total_tokens=5).thinking_limit("unlimited", 1)
    assert replace(ONE, min_tokens=5, context=11).thinking_limit("unlimited", 1) == 5
    with pytest.raises(ConfigError, match="thinking budget 5 is below min_tokens 6"):
        replace(ONE, min_tokens=6).thinking_limit(5, 1)


LINES = [97, 97, 97, NEWLINE, 98, 98, 98, 98, NEWLINE, 99, CLOSE]


@pytest.mark.parametrize(
    ("limit", "grace", "n", "end"),
    [
        (2, 5, 4, ThinkingEnd.FORCED),  # to the end of the line, its break included
        (4, 5, 4, ThinkingEnd.FORCED),  # right after a line: nothing more
        (5, 2, 7, ThinkingEnd.FORCED),  # the line is longer than the grace
        (5, 4, 9, ThinkingEnd.FORCED),
        (5, 3, 8, ThinkingEnd.FORCED),
        (9, 3, 9, ThinkingEnd.FORCED),
        (10, 3, 10, ThinkingEnd.NATURAL),
        (0, 5, 0, ThinkingEnd.FORCED),
    ],
)
def test_a_cut_at_the_end_of_the_line(limit: int, grace: int, n: int, end: ThinkingEnd) -> None:
    rules = replace(ONE, grace=grace)
    view = cut(rules, written(LINES, rules, limit), limit)
    assert (len(view.token_ids), view.end) == (n, end)
    assert view == cut(rules, written(LINES, rules, 40), limit)


def test_an_end_within_the_line_of_the_limit_is_kept() -> None:
    rules = replace(ONE, grace=5)
    assert cut(rules, written([97, 98, 99, CLOSE], rules, 2), 2) == Thinking((97, 98, 99), ThinkingEnd.NATURAL, (CLOSE,))
    exact = cut(ONE, written([97, 98, 99, CLOSE], ONE, 2), 2)
    assert exact == Thinking((97, 98), ThinkingEnd.FORCED, (CLOSE,))


@pytest.mark.parametrize(
    ("share", "n", "end"),
    [
        *((share, n, ThinkingEnd.FORCED) for share, n in ((0.0, 0), (0.1, 1), (0.3, 3), (0.99, 9))),
        (1.0, 10, ThinkingEnd.NATURAL),
    ],
)
def test_a_share_of_a_thinking_that_ended_by_itself(share: float, n: int, end: ThinkingEnd) -> None:
    drawn = written([*[97] * 10, CLOSE], ONE, 50)
    view = cut_share(drawn, share, ONE)
    assert (len(view.token_ids), view.end, view.closing_ids) == (n, end, (CLOSE,))


@pytest.mark.parametrize(("text", "end"), [([97, EOS], ThinkingEnd.EOS), ([97] * 99, ThinkingEnd.LENGTH)])
def test_a_thinking_that_did_not_end_by_itself_has_no_share(text: list[int], end: ThinkingEnd) -> None:
    drawn = written(text, ONE, 20)
    view = cut_share(drawn, 0.5, ONE)
    assert (view.end, view.token_ids) == (end, drawn.token_ids)
    assert asyncio.run(generate_answer(noise(0, ()), (50,), view, ONE, PARAMS)) is None


QUOTED = list(map(ord, "<|s|>f<|m|>"))


@pytest.mark.parametrize(
    ("rules", "text", "n", "end"),
    [
        (OWN, [97, TURN, ord("f"), MESSAGE], 1, ThinkingEnd.NATURAL),
        (OWN, [97, *QUOTED, 98, TURN, ord("f"), MESSAGE], 13, ThinkingEnd.NATURAL),  # a quotation in ordinary tokens
        (OWN, [97, TURN, 98, TURN, ord("f"), MESSAGE], 3, ThinkingEnd.NATURAL),  # a delimiter that is not finished
        (OWN, [97, EOS], 1, ThinkingEnd.EOS),
        (SPELLED, [97, *map(ord, "</t</t>")], 4, ThinkingEnd.NATURAL),
        (HARMONY, [97, END, TURN, ord("f"), MESSAGE], 1, ThinkingEnd.NATURAL),
        (HARMONY, [97, END, TURN, ord("a"), MESSAGE, 98, END, TURN, ord("f"), MESSAGE], 6, ThinkingEnd.NATURAL),
        (HARMONY, [97, END, 98, 98, 98, 98, 98], 1, ThinkingEnd.EOS),
        (HARMONY, [97, END, EOS], 1, ThinkingEnd.EOS),
        (CLOVA, [97, END, NEWLINE, TURN], 1, ThinkingEnd.NATURAL),
        (CLOVA, [97, END, 98], 1, ThinkingEnd.EOS),  # the turn ended; what follows was made up
        (CLOVA, [97, END, NEWLINE, 98, END, NEWLINE, TURN], 1, ThinkingEnd.EOS),
    ],
)
def test_delimiters_of_several_tokens(rules: ThinkingPolicy, text: list[int], n: int, end: ThinkingEnd) -> None:
    drawn = written(text, rules, 50)
    assert (len(drawn.token_ids), drawn.end) == (n, end)
    assert drawn.token_ids == tuple(text[:n])
    for limit in range(1, 50):
        alone = cut(rules, written(text, rules, limit), limit)
        assert alone == cut(rules, drawn, limit)
        assert alone.end is (end if n <= limit else ThinkingEnd.FORCED)


@pytest.mark.parametrize("body", range(6))
def test_an_end_right_at_the_limit_is_seen_after_a_withheld_one_as_in_a_sweep(body: int) -> None:
    # One end is withheld; the continuation fills the limit, and the next end comes at once.
    text, rules = [*[97] * body, CLOSE, 0, CLOSE, EOS], replace(ONE, n_extensions=1, continuation_ids=WAIT)
    limit = body + len(WAIT)
    alone, swept = written(text, rules, limit), written(text, rules, limit + 5)
    assert cut_thinking(alone, limit, rules) == cut_thinking(swept, limit, rules)
    assert (len(alone.token_ids), alone.end) == (limit, ThinkingEnd.NATURAL)
