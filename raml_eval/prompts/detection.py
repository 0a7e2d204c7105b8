"""Detects a tokenizer's thinking format: it renders a probe with each format's switch, and compares the results."""

from __future__ import annotations

import re
from pathlib import Path

from raml_eval.errors import ModelError
from raml_eval.prompts.rendering import closer_ids, render_prompt, render_text, template_source
from raml_eval.protocols import ChatTokenizer
from raml_eval.thinking_formats import FORMATS, ThinkingFormat
from raml_eval.types import TokenIds

_PROBE = ({"role": "user", "content": "What is 1 + 1?"},)
_NONE = FORMATS["none"]
# Delimiters of families that no thinking format here covers. If they were ignored, thinking would be graded as an answer.
_FOREIGN_MARK = re.compile(r"think|thought|reason|<\|channel\|>", re.IGNORECASE)


def detect_format(tokenizer: ChatTokenizer, model: str | Path) -> ThinkingFormat:
    """The tokenizer's thinking format: the one whose switch its chat template obeys, otherwise the one that its marks fit.

    The model's name only breaks a tie or raises a doubt; it never decides alone. If nothing suggests thinking, the result is
    the format none. Raises ModelError if several formats fit that would write different tokens, or if the tokenizer has the
    thinking marks of an unknown family.

    Example: detect_format(load_tokenizer(find_checkpoint("pocket")), "pocket").name == "qwen3"
    """
    fits = _fitting(tokenizer, Path(model).name.lower())
    if len({_behaviour(tokenizer, fmt) for fmt in fits}) > 1:
        names = [fmt.name for fmt in fits]
        raise ModelError(
            f"the thinking format of {model} is ambiguous: {' and '.join(names)} fit its tokenizer and write different "
            f"tokens. Name one, for example --thinking-format {names[0]}."
        )
    return fits[0]


def _fitting(tokenizer: ChatTokenizer, name: str) -> list[ThinkingFormat]:
    """All thinking formats that fit, the likeliest first; never empty."""
    source, added = template_source(tokenizer), tokenizer.get_added_vocab()
    if "</think>" in source or "</think>" in added:
        switched = [fmt for fmt in FORMATS.values() if fmt.switched_in_template and _obeys_switch(tokenizer, fmt)]
        return switched or _without_switch(tokenizer, name, source)
    if re.match(r"s1(\.\d)?-\d+b", name) and "<|im_start|>" in added:
        return [FORMATS["s1"], _NONE]
    if re.search(r"(?<![a-z])raml(?![a-z])", name):
        return [FORMATS["raml"], _NONE]
    foreign = sorted(token for token in added if _FOREIGN_MARK.search(token))
    if foreign:
        raise ModelError(
            f"the tokenizer has the thinking marks {', '.join(foreign[:4])}, which no known thinking format uses. Say "
            f"--thinking-format none to take everything it writes as its answer, or one of {', '.join(FORMATS)}."
        )
    return [_NONE]


def _without_switch(tokenizer: ChatTokenizer, name: str, source: str) -> list[ThinkingFormat]:
    """The formats that fit a tokenizer with <think> marks whose template has no switch."""
    if "<｜Assistant｜>" in tokenizer.get_added_vocab():
        family = FORMATS["deepseek-r1"]
    else:
        family = FORMATS["nemotron" if "nemotron" in name else "qwq"]
    opened = _tail(tokenizer, _NONE, thinking=False).rstrip().endswith("<think>")
    # Some templates drop old thinking but do not open new thinking. That alone does not identify a ChatML model.
    named = family.name in name or (family.name != "qwq" and "</think>" in source)
    return [family] if opened or named else [family, _NONE]


def _obeys_switch(tokenizer: ChatTokenizer, fmt: ThinkingFormat) -> bool:
    """True if the prompt after the question, where thinking is opened or skipped, changes with the format's switch."""
    return _tail(tokenizer, fmt, thinking=True) != _tail(tokenizer, fmt, thinking=False)


def _tail(tokenizer: ChatTokenizer, fmt: ThinkingFormat, thinking: bool) -> str:
    """What the template writes after the question; empty if it cannot render the probe."""
    try:
        return render_text(tokenizer, fmt, _PROBE, thinking).rpartition(_PROBE[0]["content"])[2]
    except ModelError:
        return ""


def _behaviour(tokenizer: ChatTokenizer, fmt: ThinkingFormat) -> tuple[TokenIds | None, TokenIds | None, TokenIds]:
    """The probe's ids with thinking and without (None if there is no such mode), and the ids of the end delimiter."""
    return _probe_ids(tokenizer, fmt, True), _probe_ids(tokenizer, fmt, False), closer_ids(tokenizer, fmt)


def _probe_ids(tokenizer: ChatTokenizer, fmt: ThinkingFormat, thinking: bool) -> TokenIds | None:
    try:
        return render_prompt(tokenizer, fmt, _PROBE, thinking)
    except ModelError:
        return None
