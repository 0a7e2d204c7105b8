"""The tables of a board: the ranking, each metric by task, and the ranking's metric over thinking budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from raml_eval.reporting.boards.board import Board, metric_name
from raml_eval.reporting.boards.entry import (
    IMPORTED,
    MADE_UP,
    SYNTHETIC,
    Asked,
    Entry,
    Number,
    PublishedEntry,
    RunEntry,
    caveats_of,
)
from raml_eval.reporting.boards.history import Record, changes, removed
from raml_eval.reporting.boards.numbers import NumberKey, compute_numbers, number_key
from raml_eval.reporting.boards.standings import ALPHA, Standing
from raml_eval.reporting.render import Cell, Table, percent
from raml_eval.tables import DOMAINS, MACRO, Measure, budget_label
from raml_eval.types import Domain
from raml_eval.wording import count_noun

PUBLISHED = "published, not rerun"
_NAMES = {"g_pass@k": "G-Pass@k", "mg_pass@k": "mG-Pass@k", "mg_pass_normalized@k": "mG-Pass@k normalized"}
_UNFINISHED = Measure("unfinished_rate")
_TOKENS = (("thinking tokens", "thinking_tokens_mean"), ("answer tokens", "answer_tokens_mean"))


@dataclass
class Marks:
    """The notes that cells refer to, numbered in the order in which they are first needed."""

    texts: list[str] = field(default_factory=list)

    def add(self, texts: Sequence[str]) -> tuple[int, ...]:
        """The numbers of these notes."""
        for text in texts:
            if text not in self.texts:
                self.texts.append(text)
        return tuple(sorted(self.texts.index(text) + 1 for text in texts))


@dataclass(frozen=True, slots=True)
class Line:
    """One row of every table: an entry with its place, if it has one, and its numbers."""

    entry: Entry
    standing: Standing | None
    numbers: Mapping[NumberKey, Number]
    marks: tuple[int, ...]

    @property
    def name(self) -> Cell:
        """The model, with what kind of result this is, if it is not simply the model's own."""
        kinds = caveats_of(self.entry, (MADE_UP, IMPORTED, SYNTHETIC))
        told = f" ({', '.join(kinds).replace('_', ' ')})" if kinds else ""
        return Cell(f"{self.entry.model}{told}", self.marks)


def board_lines(standings: Sequence[Standing], published: Sequence[PublishedEntry], board: Board, marks: Marks) -> list[Line]:
    """The rows of the tables, the ranked entries first, then the published ones by name."""
    lines = []
    for standing in standings:
        entry = standing.entry
        measures = [*board.measures, _UNFINISHED, *(Measure(metric, bounds=None) for _, metric in _TOKENS)]
        numbers = compute_numbers(entry.questions, entry.counts, measures, entry.greedy)
        own = marks.add([f"{caveat.kind.replace('_', ' ')}: {caveat.text}" for caveat in entry.caveats])
        lines.append(Line(entry, standing, {number_key(row): row for row in numbers}, own))
    for quoted in sorted(published, key=lambda entry: entry.model):
        source = quoted.source
        lines.append(
            Line(quoted, None, {}, marks.add([f"{PUBLISHED}: {source.title}, {source.place}, {source.url}. {quoted.about}"]))
        )
    return lines


def board_tables(lines: Sequence[Line], board: Board, history: Sequence[Record]) -> list[Table]:
    """The ranking and how its entries were drawn, if there is one to rank; each metric by task; the metric that ranks over
    the budgets."""
    ranked = [line for line in lines if line.standing]
    tables = [_ranking(ranked, board)] if ranked or not lines else []
    for measure in board.measures:
        told = [line for line in lines if isinstance(line.entry, RunEntry) or _quotes(line.entry, measure)]
        tables += [_by_task(told, board, measure)] if told else []
    if ranked and len(board.budgets) > 1:
        tables.append(_by_budget(ranked, board))
    return [*tables, _drawn(ranked, board, changes(history))] if ranked else tables


def _ranking(lines: Sequence[Line], board: Board) -> Table:
    """What ranks, and the other metrics of the columns. What else is known of an entry has its own table: pages are narrow."""
    at, first = budget_label(board.rank_by.budget), board.rank_by.domain
    domains = _domains(lines, first)
    head = ["rank", "model", "letters", "possible"]
    asked = _asked(lines)
    head += [
        f"{_title(domain)} {metric_title(measure)}{_guess(_mean_chance(asked, domain), measure)}"
        for measure in board.measures
        for domain in domains
    ]
    rows = []
    for line in lines:
        assert line.standing is not None
        place = line.standing
        possible = f"{place.rank}" if place.rank == place.last else f"{place.rank} to {place.last}"
        cells = [Cell(f"{place.rank}"), line.name, Cell(place.letters), Cell(possible)]
        rows.append((*cells, *(_share(line, MACRO, domain, at, measure) for measure in board.measures for domain in domains)))
    return Table(f"At budget {at}, in percent [95 % interval]", tuple(map(Cell, head)), tuple(rows), 2)


def _drawn(lines: Sequence[Line], board: Board, changed: Mapping[str, str]) -> Table:
    at, first = budget_label(board.rank_by.budget), board.rank_by.domain
    domains = _domains(lines, first)
    unfinished = [f"unfinished {_title(domain).lower()} (%)" for domain in domains]
    head = ["rank", "model", "change", *(title for title, _ in _TOKENS), *unfinished, "n", "engine"]
    rows = []
    for line in lines:
        assert line.standing is not None
        assert isinstance(line.entry, RunEntry)
        cells = [Cell(f"{line.standing.rank}"), line.name, Cell(changed.get(line.entry.model, ""))]
        cells += [_tokens(line, first, at, metric) for _, metric in _TOKENS]
        cells += [Cell(_unfinished(line, domain, at)) for domain in domains]
        rows.append((*cells, Cell(f"{line.entry.n_samples}"), Cell(line.entry.engine)))
    return Table(f"Change, tokens and unfinished samples at budget {at}, and engine", tuple(map(Cell, head)), tuple(rows), 2)


def _by_task(lines: Sequence[Line], board: Board, measure: Measure) -> Table:
    at = budget_label(board.rank_by.budget)
    rows = []
    for line in lines:
        cells = [Cell(f"{line.standing.rank}" if line.standing else PUBLISHED), line.name]
        for task in board.tasks:
            if isinstance(line.entry, RunEntry):
                cells.append(_share(line, task, line.entry.questions[task].domain, at, measure))
            else:
                cells.append(Cell(_quotes(line.entry, measure).get(task, "n/a")))
        rows.append(tuple(cells))
    shown = "in percent [95 % interval]" if any(line.standing for line in lines) else "in percent"
    title = f"{metric_title(measure)} by task at budget {at}, {shown}"
    asked = _asked(lines)
    tasks = [f"{task}{_about(asked.get(task), measure)}" for task in board.tasks]
    return Table(title, tuple(map(Cell, ("rank", "model", *tasks))), tuple(rows), 2)


def _by_budget(lines: Sequence[Line], board: Board) -> Table:
    first, measure = board.rank_by.domain, board.rank_measure
    budgets = [budget_label(budget) for budget in board.budgets]
    rows = [(line.name, *(_share(line, MACRO, first, budget, measure) for budget in budgets)) for line in lines]
    named = f"{_title(first)} {metric_title(measure)}{_guess(_mean_chance(_asked(lines), first), measure)}"
    title = f"{named} over thinking budgets, in percent [95 % interval]"
    return Table(title, tuple(map(Cell, ("model", *budgets))), tuple(rows))


def _domains(lines: Sequence[Line], first: Domain) -> list[Domain]:
    """The domains of the entries' tasks, that which ranks first."""
    entries = [line.entry for line in lines if isinstance(line.entry, RunEntry)]
    met = {asked.domain for entry in entries for asked in entry.questions.values()}
    return [first, *(domain for domain in DOMAINS if domain != first and domain in met)]


def _asked(lines: Sequence[Line]) -> Mapping[str, Asked]:
    """The questions of each task, which are the same in all entries of a board; none if no entry is a run."""
    return next((line.entry.questions for line in lines if isinstance(line.entry, RunEntry)), {})


def _about(asked: Asked | None, measure: Measure) -> str:
    """A task's domain and the chance level, as the head of its column says them."""
    return "" if asked is None else f" ({_title(asked.domain).lower()}{_guess(asked.chance, measure, ', {}')})"


def _mean_chance(asked: Mapping[str, Asked], domain: Domain) -> float | None:
    """The accuracy of guessing over a domain's tasks, where one that nobody can guess counts as 0; None if no task can be."""
    chances = [of.chance for of in asked.values() if of.domain == domain]
    return sum(chance or 0.0 for chance in chances) / len(chances) if any(chances) else None


def _guess(chance: float | None, measure: Measure, form: str = " ({})") -> str:
    """The chance level in percent, in words; empty if there is none, or for another metric than the mean of the samples."""
    return form.format(f"chance {100 * chance:.1f}") if chance and measure.metric == "avg@n" else ""


def _by_domain(asked: Mapping[str, Asked]) -> str:
    """The tasks by domain, in words."""
    listed = {domain: [task for task, of in asked.items() if of.domain == domain] for domain in DOMAINS}
    return "; ".join(f"{_title(domain).lower()} {', '.join(tasks)}" for domain, tasks in listed.items() if tasks)


def _title(domain: str) -> str:
    return domain.replace("_", "-").capitalize()


def metric_title(measure: Measure) -> str:
    """The metric as a table writes it.

    Example: metric_title(Measure("g_pass@k", 8, 1.0)) == "G-Pass@8 τ=1"
    """
    name = _NAMES.get(measure.metric, measure.metric).replace("@k", f"@{measure.k}")
    return name if measure.tau is None else f"{name} τ={measure.tau:g}"


def _share(line: Line, task: str, domain: Domain, budget: str, measure: Measure) -> Cell:
    row = line.numbers.get((task, domain, budget, measure.metric, measure.k, measure.tau))
    return Cell("n/a" if row is None else percent(row.value, row.low, row.high))


def _tokens(line: Line, domain: Domain, budget: str, metric: str) -> Cell:
    row = line.numbers.get((MACRO, domain, budget, metric, None, None))
    return Cell("n/a" if row is None or row.value is None else f"{row.value:,.1f}")


def _unfinished(line: Line, domain: Domain, budget: str) -> str:
    row = line.numbers.get((MACRO, domain, budget, _UNFINISHED.metric, None, None))
    return "n/a" if row is None or row.value is None else percent(row.value)


def _quotes(entry: PublishedEntry, measure: Measure) -> dict[str, str]:
    """The published numbers of a metric, by task."""
    return {number.task: number.percent for number in entry.numbers if metric_name(number.metric) == measure.name}


def board_notes(lines: Sequence[Line], board: Board, history: Sequence[Record]) -> list[str]:
    """What the tables mean, after the notes that their marks refer to."""
    at, ranked = budget_label(board.rank_by.budget), [line for line in lines if line.standing]
    notes = []
    if ranked:
        notes += [
            f"rank is 1 + the number of entries that are significantly better by {metric_title(board.rank_measure)} over the "
            f"{_title(board.rank_by.domain).lower()} tasks at budget {at}: paired by question, with Holm's correction over all "
            f"pairs of entries at {ALPHA:.0%}. possible are the ranks that these tests leave an entry.",
            "letters show what cannot be told apart: entries that share a letter do not differ significantly.",
            f"Means are over the tasks of a domain, with equal weights: {_by_domain(_asked(ranked))}. n is the number of "
            f"samples per question; tokens are means per sample over the tasks that rank. Unfinished samples have no answer, "
            f"and count as wrong.",
        ]
    if any(line.standing is None for line in lines):
        notes.append(f"What is {PUBLISHED} is quoted and not ranked: nothing is known of its single questions.")
    if board.limit is not None:
        notes.append(f"Each task is a seeded subset of at most {count_noun(board.limit, 'question')} (--limit {board.limit}).")
    if ranked and changes(history):
        notes.append("change is the difference in points to the build before; = is no change.")
    if gone := removed(history):
        notes.append(f"No longer on the board since the last build: {', '.join(gone)}.")
    notes.append("Every number of a ranked entry follows from its counts by question, in entries; builds are in history.jsonl.")
    return notes
