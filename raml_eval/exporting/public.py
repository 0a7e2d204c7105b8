"""What of a run may leave this machine: settings by an allowed list, without paths and without anything like a token."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from raml_eval.manifest import flatten
from raml_eval.tables import budget_label, step_of
from raml_eval.types import StoredRun

REMOVED = "[removed]"
_SECRET_KEYS = re.compile(r"token$|secret|passw|api_?key|credential|authorization", re.IGNORECASE)
_SECRETS = re.compile(
    r"\b(?:hf|api_org)_[A-Za-z0-9]{16,}|\bsk-[\w-]{16,}|\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\bAKIA[A-Z0-9]{12,}"
    r"|(?<=://)[^/\s@]+@|\b[Bb]earer\s+[\w.~+/-]{8,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+"
)
# A path of at least two parts; what stands before it must not make it a web address or a hub id.
_PATHS = re.compile(
    r"(?<![\w:/.~-])(?:file://)?(?:~[\w.-]*/[\w.@+-]+|/[\w.@+-]+/[\w.@+-]+)(?:/[\w.@+-]+)*/?|\b[A-Za-z]:(?:\\[\w.@+-]+)+"
)
_PROTOCOL = ("sampling", "thinking", "answer_tokens", "max_total_tokens", "window")
_ENGINE = ("name", "version", "dtype", "device", "context", "reproducible")


def without_secrets(value: Any) -> Any:
    """The value with each absolute path in its texts cut to the last part, and each token or password replaced.

    Example: without_secrets({"base": "/home/me/ckpt", "api_key": "x"}) == {"base": "ckpt", "api_key": "[removed]"}
    """
    if isinstance(value, Mapping):
        return {
            without_secrets(key): REMOVED if isinstance(key, str) and _SECRET_KEYS.search(key) else without_secrets(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [without_secrets(inner) for inner in value]
    if not isinstance(value, str):
        return value
    return _PATHS.sub(lambda found: _last_part(found[0]), _SECRETS.sub(REMOVED, _bare(value)))


def _bare(text: str) -> str:
    """The text, or its last part if the whole of it is an absolute path."""
    for kind in (PurePosixPath, PureWindowsPath):
        if "\n" not in text and (kind(text).is_absolute() or text.startswith("~")):
            return kind(text).name or REMOVED
    return text


def _last_part(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def model_name(run: StoredRun) -> str:
    """The model as the public may know it: a hub id, or the last part of a path.

    Example: a run of --model ../out/step_500 gives "step_500"
    """
    name = run.model
    if name.startswith((".", "~", "/")) or "\\" in name or name.count("/") > 1:
        name = PureWindowsPath(name).name
    return str(without_secrets(name)) or "model"


def ended(run: StoredRun) -> str:
    """When the last session of the run ended, as ISO 8601 in UTC; when the run was created if no session has ended."""
    sessions = run.manifest.get("sessions", ())
    times = [str(session["ended"]) for session in sessions if session.get("ended")]
    return max(times) if times else str(run.manifest.get("created", ""))


def public_settings(run: StoredRun) -> dict[str, Any]:
    """The run's settings that may be published, with dotted keys and plain values, in a fixed order.

    They are taken from an allowed list, so that nothing private passes that a later version adds to the manifest. The system
    prompt is not among them; its length is.
    """
    manifest = run.manifest
    protocol, engine = manifest.get("protocol", {}), manifest.get("engine", {})
    told = protocol.get("prompt")
    prompt: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    form = prompt.get("format")
    tree = {
        "model": {"name": model_name(run), **{k: manifest.get("model", {}).get(k) for k in ("revision", "fingerprint")}},
        "checkpoint": manifest.get("model", {}).get("checkpoint") or {},
        "engine": {key: engine.get(key) for key in _ENGINE},
        **{key: protocol.get(key) for key in _PROTOCOL},
        "prompt": {
            "chat_template": prompt.get("chat_template"),
            "format": form.get("name") if isinstance(form, Mapping) else form,
            "system_prompt_characters": len(prompt["system_prompt"] or "") if "system_prompt" in prompt else None,
        },
        "samples": run.n_samples,
        "budgets": [budget_label(budget) for budget in run.budgets],
        "limit": manifest.get("plan", {}).get("limit"),
        "grader_versions": list(run.grader_versions),
        "protocol_digest": manifest.get("protocol_digest"),
        "created": manifest.get("created"),
        "ended": ended(run),
        "imported_from": (run.imported or {}).get("harness"),
        "versions": manifest.get("versions", {}),
        "git_commit": manifest.get("git_commit"),
        "step": step_of(run),
    }
    return {key: value for key, value in flatten(without_secrets(tree)).items() if value is not None}
