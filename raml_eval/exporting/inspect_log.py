"""Writes a run as logs of Inspect, one for each task at each budget, through Inspect's own library."""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from raml_eval.errors import ConfigError, choose_names, writing
from raml_eval.exporting.inspect_header import build_reductions, build_results, build_spec, build_stats, log_id, run_id
from raml_eval.exporting.inspect_samples import INSPECT, SampleMaker
from raml_eval.exporting.inspect_writer import write_log
from raml_eval.exporting.libraries import need
from raml_eval.kept_text import tokenizer_at_hand
from raml_eval.store.portable import RunPieces
from raml_eval.store.sealing import READ, SEAL, seal_log, seal_sample
from raml_eval.tables import Cells, budget_label, budget_order, build_frame, count_run, planned_records
from raml_eval.types import Budget, SampleRecord, StoredRun

ENDINGS = (".eval", ".json")
Cell = tuple[str, Budget]


def export_inspect(
    run: StoredRun,
    out: Path,
    *,
    tasks: Sequence[str] = (),
    budgets: Sequence[str] = (),
    allow_partial: bool = False,
    told: Callable[[Path], None] | None = None,
) -> list[Path]:
    """The logs of the run, as Inspect's viewer opens them; `raml-eval import inspect` makes the run from them again.

    out ends in .eval or .json if one task at one budget is exported. Otherwise it is a folder, which may hold other logs, and
    gets one .eval file for each task at each budget. tasks and budgets choose among those of the run. told is called with
    each file that is written. Raises ConfigError if inspect_ai is missing or out cannot be used, MetricError if samples are
    missing without allow_partial.

    Example: export_inspect(load_run("runs/mine"), Path("logs"))
    """
    counts = count_run(run, allow_partial)
    cells = _choose_cells(run, tasks, budgets)
    places = _places(run, out, list(cells))
    need("inspect_ai.log", *INSPECT)
    rows = build_frame([run], allow_partial=allow_partial)
    export = _Export(run, cells, counts, rows)
    for cell, path in places.items():
        _write_whole(path, partial(write_log, export.log(cell), export.samples(cell), len(cells[cell])))
        if told is not None:
            told(path)
    return list(places.values())


def _choose_cells(run: StoredRun, tasks: Sequence[str], budgets: Sequence[str]) -> dict[Cell, list[SampleRecord]]:
    """The samples of each task at each budget, in the order of the questions. Cells without a sample are left out."""
    labels = {budget_label(budget): budget for budget in sorted(run.budgets, key=lambda b: budget_order(budget_label(b)))}
    wanted = [labels[label] for label in choose_names("budget", budgets, labels)]
    order = {key: place for place, key in enumerate(run.questions)}
    found: dict[Cell, list[SampleRecord]] = {
        (task, budget): [] for task in choose_names("task", tasks, run.tasks) for budget in wanted
    }
    for record in planned_records(run):
        if (record.key.task, record.budget) in found:
            found[record.key.task, record.budget].append(record)
    for records in found.values():
        records.sort(key=lambda record: (order[record.key.task, record.key.question_id], record.key.index))
    filled = {cell: records for cell, records in found.items() if records}
    if not filled:
        raise ConfigError(f"run {run.name} holds no sample of what is asked for. Choose other tasks or budgets, or draw it.")
    return filled


def _places(run: StoredRun, out: Path, cells: Sequence[Cell]) -> dict[Cell, Path]:
    """The file of each log. Raises ConfigError if one exists, or if several would have to share one."""
    if out.suffix in ENDINGS:
        if len(cells) > 1:
            listed = ", ".join(f"{task} at {budget}" for task, budget in cells[:4]) + (" ..." if len(cells) > 4 else "")
            raise ConfigError(
                f"--out {out} is one log, which holds one task at one budget, and there are {len(cells)} ({listed}). Name a "
                f"folder, which gets a log for each, or choose with --task and --budget."
            )
        places = {cells[0]: out}
    elif out.suffix and not out.is_dir():
        raise ConfigError(f"--out {out} ends in {out.suffix!r}; wanted .eval or .json for one log, or a folder.")
    else:
        places = {cell: out / log_name(run, *cell) for cell in cells}
    for path in places.values():
        if path.exists():
            raise ConfigError(f"{path} exists. Choose another --out, or delete it.")
    return places


def log_name(run: StoredRun, task: str, budget: Budget) -> str:
    """A file's name as Inspect forms them: time, task, id. No underscore stands within a part, because they part the name."""
    created = re.sub(r"[^0-9T+-]", "-", str(run.manifest.get("created") or "1970-01-01T00-00-00+00-00"))
    what = re.sub(r"[^A-Za-z0-9.]+", "-", f"{task} {budget}")[:120]
    return f"{created}_{what}_{log_id(run, task, budget)}.eval"


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """The file is there whole or not at all."""
    draft = path.with_name(f".{secrets.token_hex(4)}{path.suffix}")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            write(draft.absolute())
            draft.rename(path)
    finally:
        with contextlib.suppress(OSError):  # the folder may be a file, which the error above tells
            draft.unlink(missing_ok=True)


def _find_homes(cells: Mapping[Cell, Sequence[SampleRecord]]) -> dict[str, Budget]:
    """Where each thinking is stored: in the log of the largest budget that is exported, of those that read it."""
    ordered = sorted(cells.items(), key=lambda item: budget_order(budget_label(item[0][1])))
    return {r.trajectory: budget for (_, budget), records in ordered for r in records if r.trajectory is not None}


class _Export:
    def __init__(self, run: StoredRun, cells: dict[Cell, list[SampleRecord]], counts: Cells, rows: pd.DataFrame) -> None:
        self.run, self.cells, self.counts, self.rows = run, cells, counts, rows
        self.pieces, self.homes = RunPieces(run), _find_homes(cells)
        self.maker = SampleMaker(run, cache(partial(tokenizer_at_hand, run.manifest)))

    def samples(self, cell: Cell) -> Iterator[Any]:
        """The EvalSamples of one task at one budget. The first of a question holds the question for the way back."""
        seen = set()
        for record in self.cells[cell]:
            first = record.key.question_id not in seen
            seen.add(record.key.question_id)
            home = self.homes.get(record.trajectory or "") == cell[1]
            sample = self.maker.make(record, self.pieces.piece(record, home, first))
            sample.store[SEAL] = seal_sample(sample.model_dump(mode="json", include=set(READ)), run_id(self.run))
            yield sample

    def log(self, cell: Cell) -> Any:
        """The EvalLog of one task at one budget, without its samples."""
        task, budget = self.run.tasks[cell[0]], cell[1]
        records = self.cells[cell]
        present = {record.key.question_id for record in records}
        asked = [key for key in self.run.questions if key[0] == task.name]
        planned = len(asked) * self.run.n_samples
        rows = self.rows[(self.rows["task"] == task.name) & (self.rows["budget"] == budget_label(budget))]
        header = self.pieces.header(task.name, len(records), [key for key in asked if key[1] not in present])
        log = self.maker.log.EvalLog(
            status="success" if len(records) == planned else "cancelled",
            eval=build_spec(self.run, task, budget, header),
            plan=self.maker.log.EvalPlan(
                name="raml_eval",
                steps=[self.maker.log.EvalPlanStep(solver="generate", params={"thinking_budget": budget})],
            ),
            results=build_results(task, rows, self.counts[cell], records, planned),
            stats=build_stats(self.run, records),
        )
        log.eval.metadata[SEAL] = seal_log(log.model_dump(mode="json", include={"eval", "results"}))
        log.reductions = build_reductions(task, records)  # the constructor takes them only with results that are no object
        return log
