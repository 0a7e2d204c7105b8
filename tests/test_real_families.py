"""Real chat templates and vocabularies: prompts are those of the family's own template, and formats are right or refused."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from raml_eval.backends.fake import FakeBackend
from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import ModelError
from raml_eval.prompts import (
    Detection,
    PromptSettings,
    check_format,
    closer_ids,
    closing_ids,
    detect_format,
    end_of_turn,
    load_tokenizer,
    prints_date,
    render_prompt,
    resumed_turn,
)
from raml_eval.prompts import detection as detection_module
from raml_eval.prompts import evidence as evidence_module
from raml_eval.protocols import ChatTokenizer
from raml_eval.thinking import ThinkingPolicy, answer_text, cut_thinking, generate_answer, generate_thinking
from raml_eval.thinking_formats import find_format, known_formats
from raml_eval.types import SampleKey, SamplingParams, ThinkingEnd, Trajectory

SCRIPT = Path(__file__).resolve().parents[2] / "shared" / "model_folders.py"
USER = [{"role": "user", "content": "What is 1+1?"}]
SKIPPED = "<think>\n\n</think>\n\n"

# folder: format, the family's variables for on and off, and what the format states beyond the template for on and for off
# (None: no such mode).
ENABLE = ({"enable_thinking": True}, {"enable_thinking": False})
THINKING = ({"thinking": True}, {"thinking": False})
NONE: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
Row = tuple[str, tuple[Mapping[str, Any], Mapping[str, Any]], str | None, str | None]
TABLE: dict[str, Row] = {
    "Qwen3-8B": ("qwen3", ENABLE, "<think>\n", ""),
    "Qwen3-4B-Thinking-2507": ("think", NONE, "", None),
    "Qwen3.5-4B": ("qwen3", ENABLE, "", ""),
    "QwQ-32B": ("think", NONE, "", None),
    "Qwen2.5-7B-Instruct": ("none", NONE, None, ""),
    "s1.1-32B": ("none", NONE, None, ""),
    "Qwen2.5-base-SFT": ("none", NONE, None, ""),
    "DeepSeek-R1": ("deepseek-r1", NONE, "", "\n</think>\n\n"),
    "DeepSeek-V3.1": ("deepseek-v3", THINKING, "", ""),
    "DeepSeek-V3.2": ("deepseek-v3", THINKING, "", ""),
    "DeepSeek-R1-Distill-Qwen-7B": ("deepseek-r1", NONE, "", "\n</think>\n\n"),
    "my-sft-of-a-distill": ("deepseek-r1", NONE, "", "\n</think>\n\n"),
    "DeepSeek-R1-Distill-Llama-8B": ("deepseek-r1", NONE, "", "\n</think>\n\n"),
    "gpt-oss-20b": ("harmony", NONE, "<|channel|>analysis<|message|>", None),
    "Llama-3.1-8B-Instruct": ("none", NONE, None, ""),
    "Llama-3_3-Nemotron-Super-49B-v1_5": ("nemotron-v2", NONE, "<think>\n", ""),
    "NVIDIA-Nemotron-Nano-9B-v2": ("nemotron-v2", NONE, "", ""),
    "GLM-4.5-Air": ("glm-4.5", ENABLE, "\n<think>", ""),
    "GLM-4.7-Flash": ("qwen3", ENABLE, "", ""),
    "Phi-4-reasoning": ("think", NONE, "<think>", None),
    "Magistral-Small-2509": ("magistral", NONE, "[THINK]", None),
    "EXAONE-4.0-32B": ("qwen3", ENABLE, "", ""),
    "Seed-OSS-36B-Instruct": ("seed-oss", ({}, {"thinking_budget": 0}), "<seed:think>", ""),
    "granite-3.3-8b-instruct": ("granite-3.3", THINKING, "<think>", ""),
    "Olmo-3-7B-Think": ("think", NONE, "", None),
    "gemma-4-31B-it": ("gemma-4", ENABLE, "<|channel>thought\n", ""),
    "command-a-reasoning": ("command-a", ({"reasoning": True}, {"reasoning": False}), "", ""),
    "MiniMax-M1-80k": ("none", NONE, None, ""),
}
INSTRUCT = "Qwen3-4B-Instruct-2507"  # its vocabulary has the marks, and nothing says whether it uses them


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Every model folder, built once (0.7 GB) and deleted at the end, or where RAML_EVAL_MODEL_FOLDERS says they are."""
    if built := os.environ.get("RAML_EVAL_MODEL_FOLDERS"):
        yield Path(built)
        return
    if not SCRIPT.is_file() or shutil.which("npm") is None:
        pytest.skip("model folders need ../shared and npm")
    out = tmp_path_factory.mktemp("model_folders")
    done = subprocess.run([sys.executable, str(SCRIPT), str(out)], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        shutil.rmtree(out)
        pytest.skip(f"the model folders cannot be built here: {done.stderr.strip()[-200:]}")
    yield out
    _loaded.cache_clear()
    shutil.rmtree(out)


@cache
def _loaded(folder: Path) -> ChatTokenizer:
    return load_tokenizer(find_checkpoint(folder))


@cache
def _detected(folder: Path) -> Detection:
    return detect_format(_loaded(folder), "m/some-model")


def theirs(tokenizer: ChatTokenizer, variables: Mapping[str, Any], messages: Sequence[dict[str, str]] = USER) -> str:
    return str(tokenizer.apply_chat_template(list(messages), tokenize=False, add_generation_prompt=True, **variables))


def test_the_table_has_every_folder(folders: Path) -> None:
    assert {path.name for path in folders.iterdir() if path.name != ".npm"} == {*TABLE, INSTRUCT}


@pytest.mark.parametrize("name", TABLE)
def test_the_format_is_right(folders: Path, name: str) -> None:
    detection = _detected(folders / name)
    assert detection.format.name == TABLE[name][0]
    assert detection.uncertain is (detection.format.name == "none")


@pytest.mark.parametrize("name", TABLE)
def test_prompts_are_what_the_template_renders_and_what_the_format_states(folders: Path, name: str) -> None:
    tokenizer = _loaded(folders / name)
    fmt, variables, *stated = TABLE[name]
    for thinking, values, more in zip((True, False), variables, stated, strict=True):
        if more is None:
            with pytest.raises(ModelError, match=r"has no thinking to open|has no mode without thinking"):
                render_prompt(tokenizer, find_format(fmt), USER, thinking)
            continue
        messages = USER
        if fmt == "nemotron-v2" and not thinking:
            messages = [{"role": "system", "content": "/no_think"}, *USER]
        wanted = tokenizer.encode(theirs(tokenizer, values, messages) + more, add_special_tokens=False)
        assert render_prompt(tokenizer, find_format(fmt), USER, thinking) == tuple(wanted)


def test_an_instruct_model_whose_vocabulary_has_the_marks_is_refused_with_none_among_the_advice(folders: Path) -> None:
    with pytest.raises(ModelError, match=r"cannot be told.*--thinking-format .*none"):
        detect_format(_loaded(folders / INSTRUCT), INSTRUCT)
    tokenizer = _loaded(folders / INSTRUCT)
    wanted = tokenizer.encode(theirs(tokenizer, {}), add_special_tokens=False)
    assert render_prompt(tokenizer, find_format("none"), USER, thinking=False) == tuple(wanted)


@pytest.mark.parametrize("record", [name for name, fmt in known_formats().items() if fmt.thinks])
def test_without_a_record_no_folder_is_silently_wrong(folders: Path, record: str, monkeypatch: pytest.MonkeyPatch) -> None:
    others = MappingProxyType({name: fmt for name, fmt in known_formats().items() if name != record})
    monkeypatch.setattr(detection_module, "known_formats", lambda: others)
    monkeypatch.setattr(evidence_module, "known_formats", lambda: others)
    for name, (own_name, *_) in TABLE.items():
        own, tokenizer = find_format(own_name), _loaded(folders / name)
        try:
            other = detect_format(tokenizer, "m/some-model").format
        except ModelError:
            assert own_name == record, f"{name} is refused without {record}, which is not its format"
            continue
        assert other.closer == own.closer, f"{name} is taken for {other.name}"
        for thinking in (True, False):
            if not (other.thinks if thinking else other.supports_off):
                continue
            shown = tokenizer.decode(render_prompt(tokenizer, other, USER, thinking), skip_special_tokens=False)
            if own.thinks if thinking else own.supports_off:
                ours = tokenizer.decode(render_prompt(tokenizer, own, USER, thinking), skip_special_tokens=False)
            else:  # a mode that the family's own format lacks must be what its template renders
                ours = theirs(tokenizer, {})
            assert shown == ours, f"{name} is taken for {other.name}"


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("Qwen2.5-base-SFT", {"<|endoftext|>", "<|im_end|>"}),
        ("Qwen2.5-7B-Instruct", {"<|im_end|>"}),
        ("GLM-4.5-Air", {"<|endoftext|>", "<|user|>", "<|observation|>"}),
        ("gpt-oss-20b", {"<|return|>", "<|call|>", "<|endoftext|>", "<|end|>"}),
        ("Seed-OSS-36B-Instruct", {"<seed:eos>"}),
    ],
)
def test_ends_of_a_turn(folders: Path, name: str, texts: set[str]) -> None:
    tokenizer = _loaded(folders / name)
    found = end_of_turn(tokenizer, find_checkpoint(folders / name), find_format(TABLE[name][0]))
    assert {tokenizer.decode([one], skip_special_tokens=False) for one in found} == texts
    assert all(found.values())


def test_a_template_that_drops_messages_is_refused(folders: Path) -> None:
    system = [{"role": "system", "content": "Be brief."}, *USER]
    with pytest.raises(ModelError, match="leaves out the system message 'Be brief"):
        render_prompt(_loaded(folders / "Phi-4-reasoning"), find_format("think"), system, thinking=True)


@pytest.mark.parametrize(
    ("name", "fmt", "thinking", "system", "added"),
    [
        ("s1.1-32B", "s1", True, None, "<|im_start|>think\n"),
        ("Qwen2.5-7B-Instruct", "raml", True, None, "<think>\n"),
        ("MiniMax-M1-80k", "minimax-m1", True, None, "<think>\n"),
        ("Llama-3.1-8B-Instruct", "nemotron-v1", True, "detailed thinking on", "<think>\n"),
        ("Llama-3.1-8B-Instruct", "nemotron-v1", False, "detailed thinking off", ""),
        (INSTRUCT, "none", False, None, ""),
    ],
)
def test_formats_that_are_chosen_by_name(
    folders: Path, name: str, fmt: str, thinking: bool, system: str | None, added: str
) -> None:
    tokenizer = _loaded(folders / name)
    assert check_format(find_format(fmt), tokenizer, name).format.name == fmt
    messages = [{"role": "system", "content": system}, *USER] if system else USER
    wanted = tokenizer.encode(theirs(tokenizer, {}, messages) + added, add_special_tokens=False)
    assert render_prompt(tokenizer, find_format(fmt), USER, thinking) == tuple(wanted)


@pytest.mark.parametrize(
    ("name", "hint", "added"),
    [
        ("Seed-OSS-36B-Instruct", {"thinking_budget": 512}, "<seed:think>"),
        ("gpt-oss-20b", {"reasoning_effort": "low"}, "<|channel|>analysis<|message|>"),
    ],
)
def test_a_hint_is_the_templates_own(folders: Path, name: str, hint: dict[str, Any], added: str) -> None:
    tokenizer = _loaded(folders / name)
    fmt = find_format(TABLE[name][0])
    assert {fmt.hint_variable, fmt.effort.variable} >= hint.keys()
    wanted = tokenizer.encode(theirs(tokenizer, hint) + added, add_special_tokens=False)
    assert theirs(tokenizer, hint) != theirs(tokenizer, {})
    assert render_prompt(tokenizer, fmt, USER, True, hint=hint) == tuple(wanted)


def test_a_date_is_pinned(folders: Path) -> None:
    dated = {name for name in TABLE if prints_date(_loaded(folders / name))}
    assert dated == {"gpt-oss-20b", "granite-3.3-8b-instruct"}
    for name in dated:
        tokenizer, fmt = _loaded(folders / name), find_format(TABLE[name][0])
        shown = tokenizer.decode(render_prompt(tokenizer, fmt, USER, True, PromptSettings(date=date(2019, 5, 4))))
        assert "2019" in shown
        assert shown != tokenizer.decode(render_prompt(tokenizer, fmt, USER, True))


# Thinking is asked for in words, or the model opens it by itself: a person may say that it does not think.
MAY_BE_NONE = {"Magistral-Small-2509", "Phi-4-reasoning", "Llama-3_3-Nemotron-Super-49B-v1_5"}


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[0] != "none" and name not in MAY_BE_NONE])
def test_a_template_that_opens_or_switches_thinking_cannot_be_named_none(folders: Path, name: str) -> None:
    with pytest.raises(ModelError, match="thinking format none contradicts the chat template"):
        check_format(find_format("none"), _loaded(folders / name), name)


# gpt-oss: everything on token ids of its own vocabulary.
OPEN, NEXT = "<|channel|>analysis<|message|>", "<|end|><|start|>assistant"
FINAL = f"{NEXT}<|channel|>final<|message|>"
KEY = SampleKey("task", "0-abcdef", 0)
PARAMS = SamplingParams(1.0, 1.0, 0, 0.0, 1.0, max_tokens=1, seed=7, stop_ids=(0,))
SECRET = "the secret sum is 2"


def harmony(folders: Path) -> tuple[ChatTokenizer, ThinkingPolicy, tuple[int, ...]]:
    folder = folders / "gpt-oss-20b"
    tokenizer, fmt = _loaded(folder), find_format("harmony")
    closer, ends = closer_ids(tokenizer, fmt), end_of_turn(tokenizer, find_checkpoint(folder), fmt)
    own = frozenset(closer) & frozenset(tokenizer.get_added_vocab().values())
    policy = ThinkingPolicy(fmt.closer, closer, closing_ids(tokenizer, fmt, fmt.closing), tuple(ends), 30, None, 2000)
    policy = replace(policy, own_ids=own, resumes=resumed_turn(tokenizer, fmt))
    return tokenizer, policy, render_prompt(tokenizer, fmt, USER, thinking=True)


def draw(
    folders: Path, text: str | Sequence[int], limit: int, after: str = "It is 2.<|return|>"
) -> tuple[Trajectory, str | None, str]:
    """The trajectory of a model that writes text, the end and the graded answer of a budget of limit tokens."""
    tokenizer, policy, prompt = harmony(folders)
    written = tokenizer.encode(text, add_special_tokens=False) if isinstance(text, str) else list(text)

    def script(ids: Sequence[int], params: SamplingParams) -> Iterator[int]:
        done = list(ids[len(prompt) :])
        yield from written[len(done) :] if done == written[: len(done)] else tokenizer.encode(after, add_special_tokens=False)
        while True:
            yield from tokenizer.encode("<|return|>", add_special_tokens=False)

    backend = FakeBackend(script, tokenizer=tokenizer, context=2000)
    trajectory = asyncio.run(generate_thinking(backend, tokenizer, prompt, KEY, limit, policy, PARAMS))
    thinking = cut_thinking(trajectory, limit, policy)
    assert len(thinking.token_ids) <= limit
    completion = asyncio.run(generate_answer(backend, prompt, thinking, policy, PARAMS))
    answer = answer_text(completion.token_ids, tokenizer, ()) if completion else None
    return trajectory, answer, thinking.end


def test_harmony_prompt_ids_with_its_vocabulary(folders: Path) -> None:
    _, policy, prompt = harmony(folders)
    assert prompt[-5:] == (200006, 173781, 200005, 35644, 200008)  # <|start|>assistant<|channel|>analysis<|message|>
    assert policy.closing_ids == (200007, 200006, 173781, 200005, 17196, 200008)


def test_harmony_natural_end(folders: Path) -> None:
    trajectory, answer, end = draw(folders, f"{SECRET}{FINAL}It is 2.<|return|>", 50)
    assert (end, trajectory.text, answer) == (ThinkingEnd.NATURAL, SECRET, "It is 2.")


def test_harmony_cap(folders: Path) -> None:
    trajectory, answer, end = draw(folders, f"{SECRET} {SECRET} {SECRET}{FINAL}no<|return|>", 5)
    assert (end, len(trajectory.token_ids), answer) == (ThinkingEnd.FORCED, 5, "It is 2.")


def test_harmony_budget_of_nothing_goes_right_to_the_final_channel(folders: Path) -> None:
    trajectory, answer, end = draw(folders, f"{SECRET}{FINAL}no<|return|>", 0)
    assert (end, trajectory.token_ids, answer) == (ThinkingEnd.FORCED, (), "It is 2.")


def test_harmony_return_inside_the_thinking_leaves_no_answer(folders: Path) -> None:
    trajectory, answer, end = draw(folders, f"{SECRET}<|return|>", 50)
    assert (end, trajectory.text, answer) == (ThinkingEnd.EOS, SECRET, None)


def test_harmony_delimiter_quoted_in_ordinary_tokens(folders: Path) -> None:
    tokenizer, _, _ = harmony(folders)
    quoted = [one for char in FINAL for one in tokenizer.encode(char, add_special_tokens=False)]
    rest = tokenizer.encode(f" is what I write. {SECRET}{FINAL}It is 2.<|return|>", add_special_tokens=False)
    trajectory, answer, end = draw(folders, [*quoted, *rest], 300)
    assert (end, answer) == (ThinkingEnd.NATURAL, "It is 2.")
    assert trajectory.text == f"{FINAL} is what I write. {SECRET}"


@pytest.mark.parametrize(
    "between", [f"<|channel|>analysis<|message|>{SECRET}", "<|channel|>commentary<|message|>I now answer with 3."]
)
@pytest.mark.parametrize("limit", [3, 12, 200])
def test_harmony_messages_between_thought_and_answer_belong_to_the_thinking(folders: Path, between: str, limit: int) -> None:
    trajectory, answer, end = draw(folders, f"{SECRET}{NEXT}{between}{FINAL}It is 2.<|return|>", limit)
    assert SECRET not in (answer or "")
    assert "3" not in (answer or "")
    if limit == 200:
        assert (end, answer) == (ThinkingEnd.NATURAL, "It is 2.")
        assert re.search(r"secret.*(secret|with 3)", trajectory.text)
    else:
        assert (end, answer) == (ThinkingEnd.FORCED, "It is 2.")


@pytest.mark.parametrize(
    "text", ["one and two.</think>\n\nIt is 2.", "one\n</think>\nIt is 2.", "one </think> It is 2.", "</think>It is 2."]
)
@pytest.mark.parametrize("name", ["Olmo-3-7B-Think", "Llama-3_3-Nemotron-Super-49B-v1_5"])
def test_a_delimiter_of_ordinary_tokens_in_every_spelling(folders: Path, name: str, text: str) -> None:
    tokenizer, fmt = _loaded(folders / name), find_format(TABLE[name][0])
    end = tokenizer.encode("<|im_end|>" if "Olmo" in name else "<|eot_id|>", add_special_tokens=False)
    written = tokenizer.encode(text, add_special_tokens=False) + end
    prompt = render_prompt(tokenizer, fmt, USER, thinking=True)
    closer = closer_ids(tokenizer, fmt)
    assert len(closer) > 1
    policy = ThinkingPolicy(fmt.closer, closer, closer, tuple(end), 30, None, 2000)

    def script(ids: Sequence[int], params: SamplingParams) -> Iterator[int]:
        yield from written[len(ids) - len(prompt) :]
        while True:
            yield end[0]

    backend = FakeBackend(script, tokenizer=tokenizer, context=2000)
    drawn = asyncio.run(generate_thinking(backend, tokenizer, prompt, KEY, 30, policy, PARAMS))
    assert drawn.end is ThinkingEnd.NATURAL
    whole = tokenizer.decode([*drawn.token_ids, *drawn.end_ids], skip_special_tokens=False)
    assert text.startswith(whole)
    assert whole.partition(fmt.closer)[2].strip() == ""
    completion = asyncio.run(generate_answer(backend, prompt, cut_thinking(drawn, 30, policy), policy, PARAMS))
    assert completion is not None
    assert answer_text(completion.token_ids, tokenizer, ()).strip() == "It is 2."
    for limit in range(1, 12):
        alone = asyncio.run(generate_thinking(backend, tokenizer, prompt, KEY, limit, policy, PARAMS))
        assert cut_thinking(alone, limit, policy) == cut_thinking(drawn, limit, policy)
