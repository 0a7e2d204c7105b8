"""The program's side of calls from its tester. It runs in the program's own process, so nothing it says is trusted."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from raml_eval.sandbox.inside.plain import LONGEST_RANGE, decode, encode, read_message, write_message


def serve(calls: int, load: Callable[[], dict[str, Any]]) -> None:
    """The program was loaded, and the tester's requests were answered until it hung up."""
    objects = Objects()
    namespace: dict[str, Any] = {}
    try:
        namespace = load()
        reply: dict[str, Any] = {"value": None}
    except Exception as error:
        reply = _failure(error)
    while True:
        write_message(calls, reply)
        request = read_message(calls)
        if request is None:
            return
        try:
            reply = _answer(request, namespace, objects)
        except Exception as error:
            reply = _failure(error)


class Objects:
    """The results that are not plain data. They stay here, and the tester knows them by number."""

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self._numbers: dict[int, int] = {}

    def keep(self, value: Any) -> dict[str, Any]:
        number = self._numbers.setdefault(id(value), len(self.kept))
        if number == len(self.kept):
            self.kept.append(value)
        try:
            truth = bool(value)
        except Exception:
            truth = None
        return {"o": [number, type(value).__name__, truth]}

    def refer(self, tag: str, content: Any) -> Any:
        return self.kept[content]


def _failure(error: Exception) -> dict[str, Any]:
    try:
        text = str(error)[:1000]
    except Exception:
        text = ""
    return {"error": [type(error).__name__, text]}


def _answer(request: dict[str, Any], namespace: dict[str, Any], objects: Objects) -> dict[str, Any]:
    do, args = request["do"], decode(request.get("args", []), objects.refer)
    if do == "call":
        kwargs = decode(request["kwargs"], objects.refer)
        value = _find(request, namespace, objects)(*args, **kwargs)
        changed = [encode(arg, objects.keep) if isinstance(arg, (list, dict, set, bytearray)) else None for arg in args]
        same = [None if new == old else new for new, old in zip(changed, request["args"], strict=True)]
        return {"value": encode(value, objects.keep), "args": same}
    target = objects.kept[request["object"]]
    if do == "getattr":
        return {"value": encode(getattr(target, args[0]), objects.keep)}
    if do == "setattr":
        setattr(target, args[0], args[1])
        return {"value": None}
    if do == "iterate":
        return {"value": encode(list(islice(iter(target), LONGEST_RANGE)), objects.keep)}
    return {"value": encode(target[args[0]] if do == "getitem" else len(target), objects.keep)}


def _find(request: dict[str, Any], namespace: dict[str, Any], objects: Objects) -> Any:
    """The function that is called: a kept object, a name of the program, or a method of its class Solution."""
    if "object" in request:
        return objects.kept[request["object"]]
    name = request["name"]
    if request.get("method") and "Solution" in namespace:
        if "<solution>" not in namespace:
            namespace["<solution>"] = namespace["Solution"]()
        return getattr(namespace["<solution>"], name)
    if name not in namespace:
        raise NameError(f"name {name!r} is not defined")
    return namespace[name]
