"""Prompts as token ids: golden ids for every family, and what each template leaves for us to add."""

from __future__ import annotations

from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import ConfigError, ModelError
from raml_eval.prompts import PromptSettings, chat_template_digest, closing_ids, continuation_ids, load_tokenizer, render_prompt
from raml_eval.thinking_formats import Closing, Effort, ThinkingFormat, find_format
from tests.families import (
    CHATML,
    DEEPSEEK,
    FAMILIES,
    MARKS,
    build_merging_tokenizer,
    build_metaspace_tokenizer,
    build_opening_tokenizer,
    build_tokenizer,
)

USER = [{"role": "user", "content": "Hi"}]
TURN = (257, 84, 82, 68, 81, 198, 39, 72, 258, 198)  # <|im_start|>user\nHi<|im_end|>\n
START = (257, 64, 82, 82, 72, 82, 83, 64, 77, 83, 198)  # <|im_start|>assistant\n
OPEN = (259, 198)  # <think>\n
SKIP = (259, 198, 198, 260, 198, 198)  # <think>\n\n</think>\n\n
SYSTEM = (257, 82, 88, 82, 83, 68, 76, 198)  # <|im_start|>system\n
DETAILED = (67, 68, 83, 64, 72, 75, 68, 67, 220, 83, 71, 72, 77, 74, 72, 77, 70, 220, 78)  # detailed thinking o

GOLDEN = [
    ("qwen3", "qwen3", True, (*TURN, *START, *OPEN)),
    ("qwen3", "qwen3", False, (*TURN, *START, *SKIP)),
    ("qwen3_opens", "qwen3", True, (*TURN, *START, *OPEN)),
    ("qwen3_opens", "qwen3", False, (*TURN, *START, *SKIP)),
    ("deepseek", "deepseek-r1", True, (256, 257, 39, 72, 258, 260, 198)),
    ("deepseek", "deepseek-r1", False, (256, 257, 39, 72, 258, 260, 198, 198, 261, 198, 198)),
    ("deepseek_opens", "deepseek-r1", True, (256, 257, 39, 72, 258, 260, 198)),
    ("deepseek_opens", "deepseek-r1", False, (256, 257, 39, 72, 258, 260, 198, 198, 261, 198, 198)),
    ("deepseek", "think", True, (256, 257, 39, 72, 258, 260)),
    ("deepseek_v3", "deepseek-v3", True, (256, 257, 39, 72, 258, 260)),
    ("deepseek_v3", "deepseek-v3", False, (256, 257, 39, 72, 258, 261)),
    ("plain", "qwq", True, (*TURN, *START, 259)),
    ("opens", "qwq", True, (*TURN, *START, *OPEN)),
    ("opens_without_newline", "qwq", True, (*TURN, *START, 259)),  # nothing is added
    ("opens_without_newline", "minimax-m1", True, (*TURN, *START, 259)),
    ("plain", "minimax-m1", True, (*TURN, *START, *OPEN)),
    ("opens_with_blank_line", "qwq", True, (*TURN, *START, 259, 198, 198)),
    ("opens_without_newline", "deepseek-r1", False, (*TURN, *START, *SKIP)),
    ("opens_with_blank_line", "deepseek-r1", False, (*TURN, *START, *SKIP)),
    ("plain", "s1", True, (*TURN, *START, 257, 83, 71, 72, 77, 74, 198)),
    ("plain", "nemotron", True, (*SYSTEM, *DETAILED, 77, 258, 198, *TURN, *START, *OPEN)),
    ("plain", "nemotron", False, (*SYSTEM, *DETAILED, 69, 69, 258, 198, *TURN, *START)),
    ("nemotron_v2", "nemotron-v2", True, (*TURN, *START, *OPEN)),
    ("nemotron_v2", "nemotron-v2", False, (*SYSTEM, 258, 198, *TURN, *START, 259, 260)),
    ("plain", "none", False, (*TURN, *START)),
    ("never_thinks", "deepseek-r1", False, (*TURN, *START, *SKIP)),
]


@pytest.mark.parametrize(("template", "name", "thinking", "ids"), GOLDEN)
def test_golden_ids(template: str | None, name: str, thinking: bool, ids: tuple[int, ...]) -> None:
    tokenizer = build_tokenizer(template, DEEPSEEK if (template or "").startswith("deepseek") else CHATML)
    assert render_prompt(tokenizer, find_format(name), USER, thinking) == ids


def test_golden_ids_of_raml_whose_opener_is_several_tokens() -> None:
    ids = render_prompt(build_merging_tokenizer("plain"), find_format("raml"), USER, thinking=True)
    assert ids == (265, *TURN[1:8], 266, 198, 265, *START[1:], 27, 262, 258)  # '<' 'think' '>\n'


PLAIN = PromptSettings(plain=True)


def test_begin_of_text_is_written_once() -> None:
    assert render_prompt(build_opening_tokenizer("plain"), find_format("none"), USER, False) == (*TURN, *START)
    assert closing_ids(build_opening_tokenizer("plain"), find_format("qwq"), Closing("Ok")) == (46, 74, 260)
    assert continuation_ids(build_opening_tokenizer("plain"), "Wait") == (54, 64, 72, 83)


def test_two_begin_of_text_tokens_are_refused() -> None:
    tokenizer = build_tokenizer(None)
    tokenizer.bos_token = "<|endoftext|>"
    tokenizer.chat_template = "<|endoftext|>{{ bos_token }}{{ messages[0].content }}"
    with pytest.raises(ModelError, match=r"begins with two begin-of-text tokens \(256\)"):
        render_prompt(tokenizer, find_format("none"), USER, False)


def test_a_plain_prompt_has_no_template_and_the_tokenizers_own_start() -> None:
    turns = [{"role": "system", "content": "Add."}, *USER]
    assert render_prompt(build_opening_tokenizer(None), find_format("none"), USER, False, PLAIN) == (256, 39, 72)
    assert render_prompt(build_opening_tokenizer("qwen3"), find_format("none"), USER, False, PLAIN) == (256, 39, 72)
    assert render_prompt(build_tokenizer(None), find_format("none"), turns, False, PLAIN) == (32, 67, 67, 13, 198, 198, 39, 72)
    assert render_prompt(build_opening_tokenizer(None), find_format("minimax-m1"), USER, True, PLAIN) == (256, 39, 72, *OPEN)


def test_an_opener_never_changes_the_tokens_before_it() -> None:
    tokenizer = build_merging_tokenizer(None)
    assert tokenizer.encode("a.</think>\n") == [64, 257, 262, 258]
    odd = ThinkingFormat("odd", opener="</think>", after_opener="\n", closer="<end>")  # '.' and '</' merge over the boundary
    assert render_prompt(tokenizer, odd, [{"role": "user", "content": "a."}], True, PLAIN) == (64, 13, 256, 262, 258)


def test_a_closing_text_is_tokenised_as_it_goes_on_after_a_line() -> None:
    tokenizer = build_merging_tokenizer("plain")
    assert closing_ids(tokenizer, find_format("raml"), Closing("\n\n")) == (263, 256, 262, 29)


def test_the_blank_that_starts_a_text_is_not_written_within_one() -> None:
    tokenizer = build_metaspace_tokenizer()
    assert tokenizer.encode("a") == [0, 97]
    assert closing_ids(tokenizer, find_format("qwq"), Closing()) == tuple(b"</think>")
    question = [{"role": "user", "content": "a"}]
    assert render_prompt(tokenizer, find_format("qwq"), question, True, PLAIN) == (0, *b"a<think>")


@pytest.mark.parametrize(
    ("template", "role"),
    [
        ("{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}", "system"),
        ("{{ messages[0].content }}", "user"),
        ("{% for m in messages %}{{ m.content | upper }}{% endfor %}", "system"),
        ("{% for m in messages %}{{ m.content[:6] }}{% endfor %}", "system"),
    ],
)
def test_a_template_that_drops_or_alters_a_message_is_refused(template: str, role: str) -> None:
    tokenizer = build_tokenizer(None)
    tokenizer.chat_template = template
    with pytest.raises(ModelError, match=f"leaves out the {role} message '.*', or alters it"):
        render_prompt(tokenizer, find_format("none"), USER, False, PromptSettings("Be brief."))


def test_what_a_template_strips_around_a_message_is_no_alteration() -> None:
    tokenizer = build_tokenizer(None)
    tokenizer.chat_template = "{% for m in messages %}{{ m.content | trim }}{% endfor %}"
    assert render_prompt(tokenizer, find_format("none"), [{"role": "user", "content": " Hi\n"}], False) == (39, 72)


def test_further_variables_reach_the_template_and_a_hint_is_one_prompts_own() -> None:
    harmony = FAMILIES["harmony"]

    def shown(settings: PromptSettings, **hint: str) -> str:
        ids = render_prompt(harmony.tokenizer(), find_format("gpt-oss"), USER, True, settings, hint)
        return str(harmony.tokenizer().decode(ids)).partition("Reasoning: ")[2].partition("<")[0]

    assert shown(PromptSettings()) == "medium"
    assert shown(PromptSettings(variables={"reasoning_effort": "high"})) == "high"
    assert shown(PromptSettings(variables={"reasoning_effort": "high"}), reasoning_effort="low") == "low"


@pytest.mark.parametrize(("thinking", "tail"), [(True, OPEN), (False, SKIP)])
def test_golden_ids_of_the_pocket_checkpoint(thinking: bool, tail: tuple[int, ...]) -> None:
    folder = Path(str(resources.files("raml_eval") / "pocket"))
    if not (folder / "tokenizer.json").is_file():
        pytest.skip("the pocket checkpoint is not in this checkout")
    assert render_prompt(load_tokenizer(find_checkpoint(folder)), find_format("qwen3"), USER, thinking) == (
        *TURN,
        *START,
        *tail,
    )


@pytest.mark.parametrize("template", ["qwen3", "qwen3_opens", "opens", "opens_without_newline", "plain", "deepseek_opens"])
def test_the_template_comes_first_as_transformers_tokenises_it(template: str) -> None:
    tokenizer = build_tokenizer(template, DEEPSEEK if template.startswith("deepseek") else CHATML)
    name = "qwen3" if template.startswith("qwen3") else "qwq"
    theirs = tuple(tokenizer.apply_chat_template(USER, add_generation_prompt=True, tokenize=True, return_dict=False))
    ours = render_prompt(tokenizer, find_format(name), USER, thinking=True)
    assert ours[: len(theirs)] == theirs
    added = {"qwen3": "<think>\n", "plain": "<think>"}.get(template, "")
    assert tokenizer.decode(ours) == tokenizer.decode(theirs) + added
    assert ours.count(tokenizer.convert_tokens_to_ids("<think>")) == 1


@pytest.mark.parametrize(
    ("template", "name", "thinking", "message"),
    [
        ("plain", "none", True, "format none has no thinking"),
        ("plain", "qwq", False, "format think has no mode without thinking. Use a thinking budget of 0"),
        ("plain", "raml", False, "format raml has no mode without thinking"),
        ("plain", "qwen3", True, "ignores enable_thinking"),
        ("plain", "qwen3", False, "ignores enable_thinking"),
        (None, "qwen3", False, "has no chat template.*--prompt plain"),
        ("never_thinks", "qwq", True, "closes thinking with '</think>' although it is on"),
        ("opens", "nemotron", False, "opens thinking with '<think>' although it is off"),
        (
            "user_only",
            "nemotron",
            True,
            "refuses messages of the roles system, user: no system role here. Leave out --system-prompt",
        ),
    ],
)
def test_a_mode_that_cannot_be_had_is_refused(template: str | None, name: str, thinking: bool, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        render_prompt(build_tokenizer(template), find_format(name), USER, thinking)


def test_low_effort_is_not_off() -> None:
    with pytest.raises(
        ModelError, match=r"has no mode without thinking. reasoning_effort low is a hint to think less, not off"
    ):
        render_prompt(FAMILIES["harmony"].tokenizer(), find_format("harmony"), USER, thinking=False)


@pytest.mark.parametrize("content", ["think", "n", ">", "assistant", "", "Hi"])
@pytest.mark.parametrize(("template", "name"), [("opens", "think"), ("qwen3_opens", "qwen3"), ("opens", "deepseek-r1")])
def test_a_question_that_stands_in_the_generation_prompt_too(content: str, template: str, name: str) -> None:
    ids = render_prompt(build_tokenizer(template), find_format(name), [{"role": "user", "content": content}], True)
    assert (ids[-2:], ids.count(259)) == (OPEN, 1)
    if name != "think":
        off = render_prompt(build_tokenizer(template), find_format(name), [{"role": "user", "content": content}], False)
        assert (off[-6:], off.count(259)) == (SKIP, 1)


@pytest.mark.parametrize(
    ("name", "messages", "system_prompt", "content"),
    [
        ("none", USER, "Be brief.", "Be brief."),
        ("none", USER, "", ""),  # an empty system message keeps a template from writing its own
        ("none", [{"role": "system", "content": "Own."}, *USER], None, "Own."),
        ("nemotron-v2", USER, "Be brief.", "/no_think\n\nBe brief."),
        ("nemotron", USER, "Be brief.", "detailed thinking off\n\nBe brief."),
        ("nemotron", [{"role": "system", "content": "Own."}, *USER], None, "detailed thinking off\n\nOwn."),
    ],
)
def test_system_messages(name: str, messages: list[dict[str, str]], system_prompt: str | None, content: str) -> None:
    tokenizer = build_tokenizer("plain")
    ids = render_prompt(tokenizer, find_format(name), messages, False, PromptSettings(system_prompt))
    assert tokenizer.decode(ids).startswith(f"<|im_start|>system\n{content}<|im_end|>\n<|im_start|>user\nHi<|im_end|>")
    assert messages[-1] == USER[0]


def test_two_system_messages_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"its own system message \('Own\.'\)"):
        render_prompt(
            build_tokenizer("plain"),
            find_format("none"),
            [{"role": "system", "content": "Own."}, *USER],
            False,
            PromptSettings("Be brief."),
        )


def test_digest_of_the_chat_template() -> None:
    tokenizer = build_tokenizer("plain")
    tokenizer.chat_template = "abc"
    assert chat_template_digest(tokenizer) == "ba7816bf8f01cfea"  # SHA-256 of abc, FIPS 180-2
    assert chat_template_digest(build_tokenizer(None)) == "e3b0c44298fc1c14"
    tokenizer.chat_template = {"default": "abc", "tool_use": "d"}
    assert len(chat_template_digest(tokenizer)) == 16


QWEN3, R1 = build_tokenizer("qwen3"), build_tokenizer("deepseek_opens", DEEPSEEK)


@given(st.text(st.characters(exclude_categories=("Cs",))), st.booleans())
def test_any_text_comes_through_unchanged(text: str, thinking: bool) -> None:
    for tokenizer, name in ((QWEN3, "qwen3"), (R1, "deepseek-r1")):
        ids = render_prompt(tokenizer, find_format(name), [{"role": "user", "content": text}], thinking)
        assert text in tokenizer.decode(ids)
        assert tokenizer.decode(ids).endswith("<think>\n" if thinking else "</think>\n\n")


@given(st.text(st.sampled_from("a\n <>/"), max_size=12), st.sampled_from(MARKS))
def test_a_question_that_ends_in_a_mark_changes_nothing_after_it(text: str, mark: str) -> None:
    ids = render_prompt(QWEN3, find_format("qwen3"), [{"role": "user", "content": text + mark}], thinking=True)
    assert ids[-len(START) - 4 :] == (258, 198, *START, *OPEN)


@pytest.mark.parametrize(("thinking", "tail"), [(True, OPEN), (False, (259, 260))])
def test_a_system_prompt_beside_a_sentence_that_the_template_obeys_and_drops(thinking: bool, tail: tuple[int, ...]) -> None:
    tokenizer = build_tokenizer("nemotron_v2")
    ids = render_prompt(tokenizer, find_format("nemotron-v2"), USER, thinking, PromptSettings("Be brief."))
    assert tokenizer.decode(ids).startswith("<|im_start|>system\nBe brief.<|im_end|>\n")
    assert ids[-len(tail) :] == tail


def test_a_hint_beside_a_switch() -> None:
    tokenizer = build_tokenizer("qwen3")
    tokenizer.chat_template = "{% if enable_thinking %}{{ effort }}{% endif %}" + tokenizer.chat_template
    fmt = replace(find_format("qwen3"), effort=Effort("effort", ("low", "high")))
    prompts = [render_prompt(tokenizer, fmt, USER, True, hint={"effort": value}) for value in ("low", "high")]
    assert [tokenizer.decode(ids).partition("<|")[0] for ids in prompts] == ["low", "high"]
    with pytest.raises(ModelError, match="ignores verbosity 'low', so the hint would change nothing"):
        render_prompt(tokenizer, fmt, USER, True, hint={"verbosity": "low"})
