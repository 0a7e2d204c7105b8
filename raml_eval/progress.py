"""Shows the progress of long work as one live line on stderr, and times each part of the work."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import TextIO

from raml_eval.wording import count_noun, one_line, visible

_ESTIMATE_S = 10.0


class SoFar:
    """The share of right samples among those that are there, by budget, while others are missing.

    planned is the number of samples that each budget will have. Short thinking finishes first, and it is right more often, so
    the shares are no estimates of the finished run's, and the text says so.
    """

    def __init__(self, planned: Mapping[str, int]) -> None:
        self._planned = dict(planned)
        self._right: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()

    def count(self, budget: str, right: bool) -> None:
        """One more sample is there."""
        self._seen[budget] += 1
        self._right[budget] += right

    def text(self) -> str:
        """The shares and what is missing; empty if nothing is there, or nothing is missing.

        For example: so far, biased toward short answers: budget 1024: 61 % of 120 samples right, 280 missing
        """
        n_missing = sum(max(0, planned - self._seen[budget]) for budget, planned in self._planned.items())
        if not n_missing or not self._seen.total():
            return ""
        return f"so far, biased toward short answers: {'; '.join(map(self._of, self._planned))}"

    def _of(self, budget: str) -> str:
        seen, missing = self._seen[budget], max(0, self._planned[budget] - self._seen[budget])
        share = f"{100 * self._right[budget] / seen:.0f} % of {count_noun(seen, 'sample')} right" if seen else "no sample"
        return f"budget {budget}: {share}, {missing:,} missing"


class Progress:
    """Counts what is finished and shows it: one live line on a terminal, otherwise a new line every ten seconds.

    With so_far, a line every ten seconds says what is there so far, and how it is biased.
    """

    def __init__(
        self,
        total: int,
        done: int = 0,
        stream: TextIO | None = None,
        quiet: bool = False,
        noun: str = "samples",
        about: str = "",
        so_far: SoFar | None = None,
    ) -> None:
        self.total, self.done, self.errors, self.tokens = total, done, 0, 0
        self._skipped, self._noun, self._about = done, noun, about
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._every = 0.2 if self._live else 10.0
        self._quiet = quiet
        self.so_far = so_far
        self._started = self._shown = self._estimated = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """The line is shown for the last time."""
        self._show(last=True)
        self._estimate()

    def advance(self, samples: int = 0, tokens: int = 0, errors: int = 0) -> None:
        """The samples, tokens and errors are added to the totals, and the line is shown if it is due."""
        self.done += samples
        self.tokens += tokens
        self.errors += errors
        if time.monotonic() - self._shown >= self._every:
            self._show()
        if time.monotonic() - self._estimated >= _ESTIMATE_S:
            self._estimate()

    def _estimate(self) -> None:
        self._estimated = time.monotonic()
        if self.so_far is not None and (text := self.so_far.text()):
            self.tell(text)

    def tell(self, text: str) -> None:
        """A line of its own says something about the work so far."""
        if not self._quiet:
            start = "\r\x1b[2K" if self._live else ""
            print(f"{start}{visible(text)}", file=self._stream, flush=True)

    def line(self) -> str:
        """The line, as it would be shown now."""
        if self.done == self._skipped == self.total:
            return f"{one_line(self._about)}{self.done:,}/{self.total:,} {self._noun} · all stored before"
        elapsed = max(time.monotonic() - self._started, 1e-9)
        rate = (self.done - self._skipped) / elapsed
        left = f"{_clock((self.total - self.done) / rate)} left" if rate > 0 else "no estimate yet"
        words = [
            f"{self.done:,}/{self.total:,} {self._noun}",
            f"{rate:,.1f} {self._noun}/s",
            *([f"{self.tokens / elapsed:,.0f} tokens/s"] if self.tokens else []),
            left if self.done < self.total else f"in {_clock(elapsed)}",
        ]
        return one_line(self._about) + " · ".join(words + ([f"{self.errors} failed"] if self.errors else []))

    def _show(self, last: bool = False) -> None:
        self._shown = time.monotonic()
        if self._quiet:
            return
        start, end = ("\r\x1b[2K", "\n" if last else "") if self._live else ("", "\n")
        print(f"{start}{self.line()}", end=end, file=self._stream, flush=True)


_NOTED: ContextVar[set[str] | None] = ContextVar("_NOTED", default=None)


@contextmanager
def notes_once() -> Iterator[None]:
    """Inside, a note that was given before is not repeated, as by the next of many runs."""
    token = _NOTED.set(set())
    try:
        yield
    finally:
        _NOTED.reset(token)


def note(text: str) -> None:
    """The text stands on stderr as a note on a line of its own, even while a live line is shown there."""
    noted = _NOTED.get()
    if noted is not None:
        if text in noted:
            return
        noted.add(text)
    start = "\r\x1b[2K" if sys.stderr.isatty() else ""
    print(f"{start}note: {one_line(text)}", file=sys.stderr, flush=True)


class Stopwatch:
    """The wall-clock seconds of each part of a piece of work.

    Example: with watch("engine"): ... adds to watch.seconds["engine"]
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[part] = round(self.seconds.get(part, 0.0) + time.monotonic() - started, 3)


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
