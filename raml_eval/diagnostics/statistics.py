"""`diagnose statistics`: what the stored thinking of a run shows without an engine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from raml_eval.budgets import in_tokens, sort_budgets
from raml_eval.checkpoint import find_checkpoint
from raml_eval.columns import take_batches
from raml_eval.diagnostics import summary
from raml_eval.diagnostics.by_question import add_length, build_questions
from raml_eval.diagnostics.caveats import tell_part
from raml_eval.diagnostics.classes import AnswerClasses
from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.measures import COLUMNS, Measured, TokenOf, facts_of, measure, why_cut_short
from raml_eval.diagnostics.section import SectionTable, write_section
from raml_eval.diagnostics.statistics_figures import figures_of
from raml_eval.diagnostics.subjects import Gold, choose_questions, gold_of, subjects_of
from raml_eval.errors import StoreError, choose_names, writing
from raml_eval.kept_text import token_at, tokenizer_at_hand
from raml_eval.manifest import printable
from raml_eval.prompts.tokenizer import load_tokenizer
from raml_eval.protocols import Tokenizer
from raml_eval.store.seeking import RunReader
from raml_eval.store.stamp import stamp_samples
from raml_eval.types import QuestionKey
from raml_eval.wording import count_noun

if TYPE_CHECKING:
    import pandas as pd

KIND = "statistics"
DEFINITIONS = 1  # of the numbers; raised when one changes its meaning
TITLE = "Statistics of thinking"
NOT_SUMMARISED = {
    *("sample", "budget", "loop_start", "loop_length", "loop_period", "loop_unit", "foreign_scripts", "n_letters"),
    "gold_at_character",
}
SUMMARISED = [name for name in COLUMNS if name not in NOT_SUMMARISED]  # each costs memory for every thinking
BATCH = 4096  # rows that are written at once


@dataclass
class Told:
    """What a reader is told beside the numbers: how many thinkings are planned, and by reason those left out and those
    about a question without a gold. only names the tasks if they are not all of the run's, and part says how many questions
    they have. golds has an example of each task's golds that are looked for. place says how the tokenizer can be found if it is
    not at hand.
    """

    planned: int
    only: str
    part: str
    place: str = ""
    skipped: Counter[str] = field(default_factory=Counter)
    without_gold: Counter[str] = field(default_factory=Counter)
    golds: dict[str, str] = field(default_factory=dict)


def diagnose_statistics(
    directory: Path, out: Path, tasks: Sequence[str] = (), limit: int | None = None, model: str | None = None
) -> Path:
    """The folder out/statistics, which holds the statistics of the run's thinking on these tasks (all, if none is named).

    limit is the number of questions of each task, chosen as in a run; None is all. model is where the checkpoint that drew the
    run lies now, of which only the tokenizer is loaded; if it is not given, the run's own is taken if it is at hand.

    subjects.parquet has a row for each thinking, questions.parquet one for each question, and the other tables and figures
    are what section.json names. The run is read question by question and not changed. Raises ConfigError for an unknown task
    and for a folder of other settings, ModelError for a model that is none, StoreError and CorruptStore for a run that cannot
    be read.

    Example: diagnose_statistics(Path("runs/mine"), Path("runs/mine/diagnostics"))
    """
    stamp = stamp_samples(directory)  # before the lines are read: what is added meanwhile makes the diagnosis old, not wrong
    with RunReader(directory) as run:
        chosen = choose_names("task", tasks, run.manifest["tasks"])
        tokenizer = load_tokenizer(find_checkpoint(model)) if model else None
        settings = {"tasks": list(chosen), "definitions": DEFINITIONS, **({"limit": limit} if limit else {})}
        with DiagnosisFolder(out, KIND, settings) as folder:
            folder.reopen()
            keys = list(choose_questions(run, tasks, limit))
            left = [] if len(chosen) == len(run.manifest["tasks"]) else chosen
            told = Told(
                planned=run.manifest["plan"]["samples"] * len(keys),
                only=", ".join(left),
                part=tell_part(run, len(keys), tasks, limit),
                place="" if run.manifest.get("imported") else "; --model says where the checkpoint that drew the run lies now",
            )
            token_of = _token_of(run, tokenizer)
            n = _write_subjects(folder.path / "subjects.parquet", _measure_all(run, keys, told, token_of))
            if n:
                _write_summary(folder, told)
            else:
                _write_nothing(folder, printable(run.manifest["name"]), told)
            made = {"made_with": {"tasks": list(tasks), "limit": limit, "samples": None}}
            folder.finish(told.skipped, samples=stamp, n_subjects=n, without_gold=dict(told.without_gold), **made)
            return folder.path


def _write_nothing(folder: DiagnosisFolder, run: str, told: Told) -> None:
    """The section of a run without a thinking, which says why there is none."""
    lead = f"No thinking of {run} is stored, so there is nothing to count."
    left = [f"{count_noun(n, 'thinking')} left out: {reason}" for reason, n in told.skipped.items()]
    write_section(folder, TITLE, lead, notes=[*([told.part] if told.part else []), *left])


def _measure_all(run: RunReader, keys: Sequence[QuestionKey], told: Told, token_of: TokenOf) -> Iterator[Measured]:
    """The rows of all subjects, question by question."""
    budgets = sort_budgets(filter(in_tokens, run.manifest["plan"]["budgets"]))
    with AnswerClasses(run) as classes:
        for key in keys:
            question = run.questions[key]
            subjects = list(subjects_of(run, key, question, told.skipped, answer_ids=False))
            swept = (record for subject in subjects for record in subject.records if len(budgets) > 1)
            facts = facts_of(question, classes.of(question, swept))
            for subject in subjects:
                if reason := why_cut_short(subject, budgets):
                    told.skipped[reason] += 1
                    continue
                if facts.why_no_gold:
                    told.without_gold[facts.why_no_gold] += 1
                elif not facts.gold_in_question and isinstance(gold := gold_of(question), Gold):
                    told.golds.setdefault(key[0], gold.text)
                yield measure(subject, facts, budgets, token_of)


def _token_of(run: RunReader, given: Tokenizer | None) -> TokenOf:
    """In which token a character lies, by the given tokenizer or that of the run's model, which is loaded when first needed."""
    load = lru_cache(maxsize=1)(lambda: given or tokenizer_at_hand(run.manifest, run.directory))
    return lambda trajectory, character: token_at(trajectory, character, load())


def _write_subjects(path: Path, rows: Iterator[Measured]) -> int:
    """The file holds the rows, which are never all in memory; returns their number."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([(name, pa.type_for_alias(kind)) for name, kind in COLUMNS.items()])
    draft = path.with_name(f".{path.name}.draft")
    n = 0
    with writing(draft, "Free disk space or choose a writable --out.", StoreError):
        with pq.ParquetWriter(draft, schema) as writer:
            for batch in take_batches(rows, BATCH):
                writer.write_table(pa.table({name: [row[name] for row in batch] for name in COLUMNS}, schema=schema))
                n += len(batch)
        draft.replace(path)
    return n


def _write_summary(folder: DiagnosisFolder, told: Told) -> None:
    """The tables, the figures and section.json, from the rows of all subjects."""
    import pandas as pd

    subjects = add_length(pd.read_parquet(folder.path / "subjects.parquet", columns=SUMMARISED))
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
    lead = f"{f'Only {told.only}. ' if told.only else ''}{_count_habits(subjects)} {LEAD}"
    notes = [*_notes(subjects, told), *_notes_of_golds(subjects, told.golds), *_notes_of_figures(subjects, within)]
    write_section(folder, TITLE, lead, tables, list(figures_of(subjects, within)), notes)


def _count_habits(subjects: pd.DataFrame) -> str:
    """One sentence with the counts that a terminal shows no table of."""
    n_loops, n_ends = int((subjects["n_loops"] > 0).sum()), int(subjects["ends_in_loop"].sum())
    n_foreign = int((subjects["n_foreign"] > 0).sum())
    return (
        f"Of {count_noun(len(subjects), 'thinking')}, {n_loops:,} hold a repetition loop, {n_ends:,} end in one, and "
        f"{n_foreign:,} are partly in another script than the question."
    )


def _notes_of_golds(subjects: pd.DataFrame, golds: Mapping[str, str]) -> Iterator[str]:
    """Where correct thinkings seldom name the gold as it is spelt, so that they may write it in another way."""
    looked = subjects[subjects["gold_in_question"].eq(False) & subjects["correct"]]
    for task, of_task in looked.groupby(looked["task"].astype(str), sort=False):
        n_named = int(of_task["gold_at_share"].notna().sum())
        if 2 * n_named < len(of_task):
            yield (
                f"{task}: {n_named:,} of {count_noun(len(of_task), 'correct thinking')} name the gold as the task spells it, "
                f"such as {golds[str(task)]!r:.60}. The others may write it in another way, so where they first do is not known"
            )


def _notes_of_figures(subjects: pd.DataFrame, within: SectionTable) -> Iterator[str]:
    """Why a figure is not drawn."""
    if all(row["auroc"] is None for row in within.rows):
        yield "No question has both a correct thinking and another one, so length is not held against correctness"
    if not subjects["gold_in_question"].eq(False).any():
        yield "In no thinking is the gold looked for: the question's own text holds it, or it is no single text"


LEAD = (
    "Each counts with the verdict of the sample that reads all of it. Correct longer is the chance that a correct thinking is "
    "longer than one about the same question that is not correct (incorrect, without an answer or unfinished), and length "
    "ratio that of the correct one over the other: 0.5 and 1 are no association. The confounded numbers are those over all "
    "questions at once, in which hard questions are both longer and less often correct. The gold is looked for as it is spelt, "
    "as a number or word of its own, and not in thinkings whose question holds it already. docs/diagnostics.md defines every "
    "number."
)


def _notes(subjects: pd.DataFrame, told: Told) -> Iterator[str]:
    if told.part:
        yield told.part
    characters = [str(group) for group in dict.fromkeys(subjects.loc[subjects["unit"] == "characters", "group"])]
    if characters:
        n = int(subjects.loc[subjects["unit"] == "characters", "n_tokens"].isna().sum())
        yield (
            f"{', '.join(characters)}: {count_noun(n, 'thinking')} without a token count, so lengths are in characters there, "
            "and loops are looked for in characters"
        )
    n_thinking = int((subjects["prompt"] == "thinking").sum())
    if 0 < n_thinking < told.planned:
        yield (
            f"{n_thinking:,} of {told.planned:,} planned thinkings are stored. Short ones are finished first, so the "
            "lengths of a run that is not finished are too short"
        )
    for reason, n in told.skipped.items():
        yield f"{count_noun(n, 'thinking')} left out: {reason}"
    for reason, n in told.without_gold.items():
        yield f"{count_noun(n, 'thinking')} without a gold to look for: {reason}"
    named = subjects[subjects["gold_in_question"].eq(False) & subjects["gold_at_share"].notna()]  # as the table counts them
    lost = int((named["gold_at_token"].isna() & named["n_tokens"].notna()).sum())
    if lost:
        yield (
            f"{count_noun(lost, 'thinking')} whose tokens no tokenizer at hand gives the text of, so the gold's place is not "
            f"told in tokens{told.place}"
        )
    blank = int((subjects["answer_changes"].isna()).sum())
    if 0 < blank < len(subjects):
        yield f"{count_noun(blank, 'thinking')} without an answer at every budget in tokens, so in no count of changes"
    unknown = int(subjects["n_foreign"].isna().sum())
    if unknown:
        yield f"{count_noun(unknown, 'thinking')} about a question without letters, which is in no script to change from"
