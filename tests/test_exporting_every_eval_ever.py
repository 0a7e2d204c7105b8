"""Records of Every Eval Ever, validated with the schema that its package ships, if that is installed."""

from __future__ import annotations

import hashlib
import json
import math
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from tests.shared_runs import COMMIT, holds_nothing_private, private_run, share, values
from tests.test_cli import cli, fails


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return private_run(tmp_path / "run")


def export(run: Path, out: Path, *words: str) -> dict[str, dict[str, Any]]:
    """The records by task, and checks of their places."""
    done = cli("export", "every-eval-ever", run, "--out", out, "--k", "2,64", *words)
    assert done.returncode == 0, done.stderr
    records = {}
    for path in out.rglob("*.json"):
        holds_nothing_private(path.read_bytes())
        text = path.read_text()
        records[path.relative_to(out).parts[1]] = json.loads(text, parse_constant=lambda word: pytest.fail(word))
    assert len(records) == len(done.stdout.splitlines())
    return records


def test_the_numbers_are_those_of_the_frame(run: Path, tmp_path: Path) -> None:
    records = export(run, tmp_path / "out", "--model-id", "me/mine")
    assert set(records) == {"free", "kept", "half"}
    shared = share(run)
    wanted = {key: value for key, value in values(shared).items() if key[0] != "macro" and key[3] != "chance"}
    found, ends = {}, {}
    for task, record in records.items():
        assert record["model_info"]["id"] == "me/mine"
        for result in record["evaluation_results"]:
            config = result["metric_config"]
            place = task, config["metric_parameters"]["thinking_budget"], config["metric_name"]
            found[place] = result["score_details"]["score"]
            interval = result["score_details"]["uncertainty"].get("confidence_interval")
            ends[place] = (interval["lower"], interval["upper"]) if interval else None
    numbers = {(n.task, n.budget, n.name): n for n in shared.numbers if n.task != "macro" and n.metric != "chance"}
    assert len(found) == len(wanted)
    assert found == {place: number.value for place, number in numbers.items() if number.value is not None}
    assert ends == {place: None if numbers[place].low is None else (numbers[place].low, numbers[place].high) for place in found}
    assert sorted(found.values()) == sorted(wanted.values())
    assert not any("64" in name for _, _, name in found)  # cannot be given
    assert all(math.isfinite(value) for value in found.values())


def test_the_source_of_each_number(run: Path, tmp_path: Path) -> None:
    words = ["--organization", "A lab", "--relationship", "third_party", "--availability", "open_weights"]
    records = export(run, tmp_path / "out", *words)
    free, half = (records[task]["evaluation_results"][0]["source_data"] for task in ("free", "half"))
    assert (free["source_type"], free["hf_repo"], free["samples_number"]) == ("hf_dataset", "someorg/free", 3)
    assert free["additional_details"]["revision"] == COMMIT
    assert half["source_type"] == "other"
    source = records["free"]["source_metadata"]
    assert (source["source_organization_name"], source["evaluator_relationship"]) == ("A lab", "third_party")
    assert records["free"]["model_info"]["additional_details"]["model_availability"] == "open_weights"
    assert records["free"]["model_info"]["id"] == "unknown/step_500"
    better = {r["metric_config"]["metric_name"]: r["metric_config"] for r in records["free"]["evaluation_results"]}
    assert [better[name]["lower_is_better"] for name in ("avg@4", "unfinished_rate", "thinking_tokens_mean")] == [
        False,
        True,
        True,
    ]
    assert better["thinking_tokens_p95"]["max_score"] == "Infinity"


def test_a_second_export_replaces_the_first(run: Path, tmp_path: Path) -> None:
    first = export(run, tmp_path / "out")
    assert export(run, tmp_path / "out").keys() == first.keys()
    assert len(list((tmp_path / "out").rglob("*.json"))) == 3


def test_words_that_the_schema_lacks_are_refused(run: Path, tmp_path: Path) -> None:
    words = ["export", "every-eval-ever", run, "--out", tmp_path / "out"]
    fails(cli(*words, "--relationship", "friends"), "'friends'", "third_party")
    fails(cli(*words, "--availability", "no"), "'no'", "open_weights")
    fails(cli(*words, "--model-id", "mine"), "'mine'", "OWNER/NAME")


def test_the_samples_give_the_number_they_refer_to(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    records = export(run, out, "--samples")
    assert {path.relative_to(out).parts[1] for path in out.rglob("*_samples.jsonl")} == {"free", "half"}  # not kept
    for task, record in records.items():
        told = record.get("detailed_evaluation_results")
        assert (told is None) == (task == "kept")
        if told is None:
            continue
        content = (out / told["file_path"]).read_bytes()
        holds_nothing_private(content)
        assert told["checksum"] == hashlib.sha256(content).hexdigest()
        lines = [json.loads(line) for line in content.splitlines()]
        assert told["total_rows"] == len(lines) == 12
        (refers,) = {line["evaluation_result_id"] for line in lines}
        (number,) = [r for r in record["evaluation_results"] if r["evaluation_result_id"] == refers]
        assert sum(line["evaluation"]["score"] for line in lines) / 12 == pytest.approx(number["score_details"]["score"])
        assert {line["evaluation_id"] for line in lines} == {record["evaluation_id"]}
        assert {(line["output"]["raw"][0][:13], line["output"]["reasoning_trace"][0]) for line in lines} == {
            ("private words", f"thinking of {task}")
        }
    export(run, out)
    assert not list(out.rglob("*_samples.jsonl"))  # no record names them any more


def published_schema(name: str) -> dict[str, Any]:
    pytest.importorskip("jsonschema")
    try:
        package = metadata.distribution("every-eval-ever")
    except metadata.PackageNotFoundError:
        pytest.skip("the schema is in the package every-eval-ever, which is not installed")
    schema = json.loads(Path(str(package.locate_file(f"every_eval_ever/schemas/{name}.schema.json"))).read_text())
    assert isinstance(schema, dict)
    return schema


def test_the_samples_are_valid_by_the_published_schema(run: Path, tmp_path: Path) -> None:
    schema = published_schema("instance_level_eval")
    from jsonschema import Draft7Validator

    export(run, tmp_path / "out", "--samples")
    lines = [json.loads(line) for path in (tmp_path / "out").rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert len(lines) == 24
    assert [error.message for line in lines for error in Draft7Validator(schema).iter_errors(line)] == []
    del lines[0]["evaluation"]["is_correct"]  # the check can fail
    assert list(Draft7Validator(schema).iter_errors(lines[0]))


def test_the_records_are_valid_by_the_published_schema(run: Path, tmp_path: Path) -> None:
    schema = published_schema("eval")
    from jsonschema import Draft7Validator

    records = export(run, tmp_path / "out")
    validator = Draft7Validator(schema)
    for record in records.values():
        assert record["schema_version"] == schema["version"]
        assert list(validator.iter_errors(record)) == []
        record["evaluation_results"][0]["score_details"]["score"] = None  # the check can fail
        assert list(validator.iter_errors(record))


def test_the_records_have_what_the_schema_requires(run: Path, tmp_path: Path) -> None:
    """The required fields of version 0.3.0, for where the package is not installed."""
    for record in export(run, tmp_path / "out").values():
        assert set(record) - {"evaluation_timestamp"} == {
            *("schema_version", "evaluation_id", "retrieved_timestamp", "source_metadata", "model_info", "eval_library"),
            "evaluation_results",
        }
        texts = [record["source_metadata"], record["eval_library"], record["model_info"]]
        for details in (one["additional_details"] for one in texts):
            assert all(isinstance(value, str) for value in details.values())
        for result in record["evaluation_results"]:
            assert {"evaluation_name", "source_data", "metric_config", "score_details"} <= result.keys()
            assert {"min_score", "max_score"} <= result["metric_config"].keys()
            assert result["metric_config"]["score_type"] == "continuous"
