"""What `raml-eval formats detect` says about a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from raml_eval.errors import ModelError
from raml_eval.inspection import inspect_format
from tests.families import FAMILIES, Family


def saved(folder: Path, family: Family) -> str:
    family.tokenizer().save_pretrained(str(folder))
    (folder / "generation_config.json").write_text('{"eos_token_id": 256}', encoding="utf-8")
    return str(folder)


def test_format_evidence_ends_and_both_prompts_are_shown(tmp_path: Path) -> None:
    text = "\n".join(inspect_format(saved(tmp_path, FAMILIES["qwen3"])))
    assert text.startswith("format       qwen3: ")
    assert "evidence     enable_thinking changes the prompt" in text
    assert "end of turn  '<|endoftext|>' (256), from generation_config.json" in text
    assert "end of turn  '<|im_end|>' (258), from tokenizer, chat template" in text
    assert "closer       '</think>', 1 token: [260]" in text
    assert "closings     official" in text
    asked = "<|im_start|>user\nWhat is 1+1?<|im_end|>\n<|im_start|>assistant\n"
    assert f"--- thinking on\n{asked}<think>\n▮" in text
    assert text.endswith(f"--- thinking off\n{asked}<think>\n\n</think>\n\n▮")


def test_why_there_is_no_prompt_is_shown_in_its_place(tmp_path: Path) -> None:
    text = "\n".join(inspect_format(saved(tmp_path, FAMILIES["harmony"])))
    assert "effort       reasoning_effort: low, medium, high (hints, and none of them is off)" in text
    assert "--- thinking off\n(none: format harmony has no mode without thinking." in text


def test_a_system_prompt_shows_where_the_template_puts_it(tmp_path: Path) -> None:
    text = "\n".join(inspect_format(saved(tmp_path, FAMILIES["qwen3"]), system_prompt="Be brief."))
    assert text.count("<|im_start|>system\nBe brief.<|im_end|>") == 2


def test_a_date_is_pointed_out(tmp_path: Path) -> None:
    tokenizer = FAMILIES["qwen3"].tokenizer()
    tokenizer.chat_template = "{{ strftime_now('%Y') }} " + FAMILIES["qwen3"].template
    tokenizer.save_pretrained(str(tmp_path))
    assert any(line.startswith("date ") and "--prompt-date" in line for line in inspect_format(str(tmp_path)))


def test_a_named_format_is_checked(tmp_path: Path) -> None:
    model = saved(tmp_path, FAMILIES["qwen3"])
    assert "evidence     it was named" in list(inspect_format(model, named="qwen3"))
    with pytest.raises(ModelError, match="thinking format none contradicts the chat template"):
        list(inspect_format(model, named="none"))


def test_what_a_run_refuses_is_refused_here_after_what_there_is_to_see(tmp_path: Path) -> None:
    family = FAMILIES["qwen3"]
    model = saved(tmp_path, Family("", "<go>{{ messages[0].content }}", family.specials, family.marks, None, None))
    with pytest.raises(ModelError, match="cannot be told"):
        list(inspect_format(model))
    lines = inspect_format(model)
    assert [next(lines) for _ in range(3)] == [
        "sign         </think>",
        "sign         <think>",
        "\n--- the template's own prompt",
    ]
    assert next(lines) == "<go>What is 1+1?▮\n"


def test_a_template_that_fails_is_told_with_its_error(tmp_path: Path) -> None:
    model = saved(tmp_path, Family("", "{{ raise_exception('no questions') }}", ("<eos>",), (), None, None))
    with pytest.raises(ModelError, match="no questions"):
        list(inspect_format(model))
