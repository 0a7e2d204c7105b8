"""Prompts as token ids: a checkpoint's tokenizer, its thinking format, and questions rendered with both."""

from __future__ import annotations

from raml_eval.prompts.detection import Detection, check_format, detect_format, resumed_turn
from raml_eval.prompts.evidence import gather_evidence
from raml_eval.prompts.rendering import (
    PromptSettings,
    closer_ids,
    closing_ids,
    continuation_ids,
    render_prompt,
)
from raml_eval.prompts.template import chat_template_digest, check_template, prints_date, render_template
from raml_eval.prompts.tokenizer import end_of_turn, load_tokenizer

__all__ = [
    "Detection",
    "PromptSettings",
    "chat_template_digest",
    "check_format",
    "check_template",
    "closer_ids",
    "closing_ids",
    "continuation_ids",
    "detect_format",
    "end_of_turn",
    "gather_evidence",
    "load_tokenizer",
    "prints_date",
    "render_prompt",
    "render_template",
    "resumed_turn",
]
