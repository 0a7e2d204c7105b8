"""Applies a gate to two runs: finds what each cell asks for, and refuses what was not compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from raml_eval.comparison.compare import compare_runs
from raml_eval.comparison.compared import Comparison
from raml_eval.comparison.endpoints import PrimaryEndpoint, choose_primary
from raml_eval.comparison.gate import CellValues, GateResult, Level, Rule, Uncompared, judge_gate
from raml_eval.comparison.pairs import Pairs, pair_runs
from raml_eval.comparison.protocols import check_protocols
from raml_eval.errors import ConfigError, MetricError, near_names
from raml_eval.gate_file import EVERY_TASK, GateCell, GateFile
from raml_eval.looks import check_looks
from raml_eval.tables import DOMAIN_MEANS, Measure, budget_label, parse_measure, suites_of
from raml_eval.types import Budget, StoredRun
from raml_eval.wording import count_noun

_SHOWN = 3  # cells of one reason that an error names


@dataclass(frozen=True, slots=True)
class Asked:
    """What one cell asks for. label names it in errors, by its number in the file."""

    label: str
    rule: Rule
    budget: Budget
    min_samples: int
    problems: tuple[str, ...] = ()


def compare_gated(
    base: StoredRun,
    new: StoredRun,
    gate: GateFile,
    *,
    metric: str | None = None,
    budget: str | None = None,
    margin: float | None = None,
    level: float | None = None,
    allow_different: Sequence[str] = (),
) -> tuple[Comparison, GateResult]:
    """The comparison and the gate's outcome. What is given takes the place of the gate's, allow_different adds to it.

    margin (a share) and level are those of the comparison, and never change a cell. Raises MetricError as compare_runs and
    judge_runs do, and if both runs are the same directory.
    """
    if base.directory.resolve() == new.directory.resolve():
        raise MetricError(
            f"gate {gate.name} got {base.directory} as base and as new run, and a run is as good as itself. Name two runs."
        )
    check_gate(gate)
    named = _named_primary(gate, metric, budget)
    allowed = (*gate.allow_different, *allow_different)
    comparison = compare_runs(
        base,
        new,
        **named,
        margin=gate.margin / 100 if margin is None else margin,
        level=gate.level if level is None else level,
        allow_different=allowed,
    )
    flags = [f"--{name} {value}" for name, value in (("metric", metric), ("budget", budget)) if value]
    if len(flags) < sum(value is not None for value in named.values()):
        source = " and ".join([*flags, f"gate {gate.name}"])
        comparison = replace(comparison, primary=replace(comparison.primary, source=source))
    return comparison, judge_runs(base, new, gate, metric=metric, budget=budget, allow_different=allow_different)


def judge_runs(
    base: StoredRun,
    new: StoredRun,
    gate: GateFile,
    *,
    metric: str | None = None,
    budget: str | None = None,
    allow_different: Sequence[str] = (),
    level: Level | None = None,
) -> GateResult:
    """The outcome of every cell of the gate. level is judge_gate's; it is given for a look at a run that is still drawn.

    Raises MetricError, which names every such cell, if a blocking cell's tasks or budget are not in both runs, if one run has
    questions of them that the other lacks, or if it has too few samples: what was not compared is no pass. At a look, the
    base has more questions. Raises MetricError as pair_runs, check_protocols and check_looks do, ConfigError for an unknown
    metric or a margin that does not fit it.
    """
    check_gate(gate)
    if level is None:
        check_looks(base, gated=False)
        check_looks(new, gated=True)
    pairs = pair_runs(base, new)
    check_protocols(base, new, pairs.tasks(), (*gate.allow_different, *allow_different))
    primary = choose_primary(pairs, **_named_primary(gate, metric, budget))
    cells, uncompared = collect_cells(gate, pairs, primary, whole=level is None)
    return replace(judge_gate(cells, gate.name, gate.level, level), uncompared=tuple(uncompared))


def check_planned(base: StoredRun, planned: StoredRun, gate: GateFile) -> None:
    """Raises as judge_runs, without an answer: planned has a new run's plan and protocol, and the base's samples.

    So a gate that these two could never be judged by is refused before a sample is drawn.
    """
    check_gate(gate)
    pairs = pair_runs(base, planned, planned=True)
    check_protocols(base, planned, pairs.tasks(), gate.allow_different, in_gate=True)
    collect_cells(gate, pairs, choose_primary(pairs, **_named_primary(gate, None, None)), whole=False)


def check_gate(gate: GateFile) -> None:
    """Raises ConfigError for an unknown metric, or a margin that does not fit its metric. No run is needed for that."""
    if gate.primary.metric is not None:
        _measure(gate, "primary", gate.primary.metric)
    for number, cell in enumerate(gate.cells, 1):
        if cell.metric is not None:
            _margin(gate, f"cell {number}", cell, _measure(gate, f"cell {number}", cell.metric))


def collect_cells(
    gate: GateFile, pairs: Pairs, primary: PrimaryEndpoint, whole: bool = True
) -> tuple[list[CellValues], list[Uncompared]]:
    """The values of each cell, in the order of the file, and the advisory cells that have none, with the reason.

    "*" gives a cell for each task of the base run. whole is true if both runs must have the same questions. Raises MetricError
    with every blocking cell that cannot be judged.
    """
    found: list[CellValues] = []
    uncompared: list[Uncompared] = []
    refused: list[tuple[Asked, str]] = []
    for number, cell in enumerate(gate.cells, 1):
        for asked in _ask(gate, number, cell, pairs, primary):
            problems, values = _collect(asked, pairs, whole)
            if values is not None:
                found.append(values)
            elif asked.rule.tier == "advisory":
                uncompared.append(Uncompared(asked.rule, "; ".join(problems)))
            else:
                refused.append((asked, "; ".join(problems)))
    if refused:
        n_blocking = len(refused) + sum(values.rule.tier == "blocking" for values in found)
        raise MetricError(
            f"gate {gate.name} cannot be judged, because {count_noun(len(refused), 'blocking cell')} of {n_blocking} cannot be "
            f"compared, and what was not compared is no pass: {' '.join(_by_reason(refused))} Draw what is missing, or change "
            f"the gate."
        )
    return found, uncompared


def _by_reason(refused: Sequence[tuple[Asked, str]]) -> list[str]:
    """A sentence for each reason, with the cells that have it."""
    reasons: dict[str, list[Asked]] = {}
    for asked, why in refused:
        reasons.setdefault(why, []).append(asked)
    told = []
    for why, members in reasons.items():
        numbers = list(dict.fromkeys(asked.label.removeprefix("cell ") for asked in members))
        names = "; ".join(asked.rule.name for asked in members[:_SHOWN])
        more = f"; and {len(members) - _SHOWN} more" if len(members) > _SHOWN else ""
        label = f"{'cell' if len(numbers) == 1 else 'cells'} {', '.join(numbers)}"
        told.append(_stopped(f"{label} ({names}{more}): {why}"))
    return told


def _stopped(text: str) -> str:
    return text if text.endswith(("?", ".")) else f"{text}."


def _named_primary(gate: GateFile, metric: str | None, budget: str | None) -> dict[str, str | None]:
    own = None if gate.primary.budget is None else budget_label(gate.primary.budget)
    return {"metric": metric or gate.primary.metric, "budget": budget or own}


def _measure(gate: GateFile, where: str, name: str) -> Measure:
    try:
        return parse_measure(name)
    except ConfigError as error:
        raise ConfigError(f"gate {gate.name}, {where}: {error}") from None


def _margin(gate: GateFile, where: str, cell: GateCell, measure: Measure) -> float:
    """The cell's margin in the measure's own units. Raises ConfigError if tokens have none, or a share one of 100 points."""
    if measure.bounds is None:
        if cell.margin is None:
            raise ConfigError(
                f"gate {gate.name}, {where}: {measure.name} is counted in tokens, and the gate's margin of {gate.margin:g} "
                f"points says nothing about tokens. Give the cell a margin in tokens, such as margin: 100."
            )
        return cell.margin
    margin = gate.margin if cell.margin is None else cell.margin
    if margin >= 100:
        raise ConfigError(
            f"gate {gate.name}, {where}: a margin of {margin:g} points can never be missed; wanted less than 100, such as 2."
        )
    return margin / 100


def _ask(gate: GateFile, number: int, cell: GateCell, pairs: Pairs, primary: PrimaryEndpoint) -> list[Asked]:
    """What the cell asks for, once for each task if it names them all."""
    where = f"cell {number}"
    measure = primary.measure if cell.metric is None else _measure(gate, where, cell.metric)
    margin = _margin(gate, where, cell, measure)
    budget = primary.budget if cell.budget is None else cell.budget
    rule = Rule(
        scope="",
        measure=measure,
        budget=budget_label(budget),
        test=cell.test,
        tier=cell.tier,
        inconclusive=cell.inconclusive,
        margin=margin,
        bar=margin if cell.test == "superiority" and cell.margin is not None else 0.0,
        level=cell.level or gate.level,
        lower_is_better=measure.lower_is_better if cell.direction is None else cell.direction == "lower",
    )
    problems = [_moved(primary, pairs)] if cell.budget is None else []
    asked = Asked(where, rule, budget, cell.min_samples or gate.min_samples or 1, tuple(filter(None, problems)))
    return [
        replace(asked, rule=replace(rule, scope=scope, tasks=tasks), problems=(*asked.problems, *unknown))
        for scope, tasks, unknown in _scopes(cell, pairs)
    ]


def _moved(primary: PrimaryEndpoint, pairs: Pairs) -> str:
    """Why the primary budget may not be replaced by the largest shared one: one of the runs has it, and the other lost it."""
    owners = [run.name for run in (pairs.base, pairs.new) if primary.asked in map(budget_label, run.budgets)]
    return f"only {owners[0]} has the primary budget {primary.asked}" if len(owners) == 1 else ""


def _scopes(cell: GateCell, pairs: Pairs) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """The name, the tasks and the problems of each thing that the cell names."""
    known = dict.fromkeys([*pairs.base.tasks, *pairs.new.tasks])
    if cell.task == EVERY_TASK:
        return [(task, (task,), ()) for task in pairs.base.tasks]
    if cell.task is not None:
        unknown = () if cell.task in known else (f"neither run has it.{near_names(cell.task, known)}".rstrip("."),)
        return [(cell.task, (cell.task,), unknown)]
    if cell.domain is not None:
        tasks = tuple(
            dict.fromkeys(
                task for run in (pairs.base, pairs.new) for task, about in run.tasks.items() if about.domain == cell.domain
            )
        )
        return [(DOMAIN_MEANS[cell.domain], tasks, () if tasks else ("neither run has a task of this domain",))]
    name = str(cell.suite)
    members, suites = _suite_tasks(pairs.new, name)
    unknown = () if members else (f"there is no suite {name!r}.{near_names(name, suites)}".rstrip("."),)
    return [(f"suite {name}", members, unknown)]


def _suite_tasks(run: StoredRun, name: str) -> tuple[tuple[str, ...], list[str]]:
    """The suite's tasks, as the run stored them, or otherwise as the catalogue lists them now; and the known suites."""
    stored = suites_of(run)
    if name in stored:
        return stored[name].tasks, list(stored)
    from raml_eval.tasks.catalogue import load_catalogue

    suites = load_catalogue().suites
    return tuple(suites.get(name, ())), [*stored, *suites]


def _collect(asked: Asked, pairs: Pairs, whole: bool) -> tuple[list[str], CellValues | None]:
    """Every reason why the cell cannot be judged, or its values."""
    problems = list(asked.problems)
    rule = asked.rule
    for run in () if problems else (pairs.base, pairs.new):
        if rule.budget not in map(budget_label, run.budgets):
            problems.append(f"run {run.name} has no samples at {rule.budget}")
        elif lacking := [task for task in rule.tasks if task not in run.tasks]:
            problems.append(f"run {run.name} lacks {', '.join(lacking)}")
    problems += [
        f"run {run.name} has n = {run.n_samples}, wanted at least {asked.min_samples}"
        for run in (pairs.base, pairs.new)
        if run.n_samples < asked.min_samples
    ]
    if problems:
        return problems, None
    apart = [task for task in rule.tasks if (task, asked.budget) not in pairs.cells]
    if apart:
        return [f"the runs share no question of {', '.join(apart)} at {rule.budget}"], None
    if whole and (lacking := list(filter(None, (_lacking(pairs, task) for task in rule.tasks)))):
        return lacking, None
    try:
        parts = [pairs.part(task, asked.budget, rule.measure) for task in rule.tasks]
    except MetricError as error:
        return [str(error).rstrip(".")], None
    redraws = [pairs.redraw(task, asked.budget, rule.measure) for task in rule.tasks]
    return [], CellValues(rule, parts, redraws, pairs.n_samples)


def _lacking(pairs: Pairs, task: str) -> str:
    """What to say of a task with questions that only one run has; empty if there are none, or a --limit explains them."""
    asked = [{one for owner, one in run.questions if owner == task} for run in (pairs.base, pairs.new)]
    small, large = sorted(zip(asked, (pairs.base, pairs.new), strict=True), key=lambda pair: len(pair[0]))
    limit = small[1].manifest.get("plan", {}).get("limit")
    if small[0] == large[0] or (small[0] < large[0] and limit == len(small[0])):
        return ""
    return (
        f"the runs share {count_noun(len(small[0] & large[0]), 'question')} of {task}, of {len(asked[0])} in {pairs.base.name} "
        f"and {len(asked[1])} in {pairs.new.name}, and no --limit of the smaller one explains that"
    )
