"""What vLLM's processes run when they start: a watch on their parent, so that no engine outlives a killed run.

vLLM loads every entry point of its group vllm.general_plugins in each of its processes. The entry point of this module is
declared in vllm_plugin.path beside it, which declare_plugin puts on the import path: so it also works where raml_eval
is imported from a folder and was never installed.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

from raml_eval.lifeline import watch_parent

_FLAG = "RAML_EVAL_ENGINE_PARENT"
_NAME = "raml_eval"


def declare_plugin() -> None:
    """Every process that vLLM starts from this one, and every process those start, ends with its parent."""
    os.environ[_FLAG] = str(os.getpid())
    declaration = str(Path(__file__).with_name("vllm_plugin.path"))
    if declaration not in sys.path:
        sys.path.append(declaration)
    allowed = os.environ.get("VLLM_PLUGINS")
    if allowed is not None and _NAME not in allowed.split(","):
        os.environ["VLLM_PLUGINS"] = f"{allowed},{_NAME}"


def watch_parent_process() -> None:
    """This process ends with its parent, if raml_eval's engine backend is among its ancestors and is not this process."""
    started_by = os.environ.get(_FLAG)
    parent = multiprocessing.parent_process()
    if started_by is None or started_by == str(os.getpid()) or parent is None or parent.pid is None:
        return
    watch_parent(parent.pid)
