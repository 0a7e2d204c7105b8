"""Data sets from a hub that fails, refuses or does not exist."""

from __future__ import annotations

import contextlib
import datetime
import email.utils
import importlib
import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import TaskError
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks.download import _Failure, _find_failure, can_reach
from raml_eval.tasks.hub_client import Patience, asked_pause, is_passing
from raml_eval.tasks.load import load_task
from tests.hub import Hub, generated_repositories, load_in_new_process, serve


@pytest.fixture
def dead_url() -> str:
    """An address where nothing listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}"


def test_a_hub_that_fails_now_and_then(hub: Hub, tmp_path: Path) -> None:
    with serve(fail_first=1, fail_with=503) as flaky:
        loaded = load_in_new_process(["aime24"], flaky.url, tmp_path / "home")
    assert flaky.failed > 5
    assert len(loaded["aime24"].questions) == 5
    assert "status 503 from" in loaded["stderr"]


def client_library() -> Any:
    """The HTTP library of the installed huggingface_hub: httpx, or a successor under another name."""
    from huggingface_hub import get_session

    return importlib.import_module(type(get_session()).__module__.split(".")[0])


@pytest.mark.parametrize(
    ("status", "passing"), [(503, True), (500, True), (429, True), (408, True), (404, False), (401, False), (200, False)]
)
def test_which_answers_are_worth_another_try(status: int, passing: bool) -> None:
    assert is_passing(status) is passing


def test_patience_ends_after_five_tries_or_a_long_pause() -> None:
    patience = Patience()
    pauses = [patience.pause_after("busy") for _ in range(5)]
    assert all(0.25 * 2**i <= pause <= 0.5 * 2**i for i, pause in enumerate(pauses[:4]))
    assert pauses[4] is None
    assert patience.tried == 5
    assert Patience().pause_after("busy", 7.0) == 7.0
    assert Patience().pause_after("busy", 31.0) is None
    assert Patience(attempts=1).pause_after("busy") is None


def test_patience_ends_after_ten_seconds_beyond_the_pauses_that_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("raml_eval.tasks.hub_client.time.monotonic", lambda: now[0])
    slow, asked = Patience(), Patience()
    assert slow.pause_after("timed out") is not None
    assert asked.pause_after("busy", 20.0) == 20.0
    now[0] += 20.5
    assert slow.pause_after("timed out") is None
    assert asked.pause_after("busy", 20.0) == 20.0


def test_broken_connections_are_worth_another_try_and_other_errors_are_not() -> None:
    httpx = client_library()
    assert _caught(RuntimeError(), ConnectionResetError()).passing
    assert _caught(RuntimeError(), httpx.ReadTimeout("slow")).passing
    assert _caught(RuntimeError(), httpx.RemoteProtocolError("cut")).passing
    assert not _caught(RuntimeError(), httpx.UnsupportedProtocol("no http")).passing
    assert not _caught(RuntimeError(), ValueError("BuilderConfig 'x' not found")).passing


def _caught(raised: Exception, inner: Exception) -> _Failure:
    """The failure that is reported if a library raises one error while it handles another, and hides the first."""
    try:
        try:
            raise inner
        except Exception:
            raise raised from None
    except Exception as error:
        return _find_failure(error)


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [("7", 7.0), ("soon", 0.0), ("", 0.0), ("-3", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_the_pause_that_a_hub_asks_for(asked: str, seconds: float) -> None:
    assert asked_pause(asked) == seconds
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)
    assert 55 < asked_pause(email.utils.format_datetime(later)) <= 60


def test_a_hub_that_is_down_is_given_up_on_in_seconds(tmp_path: Path) -> None:
    with serve(fail_first=10**6, fail_with=503) as down:
        # Patient enough for all its tries, also on a busy machine.
        message, seconds = load_in_new_process(["aime24"], down.url, tmp_path / "home", TEST_PATIENCE_S="60")["aime24"]
    assert "failed 5 times, with status 503 from" in message
    assert seconds < 90  # about 10 on an idle machine


def test_a_hub_that_never_answers_is_given_up_on_in_seconds(tmp_path: Path) -> None:
    with silent_hub() as url:
        message, seconds = load_in_new_process(["aime24"], url, tmp_path / "home")["aime24"]
    assert "failed 2 times, with ReadTimeout" in message
    assert seconds < 120  # 22 on an idle machine: the client waits 10 s for an answer


def test_a_hub_that_asks_for_a_long_pause_is_not_waited_for(tmp_path: Path) -> None:
    with serve(fail_first=10**6, fail_with=429, retry_after="600") as busy:
        message, seconds = load_in_new_process(["aime24"], busy.url, tmp_path / "home")["aime24"]
    assert f"{busy.url} asks to wait 600 s (status 429 from" in message
    assert seconds < 100


@contextmanager
def silent_hub() -> Iterator[str]:
    """A hub that answers the first request, for its root, and then takes requests without answering them."""
    taken: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve_all() -> None:
            with contextlib.suppress(OSError):
                while True:
                    taken.append(server.accept()[0])
                    if len(taken) == 1:
                        taken[0].recv(65536)
                        taken[0].sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

        threading.Thread(target=serve_all, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    for connection in taken:
        connection.close()


def test_no_network_is_one_clear_error_within_seconds(dead_url: str, tmp_path: Path) -> None:
    message, seconds = load_in_new_process(["gsm8k"], dead_url, tmp_path / "home")["gsm8k"]
    assert re.match(f"task gsm8k needs the data set openai/gsm8k, but {dead_url} cannot be reached", message)
    assert "HF_ENDPOINT" in message
    assert "HF_HOME" in message
    assert "pocket" in message
    assert "\n" not in message
    assert seconds < 20  # about 4 on an idle machine, nearly all of it imports; the clients' own retries alone take 23


def test_a_cached_data_set_needs_no_hub(hub: Hub, dead_url: str, tmp_path: Path) -> None:
    tasks = ["gpqa_diamond", "math500_l5"]
    online = load_in_new_process(tasks, hub.url, tmp_path / "home")
    unreachable = load_in_new_process(tasks, dead_url, tmp_path / "home")
    offline = load_in_new_process([*tasks, "gsm8k"], hub.url, tmp_path / "home", HF_HUB_OFFLINE="1")
    for name in tasks:
        assert online[name] == unreachable[name] == offline[name]
    assert offline["gsm8k"][0].startswith("task gsm8k needs the data set openai/gsm8k, but HF_HUB_OFFLINE is set and")


def write_mirror(folder: Path) -> Path:
    """The data sets of the hub with generated rows, as files."""
    for name, files in generated_repositories().items():
        for path, content in files.items():
            target = folder / name / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    return folder


def test_a_folder_of_data_sets_in_place_of_a_hub(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks = ["math500_l5", "gpqa_diamond", "livecodebench"]
    online = load_in_new_process(tasks, hub.url, tmp_path / "home")
    mirror = write_mirror(tmp_path / "mirror")
    catalogue = load_catalogue(data_dir=mirror)
    for name in tasks:
        local = load_task(catalogue, name)
        assert (local.questions, local.content_hash) == (online[name].questions, online[name].content_hash)
        assert local.commit is None
    shutil.rmtree(mirror / "Idavidrein")
    with pytest.raises(TaskError, match=r"the data folder .*mirror has no Idavidrein/gpqa in it"):
        load_task(catalogue, "gpqa_diamond")
    (mirror / "HuggingFaceH4/MATH-500/test.jsonl").write_text("{", encoding="utf-8")
    with pytest.raises(TaskError, match=r"the data set HuggingFaceH4/MATH-500 cannot be read from"):
        load_task(catalogue, "math500_l5")


def test_gated_and_missing_data_sets(tmp_path: Path) -> None:
    with serve() as strict:
        strict.gated.add("Idavidrein/gpqa")
        del strict.repositories["openai/gsm8k"]  # type: ignore[attr-defined]
        loaded: dict[str, Any] = load_in_new_process(["gpqa_diamond", "gsm8k"], strict.url, tmp_path / "home")
    assert "Idavidrein/gpqa, which is gated" in loaded["gpqa_diamond"][0]
    assert "HF_TOKEN" in loaded["gpqa_diamond"][0]
    assert "does not give it: DatasetNotFoundError" in loaded["gsm8k"][0]
    assert loaded["gsm8k"][1] < 10


def test_can_reach(hub: Hub, dead_url: str) -> None:
    assert can_reach(hub.url)
    assert not can_reach(dead_url)
    assert not can_reach("http://no.such.host.invalid")
