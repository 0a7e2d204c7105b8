"""The comparison of an engine's weights with a checkpoint's files, on a model with a fused and packed layer as in vLLM."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="weights need torch (pip install 'raml-eval[hf]')")

import torch
from safetensors.torch import save_file
from torch import nn

from raml_eval.backends.loaded_weights import Comparison, compare_weights

WIDTH = 3


class Packed:
    """A layer's way to multiply: with a copy of the matrix, which stays as it was when the copy was made."""

    def __init__(self, layer: nn.Linear) -> None:
        self.matrix = layer.weight.detach().clone()

    def apply(self, layer: nn.Linear, x: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
        return x @ self.matrix.T


class Fused(nn.Module):
    """Two matrices of the files in one, and an output layer with more rows than the vocabulary has."""

    packed_modules_mapping = {"kv_proj": ["k_proj", "v_proj"]}  # noqa: RUF012  as vLLM's models have it

    def __init__(self, tied: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.config = SimpleNamespace(get_text_config=lambda: SimpleNamespace(tie_word_embeddings=tied))
        self.kv_proj: Any = nn.Linear(WIDTH, 4, bias=False)
        self.lm_head: Any = nn.Linear(WIDTH, 8, bias=False)
        for layer in (self.kv_proj, self.lm_head):
            layer.quant_method = Packed(layer)


def files_of(model: Fused, folder: Path, tied: bool) -> dict[str, torch.Tensor]:
    """What the files of this model hold."""
    head = "model.embed_tokens.weight" if tied else "lm_head.weight"
    tensors = {
        "k_proj.weight": model.kv_proj.weight[:2],
        "v_proj.weight": model.kv_proj.weight[2:],
        head: model.lm_head.weight[:5],
    }
    return write(folder, {name: values.detach().clone() for name, values in tensors.items()})


def write(folder: Path, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    save_file(tensors, folder / "model.safetensors")
    return tensors


@pytest.mark.parametrize("tied", [True, False])
def test_equal_weights_are_found_equal(tmp_path: Path, tied: bool) -> None:
    model = Fused(tied)
    files_of(model, tmp_path, tied)
    assert compare_weights(model, tmp_path) == Comparison(2, (), ())


def test_one_old_part_of_a_fused_matrix_is_wrong(tmp_path: Path) -> None:
    model = Fused(tied=True)
    tensors = files_of(model, tmp_path, tied=True)
    tensors["v_proj.weight"][1, 2] += 1e-6
    write(tmp_path, tensors)
    assert compare_weights(model, tmp_path).wrong == ("kv_proj.weight",)


def test_a_packed_copy_that_stays_old_is_wrong_though_the_parameter_is_right(tmp_path: Path) -> None:
    model = Fused(tied=True)
    with torch.no_grad():
        model.lm_head.weight += 1
    files_of(model, tmp_path, tied=True)
    assert compare_weights(model, tmp_path).wrong == ("lm_head.weight",)
    model.lm_head.quant_method = Packed(model.lm_head)
    assert not compare_weights(model, tmp_path).wrong


def test_a_parameter_that_is_only_a_packed_copy_is_compared(tmp_path: Path) -> None:
    model = Fused(tied=True)
    tensors = files_of(model, tmp_path, tied=True)
    model.kv_proj.weight = nn.Parameter(torch.empty(0))
    assert compare_weights(model, tmp_path) == Comparison(2, (), ())
    tensors["k_proj.weight"][0, 0] += 1e-6
    write(tmp_path, tensors)
    assert compare_weights(model, tmp_path).wrong == ("kv_proj.weight",)


def test_what_has_no_partner_is_unknown_on_both_sides(tmp_path: Path) -> None:
    model = Fused(tied=False)
    tensors = files_of(model, tmp_path, tied=False)
    head = tensors.pop("lm_head.weight")
    write(tmp_path, {**tensors, "experts.0.weight": torch.ones(2), "rotary_emb.inv_freq": torch.ones(2)})
    assert compare_weights(model, tmp_path) == Comparison(1, (), ("experts.0.weight", "lm_head.weight"))
    write(tmp_path, {**tensors, "lm_head.weight": torch.cat([head, head])})  # more rows than the engine has
    assert compare_weights(model, tmp_path).unknown == ("lm_head.weight",)
