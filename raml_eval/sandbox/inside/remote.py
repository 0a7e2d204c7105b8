"""The tester's view of the program: functions that run in the other sandbox, and objects that stay there."""

from __future__ import annotations

import builtins
import signal
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, NoReturn

from raml_eval.sandbox.inside.plain import LONGEST_RANGE, NotPlain, decode, encode, read_message, write_message

LARGEST_REPLY = 8 << 20


class ProgramEnded(BaseException):
    """The program is gone. This is not an Exception, so that no test can take it for an error that it expects."""


class ProgramError(Exception):
    """The program raised an exception of a type that is not built in."""


class UnfitArgument(BaseException):
    """A test passes something that cannot be sent to the program."""


class Program:
    """The program in the other sandbox. n_calls counts its calls; last_call and last_value belong to the last one."""

    def __init__(self, control: int, calls: int, limits: Mapping[str, Any]) -> None:
        self._control, self._calls, self._limits = control, calls, limits
        self._objects: dict[int, RemoteObject] = {}
        self.n_calls = 0
        self.last_call = ""
        self.last_value: Any = None
        self.doubt = ""  # how the program ended, if somebody else may have ended it: "lost" or "killed"

    def started(self) -> bool:
        """True if the program's sandbox has come up."""
        return read_message(self._control) == {"ready": True}

    def run_script(self, job: Mapping[str, Any], stdin: str) -> dict[str, Any]:
        """How the program ended as a script with that standard input: exit, signal, cpu_s, stdout, error."""
        write_message(self._control, {"do": "script", **_part(job), "stdin": stdin})
        return read_message(self._control) or {"lost": True}

    def load(self, job: Mapping[str, Any]) -> None:
        """The program is ready to be called. Raises what it raises, ProgramEnded if it ends."""
        cpu_s = self._limits["cpu_s"] * len(job["tests"])  # one process serves all tests; the clock holds each to its share
        write_message(self._control, {"do": "serve", **_part(job), "cpu_s": cpu_s})
        self._read_reply()

    def ask(self, request: dict[str, Any], args: tuple[Any, ...], kwargs: Mapping[str, Any] | None = None) -> Any:
        """The value that the program answers with. Arguments that it changed in place are changed here too."""
        request["args"] = [encode(arg, _argument) for arg in args]
        if kwargs is not None:
            request["kwargs"] = encode(dict(kwargs), _argument)
        try:
            write_message(self._calls, request)
        except OSError:
            self._raise_end()
        reply = self._read_reply()
        for arg, changed in zip(args, reply.get("args") or (), strict=False):
            if changed is not None:
                _change(arg, decode(changed, self._refer))
        return decode(reply.get("value"), self._refer)

    def _read_reply(self) -> dict[str, Any]:
        try:
            reply = read_message(self._calls, LARGEST_REPLY)
        except OSError:
            reply = None
        if reply is None:
            self._raise_end()
        if "error" in reply:
            raise _rebuild(reply["error"])
        return reply

    def _raise_end(self) -> NoReturn:
        raise ProgramEnded(self.describe_end(read_message(self._control) or {"lost": True}) or "it ended with exit code 0")

    def describe_end(self, ended: Mapping[str, Any]) -> str:
        """How the program ended, in a few words; empty for exit code 0."""
        if ended.get("lost"):
            self.doubt = "lost"
            return "its sandbox ended"
        if ended["signal"] is None:
            how = f"exit code {ended['exit']}" if ended["exit"] else ""
            return f"{how}: {ended['error']}" if how and ended["error"] else how
        name = signal.Signals(ended["signal"]).name
        if ended["signal"] == signal.SIGXCPU or ended["cpu_s"] >= self._limits["cpu_s"]:
            return f"used up its {self._limits['cpu_s']} s of CPU time"
        if ended["signal"] == signal.SIGKILL:
            self.doubt = "killed"
        return f"ended by {name}"

    def _refer(self, tag: str, content: Any) -> RemoteObject:
        if tag != "o" or not isinstance(content, list) or len(content) != 3 or not isinstance(content[0], int):
            raise NotPlain("no plain data")
        number, kind, truth = content
        if number not in self._objects:
            self._objects[number] = RemoteObject(self, number, str(kind)[:50], truth)
        return self._objects[number]


def _part(job: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a job that the program's sandbox may know: never its tests."""
    return {"sources": job["sources"], "prefix": job["prefix"]}


class Function:
    """A function of the program, called there. If method is true, it is looked for in the class Solution first."""

    def __init__(self, program: Program, name: str, method: bool = False) -> None:
        self._program, self._name, self._method = program, name, method

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        program = self._program
        program.n_calls += 1
        program.last_call = ""
        value = program.ask({"do": "call", "name": self._name, "method": self._method}, args, kwargs)
        program.last_call, program.last_value = self._name, value
        return value


class RemoteObject:
    """A result that is not plain data. It equals nothing but itself, whatever its class says in the program."""

    __slots__ = ("_kind", "_number", "_program", "_truth")

    def __init__(self, program: Program, number: int, kind: str, truth: bool | None) -> None:
        for name, value in (("_program", program), ("_number", number), ("_kind", kind), ("_truth", truth)):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        return f"<{self._kind}>"

    def __bool__(self) -> bool:
        if self._truth is None:
            raise ValueError(f"the truth value of this {self._kind} is ambiguous")
        return bool(self._truth)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._ask("getattr", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("setattr", name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._program.ask({"do": "call", "object": self._number}, args, kwargs)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._ask("iterate"))

    def __len__(self) -> int:
        return int(self._ask("length"))

    def __getitem__(self, key: Any) -> Any:
        return self._ask("getitem", key)

    def _ask(self, do: str, *args: Any) -> Any:
        return self._program.ask({"do": do, "object": self._number}, args)


def _argument(value: Any) -> dict[str, Any]:
    """A test's argument that is not plain data: an object of the program, or an iterator, whose items are read here."""
    if isinstance(value, RemoteObject):
        return {"o": value._number}
    if hasattr(value, "__next__"):
        items = list(islice(value, LONGEST_RANGE + 1))
        if len(items) <= LONGEST_RANGE:
            return {"n": [encode(item, _argument) for item in items]}
    raise UnfitArgument(f"a test passes a {type(value).__name__} to the program; only plain data can go there")


def _change(arg: Any, new: Any) -> None:
    if type(new) is not type(arg):
        return
    if isinstance(arg, (list, bytearray)):
        arg[:] = new
    elif isinstance(arg, (dict, set)):
        arg.clear()
        arg.update(new)


def _rebuild(error: Any) -> Exception:
    """The program's exception, as the built-in type of that name if there is one."""
    if not isinstance(error, list) or len(error) != 2:
        raise NotPlain("no error")
    name, text = str(error[0])[:100], str(error[1])[:1000]
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            return kind(text)
        except TypeError:  # some types, such as UnicodeDecodeError, need more arguments
            pass
    return ProgramError(f"{name}: {text}" if text else name)
