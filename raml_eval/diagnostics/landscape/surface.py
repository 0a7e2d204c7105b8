"""Draws a landscape: from a stored run to the folder of its surface, path and figures.

Whatever the engine computes becomes one line of the folder's journal, and is not computed again.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from raml_eval.diagnostics.caveats import notes_of_engines
from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.landscape.choices import Choices
from raml_eval.diagnostics.landscape.lines import read_known
from raml_eval.diagnostics.landscape.tables import tell, write_landscape
from raml_eval.diagnostics.landscape.texts import choose_texts, digest_of
from raml_eval.diagnostics.landscape.work import Work
from raml_eval.diagnostics.model import RunModel, load_run_model, open_engine
from raml_eval.errors import ConfigError, ModelError
from raml_eval.manifest import printable
from raml_eval.protocols import Backend, WeightAccess
from raml_eval.store.seeking import RunReader
from raml_eval.store.stamp import stamp_samples
from raml_eval.wording import count_noun

KIND = "landscape"
MOVABLE = ("hf",)  # the engines with WeightAccess: others are refused before their long start


def draw_landscape(
    run_directory: Path, out: Path, choices: Choices, changes: Mapping[str, Any] | None = None, quiet: bool = False
) -> Path:
    """The folder out/landscape holds the surface, the path, their figures and settings; returns the folder.

    changes are settings in place of the run's (model, backend, backend_args). A folder that was begun with the same choices is
    gone on with, point by point; if all is computed, no engine is opened. Raises ConfigError for questions, an engine or a
    folder that cannot be used; ModelError if the weights were not put back, and then this session's lines are cut off.
    """
    skipped: Counter[str] = Counter()
    samples = stamp_samples(run_directory)
    with RunReader(run_directory) as run:
        loaded = load_run_model(run, changes)
        _check_movable(loaded.config.backend in MOVABLE, loaded)
        texts = choose_texts(run, loaded, choices, skipped)
        engines = notes_of_engines(run.manifest["engine"]["name"], loaded.config.backend, "the losses")
        notes = [f"Only {len(texts):,} of {count_noun(len(run.questions), 'question')}."] * (len(texts) < len(run.questions))
        notes += [f"{count_noun(n, 'question')} left out: {reason}." for reason, n in skipped.items()]
        notes += engines
    if not all(text.thinking_ids for text in texts):
        choices = _without_path(choices)
    asked = {name: value for name, value in asdict(choices).items() if name != "tasks"}  # the texts are what it decides
    settings = {"model": loaded.model.digest, "texts": digest_of(texts), "asked": [text.name for text in texts]}
    with DiagnosisFolder(out, KIND, {**asked, **settings}) as folder:
        if read_known(folder, choices).end is None:
            asyncio.run(_compute_all(folder, loaded, Work(choices, texts), quiet))
        known = read_known(folder, choices)
        write_landscape(folder, printable(run.manifest["name"]), choices, texts, known, notes)
        folder.finish(skipped, samples=samples, **tell(texts, known))
        return folder.path


async def _compute_all(folder: DiagnosisFolder, loaded: RunModel, work: Work, quiet: bool) -> None:
    async with open_engine(loaded) as engine:
        await _compute(folder, engine, loaded, work, quiet)


async def _compute(folder: DiagnosisFolder, engine: Backend, loaded: RunModel, work: Work, quiet: bool) -> None:
    """The journal holds everything."""
    _check_movable(isinstance(engine, WeightAccess), loaded)
    assert isinstance(engine, WeightAccess)
    _check_fits(work, engine.description.context)
    with closing(folder.journal()) as journal:
        size = journal.path.stat().st_size
        try:
            async with engine.movable_weights(work.choices.embeddings) as weights:
                await work.run(weights, engine.description, journal, read_known(folder, work.choices), quiet)
        except ModelError:
            os.truncate(journal.path, size)
            raise


def _check_fits(work: Work, context: int) -> None:
    """Raises ConfigError if an answer after all that is asked for of its thinking is longer than the engine's context."""
    share = 1.0 if work.choices.steps or work.choices.given == "thinking" else 0.0
    for text in work.texts:
        if (n := len(text.at(share).token_ids)) > context:
            raise ConfigError(
                f"{text.name} has {n:,} tokens with its thinking and answer, and the engine's context is {context:,}. "
                "Choose other questions with --question, or leave the thinking out with --given prompt --steps 0."
            )


def _check_movable(can: bool, loaded: RunModel) -> None:
    if not can:
        raise ConfigError(
            f"diagnose landscape needs an engine whose weights can be moved; use hf (--backend hf). Backend "
            f"{loaded.config.backend} has none."
        )


def _without_path(choices: Choices) -> Choices:
    """The choices for questions some of which have no thinking."""
    if choices.plane == "thinking" or choices.given == "thinking":
        raise ConfigError(
            "a chosen question has no thinking with tokens, which plane thinking and given thinking need. Choose other "
            "questions, or --plane random --given prompt."
        )
    return replace(choices, steps=0)
