"""The mathematics tasks on their real rows, if a hub serves them: every row renders, every gold is right, a near miss wrong."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pytest

from raml_eval.grading import grade
from raml_eval.types import LoadedTask, Status
from tests.hub import load_in_new_process
from tests.test_tasks_catalogue import POLYMATH_TASKS

COUNTS = {  # task -> the questions that it keeps
    "aime24": 30,
    "aime25": 30,
    "aime26": 30,
    "amc23": 40,
    "gsm8k": 1319,
    "hmmt_feb25": 30,
    "hmmt_feb26": 33,
    "imo_answerbench": 373,
    "imo_answerbench_v1": 375,
    "livemathbench_en": 110,
    "livemathbench_hard_en": 19,
    "math500": 500,
    "math500_l5": 134,
    "math_perturb_hard": 279,
    "math_perturb_simple": 278,
    "minerva_math_272": 270,
    "olymmath_en_easy": 100,
    "olymmath_en_hard": 100,
    "olymmath_zh_easy": 100,
    "olymmath_zh_hard": 100,
    "olympiadbench": 672,
    **dict.fromkeys(POLYMATH_TASKS, 490),
}


@pytest.fixture(scope="module")
def loaded(real_hub_url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return load_in_new_process(list(COUNTS), real_hub_url, tmp_path_factory.mktemp("real") / "home")


def near_miss(gold: str) -> str:
    """The gold with one more in its last number; without a number, with the next option's letter or with one more added."""
    numbers = list(re.finditer(r"\d+", gold))
    letter = re.search(r"\(([A-E])\)", gold)
    if letter and not numbers:
        return gold.replace(letter[0], f"({chr(ord(letter[1]) + 1)})")
    if not numbers:
        return gold.strip().strip("$") + "+1"
    last = numbers[-1]
    return f"{gold[: last.start()]}{int(last[0]) + 1}{gold[last.end() :]}"


@pytest.mark.parametrize("name", COUNTS)
def test_every_gold_is_right_and_a_near_miss_wrong(loaded: dict[str, Any], name: str) -> None:
    task = loaded[name]
    assert isinstance(task, LoadedTask), task
    assert len(task.questions) == COUNTS[name]
    for question in task.questions:
        assert r"\boxed{}" in question.messages[-1]["content"]
        bare = re.sub(r"(?<!\\)\$", "", question.target).strip()
        for answer in (question.target, bare.replace(r"\frac", r"\dfrac")):
            assert grade(question.target, rf"It is \boxed{{{answer}}}.").status is Status.CORRECT, question.target
        missed = grade(question.target, rf"It is \boxed{{{near_miss(question.target)}}}.")
        assert missed.status in (Status.INCORRECT, Status.TIMEOUT), question.target  # one equation of motion times out


def test_strata(loaded: dict[str, Any]) -> None:
    parts = Counter(question.stratum for question in loaded["livemathbench_en"].questions)
    assert parts == {"AMC": 46, "CCEE": 36, "CNMO": 18, "WLPMC": 10}
    levels = Counter(question.stratum for question in loaded["polymath_th"].questions)
    assert levels == {"low": 125, "medium": 123, "high": 124, "top": 118}


def test_the_hard_part_is_a_part_of_the_four(loaded: dict[str, Any]) -> None:
    every = {question.cluster for question in loaded["livemathbench_en"].questions}
    assert {question.cluster for question in loaded["livemathbench_hard_en"].questions} < every


def test_translations_have_the_same_golds(loaded: dict[str, Any]) -> None:
    english = {question.cluster: question.target for question in loaded["polymath_en"].questions}
    for name in POLYMATH_TASKS:
        assert {question.cluster: question.target for question in loaded[name].questions} == english


def test_perturbed_problems_are_near_their_originals(loaded: dict[str, Any]) -> None:
    """Each of the twelve pairs shares most of its words, and both perturbations have the pair."""
    originals = {question.cluster: words(question) for question in loaded["math500_l5"].questions}
    for name in ("math_perturb_simple", "math_perturb_hard"):
        pairs = [question for question in loaded[name].questions if question.cluster in originals]
        assert len(pairs) == 12
        for question in pairs:
            assert (originals[question.cluster] & words(question)).total() > 0.6 * originals[question.cluster].total()


def words(question: Any) -> Counter[str]:
    return Counter(re.findall(r"\w+", question.messages[0]["content"].lower()))
