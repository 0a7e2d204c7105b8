"""What may end a thinking: equal endings once, marks that the vocabulary lacks never, and no lead twice."""

from __future__ import annotations

import pytest

from raml_eval.config import RunConfig, build_config
from raml_eval.diagnostics.roles.closings import BARE, NOTHING, OWN, Ending, find_endings
from raml_eval.diagnostics.subjects import Gold
from raml_eval.inputs import Model, build_policy, load_model
from raml_eval.thinking_formats import known_formats
from tests.scripted import Letters


@pytest.fixture(scope="module")
def pocket() -> tuple[RunConfig, Model]:
    config = build_config([{"model": "pocket", "tasks": ["pocket_chain"], "backend": "fake"}])
    return config, load_model(config)


def endings(pocket: tuple[RunConfig, Model], *texts: str) -> dict[str, Ending]:
    config, model = pocket
    found = find_endings(model.tokenizer, model.format, build_policy(config, model, 1000), texts)
    assert len({one.ids for one in found}) == len(found)
    return {one.name: one for one in found}


def test_equal_endings_are_one(pocket: tuple[RunConfig, Model]) -> None:
    found = endings(pocket, "</think>", "So,")
    assert found[NOTHING].ids == ()
    own = found[OWN]
    assert own.ids == tuple(pocket[1].tokenizer.encode("</think>", add_special_tokens=False))
    assert {BARE, "deepseek-r1", "think", "'</think>'"} <= {*own.others}
    assert pocket[1].tokenizer.decode(found["'So,'"].ids) == "So,"


def test_a_delimiter_that_would_be_spelled_is_left_out(pocket: tuple[RunConfig, Model]) -> None:
    names = {name for one in endings(pocket).values() for name in (one.name, *one.others)}
    vocabulary = pocket[1].tokenizer.get_added_vocab()
    assert "[/THINK]" not in vocabulary
    spelled = {fmt.name for fmt in known_formats().values() if fmt.closer in ("[/THINK]", "</seed:think>", "◁/think▷")}
    assert len(spelled) == 3
    assert not spelled & names
    assert "granite-3.2" in names  # "Here is my response:" is plain words


def test_the_closings_of_the_paper_are_among_them(pocket: tuple[RunConfig, Model]) -> None:
    found = endings(pocket)
    paper = found["raml-paper"]
    assert paper.after == "\n\n**Final Answer**\n\\boxed{"
    assert pocket[1].tokenizer.decode(paper.ids) == paper.after
    assert "qwen3 official" in found


def test_the_gold_follows_the_ending() -> None:
    probe = Ending("x", (9,), "\n").probe(Letters(), "\n\n", Gold("\\boxed{", "12"))
    assert probe.ids == (9, *map(ord, "\n\\boxed{12"))
    assert probe.n_scored == 2


def test_formats_can_be_left_out(pocket: tuple[RunConfig, Model]) -> None:
    config, model = pocket
    found = find_endings(model.tokenizer, model.format, build_policy(config, model, 1000), ["So,"], formats=False)
    assert [(one.name, one.others) for one in found] == [(NOTHING, ()), (OWN, (BARE,)), ("'So,'", ())]
