"""Sessions on the scripted engine with the real tasks, tokenizer, graders and store."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import raml_eval
from raml_eval.backends import open_backend
from raml_eval.checkpoint import find_checkpoint
from raml_eval.config import build_config, flags_layer
from raml_eval.errors import ConfigError, InputError, ModelError, StoreError
from raml_eval.reporting.footnotes import footnotes
from raml_eval.session import run_session
from raml_eval.store import read_manifest
from raml_eval.tables import Run

FEW: dict[str, Any] = {
    "model": "pocket", "backend": "fake", "tasks": "pocket_chain,pocket_sort", "samples": 2, "limit": 3,
    "thinking_budget": [0, 16], "answer_tokens": 48,
}  # fmt: skip


def lines(out: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / f"{name}.jsonl").read_text().splitlines()]


def test_evaluate_returns_the_run_and_its_table(tmp_path: Path) -> None:
    run = raml_eval.evaluate(**FEW, out=tmp_path)
    assert isinstance(run, Run)
    frame = run.table()
    assert {"run", "model", "task", "domain", "budget", "metric", "k", "tau", "value", "low", "high"} <= set(frame.columns)
    assert len(raml_eval.load_run(tmp_path).records) == 2 * 3 * 2 * 2
    session = run.manifest["sessions"][-1]
    assert session["samples_after"] == 24
    assert {"tokenizer", "data", "engine", "generation", "classes"} == set(session["seconds"])


def test_samples_are_joined_with_their_thinking(tmp_path: Path) -> None:
    samples = raml_eval.evaluate(**FEW, out=tmp_path).samples()
    assert len(samples) == 24
    assert (samples.thinking_ids.map(len) == samples.n_thinking_tokens).all()
    assert (samples.answer_ids.map(len) == samples.n_answer_tokens).all()
    whole = samples[samples.thinking_end == "natural"]
    assert (whole.trajectory_text.str.len() == whole.n_thinking_tokens).all()  # one byte a token


def test_a_second_task_and_budget_complete_the_whole_grid(tmp_path: Path) -> None:
    raml_eval.evaluate(**{**FEW, "tasks": "pocket_chain", "thinking_budget": 16}, out=tmp_path)
    first = (tmp_path / "samples.jsonl").read_bytes()
    n_first = len(lines(tmp_path, "samples"))
    run = raml_eval.evaluate(**{**FEW, "tasks": "pocket_sort", "thinking_budget": "off", "limit": 5}, out=tmp_path)
    assert (tmp_path / "samples.jsonl").read_bytes().startswith(first)
    assert len({(r.key, r.budget) for r in run.records}) == len(run.records) == 2 * 5 * 2 * 2
    assert [len(task["questions"]) for task in run.manifest["tasks"].values()] == [5, 5]
    assert [line["session"] for line in lines(tmp_path, "samples")] == [0] * n_first + [1] * (len(run.records) - n_first)
    assert [session["samples_before"] for session in run.manifest["sessions"]] == [0, n_first]


def test_what_evaluate_returns_is_what_stands_on_the_disk(tmp_path: Path) -> None:
    run = raml_eval.evaluate(**FEW, out=tmp_path)
    stored = raml_eval.load_run(tmp_path)
    assert (run.records, run.classes, run.manifest, run.questions) == (
        stored.records, stored.classes, stored.manifest, stored.questions
    )  # fmt: skip
    assert raml_eval.evaluate(**FEW, out=tmp_path).manifest == stored.manifest  # complete: nothing is drawn or written


def test_a_sample_line_has_the_documented_fields(tmp_path: Path) -> None:
    raml_eval.evaluate(**FEW, out=tmp_path)
    documented = (Path(__file__).resolve().parents[1] / "docs" / "run-directory.md").read_text()
    for name in ("samples", "trajectories", "questions"):
        for field in lines(tmp_path, name)[0]:
            assert f"`{field}`" in documented, f"{name}.jsonl has {field}, which docs/run-directory.md does not explain"


def test_an_overwritten_checkpoint_is_noticed(tmp_path: Path) -> None:

    shutil.copytree(find_checkpoint("pocket").folder, tmp_path / "model")
    raml_eval.evaluate(**{**FEW, "model": str(tmp_path / "model")}, out=tmp_path / "run")
    weights = bytearray((tmp_path / "model" / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (tmp_path / "model" / "model.safetensors").write_bytes(bytes(weights))
    with pytest.raises(StoreError, match=r"model\.fingerprint"):
        raml_eval.evaluate(**{**FEW, "model": str(tmp_path / "model")}, out=tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"thinking_format": "none"}, ModelError, "it has a switch for thinking, the variable enable_thinking"),
        ({"format": "none"}, ConfigError, r"unknown key format; did you mean thinking\.format"),
        ({"out": None}, ConfigError, "out is not given"),
        ({"answer_tokens": 20_000}, ConfigError, "context of 16384"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_drawn(
    change: dict[str, Any], error: type[Exception], said: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        raml_eval.evaluate(**{**FEW, "out": tmp_path, **change})
    assert not (tmp_path / "samples.jsonl").exists()


def test_the_manifest_holds_what_a_reader_needs(tmp_path: Path) -> None:
    manifest = raml_eval.evaluate(**FEW, out=tmp_path).manifest
    task = manifest["tasks"]["pocket_chain"]
    assert task["licence"]
    assert task["n_available"] == 200
    assert manifest["protocol"]["prompt"]["format"]["name"] == "qwen3"
    assert manifest["protocol"]["engine"]["name"] == "fake"
    assert manifest["config"]["thinking"]["budgets"] == [0, 16]
    assert {"raml-eval", "python", "lm-eval", "transformers"} <= manifest["versions"].keys()


def run_lines(out: Path, name: str, keep: slice) -> None:
    """Only those lines of the file are left."""
    path = out / f"{name}.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[keep]))


def test_a_complete_run_gets_back_a_question_that_was_lost(tmp_path: Path) -> None:
    run = raml_eval.evaluate(**FEW, out=tmp_path)
    samples = (tmp_path / "samples.jsonl").read_bytes()
    run_lines(tmp_path, "questions", slice(2, None))
    again = raml_eval.evaluate(**FEW, out=tmp_path)
    assert again.questions == run.questions
    assert (tmp_path / "samples.jsonl").read_bytes() == samples
    assert raml_eval.load_run(tmp_path).questions == run.questions


def test_a_complete_run_gets_back_the_classes_that_a_kill_left_unwritten(tmp_path: Path) -> None:
    run = raml_eval.evaluate(**FEW, out=tmp_path)
    (tmp_path / "classes.json").unlink()
    raml_eval.evaluate(**FEW, out=tmp_path)
    assert raml_eval.load_run(tmp_path).classes == run.classes


def test_the_k_of_a_complete_run_can_be_changed(tmp_path: Path) -> None:
    raml_eval.evaluate(**FEW, out=tmp_path)
    run = raml_eval.evaluate(**FEW, out=tmp_path, k=[1])
    assert run.manifest["config"]["k"] == [1]
    assert raml_eval.load_run(tmp_path).manifest["config"]["k"] == [1]
    assert set(run.table().k.dropna()) == {1}


def test_a_sample_whose_trajectory_is_lost_is_refused_and_can_be_drawn_again(tmp_path: Path) -> None:
    raml_eval.evaluate(**FEW, out=tmp_path)
    lost = lines(tmp_path, "trajectories")[0]["id"]
    run_lines(tmp_path, "trajectories", slice(1, None))
    with pytest.raises(StoreError, match=f"lacks {lost}.*samples.jsonl and run again"):
        raml_eval.evaluate(**FEW, out=tmp_path)
    kept = [line for line in (tmp_path / "samples.jsonl").read_text().splitlines(keepends=True) if lost not in line]
    (tmp_path / "samples.jsonl").write_text("".join(kept))
    raml_eval.evaluate(**FEW, out=tmp_path)
    assert {line["id"] for line in lines(tmp_path, "trajectories")} >= {r["trajectory"] for r in lines(tmp_path, "samples")}
    assert len(lines(tmp_path, "samples")) == 24


def test_samples_of_unplanned_questions_do_not_stop_a_reader(tmp_path: Path) -> None:
    raml_eval.evaluate(**{**FEW, "limit": 2}, out=tmp_path)
    small = (tmp_path / "manifest.json").read_text()
    raml_eval.evaluate(**FEW, out=tmp_path)
    manifest = json.loads(small)
    manifest["sessions"] = json.loads((tmp_path / "manifest.json").read_text())["sessions"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "classes.json").unlink()
    run = raml_eval.load_run(tmp_path)
    assert len(run.questions) == 4
    assert not run.table().empty


def test_a_manifest_that_is_older_than_its_samples_is_refused(tmp_path: Path) -> None:
    raml_eval.evaluate(**{**FEW, "limit": 2}, out=tmp_path)
    older = (tmp_path / "manifest.json").read_text()
    raml_eval.evaluate(**FEW, out=tmp_path)
    (tmp_path / "manifest.json").write_text(older)
    with pytest.raises(StoreError, match=r"lists 1 sessions, but samples\.jsonl holds a sample of session 1"):
        raml_eval.evaluate(**FEW, out=tmp_path)


def test_a_judgement_that_cannot_be_read_is_told_before_anything_is_drawn(tmp_path: Path) -> None:
    raml_eval.evaluate(**{**FEW, "limit": 2}, out=tmp_path)
    (tmp_path / "judgements.jsonl").write_text("{}\n")
    samples = (tmp_path / "samples.jsonl").read_bytes()
    with pytest.raises(StoreError, match="the judge is then asked again"):
        raml_eval.evaluate(**FEW, out=tmp_path)
    assert (tmp_path / "samples.jsonl").read_bytes() == samples


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the pocket checkpoint, in the working directory."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(find_checkpoint("pocket").folder, tmp_path / "pk"))


def test_a_checkpoint_is_the_same_however_its_path_is_written(checkpoint: Path, tmp_path: Path) -> None:
    for path in ("pk", "pk/", "./pk", str(checkpoint)):
        raml_eval.evaluate(**{**FEW, "model": path}, out=tmp_path / "run")
    assert read_manifest(tmp_path / "run" / "manifest.json")["model"]["origin"] == "folder"
    checkpoint.rename(tmp_path / "moved")
    raml_eval.evaluate(**{**FEW, "model": "moved", "samples": 3}, out=tmp_path / "run")
    assert len(lines(tmp_path / "run", "samples")) == 2 * 3 * 3 * 2


def test_the_origin_is_that_of_the_name_that_is_stored(checkpoint: Path, tmp_path: Path) -> None:
    """A run of an earlier version does not know it, and a resume from elsewhere must not make a folder an id of the hub."""
    out = tmp_path / "run"
    raml_eval.evaluate(**{**FEW, "model": "pk"}, out=out)
    for samples, name, origin in ((3, "other/pk", None), (4, "pk", "folder")):
        manifest = read_manifest(out / "manifest.json")
        model = {key: value for key, value in manifest["model"].items() if key != "origin"}
        (out / "manifest.json").write_text(json.dumps({**manifest, "model": {**model, "name": name}}))
        raml_eval.evaluate(**{**FEW, "model": "pk", "samples": samples}, out=out)
        told = read_manifest(out / "manifest.json")["model"]
        assert (told["name"], told.get("origin")) == (name, origin)


def test_a_run_without_the_present_keys_is_read_but_not_resumed(tmp_path: Path) -> None:
    run = raml_eval.evaluate(**FEW, out=tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    del manifest["protocol"]["end_of_turn"]
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert raml_eval.load_run(tmp_path).records == run.records
    with pytest.raises(StoreError, match="an earlier version, which did not store the digests of its prompts"):
        raml_eval.evaluate(**FEW, out=tmp_path)


def test_a_run_is_not_resumed_with_other_prompts(tmp_path: Path) -> None:
    raml_eval.evaluate(**FEW, out=tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    prompts = manifest["tasks"]["pocket_sort"]["prompts"]
    question = next(iter(prompts))
    prompts[question]["thinking"] = "0" * 8
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    for settings in (FEW, {**FEW, "samples": 3}):
        with pytest.raises(StoreError, match=f"asked pocket_sort/{question} with another prompt .thinking: digest 00000000"):
            raml_eval.evaluate(**settings, out=tmp_path)


def test_a_date_in_a_template_stays_that_of_the_first_session(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = (checkpoint / "chat_template.jinja").read_text()
    (checkpoint / "chat_template.jinja").write_text("{{ strftime_now('%Y-%m-%d') }}\n" + template)
    raml_eval.evaluate(**{**FEW, "model": "pk"}, out=tmp_path / "run", prompt_date="2025-01-02")
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["protocol"]["prompt"]["date"] == "2025-01-02"
    raml_eval.evaluate(**{**FEW, "model": "pk", "samples": 3}, out=tmp_path / "run")
    with pytest.raises(StoreError, match=r"prompt\.date is '2025-01-02' there and '2025-01-03' here"):
        raml_eval.evaluate(**{**FEW, "model": "pk"}, out=tmp_path / "run", prompt_date="2025-01-03")


def test_hints_of_a_format_of_ones_own_are_draws_of_their_own(checkpoint: Path, tmp_path: Path) -> None:
    template = (checkpoint / "chat_template.jinja").read_text()
    (checkpoint / "chat_template.jinja").write_text("{{ effort }}" + template)
    own = {
        "name": "mine", "opener": "<think>", "after_opener": "\n", "closer": "</think>",
        "effort": {"variable": "effort", "values": ["low", "high"]},
    }  # fmt: skip
    budgets = ["effort:low", 16, "effort:high", "frac:0.5"]
    few = {**FEW, "model": "pk", "thinking_budget": budgets, "thinking_format": own, "out": tmp_path / "run"}
    run = raml_eval.evaluate(**few)
    assert run.budgets == (16, "frac:0.5", "effort:low", "effort:high")
    drawn = {t.prompt for t in run.trajectories.values()}
    assert drawn == {"thinking", "effort:low", "effort:high"}
    assert len({t.seed for t in run.trajectories.values() if t.key == run.records[0].key}) == 3
    for record in run.records:
        kept = run.trajectories[record.trajectory or ""]
        assert kept.prompt == (record.budget if str(record.budget).startswith("effort") else "thinking")
        if record.budget == "frac:0.5":
            assert record.n_thinking_tokens == len(kept.token_ids) // 2
    assert raml_eval.evaluate(**few).records == run.records
    ignored = {**own, "effort": {"variable": "verbosity", "values": ["low", "high"]}}
    with pytest.raises(ModelError, match="does not read verbosity"):
        raml_eval.evaluate(**{**few, "thinking_format": ignored, "out": tmp_path / "other"})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"capped_by": "engine"}, "backend fake has no budget of its own"),
        ({"capped_by": "engine", "backend": "vllm", "extensions": 1}, "min_tokens and extensions are given"),
        ({"min_thinking_tokens": 5, "extensions": 1}, "are both given"),
        ({"min_thinking_tokens": 20, "thinking_budget": "frac:0.5"}, "a share may be less than the minimum"),
        ({"min_thinking_tokens": 20}, "thinking budget 0 is below --min-thinking-tokens 20"),
        ({"effort": "low"}, "effort low is asked for, but format qwen3 takes no effort"),
        ({"closing": "officail"}, "Did you mean official"),
        ({"thinking_budget": "hint:5"}, "take no number of thinking tokens"),
    ],
)
def test_a_policy_that_cannot_be_kept_is_refused(settings: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=said):
        raml_eval.evaluate(**{**FEW, **settings}, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_that_thinks_unasked_is_stopped_and_told_in_every_later_use(checkpoint: Path, tmp_path: Path) -> None:
    template = (checkpoint / "chat_template.jinja").read_text()
    (checkpoint / "chat_template.jinja").write_text(template.partition("{%- if add_generation_prompt")[0])
    few: dict[str, Any] = {**FEW, "model": "pk", "prompt": "plain", "thinking_budget": "off", "tasks": "pocket_chain"}
    few |= {"backend": "hf", "out": tmp_path / "run", "temperature": 1.0, "top_p": 1.0}
    for _ in range(2):  # the second time, every sample is stored already
        with pytest.raises(ModelError, match=r"of 6 samples hold delimiters of thinking"):
            raml_eval.evaluate(**few)
    notes = footnotes([raml_eval.load_run(tmp_path / "run")], raml_eval.load_run(tmp_path / "run").table())
    assert any("so thinking was graded as the answer" in note for note in notes)


def test_a_temperature_that_the_engine_refuses_is_told_before_the_engine(tmp_path: Path) -> None:
    started: list[str] = []

    async def opener(name: str, *given: Any, **more: Any) -> Any:
        started.append(name)
        raise ModelError("no engine here")

    for temperature, said in (
        (2.5, "temperature is 2.5; vllm takes 0, or 0.01 to 2"),
        (0.001, "temperature is 0.001; vllm takes"),
    ):
        config = build_config([flags_layer(**{**FEW, "backend": "vllm"}, out=tmp_path / "run", temperature=temperature)])
        with pytest.raises(ConfigError, match=said):
            asyncio.run(run_session(config, quiet=True, opener=opener))
    assert started == []
    assert not (tmp_path / "run").exists()


def test_weights_that_a_trainer_replaces_before_the_engine_loads_them_are_told_and_nothing_is_drawn(
    checkpoint: Path, tmp_path: Path
) -> None:
    weights = checkpoint / "model.safetensors"

    async def opener(*given: Any, **more: Any) -> Any:
        weights.write_bytes(weights.read_bytes()[::-1])
        return await open_backend(*given, **more)

    config = build_config([flags_layer(**{**FEW, "model": str(checkpoint)}, out=tmp_path / "run")])
    with pytest.raises(ModelError, match=r"model\.safetensors changed while the engine loaded it"):
        asyncio.run(run_session(config, quiet=True, opener=opener))
    assert not (tmp_path / "run").exists()
    (checkpoint / "optimizer.pt").write_bytes(b"state")
    asyncio.run(run_session(config, quiet=True))
    (checkpoint / "optimizer.pt").unlink()
    grown = config.model_copy(update={"samples": 3})
    assert len(asyncio.run(run_session(grown, quiet=True)).records) == 2 * 3 * 3 * 2


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ({"latency_s": 1}, r"was drawn with latency_s = 0\.001, but --backend-arg latency_s=1 is asked for"),
        ({"latency": 0.001}, r"was drawn without an argument 'latency', but .* Did you mean latency_s\?"),
        ({"nonsense": 1}, "was drawn without an argument 'nonsense'"),
    ],
)
def test_an_argument_that_a_complete_run_was_not_drawn_with_is_refused(args: dict[str, Any], said: str, tmp_path: Path) -> None:
    raml_eval.evaluate(**FEW, out=tmp_path)
    raml_eval.evaluate(**{**FEW, "samples": 3}, out=tmp_path, backend_args={"latency_s": 0.001})
    before = (tmp_path / "manifest.json").read_bytes()
    with pytest.raises(StoreError, match=said):
        raml_eval.evaluate(**{**FEW, "samples": 3}, out=tmp_path, backend_args=args)
    assert (tmp_path / "manifest.json").read_bytes() == before
    for same in ({}, {"latency_s": 0.001}):
        assert len(raml_eval.evaluate(**{**FEW, "samples": 3}, out=tmp_path, backend_args=same).manifest["sessions"]) == 2
