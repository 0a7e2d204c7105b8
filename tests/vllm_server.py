"""vLLM's own server on the pocket checkpoint, with settings that keep its seeds reproducible on a CPU."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.backend_bench import POCKET
from tests.completion_server import free_port

OPTIONS = [
    "--served-model-name", "pocket", "--host", "127.0.0.1", "--dtype", "float32", "--enforce-eager", "--block-size", "32",
    "--no-enable-chunked-prefill", "--max-num-batched-tokens", "4096", "--max-num-seqs", "256",
]  # fmt: skip
ENVIRONMENT = {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1", "VLLM_LOGGING_LEVEL": "WARNING"}


class VllmServer:
    """The server at one port. Its processes end with kill()."""

    def __init__(self, folder: Path, context: int) -> None:
        self.port, self.context, self.log = free_port(), context, folder / "vllm-server.log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def launch(self) -> None:
        """The server is starting."""
        options = ["--model", str(POCKET), "--port", str(self.port), "--max-model-len", str(self.context), *OPTIONS]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "vllm.entrypoints.openai.api_server", *options],
                env={**os.environ, **ENVIRONMENT}, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def wait(self) -> None:
        """The server answers."""
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/models", timeout=5):
                return
            time.sleep(0.5)
        raise AssertionError(self.log.read_text()[-3000:])

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 9)
        self.process.wait()


@contextlib.contextmanager
def serve_vllm(folder: Path, context: int = 4096) -> Iterator[VllmServer]:
    server = VllmServer(folder, context)
    server.launch()
    try:
        server.wait()
        yield server
    finally:
        server.kill()
