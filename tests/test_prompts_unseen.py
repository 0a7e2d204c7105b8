"""Detection on families that have no record of their own: right by another's record, or refused, and never silently wrong."""

from __future__ import annotations

import pytest

from raml_eval.errors import ModelError
from raml_eval.prompts import detect_format, render_prompt
from tests.families import CHATML_START, CHATML_TURNS, MARKS
from tests.test_prompts_detection import tokenizer_of

USER = [{"role": "user", "content": "Hi"}]
CHAT = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
END = "{% endif %}"
SKIP = r"{{ '<think>\n\n</think>\n' }}"
WITHOUT_SYSTEM = "{% if messages[0].role != 'system' %}"


def system(text: str) -> str:
    return WITHOUT_SYSTEM + "<|im_start|>system\n" + text + "<|im_end|>\n" + END


# Each with its template, and its format with what follows the turn of the question with thinking on and off.
RIGHT = {
    "thinks on demand, asked for in words": (
        system("Be good.{% if thinking %} Think in <think> and </think>.{% endif %}") + CHATML_TURNS + CHATML_START + END,
        ("deepseek-v3", "<think>", ""),
    ),
    "one flag in the system message, an empty thinking for off": (
        "{% set on = enable_thinking | default(true) %}"
        + system("Mode: {{ '/think' if on else '/no_think' }}")
        + CHATML_TURNS
        + CHATML_START
        + "{% if not on %}"
        + SKIP
        + END
        + END,
        ("qwen3", "<think>\n", "<think>\n\n</think>\n"),
    ),
    "opened or closed at once": (
        CHATML_TURNS + CHATML_START + "{% if enable_thinking is false %}<think></think>{% else %}{{ '<think>\n' }}" + END + END,
        ("qwen3", "<think>\n", "<think></think>"),
    ),
    "off by default": (
        CHATML_TURNS + CHATML_START + "{% if enable_thinking %}{{ '<think>\n' }}{% else %}" + SKIP + END + END,
        ("qwen3", "<think>\n", "<think>\n\n</think>\n"),
    ),
    "opened after other words": (
        CHATML_TURNS + CHATML_START + "{{ 'Sure.\n<think>\n' }}" + END,
        ("think", "Sure.\n<think>\n", None),
    ),
}


@pytest.mark.parametrize("case", RIGHT)
def test_a_family_of_the_same_structure_is_right(case: str) -> None:
    template, (name, on, off) = RIGHT[case]
    tokenizer = tokenizer_of(template)
    fmt = detect_format(tokenizer, "m/x").format
    assert fmt.name == name
    assert tokenizer.decode(render_prompt(tokenizer, fmt, USER, True)).endswith(CHAT + on)
    if off is None:
        assert not fmt.supports_off
    else:
        assert tokenizer.decode(render_prompt(tokenizer, fmt, USER, False)).endswith(CHAT + off)


START = CHATML_TURNS + CHATML_START + END
REFUSED = {
    "a switch by words": (
        CHATML_TURNS + CHATML_START + "{% if thinking_mode == 'on' %}{{ '<think>\n' }}{% elif thinking_mode == 'off' %}"
        "{{ '<think>\n\n</think>\n' }}" + END + END,
        MARKS,
    ),
    "a switch of a known name with marks of its own": (
        system("Deliberation: {{ 'on' if enable_thinking else 'off' }}") + START,
        ("<|inner_prefix|>", "<|inner_suffix|>"),
    ),
    "tags of its own, asked for in words": (system("Use <Thought> and <Output>.") + START, ()),
    "past thoughts in empty marks": (
        START.replace("{{ m.content }}", "{{ '<think></think>' if m.role == 'assistant' }}{{ m.content }}"),
        MARKS,
    ),
    "a switch that fails": (
        CHATML_TURNS + CHATML_START + "{% if enable_thinking is defined %}{{ raise_exception('no') }}" + END + END,
        MARKS,
    ),
    "a prefill in its own words": (CHATML_TURNS + CHATML_START + "[BEGIN REASONING]" + END, ()),
    "an effort without marks": (system("Effort: {{ reasoning_effort | default('low') }}") + START, ()),
    "a switch by words without marks": (
        system("{% if thinking_mode == 'on' %}Take your time.{% else %}Be quick.{% endif %}") + START,
        (),
    ),
    "a level of thinking as a number": (
        system("Thinking: {{ thinking_level | default(3) }}") + START.replace("assistant\n", "assistant\n<|scratch|>"),
        ("<|scratch|>", "<|/scratch|>"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_record_explains_is_refused(case: str) -> None:
    template, marks = REFUSED[case]
    with pytest.raises(ModelError, match=r"cannot be told|is ambiguous"):
        detect_format(tokenizer_of(template, marks=marks), "m/x")
