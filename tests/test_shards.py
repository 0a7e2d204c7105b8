"""Shards: how they are named, what a scheduler says, where they are stored, and which questions they hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import raml_eval
from raml_eval.comparison import compare_runs
from raml_eval.config import build_config
from raml_eval.errors import ConfigError, InputError, MetricError, StoreError
from raml_eval.exporting.shared import check_publishable
from raml_eval.plan import Plan, select_questions
from raml_eval.reporting.footnotes import footnotes
from raml_eval.shards import Shard, parse_shard, read_shard, shard_folder
from tests.factory import make_question
from tests.test_cli import ROOT, cli, fails
from tests.test_session import FEW

QUESTIONS = [make_question("task", i, stratum="abc"[i % 10 // 5 + (i % 10 == 9)]) for i in range(100)]
NAMES = {question.id for question in QUESTIONS}


def ids(shard: Shard, limit: int | None = None, questions: Any = QUESTIONS) -> list[str]:
    return [question.id for question in select_questions(questions, limit, shard)]


@given(st.integers(1, 12), st.one_of(st.none(), st.integers(1, 120)))
def test_the_shards_are_disjoint_balanced_and_together_the_whole(count: int, limit: int | None) -> None:
    parts = [ids(Shard(index, count), limit) for index in range(1, count + 1)]
    whole = [question.id for question in select_questions(QUESTIONS, limit)]
    assert Counter(one for part in parts for one in part) == Counter(whole)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    for part in parts:
        assert part == [one for one in whole if one in part]  # the task's own order


@given(st.integers(1, 12), st.data(), st.integers(1, 120), st.integers(1, 120))
def test_a_larger_limit_holds_the_smaller_one_in_each_shard(count: int, data: st.DataObject, a: int, b: int) -> None:
    shard = Shard(data.draw(st.integers(1, count)), count)
    small, large = (set(ids(shard, n)) for n in sorted((a, b)))
    assert small <= large <= set(ids(shard))


def test_a_shard_depends_on_no_other_task_and_on_no_order_and_its_remainders_go_round() -> None:
    assert set(ids(Shard(2, 3), 20, QUESTIONS[::-1])) == set(ids(Shard(2, 3), 20))
    sizes = Counter()
    for name in map(str, range(60)):
        questions = [make_question(name, row) for row in range(4)]
        sizes.update(index for index in (1, 2, 3) for _ in ids(Shard(index, 3), None, questions))
    assert sum(sizes.values()) == 240
    assert min(sizes.values()) > 70  # every task gives one shard two questions, and not always the same shard


@pytest.mark.parametrize(
    "text", ["", "0/8", "9/8", "2", "2/", "/8", "a/b", "-1/8", "2/0", "1.5/3", "auto/", "auto/0", "auto/x", "²/8"]
)
def test_what_is_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="shard"):
        parse_shard(text, {"JOB_COMPLETION_INDEX": "0", "SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_COUNT": "8"})


def slurm(number: int, tasks: range, **more: str) -> dict[str, str]:
    return {
        "SLURM_ARRAY_TASK_ID": str(number),
        "SLURM_ARRAY_TASK_COUNT": str(len(tasks)),
        "SLURM_ARRAY_TASK_MIN": str(tasks[0]),
        "SLURM_ARRAY_TASK_MAX": str(tasks[-1]),
        "SLURM_ARRAY_TASK_STEP": str(tasks.step),
    } | more


@given(st.integers(0, 50), st.integers(2, 30), st.integers(1, 7))
def test_every_task_of_a_slurm_array_is_another_shard(first: int, count: int, step: int) -> None:
    tasks = range(first, first + count * step, step)
    found = [parse_shard("auto", slurm(number, tasks)) for number in tasks]
    assert found == [Shard(index, count) for index in range(1, count + 1)]
    assert found == [parse_shard(f"auto/{count}", slurm(number, tasks)) for number in tasks]


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        ("auto", {}, "neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set"),
        ("auto", slurm(3, range(3, 4)), "has 1 task, wanted several.*--shard 3/8"),
        ("auto/8", slurm(3, range(3, 6)), "has 3 tasks, wanted 8"),
        ("auto", slurm(5, range(3, 5), SLURM_ARRAY_TASK_MAX="5"), "has 2 tasks from 3 to 5 in steps of 1, wanted all"),
        ("auto", slurm(3, range(1, 4), SLURM_ARRAY_TASK_MAX="7"), "cannot be told as a shard"),
        ("auto", {"SLURM_ARRAY_TASK_ID": "3"}, "SLURM_ARRAY_TASK_MIN is not set"),
        ("auto", slurm(3, range(1, 4), SLURM_ARRAY_TASK_COUNT="three"), "COUNT is 'three', wanted a whole number"),
        ("auto", {"JOB_COMPLETION_INDEX": "1"}, "not of how many. Pass auto/COUNT"),
        ("auto/3", {"JOB_COMPLETION_INDEX": "3"}, "is 3, wanted one from 0 to 2"),
    ],
)
def test_variables_that_do_not_name_one_shard_are_refused(text: str, environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_shard(text, environment)


def test_an_indexed_job_counts_from_zero() -> None:
    assert [parse_shard("auto/3", {"JOB_COMPLETION_INDEX": str(i)}) for i in range(3)] == [Shard(i, 3) for i in (1, 2, 3)]


def test_a_configuration_holds_the_shard_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    base = {"model": "pocket", "tasks": "pocket"}
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "1")
    assert build_config([base, {"shard": "auto/8"}]).shard == "2/8"
    with pytest.raises(ConfigError, match="Pass auto/COUNT"):
        build_config([base, {"shard": "auto"}])


def test_the_directory_of_a_shard_is_named_after_it(tmp_path: Path) -> None:
    out = tmp_path / "x"
    own = tmp_path / "x-shard-2-of-8"
    assert shard_folder(out, Shard(2, 8)) == own == shard_folder(own, Shard(2, 8))
    with pytest.raises(ConfigError, match="named after shard 2 of 8, but shard 3/8"):
        shard_folder(own, Shard(3, 8))
    own.mkdir()
    (tmp_path / "x-shard-2-of-8-old").mkdir()
    (tmp_path / "xx-shard-2-of-9").mkdir()
    assert shard_folder(out, Shard(3, 8)).name == "x-shard-3-of-8"
    with pytest.raises(ConfigError, match="in 8 shards, but shard 1/3 is asked for"):
        shard_folder(out, Shard(1, 3))


def test_a_plan_with_a_shard_reads_back_and_grows_only_with_its_own() -> None:
    plan = Plan(("a",), (8,), 4, 10, Shard(2, 8))
    assert Plan.read(plan.fields()) == plan
    assert plan.fields()["shard"] == "2/8"
    assert plan.grow(Plan(("b",), (8,), 5, None, Shard(2, 8))) == Plan(("a", "b"), (8,), 5, None, Shard(2, 8))
    for other in (Plan(("a",), (8,), 4, 10), Plan(("a",), (8,), 4, 10, Shard(3, 8))):
        with pytest.raises(ConfigError, match="no single plan covers"):
            plan.grow(other)


@pytest.fixture(scope="module")
def part(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "x"
    return raml_eval.evaluate(**FEW, shard="2/2", out=out).directory


def test_a_shard_is_resumed_and_extended_as_itself_and_as_nothing_else(part: Path, tmp_path: Path) -> None:
    out = part.with_name("x")
    assert part.name == "x-shard-2-of-2"
    assert not out.exists()
    before = (part / "samples.jsonl").read_bytes()
    raml_eval.evaluate(**FEW, shard="2/2", out=out)
    assert (part / "samples.jsonl").read_bytes() == before
    (tmp_path / "moved").symlink_to(part)
    for shard, said in (("3/3", "is there, a part"), (None, "holds shard 2/2, but the whole run is asked for")):
        with pytest.raises(InputError, match=said):
            raml_eval.evaluate(**FEW, shard=shard, out=out if shard else part)
    whole = raml_eval.evaluate(**FEW, out=tmp_path / "y").directory
    whole.rename(tmp_path / "y-shard-1-of-2")
    with pytest.raises(StoreError, match="holds the whole run, but shard 1/2 is asked for"):
        raml_eval.evaluate(**FEW, shard="1/2", out=tmp_path / "y")
    part.with_name("z-shard-1-of-2").symlink_to(part)
    with pytest.raises(StoreError, match=r"holds shard 2/2, but shard 1/2 is asked for\. Pass --shard 2/2"):
        raml_eval.evaluate(**FEW, shard="1/2", out=part.with_name("z"))


def test_a_shard_says_so_in_its_tables_and_is_compared_only_when_asked(part: Path) -> None:
    run = raml_eval.load_run(part)
    assert len(run.questions) == 3
    (note,) = [note for note in footnotes([run], run.table()) if "shard" in note]
    assert note.startswith("shard 2 of 2: partial, a part of the questions (3 of 6)")
    with pytest.raises(MetricError, match=r"is shard 2 of 2, 3 of 6 questions.*--allow-different shard"):
        compare_runs(run, run)
    assert compare_runs(run, run, allow_different=["shard"]).verdict


def test_a_shard_is_neither_ranked_nor_published(part: Path) -> None:
    fails(cli("leaderboard", "add", ROOT / "leaderboards" / "pocket", part), "is shard 2 of 2, a part of the questions")
    run = raml_eval.load_run(part)
    real = replace(run, manifest={**run.manifest, "engine": {"name": "hf"}})
    with pytest.raises(InputError, match=r"is shard 2 of 2, .*a model card states results of the whole"):
        check_publishable(real, "a model card")


def test_a_shard_without_questions_is_a_run_too(tmp_path: Path) -> None:
    settings = {**FEW, "tasks": "pocket_chain", "limit": 1}
    sizes = [len(raml_eval.evaluate(**settings, shard=f"{i}/2", out=tmp_path / "x").records) for i in (1, 2)]
    assert sorted(sizes) == [0, 4]


def test_names_of_shards() -> None:
    assert read_shard("2/8") == Shard(2, 8)
    assert (str(Shard(2, 8)), Shard(2, 8).words, Shard(2, 8).suffix) == ("2/8", "shard 2 of 8", "-shard-2-of-8")
