"""Prompts as token ids: a checkpoint's tokenizer, its reasoning format, and questions rendered for it."""

from __future__ import annotations

from raml_eval.prompts.detection import detect_format
from raml_eval.prompts.rendering import (
    Prompts,
    chat_template_digest,
    closer_ids,
    closing_ids,
    continuation_ids,
    is_single_token,
    render_prompt,
)
from raml_eval.prompts.tokenizer import end_of_text_ids, load_tokenizer

__all__ = [
    "Prompts",
    "chat_template_digest",
    "closer_ids",
    "closing_ids",
    "continuation_ids",
    "detect_format",
    "end_of_text_ids",
    "is_single_token",
    "load_tokenizer",
    "render_prompt",
]
