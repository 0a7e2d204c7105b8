"""Notes that several runs share, named once."""

from __future__ import annotations

from collections.abc import Sequence

Told = tuple[str, str]  # the label of the run that a note is about, "" for none of the report's, and the note


def name_runs(text: str, told: Sequence[str], labels: Sequence[str]) -> str:
    """The note after the names of the runs that it is about; alone if there is no other run.

    Example: name_runs("a subset", ["a", "b"], ["a", "b", "c"]) == "a, b: a subset"
    """
    if len(labels) == 1:
        return text
    every = len(told) == len(labels)
    return f"{('both' if len(told) == 2 else 'all') + ' runs' if every else ', '.join(told)}: {text}"


def merge_runs(notes: Sequence[Told], labels: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The notes as text, those of one text merged into "LABEL, LABEL: text", where the first of them stood.

    Each stands with its labels; a note about none of the labels, with none.

    Example: merge_runs([("a", "so"), ("b", "so")], ["a", "b"]) == [("a, b: so", ["a", "b"])]
    """
    told: dict[tuple[str, bool], list[str]] = {}
    for label, text in notes:
        of_runs = told.setdefault((text, label in labels), [])
        if label in labels and label not in of_runs:
            of_runs.append(label)
    return [(f"{', '.join(of_runs)}: {text}" if of_runs else text, of_runs) for (text, _), of_runs in told.items()]
