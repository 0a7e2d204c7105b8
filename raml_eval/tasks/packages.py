"""What to install when a task of lm-eval imports a package that is missing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import metadata

# The packages whose names differ from the modules that they bring.
PACKAGES = {
    "antlr4": "antlr4-python3-runtime",
    "bs4": "beautifulsoup4",
    "fugashi": "fugashi[unidic-lite]",
    "rouge_score": "rouge-score",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
NO_EXTRAS = ("dev", "tasks")  # collections of the others


def advice_for(error: BaseException, foreign: bool = False) -> str:
    """A sentence that says what to do about an error of a task: what to install if a package is missing or too new.

    foreign: the task came with an installed package, so that the user cannot correct it.

    Example: advice_for(ModuleNotFoundError(name="langdetect")) ends with "pip install 'lm-eval[ifeval]'."
    """
    for one in _causes(error):
        if isinstance(one, ModuleNotFoundError) and one.name:
            top = one.name.partition(".")[0]
            named = not foreign and f"Cannot import module '{one.name}'" in str(error)  # by a !function of the YAML itself
            return (f"Put {top}.py beside the YAML if it is the task's own. " if named else "") + _install(top)
        if isinstance(one, AssertionError) and "antlr4" in str(one):
            return f"Another version of antlr4-python3-runtime is installed. {_install('antlr4')}"
        if type(one) is LookupError and "nltk" in str(one):
            found = re.search(r"nltk\.download\('([\w.-]+)'\)", str(one))
            return f"Fetch the data of nltk: python -m nltk.downloader {found[1] if found else 'punkt_tab'}."
    return "It came with an installed package, so use another task or release of it." if foreign else "Correct the task."


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, the first cause first."""
    chain: list[BaseException] = []
    current: BaseException | None = error
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or current.__context__
    return reversed(chain)


def _install(module: str) -> str:
    package = PACKAGES.get(module, module)
    wanted, extra = _declared(package.partition("[")[0])
    if extra:
        return f"Install {wanted}: pip install 'lm-eval[{extra}]'."
    return f"Install what it imports: pip install '{wanted or package}'."


def _declared(package: str) -> tuple[str, str]:
    """What lm-eval's own metadata says of the package: the requirement, and the extra that holds it; empty if nothing."""
    try:
        lines = metadata.requires("lm_eval") or []
    except metadata.PackageNotFoundError:
        return "", ""
    for line in lines:
        requirement, _, marker = line.partition(";")
        name = re.match(r"[A-Za-z0-9_.-]+", requirement.strip())
        extra = re.search(r"""extra *== *["']([\w-]+)["']""", marker)
        if name and _same(name[0], package) and (extra is None or extra[1] not in NO_EXTRAS):
            return requirement.strip(), extra[1].replace("-", "_") if extra else ""
    return "", ""


def _same(one: str, other: str) -> bool:
    return re.sub(r"[-_.]+", "-", one).lower() == re.sub(r"[-_.]+", "-", other).lower()
