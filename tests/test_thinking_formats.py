"""The table of thinking formats, and finding the right one from a tokenizer."""

from __future__ import annotations

from pathlib import Path

import pytest

from raml_eval.errors import ModelError
from raml_eval.prompts import closer_ids, closing_ids, detect_format
from raml_eval.thinking_formats import FORMATS, format_by_name
from tests.families import CHATML, DEEPSEEK, build_merging_tokenizer, build_tokenizer

PLACEHOLDER = Path(__file__).resolve().parents[2] / "shared" / "hub_models" / "raml-eval" / "tiny-placeholder"


def test_every_format_with_thinking_has_both_ends_and_at_most_one_switch() -> None:
    for fmt in FORMATS.values():
        assert bool(fmt.opener) == bool(fmt.closer) == fmt.thinks
        assert sum(map(bool, (fmt.variable, fmt.off_sentence, fmt.off_suffix))) <= 1
        assert bool(fmt.on_sentence) == bool(fmt.off_sentence)
        assert fmt.closer not in fmt.closing_text or not fmt.closer


@pytest.mark.parametrize(
    ("name", "off"),
    [
        ("qwen3", True),
        ("deepseek-r1", True),
        ("deepseek-v3", True),
        ("qwq", False),
        ("s1", False),
        ("nemotron", True),
        ("nemotron-v2", True),
        ("raml", False),
        ("none", True),
    ],
)
def test_which_formats_can_be_switched_off(name: str, off: bool) -> None:
    assert format_by_name(name).supports_off is off


def test_an_unknown_name_is_refused_with_near_names() -> None:
    with pytest.raises(ModelError, match=r"'qwen'.*Did you mean .*qwen3.*Known formats: qwen3, deepseek-r1"):
        format_by_name("qwen")


@pytest.mark.parametrize(
    ("template", "specials", "model", "name"),
    [
        ("qwen3", CHATML, "m/some-model", "qwen3"),
        ("qwen3_opens", CHATML, "m/some-model", "qwen3"),
        ("qwen3", CHATML, "m/s1-32B", "qwen3"),  # what the template does outweighs the name
        ("deepseek", DEEPSEEK, "m/some-model", "deepseek-r1"),
        ("deepseek_opens", DEEPSEEK, "m/some-model", "deepseek-r1"),
        ("deepseek_v3", DEEPSEEK, "m/some-model", "deepseek-v3"),
        ("opens", CHATML, "m/some-model", "qwq"),
        ("opens_without_newline", CHATML, "m/some-model", "qwq"),
        ("drops_old_thinking", CHATML, "m/QwQ-32B", "qwq"),  # the name breaks the tie
        ("drops_old_thinking", CHATML, "m/Llama-Nemotron-8B", "nemotron"),
        ("nemotron_v2", CHATML, "m/some-model", "nemotron-v2"),
    ],
)
def test_the_format_is_found_in_the_tokenizer(template: str, specials: tuple[str, ...], model: str, name: str) -> None:
    assert detect_format(build_tokenizer(template, specials), model).name == name


@pytest.mark.parametrize("template", ["plain", "user_only", None])
def test_nothing_hints_at_thinking(template: str | None) -> None:
    assert detect_format(build_tokenizer(template, marks=()), "m/some-model") is FORMATS["none"]


@pytest.mark.parametrize(
    ("template", "marks", "model", "candidates"),
    [
        ("plain", ("<think>", "</think>"), "m/some-model", "qwq and none"),  # marks in the vocabulary only
        ("drops_old_thinking", (), "m/some-model", "qwq and none"),
        ("both_switches", (), "m/some-model", "qwen3 and deepseek-v3"),
        ("plain", (), "m/s1.1-32B", "s1 and none"),  # a name alone never decides
        ("plain", (), "m/raml-grpo", "raml and none"),
    ],
)
def test_two_formats_that_fit_are_refused(template: str, marks: tuple[str, ...], model: str, candidates: str) -> None:
    first = candidates.split()[0]
    with pytest.raises(ModelError, match=rf"{model} is ambiguous: {candidates} fit .*--thinking-format {first}"):
        detect_format(build_tokenizer(template, marks=marks), model)


def test_marks_of_an_unknown_family_are_not_silently_an_answer() -> None:
    with pytest.raises(ModelError, match=r"\[/THINK\], \[THINK\], which no known thinking format"):
        detect_format(build_tokenizer("plain", marks=("[THINK]", "[/THINK]")), "m/some-model")


def test_a_folder_without_tokenizer_and_weights_is_only_a_name() -> None:
    if not PLACEHOLDER.is_dir():
        pytest.skip("../shared is not here")
    assert detect_format(build_tokenizer("qwen3"), PLACEHOLDER).name == "qwen3"


@pytest.mark.parametrize(
    ("name", "ids", "single"),
    [("qwen3", (260,), True), ("qwq", (260,), True), ("s1", (257, 64, 77, 82, 86, 68, 81), False), ("none", (), False)],
)
def test_end_delimiters_as_token_ids(name: str, ids: tuple[int, ...], single: bool) -> None:
    tokenizer = build_tokenizer("plain")
    assert closer_ids(tokenizer, FORMATS[name]) == ids
    assert (len(closer_ids(tokenizer, FORMATS[name])) == 1) is single


def test_a_delimiter_of_several_tokens_depends_on_its_neighbours() -> None:
    tokenizer = build_merging_tokenizer("plain")
    assert closer_ids(tokenizer, FORMATS["raml"]) == (256, 262, 29)  # '</' 'think' '>'
    assert tokenizer.encode("so.</think>\n") == [82, 78, 257, 262, 258]  # 's' 'o' '.</' 'think' '>\n'
    assert closing_ids(tokenizer, FORMATS["raml"]) == (198, 256, 262, 29)  # a line of its own keeps it as it is


def test_closing_text_stands_before_the_delimiter() -> None:
    tokenizer = build_tokenizer("qwen3")
    assert closing_ids(tokenizer, FORMATS["qwen3"]) == (260,)
    assert closing_ids(tokenizer, FORMATS["qwen3"], "Ok\n") == (46, 74, 198, 260)
    assert closing_ids(tokenizer, FORMATS["raml"], "") == (260,)
    assert closing_ids(tokenizer, FORMATS["none"], "Ok") == ()
