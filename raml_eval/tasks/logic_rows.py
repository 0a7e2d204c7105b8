"""Rows of reasoning data sets across domains: rules joined to their samples, options, labels, and clusters.

Like raml_eval.tasks.docs, the YAML files name these functions, and they never use Dataset.map.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raml_eval.errors import TaskError
from raml_eval.tasks.docs import LETTERS
from raml_eval.tasks.download import commit_of, fetch_dataset

Row = Mapping[str, Any]

BLANK = "___"  # what stands in every cell of the public version of ZebraLogic
FOLIO_LABELS = {"true": "true", "false": "false", "uncertain": "uncertain", "unknown": "uncertain"}


def load_kor_bench(dataset: str, category: str, config_source: str = "", revision: str | None = None, **_metadata: Any) -> Any:
    """The samples of one category of KOR-Bench as the split test, with the columns rule_title, rule and rule_key.

    A sample names its rule by rule_id, and CATEGORY/rule.jsonl holds the rules by idx. lm-eval calls this with the task's
    metadata and dataset_kwargs. Raises TaskError for a sample whose rule is not there, and if the two files are from two
    commits.
    """
    from datasets import DatasetDict

    task = Path(config_source).stem
    pinned = {} if revision is None else {"revision": revision}
    samples, rules = (
        fetch_dataset(task, dataset, None, {**pinned, "data_files": {"test": f"{category}/{name}.jsonl"}})["test"]
        for name in ("sample", "rule")
    )
    if commit_of(samples) != commit_of(rules):
        raise TaskError(
            f"task {task}: the samples of {dataset} are from commit {commit_of(samples)} and the rules from "
            f"{commit_of(rules)}. Load it again, or clear the cache."
        )
    texts = {str(rule["idx"]): rule for rule in rules}
    keys = [str(number) for number in samples["rule_id"]]
    lost = next((number for number in keys if number not in texts), None)
    if lost is not None:
        raise TaskError(f"task {task}: a sample names rule {lost}, and {category}/rule.jsonl of {dataset} has no such idx.")
    samples = samples.add_column("rule_title", [str(texts[key]["title"]) for key in keys])
    samples = samples.add_column("rule", [str(texts[key]["rule_content"]) for key in keys])
    return DatasetDict({"test": samples.add_column("rule_key", [f"{category}-{key}" for key in keys])})


def kor_bench_prompt(doc: Row) -> str:
    """The rule and the question under headings; the question itself says how to write the answer."""
    return (
        "Answer the question by the rule below, even where it differs from what you know.\n\n"
        f"### Rule: {doc['rule_title']}\n{doc['rule']}\n\n### Question\n{doc['question']}"
    )


def zebralogic_grid(dataset: Any) -> Any:
    """ZebraLogic in grid mode with the column target, the solution as JSON. Raises TaskError for a blanked solution."""
    for row in dataset:
        if any(BLANK in str(cell) for cells in row["solution"]["rows"] for cell in cells):
            raise TaskError(
                f'the solution of the puzzle {row["id"]} is blanked out ("{BLANK}"), as in the public version of ZebraLogic, '
                "so no answer can be graded. Ask the authors for allenai/ZebraLogicBench-private, set HF_TOKEN, and name that "
                "data set in a copy of this task."
            )
    solutions = [{"header": list(row["solution"]["header"]), "rows": list(row["solution"]["rows"])} for row in dataset]
    return dataset.add_column("target", [json.dumps(solution) for solution in solutions])


def zebralogic_prompt(doc: Row) -> str:
    """The puzzle, and the JSON object to answer with: one key per house, and in it one key for each other column."""
    solution = doc["solution"]
    cells = dict.fromkeys(list(solution["header"])[1:], BLANK)
    wanted = {f"House {number}": cells for number in range(1, len(solution["rows"]) + 1)}
    return (
        f"{doc['puzzle']}\n\nPlease reason step by step. Then give the solution as a JSON object of exactly this form, with "
        f"every {BLANK} filled in:\n\n```json\n{json.dumps(wanted, indent=2)}\n```"
    )


def zebralogic_mc(dataset: Any) -> Any:
    """ZebraLogic's questions about one cell, with the columns options, target (a letter) and puzzle_key.

    Raises TaskError for a row whose answer is not one of its choices.
    """
    options = [[str(choice) for choice in row["choices"]] for row in dataset]
    dataset = dataset.add_column("options", options)
    dataset = dataset.add_column("target", [_letter(row, str(row["answer"])) for row in dataset])
    return dataset.add_column("puzzle_key", [_key(text) for text in dataset["puzzle"]])


def _letter(row: Row, answer: str) -> str:
    options = list(row["options"])
    if answer == BLANK:
        raise TaskError(f'the answer to the row {row["id"]} is blanked out ("{BLANK}"), so no answer can be graded.')
    if options.count(answer) != 1:
        raise TaskError(f"the answer {answer!r} to the row {row['id']} must be one of its choices, which are {options}.")
    return LETTERS[options.index(answer)]


def puzzle_prompt(doc: Row) -> str:
    """The puzzle, the question about it with lettered options, and what to put into the box."""
    return _choice_prompt(doc["puzzle"], doc["question"], doc["options"])


def musr(dataset: Any) -> Any:
    """MuSR with the columns options, target (a letter) and story (a key that the questions about one narrative share).

    choices holds a list in Python's spelling as a text; it is read as a literal, never evaluated.
    """
    options = [[str(choice) for choice in _choices(row)] for row in dataset]
    dataset = dataset.add_column("options", options)
    dataset = dataset.add_column("target", [LETTERS[int(index)] for index in dataset["answer_index"]])
    return dataset.add_column("story", [_key(text) for text in dataset["narrative"]])


def _choices(row: Row) -> list[Any]:
    """The choices of a row. Raises TaskError for a text that is no list, and if answer_index does not give answer_choice."""
    try:
        choices = ast.literal_eval(row["choices"]) if isinstance(row["choices"], str) else list(row["choices"])
    except (ValueError, SyntaxError):
        choices = None
    if not isinstance(choices, list):
        raise TaskError(f"MuSR: the choices {str(row['choices'])[:80]!r} are no list in Python's spelling. Correct the row.")
    index = int(row["answer_index"])
    if not 0 <= index < len(choices) or choices[index] != row["answer_choice"]:
        raise TaskError(f"MuSR: answer_index {index} of {choices} is not the answer_choice {row['answer_choice']!r}.")
    return choices


def musr_prompt(doc: Row) -> str:
    """The narrative, its question with lettered options, and what to put into the box."""
    return _choice_prompt(doc["narrative"], doc["question"], doc["options"])


def logiqa2(dataset: Any) -> Any:
    """LogiQA 2.0 with the columns target (a letter) and passage (a key that the questions about one text share).

    Rows whose right option is listed twice are left out: another letter would be right too.
    """
    rows = enumerate(dataset)
    dataset = dataset.select([i for i, row in rows if row["options"].count(row["options"][int(row["answer"])]) == 1])
    dataset = dataset.add_column("target", [LETTERS[int(answer)] for answer in dataset["answer"]])
    return dataset.add_column("passage", [_key(text) for text in dataset["text"]])


def logiqa2_prompt(doc: Row) -> str:
    """The passage, its question with lettered options, and what to put into the box."""
    return _choice_prompt(doc["text"], doc["question"], doc["options"])


def strategyqa(dataset: Any) -> Any:
    """StrategyQA with the column target: yes or no."""
    return dataset.add_column("target", ["yes" if answer else "no" for answer in dataset["answer"]])


def strategyqa_prompt(doc: Row) -> str:
    """The question, and the instruction to put yes or no into a box."""
    return f"{doc['question']}\n\nPlease reason step by step, and put yes or no, and nothing else, within \\boxed{{}}."


def folio(dataset: Any) -> Any:
    """FOLIO with the columns target (true, false or uncertain, which one of its splits calls Unknown) and story.

    story is a key of the premises: several conclusions are asked about one set. Raises TaskError for any other label.
    """
    said = [str(label).strip().lower() for label in dataset["label"]]
    other = next((label for label in said if label not in FOLIO_LABELS), None)
    if other is not None:
        raise TaskError(f"FOLIO: the label {other!r} is none of {', '.join(FOLIO_LABELS)}. Correct the row.")
    dataset = dataset.add_column("target", [FOLIO_LABELS[label] for label in said])
    return dataset.add_column("story", [_key(_lines(premises)) for premises in dataset["premises"]])


def folio_prompt(doc: Row) -> str:
    """The premises, the conclusion, and the three labels of which one goes into the box."""
    return (
        f"Premises:\n{_lines(doc['premises'])}\n\nConclusion: {doc['conclusion']}\n\n"
        "Is the conclusion true, false or uncertain, given only the premises? It is uncertain if the premises imply neither it "
        "nor its negation. Please reason step by step, and put true, false or uncertain, and nothing else, within \\boxed{}."
    )


def _lines(premises: Any) -> str:
    """The premises, one a line; some versions hold a list, some a text."""
    return premises.strip() if isinstance(premises, str) else "\n".join(map(str, premises))


def _choice_prompt(text: Any, question: Any, options: Any) -> str:
    lettered = "\n".join(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))
    return (
        f"{str(text).strip()}\n\n{question}\n\n{lettered}\n\n"
        "Please reason step by step, and put the letter of the correct option, and nothing else, within \\boxed{}."
    )


def _key(text: str) -> str:
    """Sixteen hex digits that texts share if they differ in nothing but white space."""
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:16]
