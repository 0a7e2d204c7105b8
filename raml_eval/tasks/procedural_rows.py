"""The process that generates the rows of procedural tasks. It alone of the harness imports reasoning-gym outside a sandbox."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from raml_eval.errors import near_names
from raml_eval.sandbox.rules.reasoning_gym import make_config, prepare, score

INSTALL = "Install it: pip install 'raml-eval[procedural]'."


ROW_LIMIT_S = 60


class Refused(Exception):
    """No rows can be generated. The text says why, and what to do."""


def write_rows(wanted: Mapping[str, Any]) -> None:
    """The last JSON line on standard output is {"rows": [...]}, or {"error": reason}; those before it are {"done": number}."""
    out, sys.stdout = sys.stdout, sys.stderr  # what generators print must not land in the reply

    def write(reply: Mapping[str, Any]) -> None:
        print(json.dumps(reply), file=out, flush=True)

    try:
        write({"rows": list(_told(make_rows(wanted), lambda done: write({"done": done})))})
    except Refused as refused:
        write({"error": str(refused)})


def _told(rows: Iterable[Any], tell: Callable[[int], None]) -> Iterator[Any]:
    """The rows; tell hears of their number about once a second."""
    told = time.monotonic()
    for done, row in enumerate(rows, 1):
        yield row
        if time.monotonic() - told >= 1:
            tell(done)
            told = time.monotonic()


def make_rows(wanted: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of wanted: generator, size, seed, settings (texts by name) and version. Raises Refused.

    A row that takes more than ROW_LIMIT_S is refused: the costs of some settings grow without bound (knights_knaves tries all
    2^n_people cases). Call it in the main thread of a process of its own, whose alarm it sets.
    """
    _check_version(wanted["version"])
    import reasoning_gym.factory

    kind, config_class = reasoning_gym.factory.DATASETS[wanted["generator"]]
    settings = read_settings(config_class, wanted["settings"])
    signal.signal(signal.SIGALRM, _too_long)
    try:
        dataset = kind(config=make_config(config_class, {**settings, "size": wanted["size"], "seed": wanted["seed"]}))
        for index in range(wanted["size"]):
            signal.alarm(ROW_LIMIT_S)
            row = _row(wanted["generator"], settings, dataset[index])
            signal.alarm(0)
            yield row
    except Refused:
        raise
    except _TooLong:
        raise Refused(f"a row takes more than {ROW_LIMIT_S} s under {json.dumps(settings)}. Ask for easier settings.") from None
    except Exception as error:
        said = " ".join(str(error).split()) or type(error).__name__
        raise Refused(f"the generator refuses {json.dumps(settings)}: {said}. Correct the parameters.") from error


class _TooLong(BaseException):
    """No Exception, since generators catch those and try again."""


def _too_long(*_signal: object) -> None:
    raise _TooLong


def _check_version(version: str) -> None:
    try:
        installed = importlib.metadata.version("reasoning-gym")
    except importlib.metadata.PackageNotFoundError:
        raise Refused(f"its rows come from the package reasoning-gym, which is not installed. {INSTALL}") from None
    if installed != version:
        raise Refused(f"its rows are those of reasoning-gym {version}, and {installed} is installed. {INSTALL}")


def _row(generator: str, settings: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    # str writes what JSON lacks (a fraction in metadata); tests show that every verdict on such a row stays the same.
    entry = json.loads(json.dumps(entry, default=str))
    question, answer = str(entry["question"]), str(entry["answer"])
    if not answer.strip():
        raise Refused("the answer to a row is the empty text, which no completion can be read to give. Change the settings.")
    tests = {"rule": "reasoning_gym", "read": "answer", "generator": generator, "config": settings, "entry": entry}
    prepare(tests)
    share, detail = score(tests, answer)
    if share != 1:
        raise Refused(
            f"the generator's own answer {answer[:60]!r} is not right by its verifier ({detail}). Change the settings."
        )
    digest = hashlib.sha256(question.encode()).hexdigest()[:16]
    return {"question": question, "answer": answer, "tests": json.dumps(tests), "cluster": digest}


def read_settings(config_class: Any, given: Mapping[str, str]) -> dict[str, Any]:
    """The generator's settings as JSON values of the types of their defaults. Raises Refused for others.

    A list is JSON, or its parts with semicolons between them.
    """
    defaults = config_class()
    known = [field.name for field in dataclasses.fields(config_class) if field.name not in ("size", "seed")]
    settings = {}
    for name, text in given.items():
        if name not in known:
            near = near_names(name, known)
            raise Refused(f"it has no parameter {name!r}.{near} Its parameters are size, seed, {', '.join(known)}.")
        settings[name] = _read_value(name, text, getattr(defaults, name))
    return settings


def _read_value(name: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        if isinstance(default, int | float):
            return type(default)(text)
        if type(default) is str:
            return text
        if isinstance(default, list | tuple):
            return _read_list(text, default)
        if default is None:
            return json.loads(text) if text[:1] in "[0123456789-tfn" else text
    except (ValueError, KeyError):
        pass
    else:
        raise Refused(f"the parameter {name} is a {type(default).__name__}, which cannot be written in a name; leave it out.")
    raise Refused(f"the parameter {name} is {text!r}; wanted a value like its default, {default!r}.")


def _read_list(text: str, default: Any) -> list[Any]:
    if text.startswith("["):
        return list(json.loads(text))
    plain = [part for part in default if type(part) in (int, float, str)]
    kind = type(plain[0]) if plain else str
    return [kind(part) for part in text.split(";")]
