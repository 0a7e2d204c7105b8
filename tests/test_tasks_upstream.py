"""The tasks of the installed lm-eval: their index, which of them can be used, and how they are asked and scored."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import TaskError
from raml_eval.tasks import upstream_index
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.load import load_task
from raml_eval.tasks.packages import advice_for
from raml_eval.tasks.sources import source_members
from raml_eval.tasks.task_file import read_task_file
from raml_eval.tasks.upstream import expand, plain_row, read_task
from raml_eval.tasks.upstream_index import Entry, build_index, cache_path, find_names, package_folder
from raml_eval.tasks.upstream_refusals import find_primary, refusal_of
from tests.hub import load_in_new_process, serve
from tests.test_tasks_catalogue import write_task
from tests.test_tasks_foreign import LOCAL, ROWS

PARITY = Path(__file__).resolve().parents[1] / "benchmarks" / "parity_lm_eval.py"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


def write(folder: Path, **files: str) -> Path:
    (folder / "tasks").mkdir(parents=True)
    for name, text in files.items():
        (folder / "tasks" / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder


def test_the_index_follows_includes_tags_and_groups(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        a="task: one\ntag: [both]\noutput_type: multiple_choice\nprocess_results: !function utils.grade\n",
        b="include: a.yaml\ntask: two\noutput_type: generate_until\n",
        c="task: one\n",
        d="group: plain\ntask: [one, {task: two, task_alias: second}, {group: inner, task: [both]}]\n",
        e="group: other\nnum_fewshot: 2\ntask: [{task: one, doc_to_text: x}]\n",
        f="task: [broken\n",
        g="task: coded\nclass: !function mod.Task\n",
    )
    assert build_index(folder, quiet=True) == {
        "one": Entry("task", "tasks/a.yaml", "multiple_choice"),
        "two": Entry("task", "tasks/b.yaml", "generate_until"),
        "plain": Entry("group", "tasks/d.yaml", members=("one", "two", "both")),
        "other": Entry("group", "tasks/e.yaml", members=("one",), changes=("num_fewshot", "doc_to_text")),
        "coded": Entry("python", "tasks/g.yaml", "generate_until"),
        "both": Entry("tag", "", members=("one", "two")),
    }


def test_the_index_is_built_once_and_a_broken_one_anew(capsys: pytest.CaptureFixture[str]) -> None:
    first = upstream_index.upstream_index()
    path = cache_path(package_folder())
    assert json.loads(path.read_bytes()).keys() == first.keys()
    capsys.readouterr()
    started = time.process_time()
    assert upstream_index.upstream_index() == first
    assert time.process_time() - started < 1
    assert capsys.readouterr().err == ""
    path.write_text("[]", encoding="utf-8")
    assert upstream_index.upstream_index() == first
    assert "files/s" in capsys.readouterr().err
    assert [one for one in path.parent.iterdir() if one != path] == []


def test_two_processes_may_build_it_at_once(tmp_path: Path) -> None:
    program = "from raml_eval.tasks.upstream_index import upstream_index as build; print(len(build(quiet=True)))"
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", program]
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert len({one.communicate()[0] for one in both}) == 1
    assert [path.suffix for path in (tmp_path / "raml-eval").iterdir()] == [".json"]


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert "gsm8k_cot" in upstream_index.upstream_index(quiet=True)


def test_the_index_agrees_with_lm_eval() -> None:
    from lm_eval.tasks._index import TaskIndex

    folder = package_folder()
    theirs = TaskIndex.build([folder / "tasks" / one for one in ("gsm8k", "bbh", "mmlu", "arc", "super_glue")])
    ours = upstream_index.upstream_index(quiet=True)
    for name, entry in theirs.items():
        kind = {"PY_TASK": "python"}.get(entry.kind.name, entry.kind.name.lower())
        assert ours[name].kind == kind, name
        if entry.yaml_path:
            assert folder / ours[name].path == entry.yaml_path


def test_neither_the_index_nor_a_task_imports_lm_eval() -> None:
    program = (
        "import sys; from raml_eval.tasks.catalogue import load_catalogue; c = load_catalogue(); "
        "c.expand(['lm_eval:gsm8k_cot']); print([m for m in ('lm_eval', 'datasets') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_list_of_lm_evals_tasks_is_quick() -> None:
    upstream_index.upstream_index(quiet=True)
    command = [sys.executable, "-m", "raml_eval", "tasks", "list"]
    before = os.times()
    done = subprocess.run([*command, "gsm8k_cot", "--upstream"], capture_output=True, text=True, check=True)
    after = os.times()
    assert after.children_user + after.children_system - before.children_user - before.children_system < 2
    assert "lm_eval:gsm8k_cot_zeroshot generate_until" in " ".join(done.stdout.split())
    assert done.stderr == ""
    unknown = subprocess.run([*command, "gsm8kk", "--upstream"], capture_output=True, text=True, check=False)
    assert "no task of lm-eval has 'gsm8kk' in its name. Did you mean gsm8k, " in unknown.stderr
    own = subprocess.run([*command, "pocket_ch"], capture_output=True, text=True, check=True)
    assert [line.split()[0] for line in own.stdout.splitlines() if line] == ["pocket_chain", "pocket_chain_long"]


def test_names_are_found_by_a_word() -> None:
    index = {"b_Gsm": Entry("task", ""), "a_gsm": Entry("task", ""), "c": Entry("task", "")}
    assert [name for name, _ in find_names(index, "gsm")] == ["a_gsm", "b_Gsm"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "gpqa_diamond_zeroshot",
            r"output_type is multiple_choice.* Use gpqa_diamond \(this package's own\) or lm_eval:gpqa_diam",
        ),
        ("mmlu_abstract_algebra", r"Use lm_eval:mmlu_abstract_algebra_generative"),
        ("wikitext", "output_type is loglikelihood_rolling"),
        ("mmmu_val_art", "images or sound"),
        ("humaneval", r"unsafe_code\)\. Use humaneval \(this package's own\)"),
        ("gsm8k_cot_self_consistency", r"filter majority_vote merges several.*Use lm_eval:gsm8k_cot or"),
        ("squadv2", "a task in Python code"),
        ("arc_challenge_chat", "its gen_prefix writes the start of the answer"),
        ("wmt16-en-ro", "computed over all answers at once"),
        ("careqa_open", "utils_open.py loads a metric from the hub"),
        ("realtoxicityprompts", "better when it is lower"),
        ("truthfulqa_gen", "no share between 0 and 1|loads a metric|computed over all"),
        ("openllm", r"alters its members \(.*num_fewshot.*Name the members that you mean: lm_eval:arc_challenge"),
        ("mmlu", r"because of its member lm_eval:mmlu_\w+: its output_type is multiple_choice.* Use .*lm_eval:mmlu_generative"),
        ("gsm8k_kot", r"has no task 'gsm8k_kot'.* Did you mean lm_eval:gsm8k_cot"),
        ("", "has no task ''"),
    ],
)
def test_what_is_refused_is_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(TaskError, match=words) as caught:
        load_catalogue().expand([f"lm_eval:{name}"])
    assert name in str(caught.value)


def test_a_group_is_its_tasks() -> None:
    names = load_catalogue().expand(["lm_eval:minerva_math", "lm_eval:minerva_math_algebra"])
    assert "lm_eval:minerva_math_geometry" in names
    assert len(names) == 7
    assert list(source_members(["gsm8k", "lm_eval:gsm8k_cot"])) == ["gsm8k", "lm_eval:gsm8k_cot"]
    assert expand("gsm8k_cot") == ["gsm8k_cot"]


@pytest.mark.parametrize(
    ("name", "filter_", "metric"),
    [
        ("gsm8k_cot", "flexible-extract", "exact_match"),
        ("minerva_math500", "none", "math_verify"),
        ("ifeval", "none", "prompt_level_strict_acc"),
        ("mmlu_pro_math", "custom-extract", "exact_match"),
        ("drop", "none", "em"),
    ],
)
def test_the_primary_pair(name: str, filter_: str, metric: str) -> None:
    tests = read_task(name).config["metadata"]["raml"]["tests"]
    assert (tests.primary.filter, tests.primary.metric) == (filter_, metric)


def test_every_generative_task_is_read_or_refused_with_a_reason() -> None:
    folder = package_folder()
    usable = 0
    for name, entry in list(upstream_index.upstream_index(quiet=True).items())[::10]:
        if entry.kind == "task" and entry.output_type == "generate_until":
            config = read_task_file(folder / entry.path, strict=False).config
            if not refusal_of(config):
                usable += 1
                assert find_primary(name, config).metric
    assert usable > 150


def test_a_task_of_lm_eval_is_described_as_one() -> None:
    catalogue = load_catalogue()
    catalogue.expand(["lm_eval:gsm8k_cot", "lm_eval:drop"])
    about = catalogue.tasks["lm_eval:gsm8k_cot"]
    assert (about.domain, about.grader, about.dataset, about.split) == ("in_domain", "task_rule", "openai/gsm8k", "test")
    assert about.overrides == (
        "its score is exact_match under the filter flexible-extract",
        "lm-eval's do_sample=False give way to the run's own sampling and lengths",
    )
    assert catalogue.tasks["lm_eval:drop"].domain == "cross_domain"


@pytest.mark.parametrize("doc", [{"a": [1, None, {"b": "é"}], "c": 0.5, "d": True}, {"a": float("nan")}])
def test_rows_survive_json(doc: dict[str, Any]) -> None:
    assert repr(plain_row(doc)) == repr(doc)


@pytest.mark.parametrize("value", [b"x", (1, 2), {1: 2}, {1}])
def test_rows_that_json_would_change_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="the column a holds"):
        plain_row({"a": value})


def test_rows_are_fetched_asked_and_stored_with_their_tests(tmp_path: Path) -> None:
    with serve() as hub:
        loaded = load_in_new_process(["lm_eval:gsm8k_cot", "gsm8k"], hub.url, tmp_path / "home")
    task, own = loaded["lm_eval:gsm8k_cot"], loaded["gsm8k"]
    assert [question.id for question in task.questions] == [question.id for question in own.questions]
    assert [message["role"] for message in task.questions[0].messages] == ["user", "assistant"] * 8 + ["user"]
    assert task.questions[0].stop == ("Q:", "</s>", "<|im_end|>")
    tests = json.loads(task.questions[2].tests)
    assert tests["doc"] == {"question": "Ann has 2 pens and buys 1000.", "answer": "2+1000 = <<2+1000>>\n#### 1,002"}
    assert (tests["rule"], tests["read"], tests["multiple_target"]) == ("lm_eval", "whole", 0)


def test_a_missing_package_is_named_with_what_brings_it() -> None:
    missing = ModuleNotFoundError("No module named 'langdetect'", name="langdetect")
    assert advice_for(missing).endswith("pip install 'lm-eval[ifeval]'.")
    chained = ModuleNotFoundError("several are required")
    chained.__cause__ = ModuleNotFoundError("No module named 'antlr4'", name="antlr4")
    assert "antlr4-python3-runtime==4.11: pip install 'lm-eval[math]'" in advice_for(chained)
    assert (
        advice_for(ModuleNotFoundError(name="sklearn.metrics"))
        == "Install what it imports: pip install 'scikit-learn>=0.24.1'."
    )
    assert advice_for(ModuleNotFoundError(name="nowhere")) == "Install what it imports: pip install 'nowhere'."
    assert "another version" in advice_for(AssertionError("`antlr4-python3-runtime==4.11` is required")).lower()
    assert "nltk.downloader punkt_tab" in advice_for(LookupError("Resource: >>> nltk.download('punkt_tab')"))
    assert advice_for(KeyError("question")) == "Correct the task."
    assert "use another task" in advice_for(KeyError("question"), foreign=True)


@pytest.mark.skipif(importlib.util.find_spec("langdetect") is not None, reason="langdetect is installed")
def test_a_task_whose_package_is_missing_says_what_to_install(tmp_path: Path, real_hub_url: str) -> None:
    message, _ = load_in_new_process(["lm_eval:ifeval"], real_hub_url, tmp_path / "home")["lm_eval:ifeval"]
    assert message.endswith("pip install 'lm-eval[ifeval]'.")


@pytest.mark.slow
def test_the_rule_agrees_with_lm_eval(tmp_path: Path, real_hub_url: str) -> None:
    """Tasks that need lm-eval's extras are left out where these are not installed."""
    environment = {**os.environ, "HF_ENDPOINT": real_hub_url, "HF_HOME": str(tmp_path), "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, str(PARITY), "--completions", "40"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    last = done.stdout.splitlines()[-1].split()
    equal, compared = last[3].removeprefix("equal=").split("/")
    assert last[0] == "PARITY", done.stderr
    assert equal == compared, done.stderr
    assert int(compared) >= 6 * 40


def test_loading_one_task_does_not_depend_on_the_global_generator(tmp_path: Path) -> None:
    """lm-eval's gpqa shuffles its options with it; a stored result of the shuffle is not used either."""
    code = "import random\ndef mix(rows):\n    return rows.map(lambda row: {'answer': random.randrange(10**6)})\n"
    (tmp_path / "own.py").write_text(code, encoding="utf-8")
    write_task(tmp_path, "mine", LOCAL + "process_docs: !function own.mix\n")
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    random.seed(1)
    once = load_task(load_catalogue([tmp_path], trust_tasks=True), "mine")
    random.seed(2)
    assert load_task(load_catalogue([tmp_path], trust_tasks=True), "mine") == once
