"""The checks of a checkpoint's weights that vLLM needs: it runs without a tensor that is missing, and says nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from raml_eval.backends.tensor_files import (
    StoredTensor,
    find_not_finite,
    has_weights,
    is_adapter,
    no_weights,
    pickled_files,
    read_headers,
    read_tensors,
)
from raml_eval.backends.vllm_cpu import environment
from raml_eval.backends.weights import (
    SPARE,
    WeightChecks,
    check_report,
    find_quantisation,
    flat_error,
    logits_error,
    probe_ids,
    refuse_integers,
    refuse_not_finite,
)
from raml_eval.checkpoint import Checkpoint, first_line
from raml_eval.errors import ModelError

# The arguments with which vLLM loads something else than the folder's files and configuration describe.
OTHER_SOURCE = ("load_format", "hf_overrides", "hf_config_path", "config_format")
_FAVOUR = 1e30  # far above every logit of a working model, and below float32's largest number
_TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2", "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip


class _NotMade(Exception):
    """Why a check cannot be made."""


def check_files(model: str, folder: Path, args: Mapping[str, Any], given: bool = True) -> WeightChecks:
    """The checks that need no engine, on the files of a folder that vLLM loads with these engine arguments.

    Reads the headers of the safetensors files, and their values up to 2 GiB. Raises ModelError for files that are missing, cut
    off or ambiguous (given: of a hub id's folder, what an engine downloaded is not judged), and for tensors that are missing,
    unexpected, misshapen, not finite or all zero. A check is not made, and says so, if transformers has no such model, the
    checkpoint is quantised (names), the weights are in .bin files (values) or in others, or an argument names another source.
    """
    if other := [name for name in OTHER_SOURCE if args.get(name, "auto") != "auto"]:
        reason = f"not made: the engine argument {other[0]} changes what is loaded"
        return WeightChecks(reason, reason)
    if any(folder.glob("consolidated*.safetensors")):
        reason = "not made: vLLM prefers the files consolidated*.safetensors, whose names transformers does not know"
        return WeightChecks(reason, reason)
    if given:
        if not has_weights(folder):
            raise no_weights(model)
        read_headers(model, folder)
    tensors = read_tensors(folder)
    if tensors is None and not pickled_files(folder):
        reason = "not made: the folder has no safetensors files and no pytorch_model.bin"
        return WeightChecks(reason, reason)
    if tensors is not None:
        refuse_integers(model, Checkpoint(str(folder)).read_json("config.json"), tensors)
    checks = WeightChecks(names=_check_names(model, folder, tensors), values="not made: the weights are in .bin files")
    return checks if tensors is None else replace(checks, values=_check_values(model, tensors))


def _check_names(model: str, folder: Path, tensors: Mapping[str, StoredTensor] | None) -> str:
    try:
        with quiet_transformers():
            config, report = _report_of_headers(folder, tensors)
        return check_report(model, config, report)
    except _NotMade as reason:
        return f"not made: {reason}"


def _check_values(model: str, tensors: Mapping[str, StoredTensor]) -> str:
    found = find_not_finite({name: tensor for name, tensor in tensors.items() if not SPARE.search(name)})
    refuse_not_finite(model, found.not_finite)
    if found.all_zero:
        raise flat_error(model, f"its weights are all zero ({found.extent})")
    return found.extent


def check_downloaded(checkpoint: Checkpoint, args: Mapping[str, Any]) -> WeightChecks:
    """The checks of check_files on a hub id's files, once the engine has downloaded them."""
    found = checkpoint.at_hand()
    if found is None:
        reason = "not made: the weights are not in the hub's cache"
        return WeightChecks(reason, reason)
    return check_files(checkpoint.source, Path(found.source), args, given=False)


def _report_of_headers(folder: Path, tensors: Mapping[str, StoredTensor] | None) -> tuple[Any, Mapping[str, Any]]:
    """The model's configuration, and transformers' loading report for tensors of which only type and shape are known.

    transformers loads stand-ins without storage, so its own rules on renamed, merged and tied tensors apply, and nothing is
    read or allocated. Raises _NotMade if it does not know the model, or cannot load stand-ins.
    """
    import torch
    import transformers
    from torch._subclasses.fake_tensor import FakeTensorMode

    try:
        config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
        model_class = transformers.AutoModelForCausalLM._model_mapping[type(config)]
    except Exception as error:
        raise _NotMade("transformers does not know the model") from error
    if model_class.__name__ not in (config.architectures or ()):
        raise _NotMade(f"the architecture is not transformers' {model_class.__name__}")
    if method := find_quantisation(config):
        raise _NotMade(f"the checkpoint is quantised ({method})")
    try:
        with FakeTensorMode(allow_non_fake_inputs=True):  # some models compute with constants while they load
            stand_ins = {
                name: torch.empty(shape, dtype=getattr(torch, dtype))
                for name, (shape, dtype) in _untied(_outline(folder, tensors), model_class, config).items()
            }
            _, report = model_class.from_pretrained(
                None, config=config, state_dict=stand_ins, output_loading_info=True, ignore_mismatched_sizes=True
            )
    except Exception as error:  # experts that cannot be merged, or a model that computes with values while it loads
        if absent := absent_experts(tensors or ()):
            return config, {"missing_keys": absent, "unexpected_keys": (), "mismatched_keys": ()}
        raise _NotMade(f"transformers could not compare the headers ({type(error).__name__}: {first_line(error)})") from error
    return config, report


def absent_experts(names: Iterable[str]) -> set[str]:
    """The tensors that some experts of a layer have and others lack, under the names that they would have.

    transformers merges the tensors of all experts, and names none if one is missing.
    """
    experts: dict[str, set[str]] = defaultdict(set)
    parts: dict[str, set[str]] = defaultdict(set)
    present = set()
    for name in names:
        if match := re.fullmatch(r"(.*\.experts\.)(\d+)(\..*)", name):
            experts[match[1]].add(match[2])
            parts[match[1]].add(match[3])
            present.add(name)
    return {f"{at}{n}{part}" for at in experts for n in experts[at] for part in parts[at]} - present


def _outline(folder: Path, tensors: Mapping[str, StoredTensor] | None) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and torch type of every tensor by name."""
    if tensors is not None:
        return {name: (tensor.shape, _TYPES.get(tensor.dtype, "uint8")) for name, tensor in tensors.items()}
    import torch

    outline = {}
    for path in pickled_files(folder):
        for name, tensor in torch.load(path, map_location="meta", weights_only=True).items():
            outline[name] = (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
    return outline


def _untied(outline: Mapping[str, Any], model_class: Any, config: Any) -> dict[str, Any]:
    """The outline without the copies of tied tensors, whose values transformers would compare."""
    tied = getattr(model_class, "_tied_weights_keys", None)
    if not isinstance(tied, Mapping) or not config.get_text_config().tie_word_embeddings:
        return dict(outline)
    copies = {name for name, source in tied.items() if name in outline and source in outline}
    return {name: entry for name, entry in outline.items() if name not in copies}


@contextlib.contextmanager
def loaded_source(checkpoint: Checkpoint) -> Iterator[str]:
    """Inside, the folder or hub id that vLLM must load: a folder of links if adapters lie beside the weights, which are not
    asked for.

    vLLM reads every safetensors file of a folder that has no index, so it would take an adapter for a part of the model.
    """
    folder = Path(checkpoint.source)
    files = set(folder.glob("*.safetensors")) if folder.is_dir() else set()
    adapters = {path for path in files if is_adapter(path)}
    if not adapters or adapters == files or (folder / "model.safetensors.index.json").exists():
        yield checkpoint.source
        return
    with tempfile.TemporaryDirectory(prefix="raml_eval_model_") as links:
        for path in folder.resolve().iterdir():
            if not is_adapter(path):
                (Path(links) / path.name).symlink_to(path)
        yield links


async def check_logits(engine: Any, model: str, dtype: str, n_vocab: int, context: int) -> str:
    """What was checked, in words. ModelError if the engine's logits after a short prompt are NaN or infinite.

    Two greedy draws of one token favour two different tokens so much that finite logits give exactly these. A NaN or an
    infinity anywhere else is the largest logit instead. Log-probabilities would show it too, but vLLM compiles a kernel to
    rank them, which takes 1 to 9 s.
    """
    ids = probe_ids(n_vocab, context)
    favoured = [n_vocab // 3, n_vocab // 2]
    try:
        drawn = await asyncio.gather(*(_draw_favoured(engine, ids, token_id) for token_id in favoured))
    except Exception as error:
        if engine.errored:
            raise ModelError(
                f"model {model}: the vLLM engine died of a prompt of {len(ids)} tokens. Its log shows why."
            ) from error
        return f"not made: the engine refused the prompt ({first_line(error)})"
    if drawn != favoured:
        raise logits_error(model, dtype)
    return f"finite after a prompt of {len(ids)} tokens"


async def _draw_favoured(engine: Any, prompt_ids: list[int], token_id: int) -> int | None:
    from vllm import SamplingParams, TokensPrompt

    params = SamplingParams(temperature=0.0, max_tokens=1, ignore_eos=True, logit_bias={token_id: _FAVOUR}, detokenize=False)
    drawn = None
    async for output in engine.generate(TokensPrompt(prompt_token_ids=prompt_ids), params, f"probe-{token_id}"):
        drawn = output.outputs[0].token_ids[0]
    return drawn


@contextlib.contextmanager
def quiet_transformers() -> Iterator[None]:
    """transformers and torch report nothing inside, and start no thread: the engine may be forked from this process."""
    from transformers.utils import logging as transformers_logging

    level, bar = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    torch_log = logging.getLogger("torch._subclasses.fake_tensor")
    torch_level = torch_log.level
    torch_log.setLevel(logging.CRITICAL)
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with environment(HF_DEACTIVATE_ASYNC_LOAD="1"):
            yield
    finally:
        torch_log.setLevel(torch_level)
        transformers_logging.set_verbosity(level)
        if bar:
            transformers_logging.enable_progress_bar()
