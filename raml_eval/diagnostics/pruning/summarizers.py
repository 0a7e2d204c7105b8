"""Models that summarise a thinking: one on any backend of the project, or one behind a chat endpoint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from raml_eval.backends import check_name, open_backend
from raml_eval.codec import codec_of
from raml_eval.config import RunConfig, build_config
from raml_eval.diagnostics.pruning.summary_prompt import PROMPT_VERSION, build_prompt, read_reply
from raml_eval.endpoint import read_key
from raml_eval.errors import ConfigError, GenerationError, near_names
from raml_eval.inputs import Model, answer_openers, load_model
from raml_eval.judge.client import ChatClient
from raml_eval.prompts import closing_ids, render_prompt
from raml_eval.protocols import Backend
from raml_eval.servers import engine_for, server_args
from raml_eval.thinking import answer_text
from raml_eval.thinking_formats import find_closing
from raml_eval.types import Finish, Question, SampleKey, SamplingParams, TokenIds

CHAT = "chat"
_CHAT_ARGS = ("endpoint", "api_key_env", "timeout_s")


@dataclass(frozen=True, slots=True)
class SummarySettings:
    """Which model summarises, and how: everything that decides a summary but the thinking itself.

    backend is one of the project's, or chat for an OpenAI-compatible server, whose address is args["endpoint"]. The model runs
    without thinking where it can. temperature, seed and max_tokens are those of the paper's notebook, where not changed.
    """

    model: str
    backend: str = "hf"
    args: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = 1.0
    max_tokens: int = 8192
    seed: int = 42

    def __post_init__(self) -> None:
        if self.backend != CHAT:
            check_name(self.backend)
        elif unknown := [name for name in self.args if name not in _CHAT_ARGS]:
            raise ConfigError(
                f"summarizer backend chat has no argument {unknown[0]!r}; it takes {', '.join(_CHAT_ARGS)}."
                f"{near_names(unknown[0], _CHAT_ARGS)}"
            )
        elif not self.args.get("endpoint"):
            raise ConfigError(
                "summarizer backend chat has no endpoint. Pass --summarizer-arg endpoint=http://localhost:8000/v1."
            )
        if not self.temperature >= 0 or self.max_tokens < 1:
            raise ConfigError(
                f"the summary's temperature is {self.temperature} and its max_tokens {self.max_tokens}; wanted 0 or more, and "
                "1 or more. Correct them."
            )

    def record(self) -> dict[str, Any]:
        """The settings as they are stored, with the version of the prompt. Where a server answers is no part of them."""
        args = {} if self.backend == CHAT else dict(self.args)
        return {**asdict(self), "args": args, "prompt_version": PROMPT_VERSION}


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary, which is never empty. cut is true if it ran out of tokens."""

    text: str
    cut: bool


class TooLong(Exception):
    """The prompt and the longest summary do not fit into the summarizer's context."""


class EmptySummary(GenerationError):
    """The summarizer replied, and said nothing."""


class Summarizer(Protocol):
    """Summarises. summarize raises TooLong, EmptySummary, or whatever its engine or server raises for a request that failed."""

    async def summarize(self, key: SampleKey, question: Question, thinking: str, seed: int) -> Summary: ...


def label_of(settings: SummarySettings, identity: Mapping[str, Any]) -> str:
    """The name of the rule in tables: the model, and six digits of a digest of all that decides its summaries.

    A checkpoint is known by its fingerprint, wherever it lies.
    """
    record = {name: value for name, value in settings.record().items() if name != "model" or not identity}
    told = json.dumps([record, dict(identity)], sort_keys=True)
    return f"summary:{settings.model.rstrip('/').rpartition('/')[2]}-{hashlib.sha256(told.encode()).hexdigest()[:6]}"


@asynccontextmanager
async def open_summarizer(settings: SummarySettings, model: Model | None) -> AsyncIterator[Summarizer]:
    """The summarizer, ready. model is what load_summarizer gave. Raises as open_backend does."""
    if model is None:
        async with _client(settings) as client:
            yield ChatSummarizer(client, settings)
        return
    config, checkpoint = _config(settings), model.checkpoint
    where: dict[str, Any] = {"revision": checkpoint.revision, "adapter": checkpoint.adapter}
    backend = await open_backend(settings.backend, checkpoint.source, **where, args=server_args(config))
    try:
        yield EngineSummarizer(backend, model, settings)
    finally:
        await backend.aclose()


def load_summarizer(settings: SummarySettings) -> tuple[Model | None, dict[str, Any]]:
    """The summarizer's tokenizer and format, None for a server, and what identifies it. Raises ModelError if it has none."""
    if settings.backend == CHAT:
        _client(settings)  # a wrong address or key is refused before anything is drawn
        return None, {}
    model = load_model(_config(settings))
    return model, {"fingerprint": model.digest, "format": model.format.name}


def _config(settings: SummarySettings) -> RunConfig:
    """The settings of a run on the summarizer's engine; it has no task, but one must be named."""
    return build_config(
        [{"model": settings.model, "backend": settings.backend, "backend_args": dict(settings.args), "tasks": ["summary"]}]
    )


def _client(settings: SummarySettings) -> ChatClient:
    key = read_key(settings.args.get("api_key_env"))
    return ChatClient(settings.args["endpoint"], settings.model, key, timeout_s=float(settings.args.get("timeout_s", 600.0)))


class ChatSummarizer:
    """A model behind an OpenAI-compatible chat endpoint."""

    def __init__(self, client: ChatClient, settings: SummarySettings) -> None:
        self._client, self._settings = client, settings

    async def summarize(self, key: SampleKey, question: Question, thinking: str, seed: int) -> Summary:
        """The summary; see Summarizer."""
        message = {"role": "user", "content": build_prompt(asked_text(question), thinking)}
        sampling = {"temperature": self._settings.temperature, "max_tokens": self._settings.max_tokens, "seed": seed % 2**31}
        text, reason = await self._client.ask_whole([message], sampling)
        return _summary(text, reason == "length")


class EngineSummarizer:
    """A model on a backend of the project, asked through its own chat template, without thinking where it can."""

    def __init__(self, backend: Backend, model: Model, settings: SummarySettings) -> None:
        self._backend, self._model, self._settings = backend, model, settings
        self._codec = codec_of(model.tokenizer)
        self._marks = tuple(model.tokenizer.get_added_vocab())

    async def summarize(self, key: SampleKey, question: Question, thinking: str, seed: int) -> Summary:
        """The summary; see Summarizer."""
        prompt_ids = self._prompt(build_prompt(asked_text(question), thinking, self._marks))
        most = self._settings.max_tokens
        if len(prompt_ids) + most > self._backend.description.context:
            raise TooLong
        stop_ids = self._model.end_of_text_ids
        params = SamplingParams(self._settings.temperature, 1.0, 0, 0.0, 1.0, most, seed, stop_ids)
        drawn = await engine_for(self._backend, key.task, key.question_id).generate(prompt_ids, params)
        text = answer_text(drawn.token_ids, self._codec, (), answer_openers(), drawn.text)
        return _summary(text, drawn.finish is Finish.LENGTH)

    def _prompt(self, text: str) -> TokenIds:
        """The ids of the prompt, after which the answer begins; a model that always thinks gets its thinking closed at once."""
        model, fmt = self._model, self._model.format
        thinks = not fmt.supports_off
        messages = [{"role": "user", "content": text}]
        ids = render_prompt(model.tokenizer, fmt, messages, thinks, model.settings)
        return (*ids, *closing_ids(model.tokenizer, fmt, find_closing(fmt, None))) if thinks else ids


def asked_text(question: Question) -> str:
    """What the user asks in a question."""
    return "\n\n".join(str(message["content"]) for message in question.messages if message.get("role") == "user")


def _summary(reply: str, cut: bool) -> Summary:
    text = read_reply(reply)
    if not text:
        raise EmptySummary("the summarizer wrote nothing. It is asked again with another seed.")
    return Summary(text, cut)
