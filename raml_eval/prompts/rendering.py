"""Turns questions into token ids: the model's chat template, with thinking opened or turned off at the end of the prompt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from raml_eval.errors import ConfigError, ModelError
from raml_eval.protocols import ChatTokenizer
from raml_eval.thinking_formats import ThinkingFormat
from raml_eval.types import Message, TokenIds


def render_prompt(
    tokenizer: ChatTokenizer,
    fmt: ThinkingFormat,
    messages: Sequence[Message],
    thinking: bool,
    system_prompt: str | None = None,
) -> TokenIds:
    """The ids of the chat template's text and its generation prompt, ready for the first thinking or answer token.

    With thinking, the prompt ends with the format's opener, whether the template wrote all of it, part of it or none, so
    that a budget counts thinking tokens only. The template's own ids come first, unchanged. Without thinking, the prompt
    ends where the answer begins. A system prompt is put before the messages. Without a chat template, the contents are
    joined by blank lines and get the tokenizer's own special tokens (a base model's begin-of-text).

    Raises ModelError if the format has no such mode, or if the template ignores or contradicts its switch. Raises
    ConfigError if there is a system prompt and the messages bring their own: every template would merge the two differently.
    """
    if thinking and not fmt.thinks:
        raise ModelError("format none has no thinking to open. Set the thinking budget to off, or pass --thinking-format.")
    if not thinking and not fmt.supports_off:
        raise ModelError(
            f"format {fmt.name} has no mode without thinking. Use a thinking budget of 0, which opens and at once closes the "
            f"thinking, or another --thinking-format."
        )
    text = render_text(tokenizer, fmt, messages, thinking, system_prompt)
    if fmt.switched_in_template and text == render_text(tokenizer, fmt, messages, not thinking, system_prompt):
        switch = fmt.variable or f"the sentence {fmt.off_sentence!r}"
        raise ModelError(
            f"the chat template ignores {switch}, which switches thinking in format {fmt.name}. Name another "
            f"--thinking-format (qwq and deepseek-r1 need no switch), or correct the template."
        )
    if not fmt.thinks:
        return _encode_prompt(tokenizer, text)
    return _open_thinking(tokenizer, fmt, text) if thinking else _skip_thinking(tokenizer, fmt, text)


def _open_thinking(tokenizer: ChatTokenizer, fmt: ThinkingFormat, text: str) -> TokenIds:
    if text.rstrip().endswith(fmt.closer):
        raise ModelError(
            f"the chat template closes thinking with {fmt.closer!r} although it is on in format {fmt.name}. Set the thinking "
            f"budget to off, or name another --thinking-format."
        )
    return _encode_after(tokenizer, text, _missing(text, fmt.opener, fmt.mark))


def _skip_thinking(tokenizer: ChatTokenizer, fmt: ThinkingFormat, text: str) -> TokenIds:
    if fmt.off_suffix and not text.rstrip().endswith(fmt.closer):
        text += _missing(text, fmt.off_suffix, fmt.mark)
    if text.rstrip().endswith(fmt.mark):
        raise ModelError(
            f"the chat template opens thinking with {fmt.mark!r} although it is off in format {fmt.name}. Use a thinking "
            f"budget of 0, or name another --thinking-format."
        )
    return _encode_prompt(tokenizer, text)  # in one piece, so that the suffix is tokenised as in the family's own use


def _missing(text: str, wanted: str, mark: str) -> str:
    """The part of wanted, which begins with mark, that is missing after a text that may already end with its beginning."""
    stripped = text.rstrip()
    if not stripped.endswith(mark):
        return wanted
    rest, blanks = wanted[len(mark) :], text[len(stripped) :]
    while not rest.startswith(blanks):
        blanks = blanks[:-1]
    return rest[len(blanks) :]


def render_text(
    tokenizer: ChatTokenizer,
    fmt: ThinkingFormat,
    messages: Sequence[Message],
    thinking: bool,
    system_prompt: str | None = None,
) -> str:
    """The prompt's text as the chat template writes it, with the format's switch set, but no opener or suffix added."""
    from jinja2 import TemplateError

    conversation = _with_system(fmt, messages, thinking, system_prompt)
    if tokenizer.chat_template is None:
        return "\n\n".join(message["content"] for message in conversation)
    switch = {fmt.variable: thinking} if fmt.variable else {}
    try:
        text = tokenizer.apply_chat_template(conversation, tokenize=False, add_generation_prompt=True, **switch)
    except (TemplateError, TypeError, ValueError) as error:
        roles = ", ".join(message["role"] for message in conversation)
        raise ModelError(
            f"the chat template refuses messages of the roles {roles}: {error}. Leave out --system-prompt if the template has "
            f"no place for one, or correct the template."
        ) from error
    return str(text)


def _with_system(
    fmt: ThinkingFormat, messages: Sequence[Message], thinking: bool, system_prompt: str | None
) -> list[dict[str, str]]:
    conversation = [dict(message) for message in messages]
    own = conversation.pop(0)["content"] if conversation and conversation[0]["role"] == "system" else None
    if own is not None and system_prompt is not None:
        raise ConfigError(
            f"--system-prompt is set, but the task brings its own system message ({own[:40]!r}). Leave out one of the two."
        )
    sentence = fmt.on_sentence if thinking else fmt.off_sentence
    content = system_prompt if own is None else own
    if content is None and not sentence:
        return conversation
    return [{"role": "system", "content": "\n\n".join(part for part in (sentence, content) if part)}, *conversation]


def _encode_prompt(tokenizer: ChatTokenizer, text: str) -> TokenIds:
    # A chat template writes its own special tokens. Adding them again would double the begin-of-text.
    return tuple(tokenizer.encode(text, add_special_tokens=tokenizer.chat_template is None))


def _encode_after(tokenizer: ChatTokenizer, text: str, addition: str) -> TokenIds:
    """The ids of text, unchanged, followed by those of the addition.

    The two are encoded together if that leaves the text's ids alone: some tokenizers mark the start of a text by a blank,
    and would write one before an addition that is encoded on its own.
    """
    before = _encode_prompt(tokenizer, text)
    together = _encode_prompt(tokenizer, text + addition)
    if together[: len(before)] == before:
        return together
    return before + tuple(tokenizer.encode(addition, add_special_tokens=False))


def continuation_ids(tokenizer: ChatTokenizer, text: str) -> TokenIds:
    """The ids of a text that continues other tokens: no begin-of-text, and no blank that marks the start of a text."""
    before = tuple(tokenizer.encode("\n", add_special_tokens=False))
    together = tuple(tokenizer.encode("\n" + text, add_special_tokens=False))
    if together[: len(before)] == before:
        return together[len(before) :]
    return tuple(tokenizer.encode(text, add_special_tokens=False))


def closer_ids(tokenizer: ChatTokenizer, fmt: ThinkingFormat) -> TokenIds:
    """The ids of the format's end delimiter; empty for the format without thinking.

    If there are several ids, a model may write the same text in other tokens (such as '>' and a line break in one), so a
    natural end must be looked for in the decoded text.
    """
    return continuation_ids(tokenizer, fmt.closer) if fmt.thinks else ()


def closing_ids(tokenizer: ChatTokenizer, fmt: ThinkingFormat, closing_text: str | None = None) -> TokenIds:
    """The ids that a forced end writes: the closing text (None: the thinking format's own) and the end delimiter.

    Raises ConfigError if the closing text contains the delimiter, which would then be written twice.
    """
    text = fmt.closing_text if closing_text is None else closing_text
    if not fmt.thinks:
        return ()
    if fmt.closer in text:
        raise ConfigError(f"the closing text {text!r} holds {fmt.closer!r}, which is written after it anyway. Leave it out.")
    return continuation_ids(tokenizer, text + fmt.closer)


def chat_template_digest(tokenizer: ChatTokenizer) -> str:
    """The first 16 hex digits of the SHA-256 of the chat template, or of the empty text if there is none."""
    return hashlib.sha256(template_source(tokenizer).encode()).hexdigest()[:16]


def template_source(tokenizer: ChatTokenizer) -> str:
    """The chat template as one text: empty if there is none, JSON if there are several by name."""
    template: Any = tokenizer.chat_template
    if template is None or isinstance(template, str):
        return template or ""
    return json.dumps(template, sort_keys=True)
