"""Turns questions into token ids: the model's chat template, with thinking opened or turned off at the end of the prompt."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raml_eval.errors import ConfigError, ModelError
from raml_eval.prompts.template import NO_VARIABLES, render_template
from raml_eval.protocols import ChatTokenizer, Tokenizer
from raml_eval.thinking_formats import Closing, Mode, ThinkingFormat
from raml_eval.types import Message, TokenIds


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """What a run adds to every prompt: a system message, the date that a template prints, and further template variables.

    If plain is true, the messages are asked as text, without the chat template. If asked_for is true, the model only thinks
    because the template's own system message asks for it, with both delimiters. starts holds what the template wrote for a
    simple question to let the model's turn begin, with thinking (True) and without (False); every prompt must end in it.
    """

    system_prompt: str | None = None
    date: datetime.date | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)
    plain: bool = False
    asked_for: bool = False
    starts: Mapping[bool, str] = field(default_factory=dict)


_DEFAULT = PromptSettings()
_STAND_IN = "What is 1+1?"


def render_prompt(
    tokenizer: ChatTokenizer,
    fmt: ThinkingFormat,
    messages: Sequence[Message],
    thinking: bool,
    settings: PromptSettings = _DEFAULT,
    hint: Mapping[str, Any] = NO_VARIABLES,
) -> TokenIds:
    """The ids of the chat template's text and its generation prompt, ready for the first thinking or answer token.

    With thinking, the prompt ends with an open thinking. Where the template opens it, nothing is added; elsewhere the format
    says what the model itself writes first, so that a budget counts thinking tokens only. Without thinking, the prompt ends
    where the answer begins. hint holds further template variables. A plain prompt joins the contents by blank lines and
    gets the tokenizer's own special tokens (a base model's begin-of-text).

    Raises ModelError if the format has no such mode, if the template contradicts it, or if it loses a message. Raises
    ConfigError if there is a system prompt and the messages bring their own: every template would merge the two differently.
    """
    check_mode(fmt, thinking)
    if settings.plain and fmt.thinks and not thinking and not fmt.off_mode.prefix:
        raise ModelError(
            f"a plain prompt has no template that could turn thinking off in format {fmt.name}. Use a thinking budget of 0, "
            f"which opens and at once closes the thinking."
        )
    text = render_text(tokenizer, fmt, messages, thinking, settings, hint)
    if (
        fmt.switched_in_template
        and not settings.plain
        and text == _other_mode(tokenizer, fmt, messages, not thinking, settings, hint)
    ):
        switch = " and ".join(sorted(fmt.variables)) or f"the sentence {fmt.off_mode.system or fmt.on.system!r}"
        if settings.system_prompt is not None or messages[0]["role"] == "system":
            raise ModelError(
                f"with a system message, the chat template ignores {switch}, which switches thinking in format {fmt.name}. "
                f"Leave out --system-prompt, or the tasks that bring a system message."
            )
        raise ModelError(
            f"the chat template ignores {switch}, which switches thinking in format {fmt.name}. `raml-eval formats detect` "
            f"shows which formats fit this model; name one with --thinking-format, or correct the template."
        )
    start = settings.starts.get(thinking, "")
    if not hint and not text.endswith(start):
        raise ModelError(
            f"the chat template lets the model's turn begin with {text[-len(start) :]!r} here and with {start!r} for a simple "
            f"question, so thinking may not be {'on' if thinking else 'off'}. Leave out --system-prompt or the tasks that "
            f"bring a system message or examples, or correct the template."
        )
    if not fmt.thinks:
        return _encode_prompt(tokenizer, text, settings)
    content = messages[-1]["content"].strip()
    if text.count(content) == 1:
        tail = after_messages(text, messages)
    else:  # a short content may stand in the generation prompt too, as "think" does
        other = [*messages[:-1], {**messages[-1], "content": _STAND_IN}]
        tail = after_messages(render_text(tokenizer, fmt, other, thinking, settings, hint), other)
    if thinking:
        if settings.asked_for:
            _check_asked(fmt, text, tail)
        return _encode_after(tokenizer, text, missing_opener(fmt, tail), settings)
    return _encode_prompt(tokenizer, text + missing_prefix(fmt, tail), settings)


def _check_asked(fmt: ThinkingFormat, text: str, tail: str) -> None:
    """Raises ModelError if a system message has taken the place of the one in which the template asks for thinking."""
    if not (fmt.opener in text.removesuffix(tail) and fmt.closer in text.removesuffix(tail)):
        raise ModelError(
            f"with a system message, the chat template no longer asks for {fmt.opener} and {fmt.closer}, which is how this "
            f"model was trained to think. Leave out --system-prompt, or repeat the template's own words in it "
            f"(`raml-eval formats detect` shows them)."
        )


def check_mode(fmt: ThinkingFormat, thinking: bool) -> None:
    """Raises ModelError if the format has no mode with thinking, or none without."""
    if thinking and not fmt.thinks:
        raise ModelError(
            f"format {fmt.name} has no thinking to open. Set the thinking budget to off, or name the model's own format with "
            f"--thinking-format."
        )
    if not thinking and not fmt.supports_off:
        low = f" {fmt.effort.variable} {fmt.effort.values[0]} is a hint to think less, not off." if fmt.effort.values else ""
        raise ModelError(
            f"format {fmt.name} has no mode without thinking.{low} Use a thinking budget of 0, which opens and at once closes "
            f"the thinking, or another --thinking-format."
        )


def after_messages(text: str, messages: Sequence[Message]) -> str:
    """What a prompt's text holds after its last message: the end of that turn, and the start of the model's own."""
    return text.rpartition(messages[-1]["content"].strip())[2] if messages else text


def is_open(fmt: ThinkingFormat, tail: str) -> bool:
    """True if the end of a prompt leaves the format's thinking open: its last opener has no closer after it.

    The beginning of a closer at the very end counts as one, because the model then writes the rest.
    """
    _, opened, rest = tail.rpartition(fmt.opener) if fmt.thinks else ("", "", "")
    begun = rest.lstrip()
    return bool(opened) and fmt.closer not in rest and not (begun and fmt.closer.startswith(begun))


def is_closed(fmt: ThinkingFormat, tail: str) -> bool:
    """True if the end of a prompt closes the format's thinking, so that an answer comes next."""
    return fmt.thinks and tail.rstrip().endswith(fmt.closer.rstrip())


def missing_opener(fmt: ThinkingFormat, tail: str) -> str:
    """What must follow the template's text to open thinking: nothing if the template has opened it.

    Raises ModelError if the template has closed thinking instead.
    """
    if is_open(fmt, tail):
        return ""
    if is_closed(fmt, tail):
        raise ModelError(
            f"the chat template closes thinking with {fmt.closer!r} although it is on in format {fmt.name}. Set the thinking "
            f"budget to off, or name another --thinking-format."
        )
    return fmt.before_opener + fmt.opener + fmt.after_opener


def missing_prefix(fmt: ThinkingFormat, tail: str) -> str:
    """What must follow the template's text to turn thinking off: what is missing of the prefix that says so.

    Raises ModelError if thinking is left open.
    """
    prefix = fmt.off_mode.prefix
    missing = _missing(tail, prefix, fmt.opener) if prefix and not is_closed(fmt, tail) else ""
    if is_open(fmt, tail + missing):
        raise ModelError(
            f"the chat template opens thinking with {fmt.opener!r} although it is off in format {fmt.name}. Use a thinking "
            f"budget of 0, or name another --thinking-format."
        )
    return missing


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
    settings: PromptSettings = _DEFAULT,
    hint: Mapping[str, Any] = NO_VARIABLES,
) -> str:
    """The prompt's text as the chat template writes it, with the format's switch set, but no opener or prefix added.

    Raises ModelError if the template leaves out the content of a message.
    """
    mode = fmt.on if thinking else fmt.off_mode
    conversation = with_system(mode, messages, settings.system_prompt)
    if settings.plain:
        return "\n\n".join(message["content"] for message in conversation)
    if tokenizer.chat_template is None:
        raise ModelError(
            "the model has no chat template, so it is a base model or its template is lost. Pass --prompt plain to ask every "
            "question as plain text, or add the template to the model's tokenizer_config.json."
        )
    # An effort may have the very variable that turns thinking on; it must not turn on what is off.
    own, asked = mode.variables, {**settings.variables, **hint}
    variables = {**own, **asked} if thinking else {**asked, **own}
    text = render_template(tokenizer, conversation, variables, date=settings.date)
    if hint and text == render_template(tokenizer, conversation, {**own, **settings.variables}, date=settings.date):
        # The template's default may be one of the efforts. Any other value must then change the prompt.
        _check_hint(tokenizer, conversation, {**own, **settings.variables}, hint, settings)
    given = {"role": "system", "content": settings.system_prompt or ""}
    for message in (given, *messages):  # the mode's own sentence is the template's to keep or to obey
        content = message["content"].strip()
        if content not in text:
            raise ModelError(
                f"the chat template leaves out the {message['role']} message {content[:40]!r}, or alters it. Leave out "
                f"--system-prompt if the template has no place for one, or correct the template."
            )
    return text


def _other_mode(
    tokenizer: ChatTokenizer,
    fmt: ThinkingFormat,
    messages: Sequence[Message],
    thinking: bool,
    settings: PromptSettings,
    hint: Mapping[str, Any],
) -> str | None:
    """The prompt in the mode that is not asked for; None if the template cannot render it, which refuses nothing."""
    try:
        return render_text(tokenizer, fmt, messages, thinking, settings, hint)
    except ModelError:
        return None


def _check_hint(
    tokenizer: ChatTokenizer,
    conversation: Sequence[Mapping[str, str]],
    variables: Mapping[str, Any],
    hint: Mapping[str, Any],
    settings: PromptSettings,
) -> None:
    """Raises ModelError if the template writes the same prompt whatever the hint says."""
    for name, value in hint.items():
        other = value + 1 if isinstance(value, int) else f"not {value}"
        try:
            changed = render_template(tokenizer, conversation, {**variables, name: other}, date=settings.date)
        except ModelError:
            continue  # it knows its values, so it reads them
        if changed == render_template(tokenizer, conversation, {**variables, **hint}, date=settings.date):
            raise ModelError(f"the chat template ignores {name} {value!r}, so the hint would change nothing. Leave it out.")


def with_system(mode: Mode, messages: Sequence[Message], system_prompt: str | None) -> list[dict[str, str]]:
    """The messages after the system message, which holds the mode's sentence and the run's or the task's own."""
    conversation = [dict(message) for message in messages]
    own = conversation.pop(0)["content"] if conversation and conversation[0]["role"] == "system" else None
    if own is not None and system_prompt is not None:
        raise ConfigError(
            f"--system-prompt is set, but the task brings its own system message ({own[:40]!r}). Leave out one of the two."
        )
    content = system_prompt if own is None else own
    if content is None and not mode.system:
        return conversation
    return [{"role": "system", "content": "\n\n".join(part for part in (mode.system, content) if part)}, *conversation]


def _encode_prompt(tokenizer: ChatTokenizer, text: str, settings: PromptSettings) -> TokenIds:
    # A chat template writes its own special tokens. Adding them again would double the begin-of-text.
    ids = tuple(tokenizer.encode(text, add_special_tokens=settings.plain))
    begin = tokenizer.bos_token_id
    if begin is not None and ids[:2] == (begin, begin):
        raise ModelError(
            f"the prompt begins with two begin-of-text tokens ({begin}), because both the chat template and the tokenizer "
            f"write one. Remove it from the template."
        )
    return ids


def _encode_after(tokenizer: ChatTokenizer, text: str, addition: str, settings: PromptSettings) -> TokenIds:
    """The ids of text, unchanged, followed by those of the addition.

    The two are encoded together if that leaves the text's ids alone: some tokenizers mark the start of a text by a blank,
    and would write one before an addition that is encoded on its own.
    """
    before = _encode_prompt(tokenizer, text, settings)
    together = _encode_prompt(tokenizer, text + addition, settings)
    if together[: len(before)] == before:
        return together
    return before + tuple(tokenizer.encode(addition, add_special_tokens=False))


def continuation_ids(tokenizer: Tokenizer, text: str) -> TokenIds:
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


def closing_ids(tokenizer: ChatTokenizer, fmt: ThinkingFormat, closing: Closing) -> TokenIds:
    """The ids that a forced end writes: the closing's two texts, and the delimiter with what opens the answer between them."""
    if not fmt.thinks:
        return ()
    delimiter = fmt.closer + fmt.answer_opener if closing.delimiter else ""
    return continuation_ids(tokenizer, closing.before + delimiter + closing.after)
