"""lighteval's details. lighteval wrote the fixtures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import SourceError
from raml_eval.importing import open_source
from raml_eval.types import Finish
from tests.imports import FIXTURES, read

REASONER = FIXTURES / "lighteval" / "details" / "demo" / "reasoner"
DOC = {
    "query": "1+1?", "choices": ["2"], "gold_index": 0, "id": "7", "instruction": None, "generation_size": 8, "specific": None,
    "sampling_methods": ["GENERATIVE"],
}  # fmt: skip
RESPONSE = {"text": ["2"], "output_tokens": [[5]], "reasonings": [], "input": "1+1?"}


def write(folder: Path, doc: dict[str, Any], response: dict[str, Any], metric: dict[str, Any] | None = None) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = folder / "details_t|0_2026-01-01T00-00-00.parquet"
    row = {"doc": {**DOC, **doc}, "metric": metric or {"acc": 1.0}, "model_response": {**RESPONSE, **response}}
    pq.write_table(pa.Table.from_pylist([row]), path)
    return path


def test_details_hold_the_samples_with_their_verdicts() -> None:
    samples = {s.question_id.partition("-")[0]: s for s in read("lighteval", REASONER) if s.task.name == "toy_sums|0"}
    assert {row: s.verdict for row, s in samples.items()} == {
        "0": {"pass@k:k=1&n=1": 1.0},
        "1": {"pass@k:k=1&n=1": 1.0},
        "2": {"pass@k:k=1&n=1": 0.0},
        "3": {"pass@k:k=1&n=1": 0.0},
    }
    first = samples["0"]
    assert first.text == "<think>\n17 and 25 make 42.\n</think>\n\nThe answer is 42."
    assert (first.model, first.targets, first.task.version, first.options) == ("demo/reasoner", ("42",), "1", ())
    assert first.task.sampling == {"temperature": 0.0}
    assert first.messages[0]["content"].startswith("A shelf holds 17 books")
    assert (first.n_tokens, first.finish) == (11, Finish.UNKNOWN)
    assert (samples["2"].n_tokens, samples["2"].finish) == (24, Finish.LENGTH)  # all that was allowed


def test_verdicts_of_several_samples_are_of_the_question() -> None:
    samples = [s for s in read("lighteval", REASONER) if s.task.name == "toy_twice|0"]
    assert sorted(s.index for s in samples) == [0] * 4 + [1] * 4
    assert all(s.of_question and set(s.verdict) == {"avg@n:n=2"} for s in samples)


def test_a_choice_has_its_options_its_instruction_and_a_right_one() -> None:
    samples = [s for s in read("lighteval", REASONER) if s.task.name == "toy_pick|0"]
    assert {s.options for s in samples} == {("A", "B", "C")}
    assert {s.targets for s in samples} == {("A",), ("B",)}
    assert samples[0].messages[0] == {"role": "system", "content": "Choose."}


def test_the_results_file_is_found_from_a_single_file_too() -> None:
    path = next(REASONER.rglob("details_toy_sums*.parquet"))
    source = open_source("lighteval", path)
    assert [file.name for file in source.files] == [path.name, f"results_{path.parent.name}.json"]
    assert {s.model for s in source.read()} == {"demo/reasoner"}


def test_the_question_is_the_same_whatever_scoring_added_to_it(tmp_path: Path) -> None:
    ids = {
        read("lighteval", write(tmp_path, changes, {}))[0].question_id
        for changes in ({}, {"specific": {"extracted_predictions": ["2"]}}, {"generation_size": 99}, {"num_samples": 4})
    }
    assert len(ids) == 1
    assert read("lighteval", write(tmp_path, {"query": "1+2?"}, {}))[0].question_id not in ids


def test_several_golds_reasoning_kept_apart_and_engines_without_tokens(tmp_path: Path) -> None:
    response = {"text": ["a", "b"], "output_tokens": [], "reasonings": ["hm", None]}
    first, second = read("lighteval", write(tmp_path, {"choices": ["2", "two", "3"], "gold_index": [0, 1]}, response))
    assert first.targets == ("2", "two")
    assert first.options == ()
    assert (first.thinking, second.thinking) == ("hm", None)
    assert first.n_tokens is None
    assert first.model is None  # no results file


def test_scored_continuations_are_refused() -> None:
    with pytest.raises(SourceError, match=r"holds scored continuations \(sampling method LOGPROBS\) but no text"):
        read("lighteval", FIXTURES / "lighteval_scored")


def test_two_runs_of_a_task_are_refused() -> None:
    with pytest.raises(SourceError, match=r"task toy_sums\|0 is in 2 logs"):
        open_source("lighteval", FIXTURES / "lighteval")


def test_a_file_cut_short_and_one_without_the_columns(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = write(tmp_path, {}, {})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SourceError, match="is not a complete parquet file"):
        read("lighteval", path)
    pq.write_table(pa.Table.from_pylist([{"doc": {"a": 1}}]), path)
    with pytest.raises(SourceError, match="lacks the columns metric, model_response"):
        read("lighteval", path)
    pq.write_table(
        pa.Table.from_pylist([], schema=pa.schema([(c, pa.int64()) for c in ("doc", "metric", "model_response")])), path
    )
    with pytest.raises(SourceError, match="holds no samples"):
        read("lighteval", path)
