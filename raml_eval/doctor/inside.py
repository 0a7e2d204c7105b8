"""What a probe's process runs: `python -m raml_eval.doctor.inside NAME` reads JSON from stdin and prints one answer."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from raml_eval.doctor.probes import MARK

_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
Given = Mapping[str, Any]


def ask_torch(given: Given) -> dict[str, Any]:
    """torch's version and build, and the GPUs that it can use, with bytes of memory."""
    import torch

    gpus = []
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            about = torch.cuda.get_device_properties(index)
            free, total = torch.cuda.mem_get_info(index)
            gpus.append({"name": about.name, "memory": total, "free": free, "capability": f"{about.major}.{about.minor}"})
    mps = getattr(torch.backends, "mps", None)
    build = torch.version.cuda or getattr(torch.version, "hip", None)
    return {"version": torch.__version__, "built_for": build, "gpus": gpus, "mps": bool(mps and mps.is_available())}


def ask_vllm(given: Given) -> dict[str, Any]:
    """vLLM's version, the platform that it has found, and what torch says."""
    with contextlib.redirect_stdout(sys.stderr):
        import vllm
        from vllm.platforms import current_platform

    return {"version": vllm.__version__, "platform": current_platform.device_type, "torch": ask_torch(given)}


def ask_gpus(given: Given) -> dict[str, Any]:
    """The GPUs that the driver names, whatever torch makes of them."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return {"gpus": []}
    asked = [tool, "--query-gpu=name,memory.total,memory.used,driver_version", "--format=csv,noheader,nounits"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines() if line.count(",") == 3]
    gpus = [{"name": name, "memory_mib": total, "used_mib": used, "driver": driver} for name, total, used, driver in rows]
    return {"gpus": gpus, "problem": "" if done.returncode == 0 else (done.stderr or done.stdout).strip()[:300]}


def ask_sandbox(given: Given) -> dict[str, Any]:
    """Whether a program ran in a sandbox here, behind bubblewrap and the filter of system calls; or why not."""
    from raml_eval.sandbox.trial import working_sandbox

    found = working_sandbox()
    return {"name": "", "problem": found} if isinstance(found, str) else {"name": found.name, "problem": ""}


def ask_hub(given: Given) -> dict[str, Any]:
    """The hub's address, and whether anything answers there."""
    from huggingface_hub import constants, get_token

    from raml_eval.tasks.download import can_reach

    offline = bool(constants.HF_HUB_OFFLINE)
    reached = False if offline else can_reach(constants.ENDPOINT)
    return {"endpoint": constants.ENDPOINT, "offline": offline, "reached": reached, "token": get_token() is not None}


def ask_tasks(given: Given) -> dict[str, Any]:
    """The tasks that the names stand for, and those whose answers only a sandbox may run. No row is loaded."""
    from raml_eval.errors import RamlError
    from raml_eval.grading import KINDS
    from raml_eval.tasks.catalogue import load_catalogue

    try:
        catalogue = load_catalogue(
            [Path(one) for one in given["task_path"]], Path(given["data_dir"]) if given["data_dir"] else None
        )
        names = catalogue.expand(given["tasks"])
    except RamlError as error:
        return {"problem": str(error)}
    return {"tasks": names, "boxed": [name for name in names if KINDS[catalogue.tasks[name].grader].needs_sandbox]}


def ask_model(given: Given) -> dict[str, Any]:
    """What a run would make of the model: weight files, tokenizer, thinking format, dtype and context. The hub is not asked."""
    from raml_eval.backends.tensor_files import read_headers
    from raml_eval.checkpoint import find_checkpoint
    from raml_eval.config import build_config
    from raml_eval.errors import RamlError
    from raml_eval.inputs import load_model
    from raml_eval.servers import BACKEND

    try:
        config = build_config([given])
        here = find_checkpoint(config.model, config.revision, config.adapter).at_hand()
        if here is None:
            return {"at_hand": False}
        here.check_config()
        if config.backend not in (BACKEND, "fake") and Path(here.source).is_dir():
            read_headers(config.model, Path(here.source))  # a file that is cut off; the values are not read
        notes = io.StringIO()
        with contextlib.redirect_stderr(notes):
            model = load_model(config.model_copy(update={"model": here.source, "revision": None}))
    except RamlError as error:
        return {"problem": str(error)}
    stored = here.read_json("config.json")
    inner = stored.get("text_config")  # of a model that also sees
    text: dict[str, Any] = inner if isinstance(inner, dict) else stored
    return {
        "at_hand": True,
        "folder": str(here.folder),
        "architecture": ", ".join(map(str, stored.get("architectures") or [])),
        "dtype": text.get("dtype") or text.get("torch_dtype") or stored.get("dtype") or stored.get("torch_dtype"),
        "context": text.get("max_position_embeddings"),
        "weight_bytes": sum(path.stat().st_size for pattern in _WEIGHTS for path in here.folder.glob(pattern)),
        "tokenizer": type(model.tokenizer).__name__,
        "n_vocab": len(model.tokenizer),  # type: ignore[arg-type]
        "format": model.format.name,
        "uncertain": model.uncertain,
        "notes": [line.removeprefix("note: ") for line in notes.getvalue().splitlines() if line.startswith("note: ")],
    }


ASKED: Mapping[str, Callable[[Given], dict[str, Any]]] = {
    "torch": ask_torch,
    "vllm": ask_vllm,
    "gpus": ask_gpus,
    "sandbox": ask_sandbox,
    "hub": ask_hub,
    "tasks": ask_tasks,
    "model": ask_model,
}

if __name__ == "__main__":
    answer = ASKED[sys.argv[1]](json.load(sys.stdin))
    print(f"\n{MARK}{json.dumps(answer, default=str)}", flush=True)
