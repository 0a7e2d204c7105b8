"""The engine on one or more completion servers in OpenAI's format: vLLM, SGLang, llama.cpp and others (docs/servers.md)."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from raml_eval.backends.requests import check_request
from raml_eval.backends.server_args import ServerArgs
from raml_eval.backends.server_pool import ForQuestion, Server, ServerPool
from raml_eval.backends.server_probe import TRIES, Identity, Probe, identify, same_model
from raml_eval.backends.server_requests import Dialect, difference, reply_reader, request_body
from raml_eval.checkpoint import Checkpoint
from raml_eval.endpoint import Connection, EndpointRefused, RequestFailed, Unanswered, read_key
from raml_eval.errors import ConfigError, GenerationError
from raml_eval.progress import note
from raml_eval.protocols import Tokenizer
from raml_eval.types import BackendDescription, Completion, SamplingParams

_MAX_REPLY = 64_000_000  # bytes
_HINTS = {401: "Check --api-key-env", 403: "Check --api-key-env", 404: "Check --base-url and served_model"}
# vLLM raises a lower temperature to the first of these, and servers refuse one above the second.
_MIN_TEMPERATURE, _MAX_TEMPERATURE = 0.01, 2.0


class OpenaiServerBackend:
    """Servers of one model. A request goes to one of them; see ServerPool for what happens if that one fails."""

    def __init__(
        self, pool: ServerPool[Server], model: str, dialect: Dialect, tokenizer: Tokenizer, description: BackendDescription
    ) -> None:
        self.description = description
        self._pool, self._model, self._dialect, self._tokenizer = pool, model, dialect, tokenizer
        self._n_vocab: int | None = description.details.get("n_vocab")
        self._assumed = frozenset(description.details["args"]["assume_off"])

    async def generate(self, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        """The servers' draw, in full.

        GenerationError if it cannot fit, if this request is refused, if no try succeeded, or once closed; EndpointRefused if
        the servers refuse every request.
        """
        return await self.generate_for("\x1f".join(map(str, prompt_ids[:256])), prompt_ids, params)

    async def generate_for(self, question: str, prompt_ids: Sequence[int], params: SamplingParams) -> Completion:
        """The draw, on the server that draws for this question. The errors are those of generate."""
        check_request(prompt_ids, params, context=self.description.context, n_vocab=self._n_vocab)
        try:
            self.check_sampling(params)
        except ConfigError as error:
            raise GenerationError(str(error)) from None
        body = request_body(self._model, prompt_ids, params, self._dialect, self._tokenizer)
        redact = self._pool.servers[0].connection.redact
        read = reply_reader(prompt_ids, params, self._dialect, self._tokenizer, redact, self._n_vocab)
        try:
            completion, redrawn = await self._pool.complete(lambda server: server.complete(body, read), question)
        except RequestFailed as error:
            raise GenerationError(f"{error}.") from None
        return dataclasses.replace(completion, redrawn=redrawn) if redrawn and not self.description.reproducible else completion

    def routed(self, question: str) -> ForQuestion:
        """The same servers, for one question."""
        return ForQuestion(self, question)

    def check_sampling(self, params: SamplingParams) -> None:
        """ConfigError for a temperature that a server would change, and for a field that the servers do not honour."""
        if 0 < params.temperature < _MIN_TEMPERATURE or params.temperature > _MAX_TEMPERATURE:
            raise ConfigError(
                f"temperature is {params.temperature}; completion servers take 0 or {_MIN_TEMPERATURE} to {_MAX_TEMPERATURE}. "
                "Change it."
            )
        needed = ["repetition_penalty", *(("seed", "top_p", "top_k", "min_p") if params.temperature else ())]
        if self._dialect.exact and params.stop_ids:
            needed.append("stop_ids")
        off = {"repetition_penalty": 1.0, "top_k": 0, "min_p": 0.0}
        for name in needed:
            value = getattr(params, name)
            assumed = name in self._assumed and value == off[name]
            if name not in self._dialect.honoured and not assumed:
                asked = f"{name} is {value}, but in a test at the start the field {name} had no effect on the server's draws."
                advice = f"If it does nothing there, pass --backend-arg assume_off={name}, or" if name in off else "Please"
                serve = "serve with vLLM or SGLang" + (", or ask for temperature 0" if name != "repetition_penalty" else "")
                raise ConfigError(f"{asked} {advice} {serve}.")

    async def aclose(self) -> None:
        """Requests that were under way have failed, and later ones fail. The servers go on."""
        if not self._pool.closed:
            await self._pool.close()


async def open_engine(checkpoint: Checkpoint, *, args: Mapping[str, Any]) -> OpenaiServerBackend:
    """The servers are found, tried and ready. None is started or changed.

    Of the checkpoint only the tokenizer and the configuration are read. Raises ConfigError for a wrong argument, for servers
    that cannot be reached or differ, and for a server that does not fit the tokenizer.
    """
    parsed = ServerArgs.parse(args)
    key = read_key(parsed.api_key_env)

    def connect(address: str) -> Server:
        hint = "Check --base-url"
        connection = Connection(key, timeout_s=parsed.timeout_s, max_reply=_MAX_REPLY, hints=_HINTS, other_hint=hint)
        connection.open()
        return Server(address, connection=connection)

    servers = [connect(address) for address in parsed.base_url]
    try:
        return await _open(servers, checkpoint, parsed)
    except BaseException:
        for server in servers:
            await server.connection.close()
        raise


async def _open(servers: list[Server], checkpoint: Checkpoint, args: ServerArgs) -> OpenaiServerBackend:
    from transformers import AutoTokenizer

    identity = await _agreed(servers, args)
    context = _context(identity.context, args.context)
    tokenizer: Tokenizer = await asyncio.to_thread(AutoTokenizer.from_pretrained, str(checkpoint.folder))
    dialects: dict[str, tuple[Dialect, float | None]] = {}
    failures = []
    for server in servers:
        if not server.lost:
            try:
                dialects[server.address] = await Probe(server, identity.model, tokenizer, checkpoint.source).find_dialect()
            except Unanswered as error:
                server.lost = True
                failures.append(str(error))
    if not dialects:
        raise ConfigError(f"{'; '.join(failures)}. Mend the server, or give another.")
    for failure in failures:
        note(f"{failure}. It gets work when it answers")
    (first, (dialect, logprob)), *others = dialects.items()
    for address, (other, other_logprob) in others:
        if other != dialect or not same_model(logprob, other_logprob):
            told = "not the same model" if other == dialect else f"of two kinds ({difference(dialect, other)})"
            raise ConfigError(f"the servers at {first} and {address} are {told}. Give servers of one model and one kind.")

    async def look(server: Server) -> None:
        found = await identify(server, identity.model, timeout_s=max(1.0, args.watch_s))
        if not found.agrees(identity):
            raise EndpointRefused(f"{server.address} serves {found} now, and before {identity}.")

    async def look_closely(server: Server) -> None:
        await look(server)
        probe = Probe(server, identity.model, tokenizer, checkpoint.source)
        found, now = await _examined(probe)
        if found != dialect:  # a field's test can fail by chance
            found, now = await _examined(probe)
        if found != dialect:
            raise EndpointRefused(f"{server.address} is of another kind than at the start ({difference(dialect, found)}).")
        if not same_model(now, logprob):
            raise EndpointRefused(
                f"{server.address} draws otherwise than the model of this run (log-probability {now}, {logprob})."
            )

    pool = ServerPool(
        servers,
        look,
        look_closely,
        backend="openai_server",
        advice="Start it, and run again",
        attempts=args.attempts,
        patience_s=args.patience_s,
        watch_s=args.watch_s,
        pause_s=args.pause_s,
    )
    pool.start()
    return OpenaiServerBackend(
        pool, identity.model, dialect, tokenizer, _describe(identity, context, dialect, logprob, checkpoint, args)
    )


async def _agreed(servers: list[Server], args: ServerArgs) -> Identity:
    """What all servers that can be reached say about themselves. ConfigError if they differ, or if none can be reached."""
    found: dict[str, Identity] = {}
    failures: list[str] = []
    for server in servers:
        try:
            found[server.address] = await identify(server, args.served_model, tries=TRIES)
        except (Unanswered, RequestFailed) as error:
            server.lost = True
            failures.append(f"{server.address} cannot be used: {error}")
    if not found:
        raise ConfigError(f"{'; '.join(failures)}. Start a server there, or correct --base-url.")
    for failure in failures:
        note(f"{failure}. It gets work when it answers")
    # One that tells its version is compared with all: two others that differ may both agree with one that does not.
    first, identity = max(found.items(), key=lambda one: bool(one[1].version))
    for address, other in found.items():
        if not other.agrees(identity) or other.context != identity.context:
            raise ConfigError(f"the servers differ: {first} is {identity}, {address} is {other}. Give servers of one model.")
    return identity


async def _examined(probe: Probe) -> tuple[Dialect, float | None]:
    """What a server that was lost understands now. EndpointRefused if it does not fit the tokenizer any more."""
    try:
        return await probe.find_dialect()
    except EndpointRefused:
        raise
    except ConfigError as error:
        raise EndpointRefused(str(error)) from None


def _context(told: int | None, asked: int | None) -> int:
    """The longest sequence in tokens: what was asked for, or all that the server takes."""
    if told is None and asked is None:
        raise ConfigError("the server does not say how long its context is. Pass --backend-arg context=TOKENS.")
    if asked and told and asked > told:
        raise ConfigError(f"context is {asked}, but the server takes {told} tokens. Ask for at most that.")
    return asked or told or 0


def _describe(
    identity: Identity, context: int, dialect: Dialect, logprob: float | None, checkpoint: Checkpoint, args: ServerArgs
) -> BackendDescription:
    """The manifest's description. It does not depend on the number and the addresses of the servers."""
    config = checkpoint.read_json("config.json")
    text_config = config.get("text_config")
    n_vocab = config.get("vocab_size", text_config.get("vocab_size") if isinstance(text_config, dict) else None)
    return BackendDescription(
        name="openai_server",
        version=identity.software,
        device="a server",
        dtype="unknown",
        context=context,
        reproducible=args.reproducible,
        details={
            "served_model": identity.model,
            "honoured": sorted(dialect.honoured),
            "first_logprob": None if logprob is None else round(logprob, 4),
            "token_ids": "in and out" if dialect.exact else "in" if dialect.ids_in else "none",
            "n_vocab": n_vocab if type(n_vocab) is int else None,
            "args": {"assume_off": list(args.assume_off), "reproducible": args.reproducible},
        },
        ids_exact=dialect.exact,
    )
