"""Writes one log through Inspect's own library, large ones in parts.

write_eval_log, which is Inspect's public way, holds all samples in memory, and its time grows with their square: 62 s for
16,000 short samples. The recorder that Inspect itself draws with writes them in parts. It is not public, so it is used for
large .eval logs alone, and where another version of Inspect has another one, write_eval_log is used for these too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from raml_eval.exporting.inspect_samples import INSPECT
from raml_eval.exporting.libraries import need

LARGE = 1_000  # samples; a smaller log is written as a whole
PARTS = 20  # each part is written by copying the file so far, so their number is fixed, as in Inspect itself


def write_log(log: Any, samples: Iterator[Any], n_samples: int, path: Path) -> None:
    """The file holds the EvalLog with these samples, of which there are n_samples. The log is given without them."""
    recorder = _recorder(path) if path.suffix == ".eval" and n_samples > LARGE and not _in_loop() else None
    if recorder is not None:
        asyncio.run(_write_in_parts(recorder, log, samples, n_samples, path))
        return
    log.samples = list(samples)
    need("inspect_ai.log", *INSPECT).write_eval_log(log, str(path))


def _recorder(path: Path) -> Any:
    """Inspect's recorder for the file; None if this version has none of that name."""
    try:
        from inspect_ai.log._recorders import create_recorder_for_location

        recorder = create_recorder_for_location(str(path), str(path.parent))
        return recorder if hasattr(recorder, "log_init") and hasattr(recorder, "log_sample") else None
    except (ImportError, AttributeError, TypeError):
        return None


def _in_loop() -> bool:
    """True inside of an event loop, as in a notebook, where no other one can be run."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _write_in_parts(recorder: Any, log: Any, samples: Iterator[Any], n_samples: int, path: Path) -> None:
    condense = need("inspect_ai.log", *INSPECT).condense_sample
    part = max(1, n_samples // PARTS)
    await recorder.log_init(log.eval, str(path), clean=True)
    await recorder.log_start(log.eval, log.plan)
    for place, sample in enumerate(samples, 1):
        await recorder.log_sample(log.eval, condense(sample))
        if place % part == 0:
            await recorder.flush(log.eval)
    await recorder.log_finish(log.eval, log.status, log.stats, log.results, log.reductions, header_only=True)
