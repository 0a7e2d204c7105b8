"""A small data set hub on 127.0.0.1 with generated rows, in the layout and protocol that the hub's own clients expect.

Every data set has the columns and the file format of the one whose name it bears. The texts are made up here.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import pickle
import re
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests import hub_code, hub_cross_a, hub_cross_b, hub_math

Rows = list[dict[str, Any]]

AIME: Rows = [
    {"id": 60 + i, "problem": f"Find ${i}+{i}$.", "solution": "Add.", "answer": f"{2 * i:03d}", "url": "", "year": "2024"}
    for i in range(5)
]

MATH: Rows = [
    {
        "problem": f"Write ${i}/7$.",
        "solution": "It is written.",
        "answer": rf"\frac{{{i}}}{{7}}",
        "subject": ("Algebra", "Geometry")[i % 2],
        "level": 1 + i % 5,
        "unique_id": f"test/made_up/{i}.json",
    }
    for i in range(12)
]

GSM8K: Rows = [
    {"question": f"Ann has {i} pens and buys 1000.", "answer": f"{i}+1000 = <<{i}+1000>>\n#### {i + 1000:,}"} for i in range(7)
]

GPQA: Rows = [
    {
        "Question": f" Which is {i}? ",
        "Correct Answer": f"{i}",
        **{f"Incorrect Answer {k}": f"{i + k}" for k in (1, 2, 3)},
        "High-level domain": "Physics",
        "Record ID": f"rec{i}" if i else "synthetic-0",
    }
    for i in range(40)
]

MMLU_PRO: Rows = [
    {
        "question_id": 70 + i,
        "question": f"Which one is {i}?",
        "options": [f"it is {i + k}" for k in range(3 + i)],
        "answer": "A",
        "answer_index": 0,
        "cot_content": "",
        "category": "law",
        "src": "made up",
    }
    for i in range(8)
]

LABELS = (["A", "B", "C", "D"], ["1", "2", "3", "4"])
ARC: Rows = [
    {
        "id": f"made_up_{i}",
        "question": f"What floats, {i}?",
        "choices": {"text": ["lead", "cork", "iron", "gold"], "label": LABELS[i % 2]},
        "answerKey": LABELS[i % 2][1],
    }
    for i in range(6)
]


def _parquet(rows: Rows) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return sink.getvalue()


def _jsonl(rows: Rows) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _csv(rows: Rows) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def generated_repositories() -> dict[str, dict[str, bytes]]:
    """Data set id -> path -> content, with a README that names configs and splits as on the hub."""
    tables: dict[str, list[tuple[str, str, str, bytes]]] = {  # id -> (config, split, path, content)
        "HuggingFaceH4/aime_2024": [("default", "train", "data/train.parquet", _parquet(AIME))],
        "HuggingFaceH4/MATH-500": [("default", "test", "test.jsonl", _jsonl(MATH))],
        "openai/gsm8k": [
            ("main", "train", "main/train.parquet", _parquet(GSM8K[:3])),
            ("main", "test", "main/test.parquet", _parquet(GSM8K)),
        ],
        "Idavidrein/gpqa": [
            ("gpqa_diamond", "train", "gpqa_diamond.csv", _csv(GPQA)),
            ("gpqa_main", "train", "gpqa_main.csv", _csv(hub_cross_a.GPQA_MAIN)),
        ],
        "TIGER-Lab/MMLU-Pro": [("default", "test", "data/test.parquet", _parquet(MMLU_PRO))],
        "allenai/ai2_arc": [("ARC-Challenge", "test", "ARC-Challenge/test.parquet", _parquet(ARC))],
        "openai/openai_humaneval": [("openai_humaneval", "test", "test.parquet", _parquet(hub_code.HUMANEVAL))],
        "evalplus/humanevalplus": [("default", "test", "test.parquet", _parquet(hub_code.HUMANEVAL_PLUS))],
        "google-research-datasets/mbpp": [("full", "test", "full/test.parquet", _parquet(hub_code.MBPP))],
        "evalplus/mbppplus": [("default", "test", "test.parquet", _parquet(hub_code.MBPP_PLUS))],
        "livecodebench/code_generation_lite": [
            ("default", "test", "test4.jsonl", _jsonl(hub_code.LIVECODEBENCH[:2])),
            ("default", "test", "test5.jsonl", _jsonl(hub_code.LIVECODEBENCH[2:])),
            ("default", "test", "test6.jsonl", _jsonl(hub_cross_a.LAST)),
            ("script", "test", "code_generation_lite.py", b"raise SystemExit\n"),  # datasets refuses a data set with this
        ],
    }
    for name, parts in {**hub_math.tables(), **hub_cross_a.tables(), **hub_cross_b.tables()}.items():
        write = {path: _parquet if path.endswith(".parquet") else _jsonl for _, _, path, _ in parts}
        tables[name] = [(config, split, path, write[path](rows)) for config, split, path, rows in parts]
    return {name: {"README.md": _card(files), **{f[2]: f[3] for f in files}} for name, files in tables.items()}


def _card(files: list[tuple[str, str, str, bytes]]) -> bytes:
    lines = ["---", "configs:"]
    for config in dict.fromkeys(file[0] for file in files):
        lines += [f"- config_name: {config}", "  data_files:"]
        lines += [f"  - split: {split}\n    path: {path}" for name, split, path, _ in files if name == config]
    return "\n".join([*lines, "---", ""]).encode()


class Hub(ThreadingHTTPServer):
    """The server. Its first fail_first requests for each method and path get the status fail_with."""

    daemon_threads = True

    def __init__(
        self,
        repositories: Mapping[str, Mapping[str, bytes]],
        fail_first: int = 0,
        fail_with: int = 503,
        retry_after: str | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.repositories, self.fail_first, self.fail_with = repositories, fail_first, fail_with
        self.retry_after = retry_after
        self.seen: Counter[str] = Counter()
        self.failed = 0
        self.gated: set[str] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def commit(self, name: str) -> str:
        return hashlib.sha1(repr(sorted(self.repositories[name].items())).encode()).hexdigest()


class _Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_any(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.seen[f"{self.command} {path}"] += 1
        if path != "/" and self.server.seen[f"{self.command} {path}"] <= self.server.fail_first:
            self.server.failed += 1
            asked = self.server.retry_after
            return self._reply(self.server.fail_with, b"{}", {"Retry-After": asked} if asked else None)
        api = re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?(?:/.*)?", path)
        file = re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        name = (api or file or [None, ""])[1]
        if name not in self.server.repositories:
            return self._reply(404, b"{}", {"X-Error-Code": "RepoNotFound"})
        return self._file(name, file[3]) if file else self._api(name, api[2])  # type: ignore[index]

    do_GET = do_HEAD = do_any  # noqa: N815

    def _api(self, name: str, verb: str | None) -> None:
        files = self.server.repositories[name]
        entries = [
            {"type": "file", "path": path, "size": len(content), "oid": _oid(content)} for path, content in files.items()
        ]
        folders = {path.rpartition("/")[0] for path in files} - {""}
        entries += [{"type": "directory", "path": folder, "size": 0, "oid": _oid(folder.encode())} for folder in folders]
        if verb == "tree":
            return self._reply(200, json.dumps(entries).encode())
        info = {"id": name, "sha": self.server.commit(name), "siblings": [{"rfilename": path} for path in files]}
        return self._reply(200, json.dumps(info | {"private": False, "tags": [], "downloads": 0, "likes": 0}).encode())

    def _file(self, name: str, path: str) -> None:
        if name in self.server.gated:
            return self._reply(401, b"{}", {"X-Error-Code": "GatedRepo"})
        content = self.server.repositories[name].get(path)
        if content is None:
            return self._reply(404, b"{}", {"X-Error-Code": "EntryNotFound"})
        headers = {"X-Repo-Commit": self.server.commit(name), "ETag": f'"{_oid(content)}"'}
        return self._reply(200, content, headers)

    def _reply(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


@contextmanager
def serve(fail_first: int = 0, fail_with: int = 503, retry_after: str | None = None) -> Iterator[Hub]:
    """A hub that serves the generated rows until the block ends."""
    hub = Hub(generated_repositories(), fail_first, fail_with, retry_after)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()


_LOAD = """
import os, pickle, sys, time
from raml_eval.errors import TaskError
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.tasks import download, hub_client
from raml_eval.tasks.load import load_task
hub_client.PATIENCE_S = float(os.environ.get("TEST_PATIENCE_S", hub_client.PATIENCE_S))
download.PROBE_S = 60.0  # a hub that serves may be slow on a busy machine
catalogue, loaded = load_catalogue(), {}
for name in sys.argv[2:]:
    start = time.monotonic()
    try:
        loaded[name] = load_task(catalogue, name)
    except TaskError as error:
        loaded[name] = str(error), time.monotonic() - start
with open(sys.argv[1], "wb") as file:
    pickle.dump(loaded, file)
"""


def load_in_new_process(names: list[str], url: str, home: Path, **environment: str) -> dict[str, Any]:
    """Each task as load_task gives it, or (message, seconds) of its error; in a process of its own, because the client
    libraries read the hub's address when they are imported. What it writes on its standard error stands under stderr."""
    result = home.with_suffix(".pickle")
    environment = {**os.environ, "HF_ENDPOINT": url, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1", **environment}
    environment.pop("HF_TOKEN", None)
    command = [sys.executable, "-W", "error", "-c", _LOAD, str(result), *names]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {**pickle.loads(result.read_bytes()), "stderr": done.stderr}
