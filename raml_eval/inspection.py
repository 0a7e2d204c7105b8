"""What a run would make of a model's prompts: its thinking format with the evidence, and the prompts on and off."""

from __future__ import annotations

from collections.abc import Iterator

from raml_eval import prompts
from raml_eval.checkpoint import find_checkpoint
from raml_eval.errors import ModelError
from raml_eval.protocols import ChatTokenizer
from raml_eval.thinking_formats import ThinkingFormat, find_format, known_formats
from raml_eval.types import TokenIds
from raml_eval.wording import count_noun

QUESTION = ({"role": "user", "content": "What is 1+1?"},)


def inspect_format(
    model: str, revision: str | None = None, named: str | None = None, system_prompt: str | None = None
) -> Iterator[str]:
    """The lines that `raml-eval formats detect` prints: format, evidence, ends of a turn, delimiters, rendered prompts.

    Raises ModelError as a run with this model would, after the lines that show why.
    """
    checkpoint = find_checkpoint(model, revision)
    tokenizer = prompts.load_tokenizer(checkpoint)
    prompts.check_template(tokenizer, checkpoint.source)
    try:
        if named is None:
            detection = prompts.detect_format(tokenizer, checkpoint.source)
        else:
            detection = prompts.check_format(find_format(named), tokenizer, checkpoint.source)
    except ModelError:
        yield from _unknown(tokenizer)
        raise
    fmt = detection.format
    if detection.uncertain:
        named_only = ", ".join(one.name for one in known_formats().values() if one.by_name_only)
        yield f"note         if it thinks, name its format; templates never show {named_only}"
    settings = prompts.PromptSettings(system_prompt, asked_for=detection.asked_for, starts=detection.starts)
    yield f"format       {fmt.name}: {fmt.about}"
    yield from (f"evidence     {proof}" for proof in detection.proofs)
    for one, sources in prompts.end_of_turn(tokenizer, checkpoint, fmt).items():
        yield f"end of turn  {tokenizer.decode([one])!r} ({one}), from {', '.join(sources)}"
    if fmt.thinks:
        ids = prompts.closer_ids(tokenizer, fmt)
        yield f"closer       {fmt.closer!r}, {count_noun(len(ids), 'token')}: {list(ids)}"
        closings = ", ".join(fmt.closings) or "none of its own"
        yield f"closings     {closings}"
    if fmt.effort.values:
        yield f"effort       {fmt.effort.variable}: {', '.join(fmt.effort.values)} (hints, and none of them is off)"
    if prompts.prints_date(tokenizer):
        yield "date         the template prints today's date; --prompt-date fixes it"
    for thinking in (True, False):
        yield ""
        yield f"--- thinking {'on' if thinking else 'off'}"
        yield _shown(tokenizer, fmt, thinking, settings)


def _unknown(tokenizer: ChatTokenizer) -> Iterator[str]:
    """What there is to see of a model whose format cannot be told: signs of thinking, and the template's prompt."""
    evidence = prompts.gather_evidence(tokenizer)
    yield from (f"sign         {sign}" for sign in evidence.signs())
    if tokenizer.chat_template:
        yield "\n--- the template's own prompt"
        yield prompts.render_template(tokenizer, QUESTION) + "▮\n"


def _shown(tokenizer: ChatTokenizer, fmt: ThinkingFormat, thinking: bool, settings: prompts.PromptSettings) -> str:
    """The prompt as text, with a mark at its end; or why there is none."""
    try:
        ids: TokenIds = prompts.render_prompt(tokenizer, fmt, QUESTION, thinking, settings)
    except ModelError as error:
        return f"(none: {error})"
    return tokenizer.decode(ids, skip_special_tokens=False) + "▮"
