"""Holds entries to the rules of their board, and to one another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from raml_eval.errors import InputError, near_names
from raml_eval.manifest import flatten, protocol_digest
from raml_eval.model_faults import show_value
from raml_eval.redaction import without_secrets
from raml_eval.reporting.boards.board import Board, metric_name
from raml_eval.reporting.boards.bounds import check_bounds, check_engine
from raml_eval.reporting.boards.entering import FAKE
from raml_eval.reporting.boards.entry import (
    IMPORTED,
    MADE_UP,
    NOTE,
    REPAIR,
    SYNTHETIC,
    Asked,
    Entry,
    PublishedEntry,
    RunEntry,
    caveats_of,
    note_sorts,
)
from raml_eval.reporting.boards.numbers import check_counts, check_numbers
from raml_eval.tables import budget_label

SHOWN = 8  # differing keys that an error names
_NOTHING = object()
Placed = tuple[Path, Entry]


def check_entry(entry: Entry, board: Board, where: Path | str) -> None:
    """Raises InputError if the entry breaks a rule of the board, or its numbers do not follow from its counts.

    where is what the error names: the entry's file, or the run that it was made of.
    """
    if isinstance(entry, PublishedEntry):
        _check_published(entry, board, where)
        return
    check_private(entry, where)
    check_rules(entry, board, where)
    check_marks(entry, where)
    check_engine(entry, where)
    check_counts(entry, where)
    check_bounds(entry, where)
    _check_holdings(entry, board, where)
    check_numbers(entry, where)


def check_private(entry: RunEntry, where: Path | str) -> None:
    """Raises InputError if the protocol names a path or a secret. It cannot be cut: its digest is that of the run."""
    told, public = flatten(entry.protocol), flatten(without_secrets(entry.protocol))
    private = [key for key, value in told.items() if key not in public or public[key] != value]
    if private:
        more = f" and {len(private) - SHOWN} more" if len(private) > SHOWN else ""
        raise InputError(
            f"{where} would publish an absolute path or a secret, which its protocol holds in {', '.join(private[:SHOWN])}"
            f"{more}; wanted none. Run again without it there: a protocol is published whole, because its digest is the run's."
        )


def check_rules(entry: RunEntry, board: Board, where: Path | str) -> None:
    """Raises InputError if the entry was drawn or graded in another way than the board's rules say; it names each key."""
    imported = "imported" in entry.protocol
    if imported and not board.rules.imported:
        raise InputError(
            f"{where} was imported from another harness's log, and the board {board.title!r} takes no such run. Draw it here, "
            f"or set rules.imported to true in board.yaml: it is then marked."
        )
    allowed = board.rules.backends
    if not imported and entry.backend not in (allowed or (entry.backend,)):
        raise InputError(
            f"{where} was drawn by the backend {entry.backend}, wanted {' or '.join(allowed or ())}, as the rules of the board "
            f"{board.title!r} say. Run again with --backend {(allowed or ('',))[0]}."
        )
    if entry.backend == FAKE and FAKE not in (allowed or ()):
        raise InputError(
            f"{where} was drawn by the backend fake, which makes its answers up. Run again with a real backend; a board for "
            f"tests names fake in rules.backends, and marks the entry."
        )
    told = flatten(entry.protocol)
    differing = [_difference(key, met, wanted, told) for key, met, wanted in _from_rules(entry, board, imported)]
    if differing:
        more = f"; and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
        raise InputError(
            f"{where} was drawn under another protocol than the board {board.title!r} asks for: {'; '.join(differing[:SHOWN])}"
            f"{more}. Run again with the board's settings, or correct board.yaml."
        )
    wanted = board.rules.grader_version
    if wanted is not None and entry.grader_version != wanted:
        raise InputError(
            f"{where} was graded by grader {entry.grader_version}, wanted {wanted}, as the board {board.title!r} asks for. "
            f"`raml-eval regrade` grades a run with the grader of today; if the board is behind, raise rules.grader_version "
            f"and add every run again."
        )


def _from_rules(entry: RunEntry, board: Board, imported: bool) -> Iterator[tuple[str, Any, Any]]:
    """Each key that differs from the board's, with the value met and that wanted."""
    told = flatten(entry.protocol)
    if entry.n_samples != board.samples:
        yield "samples", entry.n_samples, board.samples
    if entry.limit != board.limit:
        yield "limit", entry.limit, board.limit
    for key, wanted in board.rules.pins().items():
        met = told.get(key, _NOTHING)
        untold = imported and (met in (_NOTHING, None) or key.startswith("tasks."))  # what the log does not tell is a caveat
        if not untold and not _same(met, wanted):
            yield key, met, wanted
        for task in board.tasks if imported else ():  # a log may tell the sampling of each task
            own = told.get(f"tasks.{task}.{key}")
            if own is not None and not _same(own, wanted):
                yield f"tasks.{task}.{key}", own, wanted


def _same(met: Any, wanted: Any) -> bool:
    return bool(met == wanted) and isinstance(met, bool) == isinstance(wanted, bool)


def _difference(key: str, met: Any, wanted: Any, told: Iterable[str]) -> str:
    """A pinned key, with keys that resemble it if the run has none of its name: board.yaml may have it wrong."""
    near = near_names(key, told).rstrip("?").replace(" Did you mean", ", but there is") if met is _NOTHING else ""
    return f"{key} is {_shown(met)}, wanted {show_value(wanted)}{near}"


def check_marks(entry: RunEntry, where: Path | str) -> None:
    """Raises InputError if made-up, imported or synthetic results lack the caveat that says so, or the origin does not fit."""
    owed = {
        MADE_UP: entry.backend == FAKE,
        IMPORTED: "imported" in entry.protocol,
        SYNTHETIC: any(asked.synthetic for asked in entry.questions.values()),
    }
    met = caveats_of(entry, owed)
    if lacking := [kind for kind, due in owed.items() if due and kind not in met]:
        raise InputError(f"{where} lacks the caveat {', '.join(lacking)} of its results. {REPAIR}")
    digest = entry.origin.get("protocol_digest")
    if digest is not None and digest != protocol_digest(entry.protocol):
        raise InputError(f"{where} has a protocol whose digest is not that of its run. {REPAIR}")
    stored = str((entry.protocol.get("engine") or {}).get("name", entry.backend))
    if stored != entry.backend:
        raise InputError(f"{where} names the backend {entry.backend}, and its protocol {stored}. {REPAIR}")


def _check_holdings(entry: RunEntry, board: Board, where: Path | str) -> None:
    """Raises InputError unless the entry has the board's tasks and budgets."""
    met = set(entry.questions), {cell.budget for cell in entry.counts}
    wanted = set(board.tasks), set(map(budget_label, board.budgets))
    for noun, of, asked in zip(("tasks", "budgets"), met, wanted, strict=True):
        if of != asked:
            near = "".join(dict.fromkeys(near_names(name, of) for name in sorted(asked - of)))
            raise InputError(
                f"{where} has the {noun} {', '.join(sorted(of))}, wanted {', '.join(sorted(asked))}.{near} Correct {noun} in "
                f"board.yaml, or delete the entry and add its run again."
            )


def _check_published(entry: PublishedEntry, board: Board, where: Path | str) -> None:
    metrics = [measure.name for measure in board.measures]
    seen = set()
    for number in entry.numbers:
        place = (number.task, metric_name(number.metric))
        if number.task not in board.tasks or place[1] not in metrics or place in seen:
            twice = " for the second time" if place in seen else ""
            raise InputError(
                f"{where} gives {number.metric} of {number.task}{twice}; the board {board.title!r} shows "
                f"{', '.join(metrics)} of {', '.join(board.tasks)}, each once. Correct it."
            )
        seen.add(place)


def check_together(entries: Sequence[Placed], board: Board) -> None:
    """Raises InputError if two entries are of one model, or cannot be ranked together; the error names both files."""
    for number, (path, entry) in enumerate(entries):
        for other_path, other in entries[:number]:
            check_apart(entry, path, other, other_path)
    runs = [(path, entry) for path, entry in entries if isinstance(entry, RunEntry)]
    for path, entry in runs[1:]:
        check_alike(entry, path, runs[0][1], runs[0][0], board)


def check_apart(entry: Entry, where: Path | str, other: Entry, other_path: Path) -> None:
    """Raises InputError if two entries are of the same model or of the same checkpoint."""
    if entry.model == other.model:
        raise InputError(f"{where} and {other_path} are both entries of {entry.model!r}, wanted one. Delete one of them.")
    prints = [one.fingerprint for one in (entry, other) if isinstance(one, RunEntry) and one.fingerprint]
    if len(prints) == 2 and prints[0] == prints[1]:
        raise InputError(
            f"{where} has the checkpoint of {other_path} (fingerprint {prints[0]}) under another name, {entry.model!r}; one "
            f"checkpoint has one entry. Delete one of them."
        )


def check_alike(entry: RunEntry, where: Path | str, other: RunEntry, other_path: Path, board: Board) -> None:
    """Raises InputError if two entries differ in their questions, their grader, or a key that the board's rules do not free."""
    differing = [task for task, asked in entry.questions.items() if not same_questions(asked, other.questions.get(task))]
    if differing:
        raise InputError(
            f"{where} has other questions than {other_path} in {', '.join(differing)}, so the two cannot be ranked together. "
            f"Run again on the same data, or delete the older entry."
        )
    if entry.grader_version != other.grader_version:
        raise InputError(
            f"{where} was graded by grader {entry.grader_version}, and {other_path} by {other.grader_version}. Grade both runs "
            f"with one: `raml-eval regrade`."
        )
    keys = _differing(entry.protocol, other.protocol, board)
    if keys:
        listed = "; ".join(f"{key} is {_shown(met)} there and {_shown(wanted)} here" for key, wanted, met in keys[:SHOWN])
        more = f"; and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
        raise InputError(
            f"{where} was drawn under another protocol than {other_path}: {listed}{more}. Run again with the same settings, or "
            f"name what entries may differ in under rules.free of board.yaml."
        )


def same_questions(asked: Asked, other: Asked | None) -> bool:
    """True if both are the same questions, whatever is known of guessing them."""
    return other is not None and asked.model_copy(update={"chance": other.chance}) == other


def _shown(value: Any) -> str:
    return "not stored" if value is _NOTHING else show_value(value)


def _differing(here: Mapping[str, Any], there: Mapping[str, Any], board: Board) -> list[tuple[str, Any, Any]]:
    """Each key that differs with its values here and there. What the log of an imported run does not tell is left out.

    A task's YAML counts only where the digest of the questions made of it is not stored: it holds more than a run takes.
    """
    new, old = flatten(here), flatten(there)
    imported = "imported" in here or "imported" in there
    found = []
    for key in sorted(new.keys() | old.keys()):
        met, wanted = new.get(key, _NOTHING), old.get(key, _NOTHING)
        if board.rules.is_free(key) or _same(met, wanted):
            continue
        if imported and (key.startswith(("tasks.", "imported.")) or met in (_NOTHING, None) or wanted in (_NOTHING, None)):
            continue
        asked = key.removesuffix(".yaml") + ".questions"
        if key.startswith("tasks.") and key.endswith(".yaml") and asked in new and asked in old:
            continue
        found.append((key, met, wanted))
    return found


def check_replacement(entry: Entry, where: Path | str, old: Entry, path: Path) -> None:
    """Raises InputError if an entry may not take the place of that in path, which has its name."""
    if isinstance(entry, PublishedEntry) and isinstance(old, PublishedEntry):
        return
    if isinstance(entry, PublishedEntry) or isinstance(old, PublishedEntry):
        kinds = {PublishedEntry: "published numbers", RunEntry: "the counts of a run"}
        raise InputError(f"{path} holds {kinds[type(old)]} with the name {entry.model!r}. {_BESIDE}")
    if not _is_same_model(entry, old):
        known = entry.fingerprint and old.fingerprint
        told = (
            f"another checkpoint with the name {entry.model!r}"
            if known
            else (
                f"an entry of {entry.model!r}, and nothing shows that {where} is of the same model, because "
                f"{'that entry' if entry.fingerprint else 'the run'} has no fingerprint of a checkpoint"
            )
        )
        raise InputError(f"{path} holds {told}. {_BESIDE}")
    if entry.backend != old.backend:
        raise InputError(
            f"{where} was drawn by the backend {entry.backend}, and the entry of this checkpoint in {path} by {old.backend}. "
            f"Run again with --backend {old.backend}; to replace it all the same, add it with --replace."
        )
    kinds_marked = (MADE_UP, IMPORTED, SYNTHETIC)
    if worse := [kind for kind in caveats_of(entry, kinds_marked) if kind not in caveats_of(old, kinds_marked)]:
        raise InputError(
            f"{where} has results that are {', '.join(worse)}, and would replace {path}, which has none. To replace it all the "
            f"same, add it with --replace."
        )
    noted = note_sorts(old)
    if new := [caveat.text for caveat in entry.caveats if caveat.kind == NOTE and caveat.sort not in noted]:
        raise InputError(
            f"{where} has a caveat that {path} has not, and would replace it: {'; '.join(new)}. To replace it all the same, "
            f"add it with --replace."
        )


_BESIDE = "Add it with --name NAME to keep both, or with --replace to put it in the place of the old one."


def _is_same_model(entry: RunEntry, old: RunEntry) -> bool:
    """True if both have one fingerprint, or the entry is the old one again. Equal names alone show nothing.

    Many checkpoints lie in folders called final, and a log that was imported tells no fingerprint.
    """
    if entry.fingerprint or old.fingerprint:
        return entry.fingerprint == old.fingerprint
    return (entry.run, entry.origin, entry.counts) == (old.run, old.origin, old.counts)
