"""Pairs of (gold, answer) that a mathematician would call equal, and pairs that only look alike."""

from __future__ import annotations

import time
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval.grading.math import equal_math, quick_math

EQUAL = r"""
12 | 12^{\text{th}}
21 | 21^{st}
74 | 74^\circ
74^\circ | 74
74 | 74°
50\% | \frac12
50\% | 0.5
50 | 50\%
5\% | 5 percent
10 | 8+2=10
4343_{\text{six}} | 4343_6
4343_6 | 4343
4343_6 | 4343_{6}
2 1/2 | \frac52
\frac52 | 2 1/2
2\frac{1}{2} | 2.5
-2\frac12 | -2.5
1\frac{2}{7} | \frac97
1000 | 1e3
1000 | 10^3
1000 | 1,000
1000 | 1{,}000
1000 | 1\,000
1000 | 1\ 000
1000 | 1 000
10,\!000 | 10000
1,000,000 | 1000000
1,000 | 1000.00
1.5 \times 10^{3} | 1500
1.5\cdot10^3 | 1500
3+4i | 3+4\mathrm{i}
1+2i | 2i+1
\varnothing | \emptyset
\{\} | \emptyset
\frac13 | 1/3
\frac13 | \dfrac{1}{3}
\tfrac12 | \dfrac{1}{2}
\frac{3}{4} | 0.75
3 | \frac{6}{2}
-\frac{3}{4} | \frac{-3}{4}
-\frac{3}{4} | \frac{3}{-4}
0.\overline{3} | \frac13
0.1\overline{6} | 1/6
0.333333 | \frac13
\sqrt 2 | \sqrt{2}
\sqrt2 | 2^{1/2}
11\sqrt2 | 11 \sqrt{2}
3\sqrt{13} | \sqrt{117}
\frac{\sqrt{3}}{3} | \frac{1}{\sqrt3}
\frac{1}{1+\sqrt2} | \sqrt{2}-1
\sqrt{2}/2 | sqrt(2)/2
\frac{\pi}{2} | pi/2
2\pi | 6.283185
x^2 | x**2
2x | 2*x
5 | 5\text{ cm}
5 | 5 \text{ meters}
5 | 5 dollars
36 | 36\text{ square units}
\frac{3}{2}\text{ hours} | 1.5
\$5.00 | 5
$18.90 | 18.9
(3,\frac{\pi}{2}) | \left(3, \dfrac{\pi}{2}\right)
\{1,2\} | \{2,1\}
1,2 | 2, 1
1,2 | \{2,1\}
1,2 | x=1\text{ or }x=2
1,2 | x=1 or x=2
(3,4) | 3,4
\begin{pmatrix}1&2\\3&4\end{pmatrix} | \begin{bmatrix}1&2\\3&4\end{bmatrix}
\begin{pmatrix} -2 \\ 1 \end{pmatrix} | \left( \begin{array}{c} -2 \\ 1 \end{array} \right)
5 | x=5
x=5 | 5
y=2x+3 | 2x+3
y=2x+3 | 2x+3=y
f(x)=x^2 | x^2
x \le 3 | 3 \ge x
x \le 3 | x <= 3
1 \pm \sqrt{2} | 1+\sqrt{2},1-\sqrt{2}
\pm 3 | 3,-3
[0,\infty) | [0, +\infty)
x > 3 | (3,\infty)
(3,\infty) | x > 3
x \in [1,2] | [1,2]
x^2+2x+1 | (x+1)^2
x-y | -(y-x)
a+b | b+a
\sin^2 x+\cos^2 x | 1
2^{10} | 1024
2^{3^2} | 512
2^{2^{2^2}} | 65536
\binom{5}{2} | 10
7! | 5040
\log_2 8 | 3
3:4 | \frac34
\text{Monday} | Monday
\text{even} | even
\text{(A)} | A
\text{no solution} | \text{No solution}
\text{yes} | Yes.
east | East
2½ | 2.5
x²+1 | x^2+1
１２ | 12
−7 | -7
12.0 | 12
-0 | 0
+7 | 7
007 | 7
\boxed{7} | 7
$7$ | \(7\)
**7** | 7
"""

UNEQUAL = r"""
.0000672 | .000067
0.000067 | 6.72 \times 10^{-5}
0.000067 | \frac{672}{10000000}
6.7e-9 | 6.8e-9
\frac{1}{30000} | 0.000033
\frac{1}{10^{20}} | \frac{2}{10^{20}}
10^{-20} | 0
e^{-50} | 0
e^{-50} | e^{-51}
204_5 | 204_6
204_5 | 54
1/3 | 0.33
\frac13 | 0.3333
2\pi | 6.28
1, 200 | 1200
\{1,200\} | 1200
1000 | 100
100 | 1000
5 | -5
5 | 5 million
5 | 6
5 | 5,6
5 | 5 or 6
3\text{ or }5 | 5
1.5 | 15
12 | 1\frac{2}{3}
1\frac{2}{7} | 1\frac{3}{7}
\frac12 | \frac13
\frac12 | 2
\sqrt2 | \sqrt3
\sqrt2 | 2
2x+z=1 | 1
(1,2) | [1,2]
(1,2] | (1,2)
[2,5) | (2,5)
(1,2) | (2,1)
(1,2) | \{1,2\}
\{3,4\} | (3,4)
(3,4) | 4,3
\{1,2\} | \{1,3\}
\{1,2\} | \{1\}
1,2 | 1
x<3 | x\le 3
x<3 | x>3
p - q | q-p
x+1 | x-1
x^2 | x^3
1+2i | 1-2i
\begin{pmatrix}1\\2\end{pmatrix} | \begin{pmatrix}1\\3\end{pmatrix}
\begin{pmatrix}1&2\\3&4\end{pmatrix} | \begin{pmatrix}1&3\\2&4\end{pmatrix}
-\infty | \infty
\text{even} | odd
\text{listen} | silent
\text{east} | \text{West}
\text{no} | \text{no solution}
\text{A} | B
\ln 2 | \log_{10} 2
10^{100} | 10^{101}
9^{9^{9^{9}}} | 9
9 | 9^{9^{9^{9}}}
5 | (9^9)^{9^9}
3 | 3x
\emptyset | 0
1 |
"""


def read_table(table: str) -> list[tuple[str, str]]:
    rows = [line.partition("|") for line in table.strip().splitlines()]
    return [(gold.strip(), answer.strip()) for gold, _, answer in rows]


@pytest.mark.parametrize(("gold", "answer"), read_table(EQUAL))
def test_equal(gold: str, answer: str) -> None:
    equal, decided_by = equal_math(gold, answer)
    assert equal, decided_by


@pytest.mark.parametrize(("gold", "answer"), read_table(UNEQUAL))
def test_unequal(gold: str, answer: str) -> None:
    equal, decided_by = equal_math(gold, answer)
    assert not equal, decided_by


@pytest.mark.parametrize(("gold", "answer"), read_table(EQUAL) + read_table(UNEQUAL))
def test_quick_decision_is_symmetric(gold: str, answer: str) -> None:
    assert quick_math(gold, answer) == quick_math(answer, gold)


@pytest.mark.parametrize(("gold", "answer"), [("1024", "1023"), ("1,000", "1000"), ("\\frac{1}{2}", "0.5"), ("-3", "-3.0")])
def test_numbers_never_reach_sympy(gold: str, answer: str) -> None:
    assert quick_math(gold, answer) is not None


@given(st.fractions(max_denominator=10**6), st.fractions(max_denominator=10**6))
@settings(max_examples=200, deadline=None)
def test_fractions_compare_as_fractions(a: Fraction, b: Fraction) -> None:
    decision = quick_math(str(a), str(b))
    assert decision is not None
    assert decision[0] == (a == b)
    assert quick_math(str(a), f"\\frac{{{3 * a.numerator}}}{{{3 * a.denominator}}}")[0]


@given(st.decimals(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False))
@settings(max_examples=300, deadline=None)
def test_decimals_compare_exactly(a: Decimal, b: Decimal) -> None:
    decision = quick_math(str(a), str(b))
    assert decision is not None
    assert decision[0] == (a == b)
    assert quick_math(str(a), str(a)) == (True, "identical")


def test_million_digits_compare_fast() -> None:
    started = time.monotonic()
    assert quick_math("9" * 1_000_000, "9" * 999_999 + "8") == (False, "number")
    assert quick_math("9" * 1_000_000, "+" + "9" * 1_000_000 + ".0") == (True, "number")
    assert time.monotonic() - started < 2
