"""Runs in every process that vLLM starts: a watch on the parent, so that no engine outlives a killed run.

vLLM calls every entry point of its group vllm.platform_plugins in each of its processes, as soon as anything there asks for
the platform, long before the engine answers. Its general plugins are called too late for a run that is killed while the
engine loads, but they are also called if VLLM_TARGET_DEVICE fixes the platform. So our plugin is in both groups, and offers
no platform. It is declared in vllm_plugin.path beside this file, which declare_plugin puts on the import path, so that it
also works if raml_eval is imported from a folder and was never installed.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from raml_eval.parent_watch import watch_parent

_FLAG = "RAML_EVAL_ENGINE_PARENT"
_NAME = "raml_eval"


def declare_plugin() -> None:
    """Every process that vLLM starts from this one, and every process that those start, ends with its parent."""
    os.environ[_FLAG] = str(os.getpid())
    # A forked process inherits the platform and calls no plugin.
    os.environ["VLLM_WORKER_MULTIPROC_METHOD"] = "spawn"
    declaration = str(Path(__file__).with_name("vllm_plugin.path"))
    if declaration not in sys.path:
        sys.path.append(declaration)
    allowed = os.environ.get("VLLM_PLUGINS")
    if allowed is not None and _NAME not in allowed.split(","):
        os.environ["VLLM_PLUGINS"] = f"{allowed},{_NAME}"


def watch_parent_process() -> None:
    """This process ends with its parent, if it was spawned below a process that called declare_plugin.

    A second call does nothing, and neither does a call in the process that declared the plugin.
    """
    expected = os.environ.get(_FLAG)
    # vLLM calls this while multiprocessing is still starting the process, before the process knows its parent.
    spawned = "--multiprocessing-fork" in sys.orig_argv
    if expected is None or expected == str(os.getpid()) or not spawned:
        return
    os.environ[_FLAG] = str(os.getpid())  # processes started from here watch this process
    watch_parent(int(expected))


_forking_pid: int | None = None  # forks of this process end with it
_hooked = False


@contextlib.contextmanager
def watch_forked() -> Iterator[None]:
    """Inside this context, every process forked from this one, and every fork of those, ends with its parent.

    A fork inherits the platform and calls no plugin, so the plugin alone would not watch it.
    """
    global _forking_pid, _hooked
    if not _hooked:  # a hook cannot be removed, so it is registered once
        os.register_at_fork(after_in_child=_watch_in_fork)
        _hooked = True
    _forking_pid = os.getpid()
    try:
        yield
    finally:
        _forking_pid = None


def _watch_in_fork() -> None:
    global _forking_pid
    if _forking_pid is not None:
        watch_parent(_forking_pid)
        _forking_pid = os.getpid()
