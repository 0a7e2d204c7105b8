"""The README of a run's data set: what it holds, the numbers, how to read it, and what of it may be passed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from raml_eval.exporting.dataset import TABLES, Passing
from raml_eval.exporting.markdown import markdown_table, plain, setting_rows
from raml_eval.exporting.public import model_name, public_settings
from raml_eval.exporting.shared import Number, Shared
from raml_eval.redaction import without_secrets
from raml_eval.tables import budget_order

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_WORDS = {
    "yes": "yes",
    "non_commercial": "only for non-commercial use",
    "no": "no: question, gold answer, extracted answers and the grader's words are left out",
    "": "not stated, so treated as no",
}


def write_card(shared: Shared, repo_id: str, rows: Mapping[str, int], passing: Passing) -> str:
    """The text of the README, with its metadata. It has no path of this machine, and no text of a model."""
    name = plain(without_secrets(shared.run.name))
    parts = [
        f"---\n{yaml.safe_dump(_metadata(shared, rows, passing), sort_keys=False, allow_unicode=True).strip()}\n---",
        f"# {name}: samples of {plain(model_name(shared.run))}",
        "Every sample of an evaluation with raml-eval, with its thinking, its verdict and the numbers that follow from them.",
        *([f"**{plain(note)}**" for note in shared.notes if "made these answers up" in note]),
        "## Accuracy\n\n" + _accuracy(shared),
        "## What must be known of these numbers\n\n" + _notes(shared),
        "## Tables\n\n" + _tables(rows),
        "## How to read it\n\n" + _reading(repo_id),
        "## Licences\n\n" + _licences(shared, passing),
        "## Settings\n\n" + markdown_table(setting_rows(public_settings(shared.run))),
    ]
    return "\n\n".join(parts) + "\n"


def _metadata(shared: Shared, rows: Mapping[str, int], passing: Passing) -> dict[str, Any]:
    restricted = {passing.of(shared.run, task) for task in shared.run.tasks} - {"yes"}
    n = rows["samples"]
    return {
        "pretty_name": f"{without_secrets(shared.run.name)}: samples of {model_name(shared.run)}",
        "license": "other",
        "license_name": "mixed-non-commercial" if "non_commercial" in restricted else "mixed",
        "license_link": "README.md#licences",
        "tags": ["evaluation", "reasoning", "raml-eval"],
        "size_categories": [next((word for most, word in _SIZES if n < most), "1M<n<10M")],
        "configs": [
            {
                "config_name": table,
                "data_files": [{"split": "train", "path": f"data/{table}.parquet"}],
                **({"default": True} if table == "samples" else {}),
            }
            for table in TABLES
        ],
    }


def _accuracy(shared: Shared) -> str:
    """avg@n in percent, a row for each task and mean, a column for each budget."""
    averages = [number for number in shared.numbers if number.metric == "avg@n"]
    budgets = sorted({number.budget for number in averages}, key=budget_order)
    found = {(number.place, number.budget): number for number in averages}
    places = list(dict.fromkeys(number.place for number in averages))
    head = ["task", "questions", *budgets]
    body = [
        [p, next(n.n_questions for n in averages if n.place == p), *(_shown(found.get((p, b))) for b in budgets)]
        for p in places
    ]
    lead = (
        f"Mean accuracy over {shared.run.n_samples} samples per question, in percent [95 % interval]; the columns are thinking "
        f"budgets in tokens. The table `numbers` has every other metric."
    )
    return f"{lead}\n\n{markdown_table([head, *body])}"


def _shown(number: Number | None) -> str | None:
    if number is None or number.value is None:
        return None
    interval = "" if number.low is None or number.high is None else f" [{100 * number.low:.1f}, {100 * number.high:.1f}]"
    return f"{100 * number.value:.1f}{interval}"


def _notes(shared: Shared) -> str:
    return "\n".join(f"- {plain(note)}" for note in shared.notes) or "Nothing beyond the settings below."


def _tables(rows: Mapping[str, int]) -> str:
    about = {
        "samples": "one row for each sample at each budget: answer, extracted answer, verdict, token counts",
        "thinking": "one row for each drawn thinking (`trajectory`), which samples name; a smaller budget saw only its first "
        "`n_thinking_tokens` tokens",
        "questions": "one row for each question: messages (JSON), gold answer, options (JSON)",
        "numbers": "one row for each metric, task and budget, with the interval; an empty value could not be given, and "
        "`method` says why",
    }
    return "\n".join(f"- `{table}`, {rows[table]} rows: {about[table]}." for table in TABLES)


def _reading(repo_id: str) -> str:
    code = f"""from datasets import load_dataset

samples = load_dataset("{repo_id}", "samples", split="train").to_pandas()
thinking = load_dataset("{repo_id}", "thinking", split="train").to_pandas()
questions = load_dataset("{repo_id}", "questions", split="train").to_pandas()

samples.groupby(["task", "budget"])["correct"].mean()
samples.merge(thinking[["trajectory", "text"]], on="trajectory", how="left")
samples.merge(questions[["task", "question_id", "messages"]], on=["task", "question_id"])"""
    return (
        f"```python\n{code}\n```\n\n`status` is `correct`, `incorrect`, `no_answer`, `unfinished` or `timeout`; everything but "
        "`correct` counts as wrong."
    )


def _licences(shared: Shared, passing: Passing) -> str:
    """Whose questions these are, and which of them are left out or may not be used commercially."""
    run = shared.run
    withheld, limited = passing.withheld(run), [t for t in run.tasks if passing.of(run, t) == "non_commercial"]
    head = ["task", "data", "licence of the data", "may be passed on"]
    body = [
        [task, without_secrets(about.dataset), without_secrets(about.licence) or "not stated", _WORDS[passing.of(run, task)]]
        for task, about in run.tasks.items()
    ]
    lines = ["The questions belong to their authors; the licences are those of their data sets.", markdown_table([head, *body])]
    if limited:
        lines.append(f"**Non-commercial:** the rows of {plain(', '.join(limited))} may only be used non-commercially.")
    if withheld:
        text = "kept, and may quote the questions" if passing.model_text else "left out too, since it may quote the questions"
        lines.append(
            f"The questions and gold answers of {plain(', '.join(sorted(withheld)))} are left out (`withheld` is true); the "
            f"model's text is {text}. Ids, digests, verdicts and token counts stay, from which every number follows."
        )
    return "\n\n".join(lines)
