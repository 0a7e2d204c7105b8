"""A scripted engine, which keeps the backend contract without a model. Tests and --dry-run use it."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from raml_eval.backends.alike import check_alike
from raml_eval.backends.requests import check_request, check_scoring, completes_stop
from raml_eval.checkpoint import Checkpoint
from raml_eval.codec import codec_of, load_library_tokenizer
from raml_eval.errors import ConfigError, GenerationError, near_names
from raml_eval.protocols import PositionScores, Tokenizer
from raml_eval.types import BackendDescription, Completion, Finish, SamplingParams, TokenIds

# What the model would write, token by token, if nothing stopped it. If the script raises, the request fails.
Script = Callable[[TokenIds, SamplingParams], Iterable[int]]
# The log-probability of a token after the ids that stand before it.
Curve = Callable[[TokenIds, int], float]


def falling_curve(before_ids: TokenIds, token_id: int) -> float:
    """A log-probability that rises towards 0 with the number of tokens before: -(1 + token_id % 8) over that number, in nats.

    Example: falling_curve((5, 5, 5, 5), 9) == -0.5
    """
    return -(1 + token_id % 8) / len(before_ids)


class FakeBackend:
    """A backend that writes what its script says, and applies stops, limits and errors as an engine does.

    The script receives the prompt's ids and the sampling, and yields ids for as long as it is asked. If it runs out before
    the request is complete, the request fails. tokenizer is only used for stop strings. Each draw waits latency_s first.
    curve is what score_at returns.
    """

    def __init__(
        self,
        script: Script,
        *,
        tokenizer: Tokenizer | None = None,
        context: int = 16_384,
        reproducible: bool = True,
        latency_s: float = 0.0,
        checkpoint: Checkpoint | None = None,
        curve: Curve = falling_curve,
    ) -> None:
        self.description = BackendDescription("fake", "1", "none", "none", context, reproducible)
        self.checkpoint = checkpoint
        self._script, self._curve = script, curve
        self._tokenizer = tokenizer
        self._latency_s = latency_s
        self._closed = False
        self.swapped: Mapping[str, str] = {}

    async def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        """The script's ids up to the first stop or max_tokens. GenerationError if it raised, ran out, or cannot fit."""
        check_request(prompt_ids, params, context=self.description.context)
        await asyncio.sleep(self._latency_s)
        if self._closed:
            raise GenerationError("the fake backend is closed. Open a new one.")
        try:
            return self._draw(tuple(prompt_ids), params)
        except GenerationError:
            raise
        except Exception as error:
            raise GenerationError(f"the script of the fake backend failed: {error!r}") from error

    async def score_at(
        self, token_ids: Sequence[int], positions: Sequence[int], continuation_ids: Sequence[int], n_scored: int
    ) -> PositionScores:
        """The curve's values. n_forwarded is what an engine computes that keeps the sequence: it, and every continuation."""
        check_scoring(token_ids, positions, continuation_ids, n_scored, context=self.description.context)
        await asyncio.sleep(self._latency_s)
        if self._closed:
            raise GenerationError("the fake backend is closed. Open a new one.")
        rows = []
        for position in positions:
            ids = (*token_ids[:position], *continuation_ids)
            rows.append(tuple(self._curve(ids[:n], ids[n]) for n in range(len(ids) - n_scored, len(ids))))
        return PositionScores(tuple(rows), positions[-1] + len(positions) * len(continuation_ids))

    async def swap_weights(self, checkpoint: Checkpoint) -> None:
        """A fake of the other model, which must be like this one; neither has weights. SwapRefused if it is not."""
        if self.checkpoint is not None:
            check_alike(self.checkpoint, checkpoint)
        self.checkpoint = checkpoint
        self.swapped = {"weights": "not compared: the fake backend has none"}

    async def aclose(self) -> None:
        """Every later request fails."""
        self._closed = True

    def _draw(self, prompt_ids: TokenIds, params: SamplingParams) -> Completion:
        drawn: list[int] = []
        stops, strings, most = frozenset(params.stop_ids), params.stop_strings, params.max_tokens
        for token_id in self._script(prompt_ids, params):
            drawn.append(token_id)
            if token_id in stops or (strings and self._completes_stop(prompt_ids, drawn, params)):
                return Completion(tuple(drawn), Finish.STOP)
            if len(drawn) == most:
                return Completion(tuple(drawn), Finish.LENGTH)
        raise GenerationError(
            f"the script ran out after {len(drawn)} tokens, before a stop and before max_tokens ({params.max_tokens}). "
            "Let it yield a stop id, or yield without end."
        )

    def _completes_stop(self, prompt_ids: TokenIds, drawn: list[int], params: SamplingParams) -> bool:
        if self._tokenizer is None:
            raise GenerationError("stop strings need a tokenizer. Pass tokenizer= to FakeBackend.")
        return completes_stop(self._tokenizer, prompt_ids, drawn, params.stop_strings)


def thinking_script(
    tokenizer: Tokenizer, eos_id: int, *, opener: str = "<think>", closer: str = "</think>", opens: bool = True
) -> Script:
    """A script that thinks in lines of sums, closes its thinking, answers in a box and ends its turn.

    It continues from wherever the prompt stops: nothing opened, an open thinking (cut anywhere), or a closed one. Its text
    depends on the prompt and the seed; at temperature 0, on the prompt alone. If opens is false, it answers at once where
    nothing is opened.
    """

    def write(prompt_ids: TokenIds, params: SamplingParams) -> Iterator[int]:
        seed = params.seed if params.temperature > 0 else None
        rng = random.Random(hashlib.sha256(repr((seed, prompt_ids)).encode()).digest())
        prompt = tokenizer.decode(prompt_ids, skip_special_tokens=False)
        opened, closed = prompt.rfind(opener), prompt.rfind(closer)
        text = ""
        if closed <= opened and (opens or opened >= 0):
            text = ("" if opened >= 0 else f"{opener}\n") + "".join(_lines(rng)) + f"{closer}\n\n"
        yield from tokenizer.encode(f"{text}\\boxed{{{rng.randrange(100)}}}", add_special_tokens=False)
        yield from itertools.repeat(eos_id)

    return write


def _lines(rng: random.Random) -> Iterator[str]:
    for _ in range(rng.randint(0, 12)):
        a, b = rng.randint(1, 49), rng.randint(1, 49)
        yield f"{a}+{b}={a + b}\n"


async def open_engine(checkpoint: Checkpoint, *, args: Mapping[str, Any]) -> FakeBackend:
    """A fake of the model: its tokenizer, its end of turn and thinking_script. No weights are read."""
    known: dict[str, tuple[type, ...]] = {"context": (int,), "latency_s": (int, float)}
    for name, value in args.items():
        if name not in known:
            raise ConfigError(f"the fake backend has no argument {name!r}; it takes {tuple(known)}.{near_names(name, known)}")
        if type(value) not in known[name] or value < 0:
            raise ConfigError(f"{name} of the fake backend is {value!r}, wanted a number of 0 or more. Pass one.")
    tokenizer = await asyncio.to_thread(load_library_tokenizer, checkpoint.tokenizer_folder)
    codec = codec_of(tokenizer)
    script = thinking_script(codec, tokenizer.eos_token_id, opens=False)
    return FakeBackend(script, tokenizer=codec, checkpoint=checkpoint, **args)
