"""A hub on 127.0.0.1 that takes data sets: the few endpoints that huggingface_hub calls for an upload."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "hf_writewritewritewrite"
OLD = "0" * 40


@dataclass
class UploadHub:
    """What the hub holds. large sends the bodies of Parquet files through LFS, as the real hub does.

    broken maps the last part of a path to the status with which it is refused; held is one that waits, and sets reached.
    """

    url: str = ""
    large: bool = False
    private: dict[str, bool] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    messages: list[str] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)
    tokens: set[str | None] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    broken: dict[str, int] = field(default_factory=dict)
    held: str = ""
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)


@contextlib.contextmanager
def serve_uploads(large: bool = False) -> Iterator[UploadHub]:
    hub = UploadHub(large=large)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            self.take()

        def do_POST(self) -> None:
            self.take()

        def do_PUT(self) -> None:
            self.take()

        def take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.partition("?")[0]
            hub.asked.append(f"{self.command} {path}")
            hub.bodies.append(body)
            if path.startswith("/lfs/"):
                hub.blobs[path.removeprefix("/lfs/")] = body
                self.reply({})
                return
            hub.tokens.add(self.headers.get("Authorization"))
            if self.headers.get("Authorization") != f"Bearer {TOKEN}":
                self.reply({"error": "Invalid credentials"}, 401)
                return
            ends = set(path.split("/"))
            if hub.held and hub.held in ends and not hub.released.is_set():
                hub.reached.set()
                hub.released.wait(60)
            if status := next((status for part, status in hub.broken.items() if part in ends), None):
                self.reply({"error": "the hub is broken"}, status)
                return
            answer = respond(hub, path, body)
            self.reply({"error": f"no such endpoint: {path}"}, 404) if answer is None else self.reply(*answer)

        def reply(self, content: dict[str, Any], status: int = 200) -> None:
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            with contextlib.suppress(OSError):  # whoever asked may be gone
                self.wfile.write(text)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def respond(hub: UploadHub, path: str, body: bytes) -> tuple[dict[str, Any], int] | None:
    """The reply and its status; None if there is no such endpoint."""
    if path == "/api/repos/create":
        asked = json.loads(body)
        assert asked["type"] == "dataset"
        name = f"{asked['organization']}/{asked['name']}" if asked.get("organization") else asked["name"]
        url = f"{hub.url}/datasets/{name}"
        if name in hub.private:
            return {"url": url, "error": "You already created this dataset repo"}, 409
        hub.private[name] = bool(asked.get("private", asked.get("visibility") == "private"))
        return {"url": url, "name": name}, 200
    if path == "/api/validate-yaml":
        return {"errors": [], "warnings": []}, 200
    if path.endswith(".git/info/lfs/objects/batch"):
        objects = json.loads(body)["objects"]
        return {
            "transfer": "basic",
            "objects": [{**o, "actions": {"upload": {"href": f"{hub.url}/lfs/{o['oid']}", "header": {}}}} for o in objects],
        }, 200
    parts = path.removeprefix("/api/datasets/").split("/")
    name, action = "/".join(parts[:2]), parts[2] if len(parts) > 2 else ""
    if not path.startswith("/api/datasets/") or name not in hub.private:
        return None
    if action in ("", "revision"):
        return {"id": name, "private": hub.private[name], "sha": OLD, "siblings": [], "tags": []}, 200
    if action == "preupload":
        modes = [
            ("lfs" if hub.large and f["path"].endswith(".parquet") else "regular", f["path"]) for f in json.loads(body)["files"]
        ]
        return {"files": [{"path": p, "uploadMode": mode, "shouldIgnore": False, "oid": None} for mode, p in modes]}, 200
    return commit(hub, name, body) if action == "commit" else None


def commit(hub: UploadHub, name: str, body: bytes) -> tuple[dict[str, Any], int]:
    lines = [json.loads(line) for line in body.splitlines() if line.strip()]
    files = hub.files.setdefault(name, {})
    for line in lines:
        value = line["value"]
        if line["key"] == "header":
            hub.messages.append(value["summary"])
        elif line["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif line["key"] == "lfsFile":
            content = hub.blobs[value["oid"]]
            assert hashlib.sha256(content).hexdigest() == value["oid"]
            files[value["path"]] = content
        else:
            raise AssertionError(line)
    oid = hashlib.sha1(body).hexdigest()
    return {"success": True, "commitOid": oid, "commitUrl": f"{hub.url}/datasets/{name}/commit/{oid}", "hookOutput": ""}, 200
