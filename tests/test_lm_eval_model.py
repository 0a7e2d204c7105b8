"""Stock lm-eval over this package's engines: the same completions and scores as a run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from raml_eval import evaluate
from raml_eval.errors import ConfigError, TaskError
from raml_eval.lm_eval_model import RamlLM, open_models, read_settings, run_lm_eval
from raml_eval.tasks.catalogue import tasks_dir
from raml_eval.types import Status


class Request:
    """The parts of lm-eval's Instance that a model reads."""

    def __init__(self, messages: object, settings: dict[str, Any] | None = None, doc_id: int = 0) -> None:
        text = messages if isinstance(messages, str) else json.dumps(messages)
        self.args, self.task_name, self.doc_id, self.doc = (text, settings or {}), "sums", doc_id, {"question": "?"}


@pytest.fixture
def fake() -> Any:
    model = RamlLM(pretrained="pocket", backend="fake", budget=8, batch_size=1, device="cuda:0")
    yield model
    model.close()


CHAT = [{"role": "user", "content": "What is 1+1?"}]


@pytest.mark.slow
def test_lm_eval_reports_the_score_of_a_run(tmp_path: Path) -> None:
    """Greedy, because the engine does not repeat seeded draws."""
    folder = tasks_dir() / "pocket_chain"
    arguments = "pretrained=pocket,backend=hf,budget=32,temperature=0"
    command = [sys.executable, "-m", "raml_eval", "lm-eval", "run", "--model", "raml", "--model_args", arguments, "--tasks"]
    command += ["pocket_chain", "--include_path", str(folder), "--limit", "24", "--apply_chat_template", "--log_samples"]
    done = subprocess.run([*command, "--output_path", str(tmp_path)], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert "do_sample=False, temperature=0.0, top_p=1.0, max_gen_toks=16384 give way" in done.stderr
    (path,) = tmp_path.glob("**/samples_pocket_chain_*.jsonl")
    theirs = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    run = evaluate(
        model="pocket", backend="hf", tasks="pocket_chain", thinking_budget=32, temperature=0, out=tmp_path / "run", samples=1
    )
    ours = {record.key.question_id.split("-")[0]: record for record in run.records}
    assert len(theirs) == 24
    assert {sample["exact_match"] for sample in theirs} == {0, 1}
    for sample in theirs:
        record = ours[str(sample["doc_id"])]
        assert (sample["resps"], sample["exact_match"]) == ([[record.answer]], float(record.grade.status is Status.CORRECT))


def test_answers_come_in_order_and_repeats_are_other_draws(fake: RamlLM, capsys: pytest.CaptureFixture[str]) -> None:
    request = Request(CHAT, {"until": ["Q:", "</s>"], "max_gen_toks": 5})
    first = fake.generate_until([request, request, Request(CHAT, doc_id=1)], disable_tqdm=True)
    assert len(first) == 3
    assert fake.generate_until([request, request], disable_tqdm=True) == first[:2]
    notes = capsys.readouterr().err.splitlines()
    assert [note for note in notes if "sums" in note] == [
        "note: sums: max_gen_toks=5 give way to the model's own sampling and lengths",
        "note: sums: the stop strings 'Q:' are dropped under a chat template",
    ]


def test_likelihoods_are_refused_by_the_tasks_name(fake: RamlLM) -> None:
    with pytest.raises(TaskError, match="sums scores given continuations by their likelihood"):
        fake.loglikelihood([Request(CHAT)])
    with pytest.raises(TaskError, match="output_type generate_until"):
        fake.loglikelihood_rolling([Request(CHAT)])


def test_texts_and_started_answers_are_refused(fake: RamlLM) -> None:
    with pytest.raises(ConfigError, match="--apply_chat_template"):
        fake.generate_until([Request("Q: 1+1?")], disable_tqdm=True)
    with pytest.raises(TaskError, match="gen_prefix"):
        fake.apply_chat_template(CHAT, add_generation_prompt=False)
    assert json.loads(fake.apply_chat_template(CHAT)) == CHAT
    assert fake.tokenizer_name == "pocket"
    assert "message" in fake.chat_template(True)


def test_plain_text_is_asked_as_it_is() -> None:
    model = RamlLM(pretrained="pocket", backend="fake", prompt="plain", budget="off")
    assert model in open_models
    assert len(model.generate_until([Request("Q: 1+1?", {"until": "Q:"})], disable_tqdm=True)) == 1
    model.close()
    model.close()
    assert model not in open_models


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"budget": 8}, "needs pretrained=CHECKPOINT"),
        ({"pretrained": "pocket", "tasks": "gsm8k"}, "takes no 'tasks'"),
        ({"pretrained": "pocket", "budgets": 8}, "takes no 'budgets' in --model_args. Did you mean budget"),
    ],
)
def test_settings_that_do_not_fit(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_settings(settings)


def test_one_budget_at_a_time() -> None:
    with pytest.raises(ConfigError, match="draws at one budget, and 2 are asked for"):
        RamlLM(pretrained="pocket", backend="fake", budget="8,16")


def test_what_lm_eval_refuses_is_no_bug_of_ours() -> None:
    with pytest.raises(ConfigError, match="lm-eval stopped: ValueError: Tasks not found: nosuch"):
        run_lm_eval(["run", "--model", "dummy", "--tasks", "nosuch"])
