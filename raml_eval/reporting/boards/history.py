"""What a board's builds found: history.jsonl in the board's folder, with a line for each build that changed something."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raml_eval.errors import InputError
from raml_eval.manifest import now
from raml_eval.reporting.boards.entry import MAX_BYTES, write_atomically
from raml_eval.small_files import read_small_text

NAME = "history.jsonl"
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Held:
    """What a build held of an entry. rank and value are None for published numbers."""

    digest: str
    rank: int | None
    value: float | None


def read_history(folder: Path) -> list[Record]:
    """The builds, the oldest first; none if there is no file. Raises InputError, which names the line, for a broken one."""
    path = folder / NAME
    try:
        lines = read_small_text(path, MAX_BYTES).splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(f"{path} cannot be read: {why}. Restore it, or delete it to begin a new history.") from error
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            record = json.loads(line)
            held_in(record)
            records.append({key: record[key] for key in ("built", "ranked_by", "entries")})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError(f"{path}:{number} is no build ({error}). Restore it, or delete the line.") from error
    return records


def held_in(record: Mapping[str, Any]) -> dict[str, Held]:
    """What a build held, by model. Raises KeyError, TypeError, ValueError or AttributeError for another shape."""
    found = {}
    for model, of in record["entries"].items():
        rank, value = of["rank"], of["value"]
        if (rank is None) != (value is None) or (rank is not None and (type(rank) is not int or not math.isfinite(value))):
            raise ValueError(f"rank {rank!r} and value {value!r} of {model}")
        found[model] = Held(str(of["digest"]), rank, value)
    return found


def add_build(history: Sequence[Record], held: Mapping[str, Held], ranked_by: str) -> list[Record]:
    """The history with this build, which is left out if it found what the last one found."""
    entries = {model: {"digest": of.digest, "rank": of.rank, "value": _round(of.value)} for model, of in sorted(held.items())}
    if history and _same(history[-1], entries, ranked_by):
        return list(history)
    if not history and not entries:
        return []
    return [*history, {"built": now(), "ranked_by": ranked_by, "entries": entries}]


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _same(last: Mapping[str, Any], entries: Mapping[str, Any], ranked_by: str) -> bool:
    """Whether nothing has changed. The values follow from the digests and what the board ranks by."""

    def known(of: Mapping[str, Any]) -> dict[str, Any]:
        return {model: (one["digest"], one["rank"]) for model, one in of.items()}

    return bool(last["ranked_by"] == ranked_by) and known(last["entries"]) == known(entries)


def changes(history: Sequence[Record]) -> dict[str, str]:
    """What the last build changed in each entry it has, as a table writes it: new, the points gained, = for nothing.

    It is empty if there is no build before the last, or that one ranked by another number.
    """
    if len(history) < 2 or history[-1]["ranked_by"] != history[-2]["ranked_by"]:
        return {}
    before, after = held_in(history[-2]), held_in(history[-1])
    return {model: _change(before.get(model), of) for model, of in after.items()}


def _change(before: Held | None, after: Held) -> str:
    if before is None:
        return "new"
    moved = "" if before.rank == after.rank else f"rank was {before.rank}"
    if before.digest == after.digest or before.value is None or after.value is None:
        return moved or "="
    return f"{100 * (after.value - before.value):+z.1f}{', ' if moved else ''}{moved}"


def removed(history: Sequence[Record]) -> list[str]:
    """The models that the last build no longer has."""
    return [] if len(history) < 2 else [model for model in history[-2]["entries"] if model not in history[-1]["entries"]]


def write_history(folder: Path, history: Sequence[Record]) -> None:
    """history.jsonl holds these builds."""
    write_atomically(
        folder / NAME, "".join(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n" for record in history)
    )
