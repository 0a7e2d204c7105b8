"""Functions that the YAML files name: loaders, row filters, ordered options. lm-eval calls them, here and on its own.

They build columns in memory and never use Dataset.map. Its disk cache identifies a function by its name only, so after a
correction here it would still serve the old rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def load_jsonl(config_source: str = "", data_files: Mapping[str, str] | None = None, **_metadata: Any) -> Any:
    """The rows of JSON-lines files that are beside the YAML, as a DatasetDict: split name -> rows.

    lm-eval calls this with the task's metadata (config_source is the YAML's path) and dataset_kwargs.
    """
    from datasets import Dataset, DatasetDict

    folder = Path(config_source).parent
    return DatasetDict({split: Dataset.from_list(_read_rows(folder / name)) for split, name in (data_files or {}).items()})


def _read_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of the file. Raises ValueError, with the line, for one that is no JSON object, and for a file without rows."""
    lines = path.read_text(encoding="utf-8").split("\n")  # splitlines would also split at U+2028 inside a string
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"{path}, line {number}, is not JSON: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}, holds {type(row).__name__}, wanted a JSON object with the columns")
        rows.append(row)
    if not rows:
        raise ValueError(f"{path} holds no rows, wanted one JSON object a line")
    return rows


def level_5(dataset: Any) -> Any:
    """The rows of MATH with level 5, the hardest."""
    return dataset.select([row for row, level in enumerate(dataset["level"]) if int(level) == 5])


def gsm8k_answer(doc: Mapping[str, Any]) -> str:
    r"""The number after #### at the end of the row's worked solution, without thousands separators.

    Example: gsm8k_answer({"answer": "2 * 600 = 1200\n#### 1,200"}) == "1200"
    """
    return str(doc["answer"]).rpartition("####")[2].replace(",", "").strip()


def gpqa_options(dataset: Any) -> Any:
    """GPQA with the columns question, options and target (the letter of the correct option).

    GPQA publishes no order of its options. They are ordered by their hashes here, so the order depends on the row alone.
    """
    ordered = [order_options(row) for row in dataset]
    dataset = dataset.add_column("question", [str(row["Question"]).strip() for row in dataset])
    dataset = dataset.add_column("options", [options for options, _ in ordered])
    return dataset.add_column("target", [target for _, target in ordered])


def order_options(row: Mapping[str, Any]) -> tuple[list[str], str]:
    """The four options of a GPQA row in an order drawn from the row's content, and the letter of the correct one."""
    options = [str(row[column]).strip() for column in ("Correct Answer", *(f"Incorrect Answer {i}" for i in (1, 2, 3)))]
    content = json.dumps([str(row["Question"]).strip(), options], ensure_ascii=False)
    order = sorted(range(4), key=lambda option: hashlib.sha256(f"{option}\n{content}".encode()).digest())
    return [options[option] for option in order], LETTERS[order.index(0)]


def arc_options(dataset: Any) -> Any:
    """ARC with the columns options, in published order, and target (a letter, even if the row numbers its options)."""
    choices = list(dataset["choices"])
    keys = list(dataset["answerKey"])
    targets = [LETTERS[choice["label"].index(key)] for choice, key in zip(choices, keys, strict=True)]
    dataset = dataset.add_column("options", [list(choice["text"]) for choice in choices])
    return dataset.add_column("target", targets)


def problem_of(doc: Mapping[str, Any]) -> Any:
    """The problem of a row, from the first of the columns that the published data sets use for it."""
    return next(doc[column] for column in ("problem", "question", "Problem", "prompt") if column in doc)


def math_prompt(doc: Mapping[str, Any]) -> str:
    """The problem, and the instruction to put the answer into a box."""
    return f"{problem_of(doc)}\n\nPlease reason step by step, and put your final answer within \\boxed{{}}."


def choice_prompt(doc: Mapping[str, Any]) -> str:
    """The question, one lettered line for each option, and what to put into the box."""
    options = "\n".join(f"({letter}) {option}" for letter, option in zip(LETTERS, doc["options"], strict=False))
    return (
        f"{doc['question']}\n\n{options}\n\n"
        "Please reason step by step, and put the letter of the correct option, and nothing else, within \\boxed{}."
    )
