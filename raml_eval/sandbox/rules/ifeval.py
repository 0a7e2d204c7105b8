"""The checkers of IFEval (Zhou et al. 2023, arXiv:2311.07911), as lm-eval holds them: the share of instructions followed.

An instruction is followed strictly if the text as it stands follows it, and loosely if the text without its first line, its
last line or its asterisks does. The score is the strict share; the detail says the loose one.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

REGISTRY = "lm_eval.tasks.ifeval.instructions_registry"
NLTK_DATA = ("tokenizers/punkt_tab",)
INSTALL = "pip install 'raml-eval[ifeval]'"


def prepare(tests: Mapping[str, Any]) -> None:
    """The checkers are loaded, and every draw of langdetect is seeded. Raises LookupError if a package or data is missing."""
    load_checkers(REGISTRY, NLTK_DATA, INSTALL)


def score(tests: Mapping[str, Any], answer: str) -> tuple[float, str]:
    """The share of tests["instructions"] that the answer follows strictly; each has id and kwargs, and tests has the prompt."""
    return share_followed(load_checkers(REGISTRY, NLTK_DATA, INSTALL), tests, answer)


def load_checkers(registry: str, data: Sequence[str], install: str) -> Mapping[str, Any]:
    """The classes of the checkers by the ids of their instructions. Nothing is downloaded.

    registry is the module that has them in INSTRUCTION_DICT, data what they read of nltk's data. Raises LookupError, with the
    command that installs it, for what is missing.
    """
    if registry not in sys.modules:
        try:
            _find_data(data)
            with _no_download(), _bare_packages(registry):
                importlib.import_module(registry)
        except ImportError as error:
            raise LookupError(f"{error.name or error} is not installed. Run: {install}") from None
        if "langdetect" in sys.modules:
            sys.modules["langdetect"].DetectorFactory.seed = 0  # it samples, so it would differ from run to run
    checkers: Mapping[str, Any] = sys.modules[registry].INSTRUCTION_DICT
    return checkers


def _find_data(names: Sequence[str]) -> None:
    """nltk finds these data. It looks beside the installed packages too, which is the one place that a sandbox shows."""
    import nltk

    nltk.data.path += [f"{entry}/nltk_data" for entry in sys.path if entry and f"{entry}/nltk_data" not in nltk.data.path]
    for name in names:
        try:
            nltk.data.find(name)
        except LookupError:
            data = name.rpartition("/")[2]
            raise LookupError(
                f"nltk's {data} is missing beside the packages. Run: python -c \"import nltk, sysconfig; "
                f"nltk.download('{data}', sysconfig.get_path('purelib') + '/nltk_data')\""
            ) from None


@contextlib.contextmanager
def _no_download() -> Iterator[None]:
    """Inside, nltk fetches nothing: a module of checkers asks for data when it is imported, some of which it never reads."""
    import nltk

    download, nltk.download = nltk.download, lambda *names, **options: False
    try:
        yield
    finally:
        nltk.download = download


@contextlib.contextmanager
def _bare_packages(module: str) -> Iterator[None]:
    """Inside, the packages above the module have none of their own code, which would load a whole harness and write to disk."""
    parts = module.split(".")
    top = importlib.util.find_spec(parts[0])
    if top is None or not top.submodule_search_locations:
        raise ModuleNotFoundError(f"No module named {parts[0]!r}", name=parts[0])
    folder = Path(next(iter(top.submodule_search_locations)))
    names = [".".join(parts[:depth]) for depth in range(1, len(parts))]
    bare = [name for name in names if name not in sys.modules]
    for name in bare:
        package = ModuleType(name)
        package.__path__ = [str(folder.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = package
    try:
        yield
    finally:
        for name in bare:
            del sys.modules[name]


def share_followed(checkers: Mapping[str, Any], tests: Mapping[str, Any], answer: str) -> tuple[float, str]:
    """The share of the instructions followed strictly, and a line with the loose share and those that are not followed."""
    instructions = tests["instructions"]
    strict, loose, failed = 0, 0, []
    texts = loose_texts(answer)
    for instruction in instructions:
        checker = checkers[instruction["id"]](instruction["id"])
        random.seed(0)  # a checker draws what its arguments leave open
        checker.build_description(**instruction["kwargs"])
        if "prompt" in (checker.get_instruction_args() or ()):
            checker.build_description(prompt=tests["prompt"])
        followed = _follows(checker, answer)
        strict += followed
        loose += followed or any(_follows(checker, text) for text in texts)
        failed += [] if followed else [instruction["id"]]
    total = len(instructions)
    said = f"{strict} of {total} instructions followed strictly, {loose} loosely"
    return strict / total, said + (f"; not {', '.join(failed)}" if failed else "")


def _follows(checker: Any, text: str) -> bool:
    if not text.strip():
        return False
    try:
        return bool(checker.check_following(text))
    except MemoryError:
        raise
    except Exception:  # a checker that cannot read a text raises whatever it likes
        return False


def loose_texts(answer: str) -> list[str]:
    """The texts that may follow an instruction in the answer's place, as the authors of IFEval define them.

    Example: "hello" in loose_texts("Sure:\\n*hello*")
    """
    lines = answer.split("\n")
    cut = [answer, *("\n".join(part).strip() for part in (lines[1:], lines[:-1], lines[1:-1]))]
    return cut + [text.replace("*", "") for text in cut]
