"""lm-eval's logs: the fixtures, and one that lm-eval writes during the test, about a task that ships with this package."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import SourceError
from raml_eval.importing import open_source
from raml_eval.tasks.catalogue import load_catalogue, tasks_dir
from raml_eval.tasks.load import load_task
from raml_eval.tasks.rows import question_id
from tests.imports import FIXTURES, read

REASONER = FIXTURES / "lm_eval" / "demo__reasoner"
DATE = "2026-01-01T00-00-00.000001"


def write(folder: Path, samples: list[dict[str, Any]], results: dict[str, Any] | None = None, task: str = "t") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"samples_{task}_{DATE}.jsonl"
    path.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    if results is not None:
        (folder / f"results_{DATE}.json").write_text(json.dumps(results))
    return path


def sample(**fields: Any) -> dict[str, Any]:
    arguments = {"gen_args_0": {"arg_0": "1+1?", "arg_1": {"until": [], "do_sample": True, "temperature": 0.5}}}
    made = {"doc_id": 3, "doc": {"q": "1+1?"}, "target": "2", "arguments": arguments, "resps": [["2"]], "filter": "none"}
    return {**made, "filtered_resps": ["2"], "metrics": ["acc"], "acc": 1.0, **fields}


def test_a_log_holds_the_samples_with_the_verdicts_of_both_filters() -> None:
    samples = [s for s in read("lm-eval", REASONER) if s.task.name == "toy_sums"]
    assert [s.index for s in samples] == [0] * 4
    assert [s.verdict for s in samples] == [
        {"exact_match,strict-match": 1.0, "exact_match,flexible-extract": 1.0},
        {"exact_match,strict-match": 0.0, "exact_match,flexible-extract": 1.0},
        {"exact_match,strict-match": 0.0, "exact_match,flexible-extract": 0.0},
        {"exact_match,strict-match": 0.0, "exact_match,flexible-extract": 0.0},
    ]
    first = samples[0]
    assert first.text == "<think>\n17 and 25 make 42.\n</think>\n\nThe answer is 42."
    assert first.targets == ("17 + 25 = 42\n#### 42",)
    assert first.model == "demo/reasoner"
    assert first.task.version == "1"
    assert first.task.sampling == {"temperature": 0.6, "top_p": 0.95, "max_tokens": 64}
    assert first.messages[0]["content"].startswith("<|im_start|>user\nQuestion: A shelf holds 17 books")
    row = {"question": "A shelf holds 17 books and 25 more arrive. How many books are there?", "answer": first.targets[0]}
    assert first.question_id == question_id(0, row)


def test_of_several_repeats_only_the_first_has_a_verdict() -> None:
    samples = [s for s in read("lm-eval", REASONER) if s.task.name == "toy_twice"]
    assert [(s.index, s.verdict) for s in samples] == [(0, {"exact_match": 0.0}), (1, {})] * 4
    assert samples[1].text == "<think>\n17 and 25, so 41.\n</think>\n\n\\boxed{41}"


def test_a_filter_over_all_repeats_gives_none_a_verdict(tmp_path: Path) -> None:
    pipeline = [{"filter": [{"function": "majority_vote"}, {"function": "take_first"}]}]
    results = {"configs": {"t": {"filter_list": pipeline}}, "model_name": "m"}
    path = write(tmp_path, [sample(resps=[["2", "3"]])], results)
    assert [s.verdict for s in read("lm-eval", path)] == [{}, {}]
    (tmp_path / f"results_{DATE}.json").unlink()  # without it, the filters are not known
    assert [(s.verdict, s.model) for s in read("lm-eval", path)] == [({}, None)] * 2


def test_a_file_a_results_file_and_a_folder_open_the_same_log() -> None:
    results = next(REASONER.glob("results_*.json"))
    whole = read("lm-eval", REASONER)
    assert read("lm-eval", results) == whole
    single = next(REASONER.glob("samples_toy_sums_*.jsonl"))
    assert read("lm-eval", single) == [s for s in whole if s.task.name == "toy_sums"]
    source = open_source("lm-eval", single)
    assert (source.harness, source.version, source.files) == ("lm-eval", "0.4.13", (single, results))


def test_scored_continuations_are_refused() -> None:
    with pytest.raises(SourceError, match=r"holds 3 scored continuations \(multiple_choice or loglikelihood\).*generate_until"):
        open_source("lm-eval", FIXTURES / "lm_eval_scored")


def test_two_runs_of_a_task_in_one_folder_are_refused(tmp_path: Path) -> None:
    shutil.copytree(REASONER, tmp_path / "a")
    for path in (tmp_path / "a").glob("*toy_sums*"):
        shutil.copy(path, path.with_name(path.name.replace("2026-11", "2026-12")))
    with pytest.raises(SourceError, match=r"task toy_sums is in 2 logs"):
        open_source("lm-eval", tmp_path)


@pytest.mark.parametrize(
    "arguments", ["pretrained=x,think_end_token=</think>", {"pretrained": "x", "think_end_token": "</think>"}]
)
def test_a_log_without_the_thinking_says_so(arguments: Any, tmp_path: Path) -> None:
    source = open_source("lm-eval", write(tmp_path, [sample()], {"config": {"model_args": arguments}}))
    assert source.hides_thinking == "lm-eval kept only what follows think_end_token </think>"
    plain = open_source("lm-eval", write(tmp_path, [sample()], {"config": {"model_args": "pretrained=x"}}))
    assert plain.hides_thinking == ""


@pytest.mark.parametrize(
    ("settings", "temperature"),
    [({"do_sample": False, "temperature": 1.0}, 0.0), ({"temperature": 0.7}, 0.7), ({}, 0.0), ({"do_sample": True}, None)],
)
def test_lm_eval_is_greedy_unless_told_otherwise(settings: dict[str, Any], temperature: float | None, tmp_path: Path) -> None:
    arguments = {"gen_args_0": {"arg_0": "p", "arg_1": settings}}
    (found,) = read("lm-eval", write(tmp_path, [sample(arguments=arguments)]))
    assert found.task.sampling.get("temperature") == temperature


def test_a_chat_is_logged_as_json_text(tmp_path: Path) -> None:
    chat = json.dumps([{"role": "system", "content": "be"}, {"role": "user", "content": "1+1?", "type": "text"}])
    arguments = {"gen_args_0": {"arg_0": [chat], "arg_1": {}}}
    (found,) = read("lm-eval", write(tmp_path, [sample(arguments=arguments)]))
    assert found.messages == ({"role": "system", "content": "be"}, {"role": "user", "content": "1+1?"})


@pytest.mark.parametrize(
    "doc", [{"options": ["a", "b"]}, {"choices": ["a", "b"]}, {"choices": {"text": ["a", "b"], "label": []}}]
)
def test_options_come_from_the_document(doc: dict[str, Any], tmp_path: Path) -> None:
    assert read("lm-eval", write(tmp_path, [sample(doc=doc)]))[0].options == ("a", "b")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"resps": [["a"], ["b"]]}, "resps of another shape"),
        ({"resps": [[["-1.0", "True"]]]}, "resps of another shape"),
        ({"resps": [[3]]}, "resps of another shape"),
    ],
)
def test_other_responses_are_refused(fields: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=reason):
        read("lm-eval", write(tmp_path, [sample(**fields)]))


def test_a_log_cut_short_names_the_line(tmp_path: Path) -> None:
    path = write(tmp_path, [sample(), sample(doc_id=4)])
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(SourceError, match=r"\.jsonl:2 is not complete JSON"):
        read("lm-eval", path)


def test_what_lm_eval_writes_of_our_task_has_our_ids_and_grader(tmp_path: Path) -> None:
    """The real evaluator and tracker, on a task of this package, with a model that answers one thing to everything."""
    from lm_eval.api.model import LM
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    class Constant(LM):  # type: ignore[misc]
        def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
            return ["<think>\nhm\n</think>\n\n\\boxed{69}"] * len(requests)

        def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[Any]:
            raise NotImplementedError

        loglikelihood_rolling = loglikelihood

    manager = TaskManager(include_path=[str(tasks_dir() / "pocket_chain")], include_defaults=False)
    tracker = EvaluationTracker(output_path=str(tmp_path))
    tracker.general_config_tracker.log_experiment_args("constant", "pretrained=demo/constant", None, None, False)
    done = simple_evaluate(model=Constant(), tasks=["pocket_chain"], task_manager=manager, limit=5, bootstrap_iters=0)
    samples = done.pop("samples")
    tracker.save_results_aggregated(results=done, samples=samples)
    tracker.save_results_samples("pocket_chain", samples["pocket_chain"])

    read_back = read("lm-eval", tmp_path)
    ours = load_task(load_catalogue(), "pocket_chain").questions
    assert [s.question_id for s in read_back] == [q.id for q in ours[:5]]
    assert [s.targets for s in read_back] == [(q.target,) for q in ours[:5]]
    assert {(s.task.grader, s.task.domain, s.model) for s in read_back} == {("math", "in_domain", "demo/constant")}
    assert [s.verdict for s in read_back] == [{"exact_match": float(q.target == "69")} for q in ours[:5]]
