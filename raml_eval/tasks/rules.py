"""The rules that a task or suite YAML must satisfy before this harness can run it: pure functions of the merged keys."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any, get_args

from raml_eval.budgets import parse_budgets
from raml_eval.errors import ConfigError, near_names
from raml_eval.metric_names import EXAMPLES, split_metric
from raml_eval.plugins import GRADERS, plugin_names
from raml_eval.tasks.task_file import TaskFile, TaskTests
from raml_eval.types import Budget, Domain, GraderKind, Primary, Redistribute
from raml_eval.window import is_date

REQUIRED_FIELDS = ("domain", "grader", "answer_format", "source", "licence", "revision")
OPTIONAL_FIELDS = ("chance", "cluster", "family", "perturbs", "stratum", "date", "options", "tests", "redistribute")
MADE_FIELDS = ("overrides",)  # those that a source may state beside them
SUITE_KEYS = ("group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag")
SUITE_FIELDS = ("about", "primary")
PRIMARY_FIELDS = ("metric", "budget")
RESERVED_NAMES = ("macro",)
# These merge all answers to a question into one. Here every sample is graded, and maj@k is a metric.
LIST_FILTERS = ("majority_vote", "take_first_k")

# key -> the reason why a task that has it is refused
_REFUSED_KEYS = {
    "class": "is a task in Python code, whose prompts and targets cannot be read; write them as YAML",
    "gen_prefix": "writes the start of the answer, which leaves no place for thinking; remove it",
    "doc_to_image": "asks about images, and only text is supported",
    "doc_to_audio": "asks about sound, and only text is supported",
    "use_prompt": "takes its prompt from promptsource; write doc_to_text and doc_to_target",
}


def find_task_problems(file: TaskFile) -> list[str]:
    """Every reason why this task cannot be run here, as sentences that say what to do; empty if it can be run."""
    config = file.config
    problems = [f"{key} {reason}." for key, reason in _REFUSED_KEYS.items() if config.get(key)]
    if config.get("unsafe_code") and raml_of(config).get("grader") != "code":
        problems.append("unsafe_code runs code that a model wrote outside any sandbox; give its tests to the grader code.")
    output_type = config.get("output_type", "generate_until")
    if output_type != "generate_until":
        problems.append(
            f"output_type is {output_type}, which scores given continuations; samples need output_type: generate_until."
        )
    problems += [
        f"the filter {name} merges several answers into one, but every sample is graded by itself; remove it."
        for name in LIST_FILTERS
        if name in _filter_names(config)
    ]
    if "class" not in config:
        problems += [f"{key} is missing." for key in ("doc_to_text", "doc_to_target") if config.get(key) is None]
        if not (config.get("dataset_path") or config.get("custom_dataset")):
            problems.append("dataset_path is missing: name a data set on the hub, or a loader as custom_dataset.")
        if not split_of(config):
            problems.append("test_split is missing: name the split that holds the questions.")
        others = [config.get(key) for key in ("fewshot_split", "training_split", "validation_split")]
        if config.get("num_fewshot") and not any(others) and not (config.get("fewshot_config") or {}).get("samples"):
            problems.append(
                f"num_fewshot is {config['num_fewshot']}, and the examples would come from the questions themselves, so that a "
                "prompt may hold its own answer; name a fewshot_split."
            )
    return (
        problems
        + name_problems(file.name)
        + _generation_problems(config)
        + _metadata_problems(config, MADE_FIELDS if file.made else ())
    )


def name_problems(name: str) -> list[str]:
    """Why a task cannot have this name, as a sentence; empty if it can."""
    if name in RESERVED_NAMES:
        return [f"its name is {name!r}, which tables give to the mean over tasks; choose another."]
    if not name.strip() or re.search(r"[\s,/]", name):
        return [f"its name is {name!r}; a name has no space, comma or slash, so that commands and files can hold it."]
    return []


def _generation_problems(config: Mapping[str, Any]) -> list[str]:
    problems = []
    target = config.get("doc_to_target")
    shown_only = raml_of(config).get("grader") == "task_rule"  # a rule decides what is right
    if isinstance(target, int | float) and config.get("doc_to_choice") is None and not shown_only:
        problems.append(
            f"doc_to_target is the number {target}, which would be the target of every question; name a column, or write a "
            "template."
        )
    arguments = config.get("generation_kwargs")
    until = arguments.get("until") if isinstance(arguments, Mapping) else None
    if arguments is not None and not isinstance(arguments, Mapping):
        problems.append(f"generation_kwargs is {arguments!r}; it must be a mapping such as {{until: []}}.")
    elif until is not None and not (
        (isinstance(until, str) and until)
        or (isinstance(until, list) and all(isinstance(text, str) and text for text in until))
    ):
        problems.append(
            f"generation_kwargs.until is {until!r}; it must be a list of texts that are not empty; write until: [] for none."
        )
    return problems


def find_suite_problems(file: TaskFile) -> list[str]:
    """Every reason why this group cannot be read as a suite. Whether its members exist is checked elsewhere."""
    config = file.config
    problems = [
        f"the key {key} would change every member of the group; put it into the tasks." + near_names(key, SUITE_KEYS)
        for key in config
        if key not in SUITE_KEYS
    ]
    members = members_of(config)
    if not members:
        problems.append("task is missing or empty: list the names of the tasks.")
    problems += [
        f"the member {member} is not a plain name; an override makes another task, so write it as a YAML of its own."
        for member in members
        if not isinstance(member, str)
    ]
    return problems + _primary_problems(raml_of(config))


def primary_of(config: Mapping[str, Any]) -> Primary | None:
    """The primary endpoint that a suite declares; None if it declares none. Check the suite with find_suite_problems first.

    Example: primary_of({"metadata": {"raml": {"primary": {"metric": "avg@n", "budget": 512}}}}) == Primary("avg@n", 512)
    """
    declared = raml_of(config).get("primary")
    if not isinstance(declared, Mapping):
        return None
    budget = _primary_budget(declared["budget"])
    assert budget is not None
    return Primary(str(declared["metric"]), budget)


def _primary_problems(raml: Mapping[str, Any]) -> list[str]:
    problems = [
        f"metadata.raml.{name} is not a field of a suite; the fields are {', '.join(SUITE_FIELDS)}."
        + near_names(str(name), SUITE_FIELDS)
        for name in raml
        if name not in SUITE_FIELDS
    ]
    if not isinstance(raml.get("about", ""), str):
        problems.append(f"metadata.raml.about is {raml['about']!r}; it must be a text.")
    if "primary" not in raml:
        return problems
    declared = raml["primary"]
    if not isinstance(declared, Mapping) or set(declared) != set(PRIMARY_FIELDS):
        met = ", ".join(map(str, declared)) if isinstance(declared, Mapping) else repr(declared)
        return [*problems, f"metadata.raml.primary is {met}; it must be {{metric: avg@n, budget: unlimited}}, with these keys."]
    metric = declared["metric"]
    if not isinstance(metric, str) or split_metric(metric) is None:
        problems.append(
            f"metadata.raml.primary.metric is {metric!r}; it must be one such as {', '.join(EXAMPLES)}."
            + near_names(str(metric), EXAMPLES)
        )
    if _primary_budget(declared["budget"]) is None:
        problems.append(
            f"metadata.raml.primary.budget is {declared['budget']!r}; it must be unlimited, a number of tokens or off."
        )
    return problems


def _primary_budget(declared: Any) -> Budget | None:
    """The budget if it is unlimited, a number of tokens or off; None for anything else. YAML reads a bare off as false."""
    try:
        budgets = parse_budgets(declared) if isinstance(declared, str | int) else []
    except ConfigError:
        return None
    plain = [budget for budget in budgets if isinstance(budget, int) or budget in ("unlimited", "off")]
    return plain[0] if len(plain) == len(budgets) == 1 else None


def members_of(config: Mapping[str, Any]) -> list[Any]:
    """The members of a group as written. A single name may be written without a list.

    Example: members_of({"group": "mine", "task": "gsm8k"}) == ["gsm8k"]
    """
    members = config.get("task") or []
    return members if isinstance(members, list) else [members]


def tags_of(config: Mapping[str, Any]) -> list[str]:
    """The tags of a task. A single one may be written without a list.

    Example: tags_of({"task": "gsm8k", "tag": "math"}) == ["math"]
    """
    tags = config.get("tag") or []
    return [str(tag) for tag in (tags if isinstance(tags, list) else [tags])]


def split_of(config: Mapping[str, Any]) -> str:
    """The split that lm-eval evaluates: test_split, otherwise validation_split, otherwise empty."""
    return str(config.get("test_split") or config.get("validation_split") or "")


def raml_of(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The mapping under metadata.raml; empty if there is none."""
    metadata = config.get("metadata")
    raml = metadata.get("raml") if isinstance(metadata, Mapping) else None
    return raml if isinstance(raml, Mapping) else {}


def _filter_names(config: Mapping[str, Any]) -> set[str]:
    pipelines = config.get("filter_list")
    if not isinstance(pipelines, list):
        return set()
    steps = [step for pipeline in pipelines if isinstance(pipeline, Mapping) for step in pipeline.get("filter") or []]
    return {str(step.get("function")) for step in steps if isinstance(step, Mapping)}


def _metadata_problems(config: Mapping[str, Any], more: tuple[str, ...]) -> list[str]:
    raml = raml_of(config)
    if not raml:
        wanted = ", ".join(REQUIRED_FIELDS)
        return [f"metadata.raml is missing: add metadata: {{version: 1, raml: {{...}}}} with the fields {wanted}."]
    problems = [f"metadata.raml.{name} is missing." for name in REQUIRED_FIELDS if raml.get(name) in (None, "")]
    known = REQUIRED_FIELDS + OPTIONAL_FIELDS + more
    problems += [
        f"metadata.raml.{name} is not a field; the fields are {', '.join(known)}." + near_names(str(name), known)
        for name in raml
        if name not in known
    ]
    if config["metadata"].get("version") is None:
        problems.append("metadata.version is missing: start with version: 1 and raise it with every change of a score.")
    problems += [
        f"metadata.raml.{name} is {raml[name]!r}; it must be one of {', '.join(wanted)}."
        for name, wanted in (("domain", get_args(Domain)), ("grader", (*get_args(GraderKind), *plugin_names(GRADERS))))
        if raml.get(name) is not None and raml[name] not in wanted
    ]
    return problems + _value_problems(config, raml)


def _value_problems(config: Mapping[str, Any], raml: Mapping[str, Any]) -> list[str]:
    problems = []
    chance = raml.get("chance")
    if chance is not None and not (isinstance(chance, (int, float)) and 0 <= chance < 1):
        problems.append(f"metadata.raml.chance is {chance!r}; it must be a number from 0 up to, not including, 1.")
    problems += [
        f"metadata.raml.{name} is {raml[name]!r}; it must name a column."
        for name in ("cluster", "stratum", "date")
        if raml.get(name) is not None and not isinstance(raml[name], str) and not (name == "date" and is_day(raml[name]))
    ]
    date = raml.get("date")
    if isinstance(date, str) and date[:1].isdigit() and not is_date(date):
        problems.append(f"metadata.raml.date is {date!r}; it must be a day such as 2025-02-15, a month, or a column's name.")
    problems += _catalogue_problems(raml)
    if raml.get("grader") == "label" and not raml.get("options"):
        problems.append("metadata.raml.options is missing: list the labels that an answer is one of, or name their column.")
    if raml.get("tests") is not None and not isinstance(raml["tests"], str | TaskTests):
        problems.append(f"metadata.raml.tests is {raml['tests']!r}; it must name a column, or a function by !function.")
    if raml.get("grader") in ("code", "task_rule") and raml.get("tests") is None:
        problems.append("metadata.raml.tests is missing: name the column or the !function that gives the tests to run.")
    if "options" in raml and not isinstance(raml["options"], (str, list)):
        problems.append(f"metadata.raml.options is {raml['options']!r}; it must name a column or list the option texts.")
    if isinstance(raml.get("options"), list) and any(isinstance(option, bool) for option in raml["options"]):
        problems.append("metadata.raml.options holds true or false; YAML reads bare yes and no as these, so quote the words.")
    arguments = config.get("dataset_kwargs") or {}
    fetched = arguments.get("revision", "main") if isinstance(arguments, Mapping) else "main"
    if config.get("dataset_path") and raml.get("revision") not in (None, fetched):
        problems.append(
            f"metadata.raml.revision is {raml['revision']!r}, but dataset_kwargs.revision fetches {fetched!r}; make them equal."
        )
    return problems


def _catalogue_problems(raml: Mapping[str, Any]) -> list[str]:
    problems = []
    family = raml.get("family")
    if family is not None and not (isinstance(family, str) and raml.get("cluster")):
        problems.append(
            f"metadata.raml.family is {family!r}; it must be a name, and needs a cluster, which the tasks of one family share."
        )
    perturbs = raml.get("perturbs")
    if perturbs is not None and not (isinstance(perturbs, str) and family):
        problems.append(f"metadata.raml.perturbs is {perturbs!r}; it must name the original task, which has the same family.")
    if "redistribute" in raml and redistribute_of(raml) is None:
        wanted = ", ".join(get_args(Redistribute))
        problems.append(f"metadata.raml.redistribute is {raml['redistribute']!r}; it must be one of {wanted}.")
    return problems


def redistribute_of(raml: Mapping[str, Any]) -> Redistribute | None:
    """Whether the rows may be passed on; None if that is not said, or in no known word. YAML reads a bare yes as true."""
    words: Mapping[Any, Redistribute] = {True: "yes", False: "no", "yes": "yes", "no": "no", "non_commercial": "non_commercial"}
    said = raml.get("redistribute")
    return words.get(said) if isinstance(said, str | bool) else None


def is_day(value: Any) -> bool:
    """True for what YAML makes of a bare 2025-02-15."""
    return isinstance(value, datetime.date) and not isinstance(value, datetime.datetime)
