"""Whole runs on completion servers that fail: nothing is lost, nothing is stored twice, and what is wrong is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raml_eval.backends.server_probe import _SEEDS as SEEDS
from raml_eval.config import build_config, load_preset, merge
from raml_eval.errors import ConfigError, GaveUp, StoreError
from raml_eval.session import run_session
from raml_eval.store import read_run
from raml_eval.types import StoredRun
from tests.backend_bench import collect_connections
from tests.completion_server import Served, free_port, serve
from tests.engines import drawn
from tests.test_cli import cli, fails

# A request that is cancelled while its server dies may leave its connection to the collector, which may run in mid-test.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
KEY = "sk-very-secret-0123456789"
LIMIT, SAMPLES, BUDGETS = 12, 4, (0, 16, "unlimited")
FAST = {"pause_s": 0.05, "watch_s": 0.2, "patience_s": 60.0, "attempts": 12}


def run(out: Path, *servers: Served, **settings: Any) -> StoredRun:
    args = {**FAST, **settings.pop("backend_args", {})}
    base = {
        "backend": "openai_server", "base_url": [server.url for server in servers], "backend_args": args, "out": out,
        "tasks": "pocket_chain", "limit": LIMIT, "samples": SAMPLES, "thinking": {"budgets": list(BUDGETS)},
        "max_total_tokens": None, "concurrency": 16, "sampling": {"temperature": 1.0},
    }  # fmt: skip
    return asyncio.run(run_session(build_config([merge([load_preset("pocket"), base, settings])]), quiet=True))


@pytest.fixture(autouse=True)
def collected() -> Iterator[None]:
    """What a test leaves behind is collected at its end, and not in a later one."""
    yield
    collect_connections()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[Any, Any]:
    """The samples of an undisturbed run."""
    folder = tmp_path_factory.mktemp("whole")
    with serve(folder) as server:
        return samples(run(folder / "run", server))


def samples(stored: StoredRun) -> dict[Any, Any]:
    """What was drawn, by sample and budget. Every stored line counts: a sample that is stored twice is an error."""
    lines = [json.loads(line) for line in (stored.directory / "samples.jsonl").read_text().splitlines()]
    keys = [(line["task"], line["question_id"], line["sample"], line["budget"]) for line in lines]
    assert len(keys) == len(set(keys)) == len(stored.records) == LIMIT * SAMPLES * len(BUDGETS)
    thinkings = [json.loads(line)["id"] for line in (stored.directory / "trajectories.jsonl").read_text().splitlines()]
    assert len(thinkings) == len(set(thinkings)) == LIMIT * SAMPLES
    assert stored.n_errors == 0
    return {(record.key, record.budget): drawn(record) for record in stored.records}


@pytest.mark.parametrize("fault", ["429", "500", "502", "503", "504", "524", "garbage", "half", "reset", "short"])
def test_every_seventh_request_fails(fault: str, tmp_path: Path, whole: dict[Any, Any]) -> None:
    with serve(tmp_path, fault=fault, every=7) as server:
        assert samples(run(tmp_path / "run", server)) == whole
        assert len(server.asked()) > 1.15 * LIMIT * SAMPLES


def test_retry_after_is_told_and_limited(
    tmp_path: Path, whole: dict[Any, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("raml_eval.endpoint.MAX_PAUSE_S", 0.5)
    with serve(tmp_path, fault="429", every=30, retry_after="600") as server:
        assert samples(run(tmp_path / "run", server)) == whole
    told = [line for line in capsys.readouterr().err.splitlines() if "600" in line]
    assert 1 <= len(told) <= 8
    assert "status 429" in told[0]


def test_a_busy_server_is_asked_more_often_than_a_broken_one(tmp_path: Path, whole: dict[Any, Any]) -> None:
    patient = {"attempts": 1, "pause_s": 0.01, "patience_s": 600.0, "watch_s": 60.0}
    with serve(tmp_path, fault="429", every=2) as server:
        assert samples(run(tmp_path / "run", server, backend_args=patient)) == whole


def test_while_one_server_rests_the_other_works(tmp_path: Path, whole: dict[Any, Any]) -> None:
    with serve(tmp_path, fault="429", every=1, retry_after="100") as busy, serve(tmp_path) as other:
        started = time.monotonic()
        assert samples(run(tmp_path / "run", busy, other)) == whole
        assert time.monotonic() - started < 95  # work that waits for the busy one takes 100 s


def test_a_request_that_hangs_is_sent_again(tmp_path: Path, whole: dict[Any, Any]) -> None:
    with serve(tmp_path, fault="hang", every=25) as server:
        assert samples(run(tmp_path / "run", server, backend_args={"timeout_s": 3.0})) == whole


@contextlib.contextmanager
def started_again(server: Served, *options: str) -> Iterator[None]:
    """As soon as the server has ended by itself, it is started again with these options."""

    def work() -> None:
        server.process.wait(120)
        server.options = options
        server.start()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join()


DIES = {"fault": "die", "every": 1}  # at the first request after those that succeed


@pytest.mark.parametrize("n_servers", [1, 2])
def test_a_server_that_dies_and_comes_back(
    n_servers: int, tmp_path: Path, whole: dict[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(tmp_path, **DIES) as dying, serve(tmp_path) as other:
        with started_again(dying):
            found = samples(run(tmp_path / "run", *[dying, other][:n_servers]))
        assert found == whole
    told = capsys.readouterr().err
    assert f"{dying.url} is lost" in told
    assert n_servers == 2 or f"{dying.url} answers again" in told


def test_a_server_that_hangs_loses_its_work_to_the_other(
    tmp_path: Path, whole: dict[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(tmp_path, fault="stop", every=1) as hanging, serve(tmp_path) as other:
        assert samples(run(tmp_path / "run", hanging, other)) == whole
        hanging.go_on()
    assert f"{hanging.url} is lost" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (("--context", "512"), r"serves tiny \(imitation 1, context 512\) now, and before tiny \(imitation 1, context 1024\)"),
        (("--ignores", "min_p"), r"is of another kind than at the start \(only the first honours min_p\)"),
        (("--logprob", "-2.5"), r"draws otherwise than the model of this run \(log-probability -2\.5, -0\.5\)"),
    ],
)
def test_a_server_that_comes_back_as_another_model_is_refused(other: tuple[str, ...], match: str, tmp_path: Path) -> None:
    with serve(tmp_path, **DIES) as server, started_again(server, *other), pytest.raises(ConfigError, match=match):
        run(tmp_path / "run", server)


def test_a_run_that_lost_its_server_is_resumed_on_another(tmp_path: Path, whole: dict[Any, Any]) -> None:
    out, n = tmp_path / "run", 200 * SAMPLES * len(BUDGETS)
    with serve(tmp_path, after=100, **DIES) as server, pytest.raises(GaveUp, match=r"no server answered for 1 s.*Start it"):
        run(out, server, limit=200, backend_args={"patience_s": 1.0})
    assert 0 < len(read_run(out).records) < n
    with serve(tmp_path) as server, serve(tmp_path) as other:
        stored = run(out, server, other, limit=200)
    found = {(record.key, record.budget): drawn(record) for record in stored.records}
    assert len(found) == len(stored.records) == n
    assert {key: found[key] for key in whole} == whole


@pytest.mark.parametrize(("fault", "match"), [("401", "Check --api-key-env"), ("404", "Check --base-url")])
def test_a_refusal_ends_the_run_at_once(fault: str, match: str, tmp_path: Path) -> None:
    # Of 240 samples, 16 are under way and ask at every budget; each answer that is still on its way may bring one request more.
    n_answered, most_more = 60, 2 * 16 * len(BUDGETS)
    with serve(tmp_path, fault=fault, every=1, after=n_answered) as server:
        with pytest.raises(ConfigError, match=match):
            run(tmp_path / "run", server, limit=60)
        assert n_answered < len(server.asked()) <= n_answered + most_more


def test_a_server_that_comes_back_without_its_context_is_the_same(tmp_path: Path, whole: dict[Any, Any]) -> None:
    """As one that still loads: what it does not tell is not another value."""
    with serve(tmp_path, **DIES) as server, started_again(server, "--mute", "1"):
        assert samples(run(tmp_path / "run", server)) == whole


@pytest.mark.parametrize("fault", ["empty", "404", "524"])
def test_one_look_that_is_refused_says_nothing(fault: str, tmp_path: Path, whole: dict[Any, Any]) -> None:
    with serve(tmp_path, latency_s=0.3, models_fault=fault) as server:
        assert samples(run(tmp_path / "run", server)) == whole


def test_a_server_that_joins_late_is_tested_as_the_first_was(
    tmp_path: Path, whole: dict[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    with serve(tmp_path, latency_s=1.0) as first, serve(tmp_path, ignores="min_p", models_fault="503", odd=1) as late:
        assert samples(run(tmp_path / "run", late, first)) == whole
        asked = late.asked()
    assert "another kind than at the start" in capsys.readouterr().err
    assert asked
    assert {one["seed"] for one in asked} <= {1, *SEEDS}  # those of the tests alone


def test_a_server_that_is_busy_at_the_start_joins_later(tmp_path: Path, whole: dict[Any, Any]) -> None:
    with serve(tmp_path, latency_s=1.0) as first, serve(tmp_path, fault="503", every=1, after=0, until=3) as busy:
        assert samples(run(tmp_path / "run", busy, first)) == whole
        assert {one["seed"] for one in busy.asked()} - {1, *SEEDS}  # draws, and not the tests alone


@pytest.mark.parametrize(
    ("now", "match"),
    [
        ({"served": "base,tiny", "backend_args": {"served_model": "base"}}, "served_model is 'tiny' there and 'base' here"),
        ({"ignores": "min_p"}, "honoured is "),
        ({"text_only": 1}, "token_ids is 'in and out' there and 'none' here"),
        ({"logprob": -2.5}, r"first_logprob is -0\.5 there and -2\.5 here"),
    ],
    ids=str,
)
def test_a_run_is_not_resumed_on_another_model(now: dict[str, Any], match: str, tmp_path: Path) -> None:
    out, off = tmp_path / "run", {"thinking": {"budgets": ["off"]}, "sampling": {"temperature": 0.0}}
    args = now.pop("backend_args", {})
    with serve(tmp_path) as server:
        run(out, server, limit=1, **off)
    before = (out / "manifest.json").read_bytes()
    with serve(tmp_path, **now) as server, pytest.raises(StoreError, match=match):
        run(out, server, limit=2, backend_args=args, **off)
    assert (out / "manifest.json").read_bytes() == before
    with serve(tmp_path, logprob=-0.52) as server:
        run(out, server, limit=2, **off)  # another machine's kernels


@pytest.mark.parametrize("fault", ["reset", "hang", "503", "404"])
def test_a_version_that_is_not_told_this_time_is_not_another_version(
    fault: str, tmp_path: Path, whole: dict[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    # A look at a server that draws ends after a second, so the draws take long enough for several looks.
    with serve(tmp_path, latency_s=0.3, version_fault=fault) as server:
        assert samples(run(tmp_path / "run", server)) == whole
    assert "left out" not in capsys.readouterr().err


def test_one_poisoned_prompt_fails_alone(tmp_path: Path, whole: dict[Any, Any]) -> None:
    with serve(tmp_path) as server:
        text = server.asked  # the prompts of a first run name one to poison
        run(tmp_path / "first", server)
        prompt = text()[-1]["prompt"]
    from transformers import AutoTokenizer

    from tests.backend_bench import POCKET

    said = AutoTokenizer.from_pretrained(POCKET).decode(prompt).split("<|im_start|>user")[1].split("<|im_end|>")[0].strip()
    with serve(tmp_path, poison=said) as server:
        stored = run(tmp_path / "run", server, backend_args={"attempts": 2, "watch_s": 60.0})
    missing = whole.keys() - {(record.key, record.budget) for record in stored.records}
    assert len({key.question_id for key, _ in missing}) == 1
    assert len(missing) == SAMPLES * len(BUDGETS) == stored.n_errors
    with serve(tmp_path) as server:
        assert samples(run(tmp_path / "run", server)) == whole


def test_all_draws_of_a_question_go_to_one_server(tmp_path: Path, whole: dict[Any, Any]) -> None:
    with serve(tmp_path, latency_s=0.02) as one, serve(tmp_path, latency_s=0.02) as other:
        assert samples(run(tmp_path / "run", one, other, backend_args={"watch_s": 60.0})) == whole
        draws = [[one for one in server.asked() if one["seed"] not in {1, *SEEDS}] for server in (one, other)]
        counts = [len(server.asked()) for server in (one, other)]
    n_told = min(len(draw["prompt"]) for draw in [*draws[0], *draws[1]])  # so many tokens tell the questions from each other
    questions = [{tuple(draw["prompt"][:n_told]) for draw in of} for of in draws]
    assert len(questions[0] | questions[1]) == LIMIT
    assert not questions[0] & questions[1]
    assert min(counts) > 0.1 * sum(counts)


def test_the_key_is_sent_and_stored_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], whole: dict[Any, Any]
) -> None:
    monkeypatch.setenv("SERVER_KEY", KEY)
    with serve(tmp_path, key=KEY, fault="500", every=9) as server:
        assert samples(run(tmp_path / "run", server, api_key_env="SERVER_KEY")) == whole
        monkeypatch.delenv("SERVER_KEY")
        with pytest.raises(ConfigError, match="SERVER_KEY is not set"):
            run(tmp_path / "other", server, api_key_env="SERVER_KEY")
    stored = "".join(path.read_text() for path in (tmp_path / "run").iterdir() if path.suffix in (".json", ".jsonl"))
    assert KEY not in stored + capsys.readouterr().err
    assert "SERVER_KEY" in stored


def test_another_version_of_the_server_does_not_go_on(tmp_path: Path) -> None:
    with serve(tmp_path) as server:
        run(tmp_path / "run", server, limit=2)
    with serve(tmp_path, version="2") as server, pytest.raises(StoreError, match=r"engine\.version"):
        run(tmp_path / "run", server, limit=3)


def test_a_server_of_texts_answers_without_thinking_and_refuses_budgets(tmp_path: Path) -> None:
    with serve(tmp_path, text_only=1) as server:
        with pytest.raises(ConfigError, match=r"returns no token ids.*thinking budget 0 may force one.*budget off"):
            run(tmp_path / "refused", server)
        stored = run(tmp_path / "run", server, thinking={"budgets": ["off"]})
    assert not (tmp_path / "refused" / "manifest.json").exists()
    assert len(stored.records) == LIMIT * SAMPLES
    assert all(record.answer.startswith("\\boxed{") for record in stored.records)
    assert stored.manifest["engine"]["ids_exact"] is False


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"backend": "hf", "base_url": "http://h/v1", "backend_args": {}}, "base_url has no effect on backend hf"),
        ({"backend": "fake", "base_url": [], "api_key_env": "K", "backend_args": {}}, "api_key_env has no effect"),
        ({"base_url": []}, "Pass --base-url"),
        ({"base_url": "nonsense"}, "--base-url is not an http"),
    ],
    ids=str,
)
def test_addresses_are_checked_before_anything_is_loaded(settings: dict[str, Any], match: str, tmp_path: Path) -> None:
    base = {"model": "no/such/model", "tasks": "pocket_chain", "backend": "openai_server", "out": tmp_path / "run"}
    with pytest.raises(ConfigError, match=match):
        asyncio.run(run_session(build_config([base, settings]), quiet=True))
    assert not (tmp_path / "run").exists()


def command(out: Path, *words: str) -> list[str]:
    flags = ["--backend", "openai_server", "--tasks", "pocket_chain", "--limit", "3", "--thinking-budget", "16", "--quiet"]
    return ["run", "pocket", *flags, "--out", str(out), "--backend-arg", "pause_s=0.05", *words]


def test_the_command_draws_from_the_servers_that_flags_name(tmp_path: Path) -> None:
    with serve(tmp_path) as one, serve(tmp_path) as other:
        done = cli(*command(tmp_path / "run", "--base-url", f"{one.url},{other.url}", "--dry-run"))
        assert done.returncode == 0, done.stderr
        assert not one.asked()
        done = cli(*command(tmp_path / "run", "--base-url", one.url, "--base-url", other.url))
        assert done.returncode == 0, done.stderr
        assert min(len(one.asked()), len(other.asked())) > 12
    with serve(tmp_path, fault="500", every=1) as server:
        owed = cli(*command(tmp_path / "owed", "--base-url", server.url, "--limit", "10", "--backend-arg", "attempts=1"))
    assert owed.returncode == 4, owed.stderr


def test_the_command_refuses_a_server_that_is_not_there(tmp_path: Path) -> None:
    fails(cli(*command(tmp_path / "run", "--base-url", f"http://127.0.0.1:{free_port()}")), "cannot be used: ConnectError")
    assert not (tmp_path / "run" / "manifest.json").exists()


@pytest.mark.parametrize(("fault", "lost"), [("half", True), ("504", True), ("500", True), ("short", True), ("503", False)])
def test_what_a_dying_server_was_drawing_counts_as_redrawn_unless_its_seeds_reproduce(
    fault: str, lost: bool, tmp_path: Path
) -> None:
    """A gateway gives up on the longest draws, so what is drawn again for them is shorter. Who is too busy drew nothing."""
    counts = {}
    for reproducible in (False, True):
        # Half of the requests draw thinking, and some 50 fail: that none of those did is out of the question.
        with serve(tmp_path, fault=fault, every=4) as server:
            args = {"reproducible": reproducible, "attempts": 30, "watch_s": 60.0}
            stored = run(tmp_path / f"{reproducible}", server, limit=24, thinking={"budgets": [16]}, backend_args=args)
        counts[reproducible] = sum(one.redrawn for one in stored.trajectories.values())
    assert (counts[False] > 0) is lost
    assert counts[True] == 0
