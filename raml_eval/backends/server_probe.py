"""What a completion server is and what it honours, found out by tiny requests before anything is drawn for a question.

A server may ignore a field that it does not know, without a word. So a field counts as honoured only if it is seen to have
its effect: the narrowest filter makes a hot draw greedy, a stop id stops, a seed repeats, a strong penalty changes the text.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from raml_eval.backends.server_pool import Server
from raml_eval.backends.server_requests import SPELLINGS, Dialect, only_choice, request_body
from raml_eval.endpoint import BadReply, EndpointRefused, RequestFailed, Unanswered, next_pause
from raml_eval.errors import ConfigError, near_names
from raml_eval.protocols import Tokenizer
from raml_eval.types import SamplingParams

T = TypeVar("T")
PROBE = "Question: what is 12 + 30?\nAnswer: 42. Now count: 1 2 3"
_N = 12  # tokens of a probe
TRIES = 3
_UNREADABLE = (200, 500)  # a server may answer so, with garbage or an error, to a form of request that it cannot read
_HOT = 2.0
_TOLERANCE = 0.1  # nats, between two servers' log-probabilities of a first token: kernels differ by less, models by more
_GREEDY = SamplingParams(
    temperature=0.0, top_p=1.0, top_k=0, min_p=0.0, repetition_penalty=1.0, max_tokens=_N, seed=1, stop_ids=()
)
_SEEDS = (2**62 + 1, 2**62 + 1, 2**62 + 2)  # as large as those of a run
_KEPT: Sequence[str] = ("served_model", "token_ids", "honoured")  # of the details of a description: the same to the end
_NARROWEST: Mapping[str, Any] = {"top_k": 1, "top_p": 1e-6, "min_p": 1.0}


@dataclasses.dataclass(frozen=True, slots=True)
class Identity:
    """What a server says about itself: the model's name there, whose it is (such as vllm), its version, its context in tokens.

    What is empty says nothing: a server need not tell its version, a gateway may answer for it where it is asked for, and
    one that still loads may not know its context.
    """

    model: str
    owner: str
    version: str
    context: int | None

    @property
    def software(self) -> str:
        """Such as "vllm 0.32.0"."""
        return " ".join(filter(None, (self.owner, self.version))) or "unknown"

    def __str__(self) -> str:
        return f"{self.model} ({self.software}, context {self.context})"

    def agrees(self, other: Identity) -> bool:
        """Nothing that both tell differs."""
        pairs = ((self.owner, other.owner), (self.version, other.version), (self.context, other.context))
        return self.model == other.model and all(one == two for one, two in pairs if one and two)


@dataclasses.dataclass(frozen=True, slots=True)
class Drawn:
    """One probe's draw. drawn compares draws: ids where the server returns them, otherwise the text."""

    text: str
    ids: list[int] | None
    prompt_ids: list[int] | None
    n_prompt: int | None
    finish: str
    first_logprob: float | None
    named: str | None
    n_drawn: int | None

    @property
    def drawn(self) -> Any:
        return self.text if self.ids is None else self.ids


async def identify(server: Server, served_model: str | None, timeout_s: float = 30.0, tries: int = 1) -> Identity:
    """Who the server says it is. Raises what Connection.ask does; EndpointRefused also if it serves another model, or several
    and none is named. tries are those for its version, which a server need not tell.
    """

    def read_models(reply: Any) -> list[dict[str, Any]]:
        return [dict(entry) for entry in reply["data"] if isinstance(entry["id"], str)]

    redact = server.connection.redact
    entries = await server.connection.ask("GET", f"{server.address}/models", read_models, timeout_s=timeout_s)
    names = {redact(entry["id"]): entry for entry in entries}
    if not names:
        raise Unanswered(f"{server.address} serves no model yet", status=200)
    if served_model is None and len(names) != 1:
        told = f"{', '.join(names)}. Name one with --backend-arg served_model=NAME"
        raise EndpointRefused(f"{server.address} serves {len(names)} models: {told}.")
    name = served_model or next(iter(names))
    if name not in names:
        near = near_names(name, names)
        raise EndpointRefused(f"{server.address} does not serve {name!r}, but {', '.join(names)}.{near}")
    entry = names[name]
    meta = entry.get("meta") if isinstance(entry.get("meta"), dict) else {}
    context = next((n for n in (entry.get("max_model_len"), (meta or {}).get("n_ctx")) if type(n) is int and n > 0), None)
    owner = entry.get("owned_by")
    version = await _version(server, timeout_s, tries)
    return Identity(name, redact(owner) if isinstance(owner, str) else "", redact(version), context)


async def _version(server: Server, timeout_s: float, tries: int) -> str:
    """What the server gives as its version at /version, as vLLM does; empty if it gives none. Unanswered without a reply."""
    address = f"{server.address.removesuffix('/v1')}/version"

    def ask() -> Awaitable[Any]:
        return server.connection.ask("GET", address, lambda reply: reply["version"], timeout_s=timeout_s)

    try:
        said = await _try(server, ask, tries)
    except (RequestFailed, EndpointRefused):
        return ""
    except Unanswered as error:
        if error.status is None:
            raise
        return ""
    return said if isinstance(said, str) else ""


async def _try(server: Server, ask: Callable[[], Awaitable[T]], tries: int) -> T:
    """What is asked for, after pauses where it stays unanswered. Raises the last Unanswered."""
    for attempt in range(tries - 1):
        try:
            return await ask()
        except Unanswered as error:
            pause_s = next_pause(attempt, 1.0, error.asked_s)
            server.connection.tell_pause(server.address, error, pause_s)
            await asyncio.sleep(pause_s)
    return await ask()


class Probe:
    """Tiny requests to one server, of which the tokenizer should be the model's."""

    def __init__(self, server: Server, model: str, tokenizer: Tokenizer, source: str) -> None:
        self._server, self._model, self._tokenizer, self._source = server, model, tokenizer, source
        self._ids = tokenizer.encode(PROBE, add_special_tokens=False)

    async def find_dialect(self) -> tuple[Dialect, float | None]:
        """How the server is asked, and the log-probability of its first greedy token, None if it does not tell.

        ConfigError if its tokenizer is another one, or if it refuses a request that every field of the sampling is in.
        Unanswered if it gives no answer in several tries.
        """
        try:
            return await self._find_dialect()
        except RequestFailed as error:
            raise ConfigError(f"{error}. Mend the server, or give another.") from None

    async def _find_dialect(self) -> tuple[Dialect, float | None]:
        dialect, greedy = await self._first_draw()
        where = f"the server at {self._server.address}"
        advice = f"Give the model that it serves with --model (now {self._source})."
        if dialect.ids_out and self._tokenizer.decode(greedy.ids or [], skip_special_tokens=False) != greedy.text:
            raise ConfigError(f"{where} drew {greedy.text!r}, which this tokenizer reads otherwise from its ids. {advice}")
        if dialect.ids_in:
            await self._check_tokenizer(dialect, where, advice)
        else:
            dialect = await self._check_count(dialect, greedy, where, advice)
        honoured = await self._try_fields(dialect, greedy)
        spelled = {name: honoured.get(name, names[0]) for name, names in SPELLINGS.items()}
        return dataclasses.replace(dialect, spelled=spelled, honoured=frozenset(honoured)), greedy.first_logprob

    async def _first_draw(self, again: bool = True) -> tuple[Dialect, Drawn]:
        """The richest dialect that the server understands, with its greedy draw in it.

        Where a richer one only failed, and a poorer one is understood, all are tried again: the failure may have passed.
        """
        refusal: Unanswered | RequestFailed | None = None
        for dialect in (Dialect(), Dialect(ids_in=False, ids_out=False), Dialect(False, False, extended=False)):
            try:
                drawn = await self._draw(dialect, _GREEDY, logprobs=1)
            except (Unanswered, RequestFailed) as error:
                if isinstance(error, Unanswered) and error.status not in _UNREADABLE:
                    raise
                refusal = refusal or error
                continue
            if isinstance(refusal, Unanswered) and again:
                return await self._first_draw(again=False)
            if drawn.prompt_ids is not None and drawn.prompt_ids != self._ids:
                told = f"{self._ids[:8]}... as {drawn.prompt_ids[:8]}..." if dialect.ids_in else f"{PROBE!r} as other ids"
                raise ConfigError(
                    f"the server at {self._server.address} reads {told}. Give the model that it serves with --model (now "
                    f"{self._source})."
                )
            if dialect.ids_in and drawn.prompt_ids is None and drawn.n_prompt != len(self._ids):
                continue
            echoes = drawn.ids is not None and drawn.prompt_ids is not None
            counts = drawn.n_drawn == _N and drawn.finish == "length"
            found = dataclasses.replace(dialect, ids_out=drawn.ids is not None, echoes=echoes, named=drawn.named, counts=counts)
            if found.ids_out != dialect.ids_out:  # what ends a draw depends on it
                drawn = await self._draw(found, _GREEDY, logprobs=1)
            return found, drawn
        if isinstance(refusal, Unanswered):
            raise refusal
        raise ConfigError(f"{refusal or self._server.address}; no form of a completion request is taken there.")

    async def _check_tokenizer(self, dialect: Dialect, where: str, advice: str) -> None:
        """The server makes the same ids of a text, as far as it tells."""
        asked = dataclasses.replace(dialect, ids_in=False)
        drawn = await self._draw(asked, dataclasses.replace(_GREEDY, max_tokens=1))
        theirs = drawn.prompt_ids if drawn.prompt_ids is not None else drawn.n_prompt
        ours: Any = self._ids if drawn.prompt_ids is not None else len(self._ids)
        # A server that does not know add_special_tokens may write its first token before the text.
        if theirs is not None and theirs != ours and not (drawn.prompt_ids is None and theirs == ours + 1):
            raise ConfigError(f"{where} reads {PROBE!r} as {theirs}, this tokenizer as {ours}. {advice}")

    async def _check_count(self, dialect: Dialect, greedy: Drawn, where: str, advice: str) -> Dialect:
        """The dialect for prompts of text. A first token that the server writes itself is left out of them.

        ConfigError if the server reads a text as another number of tokens than this tokenizer.
        """
        n = greedy.n_prompt
        if n is None or n == len(self._ids):
            return dialect
        bos = getattr(self._tokenizer, "bos_token", None)
        if n == len(self._ids) + 1 and bos:
            return dataclasses.replace(dialect, leading=str(bos))
        if n == len(self._ids) + 1:
            raise ConfigError(f"{where} writes a token before each prompt, which this model's tokenizer does not. {advice}")
        raise ConfigError(f"{where} reads {PROBE!r} as {n} tokens, this tokenizer as {len(self._ids)}. {advice}")

    async def _try_fields(self, dialect: Dialect, greedy: Drawn) -> dict[str, str]:
        """The fields that have their effect, with the server's names of them."""
        names = ["seed", "top_p", "stop_ids", *SPELLINGS]
        found = await asyncio.gather(*(self._try_field(name, dialect, greedy) for name in names))
        return {name: spelling for name, spelling in zip(names, found, strict=True) if spelling}

    async def _try_field(self, name: str, dialect: Dialect, greedy: Drawn) -> str:
        """The field's name there, empty if it has no effect. A draw that others in the batch disturb is tried again."""
        for spelling in SPELLINGS.get(name, (name,)):
            asked = dataclasses.replace(dialect, spelled={**dialect.spelled, **({name: spelling} if name in SPELLINGS else {})})
            for _ in range(3):
                if await self._has_effect(name, asked, greedy):
                    return spelling
        return ""

    async def _has_effect(self, name: str, dialect: Dialect, greedy: Drawn) -> bool:
        hot = dataclasses.replace(_GREEDY, temperature=_HOT, max_tokens=2 * _N)
        if name == "seed":
            first, again, other = [(await self._draw(dialect, dataclasses.replace(hot, seed=seed))).drawn for seed in _SEEDS]
            return bool(first == again != other)
        if name == "stop_ids":
            if greedy.ids is None:
                return False
            stop = greedy.ids[len(greedy.ids) // 2]
            drawn = await self._draw(dialect, dataclasses.replace(_GREEDY, stop_ids=(stop,)))
            return drawn.ids == greedy.ids[: greedy.ids.index(stop) + 1] and drawn.finish == "stop"
        if name == "repetition_penalty":
            drawn = await self._draw(dialect, dataclasses.replace(_GREEDY, repetition_penalty=5.0))
            return bool(drawn.drawn != greedy.drawn)
        narrow = dataclasses.replace(_GREEDY, temperature=_HOT, **{name: _NARROWEST[name]})
        return bool((await self._draw(dialect, narrow)).drawn == greedy.drawn)

    async def _draw(self, dialect: Dialect, params: SamplingParams, **more: Any) -> Drawn:
        body = request_body(self._model, self._ids, params, dialect, self._tokenizer) | more
        if not dialect.ids_in:
            body["prompt"] = PROBE
        try:
            return await _try(self._server, lambda: self._server.complete(body, self._read), TRIES)
        except Unanswered as error:
            told = f"the server at {self._server.address} fails a first request: {error}"
            raise Unanswered(told, reached=error.reached, status=error.status, asked_s=error.asked_s) from None

    def _read(self, reply: Any) -> Drawn:
        choice = only_choice(reply, Dialect())
        if not isinstance(choice["text"], str):
            raise BadReply("the reply holds no text")
        usage = reply.get("usage") or {}
        logprobs = ((choice.get("logprobs") or {}).get("token_logprobs") or [None])[0]
        return Drawn(
            text=self._server.connection.redact(choice["text"]),
            ids=_ids(choice.get("token_ids")),
            prompt_ids=_ids(choice.get("prompt_token_ids", reply.get("prompt_token_ids"))),
            n_prompt=usage.get("prompt_tokens") if type(usage.get("prompt_tokens")) is int else None,
            finish=str(choice.get("finish_reason")),
            first_logprob=float(logprobs) if isinstance(logprobs, int | float) else None,
            named=self._server.connection.redact(reply["model"]) if isinstance(reply.get("model"), str) else None,
            n_drawn=usage.get("completion_tokens") if type(usage.get("completion_tokens")) is int else None,
        )


def _ids(value: Any) -> list[int] | None:
    return value if isinstance(value, list) and all(type(one) is int for one in value) else None


def same_model(one: float | None, other: float | None) -> bool:
    """False if the first greedy tokens of two servers are too differently probable to come from the same weights."""
    return one is None or other is None or math.isclose(one, other, abs_tol=_TOLERANCE)


def tell_servers(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """One text for each thing in which the servers of two sessions or shards differ, by the details of their descriptions.

    What one of them does not tell is not compared.

    Example: tell_servers({"served_model": "a"}, {"served_model": "b"}) == ["served_model is 'a' there and 'b' here"]
    """
    told = there.keys() & here.keys()
    names = [name for name in _KEPT if name in told and there[name] != here[name]]
    if not same_model(there.get("first_logprob"), here.get("first_logprob")):
        names.append("first_logprob")
    return [f"{name} is {there[name]!r} there and {here[name]!r} here" for name in names]
