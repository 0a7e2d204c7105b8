"""The first process of a program's sandbox. It starts the program anew for each test and never learns what is expected.

It is process 1 of its own process namespace, so that nothing in there can signal it, and one kill(-1) leaves nothing of a
test behind. The program runs in forks of it, under resource limits and another user id.
"""

from __future__ import annotations

import builtins
import contextlib
import fcntl
import importlib
import json
import os
import re
import sys
import time
import types
from _sitebuiltins import Quitter
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from raml_eval.sandbox.inside.children import Settings, confine, sweep, wipe
from raml_eval.sandbox.inside.plain import read_message, write_message
from raml_eval.sandbox.inside.privileges import hide_from_tracers, reap_orphans
from raml_eval.sandbox.inside.serve import serve


def main(settings_text: str) -> None:
    """The tester's orders have been carried out until it hung up. Then this process and everything in the sandbox end."""
    settings = json.loads(settings_text)
    hide_from_tracers()
    if not settings["alone"]:
        reap_orphans()
    os.umask(0)
    for name in ("exit", "quit"):  # normally made by Python's site module, which is not loaded here
        setattr(builtins, name, Quitter(name, "Ctrl-D"))
    write_message(settings["control"], {"ready": True})
    while (order := read_message(settings["control"])) is not None:
        _import_ahead(order)
        carry_out = _serve if order["do"] == "serve" else _run_script
        write_message(settings["control"], carry_out(order, settings))


def _import_ahead(order: Mapping[str, Any]) -> None:
    """The modules that the prefix imports, and numpy if it is named, are imported here once for all tests."""
    wanted = set(re.findall(r"^(?:from|import) (\w+)", order["prefix"], re.MULTILINE)) & sys.stdlib_module_names
    if any("numpy" in source for source in order["sources"]):
        wanted.add("numpy")
    for name in sorted(wanted):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _run_script(order: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The program ran as a script, with the text on its standard input: how it ended, and what it wrote."""
    files = [_anonymous_file(settings) for _ in range(3)]
    _write_all(files[0], order["stdin"].encode())
    os.lseek(files[0], 0, os.SEEK_SET)

    def work() -> None:
        _execute(order["sources"], "__main__")

    ended = _run_child(work, files, settings, cpu_s=settings["limits"]["cpu_s"])
    ended["stdout"] = _read_back(files[1], settings["limits"]["file_bytes"])
    ended["error"] = _last_line(_read_back(files[2], 1 << 16))
    for file in files:
        os.close(file)
    wipe(settings)
    return ended


def _serve(order: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """The program was loaded, and answered calls on the socket until either side ended: how it ended."""
    files = [os.open(os.devnull, os.O_RDWR) for _ in range(2)] + [_anonymous_file(settings)]

    def work() -> None:
        serve(3, lambda: _execute(order["sources"], "solution"))

    ended = _run_child(work, files, settings, cpu_s=order["cpu_s"], keep=settings["calls"])
    ended["error"] = _last_line(_read_back(files[2], 1 << 16))
    return ended


def _run_child(
    work: Callable[[], None], files: list[int], settings: Settings, cpu_s: int, keep: int | None = None
) -> dict[str, Any]:
    """work() ran in a fork with files as its standard streams, and nothing that it started is left."""
    child = os.fork()
    if child == 0:
        _conclude(lambda: _enter(work, files, settings, cpu_s, keep))
    if keep is not None:
        os.close(keep)  # so that the tester sees the end of the socket as soon as the program is gone
    _, status, usage = os.wait4(child, 0)
    sweep(child, settings)
    return {
        "exit": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "cpu_s": usage.ru_utime + usage.ru_stime,
    }


def _enter(work: Callable[[], None], files: list[int], settings: Settings, cpu_s: int, keep: int | None) -> None:
    os.setsid()
    kept = [] if keep is None else [fcntl.fcntl(keep, fcntl.F_DUPFD, 100)]  # above the numbers that are used below
    for number, file in enumerate([*files, *kept]):
        os.dup2(file, number, inheritable=number < 3)
    os.closerange(3 + len(kept), 1024)
    confine(settings, cpu_s)
    work()


def _execute(sources: list[str], name: str) -> dict[str, Any]:
    """The sources ran one after the other as one module. Returns its namespace."""
    module = types.ModuleType(name)
    sys.modules[name] = module
    for number, source in enumerate(sources):
        # dont_inherit: the program must not get this file's __future__ flags.
        exec(compile(source, f"<part {number}>", "exec", dont_inherit=True), module.__dict__)
    return module.__dict__


def _conclude(work: Callable[[], None]) -> NoReturn:
    """work() ran, and this process ends as an interpreter would after a script, but without its slow clean-up."""
    code = 1
    try:
        work()
        code = 0
    except SystemExit as stopped:
        code = stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    except BaseException as error:
        with contextlib.suppress(BaseException):
            text = " ".join(f"{type(error).__name__}: {error}"[:2000].split())
            os.write(2, f"\n{text}".encode("utf-8", "replace"))
    try:
        threading = sys.modules.get("threading")
        if threading is not None:
            threading._shutdown()  # waits for threads that are not daemons
        import atexit

        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        code = code or 120
    os._exit(code & 0xFF)


def _anonymous_file(settings: Settings) -> int:
    """An open file without a name, which the program may open again as /dev/stdin."""
    name = f".{os.getpid()}-{time.monotonic_ns()}"
    path = os.path.join(settings["folders"][0], name)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    os.unlink(path)
    return fd


def _write_all(fd: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(fd, left) :]


def _read_back(fd: int, largest: int) -> str:
    size = min(os.fstat(fd).st_size, largest)
    return os.pread(fd, size, 0).decode("utf-8", "replace")


def _last_line(text: str) -> str:
    return text.strip().rpartition("\n")[2][:300]
