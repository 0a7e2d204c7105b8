"""What a report.yaml asks of runs, held against what they have: whatever would be left out in silence is an error or a note."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from raml_eval.errors import ConfigError, near_names
from raml_eval.reporting.reports.definition import Definition, Part
from raml_eval.reporting.reports.material import KNOWN, NUMBERS, OWN, PARADIGMS, Material, as_number, matches, told_value
from raml_eval.tables import budget_label, has_sweep, same_directory
from raml_eval.types import StoredRun

ALL = "all"


def check_definition(definition: Definition, material: Material) -> None:
    """Raises ConfigError for a key, value, task, axis or base in the report that none of the runs could ever fill.

    The error names the field of the report.yaml, the value met, what there is, and what to do.
    """
    _check_others(definition, material)
    for field, wanted in _choices(definition):
        _check_choice(material, field, wanted)
    if definition.order:
        _check_key(material, "order", definition.order)
    for part in definition.parts:
        where = part.place
        if part.part != "published":
            _check_tasks(material, where, part.tasks)
        if part.part == "trend" or any(claim.test == "rises" for claim in part.claims):
            _check_axis(material, where, part.x)
        if part.part == "trend" and part.group:
            _check_key(material, f"{where}: group", part.group)


def _check_others(definition: Definition, material: Material) -> None:
    base = material.base
    if definition.base == "required" and base is not None and all(same_directory(run, base) for run in material.runs):
        raise ConfigError(
            f"this report holds runs against the base {base.name}, and no other run is given. Name at least one beside it."
        )


def _choices(definition: Definition) -> Iterator[tuple[str, Mapping[str, Sequence[object]]]]:
    yield "runs", definition.runs
    for part in definition.parts:
        for choice in (part.choice, *(claim.choice for claim in part.claims)):
            yield f"{part.place}: where", choice


def _check_choice(material: Material, field: str, wanted: Mapping[str, Sequence[object]]) -> None:
    for key, values in wanted.items():
        _check_key(material, field, key)
        if key == "paradigm" and (wrong := [str(value) for value in values if value not in PARADIGMS]):
            near = near_names(wrong[0], PARADIGMS)
            raise ConfigError(
                f"{field} has the paradigm {wrong[0]!r}.{near} There are {', '.join(PARADIGMS)}. Correct the report."
            )
        if field == "runs" or key in OWN:
            _check_values(material, field, key, values)


def _check_values(material: Material, field: str, key: str, values: Sequence[object]) -> None:
    """Raises ConfigError for a value that no run has, but for one of the paradigms that a report may be about."""
    told = _told(material, key)
    lacking = [str(value) for value in values if str(told_value(key, value)) not in told]
    none = len(lacking) == len(values)
    if not none and (not lacking or key == "paradigm"):
        return
    near = near_names(lacking[0], told) if lacking else ""
    asked = f"only those with {key} {' or '.join(lacking)}" if none else f"those with {key} {lacking[0]}, and no run is one"
    tell = "" if key in OWN else f", or tell what the runs are with --about RUN:{key}=VALUE"
    raise ConfigError(f"{field} takes {asked}.{near} These have {', '.join(told) or 'none'}. Correct the report{tell}.")


def _told(material: Material, key: str) -> list[str]:
    """The values of the key in the runs, as texts."""
    values = (material.facts(label).get(key) for label in material.labels)
    return list(dict.fromkeys(str(value) for value in values if value is not None))


def _check_key(material: Material, field: str, key: str) -> None:
    """Raises ConfigError for a key that reports do not know by name and no run tells."""
    known = [*KNOWN, *OWN, *(key for about in material.about.values() for key in about)]
    if key not in known:
        raise ConfigError(
            f"{field} names {key!r}, which no run tells.{near_names(key, known)} There are {_listed(known)}. Correct the "
            f"report, or tell it with --about RUN:{key}=VALUE."
        )


def _check_tasks(material: Material, where: str, tasks: Sequence[str]) -> None:
    there = [task for run in material.runs for task in run.tasks]
    if ALL in tasks and len(tasks) > 1:
        raise ConfigError(f"{where} has tasks {', '.join(tasks)}: all stands for every task. Name it alone, or leave it out.")
    if lacking := [task for task in tasks if task not in there and task != ALL]:
        raise ConfigError(
            f"{where} has the task {lacking[0]!r}, which no run has.{near_names(lacking[0], there)} There are "
            f"{_listed(there)}. Correct the report, or add a run of the task."
        )


def _check_axis(material: Material, where: str, x: str) -> None:
    """Raises ConfigError for an axis that nobody knows, and for a value on it that is no finite number."""
    _check_key(material, f"{where}: x", x)
    if x in OWN or (x in KNOWN and x not in NUMBERS):
        every = {key: about[key] for about in material.about.values() for key in about if key not in (*KNOWN, *OWN)}
        more = (key for key, value in every.items() if as_number(value) is not None)
        raise ConfigError(f"{where}: x is {x!r}, which is no number; wanted a key that is one: {_listed((*NUMBERS, *more))}.")
    for label, about in material.about.items():
        if (value := about.get(x)) is not None and as_number(value) is None:
            raise ConfigError(
                f"{where}: x is {x}, and {label} tells {value!r:.60}; wanted a finite number. Correct it in the "
                f"report with another x, or tell it with --about {label}:{x}=NUMBER."
            )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def runs_left_out(material: Material, place: str, shown: Collection[str], why: Callable[[str], str]) -> tuple[str, ...]:
    """The notes on those runs of the report that a part shows no row of; why says it of a label.

    Example: "p, q are left out of part 2 (trend): no step is told"
    """
    found: dict[str, list[str]] = {}
    for label in material.labels:
        if label not in shown:
            found.setdefault(why(label), []).append(label)
    return tuple(
        f"{', '.join(labels)} {'is' if len(labels) == 1 else 'are'} left out of {place}: {text}"
        for text, labels in found.items()
    )


def without_row(material: Material, part: Part, shown: Collection[str]) -> tuple[str, ...]:
    """The notes on the runs that have no row in a part of chosen tasks and budgets."""

    def why(label: str) -> str:
        run = material.labels[label]
        if part.budgets and not set(part.budgets) & set(map(budget_label, run.budgets)):
            return not_at(run, part.budgets)
        if part.tasks and ALL not in part.tasks and not set(part.tasks) & set(run.tasks):
            return f"no task {' or '.join(part.tasks)} in it"
        return "no number of it"

    return runs_left_out(material, part.place, shown, why)


def not_at(run: StoredRun, budgets: Iterable[str]) -> str:
    """Why a run has no number at these budgets.

    Example: "drawn at 16, 64, not at unlimited"
    """
    return f"drawn at {_listed(map(budget_label, run.budgets))}, not at {_listed(budgets)}"


def why_left_out(material: Material, part: Part) -> str:
    """The note on a part that these runs do not fill, which is legitimate: a report may be made for more than one has.

    Example: "part 2 (trend) is left out: it needs runs with two values of step, and these tell none"
    """
    return f"{part.place} is left out: {_why(material, part)}"


def _why(material: Material, part: Part) -> str:
    match part.part:
        case "trend":
            chosen = [about for label, about in material.about.items() if matches(material, label, part.choice)]
            xs = list(dict.fromkeys(x for about in chosen if (x := as_number(about.get(part.x))) is not None))
            of = "".join(f" with {key} {' or '.join(map(str, values))}" for key, values in part.choice.items())
            if len(xs) > 1:
                return f"it needs runs{of} with two values of {part.x} at one thinking budget"
            return (
                f"it needs runs{of} with two values of {part.x}, and these tell {_listed(f'{x:g}' for x in xs) or 'none'}; it "
                f"stands in their checkpoint.yaml, or is told with --about"
            )
        case "budget_curve":
            return "it needs two thinking budgets"
        case "thinking" if not any(map(has_sweep, material.runs)):
            return "it needs two thinking budgets in tokens"
        case "stability_curve":
            return "it needs several samples per question, and a k above 1"
        case "generalization":
            return "it needs a base run (--base)"
        case "levels":
            return "it needs a base run (--base)" if material.base is None else "the shared tasks have no levels"
        case "comparison":
            return "it needs a base run (--base) and another run"
        case "heatmap":
            return "no run shares a task and a budget with the base" if material.numbers.has_gains else "no task has a number"
    return "these runs have no number of it"
