"""One command for many runs: which runs it stands for, how they are named, and which checkpoints a folder holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from raml_eval.checkpoint import Checkpoint, step_of_path
from raml_eval.errors import ConfigError
from raml_eval.matrix import expand, find_checkpoints, is_matrix, merge_layers, one_run, parse_steps, step_of_name

BASE: dict[str, Any] = {"backend": "fake", "tasks": "pocket", "out": "runs"}


def checkpoint(folder: Path, name: str = "config.json") -> Path:
    folder.mkdir(parents=True)
    (folder / name).write_text("{}")
    return folder


def test_models_are_named_by_as_much_of_their_paths_as_tells_them_apart() -> None:
    models = ["/a/sft/checkpoint-5", "/a/rl/checkpoint-5", "Qwen/Qwen3-0.6B"]
    cells = expand({**BASE, "model": models})
    assert [cell.name for cell in cells] == ["sft-checkpoint-5", "rl-checkpoint-5", "Qwen3-0.6B"]
    assert [cell.config.model for cell in cells] == models
    assert [cell.config.out for cell in cells] == [Path("runs") / cell.name for cell in cells]


def test_a_matrix_is_the_product_of_its_settings_with_the_models_slowest() -> None:
    matrix = {
        "tasks": [["pocket_chain", "pocket_sort"], "pocket"],
        "sampling": {"greedy": {"temperature": 0}, "warm": {"top_k": 5}},
    }
    cells = expand({**BASE, "model": ["a", "b"], "matrix": matrix, "samples": 3})
    assert len(cells) == 8
    assert cells[1].name == "a_pocket_chain+pocket_sort_warm"
    assert cells[1].config.tasks == ("pocket_chain", "pocket_sort")
    assert cells[1].config.sampling.top_k == 5
    assert [cell.config.model for cell in cells] == ["a"] * 4 + ["b"] * 4
    assert {cell.config.samples for cell in cells} == {3}
    numbers = expand({**BASE, "model": "a", "matrix": {"thinking.budgets": [0, [64, 128]]}})
    assert [(cell.name, cell.config.thinking.budgets) for cell in numbers] == [
        ("a_budgets=0", (0,)), ("a_budgets=64+128", (64, 128)),
    ]  # fmt: skip


def test_the_last_layer_that_names_models_wins() -> None:
    preset = {"model": "pocket", "tasks": "pocket", "out": "runs"}
    file = {"matrix": {"model": ["a", "b"], "samples": [1, 2]}}
    assert len(expand(merge_layers([preset, file]))) == 4
    flags = merge_layers([preset, file, {"model": ["c"]}])
    assert [cell.config.model for cell in expand(flags)] == ["c", "c"]
    assert not is_matrix(merge_layers([preset, {"checkpoints": None, "steps": None}]))
    assert "model" not in merge_layers([preset, {"checkpoints": Path("x")}])


def test_one_model_is_one_run() -> None:
    settings = merge_layers([BASE, {"model": ["a"]}])
    assert not is_matrix(settings)
    assert one_run(settings).model == "a"
    adapter = one_run(merge_layers([BASE, {"adapter": [Path("lora")]}]))
    assert (adapter.model, adapter.adapter) == ("lora", None)
    both = one_run(merge_layers([BASE, {"model": ["a"], "adapter": [Path("lora")]}]))
    assert (both.model, both.adapter) == ("a", Path("lora"))
    with pytest.raises(ConfigError, match="--steps 5 has no effect"):
        one_run({**BASE, "model": "a", "steps": "5"})


def test_adapters_are_runs_on_their_base_or_on_each_model() -> None:
    cells = expand({**BASE, "adapter": ["x/one", "x/two"]})
    assert [(cell.name, cell.config.model) for cell in cells] == [("one", "x/one"), ("two", "x/two")]
    cells = expand({**BASE, "model": ["a", "b"], "adapter": ["x/one", "x/two"]})
    assert [cell.name for cell in cells] == ["a_one", "a_two", "b_one", "b_two"]
    assert (cells[2].config.model, cells[2].config.adapter) == ("b", Path("x/one"))


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"model": ["a", "a"]}, "model a is given twice"),
        ({"model": ["a", "b"], "out": None}, "out is not given"),
        ({"model": "a", "matrix": {"sample": [1, 2]}}, "matrix names 'sample'.*Did you mean"),
        ({"model": "a", "matrix": {"out": ["x"]}}, "matrix names out"),
        ({"model": "a", "matrix": {"samples": []}}, "has no values of samples"),
        ({"model": "a", "matrix": {"tasks": ["x y", "x-y"]}}, "both be named 'a_x-y'"),
        ({"model": ["a", "b"], "steps": "5"}, "--steps 5 has no effect"),
    ],
    ids=str,
)
def test_what_cannot_be_expanded_is_refused(settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        expand({**BASE, **settings})


def test_a_matrix_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"matrix is \[1\]"):
        merge_layers([{"matrix": [1]}])


def test_checkpoints_come_in_the_order_of_their_steps(tmp_path: Path) -> None:
    for step in (1000, 500, 20000):
        checkpoint(tmp_path / f"checkpoint-{step}")
    checkpoint(tmp_path / "global_step_600" / "actor" / "huggingface")
    checkpoint(tmp_path / "checkpoint-700", "adapter_config.json")
    checkpoint(tmp_path / "final")
    (tmp_path / "logs" / "run-1").mkdir(parents=True)
    (tmp_path / "config.json").write_text("{}")
    found = find_checkpoints(tmp_path)
    names = ["checkpoint-500", "global_step_600", "checkpoint-700", "checkpoint-1000", "checkpoint-20000", "final"]
    assert [name for name, _ in found] == names
    assert found[1][1] == tmp_path / "global_step_600" / "actor" / "huggingface"
    assert [name for name, _ in find_checkpoints(tmp_path, "600:1000:100")] == names[1:4]
    cells = expand({**BASE, "checkpoints": tmp_path, "steps": "500,1000"})
    assert [cell.name for cell in cells] == ["checkpoint-500", "checkpoint-1000"]


def test_the_step_is_that_of_the_record_and_the_name_comes_second(tmp_path: Path) -> None:
    """What --steps selects is what the runs store."""
    root = tmp_path / "iter_2"
    for name in ("500", "1000", "first", "broken-7", "epoch3_lr1e-5"):
        checkpoint(root / name)
    (root / "first" / "checkpoint.yaml").write_text("step: 600")
    (root / "1000" / "checkpoint.yaml").write_text("step: 400")
    (root / "broken-7" / "checkpoint.yaml").write_text("step: many")
    names = ["epoch3_lr1e-5", "broken-7", "1000", "500", "first"]
    assert [name for name, _ in find_checkpoints(root)] == names
    assert [name for name, _ in find_checkpoints(root, "600")] == ["first"]
    assert [name for name, _ in find_checkpoints(root, "5:400")] == ["broken-7", "1000"]
    stored = [Checkpoint(str(root / name)).read_record() for name in ("1000", "500", "first")]
    assert stored == [{"step": 400}, {"step": 500}, {"step": 600}]


def test_what_a_trainer_is_still_writing_is_no_checkpoint(tmp_path: Path) -> None:
    for name in (".checkpoint-500", "tmp-checkpoint-700", "checkpoint-800.tmp", "_checkpoint-9", "checkpoint-500"):
        checkpoint(tmp_path / name)
    checkpoint(tmp_path / "temperature-7")
    assert [cell.name for cell in expand({**BASE, "checkpoints": tmp_path})] == ["temperature-7", "checkpoint-500"]


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("epoch1_lr1e-5", 1), ("step_1e3", None), ("lr0.5-e7", 7), ("run3-4B", 3), ("run500", 500), ("a-12-b", 12),
        ("checkpoint-5-lr1e-4", 5), ("lr1e-5", None), ("final", None), ("epoch_2.5", None), ("0", 0),
    ],
)  # fmt: skip
def test_the_last_number_of_a_subfolder_is_its_step(name: str, step: int | None) -> None:
    assert step_of_name(name) == step


@pytest.mark.parametrize(
    ("steps", "reason"),
    [
        ("5,7", "has no step 7; there are 5"),
        ("6:", "has none of the steps 6:"),
        ("1:2:0", "not understood"),
        ("x", "not understood"),
    ],
)
def test_steps_that_are_not_there_are_told(tmp_path: Path, steps: str, reason: str) -> None:
    checkpoint(tmp_path / "step5")
    with pytest.raises(ConfigError, match=reason):
        find_checkpoints(tmp_path, steps)


def test_a_folder_without_checkpoints_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no subfolder that is a checkpoint"):
        find_checkpoints(tmp_path)
    with pytest.raises(ConfigError, match="is no folder"):
        find_checkpoints(tmp_path / "nowhere")
    checkpoint(tmp_path / "step1" / "actor")
    checkpoint(tmp_path / "step1" / "critic")
    with pytest.raises(ConfigError, match=r"holds several checkpoints \(actor, critic\)"):
        find_checkpoints(tmp_path)


def test_both_ends_of_a_range_count() -> None:
    steps = parse_steps("500:1500:500,3000,5000:")
    assert [step for step in range(0, 6001, 250) if steps.holds(step)] == [500, 1000, 1500, 3000, 5000, 5250, 5500, 5750, 6000]


@pytest.mark.parametrize(
    ("path", "step"),
    [
        ("x/checkpoint-500", 500), ("global_step_20/actor/huggingface", 20), ("iter_0000100", 100),
        ("odd/iter_2/500", 500), ("iter_2/final", None), ("iter_2/run500", None), ("step_1e3", None), ("step_1.5", None),
        ("step5.bak", 5), ("runs/20240101", None), ("step_3/policy/weights", 3), ("checkpoint-3/lora_adapter", 3),
        ("run/step1000-tokens4B", 1000), ("Qwen3-8B", None), ("model-v2", None), ("stepwise-7", None), ("", None),
    ],
)  # fmt: skip
def test_a_step_is_read_from_names_that_say_so(path: str, step: int | None) -> None:
    assert step_of_path(path) == step


def test_a_configuration_file_may_hold_a_matrix(tmp_path: Path) -> None:
    from raml_eval.config import load_yaml

    path = tmp_path / "run.yaml"
    path.write_text(json.dumps({**BASE, "matrix": {"model": {"base": "a/x", "tuned": "b/x"}, "seed": [0, 1]}}))
    assert [cell.name for cell in expand(merge_layers([load_yaml(path)]))] == [
        "base_seed=0", "base_seed=1", "tuned_seed=0", "tuned_seed=1",
    ]  # fmt: skip
