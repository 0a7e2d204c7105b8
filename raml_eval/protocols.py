"""What a layer asks of the one below it, where more than one thing can stand there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from raml_eval.types import BackendDescription, Completion, SamplingParams


@runtime_checkable
class Backend(Protocol):
    """An engine: token ids in, token ids out. It knows nothing of thinking, tasks or grades.

    generate may be called by many coroutines at once. It raises GenerationError for a request that failed, and never
    returns a shorter draw in its place.
    """

    description: BackendDescription

    async def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Completion: ...

    async def aclose(self) -> None: ...


class Tokenizer(Protocol):
    """The part of a transformers tokenizer that this package uses."""

    def encode(self, text: str, add_special_tokens: bool = ...) -> list[int]: ...

    def decode(self, token_ids: Sequence[int], skip_special_tokens: bool = ...) -> str: ...


class ChatTokenizer(Tokenizer, Protocol):
    """The part of a transformers tokenizer that prompts need beside encode and decode."""

    chat_template: Any  # None, one Jinja text, or several by name
    eos_token_id: int | None

    def apply_chat_template(self, conversation: list[dict[str, str]], **options: Any) -> Any: ...

    def get_added_vocab(self) -> dict[str, int]: ...
