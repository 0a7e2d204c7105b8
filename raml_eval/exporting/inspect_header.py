"""What an Inspect log says about one task at one budget as a whole: the spec, the results with their intervals, the times."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import pandas as pd

from raml_eval.exporting.inspect_samples import INSPECT, digest, mean_values, usage_of, without_none
from raml_eval.exporting.libraries import need
from raml_eval.intervals.clusters import sum_by_cluster
from raml_eval.store.portable import PREFIX, encode_text
from raml_eval.tables import Measure, describe_engine, question_values
from raml_eval.types import Budget, QuestionCounts, SampleRecord, StoredRun, TaskDescription

AVERAGE = "avg@n"


def build_spec(run: StoredRun, task: TaskDescription, budget: Budget, header: Mapping[str, Any]) -> Any:
    """The EvalSpec: the task, its data, the model, how tokens were drawn, and the software that drew them."""
    log, model = need("inspect_ai.log", *INSPECT), need("inspect_ai.model", *INSPECT)
    manifest, asked = run.manifest, [one for of, one in run.questions if of == task.name]
    limit, commit = manifest["plan"]["limit"], manifest.get("git_commit")
    return log.EvalSpec(
        eval_id=log_id(run, task.name, budget),
        run_id=run_id(run),
        created=manifest.get("created") or "1970-01-01T00:00:00+00:00",
        task=task.name,
        task_id=log_id(run, task.name, budget),  # the viewer hides logs of one id but the last, as retries
        task_version=task.version,
        task_display_name=f"{task.name}, thinking {budget}",
        task_args={"thinking_budget": budget},
        task_args_passed={"thinking_budget": budget},
        tags=tags_of(run, budget),
        dataset=log.EvalDataset(
            name=task.dataset or task.name, location=task.source or None, samples=len(asked), sample_ids=asked, shuffled=False
        ),
        model=run.model,
        model_generate_config=model.GenerateConfig(**sampling_of(run, budget)),
        config=log.EvalConfig(epochs=run.n_samples, epochs_reducer=["mean"], limit=limit),
        revision=log.EvalRevision(type="git", origin="", commit=commit) if commit else None,
        packages={**manifest.get("versions", {}), "inspect_ai": metadata.version("inspect_ai")},
        scorers=[{"name": task.grader}, {"name": "status"}],
        metadata={**about_run(run, task, budget), f"{PREFIX}run": encode_text(header)},
    )


def run_id(run: StoredRun) -> str:
    """What the logs of one run share."""
    return digest(run.name, run.manifest.get("created"), run.manifest.get("protocol_digest"))


def log_id(run: StoredRun, task: str, budget: Budget) -> str:
    """What tells the logs of one run apart."""
    return digest(run_id(run), task, type(budget).__name__, budget)


def tags_of(run: StoredRun, budget: Budget) -> list[str]:
    """Tags to filter by. Results that mean nothing about a model are marked."""
    made_up = run.manifest.get("engine", {}).get("name") == "fake" and run.imported is None
    return ["raml_eval", f"budget:{budget}", *(["made-up:fake-engine"] if made_up else [])]


def about_run(run: StoredRun, task: TaskDescription, budget: Budget) -> dict[str, Any]:
    """What a viewer shows of the run."""
    return without_none(
        run=run.name,
        thinking_budget=budget,
        all_budgets=list(run.budgets),
        domain=task.domain,
        grader=task.grader,
        graders=list(run.grader_versions) or None,
        chance=task.chance,
        licence=task.licence or None,
        engine=describe_engine(run),
        protocol_digest=run.manifest.get("protocol_digest"),
        fingerprint=run.manifest.get("model", {}).get("fingerprint"),
        checkpoint=run.manifest.get("model", {}).get("checkpoint"),
        config=encode_text(run.manifest.get("config", {})),
    )


def sampling_of(run: StoredRun, budget: Budget) -> dict[str, Any]:
    """The fields of Inspect's GenerateConfig that the run fixes. Filters that are off are left out."""
    protocol = run.manifest.get("protocol", {})
    found = {**run.manifest.get("config", {}).get("sampling", {}), **protocol.get("sampling", {})}
    extra = without_none(
        min_p=found.get("min_p") or None,
        repetition_penalty=None if found.get("repetition_penalty") == 1 else found.get("repetition_penalty"),
    )
    return without_none(
        temperature=found.get("temperature"),
        top_p=found.get("top_p"),
        top_k=found.get("top_k") or None,
        seed=found.get("seed"),
        max_tokens=protocol.get("answer_tokens"),
        reasoning_tokens=budget if isinstance(budget, int) else None,
        extra_body=extra or None,
    )


def build_results(
    task: TaskDescription, rows: pd.DataFrame, counts: Sequence[QuestionCounts], records: Sequence[SampleRecord], planned: int
) -> Any:
    """The EvalResults with every number of the tidy frame for this task and budget, each with its interval and its method.

    accuracy is avg@n, and stderr its cluster-robust standard error; the other metrics have theirs in their metadata.
    """
    log = need("inspect_ai.log", *INSPECT)
    metrics, absent = {}, {}
    for row in rows.to_dict("records"):
        measure = _measure(row)
        if math.isnan(row["value"]):
            absent[measure.name] = str(row["method"])
            continue
        spread = _standard_error(measure, row, counts)
        metrics[measure.name] = log.EvalMetric(
            name=measure.name,
            value=row["value"],
            params=without_none(k=measure.k, tau=measure.tau),
            metadata=_interval(row) | without_none(stderr=spread),
        )
    if AVERAGE in metrics:
        whole = metrics[AVERAGE]
        stderr = (whole.metadata or {}).get("stderr")
        more = {} if stderr is None else {"stderr": log.EvalMetric(name="stderr", value=stderr)}
        metrics = {"accuracy": whole.model_copy(update={"name": "accuracy"}), **more, **metrics}
    score = log.EvalScore(
        name=task.grader,
        scorer=task.grader,
        scored_samples=len({record.key.question_id for record in records}),
        unscored_samples=0,
        metrics=metrics,
        metadata={"not_given": absent} if absent else None,
    )
    return log.EvalResults(
        total_samples=planned,
        completed_samples=len(records),
        scores=[score],
        headline=log.HeadlineMetric(scorer=task.grader, metric="accuracy") if metrics else None,
    )


def _measure(row: Mapping[Any, Any]) -> Measure:
    k, tau = (None if pd.isna(row[name]) else row[name] for name in ("k", "tau"))
    bounds = None if row["metric"].endswith("_mean") else (0.0, 1.0)
    return Measure(row["metric"], None if k is None else int(k), tau, bounds)


def _interval(row: Mapping[Any, Any]) -> dict[str, Any]:
    ends = {name: row[name] for name in ("low", "high") if not math.isnan(row[name])}
    return {**ends, "method": row["method"], "n_questions": int(row["n_questions"])}


def _standard_error(measure: Measure, row: Mapping[Any, Any], counts: Sequence[QuestionCounts]) -> float | None:
    """The cluster-robust standard error of a mean over questions; None for a number without an interval."""
    if math.isnan(row["low"]):
        return None
    drawn = counts if measure.k else [one for one in counts if one.n]
    values = question_values(drawn, measure)
    return sum_by_cluster(values, [one.cluster for one in drawn], measure.bounds).standard_error


def build_reductions(task: TaskDescription, records: Sequence[SampleRecord]) -> list[Any]:
    """The mean over the samples of each question, as Inspect stores it beside the samples."""
    log = need("inspect_ai.log", *INSPECT)
    scores = [log.EvalSampleScore(value=value, sample_id=one) for one, value in mean_values(records).items()]
    return [log.EvalSampleReductions(scorer=task.grader, reducer="mean", samples=scores)]


def build_stats(run: StoredRun, records: Sequence[SampleRecord]) -> Any:
    """When the run was drawn, and the tokens of the log's samples; samples whose tokens are not known add none."""
    log, model = need("inspect_ai.log", *INSPECT), need("inspect_ai.model", *INSPECT)
    sessions, total = run.manifest["sessions"], model.ModelUsage()
    for record in records:
        total = total + (usage_of(record) or model.ModelUsage())
    times = (
        {"started_at": sessions[0].get("started") or "", "completed_at": sessions[-1].get("ended") or ""} if sessions else {}
    )
    return log.EvalStats(**times, model_usage={run.model: total})
