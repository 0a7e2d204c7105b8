"""What a template and a vocabulary show about thinking."""

from __future__ import annotations

import pytest

from raml_eval.errors import ModelError
from raml_eval.prompts.evidence import PROBE, gather_evidence
from raml_eval.thinking_formats import Mode, find_format
from tests.families import CHATML_START, CHATML_TURNS, FAMILIES, build_tokenizer
from tests.test_prompts_detection import tokenizer_of

ON, OFF = Mode({"enable_thinking": True}), Mode({"enable_thinking": False})
END = "{% endif %}"


def test_renderings_in_every_mode() -> None:
    evidence = gather_evidence(FAMILIES["qwen3"].tokenizer())
    start = "<|im_start|>assistant\n"
    assert evidence.render(ON) == f"<|im_start|>user\n{PROBE[0]['content']}<|im_end|>\n{start}"
    assert evidence.tail(OFF) == f"<|im_end|>\n{start}<think>\n\n</think>\n\n"
    assert evidence.start(OFF) == f"{start}<think>\n\n</think>\n\n"
    assert evidence.asked_for(Mode(system="Be brief.")).startswith("<|im_start|>system\nBe brief.<|im_end|>")


def test_a_generation_prompt_that_is_always_written() -> None:
    evidence = gather_evidence(tokenizer_of("{% for m in messages %}[{{ m.content }}]{% endfor %}<go><think>"))
    assert evidence.start(Mode()) == "]<go><think>"


def test_a_mode_with_which_the_template_fails_is_no_rendering() -> None:
    evidence = gather_evidence(build_tokenizer("user_only"))
    assert evidence.render(Mode(system="Be brief.")) is None
    assert evidence.tail(Mode(system="Be brief.")) == ""


@pytest.mark.parametrize(
    ("name", "around"),
    [
        ("harmony", ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>")),
        ("seed-oss", ("<seed:think>", "</seed:think>\n")),
        ("solar-open", ("<|think|>", "<|end|><|begin|>assistant<|content|>")),
        ("qwen3", None),  # it writes no thought of a past turn
    ],
)
def test_what_the_template_writes_around_a_thought(name: str, around: tuple[str, str] | None) -> None:
    evidence = gather_evidence(FAMILIES[name].tokenizer())
    assert evidence.around_thought(find_format(FAMILIES[name].format).on) == around


@pytest.mark.parametrize(
    ("more", "switches"),
    [
        ("{% if enable_thinking %}on{% endif %}", ["enable_thinking"]),
        ("{% if reasoning_effort == 'low' %}on{% endif %}", ["reasoning_effort"]),
        ("{% if deep_thinking %}{% endif %}", []),  # read, but without effect
        ("{% if tools %}on{% endif %}", []),  # with effect, but no matter of thinking
        ("{# enable_thinking #}", []),
    ],
)
def test_switches_have_to_do_with_thinking_and_change_the_prompt(more: str, switches: list[str]) -> None:
    assert gather_evidence(tokenizer_of(CHATML_TURNS + more)).switches() == [f"the variable {name}" for name in switches]


@pytest.mark.parametrize(
    ("template", "marks", "signs"),
    [
        (CHATML_TURNS, (), []),
        (CHATML_TURNS, ("<think>", "</think>"), ["</think>", "<think>"]),
        (CHATML_TURNS + "{{ '' if '[THINK]' in messages[0].content }}", (), ["[THINK]"]),
        (CHATML_TURNS, ("<|deep_reasoning|>",), ["<|deep_reasoning|>"]),
        (CHATML_TURNS + "{# <think> #}", (), []),
        (CHATML_TURNS, ("<tool>", "<|python_tag|>"), []),
        (CHATML_TURNS + CHATML_START + "Thought:" + END, (), ["a generation prompt that ends in"]),
        (CHATML_TURNS + "{% if use_reasoning %}x{% endif %}", (), ["the variable use_reasoning"]),
    ],
)
def test_signs_of_thinking(template: str, marks: tuple[str, ...], signs: list[str]) -> None:
    found = gather_evidence(tokenizer_of(template, marks=marks)).signs()
    assert len(found) == len(signs)
    assert all(sign.startswith(wanted) for sign, wanted in zip(found, signs, strict=True))


def test_a_tokenizer_without_a_template_shows_its_vocabulary_only() -> None:
    evidence = gather_evidence(build_tokenizer(None))
    assert evidence.mentions("<think>")
    assert not evidence.mentions("[THINK]")
    assert evidence.variables == frozenset()


def test_a_template_that_renders_no_question_is_refused_with_its_error() -> None:
    with pytest.raises(ModelError, match="only tools may speak"):
        gather_evidence(tokenizer_of("{{ raise_exception('only tools may speak') }}"))
