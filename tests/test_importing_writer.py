"""Whole imports: the run directory that they write, and that they write nothing if something is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import ConfigError, SourceError, StoreError
from raml_eval.importing import open_source
from raml_eval.importing.samples import Source
from raml_eval.importing.settings import ImportSettings
from raml_eval.importing.writer import import_run
from raml_eval.store import read_run
from raml_eval.tables import load_run
from raml_eval.types import Finish, Status, ThinkingEnd
from tests.imports import FIXTURES, import_lines, line, write_log
from tests.processes import take_interrupts

MATH = ImportSettings(grader="math")


def stored(run: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(text) for text in (run / f"{name}.jsonl").read_text().splitlines()]


def test_each_status_in_the_way_of_a_run_drawn_here(tmp_path: Path) -> None:
    texts = {
        "right": "<think>\na\n</think>\n\n\\boxed{4}",
        "wrong": "<think>\na\n</think>\n\n\\boxed{5}",
        "nothing": "<think>\na\n</think>\n\nI do not know.",
        "open": "<think>\na, so the answer is \\boxed{4}",
        "none": "\\boxed{4}",
    }
    run = import_lines(tmp_path, [line(question_id=name, completion=text, finish="stop") for name, text in texts.items()])
    found = {record.key.question_id.partition("-")[0]: record for record in run.records}
    assert {name: record.status for name, record in found.items()} == {
        "right": Status.CORRECT,
        "wrong": Status.INCORRECT,
        "nothing": Status.NO_ANSWER,
        "open": Status.UNFINISHED,
        "none": Status.CORRECT,
    }
    assert {name: record.thinking_end for name, record in found.items()} == {
        "right": ThinkingEnd.NATURAL,
        "wrong": ThinkingEnd.NATURAL,
        "nothing": ThinkingEnd.NATURAL,
        "open": ThinkingEnd.EOS,
        "none": ThinkingEnd.OFF,
    }
    unfinished = found["open"]
    assert (unfinished.answer, unfinished.answer_finish, unfinished.grade.answer) == ("", None, None)
    assert run.trajectories[unfinished.trajectory or ""].text == "a, so the answer is \\boxed{4}"
    assert found["none"].trajectory is None
    assert found["right"].answer == "\n\n\\boxed{4}"


@pytest.mark.parametrize(
    ("finish", "end"), [("stop", ThinkingEnd.EOS), ("length", ThinkingEnd.LENGTH), (None, ThinkingEnd.UNKNOWN)]
)
def test_how_a_thinking_without_end_stopped(finish: str | None, end: ThinkingEnd, tmp_path: Path) -> None:
    run = import_lines(tmp_path, [line(completion="<think>a", finish=finish)])
    assert [record.thinking_end for record in run.records] == [end]
    assert next(iter(run.trajectories.values())).end is end


@pytest.mark.parametrize(
    ("finish", "status"),
    [("stop", Status.CORRECT), (None, Status.CORRECT), ("length", Status.UNFINISHED)],
)
def test_an_answer_counts_as_finished_unless_the_log_says_that_it_was_cut(
    finish: str | None, status: Status, tmp_path: Path
) -> None:
    run = import_lines(tmp_path, [line(completion="So the answer is 4", finish=finish)])
    assert [record.status for record in run.records] == [status]
    assert run.records[0].answer_finish is (Finish.UNKNOWN if finish is None else Finish(finish))


def test_where_prompts_open_the_thinking_no_end_is_unfinished_however_right_it_looks(tmp_path: Path) -> None:
    lines = [line(completion="a</think>\\boxed{4}"), line(completion="so \\boxed{4}")]
    assert [r.status for r in import_lines(tmp_path, lines).records] == [Status.CORRECT, Status.UNFINISHED]
    other = tmp_path / "other"
    other.mkdir()
    told = import_lines(other, lines, ImportSettings(opened=False))
    assert [r.status for r in told.records] == [Status.CORRECT, Status.CORRECT]


@pytest.mark.parametrize(
    ("fields", "thinking", "answer"),
    [
        ({"completion": "x"}, None, None),
        ({"completion": "x", "n_tokens": 7}, 0, 7),
        ({"completion": "<think>a</think>x", "n_tokens": 7}, None, None),
        ({"completion": "<think>a</think>x", "n_tokens": 7, "n_thinking_tokens": 4}, 4, None),
        ({"completion": "<think>a</think>x", "n_thinking_tokens": 4, "n_answer_tokens": 3}, 4, 3),
        ({"completion": "x", "thinking": "a", "n_tokens": 7}, None, None),
    ],
)
def test_a_count_that_the_log_does_not_give_is_null(
    fields: dict[str, Any], thinking: int | None, answer: int | None, tmp_path: Path
) -> None:
    run = import_lines(tmp_path, [line(**fields)])
    (record,) = run.records
    assert (record.n_thinking_tokens, record.n_answer_tokens) == (thinking, answer)
    (sample,) = stored(run.directory, "samples")
    assert (sample["n_thinking_tokens"], sample["n_answer_tokens"], sample["seed"], sample["answer_ids"]) == (
        thinking, answer, None, "",
    )  # fmt: skip
    assert sample["imported"]["n_tokens"] == fields.get("n_tokens")


def test_thinking_that_the_harness_took_out_leaves_no_count_and_no_end(tmp_path: Path) -> None:
    source = open_source("jsonl", write_log(tmp_path / "x.jsonl", [line(n_tokens=9)]))
    hidden = Source(source.harness, "1", source.files, source.read, hides_thinking="it kept the answer alone")
    run = load_run(import_run(hidden, tmp_path / "run", quiet=True))
    assert run.budgets == ("unlimited",)
    assert [(r.thinking_end, r.n_thinking_tokens, r.n_answer_tokens) for r in run.records] == [
        (ThinkingEnd.UNKNOWN, None, None)
    ]


def test_a_sealed_thinking_is_thinking_all_the_same(tmp_path: Path) -> None:
    log = write_log(tmp_path / "x.jsonl", [line(), line(question_id="b", completion="a</think>\\boxed{4}")])
    first, second = open_source("jsonl", log).read()
    sealed = replace(first, sealed=True, n_thinking_tokens=5, n_tokens=9, n_answer_tokens=4)
    source = Source("X", "", (log,), lambda: iter([sealed, second]))
    run = load_run(import_run(source, tmp_path / "run", quiet=True))
    assert (run.budgets, run.manifest["imported"]["n_sealed"], run.manifest["imported"]["n_open"]) == (("unlimited",), 1, 0)
    record = next(r for r in run.records if r.trajectory is None)
    assert (record.thinking_end, record.n_thinking_tokens, record.n_answer_tokens) == (ThinkingEnd.UNKNOWN, 5, 4)
    assert record.status is Status.CORRECT


def test_a_real_log_becomes_a_run_that_everything_reads(tmp_path: Path) -> None:
    source = open_source("inspect", FIXTURES / "inspect")
    out = import_run(source, tmp_path / "run", ImportSettings(tasks=("toy_sums",), name="sums"), quiet=True)
    run = load_run(out)
    assert (run.name, run.model, run.budgets, run.n_samples) == ("sums", "mockllm/reasoner", ("unlimited",), 2)
    assert (len(run.questions), len(run.records), run.n_errors) == (4, 7, 1)
    frame = run.samples()
    assert frame.status.tolist().count("correct") == 4
    assert frame.imported.tolist()[0] == {"verdict": {"match": 1.0}, "of_question": False, "n_tokens": 9}
    assert frame.thinking_ids.tolist()[0] == ()
    assert frame.trajectory_text.tolist()[0] == "17 and 25 make 42."
    values = run.table(allow_partial=True).set_index("metric").value
    assert values["avg@n"].iloc[0] == pytest.approx((0.5 + 1 + 0.5 + 0) / 4)
    assert run.classes == read_run(out).classes
    (failed,) = stored(out, "errors")
    assert (failed["error"], failed["sample"]) == ("imported", 1)


def test_the_manifest_says_where_the_run_came_from(tmp_path: Path) -> None:
    source = open_source("lm-eval", FIXTURES / "lm_eval" / "demo__reasoner")
    manifest = load_run(import_run(source, tmp_path / "run", ImportSettings(grader="math", samples=1), quiet=True)).manifest
    assert manifest["schema_version"] == 2
    assert manifest["engine"] == {"name": "imported", "version": "lm-eval 0.4.13"}
    assert manifest["config"]["sampling"] == {
        "temperature": 0.6, "top_p": 0.95, "top_k": None, "min_p": None, "repetition_penalty": None,
    }  # fmt: skip
    assert manifest["protocol"]["imported"] == {"harness": "lm-eval", "version": "0.4.13"}
    assert manifest["protocol"]["tasks"]["toy_sums"]["version"] == "1"
    files = manifest["imported"]["files"]
    assert [entry["name"][:7] for entry in files] == ["samples", "samples", "results"]
    assert all(len(entry["sha256"]) == 64 for entry in files)
    assert str(FIXTURES) not in json.dumps(manifest)
    session = manifest["sessions"][0]
    assert (session["samples_before"], session["samples_after"], session["failed"]) == (0, 8, 0)


def test_a_mapped_task_has_our_name_chance_and_domain(tmp_path: Path) -> None:
    lines = [line(grader=None, target="B", completion="The answer is (B).")]
    run = import_lines(tmp_path, lines, ImportSettings(task_map={"sums": "mmlu_pro"}))
    about = run.tasks["mmlu_pro"]
    assert (about.domain, about.grader, about.chance, about.licence) == ("cross_domain", "choice", 0.111, "MIT")
    assert (about.version, about.digest, about.suites) == ("JSON lines sums", "", ())
    assert [record.status for record in run.records] == [Status.CORRECT]
    assert run.manifest["imported"]["tasks"] == {"mmlu_pro": "sums"}


def test_answers_are_grouped_as_in_a_run_drawn_here(tmp_path: Path) -> None:
    texts = ["\\boxed{4}", "\\boxed{4.0}", "\\boxed{8/2}", "\\boxed{5}"]
    run = import_lines(tmp_path, [line(completion=text) for text in texts])
    ((key, group),) = run.classes.items()
    assert key[0] == "sums"
    assert len({group[answer] for answer in ("4", "4.0", "8/2")}) == 1
    assert group["5"] != group["4"]


def test_only_the_chosen_are_written(tmp_path: Path) -> None:
    lines = [line(question_id=str(q), completion=f"{s}") for q in range(9) for s in range(3)]
    run = import_lines(tmp_path, lines, ImportSettings(limit=4, samples=2))
    assert (len(run.questions), len(run.records), run.n_samples, run.manifest["plan"]["limit"]) == (4, 8, 2, 4)
    assert len(stored(run.directory, "questions")) == 4
    assert {record.key.index for record in run.records} == {0, 1}


def test_prompts_are_kept_on_the_disk(tmp_path: Path) -> None:
    prompt = [{"role": "system", "content": "be"}, {"role": "user", "content": "2+2?"}]
    run = import_lines(tmp_path, [line(prompt=prompt)])
    assert [list(question.messages) for question in run.questions.values()] == [prompt]


def test_an_existing_directory_is_refused_and_left_alone(tmp_path: Path) -> None:
    source = open_source("jsonl", write_log(tmp_path / "x.jsonl", [line()]))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine").write_text("kept")
    with pytest.raises(StoreError, match="run exists, but an import writes a new run directory"):
        import_run(source, tmp_path / "run", quiet=True)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("lines", "settings", "error"),
    [
        ([line(), line(target="5", question_id="a")], {}, SourceError),
        ([line(grader=None)], {}, SourceError),
        ([line(model=None)], {}, SourceError),
        ([line()], {"tasks": ("other",)}, ConfigError),
        ([line(grader="choice", target="copper", options=["a", "b"])], {}, SourceError),
    ],
)
def test_nothing_is_written_where_something_is_wrong(
    lines: list[dict[str, Any]], settings: dict[str, Any], error: type[Exception], tmp_path: Path
) -> None:
    log = write_log(tmp_path / "x.jsonl", lines)
    with pytest.raises(error):
        import_run(open_source("jsonl", log), tmp_path / "deep" / "run", ImportSettings(**settings), quiet=True)
    assert list(tmp_path.iterdir()) == [log]


def test_a_failure_halfway_leaves_nothing_behind(tmp_path: Path) -> None:
    """A log that can be read only once, as if its disk went away."""
    whole = open_source("jsonl", write_log(tmp_path / "x.jsonl", [line(completion=str(n)) for n in range(2000)]))
    passes = 0

    def read() -> Any:
        nonlocal passes
        passes += 1
        for number, sample in enumerate(whole.read()):
            if passes == 2 and number == 1500:
                raise SourceError("the disk went away")
            yield sample

    with pytest.raises(SourceError, match="the disk went away"):
        import_run(Source("X", "", whole.files, read), tmp_path / "run", quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]


def test_an_interrupted_import_leaves_nothing_behind(tmp_path: Path) -> None:
    log = write_log(tmp_path / "x.jsonl", [line(sample=n, completion=f"\\boxed{{{n}}}") for n in range(60_000)])
    command = [sys.executable, "-m", "raml_eval", "import", "jsonl", str(log), "--out", str(tmp_path / "run"), "--quiet"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=take_interrupts)
    while not (drafts := list(tmp_path.glob(".run.*"))) and process.poll() is None:
        time.sleep(0.02)
    assert drafts, "the import ended before it could be interrupted"
    process.send_signal(signal.SIGINT)
    assert "interrupted; nothing was written" in process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    source = open_source("jsonl", write_log(tmp_path / "x.jsonl", [line()]))
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="Choose a writable --out"):
        import_run(source, tmp_path / "run", quiet=True)


def test_a_place_under_a_file_cannot_be_written(tmp_path: Path) -> None:
    source = open_source("jsonl", write_log(tmp_path / "x.jsonl", [line()]))
    with pytest.raises(StoreError, match="Choose a writable --out"):
        import_run(source, tmp_path / "x.jsonl" / "run", quiet=True)


def test_hostile_completions_are_graded_and_kept(tmp_path: Path) -> None:
    texts = [
        "\\boxed{9^{9^{9^{9}}}}",
        "{" * 5000,
        "\x00\ud800",
        "__import__('os').system('true')",
        "\\boxed{" * 500,
        "x" * 1_000_000,
    ]
    run = import_lines(tmp_path, [line(completion=text) for text in texts])
    assert [record.answer for record in sorted(run.records, key=lambda r: r.key.index)] == texts
    assert not any(record.grade.correct for record in run.records)


def test_questions_stand_in_the_order_of_the_log(tmp_path: Path) -> None:
    run = import_lines(tmp_path, [line(question_id=str(q), sample=s) for s in range(2) for q in (2, 1, 0)])
    assert [key[1].partition("-")[0] for key in run.questions] == ["2", "1", "0"]


def test_a_gold_in_several_boxes_is_met_by_the_same_solution(tmp_path: Path) -> None:
    both = "$x=\\boxed{3}$ or $x=\\boxed{4}$"
    run = import_lines(tmp_path, [line(target=both, completion=text) for text in (both, "\\boxed{3, 4}", "\\boxed{4}")])
    assert {record.target for record in run.records} == {"3, 4"}
    assert sorted((record.key.index, record.status) for record in run.records) == [
        (0, Status.CORRECT), (1, Status.CORRECT), (2, Status.INCORRECT)
    ]  # fmt: skip
