"""The tasks on their real rows, if a hub serves them. GPQA's rows on the mirror are invented."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raml_eval.types import LoadedTask
from tests.hub import load_in_new_process
from tests.test_tasks_catalogue import HUB_TASKS


@pytest.fixture(scope="module")
def loaded(real_hub_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return load_in_new_process(HUB_TASKS, real_hub_url, tmp_path_factory.mktemp("real") / "home")


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("aime24", 30),
        ("math500", 500),
        ("math500_l5", 134),
        ("gsm8k", 1319),
        ("gpqa_diamond", 198),
        ("mmlu_pro", 12032),
        ("arc_challenge", 1172),
    ],
)
def test_every_row_is_a_question(loaded: dict[str, LoadedTask], name: str, count: int) -> None:
    assert len(loaded[name].questions) == count


@pytest.mark.parametrize(
    ("name", "words", "target"),
    [
        ("aime24", "Every morning Aya goes", "204"),
        ("aime24", "Eight circles of radius $34$", "197"),
        ("math500", "Convert the point $(0,3)$", r"\left( 3, \frac{\pi}{2} \right)"),
        ("math500_l5", r"p = \sum_{k = 1}^\infty \frac{1}{k^2}", "p - q"),
        ("gsm8k", "ducks lay 16 eggs per day", "18"),
        ("mmlu_pro", "Typical advertising regulatory bodies suggest", "I"),
        ("arc_challenge", "a planet rotates faster after a meteorite impact", "C"),
    ],
)
def test_known_targets(loaded: dict[str, LoadedTask], name: str, words: str, target: str) -> None:
    targets = [question.target for question in loaded[name].questions if words in question.messages[0]["content"]]
    assert targets == [target]


def test_level_5_is_a_part_of_math500(loaded: dict[str, LoadedTask]) -> None:
    every = {question.id: question for question in loaded["math500"].questions}
    for question in loaded["math500_l5"].questions:
        assert every[question.id].messages == question.messages
        assert every[question.id].stratum == "5"


def test_targets_are_clean(loaded: dict[str, LoadedTask]) -> None:
    assert all(question.target.lstrip("-").isdigit() for question in loaded["gsm8k"].questions)
    assert all(0 <= int(question.target) < 1000 for question in loaded["aime24"].questions)
    keys = [question.doc["answerKey"] for question in loaded["arc_challenge"].questions]
    assert sum(key.isdigit() for key in keys) == 22
    for question, key in zip(loaded["arc_challenge"].questions, keys, strict=True):
        assert question.target == (key if key.isalpha() else "ABCDE"[int(key) - 1])


def test_made_up_rows_are_marked(loaded: dict[str, LoadedTask]) -> None:
    for name in HUB_TASKS:
        made_up = [question.synthetic for question in loaded[name].questions]
        if name == "gpqa_diamond" and "SYNTHETIC" in loaded[name].questions[0].messages[0]["content"]:
            assert all(made_up)
        else:
            assert not any(made_up), name


def test_two_fresh_caches_give_the_same_gpqa(loaded: dict[str, Any], real_hub_url: str, tmp_path: Path) -> None:
    again = load_in_new_process(["gpqa_diamond"], real_hub_url, tmp_path / "home")["gpqa_diamond"]
    assert again == loaded["gpqa_diamond"]
    assert len({question.target for question in again.questions}) == 4
