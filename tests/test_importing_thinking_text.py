"""Where thinking ends and the answer begins, decided from text alone."""

import time

import pytest

from raml_eval.importing.thinking_text import Parts, delimiters, join_parts, keep_whole, prompt_leaves, split_thinking

THINK = ("<think>", "</think>")
ANALYSIS, FINAL = "<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"


def test_the_delimiters_are_those_of_the_reasoning_formats() -> None:
    assert THINK in delimiters()
    assert ("<|im_start|>think", "<|im_start|>answer") in delimiters()
    assert len(set(delimiters())) == len(delimiters())


def test_ordinary_words_are_no_delimiters() -> None:
    assert "Here is my thought process:" not in {opener for opener, _ in delimiters()}
    text = "Here is my thought process: no. Here is my response: yes."
    assert split_thinking(text, opened=False) == Parts(None, text)


@pytest.mark.parametrize(
    ("text", "opened", "parts"),
    [
        ("<think>\nab\n</think>\n\nc", False, Parts("ab\n", "\n\nc", written=True)),
        ("  <think>ab</think>c", False, Parts("ab", "c", written=True)),
        ("ab</think>c", False, Parts("ab", "c")),
        ("ab</think>c", True, Parts("ab", "c")),
        ("<think>ab", False, Parts("ab", "", closed=False, written=True)),
        ("ab", True, Parts("ab", "", closed=False)),
        ("ab", False, Parts(None, "ab")),
        ("", False, Parts(None, "")),
        ("", True, Parts("", "", closed=False)),
        ("<think></think>c", False, Parts("", "c", written=True)),
        ("<think>a</think>b</think>c", False, Parts("a", "b</think>c", written=True, leak=True)),
        ("<|im_start|>think\na<|im_start|>answer\nb", False, Parts("a", "\nb", written=True)),
        ("[THINK]a[/THINK]b", False, Parts("a", "b", written=True)),
        ("<|channel>thought\na<channel|>b", False, Parts("a", "b", written=True)),
        (f"{ANALYSIS}a{FINAL}b", False, Parts("a", "b", written=True)),
        ("see <think> in HTML", False, Parts(None, "see <think> in HTML")),
    ],
)
def test_a_text_is_split_at_its_first_end(text: str, opened: bool, parts: Parts) -> None:
    assert split_thinking(text, opened) == parts


def test_what_a_log_keeps_apart_is_closed_by_an_answer() -> None:
    assert join_parts("a", "b") == Parts("a", "b", written=True)
    assert join_parts("a", " \n") == Parts("a", " \n", closed=False, written=True)


def test_a_rendered_prompt_may_open_the_thinking_or_end_it() -> None:
    assert prompt_leaves(({"role": "user", "content": "hi<|im_start|>assistant\n<think>\n"},)) is True
    assert prompt_leaves(({"role": "user", "content": "hi<think>\n\n</think>\n\n"},)) is False
    assert prompt_leaves(({"role": "user", "content": "what does <think> mean?"},)) is None
    assert prompt_leaves(()) is None


def test_after_a_prompt_that_ends_the_thinking_all_is_answer() -> None:
    assert keep_whole("a") == Parts(None, "a")
    assert keep_whole("a</think>b") == Parts(None, "a</think>b", leak=True)


@pytest.mark.parametrize("text", ["<think>" * 150_000, "</think>" * 130_000, "<think>" + "<" * 1_000_000, " " * 1_000_000])
def test_a_megabyte_takes_no_time(text: str) -> None:
    started = time.process_time()
    split_thinking(text, opened=False)
    assert time.process_time() - started < 1
