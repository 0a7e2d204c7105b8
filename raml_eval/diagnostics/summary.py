"""The tables of `diagnose statistics`: rows by task and verdict, made of the rows of all subjects and questions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from raml_eval.diagnostics.by_question import groups_in_order, pooled_effect
from raml_eval.diagnostics.few import if_enough
from raml_eval.diagnostics.scripts import SCRIPTS
from raml_eval.diagnostics.section import Column, SectionTable
from raml_eval.intervals import FIELLER, Part, paired_difference, ratio_of_means
from raml_eval.intervals.clusters import Bounds, Clustered
from raml_eval.intervals.means import clustered_mean
from raml_eval.reflection import REFLECTIONS
from raml_eval.types import Interval, Status, ThinkingEnd

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
ALL = "all"
LABELS = (Column("task", "task"), Column("verdict", "verdict"), Column("n", "thinkings", "count"))
SHARE: Bounds = (0.0, 1.0)


def mean_by_question(values: pd.Series, clusters: pd.Series, bounds: Bounds = None, least: float = -math.inf) -> Interval:
    """The mean of a number of each thinking, with the interval clustered by question; values are not missing.

    bounds decide the method (intervals.clustered_mean). least only cuts the interval off: a length is not below 0. Fewer than
    six clusters have no interval, or Gaffke's (few.if_enough).
    """
    codes, names = clusters.factorize()
    numbers = values.to_numpy(dtype=np.float64)
    sums, sizes = np.bincount(codes, weights=numbers), np.bincount(codes)
    found = clustered_mean(Clustered(sums.astype(np.float64), sizes.astype(np.float64)), bounds=bounds)
    return if_enough(found, len(names), least)


def with_interval(name: str, found: Interval, scale: float = 1.0) -> Row:
    """The columns name, name_low, name_high and name_method; None for what cannot be given."""
    numbers = (found.value, found.low, found.high)
    told = {
        f"{name}{end}": scale * number if math.isfinite(number) else None
        for end, number in zip(("", "_low", "_high"), numbers, strict=True)
    }
    return {**told, f"{name}_method": found.method}


def between(name: str, heading: str, form: Any = "number", digits: int = 1, signed: bool = False) -> Column:
    """The column of a number with its interval, as with_interval names them."""
    return Column(name, heading, form, digits, signed, f"{name}_low", f"{name}_high")


def by_verdict(subjects: pd.DataFrame) -> Iterator[tuple[Row, pd.DataFrame]]:
    """The label of each group's verdicts that occur, and of all of them together, with its thinkings."""
    for group in groups_in_order(subjects):
        of_group = subjects[subjects["group"] == group]
        for verdict in (ALL, *Status):
            chosen = of_group if verdict == ALL else of_group[of_group["verdict"] == str(verdict)]
            if len(chosen):
                yield {"task": group, "verdict": in_words(str(verdict)), "n": len(chosen)}, chosen


def in_words(verdict: str) -> str:
    """The verdict as tables and figures show it.

    Example: in_words("no_answer") == "no answer"
    """
    return verdict.replace("_", " ")


def length_table(subjects: pd.DataFrame) -> SectionTable:
    """Lengths by task and verdict."""
    rows = []
    for label, chosen in by_verdict(subjects):
        quartiles = chosen["length"].quantile([0.25, 0.5, 0.75]).tolist()
        rows.append(
            {
                **label,
                "n_questions": int(chosen["question_id"].nunique()),
                "unit": chosen["unit"].iloc[0],
                **with_interval("mean", mean_by_question(chosen["length"], chosen["cluster"], least=0.0)),
                **dict(zip(("lower", "median", "upper"), quartiles, strict=True)),
                "least": chosen["length"].min(),
                "greatest": chosen["length"].max(),
            }
        )
    columns = (
        *LABELS,
        Column("n_questions", "of questions", "count"),
        *_unit_column(rows),
        between("mean", "mean [95 % interval]"),
        Column("lower", "25 %", "number"),
        Column("median", "median", "number"),
        Column("upper", "75 %", "number"),
    )
    title = f"Length of the thinking: mean and quartiles in {' or '.join(dict.fromkeys(str(row['unit']) for row in rows))}"
    return SectionTable("lengths", title, columns, rows, 2)


def _unit_column(rows: Sequence[Row]) -> tuple[Column, ...]:
    """The column of units, if there are several."""
    return (Column("unit", "unit"),) if len({row["unit"] for row in rows}) > 1 else ()


def reflection_table(subjects: pd.DataFrame) -> SectionTable:
    """Words of reflection per 1,000 tokens (or characters) by task and verdict, and by the language of the words."""
    spoken = [code for code in REFLECTIONS if subjects[f"reflections_{code}"].any()]
    rows = []
    for label, chosen in by_verdict(subjects):
        total = float(chosen["length"].sum())
        row = {**label, "unit": chosen["unit"].iloc[0], **with_interval("rate", _rate(chosen, "reflections"), 1000)}
        for code in spoken:
            row[f"rate_{code}"] = 1000 * float(chosen[f"reflections_{code}"].sum()) / total if total else None
        rows.append(row)
    several = len(spoken) > 1
    columns = (
        *LABELS,
        *_unit_column(rows),
        between("rate", "all [95 % interval]", digits=2),
        *(Column(f"rate_{code}", code, "number", 2) for code in spoken if several),
    )
    unit = " or ".join(dict.fromkeys(str(row["unit"]) for row in rows))
    return SectionTable("reflections", f"Words of reflection per 1,000 {unit}", columns, rows, 2, brief=False)


def _rate(chosen: pd.DataFrame, name: str) -> Interval:
    """The sum of the column over the sum of the lengths; without ends where Fieller's interval cannot be given."""
    total = float(chosen["length"].sum())
    if not total:
        return Interval(math.nan, math.nan, math.nan)
    by = chosen.groupby("cluster", sort=False, observed=True)
    sums = by[[name, "length"]].sum()
    clusters, zeros = list(map(str, sums.index)), np.zeros(len(sums))
    over, under = (Part(zeros, sums[column].to_numpy(dtype=np.float64), clusters) for column in (name, "length"))
    found = ratio_of_means([over], [under])
    rate = float(chosen[name].sum()) / total
    return found if found.method == FIELLER else Interval(rate, math.nan, math.nan, found.method)


def habit_table(subjects: pd.DataFrame) -> SectionTable:
    """The shares of thinkings with loops and with other scripts than the question's, by task and verdict."""
    rows = []
    for label, chosen in by_verdict(subjects):
        known = chosen[chosen["n_foreign"].notna()]
        left = known["script"].ne(known["question_script"]) & known["script"].ne("") & known["n_foreign"].gt(0)
        shares = {
            "loop": (chosen["n_loops"] > 0, chosen),
            "end_loop": (chosen["ends_in_loop"], chosen),
            "foreign": (known["n_foreign"] > 0, known),
            "mostly": (left, known),
        }
        row = {**label, "n_scripts": len(known)}
        for name, (values, of) in shares.items():
            row |= with_interval(name, mean_by_question(values.astype(float), of["cluster"], SHARE))
        rows.append(row)
    columns = (
        *LABELS,
        between("loop", "with a loop", "percent"),
        between("end_loop", "ends in a loop", "percent"),
        between("foreign", "another script", "percent"),
        between("mostly", "mostly another", "percent"),
    )
    return SectionTable(
        "habits", "Loops and changes of script, in percent of thinkings [95 % interval]", columns, rows, 2, brief=False
    )


def script_table(subjects: pd.DataFrame) -> SectionTable:
    """The letters of the thinking by main script, by task and the question's main script, in percent of thinkings."""
    rows: list[Row] = []
    written = [name for name in (*SCRIPTS, "") if (subjects["script"] == name).any()]
    for group in groups_in_order(subjects):
        of_group = subjects[subjects["group"] == group]
        for asked in dict.fromkeys(of_group["question_script"]):
            chosen = of_group[of_group["question_script"] == asked]
            shares = {f"script_{name or 'none'}": float((chosen["script"] == name).mean()) for name in written}
            rows.append({"task": group, "question": asked or "none", "n": len(chosen), **shares})
    columns = (
        Column("task", "task"),
        Column("question", "question in"),
        Column("n", "thinkings", "count"),
        *(Column(f"script_{name or 'none'}", name or "none", "percent") for name in written),
    )
    return SectionTable("scripts", "Main script of the thinking, in percent of thinkings", columns, rows, 2, brief=False)


def gold_table(subjects: pd.DataFrame) -> SectionTable:
    """Where the gold first stands in the thinking, by task and verdict, of questions whose text does not hold it."""
    rows = []
    for label, chosen in by_verdict(subjects):
        looked = chosen[chosen["gold_in_question"].notna()]
        fresh = looked[~looked["gold_in_question"].astype(bool)]
        named = fresh[fresh["gold_at_share"].notna()]
        row: Row = {**label, "n_given": len(looked) - len(fresh), "n_none": len(chosen) - len(looked), "n_fresh": len(fresh)}
        row |= with_interval("named", mean_by_question(fresh["gold_at_share"].notna().astype(float), fresh["cluster"], SHARE))
        row |= with_interval("at_share", mean_by_question(named["gold_at_share"], named["cluster"], SHARE))
        tokens = named["gold_at_token"].dropna()
        row["at_token"] = float(tokens.median()) if len(tokens) else None
        rows.append(row)
    columns = (
        *LABELS[:2],
        Column("n_fresh", "thinkings looked in", "count"),
        Column("n_given", "gold in question", "count"),
        Column("n_none", "no gold", "count"),
        between("named", "names it", "percent"),
        between("at_share", "first after share", "percent"),
        Column("at_token", "first token", "number", 0),
    )
    return SectionTable(
        "gold", "Where the gold first stands, in percent of thinkings and of their length [95 % interval]", columns, rows, 2
    )


def change_table(subjects: pd.DataFrame) -> SectionTable:
    """How answers change from budget to budget, by task; no rows without a sweep."""
    rows = []
    budgets = _in_order(list(subjects["settled_at"].dropna().unique()))
    for group in groups_in_order(subjects):
        chosen = subjects[(subjects["group"] == group) & subjects["answer_changes"].notna()]
        if not len(chosen):
            continue
        row: Row = {"task": group, "n": len(chosen)}
        row |= with_interval("changes", mean_by_question(chosen["answer_changes"], chosen["cluster"], least=0.0))
        for name in ("answer_changes", "right_to_wrong", "wrong_to_right"):
            values = (chosen[name] > 0).astype(float)
            row |= with_interval(f"any_{name}", mean_by_question(values, chosen["cluster"], SHARE))
        settled = chosen["settled_at"].value_counts(normalize=True)
        row |= {f"settled_{budget}": float(settled.get(budget, 0.0)) for budget in budgets}
        rows.append(row)
    columns = (
        Column("task", "task"),
        Column("n", "thinkings", "count"),
        between("changes", "changes", digits=2),
        between("any_answer_changes", "any change", "percent"),
        between("any_right_to_wrong", "correct to not correct", "percent"),
        between("any_wrong_to_right", "not correct to correct", "percent"),
        *(Column(f"settled_{budget}", f"stays from {budget} on", "percent") for budget in budgets),
    )
    return SectionTable(
        "changes", "Changes of the answer from budget to budget: mean number, and thinkings with any, in percent", columns, rows
    )


def _in_order(budgets: Sequence[str]) -> list[str]:
    from raml_eval.budgets import budget_rank, parse_label

    return sorted(map(str, budgets), key=lambda label: budget_rank(parse_label(label)))


def within_table(subjects: pd.DataFrame, questions: pd.DataFrame) -> SectionTable:
    """Length against correctness within questions, and beside it pooled over questions, by task."""
    rows = []
    for group in groups_in_order(subjects):
        asked = questions[questions["group"] == group]
        judged = subjects[(subjects["group"] == group) & (subjects["verdict"] != Status.TIMEOUT.value)]
        ended = judged[judged["end"] == ThinkingEnd.NATURAL.value]
        for suffix, of, chosen in (("", ALL, judged), ("_ended", "natural end", ended)):
            if not len(chosen):
                continue  # an imported log may not say how any thinking ended
            both = asked[asked[f"auroc{suffix}"].notna()]
            row: Row = {"task": group, "of": of, "n_questions": len(asked), "n_both": len(both)}
            row |= with_interval("auroc", mean_by_question(both[f"auroc{suffix}"], both["cluster"], SHARE))
            row |= _as_ratio(mean_by_question(both[f"log_ratio{suffix}"], both["cluster"]))
            auroc, log_ratio = pooled_effect(chosen["length"].to_numpy(), chosen["correct"].to_numpy(dtype=bool))
            row["pooled_auroc"] = auroc if math.isfinite(auroc) else None
            row["pooled_ratio"] = math.exp(log_ratio) if math.isfinite(log_ratio) else None
            rows.append(row)
    columns = (
        Column("task", "task"),
        Column("of", "which thinkings"),
        Column("n_both", "questions with both", "count"),
        between("auroc", "correct longer", digits=2),
        between("ratio", "length ratio", digits=2),
        Column("pooled_auroc", "confounded: longer", "number", 2),
        Column("pooled_ratio", "confounded: ratio", "number", 2),
    )
    title = "Length of correct thinkings against those that are not, within a question [95 % interval]"
    return SectionTable("within", title, columns, rows, 2)


def _as_ratio(found: Interval) -> Row:
    value, low, high = (math.exp(one) for one in (found.value, found.low, found.high))
    return with_interval("ratio", Interval(value, low, high, found.method))


def shortest_table(questions: pd.DataFrame) -> SectionTable:
    """The shortest correct thinking against the longest, and what the shortest of all would score, by task."""
    rows = []
    for group in dict.fromkeys(questions["group"]):
        asked = questions[questions["group"] == group]
        several = asked[asked["n_correct"] > 1]
        logs = np.log(several["longest_correct"].clip(lower=1)) - np.log(several["shortest_correct"].clip(lower=1))
        drawn = asked[asked["n"] > 1]
        row: Row = {"task": group, "unit": asked["unit"].iloc[0], "n_several": len(several), "n_questions": len(drawn)}
        row |= with_interval("shortest", mean_by_question(several["shortest_correct"], several["cluster"], least=0.0))
        row |= with_interval("longest", mean_by_question(several["longest_correct"], several["cluster"], least=0.0))
        row |= _as_ratio(mean_by_question(logs, several["cluster"]))
        row["mean_n"] = float(drawn["n"].mean()) if len(drawn) else None
        row |= _gain(drawn)
        rows.append(row)
    columns = (
        Column("task", "task"),
        *_unit_column(rows),
        Column("n_several", "questions with 2 correct", "count"),
        Column("shortest", "shortest", "number"),
        Column("longest", "longest", "number"),
        between("ratio", "longest / shortest", digits=2),
        Column("accuracy", "accuracy", "percent"),
        Column("accuracy_of_shortest", "of shortest", "percent"),
        between("gain", "difference [95 % interval]", "percent", signed=True),
    )
    title = "The shortest and the longest correct thinking, and the accuracy of the shortest of all, in percent"
    return SectionTable("shortest", title, columns, rows)


def _gain(drawn: pd.DataFrame) -> Mapping[str, Any]:
    """Accuracy of the shortest thinking against the mean of all, paired by question."""
    if not len(drawn):
        return dict.fromkeys(("accuracy", "accuracy_of_shortest", "gain", "gain_low", "gain_high", "gain_method"))
    base, new = drawn["accuracy"].to_numpy(dtype=float), drawn["accuracy_of_shortest"].to_numpy(dtype=float)
    found = paired_difference(base, new, list(map(str, drawn["cluster"])))
    gain = with_interval("gain", Interval(found.value, found.low, found.high, found.method))
    return {"accuracy": float(base.mean()), "accuracy_of_shortest": float(new.mean()), **gain}
