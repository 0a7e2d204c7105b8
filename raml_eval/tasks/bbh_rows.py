"""Rows and prompts of BIG-Bench Hard and BIG-Bench Extra Hard: a whole question in one column, and its target."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from raml_eval.tasks.docs import LETTERS

Row = Mapping[str, Any]

_OPTIONS = re.compile(r"\nOptions:\s*\n(?=\([A-Z]\) )")
_OPTION = re.compile(r"^\(([A-Z])\) (.*?)\s*(?=^\([A-Z]\) |\Z)", re.MULTILINE | re.DOTALL)


def lettered(dataset: Any) -> Any:
    """The rows whose target is one of their options, with question, options (texts in order) and target (a letter).

    A few rows of the published data name no option as their target; no answer in the asked form could match them.
    """
    read = [read_options(row) for row in dataset]
    kept = [index for index, row in enumerate(read) if row is not None]
    rows = [row for row in read if row is not None]
    dataset = dataset.select(kept).remove_columns("target")
    for column, values in zip(("question", "options", "target"), zip(*rows, strict=True), strict=True):
        dataset = dataset.add_column(column, list(values))
    return dataset


def read_options(row: Row) -> tuple[str, list[str], str] | None:
    """The question, its options and the letter of the right one; None if the target is no option, or if options are equal.

    Example: read_options({"input": "Is it?\\nOptions:\\n(A) a\\n(B) b", "target": "(B)"}) == ("Is it?", ["a", "b"], "B")
    """
    parts = _OPTIONS.split(str(row["input"]))
    if len(parts) != 2:
        return None
    found = _OPTION.findall(parts[1])
    options = [text.strip() for _, text in found]
    letters = [letter for letter, _ in found]
    target = str(row["target"]).strip()
    letter = target.strip("()") if target.strip("()") in letters else dict(zip(options, letters, strict=True)).get(target)
    if letter is None or letters != list(LETTERS[: len(letters)]) or len(set(options)) < max(len(options), 2):
        return None
    return parts[0].strip(), options, letter


def consistent(dataset: Any) -> Any:
    """The rows without those that ask the same as another row and have another target."""
    targets: dict[str, set[str]] = {}
    for row in dataset:
        targets.setdefault(str(row["input"]), set()).add(str(row["target"]))
    return dataset.select([index for index, row in enumerate(dataset) if len(targets[str(row["input"])]) == 1])


def ask_for(first: str, second: str) -> Callable[[Row], str]:
    """A prompt: the question, and the instruction to put one of the two words into a box."""

    def prompt(doc: Row) -> str:
        return f"{doc['input']}\n\nPlease reason step by step, and put {first} or {second} within \\boxed{{}}."

    return prompt


yes_no_prompt = ask_for("Yes", "No")
true_false_prompt = ask_for("True", "False")
valid_invalid_prompt = ask_for("valid", "invalid")


def math_prompt(doc: Row) -> str:
    """The question, and the instruction to put the number into a box."""
    return f"{doc['input']}\n\nPlease reason step by step, and put your final answer within \\boxed{{}}."


def exact_prompt(doc: Row) -> str:
    """The question, and the instruction to put the answer alone into a box."""
    return f"{doc['input']}\n\nPlease reason step by step, and put your final answer, and nothing else, within \\boxed{{}}."


def words_prompt(doc: Row) -> str:
    """The question, and the instruction to put the words into a box, separated by spaces."""
    return f"{doc['input']}\n\nPlease reason step by step, and put the words, separated by single spaces, within \\boxed{{}}."


def tagged_prompt(doc: Row) -> str:
    """The question, and the instruction to put the brackets between tags: a lone brace would break a box."""
    return (
        f"{doc['input']}\n\nPlease reason step by step, and put the missing closing brackets, separated by single spaces, "
        "within <answer></answer>."
    )
