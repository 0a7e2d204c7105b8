"""Which text of an answer is its program."""

from __future__ import annotations

import time

import pytest

from raml_eval.grading.code.program import LONGEST_PROGRAM, extract_code, find_blocks, normalize_program, parse
from raml_eval.grading.kinds import extract_answer

SOLUTION = "class Solution:\n    def go(self):\n        pass\n"
STRING = 'TEXT = """\n```\ncode\n```\n"""\n'
F, G = "def f(x):\n    return x\n", "print(f(2))\n"


def fenced(*blocks: str, tag: str = "python") -> str:
    return "Text.\n\n" + "\n\nMore text.\n\n".join(f"```{tag}\n{block}```" for block in blocks) + "\n\nEnd."


@pytest.mark.parametrize(
    ("text", "names", "program", "rule"),
    [
        (fenced(F), (), F, "python block"),
        (fenced(F), ("f",), F, "python block"),
        (fenced(F, G), (), G, "python block"),
        (fenced(F, G), ("f",), F, "python block"),  # the last block is only an example of its use
        (fenced(F, F.replace("x\n", "x + 1\n")), ("f",), F.replace("x\n", "x + 1\n"), "python block"),
        (fenced(G), ("f",), G, "python block"),
        (fenced(F, tag=""), ("f",), F, "code block"),
        (fenced(F, tag="") + fenced(G), ("f",), F, "code block"),
        (fenced(F, tag="Python3"), (), F, "python block"),
        (fenced(F, tag="py title=a.py"), (), F, "python block"),
        (fenced(F, tag="c++"), (), None, "nothing found"),
        (fenced(F) + fenced("$ python f.py\n", tag="") + fenced("2\n", tag="text"), (), F, "python block"),
        (fenced(F) + fenced("def g(:\n"), (), F, "python block"),
        (fenced("def g(:\n"), (), "def g(:\n", "python block that does not parse"),
        (fenced("    return x\n"), (), "    return x\n", "function body"),
        (fenced(SOLUTION, G), ("go",), SOLUTION, "python block"),
        ("~~~python\n" + F + "~~~", (), F, "python block"),
        ("````python\n" + F + "```\n````", (), F + "```\n", "python block that does not parse"),
        ("1. Do:\n   ```python\n   def f(x):\n       return x\n   ```", (), F, "python block"),
        ("```python\r\ndef f(x):\r\n    return x\r\n```", (), F, "python block"),
        ("```python\n" + F.strip(), (), F, "python block, not closed"),
        ("```python\n" + F + "```\nNo:\n```python\nf = g", ("f",), "f = g\n", "python block, not closed"),
        ("```python\ndef f(", (), "def f(\n", "python block that does not parse, not closed"),
        ("Use `f` in ```one line```.", (), None, "nothing found"),
        (F, (), F, "whole answer"),
        (F, ("g",), F, "whole answer"),
        ("print(1)", (), "print(1)", "whole answer"),
        ("    return x", (), "    return x", "function body"),
        ("\n\n    y = x\n    return y\n", (), "\n\n    y = x\n    return y\n", "function body"),
        ("return x", (), "return x", "whole answer"),  # parses, though it does not compile
        ("Done", (), None, "nothing found"),
        ("yes, no", (), None, "nothing found"),
        ("42", (), None, "nothing found"),
        ("The answer is 4.", (), None, "nothing found"),
        ("", (), None, "nothing found"),
        ("```python\n```", (), "\n", "python block that does not parse"),
        ("\\boxed{print(1)}", (), None, "nothing found"),
        # A prompt that ends with the opening fence leaves only the closing one.
        (F + "```", (), F, "python block"),
        (F + "```\n\nIt gives back what it gets.", ("f",), F, "python block"),
        (F + "```\nDone", (), F, "python block"),
        ("    return x\n```\n", (), "    return x\n", "function body"),
        (F + "```\n\nExample:\n```python\nprint(f(2))\n```", ("f",), F, "python block"),
        (F + "```\nOutput:\n```\n2\n```\n", (), F, "python block"),
        ("x = 1\n```\nprint(2)\n```", (), "print(2)\n", "code block"),  # the fence opens a program
        ("Solution\n```\nprint(2)\n```", (), "print(2)\n", "code block"),
        ("Run it:\n```\n$ python f.py\n```", (), None, "nothing found"),
        ("Done\n```", (), None, "nothing found"),
        # A fence inside a string of several lines is text of the program.
        (fenced(STRING + G), (), STRING + G, "python block"),
        (fenced(STRING + G, tag=""), (), STRING + G, "code block"),
        (fenced(STRING.replace('"', "'")), (), STRING.replace('"', "'"), "python block"),
        (fenced(STRING * 2) + fenced(F), (), F, "python block"),
        (fenced(F, 'x = "```"\n'), ("x",), 'x = "```"\n', "python block"),
        (fenced("def f(): '''\n", F), (), F, "python block"),  # a string that is never closed holds no fence
        (fenced('# """\n' + F, G), ("f",), '# """\n' + F, "python block"),
        (fenced(F, "s = '\"\"\"'\n"), ("s",), "s = '\"\"\"'\n", "python block"),
    ],
)  # fmt: skip
def test_extraction(text: str, names: tuple[str, ...], program: str | None, rule: str) -> None:
    found = extract_code(text, names)
    assert (found.answer, found.rule) == (program, rule)
    assert extract_answer(text, "code", names) == found


@pytest.mark.parametrize(
    ("text", "closed"),
    [(fenced("x = 1\n"), True), (fenced("x = 1\n", tag=""), True), (fenced("x = = 1\n"), True),
     (fenced("    return 1\n"), False), ("```python\nx = 1", False), ("x = 1\nprint(x)", False), ("prose", False)],
)  # fmt: skip
def test_what_an_answer_that_was_cut_off_still_gives(text: str, closed: bool) -> None:
    assert extract_code(text).closed is closed


def test_blocks_inside_blocks_are_text() -> None:
    text = "````markdown\n```python\nx = 1\n```\n````\n```python\ny = 2\n```"
    assert [(block.tag, block.text) for block in find_blocks(text)] == [
        ("markdown", "```python\nx = 1\n```\n"),
        ("python", "y = 2\n"),
    ]


def test_invalid_escapes_are_no_errors() -> None:
    assert parse("import re\nre.match('\\w', 'a')") is not None


def test_programs_that_differ_in_blank_space_vote_together() -> None:
    assert normalize_program("a = 1  \n\n\r\nb = 2\n") == normalize_program("a = 1\nb = 2") == "a = 1\nb = 2"
    assert normalize_program("if a:\n    b") != normalize_program("if a:\n  b")


PIECES = [
    "(", "[", "{", "-", "~", "not ", "lambda:", "f(", "a.b", "a[", "**", "'", '"""', "\\\n", "f'{", "x if y else ", "(yield ",
    "```", "```\n", "```python\n", "```python\nx\n```\n", "~~~\n", "`", "    ", "\t\n ", "é", "\x00", "0x", "1_", "a\n",
    "if a:\n ", "match x:\n case ", "```" + "a" * 99 + "`\n", "class A:\n",
    '"""\n```\n', '"""\n```\n"""\n', "return x\n", "    return x\n", "print(1)\n",
]  # fmt: skip


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.parametrize("before", ["", "```python\n", "def f():\n    "])
def test_a_megabyte_of_anything_is_read_fast(piece: str, before: str) -> None:
    text = before + piece * ((1 << 20) // len(piece))
    started = time.process_time()
    extract_code(text, ("f",))
    extract_code(text[: LONGEST_PROGRAM - 10], ("f",))
    assert time.process_time() - started < 4
