"""Reads run directories of schema 1 as if they had the present schema. Only this module knows what schema 1 lacks.

Schema 1 did not store which session drew a sample. Sessions wrote one after the other, so the place of the sample's line
tells the session. Nor did a layer of grades name the session of the draws it graded. The oldest layers did not even count
the sessions, so only the times tell which draws they saw.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from raml_eval.store.journal import read_lines

NUMBER = 1
Line = dict[str, Any]


def upgrade_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest in the shape of the present schema. schema_version stays 1, which says that the files are old.

    Every session names its grader. The oldest manifests only named one grader for the whole run.
    """
    upgraded = dict(manifest)
    grader = {"grader_version": upgraded.pop("grader_version")} if "grader_version" in upgraded else {}
    return {**upgraded, "sessions": [{**grader, **session} for session in manifest["sessions"]]}


def sample_lines(path: Path, manifest: Mapping[str, Any]) -> Iterator[tuple[int, Line]]:
    """The line numbers (from 1) and lines of samples.jsonl, with the session that drew each sample."""
    old = manifest["schema_version"] == NUMBER
    for position, (number, line) in enumerate(read_lines(path)):
        yield number, {**line, "session": session_at(position, manifest["sessions"])} if old else line


def session_at(position: int, sessions: Sequence[Mapping[str, Any]]) -> int:
    """The number of the session that stored the line at that position of samples.jsonl; both count from 0.

    A session that was killed may leave lines that a later one replaced, so the last session that began before the line wins.
    """
    started = (number for number, session in enumerate(sessions) if session.get("samples_before", 0) <= position)
    return max(started, default=0)


def upgrade_layer(lines: Sequence[Line], samples: Path, sessions: Sequence[Mapping[str, Any]]) -> list[Line]:
    """The lines of a layer of grades, header first, with the sessions whose draws were graded.

    Changes of samples that were drawn again after the regrading are left out, because those draws no longer exist.
    """
    header, *rest = lines
    numbers = {_sample(line): session_at(position, sessions) for position, (_, line) in enumerate(read_lines(samples))}
    upgraded: list[Line] = []
    for line in rest:
        session = numbers.get(_sample(line))
        if "error" in line:
            upgraded.append(line)
        elif session is not None and _saw(header, session, sessions):
            upgraded.append({**line, "session": session})
    n_sessions = sum(_covers(header, number, sessions) for number in range(len(sessions))) if sessions else 1
    n_changed = header["n_changed"] - (len(rest) - len(upgraded))
    return [{**header, "n_sessions": n_sessions, "n_changed": n_changed}, *upgraded]


def _sample(line: Mapping[str, Any]) -> tuple[Any, ...]:
    return line.get("task"), line.get("question_id"), line.get("sample"), line.get("budget")


def _saw(header: Mapping[str, Any], number: int, sessions: Sequence[Mapping[str, Any]]) -> bool:
    """True if the regrading that wrote a change can have seen a draw of that session."""
    if header.get("n_sittings") is not None:
        return bool(number < header["n_sittings"])
    return not sessions or str(sessions[number].get("started", "")) <= header["created"]


def _covers(header: Mapping[str, Any], number: int, sessions: Sequence[Mapping[str, Any]]) -> bool:
    """True if the layer confirms the verdicts of that session that it does not change."""
    if header.get("n_sittings") is not None:
        return bool(number < header["n_sittings"])
    session = sessions[number]
    began_in_time = str(session.get("started", "")) <= (header["verified"] or header["created"])
    return began_in_time and (number == 0 or session.get("samples_before", 0) < header["n_graded"])
