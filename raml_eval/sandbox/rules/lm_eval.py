"""The graders of lm-eval's own tasks: a task's filters and process_results, applied to one response.

The task is built from its YAML with the one row at hand in place of its data set, so nothing is downloaded. What its pipelines
report beside the primary (filter, metric) pair stands in the detail.
"""

from __future__ import annotations

import contextlib
import math
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PROBES = ("0", "A", "yes", "The answer is 7.", "#### 7", "\\boxed{7}", "[1, 2]", "{}")

_built: dict[str, Any] = {}  # the tasks of this process by the paths of their YAML


def prepare(tests: Mapping[str, Any]) -> None:
    """The task of these tests is built. Raises what lm-eval raises for a YAML that it cannot build."""
    _task(tests)


def score(tests: Mapping[str, Any], answer: str) -> tuple[float, str]:
    """The value of the primary metric for the answer to tests["doc"], and every value that lm-eval reports.

    tests: path (the YAML's, relative to lm_eval's folder), task, doc (the row after process_docs), filter and metric (the
    primary pair), and multiple_target (how many targets lm-eval found in the data set's first row). Raises ValueError for a
    primary value that is no number in [0, 1].
    """
    prepare(tests)
    try:
        values = evaluate(tests, answer)
    except MemoryError:
        raise
    except Exception as error:
        if _blames_task(error) or _fails_on_all(tests):
            raise
        return 0.0, f"lm-eval's process_results failed on the answer with {type(error).__name__}: {error}"
    pair = tests["filter"], tests["metric"]
    if pair not in values:
        known = ", ".join(f"({name}, {metric})" for name, metric in values)
        raise ValueError(f"lm-eval reports no {pair[1]} under the filter {pair[0]}, but {known}")
    share = as_share(values[pair])
    if share is None:
        raise ValueError(f"{pair[1]} under the filter {pair[0]} is {values[pair]!r}, wanted a number from 0 to 1")
    others = [f"{name} {metric}={_short(value)}" for (name, metric), value in values.items() if (name, metric) != pair]
    return share, "; ".join([f"{pair[0]} {pair[1]}={share:.6g}", *others])


def evaluate(tests: Mapping[str, Any], answer: str) -> dict[tuple[str, str], Any]:
    """Every (filter, metric) -> value that lm-eval reports for one response."""
    from lm_eval.api.instance import Instance

    doc = tests["doc"]
    task = _task(tests)
    task.multiple_target = tests.get("multiple_target", 0)
    seed_graders()
    values: dict[tuple[str, str], Any] = {}
    for pipeline in task._filters:
        instance = Instance("generate_until", doc, ("", {}), 0, (tests["task"], 0, 1), resps=[answer])
        pipeline.apply([instance])
        reported = task.process_results(doc, [instance.filtered_resps[pipeline.name]])
        values |= {(pipeline.name, str(metric)): value for metric, value in reported.items()}
    return values


def _blames_task(error: Exception) -> bool:
    """Whether the task, its row or its installation is at fault; whatever else its functions raise is about the answer."""
    if type(error) is LookupError or type(error).__module__.startswith("jinja2"):  # nltk raises a bare one for data it lacks
        return True
    return isinstance(error, ImportError | NameError | AttributeError | OSError | KeyError)


def _fails_on_all(tests: Mapping[str, Any]) -> bool:
    """Whether the task's functions fail on answers of every kind, the row's own texts among them: then the row is at fault."""
    own = [text for value in tests["doc"].values() for text in (value if isinstance(value, list) else [value])]
    for probe in (*PROBES, *(str(text) for text in own if isinstance(text, str | int | float))):
        try:
            evaluate(tests, probe)
            return False
        except Exception:
            continue
    return True


def seed_graders() -> None:
    """What graders draw from is seeded: for ifeval, langdetect names the language of a text, which is a draw on short ones."""
    random.seed(0)
    if "langdetect" in sys.modules:
        sys.modules["langdetect"].DetectorFactory.seed = 0


def as_share(value: Any) -> float | None:
    """The value as a float if it is a number from 0 to 1; None otherwise."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and 0 <= number <= 1 else None


def _short(value: Any) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(_short(one) for one in value) + "]"
    share = as_share(value)
    return f"{share:.6g}" if share is not None else str(value)[:40]


class _OneDoc(list[Any]):
    """One row in the shape of a data set split."""

    def __init__(self, doc: Mapping[str, Any]) -> None:
        super().__init__([doc])
        self.features = dict.fromkeys(doc)


def _task(tests: Mapping[str, Any]) -> Any:
    """lm-eval's task from its YAML, without its data, its examples and its own choice of rows; built once in a process."""
    path, name = tests["path"], tests["task"]
    if path not in _built:
        _built[path] = _build(path, name, _OneDoc(tests["doc"]))
    return _built[path]


def _build(path: str, name: str, rows: _OneDoc) -> Any:
    import lm_eval
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks._yaml_loader import load_yaml

    without_downloads()
    config = load_yaml(Path(lm_eval.__file__).parent / path)
    unused = {"dataset_path", "dataset_name", "dataset_kwargs", "process_docs", "training_split", "validation_split", "tag"}
    unused |= {"fewshot_split", "fewshot_config", "num_fewshot", "task_list", "group"}
    kept = {key: value for key, value in config.items() if key not in unused}
    return ConfigurableTask(config={**kept, "task": name, "test_split": "test", "custom_dataset": lambda **_: {"test": rows}})


def without_downloads() -> None:
    """nltk downloads nothing from now on in this process; some of lm-eval's modules would, when they are imported.

    It looks for its data beside the installed packages, too, because a sandbox sees no other folder.
    """
    with contextlib.suppress(ImportError):
        import nltk

        nltk.download = lambda *_, **__: False
        nltk.data.path[:] = dict.fromkeys([*nltk.data.path, *(f"{entry}/nltk_data" for entry in sys.path)])
