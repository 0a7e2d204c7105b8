"""`diagnose statistics`: what the stored thinking of a run shows without an engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raml_eval.budgets import in_tokens, sort_budgets
from raml_eval.diagnostics import summary
from raml_eval.diagnostics.by_question import add_length, build_questions
from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.measures import COLUMNS, Measured, facts_of, measure, why_cut_short
from raml_eval.diagnostics.section import SectionTable, write_section
from raml_eval.diagnostics.statistics_figures import figures_of
from raml_eval.diagnostics.subjects import subjects_of
from raml_eval.errors import StoreError, choose_names, writing
from raml_eval.store.directory import read_classes
from raml_eval.store.seeking import RunReader
from raml_eval.store.stamp import stamp_samples
from raml_eval.types import QuestionKey
from raml_eval.wording import count_noun

if TYPE_CHECKING:
    import pandas as pd

KIND = "statistics"
DEFINITIONS = 1  # of the numbers; raised when one changes its meaning
TITLE = "Trajectory statistics"
BATCH = 4096  # rows that are written at once


def diagnose_statistics(directory: Path, out: Path, tasks: Sequence[str] = ()) -> Path:
    """The folder out/statistics, which holds the statistics of the run's thinking on these tasks (all, if none is named).

    subjects.parquet has a row for each thinking, questions.parquet one for each question, and the other tables and figures
    are what section.json names. The run is read question by question and not changed. Raises ConfigError for an unknown task
    and for a folder of other settings, StoreError and CorruptStore for a run that cannot be read.

    Example: diagnose_statistics(Path("runs/mine"), Path("runs/mine/diagnostics"))
    """
    stamp = stamp_samples(directory)  # before the lines are read: what is added meanwhile makes the diagnosis old, not wrong
    with RunReader(directory) as run:
        chosen = choose_names("task", tasks, run.manifest["tasks"])
        folder = DiagnosisFolder(out, KIND, {"tasks": list(chosen), "definitions": DEFINITIONS})
        folder.reopen()
        skipped: Counter[str] = Counter()
        told: Counter[str] = Counter()
        keys = [key for key in run.questions if key[0] in chosen]
        n = _write_subjects(folder.path / "subjects.parquet", _measure_all(run, keys, skipped, told))
        planned = run.manifest["plan"]["samples"] * len(keys)
    if n:
        _write_summary(folder, skipped, told, planned)
    else:
        write_section(folder, TITLE, f"No thinking of {directory.name} is stored, so there is nothing to count.")
    folder.finish(skipped, samples=stamp, n_subjects=n, without_gold=dict(told))
    return folder.path


def _measure_all(run: RunReader, keys: Sequence[QuestionKey], skipped: Counter[str], told: Counter[str]) -> Iterator[Measured]:
    """The rows of all subjects, question by question. told counts, by reason, the thinkings about questions without a gold."""
    classes = read_classes(run.directory)
    budgets = sort_budgets(filter(in_tokens, run.manifest["plan"]["budgets"]))
    for key in keys:
        facts = facts_of(run.questions[key], classes.get(key, {}))
        for subject in subjects_of(run, key, facts.question, skipped, answer_ids=False):
            if reason := why_cut_short(subject, budgets):
                skipped[reason] += 1
                continue
            if facts.why_no_gold:
                told[facts.why_no_gold] += 1
            yield measure(subject, facts, budgets)


def _write_subjects(path: Path, rows: Iterator[Measured]) -> int:
    """The file holds the rows, which are never all in memory; returns their number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in COLUMNS.items()])
    draft = path.with_name(f".{path.name}.draft")
    n = 0
    with writing(draft, "Free disk space or choose a writable --out.", StoreError):
        with pq.ParquetWriter(draft, schema) as writer:
            for batch in _batches(rows):
                writer.write_table(pa.table({name: [row[name] for row in batch] for name in COLUMNS}, schema=schema))
                n += len(batch)
        draft.replace(path)
    return n


def _batches(rows: Iterator[Measured]) -> Iterator[list[Measured]]:
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _write_summary(folder: DiagnosisFolder, skipped: Mapping[str, int], told: Mapping[str, int], planned: int) -> None:
    """The tables, the figures and section.json, from the rows of all subjects."""
    import pandas as pd

    subjects = add_length(pd.read_parquet(folder.path / "subjects.parquet"))
    questions = build_questions(subjects)
    within = summary.within_table(subjects, questions)
    made = (
        summary.length_table(subjects),
        within,
        summary.shortest_table(questions),
        summary.gold_table(subjects),
        summary.change_table(subjects),
        summary.reflection_table(subjects),
        summary.habit_table(subjects),
        summary.script_table(subjects),
    )
    tables: list[SectionTable] = [table for table in made if table.rows]
    path = folder.path / "questions.parquet"
    with writing(path, "Free disk space or choose a writable --out.", StoreError):
        questions.to_parquet(path, index=False)
    lead = f"{_count_habits(subjects)} {LEAD}"
    notes = list(_notes(subjects, skipped, told, planned))
    write_section(folder, TITLE, lead, tables, list(figures_of(subjects, within)), notes)


def _count_habits(subjects: pd.DataFrame) -> str:
    """One sentence with the counts that a terminal shows no table of."""
    n_loops, n_ends = int((subjects["n_loops"] > 0).sum()), int(subjects["ends_in_loop"].sum())
    n_foreign = int((subjects["n_foreign"] > 0).sum())
    return (
        f"Of {count_noun(len(subjects), 'thinking')}, {n_loops:,} hold a repetition loop, {n_ends:,} end in one, and "
        f"{n_foreign:,} are partly in another script than the question."
    )


LEAD = (
    "Each counts with the verdict of the sample that reads all of it. Correct longer is the chance that a correct thinking is "
    "longer than another about the same question, and ratio the length of the correct one over the other's: 0.5 and 1 are no "
    "association. The confounded numbers are those over all questions at once, in which hard questions are both longer and "
    "more often wrong. The gold is looked for as a number or word of its own; given counts the thinkings whose question "
    "holds it already. docs/diagnostics.md defines every number."
)


def _notes(subjects: pd.DataFrame, skipped: Mapping[str, int], told: Mapping[str, int], planned: int) -> Iterator[str]:
    characters = [str(group) for group in dict.fromkeys(subjects.loc[subjects["unit"] == "characters", "group"])]
    if characters:
        n = int(subjects.loc[subjects["unit"] == "characters", "n_tokens"].isna().sum())
        yield (
            f"{', '.join(characters)}: {count_noun(n, 'thinking')} without a token count, so lengths are in characters there, "
            "and loops are looked for in characters"
        )
    n_thinking = int((subjects["prompt"] == "thinking").sum())
    if 0 < n_thinking < planned:
        yield (
            f"{n_thinking:,} of {planned:,} planned thinkings are stored. Short ones are finished first, so the lengths of a "
            "run that is not finished are too short"
        )
    for reason, n in skipped.items():
        yield f"{count_noun(n, 'thinking')} left out: {reason}"
    for reason, n in told.items():
        yield f"{count_noun(n, 'thinking')} without a gold to look for: {reason}"
    blank = int((subjects["answer_changes"].isna()).sum())
    if 0 < blank < len(subjects):
        yield f"{count_noun(blank, 'thinking')} without an answer at every budget in tokens, so in no count of changes"
    unknown = int(subjects["n_foreign"].isna().sum())
    if unknown:
        yield f"{count_noun(unknown, 'thinking')} about a question without letters, which is in no script to change from"
