"""Where the answer that the grader extracted begins in a text."""

from __future__ import annotations

from functools import partial

import pytest

from raml_eval.diagnostics.curves.answer_place import alone, answer_at
from raml_eval.grading.kinds import extract_answer

COLOURS = ("blue", "green", "red", "old")
TRUTH = ("True", "False")
LEAD = "\\boxed{"


def before(text: str, kind: str, options: tuple[str, ...] = ()) -> str | None:
    """What stands before the answer that the grader finds; None if its place is not sure."""
    reads = partial(extract_answer, kind=kind, options=options)
    answer = reads(text).answer
    assert answer is not None, "the case is about a text that gives an answer"
    at = answer_at(text, answer, reads, LEAD)
    return text[:at] if at >= 0 else None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\\boxed{12}", ""),
        ("3+9 is 12, so \\boxed{12}", "3+9 is 12, so "),
        ("It is \\boxed{12}. Check: 3 + 9 = 12.", "It is "),
        ("The answer is \\boxed{1}, not \\boxed{12}.", "The answer is "),
        ("It is \\boxed{7}, no, \\boxed{12}", "It is \\boxed{7}, no, "),
        ("I try \\boxed{12}. Let me check it again, step by step. Yes, \\boxed{12}",
         "I try \\boxed{12}. Let me check it again, step by step. Yes, "),
        ("It is \\fbox{12}.", "It is "),
        ("So \\boxed{\\boxed{2}}", "So "),
        ("So \\boxed{3} and \\boxed{4}", "So "),
        ("So $x=\\boxed{3}$ and $y = \\boxed{4}$", "So $x="),
        ("First \\boxed{7} is of no use here. So \\boxed{3} and \\boxed{4}", "First \\boxed{7} is of no use here. So "),
        ("So it is \\boxed{\\frac12} or \\boxed{0.5}", "So it is "),
        ("So \\boxed{1/3} = \\boxed{0.333}", "So "),  # the answer is both
        ("So \\boxed{3} or \\boxed{3}", "So "),
        ("\\boxed 5 since 2+3=5", ""),
        ("2+3=5, so \\boxed 5", "2+3=5, so "),
        ("**Answer: 12**\n\nExplanation: 3*4 = 12.", "**Answer: "),
        ("3*4 = 12.\n\n**Answer: 12**", "3*4 = 12.\n\n**Answer: "),
        ("The answer is $12$. Check: 4*3=12 and 12/4=3.", "The answer is $"),
        ("4*3=12 and 12/4=3, so the answer is $12$.", "4*3=12 and 12/4=3, so the answer is $"),
        ("Final answer: 12\n\n(12.0 in decimals; 112, 12.7)", "Final answer: "),
        ("12.7 is near, and 112 is not. Final answer: 12", "12.7 is near, and 112 is not. Final answer: "),
        ("12, 15 and 20 are candidates. 15 no. The answer is 12.", "12, 15 and 20 are candidates. 15 no. The answer is "),
        ("Answer: 12\n\nQuestion: What is 6 + 6?\nAnswer: 12", "Answer: "),
        ("The answer is 13. I made a mistake: the answer is 12.", None),
        ("The answer is 12. But some think the answer is 13.", "The answer is "),
        ("The answer is 12, i.e. 12.0", "The answer is "),
        ("So we get 3 apples. Hence 3.", None),
        ("12", ""),
        ("12\n\nFor 3 + 9 = 12.", ""),
        ("x^2+1. For x^2+1 is it.", ""),
        ("It is 12.", "It is "),
        ("3 + 9 = 12. Hence 12 apples.", "3 + 9 = 12. Hence "),
        ("1. Add 0 and 1.\n2. It gives 1.\nSo 1.", None),  # the first 1 may be a number of a list
        ("Add 0 and 1.\nIt gives 1.\nSo 1.", "Add 0 and 1.\nIt gives 1.\nSo "),
        ("12 apples", ""),
        ("3+9=12\n#### 12", "3+9=12\n#### "),
        ("It is 12, so <answer>12</answer>", "It is 12, so <answer>"),
        ("<think>12? Yes.</think>The answer is 12.", "<think>12? Yes.</think>The answer is "),
    ],
)  # fmt: skip
def test_a_formula(text: str, expected: str | None) -> None:
    assert before(text, "math") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The answer is (C) because C is red and B unlike option C of old.", "The answer is ("),
        ("C is red and B is not, so the answer is (C).", "C is red and B is not, so the answer is ("),
        ("Answer: C. Note: C wins.", "Answer: "),
        ("A, B and D are wrong in part, but the answer is A.", "A, B and D are wrong in part, but the answer is "),
        ("The answer is red.", "The answer is "),
        ("**C**\nSince C is red.", "**"),
        ("B is none.\nC", "B is none.\n"),
        ("C\nB is none.\nC", None),
        ("I think \\boxed{B}. Wait, C is right: \\boxed{C}", "I think \\boxed{B}. Wait, C is right: "),
        ("C is red, so \\boxed{C. red}", "C is red, so "),
        ("<answer>C</answer>", "<answer>"),
        ("Option C is correct.", "Option "),
        ("Option C is correct, as C is red.", None),
        ("I'd go with C, since C is red.", None),
    ],
)
def test_an_option(text: str, expected: str | None) -> None:
    assert before(text, "choice", COLOURS) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\\boxed{True}. The statement is True", ""),
        ("The statement is True, so \\boxed{True}", "The statement is True, so "),
        ("True. The claim is true.", ""),
        ("So the claim is true.", "So the claim is "),
        ("The answer is not true.", "The answer is "),
        ("True}. The statement is True", None),
        ("The claim is not true.", None),
    ],
)
def test_a_label(text: str, expected: str | None) -> None:
    assert before(text, "label", TRUTH) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("As told, the answer is **two words**. The two words are short.", "As told, the answer is **"),
        ("two words", ""),
        ("So \\boxed{two words}", "So "),
    ],
)
def test_a_text(text: str, expected: str) -> None:
    assert before(text, "exact") == expected


def test_brackets_with_their_lead() -> None:
    reads = partial(extract_answer, kind="bracket", options=())
    assert answer_at("7 it is, so [[7]].", "7", reads, "[[") == len("7 it is, so ")
    assert answer_at("So [[7]]. 7", "7", reads, "[[") == len("So ")
    assert answer_at("So [[7]] or [[8]].", "7 or 8", reads, "[[") == len("So ")


def test_an_answer_that_the_grader_does_not_find_has_no_place() -> None:
    reads = partial(extract_answer, kind="math", options=())
    assert answer_at("So \\boxed{7}.", "12", reads, LEAD) == -1
    assert answer_at("<think>12", "12", reads, LEAD) == -1


@pytest.mark.parametrize(
    ("text", "answer", "expected"),
    [
        ("12, 112, 12.7, 3.12, x12 and 12.", "12", [0, 29]),
        ("C, Cc and c", "C", [0]),
        ("True and true, untrue", "True", [0, 9]),
        ("-5 and 5", "5", [1, 7]),
    ],
)
def test_an_answer_stands_alone(text: str, answer: str, expected: list[int]) -> None:
    assert alone(text, answer) == expected
