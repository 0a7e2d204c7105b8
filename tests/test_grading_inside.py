"""What crosses between a program and its tester, and that no tampering turns a wrong program into a right one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from raml_eval.grading.pool import GradingPool
from raml_eval.sandbox.inside.outputs import find_difference
from raml_eval.sandbox.inside.plain import NotPlain, decode, encode
from raml_eval.types import Status
from tests.sandboxes import needs_sandbox, read_programs, try_out
from tests.test_grading_code import python_tests


@pytest.fixture(scope="module")
def pool() -> Iterator[GradingPool]:
    pool = GradingPool(timeout_s=20.0)
    yield pool
    pool.close()


SECRET = 739_114_662
TAMPERING = read_programs("tampering_programs.txt")


@needs_sandbox
@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_does_not_help(name: str) -> None:
    tests = [f"assert f([1]) == {SECRET}", f"assert f([2]) == {SECRET}"]
    verdict = try_out(TAMPERING[name], tests, "python", names=["f"])
    assert verdict.status in {Status.INCORRECT, Status.TIMEOUT}, verdict
    checked = [f"def check(g):\n    r = g([1])\n    assert {SECRET} == r\n    assert not r != {SECRET}\ncheck(f)"]
    verdict = try_out(TAMPERING[name], checked, "python", names=["f"])
    assert verdict.status in {Status.INCORRECT, Status.TIMEOUT}, verdict


REPLIES = [
    '7', '[]', 'null', '"x"', '{}', '{"value": {"o": []}}', '{"value": {"o": [0, 1, 2]}}', '{"value": {"o": [-1, "int", 1]}}',
    '{"value": {"zz": 1}}', '{"value": {"y": "object"}}', '{"value": {"r": [0, 1000000, 1]}}', '{"error": 1}',
    '{"error": ["a"]}', '{"error": ["SystemExit", "0"]}', '{"error": ["AssertionError", ""]}',
    '{"error": ["UnicodeDecodeError", "x"]}', '{"error": ["ExceptionGroup", "x"]}', '{"value": 1, "args": 7}',
    '{"value": 1, "args": [{"o": 1}]}', '{"value": 1, "args": [[2]]}', '{"passed": true}', 'NaN', '{"value": NaN}',
    '{"value": ' + '[' * 5000 + ']' * 5000 + '}', '{"value": ', '\\xff',
]  # fmt: skip


@needs_sandbox
@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: reply[:40])
def test_no_reply_of_the_program_upsets_the_tester(reply: str) -> None:
    program = (
        f"import os\ntext = {reply!r}.encode('latin-1')\ndef f(x):\n    os.write(3, len(text).to_bytes(8, 'big') + text)\n"
        "    while True: pass\n"
    )
    verdict = try_out(program, [f"assert f([1]) == {SECRET}"], "python", names=["f"], wall_s=30.0)
    assert verdict.status is Status.INCORRECT, verdict
    assert verdict.detail.startswith("test 1 of 1"), verdict


# 200,000 different numbers with the hash 7, in each place where a key can be; and a fraction of two million digits.
COLLIDING = {
    "a set": '{"s": [NUMBERS]}',
    "a frozen set": '{"f": [NUMBERS]}',
    "keys": '{"d": [PAIRS]}',
    "a list": "[NUMBERS]",
    "a tuple": '{"t": [NUMBERS]}',
    "a fraction": '{"q": ["0xHUGE", "0x1HUGE"]}',
}


@needs_sandbox
@pytest.mark.parametrize("name", COLLIDING)
def test_a_reply_cannot_force_a_timeout(name: str) -> None:
    program = f"""
import os
def f(x):
    numbers = [str(7 + n * (2**61 - 1)) for n in range(1, 200_000)]
    text = {COLLIDING[name]!r}.replace("NUMBERS", ",".join(numbers)).replace("HUGE", "b7" * 1_000_000)
    text = '{{"value": ' + text.replace("PAIRS", ",".join(f"[{{n}},0]" for n in numbers)) + "}}"
    left = memoryview(len(text).to_bytes(8, "big") + text.encode())
    while left:
        left = left[os.write(3, left):]
    while True: pass
"""
    verdict = try_out(program, [f"assert len(set(f([1]))) == {SECRET}"], "python", names=["f"], wall_s=60.0)
    assert verdict.status is Status.INCORRECT, verdict
    assert "hashes collide" in verdict.detail or "fraction of more than" in verdict.detail, verdict


def test_equal_and_few_alike_values_are_plain_data() -> None:
    prime = 2**61 - 1
    for value in ([7] * 1000, [7, 7 + prime] * 1000, {n * prime for n in range(40)}, list(range(-1000, 1000)), [[1]] * 100):
        assert decode(encode(value, lambda other: other), lambda tag, content: content) == value


def test_the_tampering_is_real() -> None:
    """The same comparisons in one process with the program are fooled, so the cases above are worth their names."""
    space: dict[str, Any] = {}
    exec(TAMPERING["equal to all"], space)
    assert space["f"]([1]) == SECRET


PLAIN = [
    "None", "True", "0", "-7", "10**40", "-(10**40)", "1.5", "-0.0", "float('inf')", "1e300", "'text'", "'é\\ud800\\x00'",
    "b'\\xff'", "bytearray(b'x')", "2+3j", "[1, [2, (3, {4})]]", "(1,)", "{1, 2}", "frozenset({1})", "{'a': [1], (2, 3): None}",
    "range(2, 9, 3)", "int", "fractions.Fraction(1, 3)", "decimal.Decimal('1.10')",
]  # fmt: skip


@needs_sandbox
@pytest.mark.parametrize("value", PLAIN)
def test_plain_data_comes_back_as_it_was(pool: GradingPool, value: str) -> None:
    imports = "import collections, decimal, fractions\n"
    same = f"got = f({value})\nassert got == {value} and repr(got) == repr({value}) and type(got) is type({value})"
    program = f"{imports}def f(x):\n    assert x == {value}, x\n    return {value}"
    grade = pool.grade_blocking(python_tests(same, setup=imports), f"```python\n{program}\n```", "code")
    assert grade.correct, grade


@needs_sandbox
@pytest.mark.parametrize(
    ("program", "test"),
    [
        ("import numpy as np\ndef f(x): return np.int64(x)", "assert f(3) == 3 and type(f(3)) is int"),
        ("import numpy as np\ndef f(x): return {'a': np.bool_(x > 2)}", "assert f(3) == {'a': True}"),
        ("import enum\nclass E(enum.IntEnum): A = 3\ndef f(x): return E.A", "assert f(0) == 3"),
        ("def f(x): return (n for n in range(x))", "assert list(f(3)) == [0, 1, 2]"),
        ("def f(x): return x.sort()", "a = [3, 1]\nassert f(a) is None and a == [1, 3]"),
        ("def f(x): x['b'] = 2", "a = {'a': 1}\nf(a)\nassert a == {'a': 1, 'b': 2}"),
        ("def f(x): return lambda y: x + y", "assert f(1)(2) == 3"),
        ("import re\ndef f(x): return re.match('a+', x)", "assert f('aa') and not f('b') and f('aa').group() == 'aa'"),
        ("class N:\n    def __init__(self, v): self.v = v\ndef f(x): return x.left.v",
         "n = N(1)\nn.left = N(2)\nassert f(n) == 2"),
        ("def f(*a, **k): return [a, k]", "assert f(1, z=2) == [(1,), {'z': 2}]"),
        ("def f(x): return sum(x)", "assert f(iter([1, 2])) == 3 and f(map(abs, [-1])) == 1"),
        ("def f(x): raise KeyError(x)", "try:\n    f(1)\n    assert False\nexcept KeyError:\n    pass"),
        ("class E(Exception): pass\ndef f(x): raise E('no')",
         "try:\n    f(1)\n    assert False\nexcept Exception as e:\n    assert 'no' in str(e)"),
        ("import collections\ndef f(x): return collections.Counter(x)", "assert f('aab') == {'a': 2, 'b': 1}"),
        ("n = 0\ndef f(x):\n    global n\n    n += 1\n    return n", "assert [f(0), f(0)] == [1, 2]"),
        ("def f(x):\n    print('noise', x)\n    return input", "assert f(1)"),
    ],
)  # fmt: skip
def test_what_is_not_plain_stays_with_the_program(pool: GradingPool, program: str, test: str) -> None:
    grade = pool.grade_blocking(python_tests(test, names=("f", "N")), f"```python\n{program}\n```", "code")
    assert grade.correct, grade


@pytest.mark.parametrize(
    "coded",
    [{}, {"t": 1}, {"t": [], "s": []}, {"d": [[[], 1]]}, {"i": "x"}, {"x": 1}, {"r": [0, 10**9, 1]}, {"y": "eval"},
     {"q": ["1", "0"]}, {"s": [[1]]}, {"b": "\u1234"}],
)  # fmt: skip
def test_what_claims_to_be_plain_and_is_not(coded: Any) -> None:
    def refer(tag: str, content: Any) -> Any:
        raise NotPlain(tag)

    with pytest.raises(NotPlain):
        decode(coded, refer)


def test_a_value_that_holds_itself_has_an_end() -> None:
    value: list[Any] = []
    value.append(value)
    cut: list[Any] = []
    encode(value, lambda rest: cut.append(rest))
    assert cut == [value]


@pytest.mark.parametrize(
    ("got", "wanted", "difference"),
    [
        ("1\n2\n", "1\n2", ""),
        (" 1 \n\t2", "1\n2\n\n", ""),
        ("1.0 2", "1 2.00", ""),
        ("1e3", "1000", ""),
        ("Yes", "yes", "line 1 is 'Yes' for 'yes'"),
        ("1 2", "1  2", ""),  # as numbers, though not as text
        ("a b", "a  b", "line 1 is 'a b' for 'a  b'"),
        ("0.3333333", "0.3333334", "line 1 is '0.3333333' for '0.3333334'"),
        ("nan", "nan", ""),
        ("NaN", "nan", "line 1 is 'NaN' for 'nan'"),
        ("1\n2", "1 2", "wrote 2 lines for 1"),
        ("", "", ""),
        ("", "0", "line 1 is '' for '0'"),
        ("9" * 100, "8", "line 1 is '" + "9" * 29 + "..." + "9" * 29 + "' for '8'"),
    ],
)
def test_outputs_are_compared_as_livecodebench_does(got: str, wanted: str, difference: str) -> None:
    assert find_difference(got, wanted) == difference


def test_long_outputs_are_compared_fast() -> None:
    started = time.monotonic()
    find_difference("9" * 5_000_000, "9" * 4_999_999 + "8")
    find_difference("1 " * 2_000_000 + "a", "1 " * 2_000_000 + "b")
    find_difference("1e999999999 " * 100_000, "1e999999998 " * 100_000)
    assert time.monotonic() - started < 20
