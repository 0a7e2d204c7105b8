"""The tables of a sweep over thinking budgets, for a report and for `raml-eval sweep`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from raml_eval.reporting.render import Cell, Table
from raml_eval.reporting.sections import Section
from raml_eval.reporting.swept import Swept, What, Writer, bare, change, more_tokens, points, share, tokens
from raml_eval.tables.escape import DEPTHS


class Column(NamedTuple):
    """A column of a table: its name, the metric, and how it is written."""

    name: str
    metric: str
    write: Writer


LOSS = "loss, by halves"
LOSS_LEAD = (
    f"{LOSS} is what a budget chosen so on one half of the samples loses, on the other half, to the best that the one half "
    "shows. So it need not be that of the budget named here; it is 0 where both halves take the best itself."
)
RARE = ("unfinished_rate", "reflections_per_1000_tokens", "delimiter_again")
STEPS = (
    Column("adds", "step", change),
    Column("to the largest", "to_largest", change),
    Column("per 1,000 tokens", "gain_per_1000_tokens", points),
)
ADDED = (*STEPS, Column("escape", "escape_rate", bare))
CURVE = (
    Column("avg@n", "avg@n", share),
    *STEPS,
    Column("thinking", "thinking_tokens_mean", tokens),
    Column("answer", "answer_tokens_mean", tokens),
    Column("forced", "forced_rate", bare),
    Column("unfinished", "unfinished_rate", bare),
    Column("escape", "escape_rate", bare),
)
CUTS = (
    Column("starved", "starvation", share),
    Column("turned wrong", "turned_wrong", share),
    Column("turned right", "turned_right", share),
    Column("regret", "regret", change),
)
ESCAPES = (Column("escape", "escape_rate", share), Column("answer tokens", "answer_tokens_after_end", tokens))
REASONS = (
    Column("reflections", "reflections_per_1000_tokens", tokens),
    Column("delimiter", "delimiter_again", bare),
)
AFTER = (*ESCAPES, Column("extra", "answer_tokens_extra", more_tokens), *REASONS)
BY_DEPTH = (Column("samples", "forced_samples", tokens), *ESCAPES, *REASONS)
WASTE = (
    Column("overthinking", "overthinking_share", share),
    Column("futility", "futility_share", share),
)
ONE_TRAJECTORY = ("overthinking_share", "futility_share", "hindsight_gain", "starvation", "turned_wrong", "turned_right")
ORACLE = (
    Column("oracle", "oracle_gain", change),
    Column("its tokens", "oracle_tokens", more_tokens),
    Column("hindsight", "hindsight_gain", points),
)


def budget_table(swept: Swept, title: str, columns: Sequence[Column], ends: Sequence[str] = ()) -> Table:
    """A row for each line and budget, and for each of the ends. Columns that have no number at all are left out."""
    used = _used(swept, columns)
    rows = []
    for line in swept.rows:
        for budget in (*swept.budgets(line), *ends):
            cells = [swept.cell(line, What(c.metric, budget), c.write) for c in used]
            first = next((i for i, cell in enumerate(cells) if cell.text), None)
            if first is not None:
                cells[first] = Cell(cells[first].text, swept.numbers.marks((line.run, line.task, budget)))
                rows.append((*swept.labels(line), Cell(budget), *cells))
    return _table(swept, title, ("budget",), [c.name for c in used], rows)


def _used(swept: Swept, columns: Sequence[Column]) -> list[Column]:
    """The columns that have a number; on a terminal, a rare one needs a number other than 0."""
    found = {what.metric for rows in swept.rows.values() for what in rows}
    seen = {what.metric for rows in swept.rows.values() for what, row in rows.items() if row["value"]}
    hidden = {name for name in RARE if name not in seen} if swept.numbers.short else set()
    return [column for column in _told(swept, columns) if column.metric in found - hidden]


def _told(swept: Swept, columns: Sequence[Column]) -> list[Column]:
    """The columns without those that rest on one trajectory cut at several budgets, if no run has such trajectories."""
    return [column for column in columns if column.metric not in ONE_TRAJECTORY or not swept.all_apart]


def _table(swept: Swept, title: str, labels: Sequence[str], columns: Sequence[str], rows: Sequence[tuple[Cell, ...]]) -> Table:
    header = (*swept.header, *map(Cell, labels))
    return Table(title, (*header, *map(Cell, columns)), tuple(rows), len(header))


def choice_table(swept: Swept, brief: bool = False) -> Table:
    """A row for each line: the area, the budget that is enough, what is wasted, and what a better allocation could add.

    A brief table leaves out the last, and the intervals of the waste.
    """
    waste, oracle, rows = _told(swept, WASTE), [] if brief else _told(swept, ORACLE), []
    for line, of in swept.rows.items():
        enough = next((what for what in of if what.metric == "loss_at_enough"), None)
        area = next((what for what in of if what.metric == "area"), None)
        cells = [Cell("") if area is None else swept.cell(line, area, share)]
        if enough is not None and enough.budget:
            best = () if brief else (Cell(str(of[enough]["against"])),)
            cells += [Cell(enough.budget), *best, swept.cell(line, enough, change)]
        else:
            cells += [Cell("n/a")] * (2 if brief else 3)
        largest = swept.budgets(line)[-1]
        cells += [swept.cell(line, What(c.metric, largest), bare if brief else c.write) for c in waste]
        cells += [swept.cell(line, What(c.metric), c.write) for c in oracle]
        rows.append((*swept.labels(line), *cells))
    names = ["area", "enough", *([] if brief else ["best"]), LOSS, *(c.name for c in (*waste, *oracle))]
    return _table(swept, "The curve as a whole, in percent [95 % interval]", (), names, rows)


def depth_table(swept: Swept) -> Table:
    """A row for each line and depth of the cut."""
    used, apart, rows = _used(swept, BY_DEPTH), swept.apart, []
    for line in swept.rows:
        for part in DEPTHS:
            cells = [swept.cell(line, What(c.metric, part=part), c.write) for c in used]
            if line.run not in apart and any(cell.text for cell in cells):
                rows.append((*swept.labels(line), Cell(part), *cells))
    title = "By depth of the cut (the share of the trajectory that was kept), all budgets together"
    return _table(swept, title, ("kept",), [c.name for c in used], rows)


def stability_table(swept: Swept) -> Table:
    """Pass@k and mG-Pass@k at each budget, and what a budget turns wrong or right."""
    ks = sorted({what.k for rows in swept.rows.values() for what in rows if what.metric == "pass@k" and what.k is not None})
    rows = []
    for line in swept.rows:
        for budget in swept.budgets(line):
            whats = [What(metric, budget, k) for k in ks for metric in ("pass@k", "mg_pass@k")]
            rows.append((*swept.labels(line), Cell(budget), *(swept.cell(line, what, share) for what in whats)))
    names = [name for k in ks for name in (f"pass@{k}", f"mG-Pass@{k}")]
    return _table(swept, "Stability, in percent [95 % interval]", ("budget",), names, rows)


def frontier_tables(swept: Swept) -> Iterator[Table]:
    """The points that no other beats, and votes at a small budget against one sample at a larger one, at equal tokens."""
    front, votes = [], []
    for line, of in swept.rows.items():
        points_ = [what for what, row in of.items() if what.metric == "on_frontier" and row["value"]]
        spent = {what: of[what._replace(metric="tokens_per_question")]["value"] for what in points_}
        for what in sorted(points_, key=lambda what: float(spent[what])):
            cost = of.get(what._replace(metric="cost_per_correct"))
            cells = [
                swept.cell(line, what._replace(metric="tokens_per_question"), tokens),
                swept.cell(line, what._replace(metric="maj@k"), share),
                Cell("" if cost is None else "n/a" if cost["value"] is None else f"{cost['value']:.4g}"),
            ]
            front.append((*swept.labels(line), Cell(f"{what.k} x {what.budget}"), *cells))
        for what, row in of.items():
            if what.metric == "vote_instead":
                against = Cell(f"1 x {row['against']}")
                votes.append((*swept.labels(line), Cell(f"{what.k} x {what.budget}"), against, Cell(change(row))))
    priced = any(row[-1].text for row in front)
    shown = front if priced else [row[:-1] for row in front]
    title = "Points that no other beats: samples x budget, tokens of all samples, maj@k in percent"
    names = ["tokens", "maj@k", *(["cost per correct"] if priced else [])]
    yield _table(swept, title, ("samples",), names, shown)
    if votes:
        yield _table(swept, "A vote against one sample, at no more tokens", ("vote", "against"), ["gain"], votes)


def fraction_table(swept: Swept) -> Table | None:
    """Accuracy at shares of the trajectories that ended by themselves; None without such budgets."""
    rows = []
    for line, of in swept.rows.items():
        left = of.get(What("left_out", part="did not end"))
        for what, row in of.items():
            if what.metric == "avg@n" and what.budget.startswith("frac:"):
                step = swept.cell(line, What("step", what.budget), change)
                out = Cell("" if left is None else tokens(left))
                rows.append((*swept.labels(line), Cell(what.budget.removeprefix("frac:")), Cell(share(row)), step, out))
    if not rows:
        return None
    title = "Accuracy after a share of each trajectory that ended by itself, in percent [95 % interval]"
    return _table(swept, title, ("share",), ["avg@n", "adds", "left out"], rows)


def describe_pairing(swept: Swept) -> str:
    """How the budgets are paired; and, where they are not cuts of the same trajectories, what that leaves out."""
    cuts = "" if swept.all_apart else "The budgets are paired: each cuts the same trajectories."
    if not swept.apart:
        return cuts
    where = "The engine" if swept.all_apart else f" Of {' and '.join(swept.apart)}, the engine"
    return (
        f"{cuts}{where} enforced the budgets (--capped-by engine), so each is a draw of its own. Steps are paired over "
        "questions, and what rests on one trajectory cut at several budgets is left out: overthinking, futility, hindsight, "
        "starved, turned wrong and right, and escape by depth."
    )


def thinking_section(swept: Swept) -> Section:
    """The section of a report on its thinking budgets."""
    waste = (
        "overthinking is the share of thinking tokens spent after the answer had settled, futility that spent on trajectories "
        "that are never right. "
    )
    lead = (
        f"{describe_pairing(swept)} area is that under avg@n over log2 budget. enough is the smallest budget within one point "
        f"of the best, as all samples choose it. {LOSS_LEAD} {'' if swept.all_apart else waste}adds is the difference to the "
        "budget below, in percentage points, with an asterisk if its p (Holm over all steps) is below 0.05. escape is the "
        "share of forced answers that go on reasoning. `raml-eval sweep` shows more."
    )
    tables = (
        choice_table(swept, brief=True),  # a compact report shows the first table only, so the short one comes first
        budget_table(swept, "What each budget adds [95 % interval]", ADDED),
    )
    return Section("Thinking budgets", lead, tables)
