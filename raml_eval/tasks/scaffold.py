"""Writes the files of a new task: a YAML and a README to fill in, and rows that it asks if they are not on a hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from raml_eval.errors import TaskError, near_names
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.rules import name_problems
from raml_eval.types import Domain

_MATH_PROMPT = r'"{{question}}\n\nPlease reason step by step, and put your final answer within \\boxed{}."'
_BRACKET_PROMPT = r'"{{question}}\n\nPlease reason step by step, and write your final answer as [[answer]]."'
_LABEL_PROMPT = r'"{{question}}\n\nPlease reason step by step, and put true, false or uncertain within \\boxed{}."'
_GRID_PROMPT = (
    r'"{{question}}\n\nPlease reason step by step, and end with JSON of this form:'
    r' {\"House 1\": {\"Pet\": \"...\"}, ...}"'
)


@dataclass(frozen=True, slots=True)
class Sketch:
    """What the scaffold of one kind of grader holds: the prompt and the target as YAML, more fields, and two rows."""

    prompt: str
    answer_format: str
    scorer: str
    rows: tuple[Mapping[str, Any], ...]
    fields: tuple[str, ...] = ()
    target: str = "answer"


SKETCHES: Mapping[str, Sketch] = {
    "math": Sketch(
        _MATH_PROMPT,
        r"a number or formula in \boxed{}",
        "math",
        ({"question": "What is 17 + 25?", "answer": "42"}, {"question": "What is half of 9?", "answer": "4.5"}),
    ),
    "exact": Sketch(
        _MATH_PROMPT,
        r"a text in \boxed{}",
        "exact",
        ({"question": "Write abc backwards.", "answer": "cba"}, {"question": "Write 3, 1, 2 in order.", "answer": "1, 2, 3"}),
    ),
    "choice": Sketch(
        "!function raml_eval.tasks.docs.choice_prompt",
        r"the letter of an option in \boxed{}",
        "choice",
        (
            {"question": "Which is a number?", "options": ["red", "seven", "cat"], "answer": "B"},
            {"question": "Which is a colour?", "options": ["red", "seven", "cat"], "answer": "A"},
        ),
        ("chance: 0.333  # the accuracy of guessing",),
    ),
    "label": Sketch(
        _LABEL_PROMPT,
        r"true, false or uncertain in \boxed{}",
        "true_false_uncertain",
        (
            {"question": "All cats are grey. Tom is a cat. Is Tom grey?", "answer": "true"},
            {"question": "Some cats are grey. Tom is a cat. Is Tom grey?", "answer": "uncertain"},
        ),
        ('options: ["true", "false", "uncertain"]', "chance: 0.333  # the accuracy of guessing"),
    ),
    "bracket": Sketch(
        _BRACKET_PROMPT,
        "the answer in [[...]]",
        "bracket",
        ({"question": "Which of 3, 5, 8 are odd?", "answer": "[[3 5]]"}, {"question": "Which is even?", "answer": "[[8]]"}),
    ),
    "grid": Sketch(
        _GRID_PROMPT,
        "JSON with the attributes of each house",
        "grid",
        (
            {
                "question": "The cat lives left of the dog. Who lives where, in houses 1 and 2?",
                "answer": '{"header": ["House", "Pet"], "rows": [["1", "cat"], ["2", "dog"]]}',
            },
        ),
    ),
    "code": Sketch(
        r'"{{question}}\n\nPlease reason step by step, and put the function within one ```python code block at the end."',
        "a Python function in a code block",
        "code",
        (
            {
                "question": "Write a function double(n) that returns twice its argument.",
                "name": "double passes its tests",
                "tests": {"style": "python", "names": ["double"], "tests": ["assert double(4) == 8"]},
            },
        ),
        ("tests: tests  # the column with the tests, see docs/code-tasks.md",),
        target="name",
    ),
}

_YAML = """\
# See docs/tasks.md for every field. Check this file with: raml-eval tasks check {folder}
task: {name}
{data}
test_split: {split}
output_type: generate_until
# The whole prompt. A column's name stands for the column; a template or a !function can join several.
doc_to_text: {prompt}
# What the answer is compared with: a column, a template or a !function.
doc_to_target: {target}
# Stock lm-eval scores the answers with the same grader.
process_results: !function raml_eval.stock.{scorer}
generation_kwargs:
  until: []  # otherwise lm-eval stops an answer, and its thinking, at the first empty line
metadata:
  version: 1  # raise it with every change that can alter a score
  raml:
    domain: {domain}
    grader: {grader}
    answer_format: {answer_format}
    source: TODO who made the questions, and where they are described
    licence: TODO
    redistribute: no  # yes, no or non_commercial: whether the rows may be passed on
    revision: {revision}
{fields}"""

_LOCAL = """\
custom_dataset: !function raml_eval.tasks.docs.load_jsonl
dataset_kwargs:
  data_files:
    {split}: questions.jsonl"""

_README = """\
# {name}

TODO what is asked, and why.

- Source: TODO
- Licence: TODO
- Size: TODO questions
- Metric: avg@n, graded as {grader}
- Known pitfalls: TODO

A row, made up:

```json
{row}
```
"""


def write_task(
    parent: Path,
    name: str,
    grader: str = "math",
    dataset: str | None = None,
    config: str | None = None,
    split: str = "test",
    domain: str = "cross_domain",
) -> list[Path]:
    """The files written, in a new folder of that name below the parent folder.

    Without a data set of a hub, rows of the kind are written too, to be replaced. Raises TaskError for an unknown grader, a
    name that a task cannot have or that another one has, and if the folder is there already or cannot be written.
    """
    if grader not in SKETCHES:
        raise TaskError(
            f"there is no sketch of a task with the grader {grader!r}; there are {', '.join(SKETCHES)}."
            + near_names(grader, SKETCHES)
        )
    if domain not in get_args(Domain):
        raise TaskError(f"there is no domain {domain!r}; wanted {' or '.join(get_args(Domain))}.")
    problems = name_problems(name)
    if problems:
        raise TaskError(f"the task cannot be written: {problems[0]}")
    catalogue = load_catalogue()
    if name in catalogue.tasks or name in catalogue.suites:
        raise TaskError(f"the task cannot be written: {name} is the name of a task or suite that ships. Choose another name.")
    folder = parent / name
    if folder.exists():
        raise TaskError(f"{folder} is there already, and nothing in it was changed. Choose another name, or remove it.")
    sketch = SKETCHES[grader]
    hub = f"dataset_path: {dataset}" + (f"\ndataset_name: {config}" if config else "")
    text = _YAML.format(
        folder=folder,
        name=name,
        data=hub if dataset else _LOCAL.format(split=split),
        split=split,
        prompt=sketch.prompt,
        target=sketch.target,
        scorer=sketch.scorer,
        domain=domain,
        grader=grader,
        answer_format=sketch.answer_format,
        revision="main  # better a commit, here and as dataset_kwargs.revision" if dataset else '"1"',
        fields="".join(f"    {line}\n" for line in sketch.fields),
    )
    files = {
        f"{name}.yaml": text,
        "README.md": _README.format(name=name, grader=grader, row=json.dumps(sketch.rows[0], indent=2)),
    }
    if not dataset:
        files["questions.jsonl"] = "".join(f"{json.dumps(row)}\n" for row in sketch.rows)
    try:
        folder.mkdir(parents=True)
        for file, content in files.items():
            (folder / file).write_text(content, encoding="utf-8")
    except OSError as error:
        raise TaskError(f"{folder} cannot be written: {error.strerror}. Name a folder that can be, with --folder.") from error
    return [folder / file for file in files]
