"""The caveats of a table, each with the places in the table that it applies to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from raml_eval.columns import Samples
from raml_eval.grading import KINDS
from raml_eval.lazy import samples_of
from raml_eval.reporting.imports import import_notes
from raml_eval.reporting.judged import judge_notes
from raml_eval.reporting.looked import look_notes
from raml_eval.reporting.naming import name_runs
from raml_eval.reporting.render import percent
from raml_eval.reporting.unpaired import unpaired_notes
from raml_eval.tables import (
    DOMAIN_MEANS,
    DOMAINS,
    MACRO,
    STABILITY,
    Row,
    budget_label,
    escape_rates,
    frame_rows,
    missing_samples,
    n_planned,
    n_whole,
    repeats_draws,
    run_labels,
    shard_of_run,
)
from raml_eval.types import Budget, Status, StoredRun
from raml_eval.wording import count_noun

if TYPE_CHECKING:
    import pandas as pd

Place = tuple[str, str | None, str | None]  # run, task or name of a domain's mean, budget; None: all of the run's
Rows = list[Row]
Found = tuple[str, frozenset[Place]]
Finder = Callable[[StoredRun, str, Rows], list[Found]]  # a run, its label, its rows of the frame
ESCAPES = 0.1  # the share of forced answers that go on reasoning above which a table warns
LISTED = 4  # places that one footnote names; it only counts the rest


@dataclass(frozen=True, slots=True)
class Footnote:
    """One caveat, and the places that it applies to. If marked, tables set its mark there.

    paired is true for a caveat of a run held against a base: it applies to gains and other differences only. only, if it is
    not empty, is how the metric of every row that it applies to begins. kind tells a program what was found, such as escaped;
    it is empty for what only several runs show together.
    """

    text: str
    places: frozenset[Place]
    marked: bool = True
    paired: bool = False
    only: str = ""
    kind: str = ""


def find_footnotes(runs: Sequence[StoredRun], frame: pd.DataFrame) -> list[Footnote]:
    """Every caveat about the runs and their frame, in a fixed order.

    If there are several runs, the text names the run. What is the same of several is one note, which names them all.
    """
    found: dict[tuple[str, Finder], dict[str, frozenset[Place]]] = {}
    rows = frame_rows(frame)
    labels = run_labels(runs)
    for run, label in zip(runs, labels, strict=True):
        own = [row for row in rows if row["run"] == label]
        for find in _FINDERS:
            for text, places in find(run, label, own):
                of_text = found.setdefault((text, find), {})
                of_text[label] = of_text.get(label, frozenset()) | places
    notes = [
        Footnote(
            name_runs(text, list(of_runs), labels),
            frozenset().union(*of_runs.values()),
            marked=find not in _UNMARKED,
            paired=find is _gains,
            kind=find.__name__.lstrip("_"),
        )
        for (text, find), of_runs in found.items()
    ]
    return notes + _graded_apart(runs) + _other_tasks(runs)


def _other_tasks(runs: Sequence[StoredRun]) -> list[Footnote]:
    """Runs whose mean over a domain covers other tasks than the means of the other runs."""
    found: list[Footnote] = []
    for domain in DOMAINS:
        of_runs = [[name for name, task in run.tasks.items() if task.domain == domain] for run in runs]
        every = list(dict.fromkeys(name for names in of_runs for name in names))
        for label, names in zip(run_labels(runs), of_runs, strict=True):
            if names and set(names) != set(every):
                without = _list_some([name for name in every if name not in names])
                text = f"{label}: the {DOMAIN_MEANS[domain]} is that of {_list_some(names)}, without {without}"
                found.append(Footnote(text, frozenset({(label, DOMAIN_MEANS[domain], None)})))
    return found


def footnotes(runs: Sequence[StoredRun], frame: pd.DataFrame) -> list[str]:
    """The texts of all caveats, in the order of their numbers from 1."""
    return [note.text for note in find_footnotes(runs, frame)]


def _graded_apart(runs: Sequence[StoredRun]) -> list[Footnote]:
    graders = dict(zip(run_labels(runs), (run.grader_versions for run in runs), strict=True))
    # A run that does not say who graded it may have had another grader than one that does.
    if len(set(graders.values())) < 2:
        return []
    listed = _list_some([f"{label} by {' and '.join(versions) or 'an unknown one'}" for label, versions in graders.items()])
    text = f"different graders graded the runs, {listed}: `raml-eval regrade` grades them all with one"
    return [Footnote(text, frozenset((label, None, None) for label in graders))]


def _list_some(words: Sequence[str]) -> str:
    more = f" and {len(words) - LISTED} more" if len(words) > LISTED else ""
    return ", ".join(words[:LISTED]) + more


def _task_rows(own: Rows, metric: str) -> Rows:
    return [row for row in own if row["metric"] == metric and row["task"] != MACRO]


def _imported(run: StoredRun, label: str, own: Rows) -> list[Found]:
    return [(text, frozenset({(label, None, None)})) for text in import_notes(run)]


def _looked(run: StoredRun, label: str, own: Rows) -> list[Found]:
    return [(text, frozenset({(label, None, None)})) for text in look_notes(run)]


def _partial(run: StoredRun, label: str, own: Rows) -> list[Found]:
    missing = missing_samples(run)
    if not missing:
        return []
    text = (
        f"partial: {sum(missing.values())} of {n_planned(run)} planned samples are missing ({run.n_errors} of them failed); "
        f"short thinking finishes first, so these numbers are biased toward short answers; missing are {_named(missing)}"
    )
    return [(text, frozenset((label, task, budget_label(budget)) for task, budget in missing))]


def _named(missing: Mapping[tuple[str, Budget], int], most: int = 4) -> str:
    """The first cells with their numbers, then how many more there are."""
    named = [f"{n} of {task} at {budget_label(budget)}" for (task, budget), n in list(missing.items())[:most]]
    more = len(missing) - len(named)
    return ", ".join(named) + (f" and more in {count_noun(more, 'other cell')}" if more else "")


def _subset(run: StoredRun, label: str, own: Rows) -> list[Found]:
    limit = run.manifest.get("plan", {}).get("limit")
    if limit is None:
        return []
    text = f"a seeded subset of at most {count_noun(limit, 'question')} per task (--limit {limit})"
    return [(text, frozenset({(label, None, None)}))]


def _shard(run: StoredRun, label: str, own: Rows) -> list[Found]:
    shard = shard_of_run(run)
    if shard is None:
        return []
    text = (
        f"{shard.words}: partial, a part of the questions ({len(run.questions)} of {n_whole(run)}), so no number here is that "
        f"of a whole task: `raml-eval merge` joins the shards"
    )
    return [(text, frozenset({(label, None, None)}))]


def _synthetic(run: StoredRun, label: str, own: Rows) -> list[Found]:
    found: list[Found] = []
    for task in run.tasks:
        rows = [q.synthetic for (of, _), q in run.questions.items() if of == task]
        if any(rows):
            text = f"{task}: {sum(rows)} of {len(rows)} questions are synthetic, so this is no score on that benchmark"
            found.append((text, frozenset({(label, task, None)})))
    return found


def _timeouts(run: StoredRun, label: str, own: Rows) -> list[Found]:
    samples = samples_of(run)
    stopped = samples.take(samples.is_status(Status.TIMEOUT))
    if not len(stopped):
        return []
    worst, best = (
        {(row["task"], row["budget"]): row["value"] for row in _task_rows(own, f"accuracy_{end}")} for end in ("worst", "best")
    )
    listed = [
        f"{task} at {budget} {percent(low)} to {percent(best[task, budget])}"
        for (task, budget), low in worst.items()
        if low is not None and best[task, budget] > low
    ]
    text = (
        f"the grader was stopped on {len(stopped)} of {len(run.records)} samples, which count as wrong; worst and best "
        f"accuracy in percent: {_list_some(listed)}"
    )
    return [(text, _places_of(stopped, label))]


def _places_of(samples: Samples, label: str) -> frozenset[Place]:
    """The tasks and budgets of these samples."""
    where = set(zip(samples.question.tolist(), samples.budget.tolist(), strict=True))
    return frozenset((label, samples.questions[q][0], budget_label(samples.budgets[budget])) for q, budget in where)


def _rate_note(metric: str, text: str, skip: str = "") -> Finder:
    """Finds the largest rate of a run. The budget skip is left out."""

    def find(run: StoredRun, label: str, own: Rows) -> list[Found]:
        rows = [row for row in _task_rows(own, metric) if row["value"] and row["budget"] != skip]
        if not rows:
            return []
        top = max(rows, key=lambda row: float(row["value"]))
        places = frozenset((label, row["task"], row["budget"]) for row in rows)
        share = f"up to {percent(top['value'])} % of samples ({top['task']} at {top['budget']})"
        return [(text.format(share=share), places)]

    find.__name__ = metric
    return find


def _unasked(run: StoredRun, label: str, own: Rows) -> list[Found]:
    """A model that is taken for one that does not think, and does: its thinking was graded as its answer."""
    told = run.manifest.get("protocol", {}).get("prompt", {})
    form = told.get("format") if isinstance(told, dict) else None
    if not isinstance(form, dict) or form.get("closer") != "":
        return []
    samples = samples_of(run)
    marked = samples.take(samples.leak)
    if not len(marked):
        return []
    text = (
        f"{len(marked)} of {len(run.records)} samples hold delimiters of thinking, but the model was taken for one that does "
        f"not think (format {form.get('name')}), so thinking was graded as the answer"
    )
    return [(text, _places_of(marked, label))]


def _escaped(run: StoredRun, label: str, own: Rows) -> list[Found]:
    """Budgets whose forced answers often go on reasoning, so that they do not bind what is spent."""
    rates = [rate for rate in escape_rates(run) if rate.n_escaped > ESCAPES * rate.n_forced]
    if not rates:
        return []
    top = max(rates, key=lambda rate: rate.n_escaped / rate.n_forced)
    text = (
        f"up to {percent(top.n_escaped / top.n_forced)} % of the answers after a forced end go on reasoning ({top.task} at "
        f"{top.budget}), so these budgets do not bound what the model thinks"
    )
    return [(text, frozenset((label, rate.task, budget_label(rate.budget)) for rate in rates))]


def _uncovered(run: StoredRun, label: str, own: Rows) -> list[Found]:
    if repeats_draws(run):
        names = ", ".join(STABILITY)
        return [(f"greedy draws only repeat one another, so {names} are not given", frozenset({(label, None, None)}))]
    totals = Counter(task for task, _ in run.questions)
    empty: dict[int, Rows] = {}
    for row in _task_rows(own, "pass@k"):
        if row["value"] is None and totals[row["task"]]:  # a shard may have no question of a task
            empty.setdefault(row["k"], []).append(row)
    found: list[Found] = []
    for k, rows in sorted(empty.items()):
        listed = [
            f"{row['n_questions']} of {totals[row['task']]} questions of {row['task']} at {row['budget']}" for row in rows
        ]
        names = ", ".join(name.replace("@k", f"@{k}") for name in STABILITY)
        places = frozenset((label, row["task"], row["budget"]) for row in rows)
        found.append((f"{names} need {k} samples per question and are not given; {_list_some(listed)} have them", places))
    return found


def _lone(run: StoredRun, label: str, own: Rows) -> list[Found]:
    bare = [row for row in _task_rows(own, "avg@n") if row["value"] is not None and row["low"] is None]
    found: list[Found] = []
    for text, rows in (
        ("one question: no interval", [row for row in bare if row["n_questions"] == 1]),
        ("all questions in one cluster: no interval", [row for row in bare if row["n_questions"] > 1]),
    ):
        if rows:
            found.append((text, frozenset((label, row["task"], row["budget"]) for row in rows)))
    return found


def _gains(run: StoredRun, label: str, own: Rows) -> list[Found]:
    totals = {(row["task"], row["budget"]): row["n_questions"] for row in _task_rows(own, "avg@n")}
    fewer = [row for row in _task_rows(own, "gain") if row["n_questions"] < totals[row["task"], row["budget"]]]
    listed = [
        f"{row['n_questions']} of {totals[row['task'], row['budget']]} in {row['task']} at {row['budget']}" for row in fewer
    ]
    text = f"gains cover only the questions that the base run has too: {_list_some(listed)}"
    return [(text, frozenset((label, row["task"], row["budget"]) for row in fewer))] if fewer else []


def _redrawn(run: StoredRun, label: str, own: Rows) -> list[Found]:
    samples = samples_of(run)
    if not samples.n_redrawn:
        return []
    text = (
        f"{samples.n_redrawn} of {samples.n_trajectories} trajectories were drawn again after an interruption on an engine "
        f"whose seeds do not reproduce, which favours short thinking"
    )
    return [(text, frozenset({(label, None, None)}))]


def _unpaired(run: StoredRun, label: str, own: Rows) -> list[Found]:
    return [(text, frozenset({(label, None, None)})) for text in unpaired_notes(run)]


def _engine(run: StoredRun, label: str, own: Rows) -> list[Found]:
    engine: Mapping[str, object] = run.manifest.get("engine", {})
    if engine.get("reproducible", True):
        return []
    return [(f"the engine ({engine.get('name')}) does not reproduce seeded draws", frozenset({(label, None, None)}))]


def _inexact(run: StoredRun, label: str, own: Rows) -> list[Found]:
    engine: Mapping[str, object] = run.manifest.get("engine", {})
    if engine.get("ids_exact", True):
        return []
    text = "the server returned texts, not tokens: token counts are those of this side's tokenizer"
    return [(text, frozenset({(label, None, None)}))]


def _graders(run: StoredRun, label: str, own: Rows) -> list[Found]:
    if len(run.grader_versions) < 2:
        return []
    text = (
        f"the verdicts are those of several graders, {' and '.join(run.grader_versions)}: `raml-eval regrade` grades all "
        f"samples with one"
    )
    return [(text, frozenset({(label, None, None)}))]


def _judged(run: StoredRun, label: str, own: Rows) -> list[Found]:
    return [
        (text, frozenset((label, cell.task, budget_label(cell.budget)) for cell in cells if cell.accepted))
        for text, cells in judge_notes(run)
    ]


def _unsafe(run: StoredRun, label: str, own: Rows) -> list[Found]:
    if all(session.get("sandbox") != "none" for session in run.manifest.get("sessions", ())):
        return []
    tasks = [name for name, task in run.tasks.items() if KINDS[task.grader].needs_sandbox]
    text = "programs ran without a sandbox (--allow-unsafe-code), where they may have touched the harness and its numbers"
    return [(text, frozenset((label, task, None) for task in tasks))]


def _made_up(run: StoredRun, label: str, own: Rows) -> list[Found]:
    if run.manifest.get("engine", {}).get("name") != "fake" or "imported" in run.manifest:
        return []
    return [
        ("the fake backend made these answers up: no number here says anything about a model", frozenset({(label, None, None)}))
    ]


def _restored(run: StoredRun, label: str, own: Rows) -> list[Found]:
    if not run.manifest.get("restored"):
        return []
    return [("made again from an exported log, which anybody may have changed", frozenset({(label, None, None)}))]


_cut = _rate_note("forced_rate", "the budget cut the thinking of {share}", skip="0")  # 0 cuts every thinking
_UNMARKED = (_cut, _gains)  # what most rows of a sweep have, and what gains say beside their cells
_FINDERS = (
    _made_up,
    _restored,
    _imported,
    _looked,
    _shard,
    _partial,
    _subset,
    _synthetic,
    _timeouts,
    _rate_note("unfinished_rate", "{share} are unfinished and count as wrong"),
    _uncovered,
    _lone,
    _gains,
    _cut,
    _unasked,
    _escaped,
    _redrawn,
    _unpaired,
    _engine,
    _inexact,
    _graders,
    _judged,
    _unsafe,
)
