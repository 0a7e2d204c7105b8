"""raml_eval: evaluation of reasoning language models under exact thinking budgets, with error bars.

    run = raml_eval.evaluate(model="path", tasks="gsm8k", thinking_budget=[256, 1024], samples=8, out="runs/mine")
    run.table()                                     # a tidy pandas frame, one row per number
    raml_eval.load_run("runs/mine")                 # the same from the disk
    raml_eval.grade("1/2", r"so \\boxed{0.5}").correct
    raml_eval.metrics.g_pass_at_k(n=8, c=6, k=4, tau=0.5)

Everything is imported on first use, so that `import raml_eval` costs nothing.
"""

from importlib import import_module
from typing import Any

_EXPORTS = {
    "evaluate": "raml_eval.api",
    "load_run": "raml_eval.tables",
    "grade": "raml_eval.grading",
}
_MODULES = ("metrics",)

__all__ = ["evaluate", "grade", "load_run", "metrics"]


def __getattr__(name: str) -> Any:
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    if name in _MODULES:
        return import_module(f"raml_eval.{name}")
    raise AttributeError(f"module 'raml_eval' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
