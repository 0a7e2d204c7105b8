"""What a chat template renders, reads and prints, and how it fails."""

from __future__ import annotations

import datetime

import pytest
import transformers.utils.chat_template_utils as library

from raml_eval.errors import ModelError
from raml_eval.prompts import PromptSettings, prints_date, render_prompt
from raml_eval.prompts.template import render_template, template_source, template_texts, template_variables
from raml_eval.thinking_formats import find_format
from tests.families import build_tokenizer
from tests.test_prompts_detection import tokenizer_of

USER = [{"role": "user", "content": "Hi"}]
DATED = "{{ strftime_now('%d %B %Y') }}: {{ messages[0].content }}"
DAY = datetime.date(2024, 2, 29)


def test_a_pinned_date_is_what_the_template_prints() -> None:
    assert render_template(tokenizer_of(DATED), USER, date=DAY) == "29 February 2024: Hi"


def test_a_pinned_date_is_the_same_on_another_day(monkeypatch: pytest.MonkeyPatch) -> None:
    class Later(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return datetime.datetime(2031, 1, 1, 23, 59)

    fmt, settings = find_format("none"), PromptSettings(date=DAY)
    before = render_prompt(tokenizer_of(DATED), fmt, USER, False, settings)
    monkeypatch.setattr(library, "datetime", Later)
    assert render_prompt(tokenizer_of(DATED), fmt, USER, False, settings) == before
    assert render_template(tokenizer_of(DATED), USER) == "01 January 2031: Hi"
    assert library.datetime is Later  # the clock is given back


def test_the_clock_is_given_back_after_a_template_that_fails() -> None:
    before = library.datetime
    with pytest.raises(ModelError):
        render_template(tokenizer_of("{{ strftime_now('%Y') }}{{ raise_exception('no') }}"), USER, date=DAY)
    assert library.datetime is before


@pytest.mark.parametrize(
    ("template", "prints"),
    [(DATED, True), ("{# strftime_now #}{{ messages }}", False), ("strftime_now", False), ("{% if %}", False)],
)
def test_which_templates_read_the_clock(template: str, prints: bool) -> None:
    assert prints_date(tokenizer_of(template)) is prints


def test_variables_are_those_that_the_template_reads_from_outside() -> None:
    source = (
        "{% set own = 1 %}{% for m in messages %}{{ m.thinking }}{{ own }}{% endfor %}{# commented #}{{ 'quoted' }}"
        "{% generation %}{{ deep | default(false) }}{% endgeneration %}{% if effort is defined %}{% break %}{% endif %}"
    )
    assert template_variables(source) == {"messages", "deep", "effort"}
    assert template_variables("{% if %}") == frozenset()


def test_texts_are_what_the_template_writes_or_looks_for() -> None:
    texts = template_texts("a<think>{# <comment> #}{{ '</think>' }}{% if '<x>' in y %}b{% endif %}")
    assert all(text in texts for text in ("a<think>", "</think>", "<x>", "b"))
    assert "<comment>" not in texts


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{% if %}", r"is not valid Jinja: .* \(line 1\)\. Correct the template"),
        ("{{ raise_exception('roles must alternate') }}", "refuses messages of the roles user: roles must alternate"),
        ("{{ messages[0].content + 1 }}", "refuses messages of the roles user: "),
        ("{{ nothing.at_all }}", "refuses messages of the roles user: 'nothing' is undefined"),
        ("{{ 1 / 0 }}", "refuses messages of the roles user"),
    ],
)
def test_a_template_that_fails_says_so(template: str, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        render_template(tokenizer_of(template), USER)


def test_templates_by_name() -> None:
    tokenizer = build_tokenizer(None)
    assert template_source(tokenizer) == ""
    tokenizer.chat_template = {"default": "{{ messages[0].content }}!", "tool_use": "no"}
    assert template_source(tokenizer) == "{{ messages[0].content }}!"
    assert render_template(tokenizer, USER) == "Hi!"
    tokenizer.chat_template = {"rag": "no", "tool_use": "no"}
    assert "rag" in template_source(tokenizer)
    with pytest.raises(ModelError, match="refuses messages"):
        render_template(tokenizer, USER)
