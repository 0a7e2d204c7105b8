"""Runs as logs of Inspect, written and read by the real inspect_ai, and imported from them again."""

from __future__ import annotations

import json
import math
import zipfile
from collections import Counter
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import pandas as pd
import pytest

from raml_eval.errors import ConfigError, MetricError, SourceError
from raml_eval.exporting import inspect_writer
from raml_eval.exporting.inspect_log import export_inspect
from raml_eval.importing import open_source
from raml_eval.importing.settings import ImportSettings
from raml_eval.importing.writer import import_run
from raml_eval.kept_text import tokenizer_at_hand
from raml_eval.regrade.regrading import regrade_run
from raml_eval.tables import Run, build_frame, load_run
from raml_eval.types import Finish, Grade, Status
from tests.stored import WRONG, Drawn, ask, store_run
from tests.test_cli import FAKE, cli

OLD = Path(__file__).resolve().parent / "fixtures" / "runs_v1"
inspect_log = pytest.importorskip("inspect_ai.log")
scorer = pytest.importorskip("inspect_ai.scorer")

SIZES = {"--samples": "8", "--limit": "63", "--thinking-budget": "off,0,16,unlimited"}  # 4,032 samples
HOSTILE = [
    "\\boxed{1}\x00\x01\x1b[2J\x1b]0;owned\x07\r\n\x7f\x9b",
    "lone \ud800 surrogates \udfff\ud83d",
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>",
    "attachment://0123456789abcdef0123456789abcdef",
    "tc://data:image/png;base64,AAAA",
    "data:image/png;base64," + "A" * 4000,
    "\u202e\u2066\ufeff\u2028\ufffe",
    "x" * 3_000_000,
    "",
]


def draw(out: Path, *more: str, backend: str = "fake", **sizes: str) -> Run:
    words = [*FAKE, *more]
    for flag, value in sizes.items():
        words[words.index(flag) + 1] = value
    words[words.index("--backend") + 1] = backend
    done = cli(*words, "--out", out)
    assert done.returncode == 0, done.stderr
    return load_run(out)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return draw(tmp_path_factory.mktemp("runs") / "fake", **SIZES)


@pytest.fixture(scope="module")
def logs(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the logs of the run: two tasks at four budgets."""
    folder = tmp_path_factory.mktemp("logs")
    assert len(export_inspect(run, folder)) == 8
    return folder


def read(folder: Path, task: str, budget: Any) -> Any:
    (found,) = (log for log in map(inspect_log.read_eval_log, sorted(folder.iterdir()))
                if (log.eval.task, log.eval.task_args["thinking_budget"]) == (task, budget))  # fmt: skip
    return found


def back(folder: Path, out: Path, settings: ImportSettings | None = None) -> Run:
    return load_run(import_run(open_source("inspect", folder), out, settings, quiet=True))


def same(one: Run, other: Run) -> None:
    """Checks that two runs are equal in everything that a table may read, and in what a resume needs."""
    pd.testing.assert_frame_equal(build_frame([one]), build_frame([other]), check_exact=True)
    assert sorted(one.records, key=str) == sorted(other.records, key=str)
    assert (one.questions, one.classes, one.trajectories) == (other.questions, other.classes, other.trajectories)
    assert (one.budgets, one.tasks, one.n_samples) == (other.budgets, other.tasks, other.n_samples)
    assert one.grader_versions == other.grader_versions
    assert one.judgements == other.judgements


def test_four_thousand_samples_come_back_as_they_were(run: Run, logs: Path, tmp_path: Path) -> None:
    assert len(run.records) == 4032
    restored = back(logs, tmp_path / "back")
    same(run, restored)
    told = restored.manifest["restored"]
    assert {**run.manifest, "restored": told} == restored.manifest
    assert [len(file["sha256"]) for file in told["files"]] == [64] * 8
    for name in ("questions", "samples", "trajectories"):
        lines = [sorted((one.directory / f"{name}.jsonl").read_text().splitlines()) for one in (run, restored)]
        assert lines[0] == lines[1]


def test_a_run_of_a_real_model_comes_back_from_json_too(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    one = draw(tmp_path / "hf", "--set", "tasks=pocket_chain", backend="hf")
    folder = tmp_path / "logs"
    for budget in ("0", "16", "unlimited"):
        export_inspect(one, folder / f"{budget}.json", budgets=[budget])
    assert {path.suffix for path in folder.iterdir()} == {".json"}
    # Each of these logs stands alone, so each holds the thinking that it cuts.
    same(one, back(folder, tmp_path / "back"))
    cut = back(folder / "16.json", tmp_path / "cut")
    assert (cut.budgets, list(cut.tasks)) == ((16,), ["pocket_chain"])
    wanted = build_frame([one]).query("budget == '16'")
    pd.testing.assert_frame_equal(build_frame([cut]), wanted.reset_index(drop=True), check_exact=True)


def test_a_restored_run_can_be_resumed(tmp_path: Path) -> None:
    one = draw(tmp_path / "run")
    export_inspect(one, tmp_path / "logs")
    back(tmp_path / "logs", tmp_path / "back")
    grown = draw(tmp_path / "back", **{"--samples": "3"})
    whole = draw(tmp_path / "whole", **{"--samples": "3"})
    assert sorted(map(str, grown.records)) == sorted(
        str(record).replace("session=0", "session=1") if record.key.index == 2 else str(record) for record in whole.records
    )


def test_a_log_shows_every_number_of_the_frame(run: Run, logs: Path) -> None:
    frame = build_frame([run])
    for (task, budget), rows in frame[frame["task"] != "macro"].groupby(["task", "budget"]):
        log = read(logs, task, int(budget) if budget.isdecimal() else budget)
        (score,) = log.results.scores
        given = rows[rows["value"].notna()]
        assert len(given) >= 20
        assert len(score.metrics) == len(given) + 2
        for row in given.itertuples():
            tau = "" if math.isnan(row.tau) else f":{row.tau:g}"
            metric = score.metrics[row.metric if pd.isna(row.k) else row.metric.replace("@k", f"@{row.k}{tau}")]
            assert metric.value == row.value
            assert metric.metadata["method"] == row.method
            assert metric.metadata.get("low", math.nan) == pytest.approx(row.low, abs=0, nan_ok=True)
        assert log.results.headline.metric == "accuracy"
        assert score.metrics["accuracy"].value == score.metrics["avg@n"].value


def test_the_standard_error_is_that_of_the_mean_over_questions(run: Run, logs: Path) -> None:
    right = Counter({q: 0 for task, q in run.questions if task == "pocket_chain"})
    right.update(r.key.question_id for r in run.records if (r.key.task, r.budget, r.status) == ("pocket_chain", 0, "correct"))
    shares = [n / 8 for n in right.values()]
    assert sum(shares) > 0
    metrics = read(logs, "pocket_chain", 0).results.scores[0].metrics
    assert metrics["accuracy"].value == pytest.approx(mean(shares))
    assert metrics["stderr"].value == pytest.approx(stdev(shares) / math.sqrt(len(shares)))  # each question is a cluster


def test_samples_hold_prompt_thinking_answer_verdict_and_tokens(run: Run, logs: Path) -> None:
    log = read(logs, "pocket_logic", 16)
    assert (log.status, log.eval.config.epochs, log.eval.model, len(log.samples)) == ("success", 8, "pocket", 504)
    assert (log.results.total_samples, log.results.completed_samples) == (504, 504)
    assert log.eval.model_generate_config.reasoning_tokens == 16
    assert log.eval.model_generate_config.temperature == 0.6
    assert log.eval.revision is None or len(log.eval.revision.commit) == 40
    assert "made-up:fake-engine" in log.eval.tags
    tokenizer = tokenizer_at_hand(run.manifest)
    assert tokenizer is not None
    records = {(r.key.question_id, r.key.index + 1): r for r in run.records if (r.key.task, r.budget) == ("pocket_logic", 16)}
    total = 0
    for sample in log.samples:
        record = records.pop((sample.id, sample.epoch))
        question = run.questions["pocket_logic", record.key.question_id]
        assert sample.input == question.messages[0]["content"]
        assert (sample.choices or [], sample.target) == (list(question.options), record.target)
        *prompt, message = sample.messages
        assert [m.text for m in prompt] == [m["content"] for m in question.messages]
        assert message == sample.output.message
        thinking = [part.reasoning for part in message.content if part.type == "reasoning"]
        kept = run.trajectories[record.trajectory].token_ids[: record.n_thinking_tokens]
        assert "".join(thinking) == tokenizer.decode(kept, skip_special_tokens=False)
        assert [part.text for part in message.content if part.type == "text"] == [record.answer]
        assert sample.output.stop_reason == {"stop": "stop", "length": "max_tokens"}[record.answer_finish.value]
        usage = sample.model_usage["pocket"]
        assert (usage.reasoning_tokens, usage.output_tokens) == (len(kept), len(kept) + len(record.answer_ids))
        total += usage.total_tokens
        assert sample.metadata["cluster"] == question.cluster
        assert sample.metadata["seed"] == str(record.seed)
        assert (sample.metadata["budget"], sample.metadata["thinking_end"]) == (16, record.thinking_end.value)
    assert not records
    assert log.stats.model_usage["pocket"].total_tokens == total


def test_statuses_are_told_apart(tmp_path: Path) -> None:
    grades = {
        Status.CORRECT: Grade(Status.CORRECT, "12", "boxed", "identical"),
        Status.INCORRECT: Grade(Status.INCORRECT, "7", "boxed", "number", 0.25),
        Status.NO_ANSWER: Grade(Status.NO_ANSWER, None, "", "nothing found"),
        Status.UNFINISHED: Grade(Status.UNFINISHED, None),
        Status.TIMEOUT: Grade(Status.TIMEOUT, "9", "boxed", "5 s"),
    }
    drawn = [Drawn("x", g, None if s is Status.UNFINISHED else Finish.STOP) for s, g in grades.items()]
    one = load_run(store_run(tmp_path / "run", [ask(0, "12")], drawn))
    (path,) = export_inspect(one, tmp_path / "log.eval")
    scores = [sample.scores for sample in inspect_log.read_eval_log(path).samples]
    assert [score["math"].value for score in scores] == ["C", "I", "N", "N", "N"]
    assert [score["math"].reason for score in scores] == [None, None, "no_answer", "unfinished", "timeout"]
    assert [score["status"].value for score in scores] == [status.value for status in grades]
    assert [score["partial_score"].value for score in scores if "partial_score" in score] == [0.25]
    assert scores[1]["math"].answer == "7"
    assert "extracted by rule: boxed" in scores[1]["math"].explanation
    assert "decided by: number" in scores[1]["math"].explanation
    assert "no grader saw it" in scores[3]["math"].explanation
    same(one, back(path, tmp_path / "back"))


def test_hostile_text_of_a_model_survives(tmp_path: Path) -> None:
    grades = [Grade(Status.INCORRECT, text[:200], "boxed", text[:200]) for text in HOSTILE]
    drawn = [Drawn(text, grade, thinking=text) for text, grade in zip(HOSTILE, grades, strict=True)]
    asked = ask(0, "1\ud800", stratum="\ud800\x1b", options=("\x00\udfff", "b"))
    one = load_run(store_run(tmp_path / "run", [asked], drawn))
    for name in ("log.eval", "log.json"):
        (path,) = export_inspect(one, tmp_path / name)
        samples = inspect_log.read_eval_log(path, resolve_attachments=True).samples
        for sample, text in zip(samples, HOSTILE, strict=True):
            assert sample.output.completion == text.encode("utf-8", "backslashreplace").decode()
        same(one, back(path, tmp_path / f"back of {name}"))


def test_what_a_regrading_changed_comes_back(tmp_path: Path) -> None:
    old = [Drawn("\\boxed{12}"), Drawn("\\boxed{13}"), Drawn("\\boxed{7}", WRONG)]
    path = store_run(tmp_path / "run", [ask(0, "12")], old)
    regrade_run(path, quiet=True)
    one = load_run(path)
    assert [r.status for r in one.records] == ["correct", "incorrect", "incorrect"]
    (log,) = export_inspect(one, tmp_path / "log.eval")
    restored = back(log, tmp_path / "back")
    same(one, restored)
    stored = [json.loads(line)["status"] for line in (restored.directory / "samples.jsonl").read_text().splitlines()]
    assert stored == ["incorrect"] * 3
    layers = [(one.directory / "grades-0001.jsonl").read_text() for one in (one, restored)]
    assert layers[0] == layers[1]


@pytest.mark.parametrize("name", ["drawn", "imported"])
def test_runs_of_schema_1_and_imported_ones_come_back(name: str, tmp_path: Path) -> None:
    """The drawn one was regraded and judged; the imported one has no token ids, and verdicts of another harness."""
    one = load_run(OLD / name)
    export_inspect(one, tmp_path / "logs")
    restored = back(tmp_path / "logs", tmp_path / "back")
    same(one, restored)
    assert restored.manifest["schema_version"] == 2
    assert (restored.imported, bool(restored.judgements)) == (one.imported, bool(one.judgements))


def test_an_unfinished_run_needs_to_be_asked_for(run: Run, tmp_path: Path) -> None:
    questions = [ask(row, "12") for row in range(3)]
    path = store_run(tmp_path / "run", questions, [Drawn("x"), Drawn("y"), Drawn("z", question=1)])
    one = load_run(path)
    with pytest.raises(MetricError, match="lacks 3 of its 6 planned samples"):
        export_inspect(one, tmp_path / "log.eval")
    (log,) = export_inspect(one, tmp_path / "log.eval", allow_partial=True)
    header = inspect_log.read_eval_log(log, header_only=True)
    assert (header.status, header.results.total_samples, header.results.completed_samples) == ("cancelled", 6, 3)
    restored = back(log, tmp_path / "back")
    assert restored.questions == one.questions
    pd.testing.assert_frame_equal(build_frame([one], allow_partial=True), build_frame([restored], allow_partial=True))


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # inspect_ai's own use of pandas
def test_inspect_lists_bundles_and_tabulates_the_logs(run: Run, logs: Path, tmp_path: Path) -> None:
    listed = inspect_log.list_eval_logs(str(logs))
    assert len({info.task_id for info in listed}) == 8  # the viewer hides all but one of those that share an id
    inspect_log.bundle_log_dir(str(logs), str(tmp_path / "bundle"))
    assert (tmp_path / "bundle" / "index.html").exists()
    bundled = json.loads((tmp_path / "bundle" / "logs" / "listing.json").read_text())
    assert len(bundled) == 8
    assert {entry["task"] for entry in bundled.values()} == {"pocket_chain", "pocket_logic"}
    summaries = inspect_log.read_eval_log_sample_summaries(listed[0].name)
    assert len(summaries) == 504
    assert {summary.scores["status"].value for summary in summaries} <= set(Status)
    frame = pytest.importorskip("inspect_ai.analysis").samples_df(str(logs))
    assert len(frame) == 4032
    assert Counter(frame["score_status"]) == Counter(record.status.value for record in run.records)


def status_too(sample: Any) -> None:
    sample["scores"]["math"].update(value="C", metadata={**sample["scores"]["math"]["metadata"], "status": "correct"})
    sample["scores"]["status"]["value"] = "correct"


@pytest.mark.parametrize(
    ("told", "change"),
    [
        ("a score", lambda sample: sample["scores"]["math"].update(value="P")),
        ("a score", status_too),
        ("a score", lambda sample: sample.update(scores={"other": {"value": "C"}})),
        ("a score", lambda sample: sample["scores"].pop("status")),
        ("a score", lambda sample: sample["scores"]["math"].update(answer="?")),
        ("the target", lambda sample: sample.update(target="?")),
        ("the question", lambda sample: sample.update(input="?")),
        ("the question", lambda sample: sample["messages"][0].update(content="?")),
        ("the answer", lambda sample: sample["output"]["choices"][0]["message"]["content"][0].update(text="?")),
        ("the answer", lambda sample: sample["messages"][-1]["content"][0].update(text="?")),
        ("the answer", lambda sample: sample["output"]["choices"][0].update(stop_reason="unknown")),
        ("the id or the epoch", lambda sample: sample.update(epoch=7)),
        ("the metadata", lambda sample: sample["metadata"].update(status="unfinished")),
        ("its seal", lambda sample: sample["store"].pop("raml_eval:seal")),
        (
            "what raml_eval stored in it",
            lambda s: s["store"].update({"raml_eval:sample": s["store"]["raml_eval:sample"].replace('"off"', '"?"')}),
        ),
    ],
)
def test_a_sample_that_was_edited_by_hand_is_refused(told: str, change: Any, chain_log: str, tmp_path: Path) -> None:
    log = json.loads(chain_log)
    change(log["samples"][3])
    (tmp_path / "log.json").write_text(json.dumps(log))
    with pytest.raises(SourceError, match=rf"sample 3: {told} was changed after the export"):
        back(tmp_path / "log.json", tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    ("told", "change"),
    [
        (
            "sample 3: what raml_eval stored in it is not JSON",
            lambda log: log["samples"][3]["store"].update({"raml_eval:sample": "{"}),
        ),
        ("has no 'sample'", lambda log: log["samples"][3]["store"].clear()),
        ("the results was changed", lambda log: log["results"]["scores"][0]["metrics"]["accuracy"].update(value=0.99)),
        ("the model or the settings was changed", lambda log: log["eval"].update(model="another")),
        ("the metadata was changed", lambda log: log["eval"]["metadata"].update(run="another")),
        (r"holds 503 samples, and 504 were exported", lambda log: log["samples"].pop()),
    ],
)
def test_a_log_that_was_edited_by_hand_is_refused(told: str, change: Any, chain_log: str, tmp_path: Path) -> None:
    log = json.loads(chain_log)
    change(log)
    (tmp_path / "log.json").write_text(json.dumps(log))
    with pytest.raises(SourceError, match=told):
        back(tmp_path / "log.json", tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.fixture(scope="module")
def chain_log(run: Run, tmp_path_factory: pytest.TempPathFactory) -> str:
    (path,) = export_inspect(run, tmp_path_factory.mktemp("one") / "log.json", tasks=["pocket_chain"], budgets=["off"])
    return path.read_text()


@pytest.mark.parametrize("ending", [".eval", ".json"])
def test_inspect_may_write_a_log_again_but_not_edit_it(ending: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / f"log{ending}"
    export_inspect(run, path, tasks=["pocket_chain"], budgets=["unlimited"])
    log = inspect_log.read_eval_log(path)
    inspect_log.write_eval_log(log, path)
    again = back(path, tmp_path / "again")
    assert len(again.records) == 504
    sample = log.samples[5]
    edit = scorer.ScoreEdit(value="C", provenance=inspect_log.ProvenanceData(author="somebody", reason="kindness"))
    inspect_log.edit_score(log, sample.id, "math", edit, recompute_metrics=False, epoch=sample.epoch)
    inspect_log.write_eval_log(log, path)
    with pytest.raises(SourceError, match="a score was changed after the export"):
        back(path, tmp_path / "edited")
    assert not (tmp_path / "edited").exists()


def test_logs_that_do_not_go_together_are_refused(run: Run, logs: Path, tmp_path: Path) -> None:
    (small,) = (path for path in logs.iterdir() if "chain-16_" in path.name)
    with pytest.raises(SourceError, match=r"lack \d+ thinkings, such as pocket_chain/.*Name the whole folder"):
        back(small, tmp_path / "back")
    other = draw(tmp_path / "other", "--seed", "1")
    folder = tmp_path / "mixed"
    export_inspect(other, folder)
    (folder / small.name).write_bytes(small.read_bytes())
    with pytest.raises(SourceError, match="are of two runs"):
        back(folder, tmp_path / "back")
    (folder / "copy.eval").write_bytes((folder / small.name).read_bytes())
    (folder / "copy2.eval").write_bytes((folder / small.name).read_bytes())
    (tmp_path / "twice").mkdir()
    for name in ("copy.eval", "copy2.eval"):
        (folder / name).rename(tmp_path / "twice" / name)
    with pytest.raises(SourceError, match="wanted it once"):
        back(tmp_path / "twice", tmp_path / "back")
    foreign = Path(__file__).parent / "fixtures" / "import" / "inspect" / "toy_sums.eval"
    (tmp_path / "twice" / "toy.eval").write_bytes(foreign.read_bytes())
    with pytest.raises(SourceError, match=r"was exported from a run, and .*toy\.eval was not"):
        back(tmp_path / "twice", tmp_path / "back")
    assert not (tmp_path / "back").exists()


def test_a_restored_run_takes_a_name_and_tasks_and_nothing_else(run: Run, logs: Path, tmp_path: Path) -> None:
    one = back(logs, tmp_path / "one", ImportSettings(tasks=("pocket_logic",), name="again"))
    assert (one.name, list(one.tasks), one.budgets) == ("again", ["pocket_logic"], run.budgets)
    with pytest.raises(ConfigError, match="--samples, --thinking-budget cannot be used"):
        back(logs, tmp_path / "two", ImportSettings(samples=2, budget="off"))


def test_two_exports_are_the_same_but_for_what_inspect_dates(run: Run, tmp_path: Path) -> None:
    found = []
    for name in ("a.json", "b.json"):
        (path,) = export_inspect(run, tmp_path / name, tasks=["pocket_chain"], budgets=["16"])
        found.append(path.read_bytes())
    assert found[0] == found[1]


def test_large_logs_are_written_in_parts_with_the_same_content(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = {"tasks": ["pocket_chain"], "budgets": ["16"]}
    (whole,) = export_inspect(run, tmp_path / "whole.eval", **chosen)
    monkeypatch.setattr(inspect_writer, "LARGE", 10)
    (parts,) = export_inspect(run, tmp_path / "parts.eval", **chosen)
    first, second = (inspect_log.read_eval_log(path).model_dump() for path in (whole, parts))
    assert first == second
    with zipfile.ZipFile(parts) as archive:
        assert sum(name.startswith("_journal/summaries/") for name in archive.namelist()) == inspect_writer.PARTS + 1
    monkeypatch.setattr("inspect_ai.log._recorders.create_recorder_for_location", None)
    (again,) = export_inspect(run, tmp_path / "again.eval", **chosen)
    assert inspect_log.read_eval_log(again).model_dump() == first


def test_the_command(run: Run, tmp_path: Path) -> None:
    done = cli("export", "inspect", run.directory, "--out", tmp_path / "logs", "--task", "pocket_chain")
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.split()) == sorted(str(path) for path in (tmp_path / "logs").iterdir())
    done = cli("import", "inspect", tmp_path / "logs", "--out", tmp_path / "back")
    assert done.returncode == 0, done.stderr
    assert "pocket_chain" in done.stdout
    done = cli("export", "inspect", run.directory, "--out", tmp_path / "logs", "--task", "pocket_chain")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "exists. Choose another --out" in done.stderr
