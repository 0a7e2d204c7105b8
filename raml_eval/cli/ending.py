"""How a command ends: by its work, an error, a signal or a closed pipe, each with its exit code and at most one line."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, TextIO, TypeVar, cast

import typer

from raml_eval.exits import ExitCode
from raml_eval.wording import disarm_terminal, one_line, visible

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG}
Result = TypeVar("Result")
_UsageError: Any = typer.BadParameter.__base__  # typer brings its own click, or uses the installed one


class _Termination:
    """Whether SIGTERM has arrived."""

    arrived = False


def run_app(app: typer.Typer) -> int:
    """The exit code of the command in sys.argv, which has run to its end. What the user must know is on stderr.

    SystemExit passes, because only a library that ends the process on purpose raises it.
    """
    with _watched_output(), _terminable() as termination:
        try:
            code = _invoke(app)
            sys.stdout.flush()
            sys.stderr.flush()
            return code
        except SystemExit:
            raise
        except BaseException as error:
            return _explain(error, termination)


@contextlib.contextmanager
def stopping(note: str) -> Iterator[None]:
    """If SIGINT or SIGTERM ends the work inside, the line that the command ends with says the note."""
    try:
        yield
    except BaseException as error:
        if _is_interrupt(error):
            error.add_note(note)
        raise


def _is_interrupt(error: BaseException) -> bool:
    """True for what SIGINT and SIGTERM raise.

    asyncio.run raises CancelledError in place of KeyboardInterrupt if the task was cancelled twice, as a group of tasks does it
    whose members end while they are interrupted.
    """
    return isinstance(error, KeyboardInterrupt) or type(error).__name__ == "CancelledError"


def _invoke(app: typer.Typer) -> int:
    """As app(), but every exception passes: click would turn Ctrl-C and a closed pipe into exit code 1."""
    command = typer.main.get_command(app)
    _check_folder()
    try:
        with command.make_context("raml-eval", sys.argv[1:]) as context:
            command.invoke(context)
    except typer.Exit as leaving:
        return leaving.exit_code
    return ExitCode.DONE


def _check_folder() -> None:
    """Raises ConfigError if the current directory was deleted, because no relative path can be read then."""
    try:
        os.getcwd()
    except OSError as error:
        from raml_eval.errors import ConfigError

        raise ConfigError(
            f"the current directory cannot be read: {error.strerror}. Change to another one, and run again."
        ) from None


def _explain(error: BaseException, termination: _Termination) -> int:
    """The exit code that says how the error ended the command; what it means is printed."""
    from raml_eval.errors import GaveUp, RamlError

    if termination.arrived or _is_interrupt(error):
        word = "terminated" if termination.arrived else "interrupted"
        _say("\n" + one_line("; ".join((word, *getattr(error, "__notes__", ())))))
        return ExitCode.TERMINATED if termination.arrived else ExitCode.INTERRUPTED
    if isinstance(error, RamlError):
        _say(f"error: {one_line(str(error))}")
        return ExitCode.OWED if isinstance(error, GaveUp) else ExitCode.UNUSABLE
    if isinstance(error, _UsageError):
        _say(_describe_usage(error))
        return ExitCode.UNUSABLE
    if isinstance(error, OSError) and (code := _explain_output(error)):
        return code
    import traceback

    _say(visible("".join(traceback.format_exception(error)).rstrip()))
    told = " ".join(one_line(f"{type(error).__name__}: {error}").split())
    _say(f"error: this is a bug in raml-eval, not in what it was given ({told}). Please report it with the lines above.")
    return ExitCode.CRASH


def _describe_usage(error: Any) -> str:
    """The error in one line, with the help to look at; the help itself if a command was named without any argument."""
    text = str(error.format_message())
    if type(error).__name__ == "NoArgsIsHelpError":
        return text
    line = " ".join(one_line(text).split()).rstrip(".")
    path = "raml-eval" if error.ctx is None else error.ctx.command_path
    return f"error: {line}{'' if line.endswith('?') else '.'} See {path} --help."


def _explain_output(error: OSError) -> ExitCode | None:
    """The exit code for output that cannot be written; None if the error has another cause."""
    for name, stream in (("standard output", sys.stdout), ("standard error", sys.stderr)):
        if not isinstance(stream, _Output) or stream.failure is not error:
            continue
        if error.errno == errno.EPIPE:
            return ExitCode.CLOSED_PIPE
        _say(f"error: cannot write {name}: {error.strerror}. Send it to a place with room.")
        return ExitCode.UNUSABLE
    if error.errno not in _FULL:
        return None
    place = one_line(str(error.filename or "a file"))
    _say(f"error: cannot write {place}: {error.strerror}. Make room, or choose another place.")
    return ExitCode.UNUSABLE


def _say(text: str) -> None:
    with contextlib.suppress(OSError):  # the exit code still tells those who cannot read it
        print(text, file=sys.stderr, flush=True)


class _Output:
    """A stream that keeps the error with which it could not be written. Everything else is the stream's.

    If disarmed is true, what is written cannot steer a terminal, whoever wrote it: a model, a task or a file.
    """

    def __init__(self, stream: TextIO, disarmed: bool = False) -> None:
        self._stream, self._disarmed = stream, disarmed
        self.failure: OSError | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        safe = disarm_terminal(text) if self._disarmed else text
        self._try(lambda: self._stream.write(safe))
        return len(text)

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, act: Callable[[], Result]) -> Result:
        try:
            return act()
        except OSError as error:
            self.failure = error
            raise

    def drop(self) -> None:
        """What could not be written is dropped. At exit, Python would try once more, and end with exit code 120."""
        with contextlib.suppress(OSError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)


@contextlib.contextmanager
def _watched_output() -> Iterator[None]:
    """Inside, stdout and stderr are watched. A character that their encoding lacks is written as an escape.

    If one was closed before the start, as by >&-, what is written to it is dropped.
    """
    before = sys.stdout, sys.stderr
    with open(os.devnull, "w", encoding="utf-8") as null:
        # Progress and engines steer the terminal through stderr; nothing of ours steers it through stdout.
        outputs = [_Output(stream or null, disarmed) for stream, disarmed in zip(before, (True, False), strict=True)]
        for output in outputs:
            if hasattr(output, "reconfigure"):
                output.reconfigure(errors="backslashreplace")
        sys.stdout, sys.stderr = cast(list[TextIO], outputs)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before
            for output in outputs:
                if output.failure is not None:
                    output.drop()


@contextlib.contextmanager
def _terminable() -> Iterator[_Termination]:
    """Inside, the first SIGTERM ends the work as Ctrl-C would, so that everything is closed; later ones change nothing.

    It is passed to the handler of SIGINT, which asyncio replaces by one that cancels its main task. A forked child has no
    such work, and SIGTERM ends it at once.
    """
    termination, owner = _Termination(), os.getpid()

    def stop(number: int, frame: FrameType | None) -> None:
        if os.getpid() != owner:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if termination.arrived:
            return
        termination.arrived = True
        handler = signal.getsignal(signal.SIGINT)
        (handler if callable(handler) else signal.default_int_handler)(signal.SIGINT, frame)

    if threading.current_thread() is not threading.main_thread():
        yield termination
        return
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with _blocked_if_ignored():
            yield termination
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


@contextlib.contextmanager
def _blocked_if_ignored() -> Iterator[None]:
    """If SIGINT is ignored, as in a background job of a shell, it is blocked inside instead.

    asyncio leaves a SIGINT that is ignored alone, and SIGTERM would then have no handler that cancels its main task.
    """
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
