"""What differs between protocols is refused, or allowed by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from raml_eval.comparison import compare_runs
from raml_eval.errors import MetricError
from raml_eval.types import StoredRun
from tests.factory import by_row, make_run

PROTOCOL: dict[str, Any] = {
    "model": {"fingerprint": "aa"},
    "sampling": {"temperature": 1.0, "top_p": 0.9, "seed": 0},
    "thinking": {"closing": {"before": ""}},
    "tasks": {"pocket_chain": {"version": "1"}},
}


def run(name: str, **changed: Any) -> StoredRun:
    return make_run(by_row(lambda row: row % 4), name=name, n_questions=24, protocol={**PROTOCOL, **changed})


BASE = run("base")


@pytest.mark.parametrize(
    "changed",
    [
        {"model": {"fingerprint": "bb"}},
        {"sampling": {**PROTOCOL["sampling"], "seed": 7}},
        {"tasks": {"pocket_chain": {"version": "1"}, "elsewhere": {"version": "9"}}},
    ],
)
def test_another_model_seed_or_task_is_no_difference(changed: dict[str, Any]) -> None:
    assert not [note for note in compare_runs(BASE, run("new", **changed)).notes if "the protocols differ" in note]


@pytest.mark.parametrize(
    ("changed", "key", "told"),
    [
        ({"sampling": {**PROTOCOL["sampling"], "top_p": 1.0}}, "sampling.top_p", "sampling.top_p 0.9, then 1.0"),
        ({"thinking": {"closing": {"before": "Stop."}}}, "thinking.closing.before", "thinking.closing.before '', then 'Stop.'"),
        ({"tasks": {"pocket_chain": {"version": "2"}}}, "tasks.pocket_chain.version", "version '1', then '2'"),
    ],
)
def test_a_differing_key_is_refused_or_allowed_by_name_and_noted(changed: dict[str, Any], key: str, told: str) -> None:
    new = run("new", **changed)
    with pytest.raises(MetricError, match=f"made differently in 1 key.*--allow-different {key}$") as refused:
        compare_runs(BASE, new)
    assert told in str(refused.value)
    for name in (key, key.rpartition(".")[0], key.split(".")[0]):
        (note,) = [note for note in compare_runs(BASE, new, allow_different=[name]).notes if "the protocols differ" in note]
        assert note.startswith("the protocols differ in 1 key, which was allowed: ")
        assert told in note


def test_another_yaml_with_the_same_questions_is_no_difference() -> None:
    """The digest of the questions holds all that a run takes from a YAML, which holds more, such as licences."""
    base, new = (
        run(name, tasks={"pocket_chain": {"version": "1", "yaml": yaml, "questions": "q"}})
        for name, yaml in (("base", "aa"), ("new", "bb"))
    )
    assert not [note for note in compare_runs(base, new).notes if "the protocols differ" in note]
    other = run("new", tasks={"pocket_chain": {"version": "1", "yaml": "bb", "questions": "r"}})
    with pytest.raises(MetricError, match=r"made differently in 1 key.*tasks\.pocket_chain\.questions"):
        compare_runs(base, other)
    older = run("base", tasks={"pocket_chain": {"version": "1", "yaml": "aa"}})
    with pytest.raises(MetricError, match=r"made differently in 1 key.*tasks\.pocket_chain\.yaml"):
        compare_runs(older, new)


def test_a_name_allows_only_what_it_names() -> None:
    new = run("new", sampling={"temperature": 0.6, "top_p": 1.0, "seed": 0})
    with pytest.raises(MetricError, match=r"made differently in 1 key.*sampling\.temperature 1\.0, then 0\.6"):
        compare_runs(BASE, new, allow_different=["sampling.top_p"])
    with pytest.raises(MetricError, match=r"in 2 keys.*--allow-different sampling$"):
        compare_runs(BASE, new, allow_different=["sampling.top"])


def test_a_misspelled_name_is_told_what_was_meant() -> None:
    new = run("new", sampling={**PROTOCOL["sampling"], "top_p": 1.0})
    with pytest.raises(MetricError, match=r"Did you mean sampling\.top_p\?"):
        compare_runs(BASE, new, allow_different=["sampling.topp"])


def test_a_key_that_only_one_run_stores_is_noted() -> None:
    notes = compare_runs(BASE, run("new", answer_tokens=48)).notes
    assert "only one of the runs stores answer_tokens, so these may differ" in notes


def test_other_graders_are_refused_until_both_are_regraded() -> None:
    base, new = (replace(one, grader_versions=(version,)) for one, version in ((BASE, "2"), (run("new"), "3")))
    with pytest.raises(MetricError, match=r"grader '2', then '3'\. `raml-eval regrade` grades both runs with one grader\."):
        compare_runs(base, new)
    assert any("grader '2', then '3'" in note for note in compare_runs(base, new, allow_different=["grader"]).notes)
    assert compare_runs(base, replace(new, grader_versions=("2",))).cells
