"""Digests of what an exported log shows and of what it hides, part by part, so that an import notices what was edited since.

They are no signature: whoever knows how they are formed can form them again. They keep a log from showing one run and giving
another one back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from raml_eval.store.portable import PREFIX, encode_text

SEAL = f"{PREFIX}seal"
# Part of a seal -> what it covers, in words.
SAMPLE_PARTS = MappingProxyType(
    {
        "key": "the id or the epoch",
        "question": "the question",
        "target": "the target",
        "answer": "the answer",
        "scores": "a score",
        "metadata": "the metadata",
        "store": "what raml_eval stored in it",
    }
)
LOG_PARTS = MappingProxyType(
    {"spec": "the task, the model or the settings", "results": "the results", "metadata": "the metadata"}
)
READ = ("id", "epoch", "input", "choices", "target", "messages", "output", "scores", "metadata", "store")  # of a sample
_SCORE = ("value", "answer", "explanation", "reason", "metadata", "history")
_SPEC = ("run_id", "task", "task_version", "task_args", "model", "model_generate_config")


def seal_sample(sample: Mapping[str, Any], run_id: str) -> str:
    """The seal of a sample of Inspect, in its JSON form, as JSON text. A seal that the sample bears already is left out."""
    return encode_text(_digests(_sample_parts(sample, run_id)))


def seal_log(log: Mapping[str, Any]) -> str:
    """The seal of a log's spec, results and metadata, which are given in their JSON form."""
    return encode_text(_digests(_log_parts(log)))


def broken_part(sample: Mapping[str, Any], run_id: str) -> str:
    """What of the sample is not as it was sealed, in words; empty if all is."""
    return _broken((sample.get("store") or {}).get(SEAL), _sample_parts(sample, run_id), SAMPLE_PARTS)


def broken_log_part(log: Mapping[str, Any]) -> str:
    """What of the log beside its samples is not as it was sealed, in words; empty if all is."""
    return _broken((log["eval"].get("metadata") or {}).get(SEAL), _log_parts(log), LOG_PARTS)


def _broken(seal: Any, parts: Mapping[str, Any], words: Mapping[str, str]) -> str:
    try:
        sealed = json.loads(seal)
    except (TypeError, ValueError, RecursionError):
        return "its seal"
    if not isinstance(sealed, dict) or sealed.keys() != parts.keys():
        return "its seal"
    return next((words[name] for name, digest in _digests(parts).items() if sealed[name] != digest), "")


def _digests(parts: Mapping[str, Any]) -> dict[str, str]:
    return {name: hashlib.sha256(encode_text(_plain(part)).encode()).hexdigest()[:32] for name, part in parts.items()}


def _sample_parts(sample: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    attached: Mapping[str, str] = sample.get("attachments") or {}
    choices = (sample.get("output") or {}).get("choices") or []
    messages = [_message(message, attached) for message in sample.get("messages") or []]
    asked = sample.get("input")
    return {
        "key": [run_id, sample.get("id"), sample.get("epoch")],
        "question": [
            _resolve(asked, attached) if isinstance(asked, str) else [_message(message, attached) for message in asked or []],
            sample.get("choices"),
            [message for message in messages if message[0] != "assistant"],
        ],
        "target": sample.get("target"),
        "answer": [
            [message for message in messages if message[0] == "assistant"],
            [[_message(choice.get("message") or {}, attached), choice.get("stop_reason")] for choice in choices],
        ],
        "scores": {
            name: {key: score.get(key) for key in _SCORE if score.get(key) not in (None, [])}
            for name, score in (sample.get("scores") or {}).items()
        },
        "metadata": sample.get("metadata"),
        "store": {key: text for key, text in (sample.get("store") or {}).items() if key.startswith(PREFIX) and key != SEAL},
    }


def _log_parts(log: Mapping[str, Any]) -> dict[str, Any]:
    spec, results = log["eval"], log.get("results") or {}
    metrics = [
        [
            score.get("name"),
            {name: [one.get("value"), one.get("metadata")] for name, one in (score.get("metrics") or {}).items()},
        ]
        for score in results.get("scores") or []
    ]
    return {
        "spec": {key: spec.get(key) for key in _SPEC},
        "results": [results.get("total_samples"), results.get("completed_samples"), metrics],
        "metadata": {key: value for key, value in (spec.get("metadata") or {}).items() if key != SEAL},
    }


def _message(message: Mapping[str, Any], attached: Mapping[str, str]) -> list[Any]:
    content = message.get("content")
    if not isinstance(content, list):
        return [message.get("role"), _resolve(content, attached)]
    shown = [[part.get("type"), _resolve(part.get("text", part.get("reasoning")), attached)] for part in content]
    return [message.get("role"), shown]


def _resolve(text: Any, attached: Mapping[str, str]) -> Any:
    """The text itself if the log only refers to it."""
    return attached.get(text.removeprefix("attachment://"), text) if isinstance(text, str) else text


def _plain(value: Any) -> Any:
    """The value in the one form that all programs agree on: sorted keys, no empty entries, 1 for 1.0."""
    if isinstance(value, Mapping):
        return {key: _plain(value[key]) for key in sorted(value) if value[key] is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
