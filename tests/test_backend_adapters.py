"""LoRA adapters merged into their base: the arithmetic, what is refused, and runs of adapters on an engine."""

from __future__ import annotations

import json
import shutil
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
from tests.checkpoints import reconfigure, save_adapter

MODULES = ["model.layers.0.self_attn.q_proj", "model.layers.1.mlp.down_proj"]
PREFIX = "base_model.model."


def merged(tmp_path: Path, adapter: Path, base: Path = POCKET) -> dict[str, torch.Tensor]:
    out = tmp_path / "merged"
    out.mkdir(parents=True, exist_ok=True)
    merge_adapter(base, adapter, out)
    return load_file(out / "model.safetensors")


def untied(folder: Path) -> Path:
    """Pocket with an output layer of its own."""
    shutil.copytree(POCKET, folder)
    reconfigure(folder, tie_word_embeddings=False)
    weights = load_file(POCKET / "model.safetensors")
    head = weights["model.embed_tokens.weight"].clone()
    save_file(weights | {"lm_head.weight": head}, folder / "model.safetensors", {"format": "pt"})
    return folder


def add_tensors(adapter: Path, tensors: dict[str, torch.Tensor]) -> None:
    path = adapter / "adapter_model.safetensors"
    save_file(load_file(path) | {f"{PREFIX}{name}": values for name, values in tensors.items()}, path)


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
    norm = torch.rand(base["model.norm.weight"].shape)
    n_vocab, width = base["model.embed_tokens.weight"].shape
    a, b = torch.rand(2, n_vocab), torch.rand(width, 2)
    more = {
        "model.norm.modules_to_save.weight": norm, "model.embed_tokens.lora_embedding_A": a,
        "model.embed_tokens.lora_embedding_B": b,
    }  # fmt: skip
    add_tensors(adapter, more)
    found = merged(tmp_path, adapter, untied(tmp_path / "base"))
    assert torch.equal(found["lm_head.weight"], base["model.embed_tokens.weight"])
    assert torch.equal(found["model.norm.weight"], norm.bfloat16())
    embedding = base["model.embed_tokens.weight"]
    assert torch.equal(found["model.embed_tokens.weight"], (embedding.float() + (b @ a).T * (8 / 2)).bfloat16())


@pytest.mark.parametrize(
    ("settings", "tensors", "reason"),
    [
        ({"use_dora": True}, {}, "use_dora is true"),
        ({"peft_type": "IA3"}, {}, 'peft_type is "IA3"'),
        ({"kasa_config": {"alpha": 1}}, {}, "kasa_config is .*alpha"),
        ({"monteclora_config": {"a": 1}}, {}, "monteclora_config is"),
        ({"a_setting_of_tomorrow": True}, {}, "a_setting_of_tomorrow is true"),
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
    add_tensors(adapter, tensors)
    with pytest.raises(ModelError, match=rf"{reason}.*pip install peft"), loadable(find_checkpoint(adapter)):
        pass


@pytest.mark.parametrize("initial", ["pissa", "pissa_niter_4", "olora", "corda", "loftq", "lora_ga", "mica"])
def test_an_adapter_that_was_trained_on_a_changed_base_is_refused(tmp_path: Path, initial: str) -> None:
    adapter = save_adapter(tmp_path / "adapter", POCKET, MODULES, init_lora_weights=initial)
    with pytest.raises(ModelError, match=f'init_lora_weights is "{initial}".*path_initial_model_for_weight_conversion'):
        merge_adapter(POCKET, adapter, tmp_path)


@pytest.mark.parametrize("initial", [True, False, "gaussian", "eva", "orthogonal"])
def test_other_initial_values_and_empty_settings_change_nothing(tmp_path: Path, initial: bool | str) -> None:
    plain = save_adapter(tmp_path / "plain", POCKET, MODULES)
    empty = {"use_dora": False, "kasa_config": None, "trainable_token_indices": [], "loftq_config": {}, "target_modules": ["a"]}
    adapter = save_adapter(tmp_path / "adapter", POCKET, MODULES, init_lora_weights=initial, **empty)
    found, wanted = (merged(tmp_path / name.name, name) for name in (adapter, plain))
    assert all(torch.equal(values, wanted[name]) for name, values in found.items())


@pytest.mark.parametrize("kind", ["lora", "saved", "head"])
def test_an_embedding_that_is_the_output_layer_too_is_not_merged(tmp_path: Path, kind: str) -> None:
    """In training only one of the two changed. A copy of the base's embedding beside an adapter changes nothing."""
    embedding = load_file(POCKET / "model.safetensors")["model.embed_tokens.weight"]
    n_vocab, width = embedding.shape
    beside = save_adapter(tmp_path / "beside", POCKET, MODULES)
    add_tensors(beside, {"model.embed_tokens.base_layer.weight": embedding})
    assert torch.equal(merged(tmp_path, beside)["model.embed_tokens.weight"], embedding)
    more = {
        "lora": {"model.embed_tokens.lora_embedding_A": torch.ones(2, n_vocab)}
        | {"model.embed_tokens.lora_embedding_B": torch.ones(width, 2)},
        "saved": {"model.embed_tokens.modules_to_save.weight": embedding + 1},
        "head": {"lm_head.lora_A.weight": torch.ones(2, width), "lm_head.lora_B.weight": torch.ones(n_vocab, 2)},
    }
    adapter = save_adapter(tmp_path / "adapter", POCKET, MODULES)
    add_tensors(adapter, more[kind])
    with pytest.raises(ModelError, match=r"it changes (model.embed_tokens.weight|lm_head), .*tie_word_embeddings: false"):
        merge_adapter(POCKET, adapter, tmp_path / "merged")


@pytest.mark.parametrize("module", ["attn.c_proj", "attn.c_attn"])
def test_the_matrices_of_gpt2_lie_the_other_way_round_square_ones_too(tmp_path: Path, module: str) -> None:
    from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=261, n_embd=32, n_layer=1, n_head=2, n_positions=64)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "base")
    (tmp_path / "adapter").mkdir()
    n_out = 32 if module == "attn.c_proj" else 96
    a, b = torch.randn(4, 32), torch.randn(n_out, 4)
    name = f"{PREFIX}transformer.h.0.{module}"
    save_file({f"{name}.lora_A.weight": a, f"{name}.lora_B.weight": b}, tmp_path / "adapter" / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": 4, "lora_alpha": 4, "fan_in_fan_out": True}
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(settings))
    merged(tmp_path, tmp_path / "adapter", tmp_path / "base")
    old, new = (AutoModelForCausalLM.from_pretrained(tmp_path / folder) for folder in ("base", "merged"))
    layers = [model.transformer.h[0].get_submodule(module) for model in (old, new)]
    x = torch.randn(5, 32)
    with torch.inference_mode():
        assert torch.allclose(layers[1](x), layers[0](x) + x @ a.T @ b.T, atol=1e-4)


def test_the_base_has_the_revision_that_the_adapter_names(tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", POCKET, MODULES, revision="v1")
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": "owner/base"}))
    assert find_checkpoint(adapter) == Checkpoint("owner/base", "v1", str(adapter))
    assert find_checkpoint("owner/base", adapter=adapter).revision == "v1"
    assert find_checkpoint(adapter, "v2").revision == find_checkpoint("owner/base", "v2", adapter).revision == "v2"
    assert find_checkpoint("owner/other", adapter=adapter).revision is None
    assert find_checkpoint(POCKET, adapter=adapter).revision is None


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
