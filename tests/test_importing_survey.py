"""What the first pass over a log finds, and what it refuses before anything is written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import ConfigError, SourceError
from raml_eval.importing import open_source
from raml_eval.importing.settings import ImportSettings
from raml_eval.importing.survey import Survey, survey
from raml_eval.plan import select_questions
from raml_eval.types import Question
from tests.imports import FIXTURES, import_lines, line, write_log


def look(tmp_path: Path, lines: list[dict[str, Any]], **settings: Any) -> Survey:
    return survey(open_source("jsonl", write_log(tmp_path / "x.jsonl", lines)), ImportSettings(**settings))


def test_samples_questions_model_and_budget(tmp_path: Path) -> None:
    found = look(tmp_path, [line(question_id=q, completion="x") for q in "abc" for _ in range(2)])
    assert (found.n_samples, found.n_total, found.model, found.budget) == (2, 6, "demo/m", "off")
    assert [id_.partition("-")[0] for id_ in found.tasks["sums"].samples] == ["a", "b", "c"]
    assert found.opened == []


@pytest.mark.parametrize(
    ("completions", "settings", "budget", "opened", "n_open"),
    [
        (["<think>a</think>b", "b"], {}, "unlimited", False, 0),
        (["a</think>b", "b"], {}, "unlimited", True, 1),
        (["a</think>b", "b"], {"opened": False}, "unlimited", False, 0),
        (["b", "b"], {"opened": True}, "unlimited", True, 2),
        (["a</think>b"] + ["b"] * 30, {}, "unlimited", False, 0),  # one in 31 is an odd answer, and no template
        (["b"], {"budget": 512}, 512, False, 0),
        (["<think>a</think>b"], {"budget": 512}, 512, False, 0),
    ],
)
def test_whether_the_prompts_open_the_thinking(
    completions: list[str], settings: dict[str, Any], budget: Any, opened: bool, n_open: int, tmp_path: Path
) -> None:
    found = look(tmp_path, [line(completion=text) for text in completions], **settings)
    assert (found.budget, found.opened, found.n_open) == (budget, ["sums"] if opened else [], n_open)


def test_each_task_decides_for_itself_whether_its_prompts_open_the_thinking(tmp_path: Path) -> None:
    plain = [line(task="plain", question_id=str(n)) for n in range(95)]
    thinky = [line(task="thinky", question_id=str(n), completion="hm</think>\\boxed{4}") for n in range(5)]
    thinky.append(line(task="thinky", question_id="9", completion="hm, \\boxed{4}"))
    found = look(tmp_path, [*plain, *thinky])
    assert (found.budget, found.opened, found.n_open) == ("unlimited", ["thinky"], 1)
    assert look(tmp_path, [*plain, *thinky], opened=True).n_open == 96
    run = import_lines(tmp_path, [*plain, *thinky])
    solved = [(record.key.task, record.status.value) for record in run.records]
    assert Counter(solved) == {("plain", "correct"): 95, ("thinky", "correct"): 5, ("thinky", "unfinished"): 1}
    assert run.manifest["imported"]["opened"] == ["thinky"]


def test_a_prompt_that_ends_in_the_opener_decides_for_itself_alone(tmp_path: Path) -> None:
    lines = [line(question_id="a", prompt="2+2?<think>\n", completion="so 4"), line(question_id="b", completion="4")]
    found = look(tmp_path, lines)
    assert (found.budget, found.opened) == ("unlimited", [])


def test_a_prompt_that_ends_the_thinking_leaves_nothing_to_open(tmp_path: Path) -> None:
    """A model may write the end delimiter without thinking. That must not turn its other answers into unfinished thinking."""
    lines = [
        line(question_id=str(n), prompt=f"{n}?<think>\n\n</think>\n", completion="a</think>b" if n < 3 else "b")
        for n in range(9)
    ]
    found = look(tmp_path, lines)
    assert (found.budget, found.opened, found.n_open) == ("off", [], 0)
    assert look(tmp_path, lines, opened=True).n_open == 0


def test_thinking_under_a_budget_of_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--thinking-budget is off, but the log holds thinking"):
        look(tmp_path, [line(completion="<think>a</think>b")], budget="off")


def test_questions_without_one_target_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = [line(question_id=q, target=t) for q, t in (("a", "4"), ("b", ["1", "2"]), ("c", ""), ("d", ["1", "2"]))]
    found = look(tmp_path, lines)
    assert found.left_out == {"several targets": 2, "no target": 1}
    assert found.n_total == 1
    with pytest.raises(SourceError, match="every question of task sums has no target or several targets"):
        look(tmp_path, lines[1:])


def test_models(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="mixes the models demo/m, other, wanted one"):
        look(tmp_path, [line(), line(question_id="b", model="other")])
    with pytest.raises(SourceError, match="mixes the models demo/m, unnamed"):
        look(tmp_path, [line(), line(question_id="b", model=None)])
    with pytest.raises(SourceError, match=r"does not name its model\. Give it with --model"):
        look(tmp_path, [line(model=None)])
    assert look(tmp_path, [line(model=None)], model="mine").model == "mine"
    assert look(tmp_path, [line()], model="mine").model == "mine"


def test_tasks_with_different_numbers_of_samples(tmp_path: Path) -> None:
    lines = [line(), line(), line(task="more")]
    with pytest.raises(SourceError, match=r"different numbers of samples per question \(sums 2, more 1\).*--samples N"):
        look(tmp_path, lines)
    assert look(tmp_path, lines, samples=1).n_total == 2
    assert look(tmp_path, lines, tasks=("sums",)).n_total == 2
    assert look(tmp_path, lines, samples=9).n_samples == 2


def test_a_question_that_lacks_samples_keeps_the_number_of_the_others(tmp_path: Path) -> None:
    found = look(tmp_path, [line(), line(), line(question_id="b")])
    assert (found.n_samples, found.n_total) == (2, 3)


def test_a_sample_that_stands_twice(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"sample 0 of sums/a-\w+ is in the log twice"):
        look(tmp_path, [line(sample=0), line(sample=0)])


@pytest.mark.parametrize("index", [1_000_000, 10**12, 10**30])
def test_a_sample_beyond_all_numbers_is_one_error(index: int, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"sample {index} of sums/a-\w+ is beyond the 1,000,000"):
        look(tmp_path, [line(sample=index)])


def test_the_limit_is_the_subset_of_a_run(tmp_path: Path) -> None:
    whole = look(tmp_path, [line(question_id=str(q)) for q in range(40)])
    ids = list(whole.tasks["sums"].samples)
    wanted = select_questions([Question("sums", id_, id_, {}, (), "", "math") for id_ in ids], 7)
    cut = look(tmp_path, [line(question_id=str(q)) for q in range(40)], limit=7)
    assert list(cut.tasks["sums"].samples) == [question.id for question in wanted]
    assert cut.tasks["sums"].n_available == 40


def test_two_tasks_of_one_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="b and a would both be called gsm8k"):
        look(tmp_path, [line(task="a"), line(task="b")], task_map={"a": "gsm8k", "b": "gsm8k"})


def test_sampling_that_the_tasks_share(tmp_path: Path) -> None:
    lines = [line(sampling={"temperature": 0.6, "top_p": 1}), line(task="b", sampling={"temperature": 0.6, "top_p": 0.9})]
    sampling = look(tmp_path, lines).sampling
    assert (sampling["temperature"], sampling["top_p"], sampling["top_k"]) == (0.6, None, None)


def test_chance_is_that_of_a_guess_among_the_options(tmp_path: Path) -> None:
    lines = [
        line(question_id=q, grader="choice", target="A", options=o) for q, o in (("a", ["x", "y"]), ("b", ["x", "y", "z", "w"]))
    ]
    assert look(tmp_path, lines).tasks["sums"].guessing == [0.5, 0.25]


def test_a_log_of_failures_only(tmp_path: Path) -> None:
    source = open_source("inspect", FIXTURES / "inspect" / "toy_sums.eval")
    failed = [sample for sample in source.read() if sample.error]
    with pytest.raises(SourceError, match=r"every sample of .* failed in its harness"):
        survey(type(source)(source.harness, "", source.files, lambda: iter(failed)), ImportSettings())
