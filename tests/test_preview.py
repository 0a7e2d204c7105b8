"""tasks preview: what a model would be asked, the gold, and how an answer that gives it is graded."""

from __future__ import annotations

from pathlib import Path

import pytest

from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import ModelError, TaskError
from raml_eval.preview import preview_task
from raml_eval.prompts import load_tokenizer
from raml_eval.tasks.scaffold import write_task


def test_prompts_golds_and_verdicts(tmp_path: Path) -> None:
    write_task(tmp_path, "mine", "choice")
    lines = list(preview_task("mine", 1, "pocket", (tmp_path,), None))
    assert lines[0] == "mine: 2 questions, grader choice, mine/questions.jsonl"
    prompt = next(line for line in lines if line.endswith("▮")).removesuffix("▮")
    assert "(A) red\n(B) seven\n(C) cat" in prompt
    tokenizer = load_tokenizer(find_checkpoint("pocket"))
    assert any(line.endswith(f"prompt of {len(tokenizer.encode(prompt, add_special_tokens=False))} tokens") for line in lines)
    assert any(line.startswith("gold ") for line in lines)
    assert any(line.startswith("verdict   correct: read ") for line in lines)
    assert lines[-1] == "2 of 2 golds can be graded"


def test_a_gold_that_cannot_be_graded_is_shown(tmp_path: Path) -> None:
    write_task(tmp_path, "mine", "math")
    (tmp_path / "mine" / "questions.jsonl").write_text('{"question": "2+3?", "answer": "2+3=5\\n#### 5"}\n', encoding="utf-8")
    *_, last = preview_task("mine", 1, "pocket", (tmp_path,), None)
    assert last.startswith("0 of 1 golds can be graded; the first that cannot: task mine, question 0-")


def test_an_unknown_task_and_model(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no task or suite 'mine'"):
        list(preview_task("mine", 1, "pocket", (), None))
    with pytest.raises(ModelError, match="no/such"):
        list(preview_task("pocket_sort", 1, str(tmp_path / "no/such"), (), None))
