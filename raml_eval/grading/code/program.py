"""The program in an answer: which of its code blocks, or the whole; and the spelling in which programs vote.

Pure, and bounded in time: the text is parsed, never run, and no more of it than a program may be long.
"""

from __future__ import annotations

import ast
import re
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raml_eval.grading.extraction import Extraction

LONGEST_PROGRAM = 100_000  # characters
LOOKED_AT = 400_000  # characters of an answer, from its end
MOST_BLOCKS = 200
MOST_STRINGS = 20  # strings with fences in them that are looked for in one answer
LONGEST_STRING = 200  # lines from a fence in a string to the fence behind its program

_FENCE = re.compile(r"([ \t]*+)(`{3,}+|~{3,}+)[ \t]*+([^\s`]*+)[^`\n]*+", re.ASCII)
# A comment, a string of one line, or the mark that opens a string of several lines.
_TOKEN = re.compile(r"""#.*|(\"{3}|'{3})|"(?:[^"\\]|\\.)*"?|'(?:[^'\\]|\\.)*'?""")
_PARSING = threading.Lock()
_BODY = "function body"


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block. tag is the word after its first fence; closed: its end fence is there."""

    text: str
    tag: str
    closed: bool

    @property
    def python(self) -> bool:
        return is_python(self.tag)


def is_python(tag: str) -> bool:
    """Whether the word after a fence means Python: python, py, Python3."""
    return tag.lower().startswith("py")


def extract_code(text: str, names: Sequence[str] = ()) -> Extraction:
    """The program that an answer gives. names are those that it should define, where the tests call any.

    In this order: the last block marked as Python, else the last unmarked one, that parses and defines one of the names; the
    same without regard to the names; the whole answer where it is a program; the last block marked as Python, though
    it does not parse. Text that parses only as the inside of a function has the rule 'function body'. Rules of blocks
    that are never closed end in ', not closed'. A program in front of a fence that only closes it, as after a prompt that
    ends with the opening fence, counts as a block marked as Python.

    Example: extract_code("print(1)\\n```\\nDone.").answer is "print(1)\\n".
    """
    text = text[-LOOKED_AT:]
    blocks = _find_all_blocks(text)[-MOST_BLOCKS:]
    marked = [block for block in reversed(blocks) if block.python]
    unmarked = [block for block in reversed(blocks) if not block.tag]
    for wanted in (names, ()) if names else ((),):
        for rule, group in (("python block", marked), ("code block", unmarked)):
            for block in group:
                if (read := _read(block.text, rule, wanted)) is not None:
                    return _extraction(block, read)
    if not blocks and (found := _read_whole(text)) is not None:
        return found
    if marked:
        return _extraction(marked[0], "python block that does not parse")
    return Extraction(None, "nothing found")


def _extraction(block: Block, rule: str) -> Extraction:
    """The block as an answer. The inside of a function never counts as closed: its end may be missing all the same."""
    if not block.closed:
        return Extraction(block.text, f"{rule}, not closed")
    return Extraction(block.text, rule, closed=rule != _BODY)


def _find_all_blocks(text: str) -> list[Block]:
    """The blocks of find_blocks. If the first fence closes a program that the prompt opened, that program is the first."""
    blocks = list(find_blocks(text))
    if not blocks or blocks[0].tag or _works(parse(blocks[0].text)):
        return blocks
    lines = text.replace("\r\n", "\n").split("\n")
    first = next(number for number, line in enumerate(lines) if _read_fence(line) is not None)
    before = "\n".join(lines[:first]) + "\n"
    if _read_whole(before) is None:
        return blocks
    return [Block(before, "python", True), *find_blocks("\n".join(lines[first + 1 :]))]


def find_blocks(text: str) -> Iterator[Block]:
    """The fenced blocks in their order, without the indentation of their first fence.

    A block inside another one is its text, and so is a fence inside a string of several lines of a Python program.
    """
    opened: re.Match[str] | None = None
    block: list[str] = []
    lines = text.replace("\r\n", "\n").split("\n")
    tries, string_until = MOST_STRINGS, 0
    for number, line in enumerate(lines):
        fence = _read_fence(line) if number >= string_until else None
        if opened is None:
            opened = fence
        elif fence is not None and _closes(fence, opened):
            if tries and (not opened[3] or is_python(opened[3])) and _open_string(block):
                tries -= 1
                string_until = _end_behind_string(block, lines[number : number + LONGEST_STRING], opened) + number
            if string_until > number:
                block.append(line.removeprefix(opened[1]))
                continue
            yield Block("\n".join(block) + "\n", opened[3], True)
            opened, block = None, []
        else:
            block.append(line.removeprefix(opened[1]))
    if opened is not None:
        yield Block("\n".join(block) + "\n", opened[3], False)


def _read_fence(line: str) -> re.Match[str] | None:
    return _FENCE.fullmatch(line) if line.lstrip(" \t")[:3] in ("```", "~~~") else None


def _closes(fence: re.Match[str], opened: re.Match[str]) -> bool:
    return not fence[3] and fence[2].startswith(opened[2])


def _open_string(lines: Sequence[str], mark: str = "") -> str:
    """The mark of the string of several lines that is open after these lines of a program; mark: the one open before them."""
    for line in lines:
        position = 0
        while True:
            if mark:
                position = line.find(mark, position)
                if position < 0:
                    break
                position, mark = position + len(mark), ""
            token = _TOKEN.search(line, position)
            if token is None:
                break
            position, mark = token.end(), token[1] or ""
    return mark


def _end_behind_string(block: Sequence[str], rest: Sequence[str], opened: re.Match[str]) -> int:
    """Which of the lines of rest, whose first stands in a string, closes the block so that it is a program; 0 for none."""
    mark = _open_string(block)
    for number, line in enumerate(rest):
        fence = _read_fence(line)
        if not mark and fence is not None and _closes(fence, opened):
            longer = [*block, *(each.removeprefix(opened[1]) for each in rest[:number])]
            return number if parse("\n".join(longer)) is not None else 0
        mark = _open_string([line], mark)
    return 0


def _read(text: str, rule: str, names: Sequence[str]) -> str | None:
    """The rule by which the text is a program that defines one of the names; None if it is none."""
    module = parse(text)
    if module is not None:
        defined = not names or not set(names).isdisjoint(defined_names(module))
        return rule if module.body and defined else None
    return _BODY if not names and is_body(text) else None


def _read_whole(text: str) -> Extraction | None:
    module = parse(text)
    if module is not None:
        return Extraction(text, "whole answer") if _works(module) else None
    first = next((line for line in text.split("\n") if line.strip()), "")
    return Extraction(text, _BODY) if first[:1] in (" ", "\t") and is_body(text) else None


def _works(module: ast.Module | None) -> bool:
    """Whether a program does something; prose of a word or two parses too, but only as values."""
    nodes = module.body if module is not None else []
    return any(not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in nodes)


def parse(text: str) -> ast.Module | None:
    """The text as a module; None where it is none, or too long."""
    if len(text) > LONGEST_PROGRAM:
        return None
    try:
        with _PARSING, warnings.catch_warnings():  # the filters are the whole process's
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def is_body(text: str) -> bool:
    """Whether the text is the inside of a function, as a completion of its head is."""
    return bool(text.strip()) and parse(f"def _():\n{text}") is not None


def defined_names(module: ast.Module) -> set[str]:
    """The names that the module binds at its top."""
    names: set[str] = set()
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
            if isinstance(node, ast.ClassDef) and node.name == "Solution":
                names |= {inner.name for inner in node.body if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)}
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def normalize_program(text: str) -> str:
    """The program in the spelling in which samples vote: without blank lines and without white space at ends of lines."""
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())
