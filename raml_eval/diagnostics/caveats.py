"""What every diagnosis tells of itself: which part of the run it is of, and which engines drew and scored."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from raml_eval.diagnostics.fields import Line, count_of, text_of
from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.store.seeking import RunReader
from raml_eval.types import QuestionKey
from raml_eval.wording import count_noun

FAKE = "fake"


def tell_part(
    run: RunReader, n_questions: int, tasks: Sequence[str] = (), limit: int | None = None, samples: int | None = None
) -> str:
    """Which part of the run's plan so many questions and samples a question are, and the options that chose it; empty if all.

    For example: Only 4 of 100 questions: --limit 4.
    """
    n_all, n_samples = len(run.questions), int(run.manifest["plan"]["samples"])
    parts = []
    if n_questions < n_all:
        parts.append(f"{n_questions:,} of {count_noun(n_all, 'question')}")
    if samples is not None and samples < n_samples:
        parts.append(f"{samples:,} of {count_noun(n_samples, 'sample')} of each")
    if not parts:
        return ""
    options = [f"--task {task}" for task in tasks]
    options += [f"--{name} {n}" for name, n in (("limit", limit), ("samples", samples)) if n is not None]
    return f"Only {' and '.join(parts)}: {' '.join(options)}."


def notes_of_skipped(skipped: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """How many thinkings are left out, by reason. Their ids, which the command prints, are in diagnosis.json.

    Example: list(notes_of_skipped({"no gold": ["sums/9-abcdef"]})) == ["Left out, no gold: 1 (named in diagnosis.json)."]
    """
    for reason, ids in skipped.items():
        yield f"Left out, {reason}: {len(ids):,} (named in diagnosis.json)."


def tell_rest(folder: DiagnosisFolder, chosen: Collection[QuestionKey], samples: int | None = None) -> str:
    """What the journal holds beyond the chosen questions and samples, so that smaller tables do not pass for all; or nothing.

    A later command with a smaller --limit takes the place of larger tables, and the journal keeps what they were made from. Its
    samples may have been computed under other options, such as other rules, which need not do for the last command.
    """
    there = set(folder.read(_sample_of))
    shown = {(key, sample) for key, sample in there if key in chosen and (samples is None or sample < samples)}
    if len(shown) == len(there):
        return ""
    return (
        f"The journal has values of {count_noun(len(there), 'sample')}, and the last command asked for {len(shown):,} of them, "
        "so the tables and figures are of no others. What was computed is kept: the same command with a larger choice takes "
        "from it what it needs, and computes only what is not there."
    )


def _sample_of(line: Line) -> tuple[QuestionKey, int]:
    return (text_of(line, "task"), text_of(line, "question_id")), count_of(line, "sample")


def notes_of_engines(drawn_by: str, used: str, what: str) -> Iterator[str]:
    """The caveats about the engine that drew the run and the one that was used for what (a plural) here.

    Example: list(notes_of_engines("hf", "hf", "the values")) == []
    """
    if drawn_by == FAKE:
        yield "The run was drawn by the fake engine, so its thinking was written by no model."
    if used == FAKE:
        yield f"{what[0].upper()}{what[1:]} are by the fake engine, so they are no model's."
    elif drawn_by != used:
        yield f"The run was drawn by {drawn_by}, {what} by {used}, which may differ a little."
