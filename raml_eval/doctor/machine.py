"""The machine: cores, memory, shared memory and disks, as this process may use them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

GIB = 2**30
_UNLIMITED = 1 << 60  # cgroups write "no limit" as a number near 2^63


@dataclass(frozen=True, slots=True)
class Disk:
    """The disk below a path: its free bytes, and whether this user may write there. free is None if it cannot be told."""

    name: str
    path: str
    free: int | None
    writable: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """Cores that this process may use (a container's quota included), and bytes of memory; None where it cannot be told."""

    cores: float
    memory: int | None
    memory_available: int | None
    shm_free: int | None

    def fields(self) -> dict[str, Any]:
        """The machine as JSON."""
        return asdict(self)


def read_machine(root: Path = Path("/")) -> Machine:
    """The machine that the files below root describe: /proc/meminfo, and the limits of the process's cgroup."""
    total, available = _meminfo(root / "proc/meminfo")
    limit = _first_number(root, "sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")
    if limit is not None and limit < _UNLIMITED and (total is None or limit < total):
        used = _first_number(root, "sys/fs/cgroup/memory.current", "sys/fs/cgroup/memory/memory.usage_in_bytes") or 0
        left = max(0, limit - used)
        total, available = limit, left if available is None else min(left, available)
    return Machine(_cores(root), total, available, _free(root / "dev/shm"))


def _cores(root: Path) -> float:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = (root / "sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return cores if quota == "max" else min(cores, int(quota) / int(period))
    except (OSError, ValueError):
        pass
    quota_us, period_us = (_first_number(root, f"sys/fs/cgroup/cpu/cpu.cfs_{name}_us") for name in ("quota", "period"))
    return min(cores, quota_us / period_us) if quota_us and period_us and quota_us > 0 else cores


def _meminfo(path: Path) -> tuple[int | None, int | None]:
    try:
        pairs = (line.split(":", 1) for line in path.read_text(encoding="ascii").splitlines() if ":" in line)
        found = {name: int(rest.split()[0]) * 1024 for name, rest in pairs}
    except (OSError, ValueError, IndexError):
        return None, None
    return found.get("MemTotal"), found.get("MemAvailable")


def _first_number(root: Path, *names: str) -> int | None:
    for name in names:
        try:
            return int((root / name).read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
    return None


def _free(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path).free
    except OSError:
        return None


def find_disk(name: str, path: Path) -> Disk:
    """The disk on which the path is, or would be made."""
    path = Path(os.path.abspath(path.expanduser()))
    there = next((one for one in (path, *path.parents) if one.exists()), path)
    return Disk(name, str(path), _free(there), there.is_dir() and os.access(there, os.W_OK | os.X_OK))


def cache_folders(environment: Mapping[str, str]) -> dict[str, Path]:
    """The folders in which the libraries keep what they download or compile, by what they hold."""
    base = Path(environment.get("XDG_CACHE_HOME") or "~/.cache")
    home = Path(environment.get("HF_HOME") or base / "huggingface")
    return {
        "models": Path(environment.get("HF_HUB_CACHE") or home / "hub"),
        "data sets": Path(environment.get("HF_DATASETS_CACHE") or home / "datasets"),
        "vllm": Path(environment.get("VLLM_CACHE_ROOT") or base / "vllm"),
    }
