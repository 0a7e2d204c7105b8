"""Prunes the thinking of a stored run: draws what is owed, and makes the tables, the figure and the section from it all."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.diagnostics.caveats import tell_part, tell_rest
from raml_eval.diagnostics.folder import PLACE, DiagnosisFolder
from raml_eval.diagnostics.model import RunModel, load_run_model
from raml_eval.diagnostics.pruning.candidates import read_candidates
from raml_eval.diagnostics.pruning.outcomes import Collected, collect_outcomes
from raml_eval.diagnostics.pruning.rules import SUMMARY, Rule, parse_rules
from raml_eval.diagnostics.pruning.shown import Told, write_pruning
from raml_eval.diagnostics.pruning.summarizers import SummarySettings, label_of, load_summarizer
from raml_eval.diagnostics.pruning.summary_rows import SummaryRow, summarise_outcomes
from raml_eval.diagnostics.pruning.work import Work, answer_all, read_journal, summarise_all
from raml_eval.diagnostics.subjects import choose_questions
from raml_eval.errors import ConfigError, StoreError
from raml_eval.grading import GRADER_VERSION
from raml_eval.store.grades import grader_versions
from raml_eval.store.lines import read_task
from raml_eval.store.seeking import RunReader
from raml_eval.store.stamp import stamp_samples
from raml_eval.tables import global_clusters
from raml_eval.types import Question, QuestionKey

KIND = "pruning"


@dataclass(frozen=True, slots=True)
class Pruned:
    """A pruning that was done. rows are those of its table; last_failure is empty if n_owed is 0."""

    folder: Path
    collected: Collected
    rows: Sequence[SummaryRow]
    skipped: Mapping[str, int]
    n_owed: int
    last_failure: str = ""


def prune_run(
    directory: Path,
    rules: Iterable[str],
    *,
    summary: SummarySettings | None = None,
    tasks: Sequence[str] = (),
    limit: int | None = None,
    samples: int | None = None,
    changes: Mapping[str, Any] | None = None,
    out: Path | None = None,
    quiet: bool = False,
) -> Pruned:
    """OUT/pruning holds the answers after each thinking of the run, shortened by each rule, with tables and a figure.

    Nothing is drawn twice: a line of the journal is kept, whatever other rules, tasks or limits are asked for later. changes
    are those of load_run_model. The run itself is not changed. Raises ConfigError for an unknown rule or task, and for a
    summary without its model; StoreError for a run without thinking that could be shortened; GaveUp if request after request
    fails.

    Example: prune_run(Path("runs/mine"), ["no-repeats", "first:8"]).rows
    """
    asked = parse_rules(rules)
    _check_summary(asked, summary)
    stamp = stamp_samples(directory)
    with RunReader(directory) as run:
        loaded = load_run_model(run, changes)
        model, identity = load_summarizer(summary) if summary else (None, {})
        label = label_of(summary, identity) if summary else ""
        questions, skipped = choose_questions(run, tasks, limit), Counter[str]()
        _check_any(run, questions, skipped, samples)
        with DiagnosisFolder(out or directory / PLACE, KIND, _settings(run, loaded)) as folder:
            folder.keep_golds(questions.values())
            if summary:
                folder.about.setdefault("summarizers", {})[label] = {**summary.record(), **identity}
            named = {label if rule.name == SUMMARY else rule.name: rule for rule in asked}
            work = Work(run, loaded, folder, questions, named, quiet, samples)
            if summary:
                asyncio.run(summarise_all(work, label, summary, model))
            asyncio.run(answer_all(work))
            made_with = {"tasks": list(tasks), "limit": limit, "samples": samples}
            return _finish(work, skipped, stamp, made_with)


def _finish(work: Work, skipped: Counter[str], stamp: Mapping[str, Any], choice: Mapping[str, Any]) -> Pruned:
    """The tables are written; the diagnosis is complete if nothing is owed. choice is what of the run was asked for."""
    manifest, folder = work.run.manifest, work.folder
    tasks = {name: read_task(entry) for name, entry in manifest["tasks"].items()}
    clusters = global_clusters(work.run.questions, tasks)
    collected = collect_outcomes(work.candidates(), read_journal(folder), work.rules, clusters)
    rows = summarise_outcomes(collected.outcomes)
    summarizers = folder.about.get("summarizers", {})
    part = tell_part(work.run, len(work.questions), choice["tasks"], choice["limit"], choice["samples"])
    part = " ".join(filter(None, (part, tell_rest(folder, work.questions, choice["samples"]))))
    told = Told(skipped, summarizers, _graders(work), manifest["engine"]["name"], work.loaded.config.backend, part)
    write_pruning(folder, collected, rows, told)
    n_owed = collected.owed.total()
    if not n_owed:
        shown = dict.fromkeys([*work.rules, *(row.rule for row in rows)])
        names = [SUMMARY if name.startswith(f"{SUMMARY}:") else name for name in shown]
        folder.finish(skipped, samples=stamp, made_with={**choice, "rules": list(dict.fromkeys(names))})
    last = work.errors[-1] if work.errors else ""
    return Pruned(folder.path, collected, rows, dict(skipped), n_owed, last)


def _graders(work: Work) -> tuple[str, ...]:
    """The versions of the graders of the run's own verdicts."""
    found: set[str] = set()
    for key in work.questions:
        records = [stored for _, stored in work.run.records(key)]
        found |= {*grader_versions(records, work.run.layers, work.run.manifest["sessions"])}
    return tuple(sorted(found))


def _check_summary(asked: Sequence[Rule], summary: SummarySettings | None) -> None:
    wants = any(rule.name == SUMMARY for rule in asked)
    if wants and summary is None:
        raise ConfigError("--by summary names no model. Pass --summarizer MODEL.")
    if summary is not None and not wants:
        raise ConfigError("--summarizer has no effect without --by summary. Add it, or leave the summarizer out.")


def _settings(run: RunReader, loaded: RunModel) -> dict[str, Any]:
    """What every answer depends on, whatever the rule."""
    config = loaded.config
    return {
        "protocol_digest": run.manifest["protocol_digest"],
        "seed": config.seed,
        "backend": config.backend,
        "backend_args": config.backend_args,
        "grader_version": GRADER_VERSION,
    }


def _check_any(run: RunReader, questions: Mapping[QuestionKey, Question], skipped: Counter[str], samples: int | None) -> None:
    """Raises StoreError if no thinking can be shortened. skipped counts those that cannot."""
    if not sum(1 for _ in read_candidates(run, questions, skipped, samples)):
        told = "; ".join(f"{reason}: {n:,}" for reason, n in skipped.items()) or "it has none at all"
        raise StoreError(
            f"{run.directory} has no thinking that can be shortened ({told}). Prune a run whose samples think, at a "
            "budget that lets them end."
        )
