"""Compares the weights that an engine computes with against a checkpoint's files, after weights were swapped.

Three things can go wrong in silence when vLLM reloads weights in place: a tensor is left out, a part of a fused matrix stays
old, or a layer goes on with a packed copy of the old matrix. So the loader is not asked, but the layers: a linear layer that
is given the identity returns its matrix, exactly, in whatever form it keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from raml_eval.backends.tensor_files import StoredTensor, name_some, read_tensors
from raml_eval.backends.weights import SPARE
from raml_eval.errors import SwapRefused

_ROWS = 1024  # of the identity in one pass
_EMBEDDING, _OUTPUT = "model.embed_tokens.weight", "lm_head"


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many parameters were compared, which differ from the files, and which of either side could not be compared."""

    n_compared: int
    wrong: tuple[str, ...]
    unknown: tuple[str, ...]

    def tell(self) -> str:
        more = f"; {len(self.unknown)} have none there by their names" if self.unknown else ""
        return f"{self.n_compared} parameters have the values of the files{more}"


def stale_error(model: str, names: Sequence[str]) -> SwapRefused:
    """The error for an engine that does not compute with the weights of the files after a swap."""
    return SwapRefused(
        f"after the swap to {model}, the engine does not compute with the files' values of {name_some(names)}: they are stale "
        "or mixed. The model gets an engine of its own."
    )


class WorkerExtension:
    """A class that vLLM adds to the bases of its workers, in each of their processes (worker_extension_cls)."""

    def raml_reload_weights(self, weights_path: str) -> None:
        """The folder's weights are reloaded, also into the output layer that is tied to the embedding.

        vLLM 0.32 leaves that one out: no tensor of the files names it, and on a CPU it multiplies with a packed copy of its
        own, so the logits would go on to come from the old embedding.
        """
        self.reload_weights(weights_path=weights_path)  # type: ignore[attr-defined]
        model = self.get_model()  # type: ignore[attr-defined]
        head: Any = getattr(model, _OUTPUT, None)
        if is_tied(model) and hasattr(head, "quant_method"):
            head.quant_method.process_weights_after_loading(head)

    def raml_compare_weights(self, folder: str) -> tuple[int, list[str], list[str]]:
        """The fields of compare_weights of this worker's model and the folder's files."""
        found = compare_weights(self.get_model(), Path(folder))  # type: ignore[attr-defined]
        return found.n_compared, list(found.wrong), list(found.unknown)


def compare_weights(model: Any, folder: Path) -> Comparison:
    """The model's parameters against the folder's safetensors files. model is transformers' or vLLM's.

    A matrix that vLLM fuses is compared with the parts that its packed_modules_mapping names, a tied output layer with the
    embedding. unknown is not empty if no tensor has the name and shape of a parameter (it is sharded, merged or quantised), or
    if a tensor has no parameter.
    """
    tensors = {name: tensor for name, tensor in (read_tensors(folder) or {}).items() if not SPARE.search(name)}
    tied = is_tied(model)
    left, wrong, unknown, n_compared = set(tensors), [], [], 0
    if tied:
        left.discard(f"{_OUTPUT}.weight")  # a copy that engines leave aside
    for path, module in model.named_modules():
        for kind, parameter in module.named_parameters(recurse=False):
            names = _stored_names(model, path, kind, tensors, tied)
            left -= set(names)
            stored = torch.cat([_read(name, tensors[name]) for name in names]).to(parameter.dtype) if names else None
            found = [] if stored is None else [_is_same(stored, has) for has in _values(module, kind, parameter, stored)]
            if not found or None in found:
                unknown.append(f"{path}.{kind}")
                continue
            n_compared += 1
            if not all(found):
                wrong.append(f"{path}.{kind}")
    return Comparison(n_compared, tuple(sorted(wrong)), tuple(sorted([*unknown, *left])))


def is_tied(model: Any) -> bool:
    """True if the output layer uses the embedding's weights."""
    return bool(model.config.get_text_config().tie_word_embeddings)


def _stored_names(model: Any, path: str, kind: str, tensors: Mapping[str, StoredTensor], tied: bool) -> list[str]:
    """The tensors that a parameter consists of, in order; empty if the files have none of its name."""
    before, dot, leaf = path.rpartition(".")
    parts: Sequence[str] = getattr(model, "packed_modules_mapping", {}).get(leaf, [leaf])
    names = [f"{before}{dot}{part}.{kind}" for part in parts]
    if path == _OUTPUT and tied:
        names = [_EMBEDDING]
    return names if all(name in tensors for name in names) else []


def _values(module: Any, kind: str, parameter: torch.Tensor, stored: torch.Tensor) -> Iterator[torch.Tensor]:
    """The parameter as the module holds it, and as a layer of vLLM's computes with it, where each is to be had."""
    if parameter.numel():
        yield parameter
    method = getattr(module, "quant_method", None)
    # An embedding looks rows up, and never multiplies. On a GPU nothing is packed, and products of float32 may be rounded.
    multiplies = method is not None and stored.ndim == 2 and type(module).__name__ != "VocabParallelEmbedding"
    if multiplies and kind == "weight" and (parameter.device.type == "cpu" or not parameter.numel()):
        yield _computed(module, method, stored.shape[1], parameter)


def _computed(module: Any, method: Any, n_in: int, parameter: torch.Tensor) -> torch.Tensor:
    """The matrix with which a layer multiplies: the rows are its products with the rows of the identity, turned."""
    rows = []
    for start in range(0, n_in, _ROWS):
        n = min(_ROWS, n_in - start)
        unit = torch.zeros(n, n_in, dtype=parameter.dtype, device=parameter.device)
        unit[torch.arange(n), start + torch.arange(n)] = 1
        with torch.inference_mode():
            rows.append(method.apply(module, unit, None))
    return torch.cat(rows).T


def _is_same(stored: torch.Tensor, values: torch.Tensor) -> bool | None:
    """Whether the values are equal, None if the shapes forbid it; the engine may have padded a vocabulary with more rows."""
    if values.ndim != stored.ndim or values.shape[1:] != stored.shape[1:] or len(values) < len(stored):
        return None
    return bool(torch.equal(values[: len(stored)].to("cpu"), stored))


def _read(name: str, tensor: StoredTensor) -> torch.Tensor:
    with safe_open(tensor.path, "pt") as file:
        values: torch.Tensor = file.get_tensor(name)
    return values
