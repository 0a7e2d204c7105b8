"""The tables of a report: a section for each domain, and one for the means of both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from raml_eval.reporting.numbers import Key, Numbers
from raml_eval.reporting.render import Cell, Figure, Table, shorten_all
from raml_eval.tables import DOMAIN_MEANS, DOMAINS, MACRO, TAUS, Measure, budget_order, parse_measure, suites_of
from raml_eval.types import Domain, StoredRun
from raml_eval.wording import plural

TITLES = {"in_domain": "In-domain", "cross_domain": "Cross-domain"}
BLOCKS = "▁▂▃▄▅▆▇█"
LENGTHS = (  # column, metric, scale
    ("thinking", "thinking_tokens_mean", 1.0),
    ("thinking median", "thinking_tokens_median", 1.0),
    ("thinking p95", "thinking_tokens_p95", 1.0),
    ("answer", "answer_tokens_mean", 1.0),
    ("answer median", "answer_tokens_median", 1.0),
    ("answer p95", "answer_tokens_p95", 1.0),
    ("forced", "forced_rate", 100.0),
    ("unfinished", "unfinished_rate", 100.0),
    ("no answer", "no_answer_rate", 100.0),
    ("timeout", "timeout_rate", 100.0),
    ("leak", "leak_rate", 100.0),
)
LONG_ONLY = ("answer_tokens_median", "answer_tokens_p95")
RARE = ("timeout_rate", "leak_rate")  # a terminal shows these columns only if there are such samples


@dataclass(frozen=True, slots=True)
class Section:
    """A domain, or the means of both domains. The first table is the accuracy table."""

    title: str
    lead: str
    tables: tuple[Table, ...]
    figures: tuple[Figure, ...] = ()

    def named(self, title: str) -> Section:
        """The section under another title."""
        return replace(self, title=title)


def tasks_of(runs: Sequence[StoredRun], domain: Domain) -> list[str]:
    """The tasks of a domain in the order of the runs."""
    return list(dict.fromkeys(task for run in runs for task, about in run.tasks.items() if about.domain == domain))


def average_name(runs: Sequence[StoredRun]) -> str:
    """'avg@8' (for n = 8), or 'avg@n' if the runs differ in n."""
    counts = {run.n_samples for run in runs}
    return f"avg@{counts.pop()}" if len(counts) == 1 else "avg@n"


def domain_section(numbers: Numbers, runs: Sequence[StoredRun], domain: Domain) -> Section:
    """Accuracy, stability and lengths of every task of one domain."""
    tasks = tasks_of(runs, domain)
    tables = [_accuracy(numbers, runs, tasks, domain)]
    if numbers.ks:
        tables.append(_stability(numbers, runs, tasks, domain))
    tables.append(_lengths(numbers, tasks, domain))
    return Section(TITLES[domain], _describe(numbers, runs, tasks), tuple(tables))


def _describe(numbers: Numbers, runs: Sequence[StoredRun], tasks: Sequence[str]) -> str:
    about = {task: run.tasks[task] for run in runs for task in run.tasks}
    suites = list(dict.fromkeys(suite for task in tasks for suite in about[task].suites))
    listed: list[str] = []
    alone: list[str] = []  # of tasks in no suite
    for task in tasks:
        sizes = {row["n_questions"] for key, row in numbers.rows.items() if key.task == task and key.metric == "avg@n"}
        chance = about[task].chance
        guess = "" if chance is None else f", chance {100 * chance:.1f}"
        size = f"{' or '.join(map(str, sorted(sizes)))} {plural(max(sizes, default=0), 'question')}"
        (listed if about[task].suites else alone).append(f"{task} ({size}{guess})")
    if not suites:
        return f"{', '.join(alone)}."
    rest = f" Without a suite: {', '.join(alone)}." if alone else ""
    return f"{plural(len(suites), 'Suite')} {', '.join(suites)}: {', '.join(listed)}.{rest}"


def _accuracy(numbers: Numbers, runs: Sequence[StoredRun], tasks: Sequence[str], domain: Domain) -> Table:
    header = [Cell("model"), Cell("budget")]
    for task in tasks:
        header.append(Cell(task, numbers.column_marks(task, domain)))
        header += [Cell(f"gain in {task}")] if numbers.has_gains else []
    rows = []
    for run, budget in numbers.lines:
        row = [_model(numbers, run), Cell(budget)]
        for task in tasks:
            marks = numbers.marks((run, task, budget))
            row.append(numbers.share(Key(run, task, domain, budget, "avg@n"), marks=marks))
            if numbers.has_gains:
                row.append(numbers.share(Key(run, task, domain, budget, "gain"), signed=True))
        rows.append(tuple(row))
    return Table(f"Accuracy: {average_name(runs)} in percent [95 % interval]", tuple(header), tuple(rows), 2)


def _model(numbers: Numbers, run: str) -> Cell:
    return Cell(numbers.models[run], numbers.marks((run, None, None)))


def _task_lines(numbers: Numbers, tasks: Sequence[str]) -> Iterator[tuple[tuple[Cell, ...], tuple[str, str, str]]]:
    """The labels of each task's rows. A terminal leaves out the model if there is only one."""
    for task in tasks:
        for run, budget in numbers.lines:
            model = () if _one_model(numbers) else (Cell(numbers.models[run]),)
            yield (Cell(task), *model, Cell(budget)), (run, task, budget)


def _one_model(numbers: Numbers) -> bool:
    return numbers.short and len(numbers.models) == 1


def _task_header(numbers: Numbers) -> tuple[Cell, ...]:
    return (Cell("task"), *(() if _one_model(numbers) else (Cell("model"),)), Cell("budget"))


def _stability_columns(numbers: Numbers, runs: Sequence[StoredRun]) -> list[tuple[str, tuple[str, int | None, float | None]]]:
    """pass@k, G-Pass@k at tau = 1 and mG-Pass@k at the largest k, and what a suite calls primary; with full, all there are."""
    declared = {suite.primary.metric for run in runs for suite in suites_of(run).values() if suite.primary is not None}
    primary = {parse_measure(name).name for name in declared}  # a suite may write g_pass@8:1.0
    columns: list[tuple[str, tuple[str, int | None, float | None]]] = []
    for k in numbers.ks:
        of_k: list[tuple[str, tuple[str, int | None, float | None]]] = [(f"pass@{k}", ("pass@k", k, None))]
        of_k += [(f"G-Pass@{k} τ={t:g}", ("g_pass@k", k, t)) for t in TAUS]
        of_k += [(f"mG-Pass@{k}", ("mg_pass@k", k, None)), (f"mG-Pass@{k} normalized", ("mg_pass_normalized@k", k, None))]
        of_k.append((f"maj@{k}", ("maj@k", k, None)))
        main = ("pass@k", "g_pass@k", "mg_pass@k") if k == numbers.ks[-1] else ()
        columns += [
            (name, what)
            for name, what in of_k
            if numbers.full or (what[0] in main and what[2] in (None, 1.0)) or Measure(*what).name in primary
        ]
    return columns


def _stability(numbers: Numbers, runs: Sequence[StoredRun], tasks: Sequence[str], domain: Domain) -> Table:
    columns = _stability_columns(numbers, runs)
    if any(key.metric == "partial_score" and key.task in tasks for key in numbers.rows):
        columns.insert(0, ("partial score", ("partial_score", None, None)))
    digits = 0 if numbers.short else 1
    rows = tuple(
        (*labels, *(numbers.share(Key(run, task, domain, budget, *what), digits=digits) for _, what in columns))
        for labels, (run, task, budget) in _task_lines(numbers, tasks)
    )
    header = _task_header(numbers)
    title = "Stability, in percent [95 % interval]"
    return Table(title, (*header, *(Cell(name) for name, _ in columns)), rows, len(header))


def _lengths(numbers: Numbers, tasks: Sequence[str], domain: Domain) -> Table:
    seen = {key.metric for key, row in numbers.rows.items() if row["value"]}
    hidden = (*LONG_ONLY, *(metric for metric in RARE if metric not in seen)) if numbers.short else ()
    columns = [column for column in LENGTHS if column[1] not in hidden]
    rows = tuple(
        (*labels, *(numbers.plain(Key(run, task, domain, budget, metric), scale) for _, metric, scale in columns))
        for labels, (run, task, budget) in _task_lines(numbers, tasks)
    )
    labels = _task_header(numbers)
    header = (*labels, *(Cell(name) for name, *_ in columns))
    return Table("Tokens per sample; how samples ended, in percent", header, rows, len(labels))


def means_section(numbers: Numbers, runs: Sequence[StoredRun], base: StoredRun | None) -> Section:
    """The macro means of both domains, with the gains over the base run if one is named."""
    measures: list[tuple[str, tuple[str, int | None, float | None]]] = [(average_name(runs), ("avg@n", None, None))]
    measures += [("gain", ("gain", None, None))] if numbers.has_gains else []
    guessable = any(row["value"] for key, row in numbers.rows.items() if key.metric == "chance")
    measures += [("chance", ("chance", None, None))] if guessable else []
    measures += [(f"G-Pass@{k} τ=1", ("g_pass@k", k, 1.0)) for k in numbers.ks[-1:]]
    rows = []
    for domain in DOMAINS:
        for run, budget in numbers.lines:
            keys = [Key(run, MACRO, domain, budget, *what) for _, what in measures]
            cells = [numbers.share(key, signed=key.metric == "gain") for key in keys]
            if keys[0] in numbers.rows:
                named = Cell(TITLES[domain].lower(), numbers.marks((run, DOMAIN_MEANS[domain], None)))
                rows.append((named, _model(numbers, run), Cell(budget), *cells))
    header = (Cell("domain"), Cell("model"), Cell("budget"), *(Cell(name) for name, _ in measures))
    lead = "The tasks of a domain have equal weights and are fixed: the intervals are those of their questions."
    lead += (
        f" Gains are over {base.model} ({base.name}), paired on shared questions."
        if base is not None and numbers.has_gains
        else ""
    )
    return Section("Macro means", lead, (Table("Means over tasks, in percent [95 % interval]", header, tuple(rows), 3),))


def draw_curve(numbers: Numbers, runs: Sequence[StoredRun]) -> list[str]:
    """Accuracy over budget as text: a header, then a line of blocks and percentages for each model and task."""
    budgets = sorted({budget for _, budget in numbers.lines}, key=budget_order)
    if len(budgets) < 2:
        return []
    lines: list[tuple[str, list[str]]] = []
    for run, model in numbers.models.items():
        for domain in DOMAINS:
            for task in tasks_of(runs, domain):
                rows = [numbers.rows.get(Key(run, task, domain, budget, "avg@n")) for budget in budgets]
                if any(row is not None for row in rows):
                    name = task if len(numbers.models) == 1 else f"{task}, {model}"
                    lines.append((name, ["" if row is None else _bar(row["value"]) for row in rows]))
    if not lines:
        return []
    names = shorten_all([name for name, _ in lines])
    wide = max(map(len, names))
    cells = [max(7, len(budget) + 2) for budget in budgets]
    head = " " * wide + "".join(f"{budget:>{size}}" for budget, size in zip(budgets, cells, strict=True))
    return [head] + [
        f"{name:<{wide}}" + "".join(f"{bar:>{size}}" for bar, size in zip(bars, cells, strict=True))
        for name, (_, bars) in zip(names, lines, strict=True)
    ]


def _bar(value: float | None) -> str:
    if value is None:
        return "n/a"
    # Halves are rounded up. The format .0f would round them to the even neighbour. 84.5 may be stored as 84.49999999999999.
    return f"{BLOCKS[min(int(value * len(BLOCKS)), len(BLOCKS) - 1)]} {int(100 * value + 0.5 + 1e-9)}"
