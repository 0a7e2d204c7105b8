"""Functions that the YAML files of code tasks name: prompts, and each question's tests as JSON text (docs/code-tasks.md)."""

from __future__ import annotations

import ast
import base64
import builtins
import json
import pickletools
import warnings
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Doc = Mapping[str, Any]

LARGEST_UNPACKED = 1 << 30  # bytes
PACKED_FROM = 4096  # tests of this many characters or more are stored packed

_BLOCK = "within one ```python code block at the end"
_STRING_OPCODES = {"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "UNICODE"}
_IDLE_OPCODES = {"PROTO", "FRAME", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "STOP"}

# LiveCodeBench's harness gives programs these names and this depth of recursion, and starter code (List[int]) needs them.
# builtins must come after math, operator and io, which have their own pow, abs and open.
# fmt: off
_MODULES = (
    "string", "re", "datetime", "collections", "heapq", "bisect", "copy", "math", "random", "statistics", "itertools",
    "functools", "operator", "io", "sys", "json", "builtins", "typing",
)
# fmt: on
_PREAMBLE = "\n".join(
    [
        *(f"from {module} import *" for module in _MODULES),
        f"import {', '.join(module for module in _MODULES if module != 'builtins')}",
        "sys.setrecursionlimit(50000)\n",
    ]
)


def humaneval_prompt(doc: Doc) -> str:
    """The beginning of the function, and the instruction where to put the whole function."""
    return (
        f"Please complete the following Python function.\n\n```python\n{str(doc['prompt']).strip()}\n```\n\n"
        f"Please reason step by step, and put the complete function, with all that it needs, {_BLOCK}."
    )


def humaneval_tests(doc: Doc) -> str:
    """The row's check function, called with the program's function. The prompt goes before the program and before the check."""
    prompt, entry = str(doc["prompt"]), str(doc["entry_point"])
    test = f"{doc['test']}\ncheck({entry})\n"
    return _python_tests([test], prefix=prompt, entry=entry)


def mbpp_prompt(doc: Doc) -> str:
    """The problem with its three example tests, which alone give the function's name, and where to put the code."""
    text = str(doc["text"] if "text" in doc else doc["prompt"]).strip()
    tests = "\n".join(str(test) for test in doc["test_list"][:3])
    return (
        f"{text}\n\nThe code must pass these tests:\n\n```python\n{tests}\n```\n\n"
        f"Please reason step by step, and put the Python code, without the tests, {_BLOCK}."
    )


def mbpp_tests(doc: Doc) -> str:
    """The row's asserts, one test each, after its setup code."""
    return _python_tests(list(doc["test_list"]), setup=str(doc.get("test_setup_code") or ""), solution=str(doc["code"]))


def mbpp_plus_tests(doc: Doc) -> str:
    """The row's long test, which covers all its inputs, after its imports."""
    setup = "\n".join(doc.get("test_imports") or ())
    return _python_tests([str(doc["test"])], setup=setup, solution=str(doc["code"]))


def livecodebench_prompt(doc: Doc) -> str:
    """The problem, its starter code if it has any, and where to put the program."""
    starter = str(doc["starter_code"] or "").rstrip()
    how = (
        f"Please solve it in Python, starting from this code:\n\n```python\n{starter}\n```"
        if starter
        else "Please write a Python program that reads from standard input and writes the answer to standard output."
    )
    return f"{str(doc['question_content']).strip()}\n\n{how}\n\nPlease reason step by step, and put the whole program {_BLOCK}."


def livecodebench_tests(doc: Doc) -> str:
    """The row's public and private tests: programs on standard input, or calls of the function that the metadata names."""
    private = str(doc["private_test_cases"])
    cases = _read_cases(str(doc["public_test_cases"])), _read_cases(private)
    kinds = {str(case["testtype"]) for group in cases for case in group}
    if len(kinds) != 1 or not kinds <= {"stdin", "functional"}:
        raise ValueError(f"the tests are of type {', '.join(sorted(kinds)) or 'none'}; wanted stdin, or functional")
    public, hidden = ([[case["input"], case["output"]] for case in group] for group in cases)
    tests = {"style": "stdin", "prefix": _PREAMBLE, "tests": public}
    if kinds == {"functional"}:
        tests |= {"style": "calls", "names": [json.loads(doc["metadata"])["func_name"]]}
    written = json.dumps(hidden)
    if len(written) < PACKED_FROM:
        tests["tests"] = public + hidden
    else:
        tests["packed"] = base64.b64encode(zlib.compress(written.encode(), 1)).decode("ascii")
    return json.dumps(tests)


def code_target(doc: Doc) -> str:
    """A short text that is shown to people in place of the tests."""
    name = str(doc["question_id"] if "question_id" in doc else doc["task_id"])
    return f"{f'MBPP/{name}' if name.isdigit() else name} passes its tests"


def _read_cases(text: str) -> list[dict[str, Any]]:
    """Test cases as LiveCodeBench writes them: JSON, or base64 of zlib of a pickle of the JSON text."""
    try:
        cases = json.loads(text)
    except ValueError:
        cases = json.loads(read_packed_string(text))
    if not isinstance(cases, list):
        raise ValueError(f"the test cases are {type(cases).__name__}, wanted a list")
    return cases


def read_packed_string(text: str) -> str:
    """The string inside base64 of zlib of a pickle. The pickle is read opcode by opcode and never unpickled.

    Raises ValueError for a pickle that does more than hold one string, or holds more than LARGEST_UNPACKED bytes.
    """
    unpacking = zlib.decompressobj()
    try:
        pickled = unpacking.decompress(base64.b64decode(text, validate=True), LARGEST_UNPACKED)
    except zlib.error as error:
        raise ValueError(f"the packed tests are not zlib data ({error})") from None
    if unpacking.unconsumed_tail:
        raise ValueError(f"the packed tests hold more than {LARGEST_UNPACKED >> 20} MiB")
    strings = []
    for opcode, argument, _ in pickletools.genops(pickled):
        if opcode.name in _STRING_OPCODES:
            strings.append(str(argument))
        elif opcode.name not in _IDLE_OPCODES:
            raise ValueError(f"the packed tests are a pickle with {opcode.name}, wanted a pickle of one plain string")
    if len(strings) != 1:
        raise ValueError(f"the packed tests are a pickle of {len(strings)} strings, wanted one")
    return strings[0]


def _python_tests(tests: Sequence[str], prefix: str = "", setup: str = "", entry: str = "", solution: str = "") -> str:
    """The tests with the names that the program must define: the entry first, then those that only a program can bind.

    solution is a program that passes. Some solutions define functions with the name of a builtin (a sum of their own),
    which the tests mean. Some import a module that the tests use, which is then added to the setup.
    """
    setup = "\n".join([*_imports(solution), setup])
    names = dict.fromkeys([entry] if entry else [])
    names |= dict.fromkeys(_unbound_names([*tests, setup], prefix, _functions(solution)))
    if not names:
        raise ValueError("the tests call nothing that they do not define themselves")
    return json.dumps({"style": "python", "prefix": prefix, "setup": setup, "names": list(names), "tests": list(tests)})


def _parse(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # invalid escapes in some rows' strings would warn
        return ast.parse(source)


def _imports(source: str) -> list[str]:
    """The lines with which the source imports whole modules under their names."""
    return [ast.unparse(node) for node in _parse(source).body if isinstance(node, ast.Import)]


def _functions(source: str) -> set[str]:
    return {node.name for node in _parse(source).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def _unbound_names(sources: Iterable[str], prefix: str, solved: set[str]) -> list[str]:
    """The names that the sources use and that nothing binds: not the sources, not the prefix, not Python."""
    used: dict[str, None] = {}
    bound = {*dir(builtins), "__name__"} - solved
    for node in (node for source in [*sources, prefix] for node in ast.walk(_parse(source))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            used[node.id] = None
        elif isinstance(node, ast.Name):
            bound.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return [name for name in used if name not in bound]
