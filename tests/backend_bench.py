"""An open backend for tests, and the checkpoint it opens."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import importlib.util
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.backends import open_backend
from raml_eval.protocols import Backend, Tokenizer
from raml_eval.types import Completion, SamplingParams, TokenIds

ROOT = Path(__file__).resolve().parents[1]
POCKET = ROOT / "raml_eval" / "pocket"
GREEDY = SamplingParams(
    temperature=0.0, top_p=1.0, top_k=0, min_p=0.0, repetition_penalty=1.0, max_tokens=16, seed=0, stop_ids=()
)
Request = tuple[TokenIds, SamplingParams]


def params(**changes: Any) -> SamplingParams:
    """Greedy sampling, 16 tokens and no stops, except for the changes."""
    return dataclasses.replace(GREEDY, **changes)


@dataclass(frozen=True)
class Bench:
    """An open backend, with the event loop it runs in and its tokenizer."""

    backend: Backend
    runner: asyncio.Runner
    tokenizer: Tokenizer

    def prompt(self, text: str) -> TokenIds:
        chat = f"<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n<think>\n"
        return tuple(self.tokenizer.encode(chat, add_special_tokens=False))

    def draw(self, *requests: Request) -> list[Completion]:
        """Draws all requests at once; the answers are in the order of the requests."""

        async def together() -> list[Completion]:
            return await asyncio.gather(*(self.backend.generate(*request) for request in requests))

        return self.runner.run(together())

    def one(self, text: str, **changes: Any) -> Completion:
        return self.draw((self.prompt(text), params(**changes)))[0]

    def decode(self, ids: Sequence[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=False)


def plain_scores(model: Any, ids: Sequence[int], n_scored: int) -> tuple[float, ...]:
    """The log-probabilities of the last ids under a transformers model, from one forward pass over the ids alone."""
    import torch

    with torch.inference_mode():
        logits = model(input_ids=torch.tensor([ids[:-1]]), use_cache=False).logits[0, -n_scored:]
    return tuple(logits.float().log_softmax(-1).gather(1, torch.tensor(ids[-n_scored:])[:, None])[:, 0].tolist())


def plain_model(folder: Path) -> Any:
    """The checkpoint in float32, with transformers' own slowest attention."""
    import torch
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def collect_connections() -> None:
    """Collects now what a cancelled request leaves, so that no later test is told of it.

    httpx2 2.16 drops idle connections that have expired without closing them when the request that came upon them is cancelled.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@contextmanager
def opened(name: str, model: Path, args: Mapping[str, Any], adapter: Path | None = None) -> Iterator[Bench]:
    """The backend on the checkpoint, closed again at the end."""
    from transformers import AutoTokenizer

    with asyncio.Runner() as runner:
        backend = runner.run(open_backend(name, str(model), adapter=str(adapter) if adapter else None, args=args))
        try:
            yield Bench(backend, runner, AutoTokenizer.from_pretrained(model))
        finally:
            runner.run(backend.aclose())


def checkpoint(folder: Path) -> Path:
    """The pocket checkpoint, or one of the same shape with random weights, which is written to the folder."""
    if (POCKET / "model.safetensors").is_file():
        return POCKET
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    spec = importlib.util.spec_from_file_location("pocket_tokenizer", ROOT / "examples" / "pocket" / "tokenizer.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    tokenizer = module.build_tokenizer()
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=32, max_position_embeddings=4096, tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, initializer_range=0.3,
    )  # fmt: skip
    Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
