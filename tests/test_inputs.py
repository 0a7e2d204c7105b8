"""What a run checks before its engine starts."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from raml_eval.checkpoint import Checkpoint
from raml_eval.config import RunConfig, build_config
from raml_eval.errors import ModelError
from raml_eval.inputs import Model, build_policy, choose_questions, load_model
from raml_eval.thinking_formats import find_format, known_formats
from raml_eval.types import Budget, LoadedTask, Question
from tests.factory import describe_task


def configure(**settings: Any) -> RunConfig:
    return build_config([{"model": "pocket", "tasks": ["t"], **settings}])


MODEL = load_model(configure())


def test_the_weights_are_read_when_the_fingerprint_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Checkpoint] = []
    take = Checkpoint.fingerprint
    monkeypatch.setattr(Checkpoint, "fingerprint", lambda self: taken.append(self) or take(self))
    model = load_model(configure())
    assert not taken
    assert model.digest == model.fingerprint.digest == MODEL.digest
    assert taken == [model.checkpoint]


@pytest.mark.parametrize(
    ("name", "asked", "drawn"),
    [
        ("qwen3", (0, "unlimited", "off", "frac:0.5"), (0, "unlimited", "off", "frac:0.5")),
        ("none", ("unlimited",), ("off",)),
        ("none", ("off", "unlimited"), ("off",)),
        ("harmony", ("effort:low", 64), ("effort:low", 64)),
        ("seed-oss", ("hint:512",), ("hint:512",)),
    ],
)
def test_the_budgets_that_a_format_can_have(name: str, asked: tuple[Budget, ...], drawn: tuple[Budget, ...]) -> None:
    assert replace(MODEL, format=find_format(name)).choose_budgets(asked) == drawn


@pytest.mark.parametrize(
    ("name", "budget", "said"),
    [
        ("none", 64, "does not think, as format none says"),
        ("none", "frac:0.5", "does not think"),
        ("harmony", "effort:none", "takes low, medium, high. Ask for one of these"),
        ("qwen3", "effort:low", "takes no effort. Leave it out"),
        ("qwen3", "hint:512", "take no number of thinking tokens"),
        ("seed-oss", "hint:0", "turns thinking off in format seed-oss. Ask for off, or for 0"),
    ],
)
def test_the_budgets_that_a_format_cannot_have(name: str, budget: Budget, said: str) -> None:
    with pytest.raises(ModelError, match=re.escape(said)):
        replace(MODEL, format=find_format(name)).choose_budgets([budget])


@pytest.mark.parametrize(("prompt", "stop"), [("chat", ("</s>",)), ("plain", ("\n\n", "Q:", ".", "</s>"))])
def test_only_marks_end_an_answer_under_a_chat_template(prompt: str, stop: tuple[str, ...]) -> None:
    question = Question(
        "t", "0-a", "0-a", {}, ({"role": "user", "content": "?"},), "1", "math", stop=("\n\n", "Q:", ".", "</s>")
    )
    task = LoadedTask(describe_task("t", "in_domain"), (question,), "hash")
    model: Model = load_model(configure(prompt=prompt))
    assert choose_questions({"t": task}, None, model)["t", "0-a"].stop == stop


def test_a_policy_holds_what_the_configuration_asks_for() -> None:
    plain = build_policy(configure(), MODEL, 100)
    assert (plain.grace, plain.min_tokens, plain.n_extensions, plain.continuation_ids, plain.answer_prefix) == (0, 0, 0, (), "")
    assert plain.marks == ("<think>", "</think>")
    thinking = {"cut": "newline", "grace": 9, "extensions": 2, "continuation": "Hm", "closing": {"before": "\n", "after": "So"}}
    policy = build_policy(configure(thinking=thinking), MODEL, 100)
    encode = MODEL.tokenizer.encode
    assert (policy.grace, policy.n_extensions, policy.answer_prefix) == (9, 2, "So")
    assert policy.continuation_ids == tuple(encode("Hm"))
    assert policy.closing_ids == (*encode("\n"), *plain.closer_ids, *encode("So"))
    assert policy.ends_line(encode("\n")[0])
    assert not policy.ends_line(encode("a")[0])
    paper = build_policy(configure(thinking={"closing": "raml-paper"}), MODEL, 100)
    assert paper.closing_ids == tuple(encode("\n\n**Final Answer**\n\\boxed{"))
    none = build_policy(configure(), replace(MODEL, format=known_formats()["none"]), 100)
    assert {"<think>", "[THINK]", "<|channel|>analysis<|message|>"} <= {*none.marks}
    assert "Here is my response:" not in none.marks
