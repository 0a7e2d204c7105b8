"""Procedural tasks: their names, their rows, what is refused, and the way from a name to a verdict."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import raml_eval
from raml_eval.errors import TaskError
from raml_eval.grading.rule.grader import RuleGrader
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.check import check_tasks
from raml_eval.tasks.load import load_task
from raml_eval.tasks.procedural import CATEGORY_OF, REFUSED, VERSION, generate, read_task
from raml_eval.tasks.sources import read_source_task
from tests.gym import changed, needs_gym, rows
from tests.sandboxes import needs_sandbox

SUITES = ("procedural_math", "procedural_logic", "procedural_math_hard", "procedural_logic_hard")
CATALOGUE = load_catalogue()
IN_SUITES = [name for suite in SUITES for name in CATALOGUE.suites[suite]]
DEFAULTS = [name for name in IN_SUITES if "?" not in name]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("chain_sum", "chain_sum"),
        ("chain_sum?size=100&seed=0", "chain_sum"),
        ("chain_sum?size=200&seed=7", "chain_sum?seed=7&size=200"),
        ("chain_sum?seed=07&max_terms=3", "chain_sum?max_terms=3&seed=7"),
        ("countdown?operators=%2B;*", "countdown?operators=+;*"),
        ("countdown?operators=[1%2C2]", "countdown?operators=[1%2C2]"),
        ("countdown?operators=a%26b%25", "countdown?operators=a%26b%25"),
    ],
)
def test_equal_tasks_have_one_name(given: str, name: str) -> None:
    file = read_source_task(f"reasoning_gym:{given}")
    assert file.name == f"reasoning_gym:{name}"
    assert read_source_task(file.name) == file


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("chain_sums", "Did you mean chain_sum"),
        ("chain_sum?size=0", "a whole number from 1 up"),
        ("chain_sum?size=1e3", "a whole number from 1 up"),
        ("chain_sum?seed=-1", "a whole number from 0 up"),
        ("chain_sum?size=9999999", "at most"),
        ("chain_sum?", "reasoning_gym:chain_sum"),
        ("chain_sum?size", "because of 'size'"),
        ("chain_sum?seed=1&seed=2", "each name once"),
        ("chain_sum?seed=1&&size=2", "because of ''"),
        *((name, reason) for name, reason in REFUSED.items()),
    ],
)
def test_names_that_mean_no_task(given: str, says: str) -> None:
    if given == "chain_sum?":
        assert read_source_task("reasoning_gym:chain_sum?").name == says
        return
    with pytest.raises(TaskError) as caught:
        read_source_task(f"reasoning_gym:{given}")
    assert says in str(caught.value)


def test_an_unknown_source_is_refused_with_those_there_are() -> None:
    with pytest.raises(TaskError, match=r"no source of tasks 'reasoning-gym'\. Did you mean reasoning_gym\?"):
        load_catalogue().expand(["reasoning-gym:chain_sum"])


def test_the_catalogue_describes_a_task_without_the_package() -> None:
    code = (
        "import sys; from raml_eval.tasks.catalogue import load_catalogue; "
        "load_catalogue(); print('reasoning_gym' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
    assert all(len(CATALOGUE.suites[suite]) == 8 for suite in SUITES)
    domains = {suite: {CATALOGUE.tasks[name].domain for name in CATALOGUE.suites[suite]} for suite in SUITES}
    assert domains == {suite: {"in_domain" if "math" in suite else "cross_domain"} for suite in SUITES}
    task = CATALOGUE.tasks["reasoning_gym:jugs"]
    assert (task.grader, task.licence, task.redistribute, task.revision) == ("task_rule", "Apache-2.0", "yes", "0.1.25")
    assert task.suites == ("procedural_logic",)


def test_a_suite_may_list_names_of_sources(tmp_path: Path) -> None:
    text = "group: mine\ntask: [reasoning_gym:{0}, pocket_chain]\nmetadata: {{version: 1}}\n"
    (tmp_path / "mine.yaml").write_text(text.format("chain_sum?seed=7"))
    assert check_tasks([tmp_path]) == []
    assert load_catalogue([tmp_path]).suites["mine"] == ("reasoning_gym:chain_sum?seed=7", "pocket_chain")
    (tmp_path / "mine.yaml").write_text(text.format("chain_sums"))
    (problem,) = check_tasks([tmp_path])
    assert "Did you mean chain_sum" in problem.message
    assert "Did you mean chain_sum" in load_catalogue([tmp_path]).unusable["mine"]


@needs_gym
def test_the_table_of_generators_is_the_package_s() -> None:
    code = (
        "import json; from reasoning_gym.factory import DATASETS; "
        "print(json.dumps({name: kind.__module__.split('.')[1] for name, (kind, _) in DATASETS.items()}))"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == CATEGORY_OF


@needs_gym
@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("chain_sum?max_term=3", "no parameter 'max_term'. Did you mean max_terms"),
        ("chain_sum?max_terms=x", "the parameter max_terms is 'x'; wanted a value like its default, 6"),
        ("chain_sum?allow_negation=1", "the parameter allow_negation is '1'"),
        ("chain_sum?max_terms=1", "max_terms must be >= min_terms"),
        ("calendar_arithmetic?tasks=x", "Correct the parameters"),
        ("jugs?num_jugs=4&seed=6&size=1", """own answer '["No solution"]' is not right by its verifier"""),
    ],
)
def test_settings_are_those_of_the_generator(given: str, says: str) -> None:
    with pytest.raises(TaskError) as caught:
        load_task(CATALOGUE, f"reasoning_gym:{given}")
    assert says in str(caught.value)


@needs_gym
def test_settings_reach_the_generator_and_its_verifier() -> None:
    name = "reasoning_gym:countdown?operators=+;*&max_numbers=4&min_numbers=4&size=3&shuffle=false"
    for question in load_task(CATALOGUE, name).questions:
        tests = json.loads(question.tests)
        assert tests["config"] == {"operators": ["+", "*"], "max_numbers": 4, "min_numbers": 4, "shuffle": False}
        assert len(tests["entry"]["metadata"]["numbers"]) == 4
        assert not {"-", "/"} & set(question.target)


@needs_gym
def test_rows_are_nested_and_a_question_keeps_its_id() -> None:
    small, large = (load_task(CATALOGUE, f"reasoning_gym:gcd?size={n}&seed=3") for n in (5, 9))
    assert [(q.id, q.target, q.cluster) for q in small.questions] == [(q.id, q.target, q.cluster) for q in large.questions[:5]]
    assert small.content_hash != large.content_hash
    assert rows("gcd", 5, 4)[0]["cluster"] == large.questions[1].cluster  # seeds overlap, and the cluster says so


@needs_gym
@pytest.mark.parametrize("generator", ["polynomial_multiplication", "ransom_note", "word_ladder", "knights_knaves"])
def test_rows_repeat_whatever_the_hash_seed_of_the_caller(generator: str) -> None:
    wanted = {"generator": generator, "size": 5, "seed": 7, "settings": {}}
    code = f"import json; from raml_eval.tasks.procedural import generate; print(json.dumps(generate({wanted!r})))"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
    assert json.loads(found.pop()) == generate(wanted)


COSTLY = {"generator": "knights_knaves", "size": 50, "seed": 0, "settings": {"n_people": "15"}}


@needs_gym
def test_rows_that_take_too_long_are_given_up_on_and_their_number_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("raml_eval.tasks.procedural.GENERATING_LIMIT_S", 8.0)
    with pytest.raises(TaskError, match=r"knights_knaves: \d+ of 50 rows were generated in 8 s\. Ask for a smaller size or"):
        generate(COSTLY)
    assert re.search(r"reasoning_gym:knights_knaves: \d+/50 rows · ", capsys.readouterr().err)


@needs_gym
def test_one_row_that_takes_too_long_is_refused() -> None:
    wanted = {**COSTLY, "settings": {"n_people": "40"}, "version": VERSION}
    code = f"import raml_eval.tasks.procedural_rows as rows; rows.ROW_LIMIT_S = 1; rows.write_rows({wanted!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    reply = json.loads(done.stdout.splitlines()[-1])
    assert reply == {"error": 'a row takes more than 1 s under {"n_people": 40}. Ask for easier settings.'}


def near_miss(name: str, answer: str) -> str:
    """The answer with another letter or digit, or without its last part where such a change may leave it right."""
    if "knights_knaves" in name:  # reads the roles alone
        return answer.rpartition(" a")[0]
    return answer.rpartition(", ")[0] + "]" if "jugs" in name else changed(answer)


def check_own_answers(name: str, size: int) -> None:
    """Every row's own answer is right, and one with another letter or digit is wrong."""
    wanted = dict(read_task(name.partition(":")[2]).config["dataset_kwargs"]["wanted"])
    found = generate({**wanted, "size": size})
    misses = [near_miss(name, row["answer"]) for row in found]
    with closing(RuleGrader(2, 30.0)) as grader:
        own = [grader.grade(row["tests"], f"I see.\n<answer>{row['answer']}</answer>") for row in found]
        near = [grader.grade(row["tests"], f"<answer>{miss}</answer>") for row, miss in zip(found, misses, strict=True)]
        assert [row["answer"] for row, verdict in zip(found, own, strict=True) if not verdict.result().correct] == []
        assert [miss for miss, verdict in zip(misses, near, strict=True) if verdict.result().correct] == []


@needs_gym
@needs_sandbox
@pytest.mark.parametrize("name", DEFAULTS)
def test_own_answers_are_right_and_near_misses_wrong(name: str) -> None:
    check_own_answers(name, 20)


@needs_gym
@needs_sandbox
@pytest.mark.slow
@pytest.mark.parametrize("name", IN_SUITES)
def test_a_hundred_own_answers_are_right_and_near_misses_wrong(name: str) -> None:
    check_own_answers(name, 100)


@needs_gym
@needs_sandbox
def test_a_run_of_a_suite_is_graded_regraded_and_reported(tmp_path: Path) -> None:
    out = tmp_path / "run"
    run = raml_eval.evaluate(model="pocket", backend="fake", tasks="procedural_math", limit=2, samples=1, out=out)
    assert len(run.samples()) == 16
    assert run.manifest["sessions"][0]["sandbox"].startswith("bubblewrap")
    assert all(0 <= record.grade.score < 0.1 for record in run.records if record.grade.score is not None)
    done = subprocess.run([sys.executable, "-m", "raml_eval", "regrade", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert load_catalogue().suites["procedural_math"] == tuple(raml_eval.load_run(out).tasks)


# What no verifier may take for a right answer, made of the row's own answer and another row's. It runs in a process of its own,
# because importing reasoning-gym warns.
_PROBING = """
import json, sys
from raml_eval.sandbox.rules import reasoning_gym as rule
from raml_eval.tasks.procedural import generate, generated_names

def number(text):
    try:
        return complex(text.replace("i", "j").replace(" ", ""))
    except ValueError:
        return None

found = []
for name in generated_names():
    generator = name.partition(":")[2]
    rows = generate({"generator": generator, "size": 4, "seed": 7, "settings": {}})
    for place, row in enumerate(rows):
        own, other, tests = row["answer"], rows[(place + 1) % 4]["answer"], json.loads(row["tests"])
        probes = ["0", "1", "nan", "inf", ".", "[]", "None", f"-{own}", f"not {own}", f"It is false that {own}", f"{own} 999"]
        probes += [f"999 {own}", f"{own} or something", f"{own} or {other}", f"{other} or {own}"]
        for probe in probes:
            same = probe == own or (number(probe) is not None and number(probe) == number(own))
            if not same and rule.score(tests, probe)[0] == 1:
                found.append([generator, own, probe])
print(json.dumps(found))
"""
# An antiderivative with another constant; a hyphen before the first of many moves.
_RIGHT = {("simple_integration", "999 "), ("tower_of_hanoi", "-Move")}


@needs_gym
def test_no_generator_takes_a_wrong_answer_for_a_right_one() -> None:
    program = [sys.executable, "-W", "ignore", "-c", _PROBING]
    done = subprocess.run(program, capture_output=True, text=True, timeout=600, check=True)
    found = [(generator, own, probe) for generator, own, probe in json.loads(done.stdout.splitlines()[-1])]
    wrong = [one for one in found if not any(one[0] == name and one[2].startswith(begun) for name, begun in _RIGHT)]
    assert wrong == []
