"""What counts as a gold in words, and which copies of a problem are the same."""

from __future__ import annotations

import pytest

from raml_eval.tasks.math_rows import in_words, problem_key, unboxed_answer


@pytest.mark.parametrize(
    "gold",
    [
        "n is prime",
        "odd $n$",
        "$4k$ for every $k$",
        "All powers of 2",
        "np.arcsin(10/13)",
        "直线和圆相切",
        "$T(p)=0 if p=0, p+1 otherwise$",
        "$f(x)=c$ where $c>0$",
    ],
)
def test_words(gold: str) -> None:
    assert in_words(gold)


@pytest.mark.parametrize(
    "gold",
    [
        "0 or 4",
        "$1$ and $2$",
        "CAKE",
        "B",
        r"\begin{pmatrix} \dfrac{-2}{\sqrt{30}} \\ 1 \end{pmatrix}",
        r"$\left[\begin{array}{ccc} 1 & 0 & 2 \end{array}\right]$",
        r"\lambda_{\text {red}} / \sqrt{2}",
        r"\frac{dM}{dt}=M^{6}",
        "MR=SRMC",
        r"\sin \theta",
        "45 元",
    ],
)
def test_mathematics(gold: str) -> None:
    assert not in_words(gold)


def test_a_copy_with_other_spaces_is_the_same_problem() -> None:
    assert problem_key("What is $x$ ?") == problem_key("what is x?")
    assert problem_key("求 $x$。") != problem_key("求 $y$。")


@pytest.mark.parametrize(
    ("answer", "bare"), [(r"\boxed{\frac{1}{2}}", r"\frac{1}{2}"), (r"$\boxed{7}$", "7"), ("$7$", "7"), (8, "8")]
)
def test_a_box_around_the_gold_is_taken_off(answer: object, bare: str) -> None:
    assert unboxed_answer({"answer": answer}) == bare
