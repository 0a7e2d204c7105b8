"""The loop of `raml-eval watch`: looks for whole checkpoints, evaluates one after another, and keeps the history."""

from __future__ import annotations

import asyncio
import datetime
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from raml_eval.backends import open_backend
from raml_eval.checkpoint import find_checkpoint
from raml_eval.engines import Engines
from raml_eval.errors import ConfigError, GenerationError, MetricError, ModelError
from raml_eval.matrix import Cell, step_of_name
from raml_eval.progress import notes_once
from raml_eval.protocols import Backend
from raml_eval.session import check_run, run_session
from raml_eval.store import read_manifest
from raml_eval.tables import load_run, missing_samples
from raml_eval.types import StoredRun
from raml_eval.watch.alarm import Alarm, Verdict
from raml_eval.watch.arrivals import Arrival, Arrivals, State, find_problem, stamp_of, written_since
from raml_eval.watch.headline import headline_numbers, headline_text
from raml_eval.watch.history import BROKEN, DONE, GONE, OWED, SKIPPED, History
from raml_eval.wording import count_noun, list_some, one_line

TRIES = 3  # of a checkpoint whose samples fail, whose engine does not start, or whose files change while it is evaluated


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """What is watched, in which order, and until when. Times are in seconds.

    With max_behind, a checkpoint that more than so many whole ones are newer than is skipped, unless it was begun. With
    until_step, the watch ends when a checkpoint of that step or a later one is settled and no other can be; with idle_timeout,
    when nothing has happened for so long. retry tries those again that were broken or owed samples.
    """

    arrivals: Arrivals
    order: Literal["newest", "oldest"] = "newest"
    max_behind: int | None = None
    until_step: int | None = None
    idle_timeout: float | None = None
    poll: float = 5.0
    stop_on_regression: bool = False
    retry: bool = False


@dataclass(frozen=True, slots=True)
class Ending:
    """How a watch ended: the directories of the runs, in the order of the steps, what is owed, and whether it got worse."""

    runs: tuple[Path, ...]
    owed: tuple[str, ...]
    regressed: bool


class NotStarted(ModelError):
    """The engine did not start on a checkpoint. If its files are whole, it may do so later: memory is lacking for a moment."""


class Watcher:
    """Evaluates what arrives. make_cell gives the run of a checkpoint by name and model; track is told of each that is done."""

    def __init__(
        self,
        settings: WatchSettings,
        history: History,
        make_cell: Callable[[str, Path], Cell],
        *,
        alarm: Alarm | None = None,
        track: Callable[[], None] = lambda: None,
        quiet: bool = False,
        live: bool = False,
        opener: Callable[..., Awaitable[Backend]] = open_backend,
    ) -> None:
        self.settings, self.history, self.out = settings, history, history.path.parent
        self._make_cell, self._alarm, self._track, self._quiet = make_cell, alarm, track, quiet
        self._live = live
        self._engines = Engines(opener)
        self._tries: Counter[str] = Counter()
        self._retried = {line["name"] for line in history.of(BROKEN, OWED)} if settings.retry else set()
        self._awaited: dict[str, Arrival] = {}
        self._told_again: set[str] = set()
        self._told, self._stamps, self._changed = "", "", time.monotonic()

    async def run(self) -> Ending:
        """The watch has ended by its settings.

        Raises InputError if no checkpoint can be evaluated with the run's settings, and if they are not those of the history.
        """
        config = self._make_cell("checkpoint-0", self.settings.arrivals.folder / "checkpoint-0").config
        self.history.keep_settings(config, check_run(config))
        try:
            with notes_once():
                arrivals = await self._watch()
        finally:
            await self._engines.aclose()
        return self._end(arrivals)

    async def _watch(self) -> Sequence[Arrival]:
        """The arrivals of the last look, which are not settled."""
        self._recover()
        self._tell_saved_again()
        self._track()
        arrivals: Sequence[Arrival] = ()
        while not (self.settings.stop_on_regression and self._regressions()):
            arrivals = self._skip(self._look())
            if arrival := self._choose(arrivals):
                await self._evaluate(arrival)
                self._changed = time.monotonic()
            elif self._is_over(arrivals):
                break
            else:
                self._tell_waiting(arrivals)
                await asyncio.sleep(self.settings.poll)
        return arrivals

    def _look(self) -> list[Arrival]:
        """What is not settled. A broken checkpoint whose files have changed is no longer settled; one that has gone is."""
        settled = {line["name"] for line in self.history.of(DONE, SKIPPED)}
        arrivals = [one for one in self.settings.arrivals.look(settled) if self._is_open(one)]
        if (stamps := "".join(one.stamp for one in arrivals)) != self._stamps:
            self._stamps, self._changed = stamps, time.monotonic()
        for one in (*self._awaited.values(), *arrivals):
            if one.name in self._awaited and one.is_gone and one.name not in self.history.lines:
                self._settle(one, GONE, "it was deleted before it was evaluated")
            elif one.state is State.BROKEN:
                self._settle(one, BROKEN, one.why)
        self._awaited = {one.name: one for one in arrivals if one.state is State.WHOLE}
        return [one for one in arrivals if one.state is not State.BROKEN]

    def _tell_saved_again(self) -> None:
        """A line tells, once, that the weights of an evaluated checkpoint are newer than its evaluation, which stays.

        They are looked at when the watch begins and when it ends, because to look at all of them takes long.
        """
        for line in self.history.of(DONE):
            at = datetime.datetime.fromisoformat(line["time"]).timestamp()
            if line["name"] not in self._told_again and written_since(self.settings.arrivals.folder / line["name"], at):
                self._told_again.add(line["name"])
                self._say(
                    f"{line['name']}: its weights were written after its evaluation, which stays as it is. To evaluate them, "
                    f"delete {self.out / line['run']} and its line of {self.history.path}, and start again.",
                    always=True,
                )

    def _is_open(self, arrival: Arrival) -> bool:
        """A checkpoint that is there is open unless it is settled in this state. One that had gone may be back, whole."""
        line = self.history.lines.get(arrival.name)
        settled = line is not None and line["status"] != GONE and line.get("stamp") == arrival.stamp
        return not settled or arrival.name in self._retried

    def _skip(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """The arrivals without those that are too far behind, which are settled as skipped."""
        most = self.settings.max_behind
        if most is None:
            return list(arrivals)
        whole = [one for one in arrivals if one.state is State.WHOLE]
        steps = [one.step for one in whole] + [line["step"] for line in self.history.of(DONE)]
        left = {one.name: newer for one in whole if (newer := sum(step > one.step for step in steps)) > most}
        for one in whole:
            if one.name in left and not self._is_begun(one):
                self._settle(one, SKIPPED, f"{left[one.name]} newer ones are there, and --max-behind is {most}")
        return [one for one in arrivals if one.name not in {line["name"] for line in self.history.of(SKIPPED)}]

    def _choose(self, arrivals: Sequence[Arrival]) -> Arrival | None:
        """The next to evaluate: what failed least, what was begun first, then by the order."""
        sign = -1 if self.settings.order == "newest" else 1
        whole = (one for one in arrivals if one.state is State.WHOLE)
        return min(whole, key=lambda one: (self._tries[one.name], not self._is_begun(one), sign * one.step), default=None)

    def _is_begun(self, arrival: Arrival) -> bool:
        return (self._directory(arrival) / "manifest.json").is_file()

    def _directory(self, arrival: Arrival) -> Path:
        out = self._make_cell(arrival.name, arrival.model).config.out
        assert out is not None
        return out

    async def _evaluate(self, arrival: Arrival) -> None:
        """The checkpoint is evaluated and settled, or is tried again later."""
        if wrong := self._why_not(arrival):
            self._settle(arrival, BROKEN, wrong)
            return
        started = time.monotonic()
        self._say(f"{arrival.name}: evaluated now, in {self._directory(arrival)}")
        try:
            cell = self._make_cell(arrival.name, arrival.model)
            run = await run_session(cell.config, self._quiet, opener=self._open_engine, live=self._live)
        except Exception as error:
            await self._fail(arrival, error)
            return
        if owed := sum(missing_samples(run).values()):
            await self._engines.aclose()  # requests failed: the engine may be dead
            self._try_again(arrival, OWED, f"{count_noun(owed, 'sample')} owed; the run's errors.jsonl says why")
            return
        self._finish(arrival.name, arrival.step, run, time.monotonic() - started, stamp=arrival.stamp)

    def _why_not(self, arrival: Arrival) -> str:
        """Why the arrival's run directory cannot be its own; empty if it can. Reads the weights if a run was begun there."""
        directory = self._directory(arrival)
        place = str(directory.relative_to(self.out))
        other = next((line["name"] for line in self.history.of(DONE) if line["run"] == place), arrival.name)
        if other != arrival.name:
            return f"its run directory, {directory}, is that of {other}; rename one of the two"
        if self._is_begun(arrival):
            there = read_manifest(directory / "manifest.json")["protocol"].get("model", {}).get("fingerprint")
            try:
                here = find_checkpoint(arrival.model).digest()
            except (ModelError, OSError):
                return ""  # evaluating it tells why
            if here != there:
                return f"it was saved again after its run began; delete {directory} to evaluate what is there now (--retry)"
        return ""

    async def _open_engine(self, name: str, model: str, **where: Any) -> Backend:
        """The engine with the model's weights. Raises StoreError if it is another than that of the other runs."""
        try:
            engine = await self._engines.open(name, model, **where)
        except ModelError as error:
            raise NotStarted(str(error)) from error
        self.history.keep_engine(engine.description)
        return engine

    def _finish(self, name: str, step: int, run: StoredRun, seconds: float, **more: Any) -> None:
        """The run is judged, a regression is signalled, the history has its line, and the trackers its numbers.

        In this order, so that after a kill in between a signal may come twice, but none is lost.
        """
        verdict: Verdict | None = None
        if self._alarm is not None:
            number = 1 + sum("gate" in line for line in self.history.lines.values())
            verdict = self._alarm.judge(run, number)
            if verdict.certain and (wrong := self._alarm.signal(step, run.directory, verdict)):
                self._say(f"warning: {wrong}", always=True)
        gate: Mapping[str, Any] = {"gate": verdict.fields()} if verdict else {}
        numbers = headline_numbers(run)
        where = str(run.directory.relative_to(self.out))
        self.history.append(name, step, DONE, run=where, numbers=numbers, **gate, seconds=round(seconds, 3), **more)
        told = f"; {verdict.headline}{', a regression for certain' if verdict.certain else ''}" if verdict else ""
        self._say(f"{name}: {headline_text(numbers)} in {seconds:.1f} s{told}", always=verdict is not None and verdict.certain)
        self._track()

    async def _fail(self, arrival: Arrival, error: Exception) -> None:
        """The checkpoint is settled as gone or broken, or is tried again. Raises what is not the checkpoint's fault."""
        if isinstance(error, GenerationError):
            await self._engines.aclose()
            self._try_again(arrival, OWED, str(error))
            return
        if arrival.is_gone:
            self._settle(arrival, GONE, "it was deleted while it was evaluated")
            return
        if not isinstance(error, ModelError | ConfigError | MetricError | OSError):
            raise error  # a task, the run's directory, or a bug
        try:
            same, problem = stamp_of(arrival.folder) == arrival.stamp, find_problem(arrival.model)
        except OSError:
            same, problem = False, ""
        if not same:
            self._try_again(arrival, BROKEN, f"its files changed while it was evaluated ({error})")
        elif isinstance(error, NotStarted) and not problem:
            await self._engines.aclose()
            self._try_again(arrival, BROKEN, str(error))
        elif isinstance(error, ModelError) or problem:
            self._settle(arrival, BROKEN, problem or str(error))
        elif not isinstance(error, OSError) and self.history.of(DONE):
            self._settle(arrival, BROKEN, str(error))  # the settings are good: others could be evaluated with them
        else:
            raise error

    def _try_again(self, arrival: Arrival, status: str, why: str) -> None:
        self._tries[arrival.name] += 1
        if self._tries[arrival.name] < TRIES:
            self._say(f"{arrival.name}: {why.rstrip('.')}. It is tried again.", always=True)
        else:
            self._settle(arrival, status, why)

    def _settle(self, arrival: Arrival, status: str, why: str) -> None:
        """The history says why the checkpoint was not evaluated, and so does a line."""
        self._retried.discard(arrival.name)
        self._tries[arrival.name] = 0
        self.history.append(arrival.name, arrival.step, status, why=why, stamp=arrival.stamp)
        self._say(f"{arrival.name}: {status}: {why}", always=status != SKIPPED)

    def _recover(self) -> None:
        """Runs that a killed watch began, and whose checkpoints have been deleted since, are settled."""
        for path in sorted(self.out.glob("*/manifest.json")):
            name = path.parent.name
            model = Path(str(read_manifest(path)["config"].get("model", "")))
            step = step_of_name(name)
            mine = step is not None and model.is_relative_to(self.settings.arrivals.folder)
            if step is None or not mine or model.is_dir() or name in self.history.lines:
                continue
            run = load_run(path.parent)
            if missing_samples(run):
                self.history.append(name, step, GONE, run=name, why="it was deleted before its run was complete")
                self._say(f"{name}: gone: it was deleted before its run was complete", always=True)
            else:
                self._finish(name, step, run, sum(sum(one["seconds"].values()) for one in run.manifest["sessions"]))

    def _regressions(self) -> list[Mapping[str, Any]]:
        return [line for line in self.history.lines.values() if line.get("gate", {}).get("regression")]

    def _is_over(self, arrivals: Sequence[Arrival]) -> bool:
        idle, until = self.settings.idle_timeout, self.settings.until_step
        # Without a marker, every checkpoint becomes whole or broken in time; one without its marker may stay so for ever.
        pending = self.settings.arrivals.ready_file is None and bool(self._asked(arrivals))
        if idle is not None and not pending and time.monotonic() - self._changed >= idle:
            self._say(f"ends: nothing has changed for {idle:g} s")
            return True
        if until is None or pending or not any(line["step"] >= until for line in self.history.lines.values()):
            return False
        self._say(f"ends: step {until}, or a later one, is in the history")
        return True

    def _asked(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """The arrivals up to the step at which the watch ends."""
        until = self.settings.until_step
        return [one for one in arrivals if until is None or one.step <= until]

    def _tell_waiting(self, arrivals: Sequence[Arrival]) -> None:
        """A line says what is waited for, if it is something else than before."""
        folder = self.settings.arrivals.folder
        if not folder.is_dir():
            told = f"waits for {folder}, which does not exist yet"
        elif arrivals:
            told = "waits for " + list_some([f"{one.name} ({one.why})" for one in reversed(arrivals)])
        else:
            done = self.history.of(DONE)
            newest = f", the newest of step {max(line['step'] for line in done)}" if done else ""
            told = f"waits for a new checkpoint in {folder}; {len(done)} evaluated{newest}"
        if told != self._told:
            self._say(told)
        self._told = told

    def _end(self, arrivals: Sequence[Arrival]) -> Ending:
        """How it ended. arrivals are those of the last look, which are not settled."""
        self._tell_saved_again()
        done = sorted(self.history.of(DONE), key=lambda line: line["step"])
        lost = [line for line in done if not (self.out / line["run"] / "manifest.json").is_file()]
        for line in lost:
            self._say(
                f"{line['name']}: its run directory, {self.out / line['run']}, is gone, so no table shows it", always=True
            )
        owed = [f"{line['name']}: {line['status']}: {line['why']}" for line in self.history.of(BROKEN, OWED)]
        owed += [f"{one.name}: not whole: {one.why}" for one in self._asked(arrivals) if one.state is State.WRITTEN]
        folder = self.settings.arrivals.folder
        if (gone := self.history.of(GONE)) and not folder.is_dir():  # not deleted one by one: the folder may come back
            owed.append(f"{folder}: not there, and with it {list_some(sorted(line['name'] for line in gone))}")
        if not self.history.lines and not owed:
            owed.append(f"{folder}: {'no checkpoint came' if folder.is_dir() else 'there is no such folder'}")
        return Ending(
            tuple(self.out / line["run"] for line in done if line not in lost), tuple(owed), bool(self._regressions())
        )

    def _say(self, text: str, always: bool = False) -> None:
        if always or not self._quiet:
            print(one_line(f"watch: {text}"), file=sys.stderr, flush=True)
