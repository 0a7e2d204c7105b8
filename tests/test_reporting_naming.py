"""A note names the runs that it is about, once."""

from __future__ import annotations

import pytest

from raml_eval.reporting.naming import merge_runs, name_runs


@pytest.mark.parametrize(
    ("told", "labels", "start"),
    [(["a"], ["a"], ""), (["a"], ["a", "b"], "a: "), (["a", "b"], ["a", "b"], "both runs: "),
     (["a", "b"], ["a", "b", "c"], "a, b: "), (["a", "b", "c"], ["a", "b", "c"], "all runs: ")],
)  # fmt: skip
def test_a_note_names_its_runs(told: list[str], labels: list[str], start: str) -> None:
    assert name_runs("so", told, labels) == f"{start}so"


def test_notes_that_differ_in_the_run_alone_are_merged() -> None:
    notes = [("a", "seed 0"), ("b", "of b"), ("b", "seed 0"), ("", "the base x: seed 0"), ("c: b", "seed 0"), ("", "plain")]
    assert merge_runs(notes, ["a", "b", "c: b"]) == [
        ("a, b, c: b: seed 0", ["a", "b", "c: b"]),
        ("b: of b", ["b"]),
        ("the base x: seed 0", []),
        ("plain", []),
    ]
    # A note that begins like one of another run stays with its own.
    assert merge_runs([("a", "b: so")], ["a", "b"]) == [("a: b: so", ["a"])]
