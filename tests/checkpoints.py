"""Checkpoints of a training run that differ in their weights, as variants of the pocket checkpoint, and an adapter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

WEIGHTS = "model.safetensors"


def variant(source: Path, folder: Path, seed: int, scale: float = 0.004) -> Path:
    """A copy of the checkpoint whose tensors all have seeded noise added."""
    shutil.copytree(source, folder, dirs_exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    noisy = {
        name: (values.float() + scale * torch.randn(values.shape, generator=generator)).to(values.dtype)
        for name, values in load_file(source / WEIGHTS).items()
    }
    save_file(noisy, folder / WEIGHTS, {"format": "pt"})
    return folder


def reconfigure(folder: Path, **changes: Any) -> Path:
    """The checkpoint's config.json has these values."""
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return folder


def save_adapter(folder: Path, base: Path, modules: Sequence[str], seed: int = 0, rank: int = 4, **settings: Any) -> Path:
    """A LoRA adapter with seeded values for these linear modules of the base, as peft saves it."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    weights: Mapping[str, torch.Tensor] = load_file(base / WEIGHTS)
    tensors = {}
    for module in modules:
        n_out, n_in = weights[f"{module}.weight"].shape
        tensors[f"base_model.model.{module}.lora_A.weight"] = torch.randn(rank, n_in, generator=generator) * 0.05
        tensors[f"base_model.model.{module}.lora_B.weight"] = torch.randn(n_out, rank, generator=generator) * 0.05
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    written = {"peft_type": "LORA", "r": rank, "lora_alpha": 8, "base_model_name_or_path": str(base), **settings}
    (folder / "adapter_config.json").write_text(json.dumps(written))
    return folder
