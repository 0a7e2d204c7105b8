"""A run pushed as a data set, to a hub on this computer, by the real command and huggingface_hub's own upload."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import DatasetCard
from pyarrow import parquet

from tests.processes import stat_of, take_interrupts, wait_until
from tests.shared_runs import HOSTILE, holds_nothing_private, private_run, share
from tests.test_cli import FAKE, cli, fails
from tests.upload_hub import TOKEN, UploadHub, serve_uploads


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return private_run(tmp_path / "run")


def started(hub: UploadHub, *words: str | Path, token: str | None = TOKEN) -> dict[str, Any]:
    """`export hub` in a process of its own, because huggingface_hub reads its variables when it is imported."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    env = {**kept, "HF_ENDPOINT": hub.url, "NO_PROXY": "127.0.0.1", "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    env |= {"HF_TOKEN": token} if token else {}
    command = [sys.executable, "-m", "raml_eval", "export", "hub", *map(str, words)]
    return {"args": command, "env": env, "text": True}


def push(hub: UploadHub, *words: str | Path, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(**started(hub, *words, token=token), capture_output=True, timeout=120, check=False)


def read(content: bytes | Path) -> list[dict[str, Any]]:
    return parquet.read_table(io.BytesIO(content) if isinstance(content, bytes) else content).to_pylist()


@pytest.mark.parametrize("large", [False, True], ids=["in the commit", "through LFS"])
def test_what_is_pushed_is_what_the_folder_would_hold(run: Path, tmp_path: Path, large: bool) -> None:
    with serve_uploads(large) as hub:
        done = push(hub, run, "me/mine", "--private")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(f"{hub.url}/datasets/me/mine")
    assert hub.private == {"me/mine": True}
    assert hub.tokens == {f"Bearer {TOKEN}"}
    assert hub.messages == ["Samples of run run"]
    assert any("lfs" in asked for asked in hub.asked) == large
    for body in hub.bodies:
        holds_nothing_private(body)
        assert TOKEN.encode() not in body
    files = hub.files["me/mine"]
    tables = {f"data/{table}.parquet" for table in ("samples", "thinking", "questions", "numbers")}
    assert set(files) - {".gitattributes"} == {"README.md", *tables}
    assert cli("export", "hub", run, "me/mine", "--folder", tmp_path / "folder").returncode == 0
    for name in tables:
        assert read(files[name]) == read(tmp_path / "folder" / name)
    assert files["README.md"].decode() == (tmp_path / "folder" / "README.md").read_text()


def test_rows_that_must_not_be_passed_on_lose_question_gold_and_text(run: Path, tmp_path: Path) -> None:
    assert cli("export", "hub", run, "me/mine", "--folder", tmp_path).returncode == 2  # not empty
    out = tmp_path / "out"
    assert cli("export", "hub", run, "me/mine", "--folder", out).returncode == 0
    questions, samples = read(out / "data/questions.parquet"), read(out / "data/samples.parquet")
    thinking = {row["trajectory"]: row for row in read(out / "data/thinking.parquet")}
    assert (len(questions), len(samples), len(thinking)) == (9, 36, 36)
    for row in questions:
        gone = row["task"] == "kept"
        assert row["withheld"] == gone
        assert [row[key] is None for key in ("messages", "target", "options", "tests")] == [gone] * 4
        assert len(row["row_sha256"]) == 64
    for row in samples:
        gone = row["task"] == "kept"
        assert [row[key] is None for key in ("answer", "target", "extracted", "detail", "answer_sha256")] == [gone] * 5
        text = thinking[row["trajectory"]]["text"]
        assert text == (None if gone else f"thinking of {row['task']}")
        assert row["correct"] == (row["status"] == "correct")
    stored = {(r.key.task, r.key.question_id, r.key.index): r for r in share(run).run.records}
    for row in samples:
        record = stored[row["task"], row["question_id"], row["sample"]]
        assert (row["status"], row["budget"], row["n_thinking_tokens"]) == (record.status.value, "8", record.n_thinking_tokens)
    assert json.loads(next(row for row in questions if row["task"] == "free")["messages"])[0]["role"] == "user"
    for path in out.rglob("*.parquet"):
        for row in read(path):
            holds_nothing_private(json.dumps(row))
            if row["task"] == "kept":
                assert not {"12", "What is question"} & {str(value) for key, value in row.items() if key != "question_id"}
                assert "What is question" not in json.dumps(row)


def test_the_model_s_text_can_be_kept(run: Path, tmp_path: Path) -> None:
    assert cli("export", "hub", run, "me/mine", "--folder", tmp_path / "out", "--keep-model-text").returncode == 0
    rows = [row for row in read(tmp_path / "out/data/samples.parquet") if row["task"] == "kept"]
    assert all(row["answer"].startswith("private words") for row in rows)
    assert all(row["target"] is None and row["extracted"] is None for row in rows)
    assert "may quote the questions" in (tmp_path / "out/README.md").read_text()


def test_a_task_that_does_not_say_counts_as_one_that_must_not(run: Path, tmp_path: Path) -> None:
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["tasks"]["free"]["redistribute"] = ""
    (run / "manifest.json").write_text(json.dumps(manifest))
    words = ["export", "hub", run, "me/mine", "--folder"]
    assert cli(*words, tmp_path / "a").returncode == 0
    assert cli(*words, tmp_path / "b", "--redistribute", "free=yes").returncode == 0
    for folder, tasks in (("a", {"free", "kept"}), ("b", {"kept"})):
        rows = read(tmp_path / folder / "data/questions.parquet")
        assert {row["task"] for row in rows if row["withheld"]} == tasks
    fails(cli(*words, tmp_path / "c", "--redistribute", "kept=yes"), "which says no")
    fails(cli(*words, tmp_path / "c", "--redistribute", "half=yes"), "which says non_commercial")
    fails(cli(*words, tmp_path / "c", "--redistribute", "free=maybe"), "'maybe'")
    fails(cli(*words, tmp_path / "c", "--redistribute", "fre=yes"), "'fre'")


def test_the_numbers_are_those_of_the_frame(run: Path, tmp_path: Path) -> None:
    assert cli("export", "hub", run, "me/mine", "--folder", tmp_path / "out", "--k", "2,64").returncode == 0
    rows, frame = read(tmp_path / "out/data/numbers.parquet"), share(run).frame
    assert len(rows) == len(frame)
    for row, (_, wanted) in zip(rows, frame.iterrows(), strict=True):
        for key in ("value", "low", "high"):
            assert row[key] == wanted[key] or (row[key] is None and wanted[key] != wanted[key])
        assert row["model"] == "step_500"
    assert any(row["k"] == 64 and row["value"] is None for row in rows)


def test_the_card(run: Path, tmp_path: Path) -> None:
    assert cli("export", "hub", run, "me/mine", "--folder", tmp_path / "out").returncode == 0
    path = tmp_path / "out" / "README.md"
    holds_nothing_private(path.read_text())
    card = DatasetCard.load(path)
    assert card.data.license_name == "mixed-non-commercial"
    assert {entry["config_name"] for entry in card.data["configs"]} == {"samples", "thinking", "questions", "numbers"}
    assert "**Non-commercial:** the rows of half" in card.text
    assert "gold answers of kept are left out" in card.text
    assert HOSTILE not in card.text
    assert "<script" not in card.text.replace("\\<script", "")
    (line,) = [line for line in card.text.splitlines() if line.startswith("| free | 3 |")]
    assert "33.3" in line
    code = card.text.partition("```python\n")[2].partition("```")[0]
    compile(code, "card", "exec")


def test_the_data_set_loads_as_the_card_says(run: Path, tmp_path: Path) -> None:
    from datasets import load_dataset

    assert cli("export", "hub", run, "me/mine", "--folder", tmp_path / "out").returncode == 0
    cache = str(tmp_path / "cache")
    samples = load_dataset(str(tmp_path / "out"), "samples", split="train", cache_dir=cache).to_pandas()
    shares = samples.groupby(["task", "budget"])["correct"].mean()
    assert shares["free", "8"] == pytest.approx(4 / 12)


def test_made_up_answers_are_told_at_the_top(tmp_path: Path) -> None:
    assert cli(*FAKE, "--out", tmp_path / "fake").returncode == 0
    assert cli("export", "hub", tmp_path / "fake", "me/mine", "--folder", tmp_path / "out").returncode == 0
    text = (tmp_path / "out" / "README.md").read_text()
    assert 0 < text.index("made these answers up") < text.index("## Accuracy")


def test_what_the_hub_refuses_is_one_line(run: Path) -> None:
    with serve_uploads() as hub:
        hub.private["me/public"] = False
        for words, token, told in (
            ([run, "me/public", "--private"], TOKEN, "is public"),
            ([run, "me/mine"], "hf_wrongwrongwrongwrong", "did not take me/mine"),
            ([run, "me/mine"], None, "HF_TOKEN is not set"),
            ([run, "no-owner"], TOKEN, "OWNER/NAME"),
        ):
            done = push(hub, *words, token=token)
            assert done.returncode == 2, done.stderr
            (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
            assert told in line
            assert "hf_wrong" not in done.stderr
        assert hub.files == {}
    done = push(hub, run, "me/mine")  # nobody listens
    assert done.returncode == 2
    assert "did not take me/mine" in done.stderr


def test_a_push_that_the_hub_breaks_off_is_one_line_and_can_be_repeated(run: Path) -> None:
    with serve_uploads() as hub:
        for part, status in (("create", 403), ("preupload", 401), ("commit", 500)):
            hub.broken = {part: status}
            done = push(hub, run, "me/mine")
            assert (done.returncode, done.stdout) == (2, "")
            (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
            assert "did not take me/mine" in line
            assert str(status) in line
            assert TOKEN not in done.stderr
            assert "Traceback" not in done.stderr
        assert hub.files == {}
        hub.broken = {}
        assert push(hub, run, "me/mine").returncode == 0
        assert len(hub.files["me/mine"]) >= 5
        assert len(hub.messages) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_push_can_be_repeated(number: signal.Signals, run: Path, tmp_path: Path) -> None:
    with serve_uploads() as hub:
        hub.held = "commit"
        piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "preexec_fn": take_interrupts}
        with subprocess.Popen(**started(hub, run, "me/mine"), **piped) as push_of_ours:
            assert hub.reached.wait(60)
            time.sleep(
                1.0
            )  # Python sees a signal that comes between the request and the wait for its reply only after the reply
            wait_until(lambda: stat_of(push_of_ours.pid)[:1] == ["S"])
            push_of_ours.send_signal(number)
            _, told = push_of_ours.communicate(timeout=60)
        assert push_of_ours.returncode == 128 + number
        assert "the hub may hold a new repository without files" in told
        assert "Traceback" not in told
        hub.released.set()
        hub.held = ""
        done = push(hub, run, "me/mine")
        assert done.returncode == 0, done.stderr
    assert cli("export", "hub", run, "me/mine", "--folder", tmp_path / "folder").returncode == 0
    assert hub.files["me/mine"]["README.md"].decode() == (tmp_path / "folder" / "README.md").read_text()


@pytest.mark.parametrize("name", ["no-owner", "a/b/c", "/b", "a/", "a b/c", "a/b--c", "a/b..c", "a/b.git", "-a/b", "a/b."])
def test_a_name_that_the_hub_would_refuse_is_told_before_anything_is_written(name: str, run: Path, tmp_path: Path) -> None:
    fails(cli("export", "hub", "--folder", tmp_path / "out", "--", run, name), repr(name), "wanted OWNER/NAME")
    assert not (tmp_path / "out").exists()


def test_a_text_with_the_token_is_not_pushed(run: Path) -> None:
    with serve_uploads() as hub:
        done = push(hub, run, "me/mine", token="private words")
        assert done.returncode == 2
        assert "holds the value of HF_TOKEN" in done.stderr
        assert hub.asked == []
