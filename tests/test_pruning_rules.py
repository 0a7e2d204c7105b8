"""What each rule keeps and what it drops, on both sides."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.diagnostics.pruning.rules import (
    LEADS,
    is_cut,
    parse_rule,
    parse_rules,
    reflects,
    share_of_tokens,
    text_of,
)
from raml_eval.errors import ConfigError
from raml_eval.reflection import REFLECTIONS


def kept(rule: str, text: str) -> str:
    spans = parse_rule(rule).spans
    assert spans is not None
    return text_of(text, spans(text))


CASES = [
    ("first:1", "a+b=3\nc+d=4\n", "a+b=3\n"),
    ("first:2", "One. Two. Three.", "One. Two."),
    ("first:9", "One. Two.", "One. Two."),
    ("first:1", "1. Take 3.14 m. Then 5.", "1. Take 3.14 m."),
    ("last:1", "a+b=3\nc+d=4\n", "c+d=4\n"),
    ("last:2", "One. Two. Three.", " Two. Three."),
    ("last:1", "是 3。对。", "对。"),
    ("no-reflections", "It is 3. Wait, it is 4. So 4.", "It is 3. So 4."),
    ("no-reflections", "We wait 3 days. Then 4.", "We wait 3 days. Then 4."),  # in the middle it stays
    ("no-reflections", "Waiters carry 3.", "Waiters carry 3."),
    ("no-reflections", "2+2=4\nHmm.\n4+1=5\n", "2+2=4\n4+1=5\n"),
    ("no-reflections", "1. But wait, no.\n2. Yes.", "2. Yes."),
    ("no-reflections", "But it is 3. Oh, nice.", "But it is 3. Oh, nice."),  # a lead alone is no reflection
    ("no-reflections", "答案是 3。等等，不对。是 4。", "答案是 3。是 4。"),
    ("no-reflections", "```\nwait for it\n```\n", "```\nwait for it\n```\n"),
    ("no-reflections", "\\[\nwait = 3\n\\]\n", "\\[\nwait = 3\n\\]\n"),
    ("no-reflections", "Wait. Hmm.", ""),
    ("no-repeats", "2+2=4\n4+1=5\n2+2=4\n", "2+2=4\n4+1=5\n"),
    ("no-repeats", "So 3.  So  3. So 4.", "So 3. So 4."),
    ("no-repeats", "Let x = 3. Let X = 3.", "Let x = 3. Let X = 3."),  # another letter
    ("no-repeats", "---\na\n---\n", "---\na\n---\n"),
    ("no-repeats", "```\nreturn x\nreturn x\n```\n", "```\nreturn x\nreturn x\n```\n"),
    ("no-repeats", "是 3。是 3。", "是 3。"),
]


@pytest.mark.parametrize(("rule", "text", "wanted"), CASES)
def test_a_rule_keeps(rule: str, text: str, wanted: str) -> None:
    assert kept(rule, text) == wanted


@pytest.mark.parametrize(("lead", "example"), LEADS.items())
def test_a_lead_may_stand_before_a_reflection(lead: str, example: str) -> None:
    assert example.lower().startswith(lead)
    assert reflects(example)
    assert not reflects(f"{lead}, 12 is even." if lead.isascii() else f"{lead}是 12。")


@pytest.mark.parametrize("phrase", [phrase for phrases in REFLECTIONS.values() for phrase in phrases])
def test_every_reflection_begins_a_sentence_that_is_dropped(phrase: str) -> None:
    assert reflects(f" {phrase.capitalize()}, 12")
    assert not reflects(f"12 x {phrase}")


ALL = ["first:2", "last:2", "no-reflections", "no-repeats"]


@given(st.text(alphabet='aW .!?\n1"wait', max_size=120), st.sampled_from(ALL))
def test_spans_are_in_order_and_apart(text: str, rule: str) -> None:
    keep = parse_rule(rule).spans
    assert keep is not None
    spans = keep(text)
    assert all(a < b for a, b in spans)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(spans))


def test_a_share_is_rounded_down_as_a_budget_is() -> None:
    assert [share_of_tokens(10, share) for share in (0, 0.3, 0.35, 0.999, 1)] == [0, 3, 3, 9, 10]
    assert parse_rule("share:0.50").name == "share:0.5"
    assert is_cut("share:0.5")
    assert is_cut("first:2")
    assert not is_cut("last:2")


@pytest.mark.parametrize("text", ["first", "first:0", "first:-1", "last:x", "share:2", "share:nan", "no-repeats:3", "x", ""])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="wanted first:K"):
        parse_rule(text)


def test_rules_are_asked_for_once() -> None:
    assert [rule.name for rule in parse_rules(["last:1", "no-repeats", "last:1"])] == ["last:1", "no-repeats"]
    with pytest.raises(ConfigError, match="no rule is given"):
        parse_rules([])
