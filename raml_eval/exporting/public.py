"""What of a run may leave this machine: settings by an allowed list, without paths and without anything like a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raml_eval.manifest import flatten
from raml_eval.redaction import public_model, without_secrets
from raml_eval.tables import budget_label, step_of
from raml_eval.types import StoredRun

_PROTOCOL = ("sampling", "thinking", "answer_tokens", "max_total_tokens", "window")
_ENGINE = ("name", "version", "dtype", "device", "context", "reproducible")


def model_name(run: StoredRun) -> str:
    """The model as the public may know it: the hub id of a model from the hub, or the last part of a path.

    Example: a run of --model out/step_500, a folder, gives "step_500"
    """
    return public_model({"name": run.model, **run.manifest.get("model", {})})


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
        "model": {
            "name": model_name(run),
            **{k: manifest.get("model", {}).get(k) for k in ("origin", "revision", "fingerprint")},
        },
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
