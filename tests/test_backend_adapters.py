"""LoRA adapters merged into their base: the arithmetic, what is refused, and runs of adapters on an engine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="adapters need an engine (pip install 'raml-eval[hf]')")

import torch
from safetensors.torch import load_file, save_file

from raml_eval.backends.adapters import loadable, merge_adapter
from raml_eval.checkpoint import Checkpoint, find_checkpoint
from raml_eval.errors import ModelError
from tests.backend_bench import POCKET, opened
from tests.checkpoints import save_adapter

MODULES = ["model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"]
PREFIX = "base_model.model."


def merged(tmp_path: Path, adapter: Path) -> dict[str, torch.Tensor]:
    out = tmp_path / "merged"
    out.mkdir()
    merge_adapter(POCKET, adapter, out)
    return load_file(out / "model.safetensors")


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({}, 8 / 4),
        ({"use_rslora": True}, 8 / 2),
        ({"alpha_pattern": {"q_proj": 2, "down_proj": 2}}, 2 / 4),
        ({"alpha_pattern": {"layers.7.mlp.down_proj": 2}}, 8 / 4),
    ],
    ids=str,
)
def test_the_merged_weights_are_the_base_and_the_scaled_product(tmp_path: Path, settings: dict[str, Any], scale: float) -> None:
    adapter = save_adapter(tmp_path / "adapter", POCKET, MODULES, **settings)
    found, base, own = (
        merged(tmp_path, adapter),
        load_file(POCKET / "model.safetensors"),
        load_file(adapter / "adapter_model.safetensors"),
    )
    assert found.keys() == base.keys()
    for name, values in base.items():
        module = name.removesuffix(".weight")
        if module in MODULES:
            a, b = (own[f"{PREFIX}{module}.lora_{side}.weight"].double() for side in "AB")
            exact = values.double() + scale * (b @ a)
            assert torch.allclose(found[name].double(), exact, rtol=2**-8, atol=1e-7)  # one rounding to bfloat16
            assert not torch.equal(found[name], values)
        else:
            assert torch.equal(found[name], values)


def test_trained_biases_modules_and_embeddings_are_merged(tmp_path: Path) -> None:
    adapter, base = save_adapter(tmp_path / "adapter", POCKET, MODULES), load_file(POCKET / "model.safetensors")
    path = adapter / "adapter_model.safetensors"
    norm = torch.rand(base["model.norm.weight"].shape)
    n_vocab, width = base["model.embed_tokens.weight"].shape
    a, b = torch.rand(2, n_vocab), torch.rand(width, 2)
    more = {
        "model.norm.modules_to_save.weight": norm, "model.embed_tokens.lora_embedding_A": a,
        "model.embed_tokens.lora_embedding_B": b,
    }  # fmt: skip
    save_file(load_file(path) | {f"{PREFIX}{name}": values for name, values in more.items()}, path)
    found = merged(tmp_path, adapter)
    assert torch.equal(found["model.norm.weight"], norm.bfloat16())
    embedding = base["model.embed_tokens.weight"]
    assert torch.equal(found["model.embed_tokens.weight"], (embedding.float() + (b @ a).T * (8 / 2)).bfloat16())


@pytest.mark.parametrize(
    ("settings", "tensors", "reason"),
    [
        ({"use_dora": True}, {}, "use_dora is true"),
        ({"peft_type": "IA3"}, {}, 'peft_type is "IA3"'),
        ({"r": None}, {}, "lacks r or lora_alpha"),
        (
            {},
            {f"{MODULES[0]}.lora_A.weight": torch.ones(4, 7)},
            r"trained on another base: it would add \(128, 7\) of model.layers.0.self_attn.q_proj to \(128, 128\)",
        ),
        ({}, {"model.layers.0.self_attn.q_proj.lora_magnitude_vector": torch.ones(4)}, "lora_magnitude_vector"),
        ({}, {"model.layers.9.self_attn.q_proj.lora_A.weight": torch.ones(4, 4)}, r"layers\.9\.self_attn.* fits no tensor"),
    ],
    ids=str,
)
def test_what_cannot_be_merged_exactly_is_refused(
    tmp_path: Path, settings: dict[str, Any], tensors: dict[str, torch.Tensor], reason: str
) -> None:
    adapter = save_adapter(tmp_path / "adapter", POCKET, MODULES, **settings)
    path = adapter / "adapter_model.safetensors"
    save_file(load_file(path) | {f"{PREFIX}{name}": values for name, values in tensors.items()}, path)
    with pytest.raises(ModelError, match=rf"{reason}.*pip install peft"), loadable(find_checkpoint(adapter)):
        pass


def test_a_folder_with_only_an_adapter_stands_on_the_base_that_it_names(tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "checkpoint-20", POCKET, MODULES)
    found = find_checkpoint(adapter)
    assert (found.source, found.adapter) == (str(POCKET), str(adapter))
    assert found == find_checkpoint(POCKET, adapter=adapter)
    assert found.read_record() == {"step": 20}
    assert len({found.digest(), Checkpoint(str(POCKET)).digest(), found.adapter_digest()}) == 3
    other = save_adapter(tmp_path / "other", POCKET, MODULES, seed=1)
    assert find_checkpoint(other).digest() != found.digest()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    with pytest.raises(ModelError, match="names no base_model_name_or_path"):
        find_checkpoint(adapter)
    with pytest.raises(ModelError, match=r"has no adapter_config.json"):
        find_checkpoint(POCKET, adapter=POCKET)
    with pytest.raises(ModelError, match="is itself an adapter"):
        find_checkpoint(adapter, adapter=other)


def test_the_tokenizer_beside_an_adapter_is_its_own(tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", POCKET, MODULES)
    assert find_checkpoint(adapter).tokenizer_folder == POCKET.resolve()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (adapter / name).write_bytes((POCKET / name).read_bytes())
    (adapter / "chat_template.jinja").write_text("{{ messages[0].content }}")
    assert find_checkpoint(adapter).tokenizer_folder == adapter.resolve()
    with loadable(find_checkpoint(adapter)) as plain:
        assert (Path(plain.source) / "chat_template.jinja").read_text() == "{{ messages[0].content }}"
    assert not Path(plain.source).exists()


def test_an_engine_draws_from_the_merged_model(tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", POCKET, MODULES)
    merged(tmp_path, adapter)
    args = {"dtype": "float32"}
    with opened("hf", tmp_path / "merged", args) as bench, opened("hf", POCKET, args, adapter) as other:
        request = {"max_tokens": 60, "temperature": 1.0}
        assert bench.one("Compute 1+2.", **request) == other.one("Compute 1+2.", **request)
        assert bench.backend.description == other.backend.description
