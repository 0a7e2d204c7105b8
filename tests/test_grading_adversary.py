"""Verdicts that an adversary turned, on ordinary text: right answers that were refused, and wrong ones that were accepted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from raml_eval import grade

RIGHT = [
    ("5000000", "The answer is 5 million"),
    ("24", "Answer: 2 dozen"),
    ("3.5", "The answer is 3 and a half"),
    ("0.3", "The answer is 3 tenths"),
    ("0.03", "The answer is 3 percent"),
    ("2.5 million", "The answer is 2.5 million people."),
    ("42", "The answer is 42 apples because of that"),
    ("2,-2", "So the solutions are x=2 and x=-2."),
    ("2,-2", "The roots are 2 and -2."),
    ("(3,5)", "Therefore, x = 3, y = 5."),
    ("7", "Since $3^7=2187$, the value of $x$ is 7."),
    ("35", "Total: 10 + 18 + 7 = 35."),
    ("18", "#### $18"),
    ("18", "#### \\$18"),
    ("18", "#### £18"),
    ("18", "#### $18 per day"),
    ("1800", "#### $1,800"),
    ("42", "#### $42.00"),
    ("-5", "The answer is minus 5."),
    ("-5", "The answer is negative five."),
    ("42", "Answer: 42 (not 43)"),
    ("0.2", "The answer is 1 out of 5."),
    ("60", "\\boxed{5\\text{ dozen}}"),
    ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\boxed{[[1,2],[3,4]]}"),
    ("(1,2)", "\\boxed{y=2,x=1}"),
    ("(2,3)", "\\boxed{(x,y)=(2,3)}"),
    ("\\sqrt2", "\\boxed{1.414214}"),
    ("\\frac13", "\\boxed{0.333333}"),
    ("7", "\\boxed{7}\n\nHuman: 3+3?\nAssistant: \\boxed{6}"),
    ("20^\\circ", "\\boxed{20^\\circ\\text{C}}"),
]
WRONG = [
    ("2", "The answer is 2 billion"),
    ("2", "Answer: 2 dozen"),
    ("5", "The answer is 5 thousand dollars."),
    *(
        ("3", f"The answer is 3 {words}")
        for words in (
            "hundred", "tenths", "halves", "fourths of the cake", "and a half", "squared", "factorial", "over four",
            "less than x", "plus x", "hours and twenty minutes",
        )
    ),
    ("-2", "So the solutions are x=2 and x=-2."),
    *(
        ("5", text)
        for text in (
            "Therefore, x = 3 and y = 5.", "Therefore, x = 3, y = 5.", "x = 2 or x = 5.", "Thus Alice has 3 and Bob has 5.",
            "So the minimum is 2 and the maximum is 5.", "So the range is from 3 to 5.", "Thus x > 5.", "Thus, x >= 5.",
            "Thus x is greater than 5.", "So the value is at least 5.", "The maximum is below 5.", "Thus n is a multiple of 5.",
            "So the number is divisible by 5.", "Thus it is impossible to get 5.", "Thus, the total of all is double 5.",
            "Thus, the answer is correct to 5 decimal places.", "It is not true that the answer is 5.",
            "I doubt that the answer is 5.", "The answer is 5; 8.",
        )
    ),
    ("x", "\\boxed{\\lfloor x\\rfloor}"),
    ("\\lceil x\\rceil", "\\boxed{\\lfloor x\\rfloor}"),
    ("0", "\\boxed{\\lfloor x/1000\\rfloor}"),
    ("5-x", "\\boxed{|x-5|}"),
    ("2x+7", "\\boxed{|2x+7|}"),
    ("x+4", "\\boxed{\\sqrt{(x+4)^2}}"),
    ("(2,3)", "\\boxed{(b,a)=(2,3)}"),
    ("(2,3)", "\\boxed{(y,x)=(2,3)}"),
    ("(a,b)=(2,3)", "\\boxed{(b,a)=(2,3)}"),
    ("(1,2)", "\\boxed{y=1,x=2}"),
    ("\\frac13", "\\boxed{0.333334}"),
    ("\\frac17", "\\boxed{0.142858}"),
    ("\\pi", "\\boxed{3.14160}"),
    ("1.41422", "\\boxed{\\sqrt2}"),
    ("20^\\circ C", "\\boxed{20^\\circ F}"),
    ("7", "\\boxed{\\text{not }7}"),
    ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\boxed{\\begin{vmatrix}1&2\\\\3&4\\end{vmatrix}}"),
]  # fmt: skip


@pytest.mark.parametrize(("gold", "completion"), RIGHT)
def test_right(gold: str, completion: str) -> None:
    assert grade(gold, completion).correct


@pytest.mark.parametrize(("gold", "completion"), WRONG)
def test_wrong(gold: str, completion: str) -> None:
    assert not grade(gold, completion).correct


def test_threads_do_not_share_a_precision() -> None:
    def job(n: int) -> bool:
        gold = rf"\sin(\frac{{x}}{{{n}}})^2+\cos(\frac{{x}}{{{n}}})^2+\sqrt{{{n}}}+\ln(x+{n})+(x+{n})^3"
        return grade(gold, rf"\boxed{{1+\sqrt{{{n}}}+\ln(x+{n})+x^3+{3 * n}\cdot x^2+{3 * n * n}\cdot x+{n**3}}}").correct

    import mpmath

    before = mpmath.mp.dps
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(job, range(2, 602)))
    assert mpmath.mp.dps == before
