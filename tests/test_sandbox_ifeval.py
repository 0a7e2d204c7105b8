"""The rules ifeval and ifbench: each kind of instruction is followed by one text and not by another."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from raml_eval import grade
from raml_eval.sandbox.rules import ifbench, ifeval
from raml_eval.types import Status
from tests.instructions import as_gold, asked, needs_ifbench, needs_ifeval
from tests.sandboxes import needs_sandbox

HINDI = "यह एक छोटा सा वाक्य है और यह हिंदी में लिखा गया है।"
ENGLISH = "This is a short sentence, and it is written in English."
# instruction, arguments, a text that follows it, one that does not
IFEVAL: list[tuple[str, dict[str, Any], str, str]] = [
    ("keywords:existence", {"keywords": ["owl", "moon"]}, "The owl saw the moon.", "The owl saw the sun."),
    ("keywords:frequency", {"relation": "at least", "keyword": "tea", "frequency": 2}, "Tea, then tea.", "Tea, then milk."),
    ("keywords:forbidden_words", {"forbidden_words": ["rock"]}, "A stone.", "A rock."),
    ("keywords:letter_frequency", {"let_relation": "at least", "letter": "z", "let_frequency": 3}, "zig zag zoo", "zig zag"),
    ("language:response_language", {"language": "hi"}, HINDI, ENGLISH),
    ("length_constraints:number_sentences", {"relation": "less than", "num_sentences": 3}, "One. Two.", "One. Two. Three."),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "One\n***\nTwo", "One\n***\nTwo\n***\nThree"),
    ("length_constraints:number_words", {"relation": "at least", "num_words": 4}, "one two three four", "one two three"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"first_word": "late", "num_paragraphs": 2, "nth_paragraph": 2},
        "It rains.\n\nLate it stops.",
        "Late it rains.\n\nIt stops.",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] of [town]", "[name] of Bern"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye.\n\nP.S. Write soon.", "Bye."),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "* one\n* two", "* one\n* two\n* three"),
    ("detectable_format:constrained_response", {}, "My answer is yes.", "Yes, of course."),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*One* and *two*", "*One* and two"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "PART", "num_sections": 2},
        "PART 1\nThis.\nPART 2\nThat.",
        "PART 1\nThis and that.",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": 1}\n```', "a: 1,"),
    ("detectable_format:title", {}, "<<Rain>>\nIt falls.", "Rain\nIt falls."),
    ("combination:two_responses", {}, "It is.\n******\nIt is not.", "It is. It is not."),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Why rain?"}, "Why rain? Clouds are full.", "Clouds are full."),
    ("startend:end_checker", {"end_phrase": "That is all."}, "It rains. That is all.", "That is all. It rains."),
    ("change_case:capital_word_frequency", {"capital_relation": "less than", "capital_frequency": 2}, "So MUCH", "SO MUCH"),
    ("change_case:english_capital", {}, "THE RAIN FALLS ON THE HILLS.", "The rain falls on the hills."),
    ("change_case:english_lowercase", {}, "the rain falls on the hills.", "The rain falls on the hills."),
    ("punctuation:no_comma", {}, "Rain and snow.", "Rain, snow."),
    ("startend:quotation", {}, '"It rains."', '"It rains.'),
]
IFBENCH: list[tuple[str, dict[str, Any], str, str]] = [
    ("count:word_count_range", {"min_words": 4, "max_words": 6}, "It rains all day.", "It rains."),
    ("format:no_whitespace", {}, "Rain.", "It rains."),
    ("format:options", {"options": "yes/no/maybe"}, "maybe", "perhaps"),
    ("words:palindrome", {}, "level civic radar kayak rotor refer madam tenet stats solos", "rain snow"),
    ("words:start_verb", {}, "Write it down.", "The rain falls."),
]


def pairs(rule: str, table: list[tuple[str, dict[str, Any], str, str]]) -> list[Any]:
    return [
        pytest.param({"rule": rule, "prompt": "p", "instructions": [{"id": a, "kwargs": b}]}, c, d, id=a)
        for a, b, c, d in table
    ]


def test_the_table_has_every_instruction_of_ifeval() -> None:
    assert len({row[0] for row in IFEVAL}) == len(IFEVAL) == 25


@needs_ifeval
@pytest.mark.parametrize(("tests", "right", "wrong"), pairs("ifeval", IFEVAL))
def test_each_instruction_of_ifeval(tests: dict[str, Any], right: str, wrong: str) -> None:
    assert set(ifeval.load_checkers(ifeval.REGISTRY, ifeval.NLTK_DATA, "")) == {row[0] for row in IFEVAL}
    assert ifeval.score(tests, right)[0] == 1.0
    assert ifeval.score(tests, wrong)[0] == 0.0


@needs_ifbench
@pytest.mark.parametrize(("tests", "right", "wrong"), pairs("ifbench", IFBENCH))
def test_some_instructions_of_ifbench(tests: dict[str, Any], right: str, wrong: str) -> None:
    assert ifbench.score(tests, right)[0] == 1.0
    assert ifbench.score(tests, wrong)[0] == 0.0


@needs_ifeval
@needs_sandbox
def test_the_answer_is_scored_in_the_sandbox_and_the_thinking_is_not() -> None:
    gold = as_gold(asked("ifeval", "p", punctuation__no_comma={}, change_case__english_lowercase={}))
    assert grade(gold, "<think>So, A, B, C.</think>the rain falls on the hills all day.", "task_rule").correct
    half = grade(gold, "the rain falls, and it falls on all the hills.", "task_rule")
    assert (half.status, half.score) == (Status.INCORRECT, 0.5)
    assert half.detail == "1 of 2 instructions followed strictly, 1 loosely; not punctuation:no_comma"
    thought_only = grade(gold, "<think>the rain falls on the hills.</think>", "task_rule")
    assert (thought_only.status, thought_only.score) == (Status.NO_ANSWER, 0.0)


@needs_ifeval
def test_the_loose_verdict_drops_first_and_last_lines_and_asterisks() -> None:
    tests = asked("ifeval", "p", startend__quotation={})
    assert ifeval.score(tests, 'Sure:\n"It rains."') == (
        0.0,
        "0 of 1 instructions followed strictly, 1 loosely; not startend:quotation",
    )
    assert "hello" in ifeval.loose_texts("Sure:\n*hello*")
    assert len(ifeval.loose_texts("a\nb")) == 8


@needs_ifeval
def test_what_the_tests_get_wrong_is_raised_and_what_an_answer_breaks_is_not() -> None:
    with pytest.raises(KeyError, match="no:such"):
        ifeval.score(asked("ifeval", "p", no__such={}), "x")
    with pytest.raises(TypeError, match="num_wards"):
        ifeval.score(asked("ifeval", "p", length_constraints__number_words={"num_wards": 1}), "x")

    class Broken:
        def check_following(self, text: str) -> bool:
            raise RecursionError

    assert ifeval._follows(Broken(), "x") is False


@needs_ifeval
def test_loading_the_checkers_leaves_no_bare_package_behind() -> None:
    assert getattr(sys.modules.get("lm_eval"), "__file__", "not imported")


def test_what_is_missing_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(LookupError, match=r"no_such_data is missing.*Run: python -c .*nltk\.download\('no_such_data'"):
        ifeval.load_checkers("lm_eval.no_such", ["corpora/no_such_data"], "pip install x")
    with pytest.raises(LookupError, match=r"no_such_package is not installed\. Run: pip install x"):
        ifeval.load_checkers("no_such_package.registry", [], "pip install x")
