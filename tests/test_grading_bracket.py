"""Answers in double square brackets: extraction, equality, and the real golds of KOR-Bench where they are at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import TaskError
from raml_eval.grading.bracket.equal import equal_bracket, same_bracket
from raml_eval.grading.bracket.extract import extract_bracket, strip_brackets
from raml_eval.grading.kinds import extract_answer
from raml_eval.grading.pool import GradingPool
from raml_eval.types import Finish, Question, Status
from tests.cases import bracket as cases

KOR = Path(__file__).resolve().parents[2] / "shared" / "hub" / "m-a-p" / "KOR-Bench"
CATEGORIES = ("cipher", "counterfactual", "logic", "operation", "puzzle")


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    pool = GradingPool(workers=1, timeout_s=60.0)
    yield pool
    pool.close()


@pytest.mark.parametrize(("text", "answer"), cases.EXTRACTED)
def test_extraction(text: str, answer: str) -> None:
    assert (extract_answer(text, "bracket").answer or "") == answer


@pytest.mark.parametrize(("gold", "answer", "equal"), cases.EQUAL)
def test_equality(gold: str, answer: str, equal: bool) -> None:
    decision = equal_bracket(gold, answer)
    assert decision is not None
    assert decision[0] is equal
    assert decision[1]


@pytest.mark.parametrize(("gold", "answer", "equal"), cases.SYMBOLIC)
def test_formulas_are_compared_as_formulas(pool: GradingPool, gold: str, answer: str, equal: bool) -> None:
    decision = equal_bracket(gold, answer)
    assert decision is None or decision[0] == equal
    verdict = pool.grade_blocking(gold, f"So [[{answer}]].", "bracket")
    assert verdict.status is (Status.CORRECT if equal else Status.INCORRECT)
    assert verdict.rule == "in brackets"


@pytest.mark.parametrize("gold", ["", " ", "[[]]", "[[ ]]", '{"answers": []}', '{"answers": 7}', '{"answers": [""]}'])
def test_a_gold_without_an_answer_is_an_error(gold: str) -> None:
    with pytest.raises(TaskError, match="holds no answer"):
        equal_bracket(gold, "7")


def test_alternatives_and_parts_in_several_brackets_count_together() -> None:
    assert extract_bracket("[[4]] or [[-12]]").answer == "4 or -12"
    assert extract_bracket("[[A]]; [[C]]").answer == "[A];[C]"
    assert equal_bracket("[[A]]", "A or B") == (False, "text")


def test_answers_of_one_question_are_compared_without_what_only_the_gold_allows() -> None:
    assert same_bracket("{1,2}", "{2, 1}") == (True, "set")
    assert same_bracket("A;C", "[A];[C]") == (True, "parts")
    assert same_bracket("6+2*3-2=10", "4+4*2-2=10") == (False, "text")


def test_an_answer_cut_off_after_its_brackets_counts(pool: GradingPool) -> None:
    import asyncio

    question = Question("t", "0-a", "0-a", {}, ({"role": "user", "content": "?"},), "[[CAT]]", "bracket")
    cut = asyncio.run(pool.grade_sample(question, "So it is [[CAT]], because F", Finish.LENGTH))
    assert cut.status is Status.CORRECT
    assert asyncio.run(pool.grade_sample(question, "So it is [[CA", Finish.LENGTH)).status is Status.UNFINISHED


@given(st.text(max_size=200), st.text(alphabet="[]{}()=+-*/,;or 0123456789xyA\\", max_size=60))
def test_any_text_can_be_read_and_compared(text: str, answer: str) -> None:
    assert extract_answer(text, "bracket").rule
    for gold in ("[[24]]", "[[A];[C]]", "[[{1,2}]]", "[[x=2,y=3]]", "[[6+2*3-2=10]]", "[[((1,2),(3,4))]]", "[[1 2,3 4]]"):
        decision = equal_bracket(gold, answer)
        assert decision is None or isinstance(decision[0], bool)


@given(st.text(alphabet="[]ab ,", max_size=60))
def test_brackets_are_stripped_at_most_twice(text: str) -> None:
    content = strip_brackets(f"[[{text}]]")
    assert len(content) >= len(text.strip()) - 8


@pytest.mark.skipif(not KOR.is_dir(), reason="the real rows of KOR-Bench are not at hand")
@pytest.mark.parametrize("category", CATEGORIES)
def test_every_real_gold_is_found_and_equals_itself_and_no_other_of_its_rule(category: str) -> None:
    rows = [json.loads(line) for line in (KOR / category / "sample.jsonl").read_text(encoding="utf-8").splitlines()]
    by_rule: dict[str, set[str]] = {}
    for row in rows:
        gold = row["answer"]
        by_rule.setdefault(row["rule_id"], set()).add(gold)
        for form in ("The answer is {}.", "**{}**", "It is not [[x]].\n\n{}", "```\n{}\n```", "$${}$$", r"\boxed{{{}}}"):
            answer = extract_bracket(form.format(gold)).answer
            assert answer is not None
            decision = equal_bracket(gold, answer)
            assert decision is not None
            assert decision[0], gold
    for golds in by_rule.values():
        for gold in golds:
            for other in golds - {gold}:
                decision = equal_bracket(gold, strip_brackets(other))
                assert decision is None or not decision[0], (gold, other)
