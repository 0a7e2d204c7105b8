"""Grades that were wrong once, and grades beside them that a mend must not break."""

import pytest

from raml_eval import grade

TOWNS = ("Paris", "London", "Rome", "New York")
BLOOD = ("B", "A", "AB", "O")
CASES = [
    ("A", "I don't think A is correct.", "choice", TOWNS, "no_answer"),
    ("A", "It is not true that option A is correct", "choice", TOWNS, "no_answer"),
    ("A", "Option A is the correct answer? No.", "choice", TOWNS, "no_answer"),
    ("A", "A is the right choice only if x. So (B).", "choice", TOWNS, "incorrect"),
    ("A", "\\boxed{A. or B.}", "choice", TOWNS, "no_answer"),
    ("A", "\\boxed{A. Paris or B. London}", "choice", TOWNS, "no_answer"),
    ("A", "\\boxed{A - B}", "choice", TOWNS, "no_answer"),
    ("A", "The answer is A (or B)", "choice", TOWNS, "no_answer"),
    ("A", "The answer is A; B", "choice", TOWNS, "no_answer"),
    ("A", "The answer is A and possibly B", "choice", TOWNS, "no_answer"),
    ("A", "\\boxed{A. London}", "choice", TOWNS, "no_answer"),
    ("A", "\\boxed{A. Paris}", "choice", TOWNS, "correct"),
    ("A", "The answer is probably A", "choice", TOWNS, "correct"),
    ("A", "The answer is B", "choice", BLOOD, "incorrect"),
    ("A", "The answer is A", "choice", BLOOD, "correct"),
    ("A", "\\boxed{A}", "choice", BLOOD, "correct"),
    ("C", "\\boxed{AB}", "choice", BLOOD, "correct"),
    ("A", "Option A is correct.", "choice", TOWNS, "correct"),
    ("D", "The answer is **New York**.", "choice", TOWNS, "correct"),
    ("B", "(B) is the best answer because A is wrong.", "choice", TOWNS, "correct"),
    ("correct", "Answer: correct", "exact", (), "correct"),
    ("the cat", "The answer is the cat", "exact", (), "correct"),
    ("not entailed", "Answer: not entailed", "exact", (), "correct"),
    ("5 apples", "The answer is 5 apples", "exact", (), "correct"),
    ("U.S. Army", "The answer is U.S. Army", "exact", (), "correct"),
    ("Paris", "The answer is Paris. It is the capital.", "exact", (), "correct"),
    (
        "\\begin{pmatrix} -7 \\\\ 16 \\\\ 5 \\end{pmatrix}",
        "\\boxed{\\begin{pmatrix}-7\\\\16\\\\5\\end{pmatrix}}",
        "math",
        (),
        "correct",
    ),
    (
        "\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
        "\\boxed{\\begin{pmatrix}1&2\\\\3&5\\end{pmatrix}}",
        "math",
        (),
        "incorrect",
    ),
    ("5", "\\boxed{5\\text{ million}}", "math", (), "incorrect"),
    ("5000000", "\\boxed{\\$5\\text{ million}}", "math", (), "correct"),
    ("5000", "\\boxed{5 thousand}", "math", (), "correct"),
    ("5", "\\boxed{5\\text{ cm}}", "math", (), "correct"),
    ("12", "\\boxed{12 apples}", "math", (), "correct"),
]


@pytest.mark.parametrize(("gold", "completion", "kind", "options", "status"), CASES)
def test_found_once(gold: str, completion: str, kind: str, options: tuple[str, ...], status: str) -> None:
    assert grade(gold, completion, kind, options).status.value == status
