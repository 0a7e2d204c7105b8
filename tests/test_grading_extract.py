"""What is taken for the answer of a finished completion to a mathematical question, and what is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.grading.extraction import drop_thinking
from raml_eval.grading.kinds import extract_answer

MATH = [
    (r"so \boxed{5}.", "5", "boxed"),
    (r"\boxed{\frac{1}{2}}", r"\frac{1}{2}", "boxed"),
    (r"\boxed {7}", "7", "boxed"),
    (r"\fbox{9}", "9", "boxed"),
    (r"$$\boxed{x^{2}+\sqrt{y}}$$", r"x^{2}+\sqrt{y}", "boxed"),
    (r"\boxed{\{1,2\}}", r"\{1,2\}", "boxed"),
    (r"\boxed{1}, no, wait: \boxed{2}", "2", "boxed"),
    (r"\boxed{\boxed{7}}", "7", "boxed"),
    (r"\boxed{ \fbox{7} }", "7", "boxed"),
    (r"\boxed{a}+\boxed{b}", "b", "boxed"),
    (r"{ \boxed{6}", "6", "boxed"),
    (r"}} \boxed{6}", "6", "boxed"),
    (r"\boxed{3 + \boxed{4}", "4", "boxed"),
    (r"Put it in \boxed{}. It is \boxed{8}. Done \boxed{ }.", "8", "boxed"),
    (r"The answer is 4. \boxed{5}", "5", "boxed"),
    (r"\boxed{5}. The final answer is 6.", "5", "boxed"),
    ("\\boxed{\n5\n}", "5", "boxed"),
    ("\\boxed{5\u200b}", "5", "boxed"),
    ("The answer is 42.", "42", "answer phrase"),
    ("The answer is 42 apples because of that", "42 apples", "answer phrase"),
    ("the answer is -7", "-7", "answer phrase"),
    ("My answer is 1/2.", "1/2", "answer phrase"),
    ("The answer is 12:30", "12:30", "answer phrase"),
    ("The answer is **18**.", "18", "answer phrase"),
    ("The answer is east.", "east", "answer phrase"),
    ("the answer would be 7", "7", "answer phrase"),
    ("The answer must be $x=2$ or $x=3$.", "x=2, x=3", "answer phrase"),
    ("The answer is $5$, which is right.", "5", "answer phrase"),
    ("The answer is $\\$5$.", "\\$5", "answer phrase"),
    ("So the answer to the question is 7.", "7", "answer phrase"),
    ("The answer is 5. This answer is correct because I checked.", "5", "answer phrase"),
    ("The answer is 5. No. The answer is 6.", "6", "answer phrase"),
    ("The final answer is $\\frac{1}{2}$.", r"\frac{1}{2}", "answer phrase"),
    ("The final answer is \\frac{1}{2}", r"\frac{1}{2}", "answer phrase"),
    ("the answer is: \\(x=5\\)", "x=5", "answer phrase"),
    ("final answer = 9", "9", "answer phrase"),
    ("Answer: 3.5 cm", "3.5 cm", "answer phrase"),
    ("Answer: 2,000", "2,000", "answer phrase"),
    ("**Answer: 12**", "12", "answer phrase"),
    ("**Answer:** \\[ 7 \\]", "7", "answer phrase"),
    ("**Final Answer:** $12$", "12", "answer phrase"),
    ("**Final Answer**: 12", "12", "answer phrase"),
    ("**Final Answer**\n\n$\\sqrt{2}$", r"\sqrt{2}", "answer phrase"),
    ("### Final Answer\n17", "17", "answer phrase"),
    ("Therefore, the answer is:\n\n\\[ 3 \\]", "3", "answer phrase"),
    ("2 + 2 = 4\n#### 4", "4", "after ####"),
    ("#### 1,234", "1,234", "after ####"),
    ("#### $\\frac12$", r"\frac12", "after ####"),
    ("There are 5 apples left.", "5", "conclusion"),
    ("So x is 3 at first.\n\nThe rest is **7 km**.", "7 km", "conclusion"),
    ("We are left with $2x = 6$, so the value of $x$ is $3$.", "3", "conclusion"),
    ("42", "42", "whole answer"),
    (" 42.\n", "42", "whole answer"),
    ("$42$", "42", "whole answer"),
    ("3/4", "3/4", "whole answer"),
    ("\\(x+1\\)", "x+1", "whole answer"),
]

NOT_MATH = [
    "",
    " \n ",
    "We get 7 and 8, so 15",
    r"\boxed{3",
    r"\boxed{4} and then \boxed{5",
    r"\boxed{}",
    r"\boxed{\boxed{}",
    "boxed{3}",
    "#### Step 3: divide\nwe get 7",
    "The answer is not 5",
    "The answer is either 5 or 6",
    "The answer may be found below: 5 and 7.",
    "I cannot answer this.",
    "answered 5",
    "x = 3\ny = 4",
]


@pytest.mark.parametrize(("text", "answer", "rule"), MATH)
def test_math_answer(text: str, answer: str, rule: str) -> None:
    found = extract_answer(text, "math")
    assert (found.answer, found.rule) == (answer, rule)


@pytest.mark.parametrize("text", NOT_MATH)
def test_no_math_answer(text: str) -> None:
    assert extract_answer(text, "math").answer is None


EXACT = [
    (r"\boxed{true}", "true"),
    (r"sorted: \boxed{1, 2, 3}", "1, 2, 3"),
    ("The answer is: 1, 2, 3", "1, 2, 3"),
    ("Answer: uncertain.", "uncertain"),
    ("**Answer:** False", "False"),
    ("1 2 3", "1 2 3"),
    ("True\n", "True"),
    ("First this.\nThen that.", None),
    ("", None),
    ("x" * 201, None),
]


@pytest.mark.parametrize(("text", "answer"), EXACT)
def test_exact_answer(text: str, answer: str | None) -> None:
    assert extract_answer(text, "exact").answer == answer


THINKING = [
    ("5", "5"),
    ("<think>3</think>5", "5"),
    ("3</think>5", "5"),
    ("<think>3</think>4</think>5", "5"),
    ("<think>a</think>b<think>c</think>5", "5"),
    ("<think>3</think>", ""),
    ("<think>3", None),
    (r"<think>\boxed{3}", None),
    ("<think>a</think>b<think>c", None),
]


@pytest.mark.parametrize(("completion", "answer"), THINKING)
def test_thinking_is_dropped(completion: str, answer: str | None) -> None:
    assert drop_thinking(completion) == answer


@given(st.text(alphabet="\\boxed{}$ 1a", max_size=200), st.sampled_from(["math", "exact", "choice"]))
def test_an_answer_stands_in_the_text(text: str, kind: str) -> None:
    found = extract_answer(text, kind, ("1", "a"))
    assert found.rule
    if kind != "choice" and found.answer is not None and found.rule == "boxed":
        assert found.answer in text


@given(st.recursive(st.text(alphabet="1x+", max_size=3), lambda inner: inner.map(lambda s: "{" + s + "}") | inner))
def test_a_balanced_box_is_found_whole(content: str) -> None:
    expected = content.strip() or None
    assert extract_answer(rf"{{ \boxed{{{content}}} }}", "math").answer == expected
