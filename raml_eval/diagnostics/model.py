"""The model that drew a stored run, with its prompts and an engine that is open on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.backends import check_name, open_backend
from raml_eval.checkpoint import is_adapter_folder
from raml_eval.config import RunConfig, build_config
from raml_eval.engines import open_checked
from raml_eval.errors import ConfigError, ModelError, StoreError
from raml_eval.inputs import Model, build_policy, load_model
from raml_eval.manifest import prompt_digests
from raml_eval.prompts import chat_template_digest
from raml_eval.protocols import Backend
from raml_eval.servers import server_args
from raml_eval.store.manifest_file import check_prompts
from raml_eval.store.seeking import RunReader
from raml_eval.thinking import ThinkingPolicy
from raml_eval.types import Budget, Prompts, QuestionKey


@dataclass(frozen=True, slots=True)
class RunModel:
    """A run's model. prompts holds the ids that each planned question was asked with, by budgets.prompt_of."""

    config: RunConfig
    model: Model
    prompts: Mapping[QuestionKey, Prompts]

    def policy(self, context: int) -> ThinkingPolicy:
        """The run's thinking policy; context is the engine's longest sequence in tokens."""
        return build_policy(self.config, self.model, context)


def load_run_model(run: RunReader, changes: Mapping[str, Any] | None = None) -> RunModel:
    """The tokenizer and the prompts of the model that drew the run, checked against what the run stores.

    changes are settings that take the place of the run's own: model (where the same checkpoint lies now), backend,
    backend_args. Another backend takes none of the run's backend_args. Raises StoreError for an imported run, whose model is
    not known, and for prompts that would be rendered otherwise now; ConfigError for another checkpoint or chat template than
    the run's; ModelError for a checkpoint that cannot be loaded, with the option that says where it lies now.
    """
    manifest = run.manifest
    if manifest.get("imported") is not None:
        raise StoreError(
            f"{run.directory} was imported from {manifest['imported']['harness']}, so its model and its token ids are not "
            "here. Diagnose a run that raml-eval drew; `diagnose statistics` reads imported runs too."
        )
    config = build_config([_settings_of(manifest["config"], changes or {}), dict(changes or {})])
    check_name(config.backend)
    try:
        model = load_model(config, manifest["protocol"].get("prompt", {}).get("date"))
        digest = model.digest
    except ModelError as error:
        if changes and changes.get("model"):
            raise
        raise ModelError(
            f"the checkpoint that drew {run.directory} cannot be loaded from {config.model}: {error} If it lies elsewhere now, "
            "pass --model NEW_PLACE; `raml-eval diagnose statistics` needs no model."
        ) from error
    _check_same(run, "checkpoint", manifest["protocol"]["model"]["fingerprint"], digest)
    _check_same(run, "chat template", manifest["protocol"]["prompt"]["chat_template"], chat_template_digest(model.tokenizer))
    budgets: list[Budget] = list(manifest["plan"]["budgets"])
    prompts = {key: model.render(question, budgets) for key, question in run.questions.items()}
    now = {
        task: {"prompts": {one: prompt_digests(ids) for (of, one), ids in prompts.items() if of == task}}
        for task in manifest["tasks"]
    }
    check_prompts(manifest["tasks"], now, run.directory)
    return RunModel(config, model, prompts)


def _settings_of(stored: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The run's settings, without those of its engine if another one takes its place.

    If the model lies elsewhere now and that is the folder of an adapter, the run's own adapter is this one's old place.
    """
    gone = set() if changes.get("backend") in (None, stored["backend"]) else {"backend_args", "base_url", "api_key_env"}
    if changes.get("model") and is_adapter_folder(Path(changes["model"]).expanduser()):
        gone.add("adapter")
    return {name: value for name, value in stored.items() if name not in gone}


def _check_same(run: RunReader, noun: str, there: str, here: str) -> None:
    if there != here:
        raise ConfigError(
            f"{run.directory} was drawn with another {noun} (digest {there} there and {here} here). Pass --model with the "
            "checkpoint that drew it."
        )


@asynccontextmanager
async def open_engine(loaded: RunModel) -> AsyncIterator[Backend]:
    """The run's engine, or the one that was asked for in its place, open on the run's checkpoint; closed at the end."""
    config, model = loaded.config, loaded.model
    backend = await open_checked(open_backend, config.backend, model.checkpoint, model.fingerprint, server_args(config))
    try:
        yield backend
    finally:
        await backend.aclose()
