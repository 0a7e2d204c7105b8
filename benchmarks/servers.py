"""Times the generation of one run through vLLM's own server and in process, in turn, on this machine.

    python benchmarks/servers.py [--repeats 2]

It needs vLLM and the tests' folder, so it is run from a checkout. The numbers in docs/servers.md are from here.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from raml_eval.config import build_config, load_preset, merge
from raml_eval.session import run_session
from tests.vllm_server import serve_vllm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=2)
    repeats = parser.parse_args().repeats
    os.environ["NO_PROXY"] = "127.0.0.1"
    shared = {
        "tasks": "pocket_chain", "limit": 50, "samples": 4, "thinking": {"budgets": [0, 16, "unlimited"]}, "concurrency": 200,
        "max_total_tokens": 300, "sampling": {"temperature": 1.0},
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name, serve_vllm(Path(name), 1024) as server:
        engines = {
            "openai_server": {"base_url": server.url, "backend_args": {}},
            "vllm": {"backend_args": {"dtype": "float32", "max_model_len": 1024}},
        }
        for repeat in range(repeats):
            for backend, more in engines.items():
                own = {"backend": backend, "out": Path(name) / f"{backend}{repeat}", **more}
                run = asyncio.run(run_session(build_config([merge([load_preset("pocket"), shared, own])]), quiet=True))
                seconds = run.manifest["sessions"][-1]["seconds"]
                print(
                    f"{backend}: {len(run.records)} samples, {seconds['generation']:.1f} s, opened in {seconds['engine']:.1f} s"
                )


if __name__ == "__main__":
    main()
