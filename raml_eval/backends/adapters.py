"""Merges a LoRA adapter into its base, W + s B A, so that every engine loads the result like any other checkpoint.

The product is computed in float32 and rounded once, to the base's type. Only what is understood in full is merged: linear and
embedding layers, biases and whole modules that were trained. Every other tensor of an adapter is refused by its name.
Source: Hu et al. 2021, arXiv:2106.09685; Kalajdzievski 2023, arXiv:2312.03732 (rank-stabilised); the files are peft's.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from raml_eval.backends.tensor_files import is_adapter, name_some, read_tensors
from raml_eval.checkpoint import ADAPTER, Checkpoint, first_line
from raml_eval.errors import ModelError

_PREFIX = "base_model.model."
_TOKENIZER = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.*",
    "merges.txt",
    "chat_template*",
    "*.tiktoken",
)
# Settings that are read here, or that only say how an adapter was trained and which of its tensors there are. Any other one
# may change what it computes, as use_dora does, unless it is empty.
_UNDERSTOOD = {
    *("peft_type", "r", "lora_alpha", "alpha_pattern", "rank_pattern", "use_rslora", "fan_in_fan_out", "init_lora_weights"),
    *("base_model_name_or_path", "revision", "task_type", "auto_mapping", "peft_version", "inference_mode", "lora_dropout"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "modules_to_save", "bias", "lora_bias"),
    *("loftq_config", "eva_config", "corda_config", "lora_ga_config", "qalora_group_size", "megatron_core"),
    *("ensure_weight_tying", "runtime_config", "unsloth_fixed"),
}
# Initialisations that leave the base alone. The others (pissa, olora, corda, loftq, ...) train on a changed base.
_INITIAL = (None, True, False, "gaussian", "eva", "orthogonal")


@contextlib.contextmanager
def loadable(checkpoint: Checkpoint) -> Iterator[Checkpoint]:
    """Inside, a checkpoint that an engine can load: the given one, or a temporary folder with the adapter merged into it.

    Raises ModelError if the adapter cannot be merged exactly.
    """
    if checkpoint.adapter is None:
        yield checkpoint
        return
    with tempfile.TemporaryDirectory(prefix="raml_eval_merged_") as folder:
        merge_adapter(_base_folder(checkpoint), Path(checkpoint.adapter), Path(folder), checkpoint.tokenizer_folder)
        yield Checkpoint(folder)


def merge_adapter(base: Path, adapter: Path, out: Path, tokenizer: Path | None = None) -> None:
    """The folder out holds the base with the adapter merged in, as safetensors, with the tokenizer of that folder.

    Memory: one file of the base at a time. Raises ModelError as loadable does.
    """
    import torch
    from safetensors.torch import load_file, save_file

    settings = Checkpoint(str(adapter)).read_json(ADAPTER)
    _check_settings(adapter, settings)
    tied_rows = _tied_rows(base)
    deltas = _Adapter(adapter, settings, tied_rows)
    tensors = read_tensors(base)
    if not tensors:
        raise _refusal(adapter, f"its base {base} has no safetensors files")
    _copy_light(base, out, tokenizer or base)
    with torch.inference_mode():
        for path in sorted({tensor.path for tensor in tensors.values()}):
            merged = {name: deltas.apply(name, values) for name, values in load_file(path).items()}
            save_file(merged, out / path.name, {"format": "pt"})
    if left := deltas.unused():
        if tied_rows and any(name.startswith("lm_head.") for name in left):
            raise _tied_refusal(adapter, "lm_head")
        raise _refusal(adapter, f"{name_some(left)} fits no tensor of {base}")


def _refusal(adapter: Path, reason: str) -> ModelError:
    return ModelError(
        f"adapter {adapter} cannot be merged: {reason}. Merge it yourself (pip install peft; merge_and_unload and "
        "save_pretrained), and give the merged folder as --model."
    )


def _tied_refusal(adapter: Path, name: str) -> ModelError:
    return ModelError(
        f"adapter {adapter} cannot be merged: it changes {name}, and its base has one matrix as embedding and as output layer "
        "(tie_word_embeddings), so that a merge, peft's too, would change both alike. Give a merged model that has "
        "tie_word_embeddings: false and an lm_head.weight of its own."
    )


def _check_settings(adapter: Path, settings: Mapping[str, Any]) -> None:
    told = {name: json.dumps(value)[:60] for name, value in settings.items() if name not in _UNDERSTOOD and value}
    if settings.get("peft_type") != "LORA":
        told["peft_type"] = json.dumps(settings.get("peft_type"))
    if told:
        raise _refusal(adapter, f"its {min(told)} is {told[min(told)]}")
    if (initial := settings.get("init_lora_weights")) not in _INITIAL:
        raise ModelError(
            f"adapter {adapter} cannot be merged: its init_lora_weights is {json.dumps(initial)[:60]}, so it was trained on a "
            "changed base that it does not hold; wanted true, false, gaussian, eva or orthogonal. Save it again from the "
            "training with path_initial_model_for_weight_conversion, or merge it there, and give the result."
        )
    if type(settings.get("r")) is not int or not isinstance(settings.get("lora_alpha"), int | float):
        raise _refusal(adapter, f"its {ADAPTER} lacks r or lora_alpha")


class _Adapter:
    """The tensors of an adapter by the module of the base that they change, and which of them have been used."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], tied_rows: int | None) -> None:
        from safetensors.torch import load_file

        self._folder, self._settings, self._tied_rows = folder, settings, tied_rows
        path = folder / "adapter_model.safetensors"
        try:
            self._tensors = {name.removeprefix(_PREFIX): values for name, values in load_file(path).items()}
        except Exception as error:  # a missing or damaged file raises several types
            raise _refusal(folder, f"{path} cannot be read ({first_line(error)})") from error
        self._used: set[str] = set()

    def apply(self, name: str, base: Any) -> Any:
        """The tensor of this name with what the adapter adds to it, or with what stands in its place.

        Raises ModelError for the embedding of a base that is its output layer, too: in training, only one of them changed.
        """
        merged = self._merge(name, base)
        is_embedding = base.ndim == 2 and len(base) == self._tied_rows and not re.search(r"\.\d+\.", name)
        if is_embedding and (merged.shape != base.shape or not bool((merged == base).all())):
            raise _tied_refusal(self._folder, name)
        return merged

    def _merge(self, name: str, base: Any) -> Any:
        module, _, kind = name.rpartition(".")
        for key in (name, f"{module}.modules_to_save.{kind}", f"{module}.base_layer.{kind}"):
            if key in self._tensors:
                self._used.add(key)
                base = self._tensors[key].to(base.dtype)
        if kind != "weight":
            return base
        for a_name, b_name, is_embedding in (
            (f"{module}.lora_A.weight", f"{module}.lora_B.weight", False),
            (f"{module}.lora_embedding_A", f"{module}.lora_embedding_B", True),
        ):
            if a_name in self._tensors and b_name in self._tensors:
                self._used |= {a_name, b_name}
                a, b = self._tensors[a_name].float(), self._tensors[b_name].float()
                delta = (b @ a) * self._scale(module, a.shape[0])
                # peft leaves fan_in_fan_out true for Conv1D only, whose matrices lie the other way round, square ones too.
                if is_embedding or (self._settings.get("fan_in_fan_out") and delta.T.shape == base.shape):
                    delta = delta.T
                if delta.shape != base.shape:
                    shapes = f"{tuple(delta.shape)} of {module} to {tuple(base.shape)}"
                    raise _refusal(self._folder, f"it was trained on another base: it would add {shapes}")
                return (base.float() + delta).to(base.dtype)
        return base

    def _scale(self, module: str, rank: int) -> float:
        """lora_alpha over the rank, or over its root if the adapter is rank-stabilised; a pattern's alpha comes first."""
        alpha = self._settings["lora_alpha"]
        for pattern, of_pattern in (self._settings.get("alpha_pattern") or {}).items():
            if re.match(rf"(.*\.)?({pattern})$", module):
                alpha = of_pattern
                break
        return float(alpha) / (rank**0.5 if self._settings.get("use_rslora") else rank)

    def unused(self) -> set[str]:
        return set(self._tensors) - self._used


def _tied_rows(base: Path) -> int | None:
    """The rows of the base's embedding if it is the output layer too; None if it is not."""
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(base, trust_remote_code=False).get_text_config()
        tied, rows = config.tie_word_embeddings, config.vocab_size
    except Exception:  # transformers does not know the model, and says so with several types
        stated = Checkpoint(str(base)).read_json("config.json")
        tied, rows = stated.get("tie_word_embeddings", True), stated.get("vocab_size")
    return rows if tied else None


def _copy_light(base: Path, out: Path, tokenizer: Path) -> None:
    """Everything of the base but its weights, with the tokenizer's files from their folder."""
    for path in base.iterdir():
        if path.is_file() and path.suffix not in (".bin", ".pt", ".gguf", ".safetensors") and not is_adapter(path):
            shutil.copy(path, out / path.name)
    if tokenizer != base:
        for pattern in _TOKENIZER:
            for path in out.glob(pattern):
                path.unlink()
            for path in tokenizer.glob(pattern):
                shutil.copy(path, out / path.name)


def _base_folder(checkpoint: Checkpoint) -> Path:
    """The folder of the base with its weights; those of a hub id are downloaded."""
    folder = Path(checkpoint.source)
    if folder.is_dir():
        return folder.resolve()
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(checkpoint.source, revision=checkpoint.revision))
    except (OSError, ValueError) as error:
        raise ModelError(f"the base {checkpoint.source} cannot be downloaded ({first_line(error)}). Give a folder.") from error
