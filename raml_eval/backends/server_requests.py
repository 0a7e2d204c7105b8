"""What is sent to a completion server for one draw, and what its reply must hold to count as that draw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from raml_eval.backends.requests import completes_stop
from raml_eval.endpoint import BadReply
from raml_eval.protocols import Tokenizer
from raml_eval.types import Completion, Finish, SamplingParams

# Fields beside OpenAI's own, with the names that servers give them: vLLM's and SGLang's first, then llama.cpp's.
SPELLINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "top_k": ("top_k",),
        "min_p": ("min_p",),
        "repetition_penalty": ("repetition_penalty", "repeat_penalty"),
    }
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one server is asked.

    ids_in: it takes a prompt of token ids. ids_out: it returns the ids that it drew. extended: it takes vLLM's and SGLang's
    fields. leading: the text of the first token, if the server itself writes that before a prompt of text. spelled holds the
    server's names of the fields in SPELLINGS. honoured names the fields that were seen to have their effect. echoes: its
    replies hold the ids of the prompt. named: the model's name in its replies, None if they hold none. counts: its replies
    hold the number of drawn tokens.
    """

    ids_in: bool = True
    ids_out: bool = True
    extended: bool = True
    leading: str = ""
    spelled: Mapping[str, str] = field(default_factory=lambda: {name: names[0] for name, names in SPELLINGS.items()})
    honoured: frozenset[str] = frozenset()
    echoes: bool = False
    named: str | None = None
    counts: bool = False

    @property
    def exact(self) -> bool:
        return self.ids_in and self.ids_out


_TOLD = {
    "ids_in": "takes token ids",
    "ids_out": "returns token ids",
    "extended": "takes the fields of vLLM and SGLang",
    "echoes": "returns the ids of the prompt",
    "counts": "counts what it drew",
}


def difference(first: Dialect, second: Dialect) -> str:
    """What one of two servers does and the other does not, in words."""
    told = [f"only the {'first' if getattr(first, name) else 'second'} {does}" for name, does in _TOLD.items()
            if getattr(first, name) != getattr(second, name)]  # fmt: skip
    told += [f"only the {'first' if name in first.honoured else 'second'} honours {name}"
             for name in sorted(first.honoured ^ second.honoured)]  # fmt: skip
    if first.named != second.named:
        told.append(f"their replies name the models {first.named!r:.80} and {second.named!r:.80}")
    return "; ".join(told) or "they name the fields of the sampling otherwise"


def request_body(
    model: str, prompt_ids: Sequence[int], params: SamplingParams, dialect: Dialect, tokenizer: Tokenizer
) -> dict[str, Any]:
    """One request, with every field explicit that could change a token.

    Where ids return, stop ids and stop strings say all that ends a draw, and the server's own list must not. Where texts
    return, the model's own end of turn ends a draw, and the stop ids are sent as texts too.
    """
    prompt: list[int] | str = list(prompt_ids)
    if not dialect.ids_in:
        prompt = tokenizer.decode(prompt_ids, skip_special_tokens=False).removeprefix(dialect.leading)
    stop = list(params.stop_strings)
    if not dialect.ids_out:
        texts = (tokenizer.decode([one], skip_special_tokens=False) for one in params.stop_ids)
        stop = list(dict.fromkeys([*stop, *filter(None, texts)]))[:4]  # more are refused by some; the model's own end works
    body = {
        "model": model,
        "prompt": prompt,
        "max_tokens": params.max_tokens,
        "temperature": params.temperature,
        "top_p": params.top_p,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "seed": params.seed if dialect.exact else params.seed % 2**31,  # llama.cpp has 32 bits
        "n": 1,
        "stream": False,
        "stop": stop,
        **{dialect.spelled[name]: getattr(params, name) for name in SPELLINGS},
    }
    if dialect.extended:
        body |= {
            "stop_token_ids": list(params.stop_ids),
            "ignore_eos": dialect.ids_out,
            "min_tokens": 0,
            "include_stop_str_in_output": dialect.ids_out,
            "skip_special_tokens": False,
            "spaces_between_special_tokens": False,
            "add_special_tokens": False,
            "return_token_ids": True,
        }
    return body


def reply_reader(
    prompt_ids: Sequence[int],
    params: SamplingParams,
    dialect: Dialect,
    tokenizer: Tokenizer,
    redact: Callable[[str], str],
    n_vocab: int | None = None,
) -> Callable[[Any], Completion]:
    """A function from the reply's JSON to the draw. It raises BadReply for anything but a draw that ended as was asked."""

    def read_ids(reply: Any) -> Completion:
        choice = only_choice(reply, dialect)
        ids, reason = choice["token_ids"], choice["finish_reason"]
        if not isinstance(ids, list) or not all(type(one) is int for one in ids):
            raise BadReply("the reply holds no token ids")
        echoed = choice.get("prompt_token_ids", reply.get("prompt_token_ids"))
        if (echoed is not None or dialect.echoes) and echoed != list(prompt_ids):
            raise BadReply("the reply is to another prompt" if echoed else "the reply does not say to which prompt it is")
        if wrong := [one for one in ids if one < 0 or (n_vocab is not None and one >= n_vocab)]:
            raise BadReply(f"the reply holds token id {wrong[0]}, outside the model's vocabulary of {n_vocab}")
        if any(one in params.stop_ids for one in ids[:-1]) or _holds_stop(ids[:-1], params, tokenizer):
            raise BadReply("the draw goes on after what should have ended it")
        stopped = ids[-1:] and (ids[-1] in params.stop_ids or completes_stop(tokenizer, prompt_ids, ids, params.stop_strings))
        if reason == "stop" and stopped and len(ids) <= params.max_tokens:
            return Completion(tuple(ids), Finish.STOP)
        if reason == "length" and len(ids) == params.max_tokens:
            return Completion(tuple(ids), Finish.STOP if stopped else Finish.LENGTH)
        raise BadReply(f"the draw ended early ({len(ids)} of {params.max_tokens} tokens, {reason})")

    def read_text(reply: Any) -> Completion:
        choice = only_choice(reply, dialect)
        text, reason = choice["text"], choice["finish_reason"]
        if not isinstance(text, str) or reason not in ("stop", "length"):
            raise BadReply(f"the draw ended early ({reason})")
        n = (reply.get("usage") or {}).get("completion_tokens") if dialect.counts else None
        if dialect.counts and (type(n) is not int or n > params.max_tokens or (reason == "length" and n != params.max_tokens)):
            raise BadReply(f"the draw ended early ({n} of {params.max_tokens} tokens, {reason})")
        text = redact(text)
        ids = tokenizer.encode(text, add_special_tokens=False) if text else []
        return Completion(tuple(ids), Finish.STOP if reason == "stop" else Finish.LENGTH, text)

    return read_ids if dialect.exact else read_text


def only_choice(reply: Any, dialect: Dialect) -> Any:
    """The one draw of a reply. Raises BadReply if it holds several, or comes from another model than the probe's."""
    choices = reply["choices"]
    if len(choices) != 1 or choices[0].get("index", 0) != 0:
        raise BadReply(f"the reply holds {len(choices)} draws, wanted the one that was asked for")
    if dialect.named is not None and reply.get("model") != dialect.named:
        raise BadReply(f"the reply is from model {reply.get('model')!r:.80}, not from {dialect.named!r:.80}")
    return choices[0]


def _holds_stop(ids: Sequence[int], params: SamplingParams, tokenizer: Tokenizer) -> bool:
    """True if the text of the ids holds a stop string."""
    if not params.stop_strings or not ids:
        return False
    text = tokenizer.decode(ids, skip_special_tokens=False)
    return any(stop in text for stop in params.stop_strings)
