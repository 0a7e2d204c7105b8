"""Budgets at their boundaries: which thinking is kept, how it ends, and what the answer is drawn from."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.backends.fake import FakeBackend
from raml_eval.errors import ConfigError
from raml_eval.thinking import (
    NO_THINKING,
    ThinkingPolicy,
    answer_text,
    cut_thinking,
    derive_seed,
    generate_answer,
    generate_thinking,
    serves,
)
from raml_eval.types import SampleKey, SamplingParams, ThinkingEnd, Trajectory

EOS, CLOSE, BOX = 1, 2, 3
KEY = SampleKey("task", "0-abcdef", 0)
POLICY = ThinkingPolicy("</t>", (CLOSE,), (CLOSE,), (EOS,), answer_tokens=4, max_total_tokens=None, context=100)
PARAMS = SamplingParams(1.0, 1.0, 0, 0.0, 1.0, max_tokens=1, seed=7, stop_ids=(EOS,))


class Letters:
    """A tokenizer whose ids are character codes; the named ids stand for the delimiter and the end of text."""

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return list(map(ord, text))

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        names = {EOS: "" if skip_special_tokens else "<eos>", CLOSE: "</t>"}
        return "".join(names.get(i, chr(i)) for i in token_ids)


def thinks(n: int, end: int = CLOSE) -> FakeBackend:
    """A model that thinks n tokens, then writes end, then answers without end."""

    def script(prompt: Sequence[int], params: SamplingParams) -> Iterator[int]:
        yield from ([100 + i for i in range(n)] + [end] if CLOSE not in prompt else [])
        while True:
            yield BOX

    return FakeBackend(script, context=100)


def think(n: int, limit: int, end: int = CLOSE, policy: ThinkingPolicy = POLICY) -> Trajectory:
    return asyncio.run(generate_thinking(thinks(n, end), Letters(), (50,), KEY, limit, policy, PARAMS))


@pytest.mark.parametrize(
    ("n", "limit", "end"),
    [
        (0, 1, ThinkingEnd.NATURAL),
        (7, 8, ThinkingEnd.NATURAL),
        (8, 8, ThinkingEnd.NATURAL),  # the delimiter stands right after the last allowed token
        (9, 8, ThinkingEnd.LENGTH),
        (40, 8, ThinkingEnd.LENGTH),
        (0, 0, ThinkingEnd.LENGTH),  # a budget of 0 draws nothing, so nobody knows
    ],
)
def test_natural_at_b_iff_at_most_b_tokens_before_the_delimiter(n: int, limit: int, end: ThinkingEnd) -> None:
    trajectory = think(n, limit)
    assert trajectory.end is end
    assert len(trajectory.token_ids) == min(n, limit)
    assert trajectory.end_ids == ((CLOSE,) if end is ThinkingEnd.NATURAL else ())
    assert CLOSE not in trajectory.token_ids


@pytest.mark.parametrize(("n", "end"), [(8, ThinkingEnd.EOS), (9, ThinkingEnd.LENGTH)])
def test_a_turn_that_ends_inside_the_thinking(n: int, end: ThinkingEnd) -> None:
    trajectory = think(n, 8, end=EOS)
    assert (trajectory.end, len(trajectory.token_ids)) == (end, 8)
    view = cut_thinking(trajectory, 8, POLICY)
    assert view.end is (ThinkingEnd.EOS if n == 8 else ThinkingEnd.FORCED)
    assert cut_thinking(trajectory, 7, POLICY).end is ThinkingEnd.FORCED


@given(n=st.integers(0, 30), largest=st.integers(1, 30), smaller=st.integers(0, 30))
def test_a_cut_sweep_equals_a_run_of_its_own(n: int, largest: int, smaller: int) -> None:
    smaller = min(smaller, largest)
    swept = cut_thinking(think(n, largest), smaller, POLICY)
    alone = cut_thinking(think(n, smaller), smaller, POLICY)
    assert swept == alone
    assert len(swept.token_ids) <= smaller


@given(n=st.integers(0, 12), limit=st.integers(1, 12), spelling=st.sampled_from(["</t>", "x</t>", "</t>\n"]))
def test_a_delimiter_of_several_tokens(n: int, limit: int, spelling: str) -> None:
    # One character a token: the delimiter takes four, and may come with neighbours in a coarser spelling.
    policy = replace(POLICY, closer_ids=tuple(map(ord, "</t>")), closing_ids=tuple(map(ord, "</t>")))
    text = "a" * n + spelling.strip("\n")
    before = text.index("</t>")

    def script(prompt: Sequence[int], params: SamplingParams) -> Iterable[int]:
        yield from map(ord, text + "b" * 50)

    backend = FakeBackend(script, tokenizer=Letters(), context=100)
    trajectory = asyncio.run(generate_thinking(backend, Letters(), (50,), KEY, limit, policy, PARAMS))
    if before <= limit:
        assert trajectory.end is ThinkingEnd.NATURAL
        assert trajectory.token_ids == tuple(map(ord, text[:before]))
        assert trajectory.end_ids == tuple(map(ord, "</t>"))
    else:
        assert trajectory.end is ThinkingEnd.LENGTH
        assert trajectory.token_ids == tuple(map(ord, text[:limit]))


def test_a_delimiter_whose_last_token_holds_more() -> None:
    class Coarse(Letters):
        def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = False) -> str:
            return "".join({900: ".</", 901: "t>\n"}.get(i, chr(i)) for i in token_ids)

    policy = replace(POLICY, closer_ids=(900, 901), closing_ids=(900, 901))
    backend = FakeBackend(lambda p, s: iter([97, 98, 900, 901, 97]), tokenizer=Coarse(), context=100)
    trajectory = asyncio.run(generate_thinking(backend, Coarse(), (50,), KEY, 2, policy, PARAMS))
    assert (trajectory.token_ids, trajectory.end_ids, trajectory.end) == ((97, 98), (900, 901), ThinkingEnd.NATURAL)


def test_forced_end_writes_the_closing_text_and_a_natural_one_does_not() -> None:
    policy = replace(POLICY, closing_ids=(80, 81, CLOSE))
    trajectory = think(8, 20, policy=policy)
    assert cut_thinking(trajectory, 5, policy).closing_ids == (80, 81, CLOSE)
    assert cut_thinking(trajectory, 8, policy).closing_ids == (CLOSE,)


def test_budget_zero_is_always_forced() -> None:
    assert cut_thinking(think(0, 5), 0, POLICY).end is ThinkingEnd.FORCED


def test_an_open_trajectory_cannot_be_read_beyond_its_limit() -> None:
    trajectory = think(30, 8)
    assert serves(trajectory, 8)
    assert not serves(trajectory, 9)
    with pytest.raises(ValueError, match="cannot be read at 9"):
        cut_thinking(trajectory, 9, POLICY)


def test_a_total_cap_ends_the_thinking_open_and_leaves_no_answer() -> None:
    policy = replace(POLICY, max_total_tokens=10)
    assert policy.thinking_limit("unlimited", 5) == 10
    assert policy.thinking_limit(10, 5) == 10
    with pytest.raises(ConfigError, match="budget 64 exceeds max_total_tokens 10"):
        policy.thinking_limit(64, 5)
    view = cut_thinking(think(30, 10, policy=policy), 10, policy)
    assert view.end is ThinkingEnd.LENGTH
    assert asyncio.run(generate_answer(thinks(0), (50,), view, policy, PARAMS)) is None
    assert cut_thinking(think(30, 10, policy=policy), 9, policy).end is ThinkingEnd.FORCED


@pytest.mark.parametrize(("n", "answer"), [(3, 4), (7, 3), (9, 1), (10, None)])
def test_a_total_cap_shortens_the_answer(n: int, answer: int | None) -> None:
    policy = replace(POLICY, max_total_tokens=10)
    view = cut_thinking(think(n, 10, policy=policy), 10, policy)
    completion = asyncio.run(generate_answer(thinks(0), (50,), view, policy, PARAMS))
    assert (None if completion is None else len(completion.token_ids)) == answer


def test_unlimited_is_what_the_context_leaves() -> None:
    # 100 of context, 20 of prompt, 1 of delimiter, 4 of answer.
    assert POLICY.thinking_limit("unlimited", 20) == 75
    assert POLICY.thinking_limit(75, 20) == 75


@pytest.mark.parametrize(("budget", "n_prompt"), [(76, 20), ("unlimited", 95), (0, 96)])
def test_what_does_not_fit_is_refused(budget: int | str, n_prompt: int) -> None:
    with pytest.raises(ConfigError, match="context of 100"):
        POLICY.thinking_limit(budget, n_prompt)


def test_a_total_cap_over_the_context_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_total_tokens 90 does not fit"):
        replace(POLICY, max_total_tokens=90).thinking_limit(8, 20)


def test_no_thinking_answers_at_once() -> None:
    completion = asyncio.run(generate_answer(thinks(0, EOS), (50, CLOSE), NO_THINKING, POLICY, PARAMS))
    assert completion is not None
    assert completion.token_ids == (BOX,) * 4


def test_seeds_are_fixed_for_ever() -> None:
    # These numbers are part of the protocol: changing them changes every sampled result.
    assert derive_seed(0, KEY, "thinking") == 635965817943821313
    assert derive_seed(0, KEY, "answer", 5, (CLOSE,)) != derive_seed(0, KEY, "answer", 6, (CLOSE,))
    assert len({derive_seed(s, replace(KEY, index=i), "thinking") for s in range(20) for i in range(20)}) == 400
    assert all(0 <= derive_seed(s, KEY, "thinking") < 2**63 for s in range(50))


@pytest.mark.parametrize(
    ("text", "stop", "kept"),
    [
        ("\n\nA: 5\n\nQ: next", ("\n\n",), "\n\nA: 5"),
        ("5 Question: 6", ("Question:",), "5 "),
        ("Question: 6", ("Question:",), "Question: 6"),  # the first character that is not blank is never a stop
        ("no stop here", ("zzz", ""), "no stop here"),
        ("   ", ("\n",), "   "),
    ],
)
def test_stop_strings_act_in_the_answer_only_after_its_first_character(text: str, stop: tuple[str, ...], kept: str) -> None:
    assert answer_text(list(map(ord, text)), Letters(), stop) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("<response>5</response>", "5"),
        ("\n\n<response>\n5\n</response>\n", "\n5\n"),
        ("5</response>", "5"),  # the harness wrote the opener
        ("<response>5", "5"),
        ("see <response>5</response> there", "see <response>5</response> there"),
        ("<responses>5", "<responses>5"),
    ],
)
def test_the_tags_around_an_answer_are_no_part_of_it(text: str, kept: str) -> None:
    assert answer_text(list(map(ord, text)), Letters(), (), ("<response>",)) == kept


def test_an_opener_of_special_tokens_and_words_is_left_out_whole() -> None:
    ids = [10, CLOSE, *map(ord, "answer"), CLOSE, *map(ord, "B")]
    assert answer_text(ids, Letters(), (), ("</t>answer</t>",)) == "B"
    assert answer_text(ids, Letters(), ()) == "\n</t>answer</t>B"


def test_a_written_text_is_read_as_the_decoded_one_would_be() -> None:
    openers = ("<response>",)
    for text in ("\n<response> 5</response>", "It is 5. Q: next", "  <b>5", ""):
        ids = list(map(ord, text))
        assert answer_text((), Letters(), ("Q:",), openers, text) == answer_text(ids, Letters(), ("Q:",), openers)
