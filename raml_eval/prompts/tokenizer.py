"""A checkpoint's tokenizer, checked on a few texts, and the ids that end its turn."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import cast

from raml_eval.checkpoint import Checkpoint, first_line
from raml_eval.codec import load_library_tokenizer
from raml_eval.errors import ModelError
from raml_eval.prompts.template import render_template
from raml_eval.protocols import ChatTokenizer
from raml_eval.thinking_formats import ThinkingFormat

# torch, which transformers imports, reads these once, at its import. An engine in this process would set them too late.
_QUIET_TORCH = {"TORCH_CPP_LOG_LEVEL": "ERROR", "TORCH_LOGS": "-torch._library.triton"}
# Blanks, line breaks, digits and LaTeX, which every question holds.
_ROUND_TRIPS = ("What is 1+1?", "one two  three", "if x > 0:\n    return \\frac{1}{2}\n\nEnd.")


def load_tokenizer(checkpoint: Checkpoint) -> ChatTokenizer:
    """The tokenizer of a checkpoint. No code from the checkpoint is run.

    Raises ModelError if it has no usable tokenizer, or if the one that it has does not give back the texts it is given.
    """
    folder = checkpoint.tokenizer_folder
    for name, value in _QUIET_TORCH.items():
        os.environ.setdefault(name, value)
    try:
        tokenizer = load_library_tokenizer(folder)
    except Exception as error:  # a broken folder raises many types: OSError, ValueError, KeyError, a Rust error
        tekken = " It has tekken.json, which is another library's file." if (folder / "tekken.json").is_file() else ""
        raise ModelError(
            f"model {checkpoint.source} has no usable tokenizer in {folder} ({type(error).__name__}: {first_line(error)})."
            f"{tekken} Give a model folder with tokenizer.json, or with another tokenizer that needs no code from the model."
        ) from error
    found = cast(ChatTokenizer, tokenizer)
    check_round_trip(found, checkpoint.source)
    return found


def check_round_trip(tokenizer: ChatTokenizer, source: str) -> None:
    """Raises ModelError if encoding and decoding a text alters it, so that no question would be asked as it is written.

    One blank before the text may come or go, because some vocabularies mark the start of a text by it.
    """
    for text in _ROUND_TRIPS:
        back = tokenizer.decode(tokenizer.encode(text, add_special_tokens=False), skip_special_tokens=False)
        if back.removeprefix(" ") != text:
            raise ModelError(
                f"the tokenizer of {source} turns {text!r} into {back!r}, so no question can be asked as it is written. Check "
                f"tokenizer_class in its tokenizer_config.json, or try another version of transformers."
            )


def end_of_turn(tokenizer: ChatTokenizer, checkpoint: Checkpoint, fmt: ThinkingFormat | None = None) -> dict[int, list[str]]:
    """The ids that end the model's turn, in order, each with the places that say so.

    They are those of the tokenizer, of generation_config.json and of config.json, the token that the chat template writes
    after an assistant's turn, and the thinking format's own. Engines differ in which of these they obey, so all of them are
    given the union. Raises ModelError if there is none: every sample would then run to its token limit.
    """
    found: dict[int, list[str]] = {}

    def add(ids: set[int], source: str) -> None:
        for one in ids:
            found.setdefault(one, []).append(source)

    add(_ids(tokenizer.eos_token_id), "tokenizer")
    for name in ("generation_config.json", "config.json"):
        content = checkpoint.read_json(name)
        text_part = content.get("text_config")  # models that also see images keep their language part here
        add(_ids(content.get("eos_token_id")), name)
        add(_ids(text_part.get("eos_token_id")) if isinstance(text_part, dict) else set(), name)
    add(_ids(_written_after_turn(tokenizer)), "chat template")
    vocabulary = tokenizer.get_added_vocab()
    for text in fmt.end_of_turn if fmt else ():
        if text not in vocabulary:
            raise ModelError(
                f"thinking format {fmt.name if fmt else ''} says that {text!r} ends a turn, but {checkpoint.source} has no "
                f"such token. Leave it out of end_of_turn, or name the token of this model."
            )
        add({vocabulary[text]}, "thinking format")
    if fmt and fmt.thinks and vocabulary.get(fmt.closer) in found:
        raise ModelError(
            f"thinking format {fmt.name} ends thinking with {fmt.closer!r}, which ends the whole turn of {checkpoint.source}. "
            f"Correct closer, or name another --thinking-format."
        )
    if not found:
        config = checkpoint.folder / "config.json"
        raise ModelError(f"model {checkpoint.source} names no end-of-text token. Set eos_token_id in {config}.")
    return dict(sorted(found.items()))


def _written_after_turn(tokenizer: ChatTokenizer) -> int | None:
    """The id of the token that the chat template writes after an assistant's turn; None if it writes no single token there."""
    if not tokenizer.chat_template:
        return None
    answer = "The sum is two."
    turns = [
        {"role": "user", "content": "What is 1+1?"},
        {"role": "assistant", "content": answer},
        {"role": "user", "content": "And 2+2?"},
    ]
    try:
        text = render_template(tokenizer, turns, generation_prompt=False)
    except ModelError:
        return None
    after = text.partition(answer)[2].lstrip()
    vocabulary: Mapping[str, int] = tokenizer.get_added_vocab()
    starts = [token for token in vocabulary if after.startswith(token)]
    return vocabulary[max(starts, key=len)] if starts else None


def _ids(value: object) -> set[int]:
    values = value if isinstance(value, list) else [value]
    return {one for one in values if isinstance(one, int)}
