"""A checkpoint's chat template: what it renders, which variables it reads, and the date that it prints."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from raml_eval.errors import ModelError
from raml_eval.protocols import ChatTokenizer

NO_VARIABLES: Mapping[str, Any] = MappingProxyType({})


def render_template(
    tokenizer: ChatTokenizer,
    conversation: Sequence[Mapping[str, str]],
    variables: Mapping[str, Any] = NO_VARIABLES,
    *,
    generation_prompt: bool = True,
    date: datetime.date | None = None,
) -> str:
    """The text that the chat template writes for the messages, unchanged. date is what it takes for today.

    Raises ModelError, with the template's own error, if it fails.
    """
    from jinja2 import TemplateError, TemplateSyntaxError

    messages = [dict(message) for message in conversation]
    try:
        with _pinned_date(date):
            text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=generation_prompt, **variables)
    except TemplateSyntaxError as error:
        raise ModelError(
            f"the chat template is not valid Jinja: {error.message} (line {error.lineno}). Correct the template of the model."
        ) from error
    except (TemplateError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
        roles = ", ".join(message["role"] for message in messages)
        raise ModelError(
            f"the chat template refuses messages of the roles {roles}: {error}. Leave out --system-prompt if the template has "
            f"no place for one, or correct the template."
        ) from error
    return str(text)


@contextlib.contextmanager
def _pinned_date(date: datetime.date | None) -> Iterator[None]:
    """Inside, a template's strftime_now says that it is midnight of the date; None leaves the clock alone."""
    if date is None:
        yield
        return
    from transformers.utils import chat_template_utils as library

    midnight = datetime.datetime.combine(date, datetime.time())

    class Pinned(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> datetime.datetime:  # type: ignore[override]
            return midnight

    before = library.datetime
    library.datetime = Pinned
    try:
        yield
    finally:
        library.datetime = before


def check_template(tokenizer: ChatTokenizer, source: str) -> None:
    """Raises ModelError if the model has no chat template."""
    if not tokenizer.chat_template:
        raise ModelError(
            f"model {source} has no chat template, so it is a base model or its template is lost. Pass --prompt plain to ask "
            f"every question as plain text, or add the template to its tokenizer_config.json."
        )


def prints_date(tokenizer: ChatTokenizer) -> bool:
    """True if the chat template reads the clock."""
    return "strftime_now" in template_variables(template_source(tokenizer))


@lru_cache(maxsize=16)
def template_variables(source: str) -> frozenset[str]:
    """The names that a template reads from outside, by its syntax tree. Empty if it cannot be parsed."""
    parsed = _parse(source)
    if parsed is None:
        return frozenset()
    from jinja2 import meta

    return frozenset(meta.find_undeclared_variables(parsed))


@lru_cache(maxsize=16)
def template_texts(source: str) -> str:
    """Every text that a template can write or look for, joined by line feeds; its comments are no part of it."""
    parsed = _parse(source)
    if parsed is None:
        return source
    from jinja2 import nodes

    texts = [node.data for node in parsed.find_all(nodes.TemplateData)]
    texts += [node.value for node in parsed.find_all(nodes.Const) if isinstance(node.value, str)]
    return "\n".join(texts)


@lru_cache(maxsize=64)
def compared_values(source: str, name: str | None = None) -> tuple[Any, ...]:
    """The constants that a template compares a variable with, or anything if no name is given; in the order of the template."""
    parsed = _parse(source)
    if parsed is None:
        return ()
    from jinja2 import nodes

    found: list[Any] = []
    for compare in parsed.find_all(nodes.Compare):
        if name is None or any(used.name == name for used in compare.find_all(nodes.Name)):
            sides = [compare.expr, *(operand.expr for operand in compare.ops)]
            sides += [item for side in sides if isinstance(side, nodes.List | nodes.Tuple) for item in side.items]
            found += [side.value for side in sides if isinstance(side, nodes.Const)]
    return tuple(dict.fromkeys(found))


def _parse(source: str) -> Any:
    from jinja2 import Environment, TemplateSyntaxError, nodes
    from jinja2.ext import Extension

    class GenerationTag(Extension):
        """The tag that marks an assistant's tokens for training; here it only holds its content."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    try:
        return Environment(extensions=["jinja2.ext.loopcontrols", GenerationTag], autoescape=False).parse(source)
    except TemplateSyntaxError:
        return None


def template_source(tokenizer: ChatTokenizer) -> str:
    """The chat template as one text: empty if there is none, the default one if there are several by name.

    Several without a default are joined as JSON; rendering them fails with the library's own error.
    """
    template: Any = tokenizer.chat_template
    if template is None or isinstance(template, str):
        return template or ""
    return str(template["default"]) if "default" in template else json.dumps(template, sort_keys=True)


def chat_template_digest(tokenizer: ChatTokenizer) -> str:
    """The first 16 hex digits of the SHA-256 of the chat template, or of the empty text if there is none."""
    return hashlib.sha256(template_source(tokenizer).encode()).hexdigest()[:16]
