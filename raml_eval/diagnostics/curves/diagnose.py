"""One diagnosis of a run: the curves are scored, and tables, figures and the report's section are made of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from raml_eval.codec import codec_of
from raml_eval.diagnostics.caveats import notes_of_engines, tell_part, tell_rest
from raml_eval.diagnostics.curves.drawn import Drawn, match_curves
from raml_eval.diagnostics.curves.driver import Curve, Scoring, count_targets, is_scored, read_curve, score_targets
from raml_eval.diagnostics.curves.positions import Positions
from raml_eval.diagnostics.curves.summary import write_summary
from raml_eval.diagnostics.curves.targets import (
    Asking,
    Choice,
    Skipped,
    Survey,
    Target,
    keep_introductions,
    read_targets,
    survey,
)
from raml_eval.diagnostics.folder import PLACE, DiagnosisFolder, check_settings, settings_of
from raml_eval.diagnostics.model import RunModel, load_run_model, open_engine
from raml_eval.errors import ConfigError
from raml_eval.manifest import engine_protocol
from raml_eval.progress import Progress
from raml_eval.prompts.rendering import continuation_ids
from raml_eval.protocols import Backend, PositionScorer
from raml_eval.store.seeking import RunReader
from raml_eval.store.stamp import stamp_samples
from raml_eval.thinking import ThinkingPolicy
from raml_eval.types import Question

KIND = "pseudo-gradient"
GROWING = ("introductions",)  # a diagnosis may come upon more of them as its run grows
IN_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a diagnosis is asked for. delimiter is run, none or a text; lead replaces what stands before the gold."""

    choice: Choice = field(default_factory=Choice)
    positions: Positions = field(default_factory=Positions)
    delimiter: str = "run"
    lead: str | None = None
    concurrency: int = IN_FLIGHT


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """What a diagnosis did. errors are the targets that failed and are owed, with the reason."""

    folder: Path
    n_curves: int
    skipped: Mapping[str, Sequence[str]]
    errors: Mapping[str, str]


def diagnose_curves(
    directory: Path, wanted: Wanted, out: Path | None = None, changes: Mapping[str, Any] | None = None, quiet: bool = False
) -> Diagnosed:
    """The folder of the diagnosis holds the curve of every chosen trajectory, and what they say together.

    It goes on where an earlier session under the same settings stopped. changes are settings that replace the run's own
    (load_run_model). Raises ConfigError for an engine that cannot score, or a folder under other settings; StoreError for an
    imported run; GaveUp if request after request failed. Do not call it in a coroutine.
    """
    stamp = stamp_samples(directory)
    with RunReader(directory) as run, ExitStack() as held:
        loaded = load_run_model(run, changes)
        policy = loaded.policy(context=0)  # the engine, which alone knows its context, is not open yet
        found = survey(run, wanted.choice, loaded.prompts, policy.answer_prefix)
        kept = keep_introductions(found, settings_of(out or directory / PLACE, KIND))
        asking = _asking(loaded, wanted, policy, found)
        work = _Work(run, loaded, found, asking, wanted, out or directory / PLACE, quiet)
        check_settings(work.out, KIND, work.settings(), GROWING)
        folder, errors = asyncio.run(_score(work, held))
        caveats = [*caveats_of(run, wanted.choice, loaded, folder), *kept]
        drawn = _read_drawn(directory, folder, work)
        if not errors:
            write_summary(folder, drawn, asking, wanted.positions, found.skipped, caveats)
            counts = {reason: len(keys) for reason, keys in found.skipped.items()}
            made = {"skipped_keys": found.skipped, "made_with": asdict(wanted.choice)}
            folder.finish(counts, samples=stamp, n_curves=len(drawn), **made)
    return Diagnosed(folder.path, len(drawn), found.skipped, errors)


@dataclass(frozen=True, slots=True)
class _Work:
    """Everything of one diagnosis that is known before its engine is open."""

    run: RunReader
    loaded: RunModel
    found: Survey
    asking: Asking
    wanted: Wanted
    out: Path
    quiet: bool

    def targets(self, run: RunReader, skipped: Skipped) -> Iterator[Target]:
        return read_targets(run, self.wanted.choice, self.found.golds, self.loaded.prompts, self.asking, skipped)

    def settings(self) -> dict[str, Any]:
        """Everything that a curve depends on but for the engine. The choice is not part of it: a diagnosis may grow."""
        wanted, asking = self.wanted, self.asking
        return {
            "protocol": self.run.manifest["protocol_digest"],
            "delimiter": wanted.delimiter,
            "closing_ids": list(asking.closing_ids),
            "lead": wanted.lead,
            "introductions": asking.by_task() if wanted.lead is None else {},
            "closing_after": asking.after if wanted.lead is None else "",
            "stride": wanted.positions.stride,
            "tolerance": wanted.positions.tolerance,
        }


async def _score(work: _Work, held: ExitStack) -> tuple[DiagnosisFolder, dict[str, str]]:
    """The folder, which held closes, and whose journal has every curve but for those that failed, and the errors."""
    async with open_engine(work.loaded) as backend:
        scorer = position_scorer(backend)
        questions = (work.run.questions[key] for key in work.found.golds)
        folder = open_folder(held, work.out, KIND, work.settings(), backend, questions)
        scoring = Scoring(scorer, backend.description.context, work.wanted.positions, work.wanted.concurrency)
        curves, skipped = _read_curves(folder), work.found.skipped
        n_done, n_all = count_targets(work.targets(work.run, {}), curves, scoring.context)
        owed = (target for target in work.targets(work.run, skipped) if not is_scored(target, curves))
        journal = folder.journal()
        try:
            with Progress(n_all, n_done, quiet=work.quiet, noun="trajectories", about=f"{KIND}: ") as progress:
                return folder, await score_targets(scoring, owed, journal, progress, skipped)
        finally:
            journal.close()


def open_folder(
    held: ExitStack, out: Path, kind: str, settings: Mapping[str, Any], backend: Backend, questions: Iterable[Question]
) -> DiagnosisFolder:
    """The folder of a diagnosis whose values are the backend's, which held closes; its tables are going to be written anew."""
    engine = {"engine": dict(engine_protocol(backend.description))}
    folder = held.enter_context(DiagnosisFolder(out, kind, {**settings, **engine}, GROWING))
    folder.keep_golds(questions)
    folder.reopen()
    return folder


def caveats_of(run: RunReader, choice: Choice, loaded: RunModel, folder: DiagnosisFolder) -> list[str]:
    """Which part of the run and of the folder's journal the choice is, if it is not all, and what to know of the engines."""
    questions = choice.questions(run)
    part = tell_part(run, len(questions), choice.tasks, choice.limit, choice.samples)
    rest = tell_rest(folder, questions, choice.samples)
    engines = notes_of_engines(run.manifest["engine"]["name"], loaded.config.backend, "the likelihoods of the gold")
    return [*filter(None, (part, rest)), *engines]


def position_scorer(backend: Backend) -> PositionScorer:
    """The backend, as what scores the gold. Raises ConfigError if it cannot."""
    if not isinstance(backend, PositionScorer):
        raise ConfigError(
            f"backend {backend.description.name} does not tell how likely a given answer is after each prefix of a thinking. "
            "Diagnose with --backend hf or --backend vllm."
        )
    return backend


def _asking(loaded: RunModel, wanted: Wanted, policy: ThinkingPolicy, found: Survey) -> Asking:
    tokenizer = codec_of(loaded.model.tokenizer)
    closing_ids, after = policy.closing_ids, policy.answer_prefix if wanted.delimiter == "run" else ""
    if wanted.delimiter == "none":
        closing_ids = ()
    elif wanted.delimiter != "run":
        closing_ids = continuation_ids(tokenizer, wanted.delimiter)
    return Asking(tokenizer, closing_ids, found.introductions, wanted.lead, after)


def _read_drawn(directory: Path, folder: DiagnosisFolder, work: _Work) -> list[Drawn]:
    """The curves in the journal of the targets that the choice has, with the run's present verdicts."""
    with RunReader(directory) as run:
        return match_curves(work.targets(run, {}), _read_curves(folder), run.questions)


def _read_curves(folder: DiagnosisFolder) -> dict[str, Curve]:
    """The curves in the journal by the ids of their targets; of two, the later one counts."""
    return {curve.id: curve for curve in folder.read(read_curve)}
