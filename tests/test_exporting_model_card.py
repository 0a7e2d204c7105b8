"""Results for a model's page, read back with huggingface_hub."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from huggingface_hub import EvalResultEntry, ModelCard, parse_eval_result_entries

from tests.shared_runs import COMMIT, holds_nothing_private, private_run, share, values
from tests.test_cli import FAKE, cli, fails


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return private_run(tmp_path / "run")


def read_entries(folder: Path) -> dict[str, EvalResultEntry]:
    files = sorted((folder / ".eval_results").iterdir())
    found = {}
    for path in files:
        holds_nothing_private(path.read_text())
        (found[path.name],) = parse_eval_result_entries(yaml.safe_load(path.read_text()))
    return found


def test_each_number_is_a_file_that_the_hub_reads(run: Path, tmp_path: Path) -> None:
    words = ["--metric", "avg@n", "--metric", "pass@2", "--metric", "pass@64", "--k", "2,64", "--task-id", "free=free_main"]
    done = cli("export", "model-card", run, "--out", tmp_path / "card", *words)
    assert done.returncode == 0, done.stderr
    assert "half" in done.stderr  # its data is no data set of the hub
    entries, frame = read_entries(tmp_path / "card"), values(share(run))
    assert set(entries) == {f"{task}_8_{name}.yaml" for task in ("free", "kept") for name in ("avg@4", "pass@2")}  # no pass@64
    entry = entries["free_8_avg@4.yaml"]
    assert (entry.dataset_id, entry.task_id, entry.dataset_revision) == ("someorg/free", "free_main", COMMIT)
    assert entries["kept_8_avg@4.yaml"].dataset_revision is None
    assert entry.value == frame["free", "in_domain", "8", "avg@n", "<NA>", "nan"] == pytest.approx(4 / 12)
    assert entries["kept_8_pass@2.yaml"].value == frame["kept", "cross_domain", "8", "pass@k", "2", "nan"]
    assert entry.notes is not None
    for word in ("avg@4", "budget of 8 tokens", "3 questions", "95 % interval", "grader 4"):
        assert word in entry.notes


def test_percentages_and_one_file(run: Path, tmp_path: Path) -> None:
    source = ["--source-url", "https://huggingface.co/datasets/a/b", "--source-name", "samples"]
    done = cli("export", "model-card", run, "--out", tmp_path / "all.yaml", "--percent", *source)
    assert done.returncode == 0, done.stderr
    entries = parse_eval_result_entries(yaml.safe_load((tmp_path / "all.yaml").read_text()))
    assert [entry.value for entry in entries] == [pytest.approx(100 * 4 / 12)] * 2
    assert {(entry.source_url, entry.source_name) for entry in entries} == {("https://huggingface.co/datasets/a/b", "samples")}


def test_a_readme_keeps_its_text_and_other_results(run: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text(
        "---\nlicense: mit\nmodel-index:\n- name: mine\n  results:\n  - task: {type: text-generation}\n"
        "    dataset: {name: Other, type: other}\n    metrics:\n"
        "    - {type: accuracy, value: 0.5, name: Other}\n---\n\n# Mine\n"
    )
    for _ in range(2):  # the second export replaces the results of the first
        done = cli("export", "model-card", run, "--out", readme, "--k", "2")
        assert done.returncode == 0, done.stderr
    holds_nothing_private(readme.read_text())
    card, frame = ModelCard.load(readme), values(share(run))
    assert card.text.strip() == "# Mine"
    assert (card.data.license, card.data.model_name) == ("mit", "mine")
    results = {result.metric_name: result for result in card.data.eval_results}
    assert len(results) == len(card.data.eval_results) == 4
    assert results["Other"].metric_value == 0.5
    for task, domain in (("free", "in_domain"), ("kept", "cross_domain"), ("half", "in_domain")):
        result = results[f"{task}: avg@4, a thinking budget of 8 tokens"]
        assert result.metric_value == frame[task, domain, "8", "avg@n", "<NA>", "nan"]
        assert result.metric_args["n_samples"] == 4
    assert results["free: avg@4, a thinking budget of 8 tokens"].dataset_revision == COMMIT


@pytest.mark.parametrize("text", ["# Mine\n\nText.\n", "# Mine\r\n\r\nText.\r\n", ""])
def test_a_readme_without_metadata_gets_it_without_a_word(text: str, run: Path, tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_bytes(text.encode())
    done = cli("export", "model-card", run, "--out", readme)
    assert (done.returncode, done.stderr) == (0, "")
    assert readme.read_bytes().decode().endswith(f"---\n\n{text}")
    assert len(ModelCard.load(readme).data.eval_results) == 3


def test_a_new_readme(run: Path, tmp_path: Path) -> None:
    assert cli("export", "model-card", run, "--out", tmp_path / "new.md", "--model-id", "me/mine").returncode == 0
    card = ModelCard.load(tmp_path / "new.md")
    assert card.data.model_name == "me/mine"
    assert len(card.data.eval_results) == 3


def test_what_cannot_be_written_is_one_line(run: Path, tmp_path: Path) -> None:
    words = ["export", "model-card", run, "--out", tmp_path / "card"]
    fails(cli(*words, "--metric", "pass@3"), "no metric 'pass@3'")
    fails(cli(*words, "--budget", "9"), "no budget '9'", "It has 8")
    fails(cli(*words, "--metric", "pass@64", "--k", "64"), "none of pass@64", "needs 64 samples")
    fails(cli(*words, "--task-id", "fre=x"), "'fre'", "free, kept, half")
    fails(cli(*words, "--task-id", "free"), "TASK=VALUE")
    fails(cli(*words, "--source-name", "x"), "--source-url")
    broken = tmp_path / "broken.md"
    broken.write_text("---\nmodel-index: 5\n---\n")
    fails(cli("export", "model-card", run, "--out", broken), "broken.md")


def test_made_up_answers_are_no_results(tmp_path: Path) -> None:
    assert cli(*FAKE, "--out", tmp_path / "fake").returncode == 0
    for words in (("model-card",), ("every-eval-ever",)):
        fails(cli("export", *words, tmp_path / "fake", "--out", tmp_path / "out"), "made up", "fake backend")
    assert not (tmp_path / "out").exists()
