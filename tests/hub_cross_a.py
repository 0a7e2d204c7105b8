"""Generated rows of GPQA's main set, SuperGPQA, BIG-Bench (Extra) Hard and LiveCodeBench's last release, for tests.hub."""

from __future__ import annotations

from typing import Any

from tests import hub_code

Rows = list[dict[str, Any]]

LABELS = {
    "boolean_expressions": ("True", "False"),
    "causal_judgement": ("Yes", "No"),
    "navigate": ("Yes", "No"),
    "web_of_lies": ("Yes", "No"),
    "sports_understanding": ("yes", "no"),
    "formal_fallacies": ("valid", "invalid"),
}
NUMBERS = ("multistep_arithmetic_two", "object_counting")
TEXTS = {"dyck_languages": ("] }", "}"), "word_sorting": ("ant bee cow", "bee cow")}
OPTIONS = (
    *("date_understanding", "disambiguation_qa", "geometric_shapes", "hyperbaton", "logical_deduction_five_objects"),
    *("logical_deduction_seven_objects", "logical_deduction_three_objects", "movie_recommendation", "penguins_in_a_table"),
    *("reasoning_about_colored_objects", "ruin_names", "salient_translation_error_detection", "snarks", "temporal_sequences"),
    *("tracking_shuffled_objects_five_objects", "tracking_shuffled_objects_seven_objects"),
    "tracking_shuffled_objects_three_objects",
)


def lettered(name: str) -> Rows:
    """Rows whose target is a letter, an option's text, and, in the last row, neither."""
    rows = [
        {"input": f"{name} {i}: which is it?\nOptions:\n(A) one {i}\n(B) two {i}\n(C) three {i}", "target": f"({'ABC'[i]})"}
        for i in range(3)
    ]
    return [*rows, {**rows[0], "target": "two 0"}, {**rows[1], "target": "four"}]


def bbh() -> dict[str, Rows]:
    """The rows of each configuration."""
    found = {name: lettered(name) for name in OPTIONS}
    for name, labels in LABELS.items():
        found[name] = [{"input": f"{name} {i}?", "target": labels[i % 2]} for i in range(3)]
    for name in NUMBERS:
        found[name] = [{"input": f"{name} {i}?", "target": str(7 * i - 5)} for i in range(3)]
    for name, targets in TEXTS.items():
        found[name] = [{"input": f"{name} {target}?", "target": target} for target in targets]
    return found


SUPERGPQA: Rows = [
    {
        "uuid": f"u{i}", "question": f"Which is {i}?", "options": [f"{i + k}" for k in range(10 - i)], "answer": f"{i}",
        "answer_letter": "A", "discipline": ("Law", "Science")[i % 2], "field": "f", "subfield": "s", "difficulty": "easy",
        "is_calculation": False,
    }
    for i in range(4)
]  # fmt: skip
BBEH: Rows = [{"task": f"t{i}", "input": f"Say {i}.", "target": f"text {i}", "mini": i % 2} for i in range(3)]
GPQA_MAIN: Rows = [
    {
        "Question": f"Which one is {i}?", "Correct Answer": f"the {i}",
        **{f"Incorrect Answer {k}": f"the {i + k}" for k in (1, 2, 3)},
        "High-level domain": "Chemistry", "Record ID": f"main{i}",
    }
    for i in range(4)
]  # fmt: skip
LAST: Rows = [{**row, "contest_date": "2025-03-08T00:00:00"} for row in hub_code.LIVECODEBENCH[:2]]


def tables() -> dict[str, list[tuple[str, str, str, Rows]]]:
    """Data set id -> configuration, split, path and rows of each file, besides those of tests.hub."""
    return {
        "lukaemon/bbh": [(name, "test", f"{name}/test.parquet", rows) for name, rows in bbh().items()],
        "m-a-p/SuperGPQA": [("default", "train", "SuperGPQA-all.jsonl", SUPERGPQA)],
        "BBEH/bbeh": [("default", "train", "train.parquet", BBEH)],
    }
