"""Prompts as token ids: a checkpoint's tokenizer, its thinking format, and questions rendered with both."""

from __future__ import annotations

from raml_eval.prompts.detection import detect_format
from raml_eval.prompts.rendering import (
    chat_template_digest,
    closer_ids,
    closing_ids,
    continuation_ids,
    render_prompt,
)
from raml_eval.prompts.tokenizer import end_of_text_ids, load_tokenizer

__all__ = [
    "chat_template_digest",
    "closer_ids",
    "closing_ids",
    "continuation_ids",
    "detect_format",
    "end_of_text_ids",
    "load_tokenizer",
    "render_prompt",
]
