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

_FENCE = re.compile(r"([ \t]*+)(`{3,}+|~{3,}+)[ \t]*+([^\s`]*+)[^`\n]*+", re.ASCII)
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
        return self.tag.lower().startswith("py")


def extract_code(text: str, names: Sequence[str] = ()) -> Extraction:
    """The program that an answer gives. names are those that it should define, where the tests call any.

    In this order: the last block marked as Python, else the last unmarked one, that parses and defines one of the names; the
    same without regard to the names; the whole answer where it is a program; the last block marked as Python, though
    it does not parse. Text that parses only as the inside of a function has the rule 'function body'. Rules of blocks
    that are never closed end in ', not closed'.
    """
    text = text[-LOOKED_AT:]
    blocks = list(find_blocks(text))[-MOST_BLOCKS:]
    marked = [block for block in reversed(blocks) if block.python]
    unmarked = [block for block in reversed(blocks) if not block.tag]
    for wanted in (names, ()) if names else ((),):
        for rule, group in (("python block", marked), ("code block", unmarked)):
            for block in group:
                if (read := _read(block.text, rule, wanted)) is not None:
                    return _extraction(block, read)
    if not blocks and (found := _read_whole(text, names)) is not None:
        return found
    if marked:
        return _extraction(marked[0], "python block that does not parse")
    return Extraction(None, "nothing found")


def _extraction(block: Block, rule: str) -> Extraction:
    """The block as an answer. The inside of a function never counts as closed: its end may be missing all the same."""
    if not block.closed:
        return Extraction(block.text, f"{rule}, not closed")
    return Extraction(block.text, rule, closed=rule != _BODY)


def find_blocks(text: str) -> Iterator[Block]:
    """The fenced blocks in their order, without the indentation of their first fence. One inside another is its text."""
    opened: re.Match[str] | None = None
    lines: list[str] = []
    for line in text.replace("\r\n", "\n").split("\n"):
        fence = _FENCE.fullmatch(line) if line.lstrip(" \t")[:3] in ("```", "~~~") else None
        if opened is None:
            opened = fence
        elif fence is not None and not fence[3] and fence[2].startswith(opened[2]):
            yield Block("\n".join(lines) + "\n", opened[3], True)
            opened, lines = None, []
        else:
            lines.append(line.removeprefix(opened[1]))
    if opened is not None:
        yield Block("\n".join(lines) + "\n", opened[3], False)


def _read(text: str, rule: str, names: Sequence[str]) -> str | None:
    """The rule by which the text is a program that defines one of the names; None if it is none."""
    module = parse(text)
    if module is not None:
        defined = not names or not set(names).isdisjoint(defined_names(module))
        return rule if module.body and defined else None
    return _BODY if not names and is_body(text) else None


def _read_whole(text: str, names: Sequence[str]) -> Extraction | None:
    """Prose of a word or two parses too: a program does something."""
    module = parse(text)
    if module is not None:
        works = any(not isinstance(node, ast.Expr) or isinstance(node.value, ast.Call) for node in module.body)
        return Extraction(text, "whole answer") if works else None
    first = next((line for line in text.split("\n") if line.strip()), "")
    return Extraction(text, _BODY) if first[:1] in (" ", "\t") and is_body(text) else None


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
