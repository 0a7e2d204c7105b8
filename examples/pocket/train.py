"""Trains the pocket checkpoint: a 0.8 M-parameter Qwen3 that adds and subtracts, one step per line.

`python train.py --out DIR` writes a folder that transformers and vLLM load. A run is reproducible from its seed on one
machine and torch version. README.md beside this file has the commands that made the shipped checkpoint.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from pathlib import Path

import problems
import torch
from tokenizer import build_tokenizer
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen3Config, Qwen3ForCausalLM

BATCH = 96
POOL = 16  # batches that are drawn together and sorted by length, so that little padding is computed
CUT_RATE = 0.25
OFF_RATE = 0.06


Segment = tuple[str, bool]  # a text, and whether the model learns to write it


def render(problem: problems.Problem, rng: random.Random) -> list[Segment]:
    """The segments of one example. A quarter have their thinking cut and closed by force; a few have no thinking.

    The model never learns to write a forced end: it would begin to close its thinking at random.
    """
    prompt = f"<|im_start|>user\n{problem.question}<|im_end|>\n<|im_start|>assistant\n<think>\n"
    thinking = "".join(f"{line}\n" for line in problem.lines)
    answer = f"\n\n\\boxed{{{problem.answer}}}<|im_end|>"
    if rng.random() < OFF_RATE:
        return [(f"{prompt}\n</think>\n\n", False), (answer.lstrip("\n"), True)]
    if rng.random() < CUT_RATE:
        ends = [0] + [i + 1 for i, char in enumerate(thinking) if char == "\n"]
        cut = rng.choice(ends) if rng.random() < 0.5 else rng.randrange(len(thinking))
        return [(prompt, False), (thinking[:cut], True), ("</think>", False), (answer, True)]
    return [(prompt, False), (f"{thinking}</think>{answer}", True)]


Example = tuple[list[int], list[int]]  # ids, and labels, which are IGNORED if nothing is to be learned there
IGNORED = -100


def encode(tok: PreTrainedTokenizerFast, segments: list[Segment]) -> Example:
    """Ids and labels of one example, of equal length."""
    ids: list[int] = []
    labels: list[int] = []
    for text, learned in segments:
        piece = tok.encode(text)
        ids += piece
        labels += piece if learned else [IGNORED] * len(piece)
    return ids, labels


def draw_pool(
    tok: PreTrainedTokenizerFast, rng: random.Random, banned: frozenset[str], slip_rate: float
) -> list[list[Example]]:
    """POOL batches of examples, similar lengths together, in random order."""
    examples: list[Example] = []
    while len(examples) < BATCH * POOL:
        problem = problems.draw_training(rng, slip_rate)
        if problem.question not in banned:
            examples.append(encode(tok, render(problem, rng)))
    examples.sort(key=lambda example: len(example[0]))
    batches = [examples[i : i + BATCH] for i in range(0, len(examples), BATCH)]
    rng.shuffle(batches)
    return batches


def tensors(batch: list[Example], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids (B, T) padded on the right, and labels (B, T) that are IGNORED on the padding too."""
    width = max(len(ids) for ids, _ in batch)
    ids = torch.tensor([row + [pad] * (width - len(row)) for row, _ in batch])
    labels = torch.tensor([row + [IGNORED] * (width - len(row)) for _, row in batch])
    return ids, labels


def build_model(tok: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    """The untrained network: 4 layers, width 128, tied embeddings, 16,384 positions."""
    config = Qwen3Config(
        vocab_size=len(tok),
        hidden_size=128,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        max_position_embeddings=16_384,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tok.eos_token_id,
        pad_token_id=tok.pad_token_id,
    )
    return Qwen3ForCausalLM(config)


def train(options: argparse.Namespace) -> None:
    """The checkpoint is trained for the given steps, from the start or from another checkpoint, and written in bfloat16."""
    steps, seed = options.steps, options.seed
    torch.manual_seed(seed)
    torch.set_flush_denormal(True)  # denormal numbers make some processors ten times slower
    rng = random.Random(seed)
    tok, banned = build_tokenizer(), problems.held_out()
    model = build_model(tok) if options.init is None else Qwen3ForCausalLM.from_pretrained(options.init, dtype=torch.float32)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.peak_lr, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda s: min(1.0, (s + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * s / options.decay_steps)))
    )
    pool: list[list[Example]] = []
    started = time.monotonic()
    for step in range(1, steps + 1):
        if not pool:
            pool = draw_pool(tok, rng, banned, options.slip_rate)
        ids, labels = tensors(pool.pop(), int(tok.pad_token_id))
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if step % 50 == 0:
            print(f"step {step}/{steps} loss {loss.item():.4f} {(time.monotonic() - started) / step:.2f} s/step", flush=True)
        if step % options.save_every == 0 or step == steps:
            save(model, tok, options.out)


def save(model: Qwen3ForCausalLM, tok: PreTrainedTokenizerFast, out: Path) -> None:
    """The folder out holds weights in bfloat16, the tokenizer with its chat template, and the generation defaults."""
    weights = {name: tensor.to(torch.bfloat16) for name, tensor in model.state_dict().items()}
    copy = build_model(tok).to(torch.bfloat16)
    copy.load_state_dict(weights)
    copy.tie_weights()
    copy.generation_config = GenerationConfig(
        do_sample=True, temperature=1.0, eos_token_id=[tok.eos_token_id, tok.pad_token_id], pad_token_id=tok.pad_token_id
    )
    copy.save_pretrained(out)
    tok.save_pretrained(out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--decay-steps", type=int, default=2500, help="length of the cosine; may be longer than --steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save-every", type=int, default=500)
    parser.add_argument("--peak-lr", type=float, default=2e-3)
    parser.add_argument("--slip-rate", type=float, default=0.08, help="share of the steps that are wrong and then corrected")
    parser.add_argument("--init", type=Path, help="checkpoint to continue from; a new network if not given")
    train(parser.parse_args())
