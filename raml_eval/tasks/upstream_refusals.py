"""Which tasks of lm-eval cannot be used here, and why; and which of a task's numbers is its score."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.errors import TaskError
from raml_eval.tasks.catalogue import tasks_dir
from raml_eval.tasks.rules import LIST_FILTERS
from raml_eval.tasks.task_file import FunctionName, functions_in, read_task_file
from raml_eval.tasks.upstream_index import Index

# The metrics that lm-eval computes over all answers at once; a single answer has none.
CORPUS_METRICS = ("bleu", "brier_score", "chrf", "chrf++", "f1", "mcc", "perplexity", "ter")
# The only metric of lm-eval's own for generated texts that has a value for each answer. Others by name come from the hub.
OWN_METRICS = ("exact_match", "bypass")
MEANS = ("mean", "nanmean", None)  # None: the metric's own, which is the mean for exact_match
# The tasks whose first metric is not the one that reads an answer in a box: exact_match of minerva_math wants the sentence
# "Final Answer: The final answer is ... I hope it is correct." of its examples.
PRIMARY_METRICS = {"minerva_math": "math_verify"}
_GENERATIVE = ("_generative", "_gen", "_generate_until", "_cot_zeroshot", "_cot", "_zeroshot_cot", "_chat", "_instruct")
_ENDINGS = re.compile(
    r"(_zeroshot|_n_shot|_mc\d?|_multiple_choice|_0shot|_fewshot|_self_consistency|_chat|_instruct|_llama|_\d+)+$"
)
_MOST_CANDIDATES = 24


@dataclass(frozen=True, slots=True)
class Primary:
    """The filter and the metric whose value is a task's score."""

    filter: str
    metric: str


def find_primary(name: str, config: Mapping[str, Any]) -> Primary:
    """The task's primary pair. lm-eval reports all pairs and names none as the one that counts.

    The metric is the first of metric_list, but for PRIMARY_METRICS. The filter is the first whose name says that it is
    flexible, otherwise the first: a strict filter wants the wording of the few-shot examples.
    """
    metrics = _metrics(config)
    chosen = next((metric for start, metric in PRIMARY_METRICS.items() if name.startswith(start)), None)
    named = [_metric_name(metric) for metric in metrics]
    metric = chosen if chosen is not None and chosen in named else named[0]
    pipelines = [str(pipeline["name"]) for pipeline in config.get("filter_list") or []] or ["none"]
    return Primary(next((one for one in pipelines if "flexible" in one), pipelines[0]), metric)


def refusal_of(config: Mapping[str, Any]) -> str:
    """Why answers to this task cannot be drawn and scored one by one; empty if they can."""
    return next(_reasons(config), "")


def _reasons(config: Mapping[str, Any]) -> Iterator[str]:
    if "class" in config:
        yield "it is a task in Python code, whose prompts and graders cannot be read from its YAML"
        return
    output_type = config.get("output_type", "generate_until")
    if output_type != "generate_until":
        yield f"its output_type is {output_type}, which scores given continuations by likelihood, and nothing is generated"
    if config.get("doc_to_image") or config.get("doc_to_audio"):
        yield "it asks about images or sound, and only text is supported"
    if config.get("unsafe_code"):
        yield "its grader runs code that a model wrote, outside any sandbox (unsafe_code)"
    steps = [step for pipeline in config.get("filter_list") or [] for step in pipeline.get("filter") or []]
    named = [str(step.get("function")) for step in steps]
    for one in LIST_FILTERS:
        if one in named:
            yield f"its filter {one} merges several answers into one, but every sample is scored by itself"
    if config.get("gen_prefix"):
        yield "its gen_prefix writes the start of the answer, which leaves no place for thinking"
    if config.get("use_prompt"):
        yield "it takes its prompt from promptsource"
    yield from _metric_reasons(config)
    if where := _loads_metric(config):
        yield f"{where} loads a metric from the hub (evaluate.load), which is code from the network"


def _metric_reasons(config: Mapping[str, Any]) -> Iterator[str]:
    own_code = config.get("process_results") is not None
    metrics = _metrics(config)
    for metric in metrics:
        name = metric.get("metric")
        from_hub = not own_code and not isinstance(name, FunctionName) and name not in (*OWN_METRICS, *CORPUS_METRICS)
        if metric.get("hf_evaluate") or from_hub:
            yield f"its metric {name} is loaded from the hub (evaluate.load), which is code from the network"
    chosen = find_primary(str(config.get("task")), config).metric
    first = next(metric for metric in metrics if _metric_name(metric) == chosen)
    aggregation = first.get("aggregation")
    if isinstance(aggregation, FunctionName) or aggregation not in MEANS or (not own_code and chosen in CORPUS_METRICS):
        yield f"its metric {chosen} is computed over all answers at once ({aggregation}), so that a single answer has no score"
    if first.get("higher_is_better") is False:
        yield f"its metric {chosen} is better when it is lower, so that no value of it means correct"
    if chosen in ("bypass", "bleu_max") or chosen.endswith("_perplexity"):
        yield f"its metric {chosen} is no share between 0 and 1"


def _metrics(config: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """metric_list, or what lm-eval takes without one."""
    return list(config.get("metric_list") or [{"metric": "exact_match", "aggregation": "mean"}])


def _metric_name(metric: Mapping[str, Any]) -> str:
    """The name under which lm-eval reports a metric: of a function, its own."""
    name = metric.get("metric")
    return name.rpartition(".")[2] if isinstance(name, FunctionName) else str(name)


def _loads_metric(config: Mapping[str, Any]) -> str:
    """The module beside the YAML that loads a metric from the hub; empty if none does."""
    for function in functions_in(config):
        beside = function.beside
        if beside.is_file() and re.search(r"\bevaluate\.load\(|\bload_metric\(", beside.read_text(encoding="utf-8")):
            return beside.name
    return ""


def alternatives_to(name: str, index: Index, folder: Path) -> str:
    """A sentence with up to three usable tasks that ask the same by generation; empty if none is found."""
    stem = _ENDINGS.sub("", name)
    found = []
    if (tasks_dir() / stem).is_dir():
        found.append(f"{stem} (this package's own)")
    candidates = [one for one in index if (one == stem or one.startswith(f"{stem}_")) and one != name]
    candidates.sort(key=lambda one: (not any(mark in one.removeprefix(stem) for mark in _GENERATIVE), len(one), one))
    for one in candidates[:_MOST_CANDIDATES]:
        if len(found) < 3 and _is_usable(one, index, folder):
            found.append(f"lm_eval:{one}")
    return f" Use {' or '.join(found)}." if found else ""


def _is_usable(name: str, index: Index, folder: Path) -> bool:
    """Whether the task, or the first task of the group, is not refused."""
    entry = index.get(name)
    for _ in range(8):  # groups in groups
        if entry is None or entry.changes or entry.kind == "python":
            return False
        if entry.kind == "task":
            break
        entry = index.get(entry.members[0]) if entry.members else None
    if entry is None or entry.output_type != "generate_until":
        return False
    try:
        return not refusal_of(read_task_file(folder / entry.path, strict=False).config)
    except TaskError:
        return False
