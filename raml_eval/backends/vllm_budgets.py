"""vLLM's own thinking budget: the delimiters it is given, and what it counts in a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raml_eval.errors import ConfigError, GenerationError


def reasoning_config(given: Any) -> Any:
    """vLLM's settings of the delimiters. ConfigError unless they are a start and a plain end delimiter."""
    from vllm.config import ReasoningConfig

    names = ("reasoning_start_str", "reasoning_end_str")
    if not isinstance(given, Mapping) or set(given) != set(names):
        raise ConfigError(f"the engine argument reasoning_config is {given!r}; it must hold {' and '.join(names)}. Give both.")
    start, end = (given[name] for name in names)
    if not (isinstance(start, str) and isinstance(end, str) and start.strip() and end.split() == [end]):
        raise ConfigError(
            f"reasoning_config holds {start!r} and {end!r}; the second must be the end delimiter alone, such as '</think>'. "
            "With any other text vLLM misses an end that the model writes itself, and forces another into its answer. Leave "
            "reasoning_config out."
        )
    return ReasoningConfig(**given)


def count_open(prompt_ids: Sequence[int], reasoning: Any) -> int:
    """The number of the prompt's tokens after its last start delimiter. GenerationError if no thinking is open there."""
    start, end = reasoning.reasoning_start_token_ids, reasoning.reasoning_end_token_ids
    ids = list(prompt_ids)
    opened = next((i + len(start) for i in reversed(range(len(ids))) if ids[i : i + len(start)] == start), None)
    if opened is None or any(ids[i : i + len(end)] == end for i in range(opened, len(ids))):
        raise GenerationError("the prompt has no open thinking, so vLLM would cap nothing. Draw it without a native budget.")
    return len(ids) - opened
