"""Invented rows for the data sets of programming tasks, with the columns of those data sets."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from typing import Any

Rows = list[dict[str, Any]]


def pack(text: Any) -> str:
    """The tests, packed as LiveCodeBench packs its private tests."""
    return base64.b64encode(zlib.compress(pickle.dumps(text))).decode()


HUMANEVAL: Rows = [
    {
        "task_id": f"HumanEval/{i}",
        "prompt": f'from typing import List\n\n\ndef add_{i}(xs: List[int]) -> List[int]:\n    """ Add {i} to each.\n    """\n',
        "canonical_solution": f"    return [x + {i} for x in xs]\n",
        "test": f"\n\nMETADATA = {{}}\n\n\ndef check(candidate):\n    assert candidate([1, 2]) == [{1 + i}, {2 + i}]\n"
        f"    assert candidate([]) == []\n",
        "entry_point": f"add_{i}",
    }
    for i in range(4)
]

_ASSERTION = """
import numpy as np

def close(out, exp, atol):
    same = out == exp
    if not same and atol != 0:
        np.testing.assert_allclose(out, exp, rtol=1e-07, atol=atol)
    else:
        assert same, f"out: {out}, exp: {exp}"
"""

HUMANEVAL_PLUS: Rows = [
    {
        **row,
        "test": f"{_ASSERTION}\ndef check(candidate):\n    inputs = {[[[n, n + 0.1]] for n in range(300)]}\n"
        f"    results = {[[n + i, n + 0.1 + i] for n in range(300)]}\n"
        "    for i, (inp, exp) in enumerate(zip(inputs, results)):\n        close(candidate(*inp), exp, 1e-06)\n",
    }
    for i, row in enumerate(HUMANEVAL)
]

MBPP: Rows = [
    {
        "task_id": 11 + i,
        "text": f"Write a function to multiply by {i}.",
        "code": f"import math\r\ndef times_{i}(x):\r\n    return x * {i}",
        "test_list": [f"assert times_{i}({x}) == math.floor({x * i})" for x in (1, 2, 3)],
        "test_setup_code": "",
        "challenge_test_list": [],
    }
    for i in range(2)
] + [
    {
        "task_id": 13,
        "text": "Write a function that sums two numbers.",
        "code": "def sum(a, b):\n    return a + b",
        "test_list": ["assert sum(1, 2) == 3", "assert sum(2, 2) == 4", "assert sum(0, 0) == 0"],
        "test_setup_code": "",
        "challenge_test_list": [],
    },
    {
        "task_id": 14,
        "text": "Write a function that finds the depth of a tree of nodes.",
        "code": "class Node:\n    def __init__(self, v):\n        self.left = None\n"
        "def depth(n):\n    return 1 + depth(n.left) if n else 0",
        "test_list": ["assert depth(root) == 2", "assert depth(root.left) == 1", "assert depth(None) == 0"],
        "test_setup_code": "root = Node(1)\nroot.left = Node(2)",
        "challenge_test_list": [],
    },
]

MBPP_PLUS: Rows = [
    {
        "task_id": row["task_id"],
        "prompt": row["text"],
        "code": row["code"],
        "source_file": "made up",
        "test_imports": ["import math"],
        "test_list": row["test_list"],
        "test": f"{_ASSERTION}\ninputs = {[[n] for n in range(50)]}\nresults = {[n * i for n in range(50)]}\n"
        f"for i, (inp, exp) in enumerate(zip(inputs, results)):\n    close(times_{i}(*inp), exp, 0)\n",
    }
    for i, row in enumerate(MBPP[:2])
]


def _problem(name: str, text: str, starter: str, kind: str, public: Any, private: str, metadata: str = "{}") -> dict[str, Any]:
    cases = [{"input": given, "output": wanted, "testtype": kind} for given, wanted in public]
    return {
        "question_title": name,
        "question_content": text,
        "platform": "made up",
        "question_id": name,
        "contest_id": "made up",
        "contest_date": "2025-01-01T00:00:00",
        "starter_code": starter,
        "difficulty": "easy",
        "public_test_cases": json.dumps(cases),
        "private_test_cases": private,
        "metadata": metadata,
    }


def _cases(kind: str, *pairs: tuple[str, str]) -> str:
    return json.dumps([{"input": given, "output": wanted, "testtype": kind} for given, wanted in pairs])


LIVECODEBENCH: Rows = [
    _problem(
        "double", "Print twice the number.", "", "stdin",
        [("2\n", "4\n")], pack(_cases("stdin", ("3\n", "6\n"), ("-1\n", "-2\n"))),
    ),
    _problem("plain", "Print the number.", "", "stdin", [("2\n", "2\n")], _cases("stdin", ("3\n", "3\n"))),
    _problem(
        "synthetic-sum", "Sum a list.", "class Solution:\n    def total(self, xs: List[int]) -> int:\n        ", "functional",
        [("[1, 2]", "3")], pack(_cases("functional", ("[]", "0"), *((json.dumps([n]), str(n)) for n in range(500)))),
        '{"func_name": "total"}',
    ),
]  # fmt: skip
