"""A broken checkpoint is refused before anything is drawn, on both engines, and a sound one is not."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the checks run with an engine (pip install 'raml-eval[hf]')")

import torch
from safetensors.torch import load_file, save_file

from raml_eval.backends import open_backend
from raml_eval.backends.tensor_files import StoredTensor, find_not_finite, name_some, read_tensors
from raml_eval.backends.vllm_weights import absent_experts, check_downloaded, check_files
from raml_eval.backends.weights import check_report, probe_ids, refuse_integers
from raml_eval.checkpoint import Checkpoint
from raml_eval.errors import ModelError
from tests.backend_bench import POCKET, opened
from tests.engines import ENGINE_ARGS, ENGINES

Tensors = dict[str, Any]
GATE = "model.layers.0.mlp.gate_proj.weight"


def broken_copy(folder: Path, change: Callable[[Tensors], object]) -> Path:
    """A copy of the pocket checkpoint with changed tensors."""
    shutil.copytree(POCKET, folder, dirs_exist_ok=True)
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file({name: t.contiguous() for name, t in tensors.items()}, folder / "model.safetensors", {"format": "pt"})
    return folder


def put(tensors: Tensors, value: float) -> None:
    tensors[GATE].view(-1)[777] = value


def spoil_all(tensors: Tensors) -> None:
    for tensor in tensors.values():
        tensor.fill_(torch.nan)


BROKEN: dict[str, tuple[Callable[[Tensors], object], str]] = {
    "missing": (lambda t: t.pop(GATE), f"lacks {GATE}"),
    "missing_many": (lambda t: [t.pop(name) for name in list(t) if ".1." in name], r"lacks model\.layers\.1\..* and 8 more"),
    "unexpected": (lambda t: t.update({"model.layers.0.mlp.gate_proj.bias": torch.ones(384)}), r"has model.*gate_proj\.bias,"),
    "one_layer_too_many": (lambda t: t.update({GATE.replace("0", "4"): torch.ones(384, 128)}), r"layers\.4.*does not know"),
    "shape": (lambda t: t.update({GATE: torch.ones(384, 64)}), rf"{GATE} \(shape \(384, 64\), not \(384, 128\)\)"),
    "one_nan": (lambda t: put(t, torch.nan), f"NaN or infinite in {GATE}"),
    "one_infinity": (lambda t: put(t, -torch.inf), f"NaN or infinite in {GATE}"),
    "all_nan": (spoil_all, r"NaN or infinite in model\.embed_tokens\.weight, .* and 43 more"),
    "all_zero": (lambda t: [tensor.zero_() for tensor in t.values()], "gives every token the same probability: its"),
    "zero_matrices": (lambda t: [m.zero_() for m in t.values() if m.dim() > 1], "gives every token the same probability: its"),
    "integers": (lambda t: t.update({n: m.to(torch.int8) for n, m in t.items()}), r"weights that are integers \(type I8\)"),
    "overflow": (lambda t: t[GATE].fill_(1e38), "logits that are NaN or infinite"),  # every weight is finite
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_checkpoint_is_refused_before_anything_is_drawn(tmp_path: Path, engine: str, case: str) -> None:
    change, says = BROKEN[case]
    folder = broken_copy(tmp_path, change)
    with pytest.raises(ModelError, match=says):
        asyncio.run(open_backend(engine, str(folder), args=ENGINE_ARGS[engine]))


def shard_beside(folder: Path) -> None:
    """A stale single file lies beside the shards."""
    whole = (folder / "model.safetensors").read_bytes()
    shard(folder)
    (folder / "model.safetensors").write_bytes(whole)


def shard_unlisted(folder: Path) -> None:
    shard_beside(folder)
    (folder / "model.safetensors.index.json").unlink()


def empty_index(folder: Path) -> None:
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": {}}))


def cut_short(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-100])


def keep_training_only(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    for name in ("optimizer.pt", "training_args.bin"):
        torch.save({"a": torch.ones(2, 2)}, folder / name)


TWO_SETS = r"two sets of weights, \S*model\.safetensors and \S*"
BROKEN_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "shards_and_one_file": (shard_beside, TWO_SETS + r"model\.safetensors\.index\.json, .* Remove the one"),
    "shards_without_index": (shard_unlisted, TWO_SETS + r"model-00001-of-00002\.safetensors, .* Remove the one"),
    "empty_file": (
        lambda folder: (folder / "model.safetensors").write_bytes(b""),
        r"model\.safetensors is no complete safetensors file \(it has 0 bytes, .*\)\. Copy it again",
    ),
    "cut_short": (
        cut_short,
        r"model\.safetensors is no complete safetensors file \(it has \d+ bytes, its header .*Copy it again",
    ),
    "no_weights": (lambda folder: (folder / "model.safetensors").unlink(), r"has no weights: .* Copy the checkpoint again"),
    "state_of_a_training": (keep_training_only, r"has no weights: .* Copy the checkpoint again"),
    "empty_index": (empty_index, r"index\.json lists no files, .* Copy the checkpoint again"),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", BROKEN_FILES)
def test_broken_files_are_named_before_the_engine_starts(
    tmp_path: Path, engine: str, case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    spoil, says = BROKEN_FILES[case]
    folder = broken_copy(tmp_path, keep)
    spoil(folder)
    with pytest.raises(ModelError, match=says):
        asyncio.run(open_backend(engine, str(folder), args=ENGINE_ARGS[engine]))
    assert "Traceback" not in "".join(capfd.readouterr())


def tie(tensors: Tensors) -> None:
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()


def add_rotary(tensors: Tensors) -> None:
    tensors |= {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.ones(16) for i in range(4)}


def keep(tensors: Tensors) -> None:
    pass


def add_adapter(folder: Path) -> None:
    save_file(
        {"base_model.model.model.layers.0.mlp.gate_proj.lora_A.weight": torch.ones(4, 128)},
        folder / "adapter_model.safetensors",
    )
    (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", "r": 4, "target_modules": ["gate_proj"]}))


def shard(folder: Path) -> None:
    """The tensors are in two files with an index, one of them with another file that the index does not list."""
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(tensors)
    files = {"model-00001-of-00002.safetensors": names[:20], "model-00002-of-00002.safetensors": names[20:]}
    for file, held in files.items():
        save_file({name: tensors[name] for name in held}, folder / file, {"format": "pt"})
    save_file({"stray": torch.ones(2)}, folder / "stray.safetensors")
    index = {"metadata": {}, "weight_map": {name: file for file, held in files.items() for name in held}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def zero_one(tensors: Tensors) -> None:
    tensors |= {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": torch.zeros(16) for i in range(4)}


def add_consolidated(folder: Path) -> None:
    """The same tensors as in model.safetensors, under the name of another layout."""
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")


def index_the_single_file(folder: Path) -> None:
    index = {"metadata": {}, "weight_map": dict.fromkeys(load_file(folder / "model.safetensors"), "model.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


SOUND: dict[str, tuple[Callable[[Tensors], object], Callable[[Path], object]]] = {
    "output_layer_beside_the_tied_embedding": (tie, lambda folder: None),
    "rotary_buffers": (add_rotary, lambda folder: None),
    "adapter": (keep, add_adapter),
    "two_files": (keep, shard),
    "index_of_one_file": (keep, index_the_single_file),
    "zero_buffers": (zero_one, lambda folder: None),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("case", SOUND)
def test_a_sound_checkpoint_is_accepted_and_draws_the_same(tmp_path: Path, engine: str, case: str) -> None:
    change, after = SOUND[case]
    folder = broken_copy(tmp_path / "copy", change)
    after(folder)
    drawn = []
    for model in (POCKET, folder):
        with opened(engine, model, ENGINE_ARGS[engine]) as bench:
            drawn.append(bench.one("Compute 1+2."))
            checks = bench.backend.description.details["weight_checks"]
    assert drawn[0] == drawn[1]
    assert sorted(checks) == ["logits", "names", "values"]
    assert not any(text.startswith("not made") for text in checks.values())


def edit_config(folder: Path, **changes: Any) -> None:
    config = json.loads((folder / "config.json").read_text()) | changes
    (folder / "config.json").write_text(json.dumps(config))


def test_what_cannot_be_checked_is_not_refused_and_says_so(tmp_path: Path) -> None:
    lacking = broken_copy(tmp_path / "a", lambda t: t.pop(GATE))
    assert "load_format" in check_files("m", lacking, {"load_format": "dummy"}).names
    for changes, says in (
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, "not made: the checkpoint is quantised (awq)"),
        ({"model_type": "not_known_to_anyone"}, "not made: transformers does not know the model"),
        ({"architectures": ["Qwen3ForCausalLMWithATwist"]}, "not made: the architecture is not transformers'"),
    ):
        edit_config(lacking, model_type="qwen3", architectures=["Qwen3ForCausalLM"], quantization_config=None)
        edit_config(lacking, **changes)
        checks = check_files("m", lacking, {})
        assert checks.names.startswith(says)
        assert checks.values == "all values of 45 tensors"
    (lacking / "model.safetensors").rename(lacking / "model.pt")
    assert check_files("m", lacking, {}).values.startswith("not made: the folder has no safetensors")


def test_other_layouts_beside_the_weights_are_no_error(tmp_path: Path) -> None:
    folder = broken_copy(tmp_path, keep)
    add_consolidated(folder)
    assert check_files("m", folder, {}).names.startswith("not made: vLLM prefers the files consolidated")
    with opened("hf", folder, ENGINE_ARGS["hf"]) as bench:
        assert bench.backend.description.details["weight_checks"]["values"].startswith("all values")
    (folder / "consolidated.safetensors").unlink()
    shard_beside(folder)
    # What an engine downloaded for a hub id is judged by what vLLM loads of it, the shards.
    assert check_files("m", folder, {}, given=False).names == "all names and shapes"


def test_integers_are_refused_only_if_nothing_says_what_they_stand_for(tmp_path: Path) -> None:
    def tensors(dtype: str, other: str) -> dict[str, StoredTensor]:
        kinds = {"a.weight": ((2, 2), dtype), "b.weight": ((2, 2), other), "norm.weight": ((2,), "F32")}
        return {name: StoredTensor(shape, kind, tmp_path, 0, 4) for name, (shape, kind) in kinds.items()}

    refuse_integers("m", {}, tensors("I8", "BF16"))
    refuse_integers("m", {}, {})
    refuse_integers("m", {"text_config": {"quantization_config": {"bits": 8}}}, tensors("I8", "U8"))
    with pytest.raises(ModelError, match=r"integers \(type I8, U8\)"):
        refuse_integers("m", {"quantization_config": None}, tensors("I8", "U8"))


def test_weights_are_all_zero_only_if_every_matrix_was_read_and_is(tmp_path: Path) -> None:
    def all_zero(**tensors: Any) -> bool:
        save_file(tensors, tmp_path / "model.safetensors")
        found = read_tensors(tmp_path)
        assert found
        return find_not_finite(found).all_zero

    zero = torch.zeros(3, 2)
    assert all_zero(a=zero, b=-zero, norm=torch.ones(3))
    assert not all_zero(a=zero, b=zero + torch.tensor([0.0, 1e-45]))
    assert not all_zero(a=zero, packed=torch.ones(2, 2, dtype=torch.int32))
    assert not all_zero(a=zero, packed=torch.zeros(2, 2, dtype=torch.int32))  # its values are not read
    assert not all_zero(norm=torch.zeros(3))


def test_a_hub_model_is_checked_once_its_files_are_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    home = tmp_path / "models--owner--model"
    broken_copy(home / "snapshots" / ("0" * 40), lambda t: t.pop(GATE))
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text("0" * 40)
    with pytest.raises(ModelError, match=f"owner/model does not match .* lacks {GATE}"):
        check_downloaded(Checkpoint("owner/model"), {})
    assert check_downloaded(Checkpoint("owner/other"), {}).names.startswith("not made: the weights are not in the hub's cache")


def test_pickled_weights_are_checked_by_name(tmp_path: Path) -> None:
    folder = broken_copy(tmp_path, keep)
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(tensors, folder / "pytorch_model.bin")
    checks = check_files("m", folder, {})
    assert (checks.names, checks.values) == ("all names and shapes", "not made: the weights are in .bin files")
    tensors.pop(GATE)
    torch.save(tensors, folder / "pytorch_model.bin")
    with pytest.raises(ModelError, match=f"lacks {GATE}"):
        check_files("m", folder, {})


def test_a_file_that_is_cut_off_or_absent_is_named(tmp_path: Path) -> None:
    folder = broken_copy(tmp_path, keep)
    shard(folder)
    whole = (folder / "model-00002-of-00002.safetensors").read_bytes()
    (folder / "model-00002-of-00002.safetensors").write_bytes(whole[:-1])
    with pytest.raises(ModelError, match=r"00002\.safetensors is no complete safetensors file"):
        check_files("m", folder, {})
    (folder / "model-00002-of-00002.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(ModelError, match=r"00002\.safetensors is no complete safetensors file"):
        check_files("m", folder, {})
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ModelError, match=r"lists model-00002-of-00002\.safetensors, which the folder lacks"):
        check_files("m", folder, {})


DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
}  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bits_of_a_value_say_whether_it_is_finite(tmp_path: Path, dtype: str) -> None:
    kind = DTYPES[dtype]
    width = 8 * torch.empty(0, dtype=kind).element_size()
    integer = {8: torch.int8, 16: torch.int16, 32: torch.int32, 64: torch.int64}[width]
    # Every sign and exponent; of the longer types, only the upper 16 bits vary.
    upper = torch.arange(-(2 ** min(15, width - 1)), 2 ** min(15, width - 1)) << max(0, width - 16)
    every = upper.to(integer).view(kind)
    finite = (every.float() if width == 8 else every).isfinite()
    save_file(
        {str(i): every[i : i + 1].clone() for i in range(0, len(every), 37 if width > 8 else 1)}, tmp_path / "model.safetensors"
    )
    tensors = read_tensors(tmp_path)
    assert tensors
    assert {t.dtype for t in tensors.values()} == {dtype}
    found = find_not_finite(tensors).not_finite
    assert sorted(found) == sorted(name for name in tensors if not finite[int(name)])
    assert found


@pytest.mark.parametrize("place", [0, 3_000_000, 5_999_999])
def test_a_large_checkpoint_is_read_in_blocks_with_the_first_and_the_last_values(tmp_path: Path, place: int) -> None:
    values = torch.zeros(6_000_000, dtype=torch.bfloat16)
    values[place : place + 40_000 if place == 3_000_000 else place + 1] = torch.nan
    save_file({"big": values, "small": torch.zeros(3)}, tmp_path / "model.safetensors")
    tensors = read_tensors(tmp_path)
    assert tensors
    found = find_not_finite(tensors, read_limit=8_000_000)
    assert found.not_finite == ("big",)
    assert find_not_finite(tensors).extent == "all values of 2 tensors"
    assert find_not_finite({"small": tensors["small"]}, read_limit=8).not_finite == ()


def tiny(kind: str, folder: Path, **fields: Any) -> Path:
    """A checkpoint of the kind with two small layers and random weights."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.for_model(
        kind, vocab_size=64, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1, **fields
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


MOE = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "head_dim": 16}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 2}),  # its names get a prefix
        ("gemma2", {"intermediate_size": 32, "head_dim": 16}),  # it computes with a constant while it is built
        ("qwen3_moe", MOE),  # its experts are merged
    ],
)
def test_the_headers_of_other_families_are_compared_by_their_own_rules(
    tmp_path: Path, kind: str, fields: dict[str, Any]
) -> None:
    folder = tiny(kind, tmp_path, **fields)
    assert check_files("m", folder, {}).names == "all names and shapes"
    tensors = load_file(folder / "model.safetensors")
    for name in sorted(tensors)[::5]:
        save_file({n: t for n, t in tensors.items() if n != name}, folder / "model.safetensors", {"format": "pt"})
        with pytest.raises(ModelError, match=r"does not match its config\.json"):
            check_files("m", folder, {})


def test_one_expert_without_one_of_its_tensors_is_named() -> None:
    names = [f"model.layers.{i}.mlp.experts.{j}.{part}.weight" for i in (0, 1) for j in range(3) for part in ("up", "gate")]
    assert absent_experts([*names, "model.norm.weight"]) == set()
    assert absent_experts(set(names) - {names[3]}) == {names[3]}


def test_heads_for_tokens_ahead_are_no_part_of_the_model() -> None:
    from transformers import Qwen3Config

    config = Qwen3Config(num_hidden_layers=2, num_nextn_predict_layers=1)
    report = {
        "missing_keys": (),
        "unexpected_keys": {"model.layers.2.eh_proj.weight", "mtp.norm.weight"},
        "mismatched_keys": (),
    }
    assert check_report("m", config, report) == "all names and shapes; 2 unused ones accepted"
    with pytest.raises(ModelError, match=r"layers\.3"):
        check_report("m", config, {**report, "unexpected_keys": {"model.layers.3.eh_proj.weight"}})


def test_the_probe_fits_every_context_and_vocabulary() -> None:
    for n_vocab, context in ((1, 2), (3, 9), (261, 4), (150_000, 10**6)):
        ids = probe_ids(n_vocab, context)
        assert 1 <= len(ids) < max(2, context)
        assert all(0 <= i < n_vocab for i in ids)


def test_a_few_names_are_told_and_the_rest_counted() -> None:
    assert name_some(["c", "a", "b"]) == "a, b, c"
    assert name_some("dcbae", most=2) == "a, b and 3 more"
