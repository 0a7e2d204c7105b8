"""A chat server on 127.0.0.1 in OpenAI's format, which behaves as a test tells it, well or badly."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Asked = dict[str, Any]


@dataclass
class Reply:
    """What one request gets; cut closes the connection after the headers, before_s waits first, drip_s waits between bytes."""

    content: str | None = '{"verdict": "different", "reason": "it is another number"}'
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    cut: bool = False
    before_s: float = 0.0
    drip_s: float = 0.0

    def body(self) -> bytes:
        if self.raw is not None:
            return self.raw
        message = {"role": "assistant", "content": self.content}
        return json.dumps({"choices": [{"index": 0, "message": message}]}).encode()


@dataclass
class Chat:
    """The running server: its base address, every request it got, and the most it served at once."""

    url: str = ""
    answer: Callable[[Asked, int], Reply] = lambda asked, number: Reply()
    asked: list[Asked] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    def prompts(self) -> list[str]:
        return [asked["messages"][-1]["content"] for asked in self.asked]


@contextlib.contextmanager
def serve_chat() -> Iterator[Chat]:
    chat = Chat()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                chat.asked.append(asked)
                chat.keys.append(self.headers.get("Authorization"))
                chat.paths.append(self.path)
                number = len(chat.asked)
                chat.at_once += 1
                chat.most_at_once = max(chat.most_at_once, chat.at_once)
            try:
                reply = chat.answer(asked, number)
                time.sleep(reply.before_s)
            finally:
                with lock:
                    chat.at_once -= 1  # before the first byte: whoever has it may ask again
            with contextlib.suppress(OSError):  # the client may have given up
                self._send(reply)

        def _send(self, reply: Reply) -> None:
            body = reply.body()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if reply.cut:
                self.wfile.flush()
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            for start in range(0, len(body), 1 if reply.drip_s else len(body) or 1):
                self.wfile.write(body[start : start + (1 if reply.drip_s else len(body))])
                self.wfile.flush()
                time.sleep(reply.drip_s)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        chat.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield chat
        finally:
            server.shutdown()
            thread.join()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
