"""Refuses a broken checkpoint before anything is drawn from it: tensors that are missing, unexpected, misshapen or not finite.

Every check either runs or says why it could not; WeightChecks holds that for the run's manifest.

    files           both: a folder's headers: complete files, one set of weights, matrices that are no integers
    names, shapes   hf: what transformers reports after loading. vllm: the same report, from the files' headers alone
    values          hf: every parameter, in memory. vllm: the files, read up to a limit (tensor_files.find_not_finite)
    logits          both: a short prompt through the engine itself
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from raml_eval.backends.tensor_files import StoredTensor, name_some
from raml_eval.errors import ModelError

# Tensors that checkpoints carry beside the language model: buffers that are computed anew, and heads and towers that plain
# text generation does not use. transformers knows some of them for some models.
SPARE = re.compile(
    r"(^|\.)(rotary_emb\.(inv_freq|cos_cached|sin_cached)|position_ids|attn\.(masked_)?bias|attention\.(masked_)?bias"
    r"|(mtp|mtp_layers|v_head|value_head|visual|vision_tower|vision_model|audio_tower|multi_modal_projector)\..*)$"
)
_QUANTISED = ("quantization_config", "compression_config")
_INTEGERS = ("I8", "U8", "I16", "U16", "I32", "U32", "I64", "U64", "BOOL")
_ADVICE = "Copy or convert the checkpoint again, completely"


@dataclass(frozen=True, slots=True)
class WeightChecks:
    """What each check covered, in words, or 'not made' and the reason. names covers shapes too."""

    names: str = "not made"
    values: str = "not made"
    logits: str = "not made"

    def fields(self) -> dict[str, str]:
        return asdict(self)


def check_report(model: str, config: Any, report: Mapping[str, Any]) -> str:
    """What was checked, in words. ModelError if transformers' loading report names tensors that do not fit the model.

    report is the second result of from_pretrained(output_loading_info=True), with ignore_mismatched_sizes=True. The names
    of a quantised checkpoint depend on the method, so they are not checked. A tied output layer may be absent or present.
    """
    if method := find_quantisation(config):
        return f"not made: the checkpoint is quantised ({method})"
    unexpected = {name for name in report["unexpected_keys"] if not _is_spare(name, config)}
    found = []
    if report["missing_keys"]:
        found.append(f"it lacks {name_some(report['missing_keys'])}")
    if unexpected:
        found.append(f"it has {name_some(unexpected)}, which the model does not know")
    shapes = [f"{name} (shape {tuple(is_)}, not {tuple(wanted)})" for name, is_, wanted in report["mismatched_keys"]]
    if shapes:
        found.append(f"it has the wrong shape of {name_some(shapes)}")
    if found:
        raise ModelError(f"model {model} does not match its config.json: {'; '.join(found)}. {_ADVICE}, or mend config.json.")
    n_spare = len(report["unexpected_keys"]) - len(unexpected)
    return "all names and shapes" + (f"; {n_spare} unused ones accepted" if n_spare else "")


def refuse_not_finite(model: str, names: tuple[str, ...], hint: str = "") -> None:
    """ModelError if there is any name: these tensors hold NaN or infinite values."""
    if names:
        raise ModelError(
            f"model {model} has weights that are NaN or infinite in {name_some(names)}. {hint}{_ADVICE}, or "
            "use one from before its training diverged."
        )


def flat_error(model: str, reason: str) -> ModelError:
    """The error for a model whose weights are all zero, or whose logits are all equal."""
    return ModelError(f"model {model} gives every token the same probability: {reason}. {_ADVICE}.")


def refuse_integers(model: str, config: Mapping[str, Any], tensors: Mapping[str, StoredTensor]) -> None:
    """ModelError if all matrices are integers, and config, the object in config.json, names no quantisation.

    One matrix of another type is enough to pass: quantised checkpoints keep embeddings, and models have tables of integers.
    """
    kinds = {tensor.dtype for name, tensor in tensors.items() if len(tensor.shape) > 1 and not SPARE.search(name)}
    if kinds and kinds <= set(_INTEGERS) and not _names_quantisation(config):
        raise ModelError(
            f"model {model} has weights that are integers (type {name_some(kinds)}), and its config.json has no "
            f"quantization_config that says what they stand for. {_ADVICE}, or mend config.json."
        )


def _names_quantisation(config: Mapping[str, Any]) -> bool:
    parts = (value for value in config.values() if isinstance(value, Mapping))
    return any(config.get(name) for name in _QUANTISED) or any(map(_names_quantisation, parts))


def logits_error(model: str, dtype: str) -> ModelError:
    """The error for logits that are NaN or infinite."""
    other = "float32" if dtype != "float32" else "another precision"
    return ModelError(
        f"model {model} gives logits that are NaN or infinite for a short prompt, computed in {dtype}. Check the "
        f"checkpoint, or load it with dtype={other}."
    )


def probe_ids(n_vocab: int, context: int) -> list[int]:
    """At most eight ids from all over the vocabulary, fewer if the context is shorter; its ends often hold special tokens."""
    return [n_vocab * (i + 1) // 10 for i in range(max(1, min(8, context - 1)))]


def find_quantisation(config: Any) -> str:
    """The name of the method that a configuration says the checkpoint is quantised with; empty if it is not."""
    found = getattr(config, "quantization_config", None) or getattr(config, "compression_config", None)
    if not found:
        return ""
    method = found.get("quant_method") if isinstance(found, Mapping) else getattr(found, "quant_method", None)
    return str(getattr(method, "value", method) or "an unnamed method")


def _is_spare(name: str, config: Any) -> bool:
    """True for a tensor that plain text generation does not need: see SPARE, and layers that predict several tokens ahead."""
    if SPARE.search(name):
        return True
    text_config = config.get_text_config()
    n_ahead = getattr(text_config, "num_nextn_predict_layers", None) or 0
    layer = re.search(r"(?:^|\.)layers\.(\d+)\.", name)
    n_layers = getattr(text_config, "num_hidden_layers", None)
    return bool(layer and n_layers and n_layers <= int(layer[1]) < n_layers + n_ahead)
