"""Detection from evidence: every family is found by its template alone, and what is not sure is refused with sound advice."""

from __future__ import annotations

import re
from dataclasses import replace
from types import MappingProxyType
from typing import cast

import pytest

from raml_eval.errors import ModelError
from raml_eval.prompts import PromptSettings, check_format, detect_format, render_prompt, resumed_turn
from raml_eval.prompts import detection as module
from raml_eval.prompts import evidence as evidence_module
from raml_eval.prompts.rendering import render_text
from raml_eval.protocols import ChatTokenizer
from raml_eval.thinking_formats import ThinkingFormat, find_format, known_formats
from tests.families import CHATML, CHATML_START, CHATML_TURNS, DEEPSEEK, FAMILIES, MARKS, build_tokenizer

USER = [{"role": "user", "content": "Hi"}]


def tokenizer_of(template: str, specials: tuple[str, ...] = CHATML, marks: tuple[str, ...] = MARKS) -> ChatTokenizer:
    tokenizer = build_tokenizer(None, specials, marks)
    tokenizer.chat_template = template
    return cast(ChatTokenizer, tokenizer)


def chatml(start: str, before: str = "", marks: tuple[str, ...] = MARKS) -> ChatTokenizer:
    return tokenizer_of(before + CHATML_TURNS + CHATML_START + start + "{% endif %}", marks=marks)


def prompts_of(fmt: ThinkingFormat, tokenizer: ChatTokenizer) -> list[tuple[int, ...] | None]:
    """The prompts with thinking and without; None where the format has no such mode."""
    modes = ((True, fmt.thinks), (False, fmt.supports_off))
    return [render_prompt(tokenizer, fmt, USER, thinking) if has else None for thinking, has in modes]


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_is_detected_and_its_prompts_are_exact(name: str) -> None:
    family = FAMILIES[name]
    detection = detect_format(family.tokenizer(), "m/some-model")
    assert (detection.format.name, detection.uncertain) == (family.format, False)
    assert detection.proofs
    golden = [text if text is None else family.ids(text) for text in (family.on, family.off)]
    assert prompts_of(detection.format, family.tokenizer()) == golden


def test_every_format_that_can_be_detected_has_a_family_here() -> None:
    detectable = {fmt.name for fmt in known_formats().values() if fmt.thinks and not fmt.by_name_only}
    assert {family.format for family in FAMILIES.values()} == detectable


@pytest.mark.parametrize("name", FAMILIES)
def test_the_name_of_a_folder_never_decides(name: str) -> None:
    assert detect_format(FAMILIES[name].tokenizer(), "m/Qwen3-s1-raml-QwQ").format.name == FAMILIES[name].format


@pytest.mark.parametrize("name", FAMILIES)
def test_without_its_record_a_family_is_refused_or_unchanged(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    family = FAMILIES[name]
    own = find_format(family.format)
    others = MappingProxyType({name: fmt for name, fmt in known_formats().items() if fmt is not own})
    monkeypatch.setattr(module, "known_formats", lambda: others)
    monkeypatch.setattr(evidence_module, "known_formats", lambda: others)
    try:
        other = detect_format(family.tokenizer(), "m/some-model").format
    except ModelError:
        return
    assert other.closer == own.closer
    for theirs, ours in zip(prompts_of(other, family.tokenizer()), prompts_of(own, family.tokenizer()), strict=True):
        assert theirs in (ours, None)


ASKS = "Think in <think> and </think>."
NEAR_MISSES = {
    # The switch is read but changes nothing.
    "switch without effect": chatml("{% if enable_thinking %}{% endif %}"),
    # The marks of a family stand in the vocabulary only.
    "marks only": chatml(""),
    # Past thinking is dropped, which says that the model thinks, but not what it writes to begin.
    "drops old thinking": chatml("", "{% set old = messages[-1].content.split('</think>')[-1] %}", marks=()),
    # The template asks for another tag.
    "other tag": tokenizer_of("Think in <ponder-thought> tags." + CHATML_TURNS + CHATML_START + "{% endif %}"),
    "foreign marks in the vocabulary": chatml("", marks=("<|think_start|>", "<|think_end|>")),
    "foreign mark in the generation prompt": chatml("<my_reasoning>", marks=()),
    "words in the generation prompt": chatml("Reasoning:\n", marks=()),
    "foreign switch": chatml("{% if use_reasoning %}Let me see.{% endif %}", marks=()),
    "half of the delimiters": tokenizer_of(CHATML_TURNS + CHATML_START + "{% endif %}", marks=("</think>",)),
    "two switches": chatml("{% if enable_thinking is false or thinking is false %}{{ '<think>\n\n</think>\n\n' }}{% endif %}"),
}


@pytest.mark.parametrize("case", NEAR_MISSES)
def test_signs_of_thinking_that_no_format_explains_are_refused(case: str) -> None:
    with pytest.raises(ModelError, match=r"cannot be told|is ambiguous"):
        detect_format(NEAR_MISSES[case], "m/some-model")


@pytest.mark.parametrize("name", ["qwen3", "glm-4.5", "seed-oss", "gemma-4", "solar-open", "hy3", "harmony", "nemotron-v2"])
def test_a_family_whose_switch_is_renamed_is_not_that_family(name: str) -> None:
    family = FAMILIES[name]
    tokenizer = family.tokenizer()
    switches = r"enable_thinking|thinking_budget|reasoning_effort|no_think"
    tokenizer.chat_template = re.sub(switches, "my_reasoning", family.template)
    try:
        found = detect_format(tokenizer, "m/some-model")
    except ModelError:
        return
    # What the template renders by itself is all that is left, and that is not altered.
    plain = tokenizer.apply_chat_template(USER, tokenize=False, add_generation_prompt=True)
    assert not found.uncertain
    assert found.format.name != family.format
    assert render_text(tokenizer, found.format, USER, found.format.thinks) == plain


@pytest.mark.parametrize("template", ["plain", "user_only"])
def test_without_any_sign_it_is_none_and_uncertain(template: str) -> None:
    detection = detect_format(build_tokenizer(template, marks=()), "m/some-model")
    assert (detection.format.name, detection.uncertain) == ("none", True)


def test_a_template_that_always_closes_thinking_is_none_for_certain() -> None:
    detection = detect_format(build_tokenizer("never_thinks"), "m/some-model")
    assert (detection.format.name, detection.uncertain) == ("none", False)
    assert "closes thinking" in detection.proofs[0]


@pytest.mark.parametrize(
    "start", ["<think>", "<think>\n", "<thought>", "[THINK]", "◁think▷", "<|START_THINKING|>", "<seed:think>"]
)
def test_a_template_that_opens_thinking_is_never_none(start: str) -> None:
    tokenizer = chatml("{{ " + repr(start) + " }}", marks=())
    with pytest.raises(ModelError, match="contradicts the chat template of m/some-model: its generation prompt opens thinking"):
        check_format(find_format("none"), tokenizer, "m/some-model")
    try:
        detection = detect_format(tokenizer, "m/some-model")
    except ModelError as error:
        advice = str(error)
    else:
        assert detection.format.thinks
        assert not detection.format.supports_off
        return
    assert "none" not in advice.partition("--thinking-format")[2]


def test_several_that_explain_it_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"m/some-model is ambiguous: deepseek-v3 and qwen3 fit .*deepseek-v3 or qwen3\."):
        detect_format(NEAR_MISSES["two switches"], "m/some-model")


@pytest.mark.parametrize("case", [*NEAR_MISSES, "instruct"])
def test_advice_names_only_formats_that_leave_the_prompt_as_it_is(case: str) -> None:
    tokenizer = NEAR_MISSES.get(case) or chatml("", "{# asks for nothing #}")
    with pytest.raises(ModelError) as caught:
        detect_format(tokenizer, "m/some-model")
    advice = str(caught.value).partition("--thinking-format ")[2].partition(" (")[0].rstrip(".")
    named = [name for name in re.split(r" or |, ", advice) if name in known_formats()]
    plain = tokenizer.apply_chat_template(USER, tokenize=False, add_generation_prompt=True)
    for name in named:
        fmt = find_format(name)
        check_format(fmt, tokenizer, "m/some-model")
        if "ambiguous" not in str(caught.value):
            assert render_text(tokenizer, fmt, USER, fmt.thinks) == plain


@pytest.mark.parametrize(
    ("name", "template", "specials", "message"),
    [
        ("qwen3", "plain", CHATML, "the template does not read enable_thinking"),
        ("deepseek-v3", "qwen3", CHATML, "the template does not read thinking"),
        ("none", "opens", CHATML, "its generation prompt opens thinking with '<think>'"),
        ("none", "qwen3", CHATML, "it has a switch for thinking, the variable enable_thinking"),
        ("magistral", "opens", CHATML, r"opens thinking with '<think>'"),
        ("think", "never_thinks", CHATML, "closes thinking with '</think>' where it should be on"),
        ("minimax-m1", "never_thinks", CHATML, "closes thinking with '</think>' where it should be on"),
        ("harmony", "plain", CHATML, "the template does not read reasoning_effort"),
        ("exaone-deep", "deepseek_opens", DEEPSEEK, "opens thinking with '<think>'"),
    ],
)
def test_a_named_format_is_checked(name: str, template: str, specials: tuple[str, ...], message: str) -> None:
    with pytest.raises(ModelError, match=f"thinking format {name} contradicts the chat template of m/x: .*{message}"):
        check_format(find_format(name), build_tokenizer(template, specials), "m/x")


@pytest.mark.parametrize("name", ["s1", "raml", "minimax-m1", "nemotron-v1", "think", "none"])
def test_a_plain_template_may_be_any_format_whose_marks_it_never_writes(name: str) -> None:
    check_format(find_format(name), build_tokenizer("plain", marks=()), "m/x")


@pytest.mark.parametrize(("name", "template"), [(family.format, family) for family in FAMILIES.values()])
def test_naming_the_format_that_is_detected_is_no_contradiction(name: str, template: object) -> None:
    check_format(find_format(name), template.tokenizer(), "m/x")  # type: ignore[attr-defined]


def test_a_template_that_fails_says_so_and_is_not_called_ambiguous() -> None:
    with pytest.raises(ModelError, match="refuses messages of the roles user: no questions here") as caught:
        detect_format(tokenizer_of("{{ raise_exception('no questions here') }}<think></think>"), "m/x")
    assert "ambiguous" not in str(caught.value)
    with pytest.raises(ModelError, match="is not valid Jinja"):
        detect_format(tokenizer_of("{% if %}"), "m/x")


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("harmony", "<|end|><|start|>assistant"),
        ("solar-open", "<|end|><|begin|>assistant"),
        ("hyperclovax", "<|im_end|>\n<|im_start|>assistant"),
        ("qwen3", ""),
        ("deepseek-r1", ""),
    ],
)
def test_the_part_of_a_delimiter_after_which_the_model_may_go_on_thinking(name: str, begins: str) -> None:
    assert resumed_turn(FAMILIES[name].tokenizer(), find_format(FAMILIES[name].format)) == begins


@pytest.mark.parametrize(("name", "asked_for"), [("phi-4", True), ("magistral", True), ("openthinker", True), ("qwq", False)])
def test_a_system_message_may_not_take_away_the_request_for_thinking(name: str, asked_for: bool) -> None:
    family = FAMILIES[name]
    detection = detect_format(family.tokenizer(), "m/x")
    assert detection.asked_for is asked_for
    fmt = detection.format
    settings = PromptSettings("Be brief.", asked_for=asked_for)
    if not asked_for:
        assert render_prompt(family.tokenizer(), fmt, USER, True, settings)
        return
    with pytest.raises(ModelError, match=r"with a system message, .* no longer asks for"):
        render_prompt(family.tokenizer(), fmt, USER, True, settings)
    repeated = PromptSettings(f"Use {fmt.opener}, {fmt.closer} and {fmt.answer_opener}.", asked_for=True)
    ids = render_prompt(family.tokenizer(), fmt, USER, True, repeated)
    assert family.tokenizer().decode(ids).endswith(fmt.opener + fmt.after_opener)


def test_a_system_message_under_which_a_template_ignores_its_switch() -> None:
    tokenizer = FAMILIES["granite-3.3"].tokenizer()
    fmt = detect_format(tokenizer, "m/x").format
    with pytest.raises(ModelError, match="with a system message, the chat template ignores thinking"):
        render_prompt(tokenizer, fmt, USER, True, PromptSettings("Be brief."))


@pytest.mark.parametrize(("named", "family"), [("think", "glm-4.5"), ("glm-4.5", "qwen3"), ("longcat-always", "exaone-deep")])
def test_a_named_format_must_open_thinking_where_the_template_shows_it(named: str, family: str) -> None:
    with pytest.raises(ModelError, match=f"thinking format {named} contradicts the chat template"):
        check_format(find_format(named), FAMILIES[family].tokenizer(), "m/x")


def test_a_format_of_ones_own_may_open_thinking_otherwise() -> None:
    own = replace(find_format("think"), name="mine", before_opener="\n\n")
    assert check_format(own, FAMILIES["glm-4.5"].tokenizer(), "m/x").format is own


def test_a_switch_without_effect_is_no_switch() -> None:
    detection = detect_format(chatml("{% if enable_thinking %}{% endif %}{{ '<think>\n' }}"), "m/x")
    assert (detection.format.name, detection.format.supports_off) == ("think", False)


@pytest.mark.parametrize(
    ("case", "advised"),
    [
        (NEAR_MISSES["marks only"], "think or none"),
        (NEAR_MISSES["drops old thinking"], "think or none"),  # a template may outlive the thinking of its model
        (chatml("{% if use_reasoning %}Let me see.{% endif %}"), None),  # none of the known formats has this switch
        (NEAR_MISSES["foreign mark in the generation prompt"], None),
    ],
)
def test_what_is_advised(case: ChatTokenizer, advised: str | None) -> None:
    with pytest.raises(ModelError) as caught:
        detect_format(case, "m/x")
    told = re.search(r"Name one that leaves its prompts as they are: --thinking-format ([\w ]+)", str(caught.value))
    assert (told and told[1].strip()) == advised
    assert advised is not None or "Describe its format in a YAML file" in str(caught.value)


NEVER = (
    "{% for m in messages %}{% if loop.first and m.role != 'system' %}<|im_start|>system\n"
    "Never write <think> or </think>.<|im_end|>\n{% endif %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)
SKIPS = "{{ '<think>\n\n</think>\n\n' }}"


@pytest.mark.parametrize(
    "start",
    [
        "{% if thinking_mode == 'on' %}{{ '<think>\n' }}{% else %}" + SKIPS + "{% endif %}",
        "{% if cot %}{{ '<think>\n' }}{% else %}" + SKIPS + "{% endif %}",
        "{% if enable_thinking == 'true' %}{{ '<think>\n' }}{% else %}" + SKIPS + "{% endif %}",
        "{% if deep and thorough %}{{ '<think>\n' }}{% else %}" + SKIPS + "{% endif %}",
        "{% if '/deep' in messages[-1].content %}{{ '<think>\n' }}{% else %}" + SKIPS + "{% endif %}",
        "{% set first = messages[0] %}{% if first.role == 'system' and '/deep' in first.content %}{{ '<think>\n' }}{% else %}"
        + SKIPS
        + "{% endif %}",
        "{{ '<scratchpad>\n' }}",
    ],
)
def test_a_template_that_thinks_under_a_switch_of_its_own_is_never_none(start: str) -> None:
    with pytest.raises(ModelError, match="cannot be told"):
        detect_format(chatml(start), "m/x")


def test_a_ban_is_no_request_and_a_switch_that_any_system_message_pulls_is_none() -> None:
    with pytest.raises(ModelError, match="cannot be told"):
        detect_format(tokenizer_of(NEVER), "m/x")
    alone = "{% if messages[0].role != 'system' %}{{ '<think>\n' }}{% endif %}"
    assert detect_format(chatml(alone), "m/x").format.name == "think"


def test_a_prompt_that_begins_the_turn_otherwise_is_refused() -> None:
    tokenizer = chatml("{% if messages[0].role == 'system' and messages[0].content == '/no_think' %}" + SKIPS + "{% endif %}")
    found = detect_format(tokenizer, "m/x")
    assert found.format.name == "nemotron-v2"
    settings = PromptSettings(starts=found.starts)
    off = render_prompt(tokenizer, found.format, evidence_module.PROBE, False, settings)
    assert tokenizer.decode(off).endswith("</think>\n\n")
    brief = PromptSettings("Be brief.", starts=found.starts)
    with pytest.raises(ModelError, match="lets the model's turn begin with"):
        render_prompt(tokenizer, found.format, evidence_module.PROBE, False, brief)
