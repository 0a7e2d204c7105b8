"""Seals of logs: what breaks them, and what does not."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.store.sealing import LOG_PARTS, SAMPLE_PARTS, SEAL, broken_log_part, broken_part, seal_log, seal_sample

SAMPLE: dict[str, Any] = {
    "id": "q", "epoch": 1, "input": "Add.", "target": "3", "choices": ["3", "4"],
    "messages": [{"role": "user", "content": "Add."}, {"role": "assistant", "content": [{"type": "text", "text": "3"}]}],
    "output": {"choices": [{"message": {"role": "assistant", "content": "3"}, "stop_reason": "stop"}]},
    "scores": {"math": {"value": 1.0, "answer": "3", "history": []}},
    "metadata": {"budget": 4}, "store": {"raml_eval:sample": "{}"},
}  # fmt: skip
LOG: dict[str, Any] = {
    "eval": {"run_id": "r", "task": "t", "model": "m", "metadata": {"run": "x"}},
    "results": {
        "total_samples": 1,
        "scores": [{"name": "math", "metrics": {"accuracy": {"value": 1.0, "metadata": {"low": 0.5}}}}],
    },
}


def sealed(**changes: Any) -> dict[str, Any]:
    sample = copy.deepcopy(SAMPLE)
    sample["store"][SEAL] = seal_sample(SAMPLE, "r")
    return {**sample, **changes}


def test_what_says_the_same_in_another_way_is_intact() -> None:
    attached = {"role": "assistant", "content": [{"text": "attachment://9f", "type": "text", "refusal": None}]}
    for other in (
        sealed(),
        sealed(scores={"math": {"answer": "3", "value": 1, "metadata": None}}),
        sealed(messages=[SAMPLE["messages"][0], attached], attachments={"9f": "3"}),
        sealed(metadata={"budget": 4.0, "more": None}, uuid="another", model_usage={}),
        sealed(store={**sealed()["store"], "theirs": 1}),
    ):
        assert broken_part(json.loads(json.dumps(other)), "r") == ""


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("key", {"id": "p"}), ("key", {"epoch": 2}), ("question", {"choices": ["3"]}),
        ("question", {"messages": SAMPLE["messages"][1:]}),
        ("question", {"input": [{"role": "user", "content": "?"}]}), ("target", {"target": ["3"]}), ("answer", {"output": {}}),
        ("answer", {"messages": SAMPLE["messages"][:1]}), ("scores", {"scores": {}}), ("scores", {"scores": None}),
        ("scores", {"scores": {"math": {**SAMPLE["scores"]["math"], "history": [{"value": 1.0}]}}}),
        ("metadata", {"metadata": {}}), ("store", {"store": {**sealed()["store"], "raml_eval:more": "{}"}}),
    ],
)  # fmt: skip
def test_each_part_is_told(part: str, changes: dict[str, Any]) -> None:
    assert broken_part(sealed(**changes), "r") == SAMPLE_PARTS[part]


def test_a_sample_of_another_run_and_a_seal_that_is_none() -> None:
    assert broken_part(sealed(), "another") == "the id or the epoch"
    for seal in (None, 1, "{", "[]", "{}", json.dumps({**json.loads(seal_sample(SAMPLE, "r")), "more": ""})):
        assert broken_part({**SAMPLE, "store": {**SAMPLE["store"], SEAL: seal}}, "r") == "its seal"
    assert broken_part(SAMPLE, "r") == "its seal"


def test_the_parts_of_a_log() -> None:
    log = copy.deepcopy(LOG)
    log["eval"]["metadata"][SEAL] = seal_log(LOG)
    assert broken_log_part(log) == ""
    for part, place, key, value in (
        ("spec", log["eval"], "task", "u"), ("metadata", log["eval"]["metadata"], "run", "y"),
        ("results", log["results"], "total_samples", 2), ("results", log["results"], "scores", []),
    ):  # fmt: skip
        before, place[key] = place[key], value
        assert broken_log_part(log) == LOG_PARTS[part]
        place[key] = before


@given(st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_two_targets_have_one_seal_only_if_they_are_equal(one: str, other: str) -> None:
    seals = [seal_sample({**SAMPLE, "target": text}, "r") for text in (one, other)]
    assert (seals[0] == seals[1]) == (one == other)
