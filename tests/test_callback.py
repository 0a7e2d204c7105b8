"""transformers' own Trainer on the pocket checkpoint, with checkpoints that are marked or evaluated."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="a model is trained (pip install 'raml-eval[hf]')")
pytest.importorskip("accelerate", reason="transformers' Trainer needs it (pip install accelerate)")

import torch

from raml_eval.callback import EvaluateCallback
from raml_eval.errors import ConfigError
from raml_eval.store import read_run
from tests.backend_bench import POCKET
from tests.engines import ENGINE_ARGS, drawn
from tests.test_cli import cli

SETTINGS: dict[str, Any] = {
    "tasks": "pocket_chain", "limit": 3, "samples": 2, "thinking_budget": "0,16", "answer_tokens": 16, "temperature": 1.0,
    "max_total_tokens": 200, "prompt_date": "2026-01-01", "backend_args": dict(ENGINE_ARGS["hf"]),
}  # fmt: skip


def build(folder: Path, **more: Any) -> Any:
    """A trainer that takes four steps, with dropout-free weights and shuffled rows, and saves after two and four."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainingArguments

    class Averaging(Trainer):  # type: ignore[misc]
        """Adds to every log what it gathered since the last one, as trl's trainers do."""

        def log(self, logs: Any, *given: Any) -> None:
            super().log({**logs, "gathered": self.state.global_step}, *given)

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_pretrained(POCKET, dtype=torch.float32)
    rows = [{"input_ids": [1 + (row + place) % 50 for place in range(8)]} for row in range(16)]
    rows = [{**row, "labels": row["input_ids"]} for row in rows]
    args = TrainingArguments(
        output_dir=str(folder), max_steps=4, save_steps=2, logging_steps=1, per_device_train_batch_size=2, report_to="none",
        use_cpu=True, learning_rate=1e-3, disable_tqdm=True,
    )  # fmt: skip
    return Averaging(model, args, train_dataset=rows, processing_class=AutoTokenizer.from_pretrained(POCKET), **more)


def train(trainer: Any) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer.train()
    return dict(trainer.model.state_dict())


def test_every_checkpoint_is_marked_once_it_is_whole(tmp_path: Path) -> None:
    from raml_eval.watch.arrivals import Arrivals, State

    trainer = build(tmp_path, callbacks=[EvaluateCallback(ready_file="READY")])
    train(trainer)
    found = Arrivals(tmp_path, ready_file="READY").look()
    assert [(one.name, one.state) for one in found] == [("checkpoint-2", State.WHOLE), ("checkpoint-4", State.WHOLE)]


def test_it_is_evaluated_into_the_trainers_logs_and_the_training_is_the_same(tmp_path: Path) -> None:
    plain = train(build(tmp_path / "plain"))
    seen: list[Any] = []

    from transformers import TrainerCallback

    class Listener(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            seen.append((state.global_step, logs))

    trainer = build(tmp_path / "training", callbacks=[Listener()])
    EvaluateCallback.attach(trainer, out=tmp_path / "out", **SETTINGS)
    weights = train(trainer)
    assert all(torch.equal(weights[name], plain[name]) for name in plain)
    key = "raml_eval/pocket_chain/16/avg@n"
    assert [entry["step"] for entry in trainer.state.log_history if key in entry] == [2, 4]
    assert [step for step, logs in seen if key in logs] == [2, 4]
    assert [step for step, logs in seen if "loss" in logs] == [1, 2, 3, 4]
    assert not any(key in logs and "gathered" in logs for _, logs in seen)
    words = [
        f"--{name.replace('_', '-')}={value}" for name, value in SETTINGS.items() if name not in ("prompt_date", "backend_args")
    ]
    words += ["--prompt-date=2026-01-01", "--backend=hf", "--backend-arg=dtype=float32", "--quiet"]
    assert cli("run", "--model", tmp_path / "training" / "checkpoint-4", *words, "--out", tmp_path / "alone").returncode == 0
    here, alone = read_run(tmp_path / "out" / "checkpoint-4"), read_run(tmp_path / "alone")
    assert {one.key: drawn(one) for one in here.records} == {one.key: drawn(one) for one in alone.records}
    right = [record.grade.status == "correct" for record in here.records if record.budget == 16]
    logged = [entry[key] for entry in trainer.state.log_history if key in entry]
    assert logged[1] == pytest.approx(sum(right) / len(right))


def test_without_the_trainer_the_numbers_are_in_the_log_history(tmp_path: Path) -> None:
    trainer = build(tmp_path / "training", callbacks=[EvaluateCallback(out=tmp_path / "out", **SETTINGS)])
    train(trainer)
    assert [entry["step"] for entry in trainer.state.log_history if "raml_eval/pocket_chain/0/avg@n" in entry] == [2, 4]


def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path) -> None:
    for settings, told in (
        ({"tasks": "pocket"}, "no out"),
        ({"out": "x", "model": "pocket"}, "evaluates checkpoints"),
        ({"ready_file": "a/b"}, "wanted the name of a file"),
    ):
        with pytest.raises(ConfigError, match=told):
            EvaluateCallback(**settings)
    several = type("Args", (), {"world_size": 8})()
    with pytest.raises(ConfigError, match="8 processes"):
        EvaluateCallback(out=tmp_path, **SETTINGS).on_train_begin(several, None, None)
    EvaluateCallback().on_train_begin(several, None, None)
