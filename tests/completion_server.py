"""A completion server in OpenAI's format, in a process of its own, which draws from the fake engine and fails as it is told.

with serve(fault="500", every=5) as server: ...   every fifth completion request fails, the first `after` ones aside
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KNOWN = {
    *("model", "prompt", "max_tokens", "temperature", "top_p", "presence_penalty", "frequency_penalty", "seed", "n", "stream"),
    *("stop", "logprobs"),
}


@dataclass
class Served:
    """A running server: its base address, and everything it was asked to complete, by the order of arrival."""

    port: int
    log: Path
    options: tuple[str, ...]
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        """The server answers."""
        command = [sys.executable, "-m", "tests.completion_server", "--port", str(self.port), "--log", str(self.log)]
        self.process = subprocess.Popen([*command, *self.options], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.05)
        raise AssertionError("the completion server did not start")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def pause(self) -> None:
        """The server hangs: it takes connections, and says nothing."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def asked(self) -> list[dict[str, Any]]:
        """The server may be in the midst of a line, which is left out."""
        content = self.log.read_bytes() if self.log.exists() else b""
        return [json.loads(line) for line in content.splitlines(keepends=True) if line.endswith(b"\n")]


@contextlib.contextmanager
def serve(folder: Path, port: int | None = None, **options: Any) -> Iterator[Served]:
    """A server with these options (see main), which has ended afterwards."""
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    port = port or free_port()
    server = Served(port, folder / f"{port}.jsonl", tuple(words))
    try:
        server.start()
        yield server
    finally:
        server.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Refused(Exception):
    """The request is answered with status 400."""


class Imitation:
    """What the server draws and says. One lock keeps the numbers of the requests in order."""

    def __init__(self, options: argparse.Namespace) -> None:
        from transformers import AutoTokenizer

        from raml_eval.backends.fake import FakeBackend, thinking_script
        from tests.backend_bench import POCKET

        self.options = options
        self.tokenizer = AutoTokenizer.from_pretrained(POCKET)
        script = thinking_script(self.tokenizer, self.tokenizer.eos_token_id, opens=False)
        self.engine = FakeBackend(script, tokenizer=self.tokenizer, context=options.context)
        self.ignored = set(filter(None, options.ignores.split(",")))
        self.n_asked, self.n_looks, self.lock = 0, Counter[str](), threading.Lock()

    def fault(self, asked: dict[str, Any]) -> str:
        """What goes wrong with this request; empty if nothing does."""
        with self.lock:
            self.n_asked += 1
            number = self.n_asked - self.options.after
        with self.lock, open(self.options.log, "ab", buffering=0) as log:  # one write: a server that is killed leaves no part
            log.write(json.dumps(asked).encode() + b"\n")
        if self.options.poison and self.options.poison in self.text_of(asked["prompt"]):
            return "500"
        due = 0 < number <= self.options.until and self.options.every and number % self.options.every == 0
        return str(self.options.fault) if due else ""

    def fails_look(self, at: str) -> bool:
        with self.lock:
            self.n_looks[at] += 1
            return self.n_looks[at] % 2 == self.options.odd

    def text_of(self, prompt: list[int] | str) -> str:
        return prompt if isinstance(prompt, str) else str(self.tokenizer.decode(prompt, skip_special_tokens=False))

    def complete(self, asked: dict[str, Any]) -> dict[str, Any]:
        from raml_eval.errors import GenerationError
        from raml_eval.types import SamplingParams

        if self.options.strict and (unknown := sorted(set(asked) - KNOWN - set(self.options.strict.split(",")))):
            raise Refused(f"unknown field {unknown[0]}")
        text_only = self.options.text_only
        if text_only and not isinstance(asked["prompt"], str):
            raise Refused("prompt must be a string")
        asked = {name: value for name, value in asked.items() if name not in self.ignored}
        prompt = asked["prompt"]
        ids = self.tokenizer.encode(prompt, add_special_tokens=False) if isinstance(prompt, str) else prompt
        if self.options.shift:
            ids = [one + 1 for one in ids]
        temperature = asked["temperature"]
        if asked.get("top_k") == 1 or asked["top_p"] < 0.01 or asked.get("min_p") == 1.0:
            temperature = 0.0
        salt = asked.get("repetition_penalty", asked.get("repeat_penalty", 1.0))
        hidden = [*ids, *([7] if salt != 1.0 else [])]
        stops = asked.get("stop_token_ids", []) + ([self.tokenizer.eos_token_id] if not asked.get("ignore_eos") else [])
        params = SamplingParams(
            temperature, 1.0, 0, 0.0, 1.0, asked["max_tokens"], asked.get("seed", 0), tuple(stops), tuple(asked["stop"])
        )
        try:
            drawn = asyncio.run(self.engine.generate(hidden, params))
        except GenerationError as error:
            raise Refused(str(error)) from None
        out = list(drawn.token_ids)
        shown = out[:-1] if text_only and drawn.finish == "stop" else out
        choice: dict[str, Any] = {
            "text": self.tokenizer.decode(shown, skip_special_tokens=False),
            "finish_reason": str(drawn.finish),
            "logprobs": {"token_logprobs": [self.options.logprob]} if "logprobs" in asked else None,
        }
        if asked.get("return_token_ids") and not text_only:
            choice |= {"token_ids": out, "prompt_token_ids": ids}
        return {"choices": [choice], "usage": {"prompt_tokens": len(ids), "completion_tokens": len(out)}}


def make_handler(imitation: Imitation) -> type[BaseHTTPRequestHandler]:
    options = imitation.options

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if not self.allowed():
                return
            if self.path == "/version":
                self.tell_version()
            else:
                self.tell_models()

        def tell_models(self) -> None:
            fault = options.models_fault if imitation.fails_look("models") else ""
            entry = {"owned_by": "imitation", "max_model_len": None if options.mute else options.context}
            served = [{"id": name, **entry} for name in options.served.split(",")]
            self.send(int(fault or 200) if fault != "empty" else 200, {"data": [] if fault == "empty" else served})

        def tell_version(self) -> None:
            fault = options.version_fault if imitation.fails_look("version") else ""
            if fault == "hang":
                time.sleep(3600)
            if fault == "reset":
                self.cut()
                return
            self.send(int(fault or 200), {"version": options.version})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if not self.allowed():
                return
            time.sleep(options.latency_s)
            fault = imitation.fault(asked)
            if fault == "die":
                os._exit(1)
            if fault == "stop":  # it takes connections, and says nothing
                os.kill(os.getpid(), signal.SIGSTOP)
            if fault == "hang":
                time.sleep(3600)
            if fault == "reset":
                self.cut()
                return
            if fault.isdigit():
                headers = {"Retry-After": options.retry_after} if options.retry_after else {}
                self.send(int(fault), {"error": {"message": "as told"}}, headers)
                return
            try:
                reply = imitation.complete(asked)
            except Refused as error:
                self.send(400, {"error": {"message": str(error)}})
                return
            if fault == "short":
                ids = reply["choices"][0]["token_ids"]
                reply["choices"][0] |= {"token_ids": ids[:-1], "finish_reason": "abort"}
            self.send(200, reply, damage=fault)

        def cut(self) -> None:
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

        def allowed(self) -> bool:
            good = not options.key or self.headers.get("Authorization") == f"Bearer {options.key}"
            if not good:
                self.send(401, {"error": {"message": f"wrong key {self.headers.get('Authorization')}"}})
            return good

        def send(self, status: int, content: Any, headers: dict[str, str] | None = None, damage: str = "") -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if damage == "garbage":
                body = b"{" * len(body)
            if damage == "half":
                self.wfile.write(body[: len(body) // 2])
                self.wfile.flush()
                self.cut()
                return
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--fault", default="", help="a status, or die, stop, hang, reset, short, garbage, half")
    parser.add_argument("--every", type=int, default=0)
    parser.add_argument("--after", type=int, default=40, help="requests that succeed first, those of the probes among them")
    parser.add_argument("--until", type=int, default=10**9, help="requests after which none fails any more, counted from there")
    parser.add_argument("--version-fault", default="", help="a status, or hang, reset: every second answer at /version")
    parser.add_argument("--models-fault", default="", help="a status, or empty: every second answer at /models")
    parser.add_argument("--odd", type=int, default=0, help="1: the first of these answers fails, not the second")
    parser.add_argument("--retry-after", default="")
    parser.add_argument("--latency-s", type=float, default=0.0)
    parser.add_argument("--context", type=int, default=1024)
    parser.add_argument("--mute", type=int, default=0, help="do not tell the context")
    parser.add_argument("--served", default="tiny")
    parser.add_argument("--version", default="1")
    parser.add_argument("--key", default="")
    parser.add_argument("--ignores", default="", help="fields that have no effect")
    parser.add_argument("--strict", default="", help="refuse fields that are neither OpenAI's nor these")
    parser.add_argument("--text-only", type=int, default=0)
    parser.add_argument("--shift", type=int, default=0, help="read every prompt id as the next one")
    parser.add_argument("--poison", default="", help="a prompt with this text always gets status 500")
    parser.add_argument("--logprob", type=float, default=-0.5)
    options = parser.parse_args()

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 512

        def handle_error(self, *_: Any) -> None:
            pass

    with Server(("127.0.0.1", options.port), make_handler(Imitation(options))) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
