"""Attention for decoding with grouped heads: keys and values are read once per group and never copied."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional
from transformers import AttentionInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "raml_eval_grouped"


def grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """The result of transformers' sdpa attention. query is (rows, heads, columns, size); key and value have fewer heads.

    If there is a mask, transformers repeats keys and values for each head of a group. With one new column per row, that copy
    costs as much as the attention itself. In that case, the heads of a group can be the columns of one query instead.
    """
    rows, heads, columns, size = query.shape
    kv_heads = key.shape[1]
    if columns > 1 or heads == kv_heads or kwargs.get("position_bias") is not None:
        out, _ = sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
        return out, None
    query = query.reshape(rows, kv_heads, heads // kv_heads, size)
    out = functional.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask, scale=scaling)
    return out.reshape(rows, 1, heads, value.shape[-1]), None


AttentionInterface.register(NAME, grouped_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
