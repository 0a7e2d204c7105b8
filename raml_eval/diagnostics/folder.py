"""The folder of one diagnosis: its settings, a journal that survives a kill, and the tables and figures made from it.

DIR/<kind>/diagnosis.json   settings, what was skipped and why, whether it is complete
DIR/<kind>/journal.jsonl    one line for each unit of work that an engine did, in the order of completion
DIR/<kind>/section.json     what a report shows of it (raml_eval.diagnostics.section)
DIR/<kind>/*.parquet, *.svg, *.pdf, *.png   the tables and figures, which are made anew from the journal
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from raml_eval.diagnostics.differing import tell_differences
from raml_eval.errors import ConfigError, CorruptStore, StoreError
from raml_eval.store.journal import Journal, corrupt, cut_torn_line, read_lines
from raml_eval.store.locking import try_lock
from raml_eval.store.manifest_file import write_json
from raml_eval.types import Question

SCHEMA_VERSION = 1
PLACE = "diagnostics"  # in the run directory, unless --out names another
Parsed = TypeVar("Parsed")
_HELD: dict[Path, int] = {}  # the locks of this process, by path
REPAIR = "Repair the line or delete it (what it holds is then computed again)"
_TOLD = 8  # differences that an error names


class OtherSettings(ConfigError):
    """A folder holds a diagnosis under other settings. about is what its diagnosis.json says; differences tell each setting."""

    def __init__(self, message: str, about: Mapping[str, Any], differences: Sequence[str]) -> None:
        super().__init__(message)
        self.about, self.differences = dict(about), tuple(differences)


class DiagnosisFolder:
    """The folder DIR/<kind>, opened for the settings. One that exists is gone on with if its settings are equal.

    settings is everything that the numbers depend on, as JSON: the run's protocol digest, the engine, the choices made. Those
    named in growing may have more entries than those that are stored, which are then stored too. Raises OtherSettings, naming
    what differs, if the folder holds a diagnosis under other settings; CorruptStore if its diagnosis.json cannot be read;
    StoreError if it cannot be written, or if another process has the folder open.

    This process holds the lock on the folder until finish or close. In a with statement it is released at the end of the
    block, however that ends, so that another process can go on after an exception.

    Example: with DiagnosisFolder(Path("runs/mine/diagnostics"), "mine", {"stride": 8}) as folder: folder.finish({})
    """

    def __init__(self, out: Path, kind: str, settings: Mapping[str, Any], growing: Sequence[str] = ()) -> None:
        self.path, self.kind = out / kind, kind
        self._about = self.path / "diagnosis.json"
        wanted = json.loads(json.dumps(settings))
        _as_stored(self.path, read_about(self._about), wanted, growing)  # before anything is made
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be made: {error.strerror or error}. Choose a writable --out.") from error
        _lock(self.path)
        try:
            stored = read_about(self._about)  # once more: another process may have had the folder until now
            self.about: dict[str, Any] = _as_stored(self.path, stored, wanted, growing) or {
                "schema_version": SCHEMA_VERSION, "kind": kind, "settings": wanted, "complete": False, "skipped": {},
            }  # fmt: skip
            if self.about != stored:
                write_json(self._about, self.about)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> DiagnosisFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Another process may open the folder now. What is stored stays, and a diagnosis that is not finished stays so."""
        if (held := _HELD.pop((self.path / "lock").absolute(), None)) is not None:
            os.close(held)

    @property
    def complete(self) -> bool:
        """True if a session has done everything under these settings."""
        return bool(self.about["complete"])

    def journal(self, name: str = "journal") -> Journal:
        """The journal, opened for appending, without a torn last line. Close it."""
        path = self.path / f"{name}.jsonl"
        cut_torn_line(path)
        return Journal(path)

    def read(self, parse: Callable[[dict[str, Any]], Parsed], name: str = "journal", repair: str = REPAIR) -> Iterator[Parsed]:
        """What parse makes of each whole line of the journal so far.

        Raises CorruptStore, with the file and the line's number, for one that is no JSON object or that parse does not accept
        (it raises KeyError for a field that is missing, TypeError or ValueError for one that is wrong: diagnostics.fields).
        repair says what to do then.
        """
        path = self.path / f"{name}.jsonl"
        for number, line in read_lines(path, repair):
            try:
                found = parse(line)
            except KeyError as error:
                raise corrupt(path, number, f"lacks the field {error}", repair) from error
            except (TypeError, ValueError, RecursionError) as error:
                raise corrupt(path, number, f"is not of this file's schema: {error}", repair) from error
            yield found

    def keep_golds(self, questions: Iterable[Question]) -> None:
        """diagnosis.json has a digest of each question's gold. ConfigError if one was another when the journal was begun."""
        now = {
            f"{one.task}/{one.id}": hashlib.sha256(one.gold.encode("utf-8", "surrogatepass")).hexdigest()[:8]
            for one in questions
        }
        then = self.about.get("golds", {})
        if changed := [name for name in now if then.get(name, now[name]) != now[name]]:
            more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            raise ConfigError(
                f"{self.path} was made for another gold of {changed[0]}{more}. Choose another --out, or delete the folder."
            )
        if not now.keys() <= then.keys():
            self.about["golds"] = {**then, **now}
            write_json(self._about, self.about)

    def reopen(self) -> None:
        """diagnosis.json says that the diagnosis is not complete, before its tables and figures are written anew."""
        if self.complete:
            self.about["complete"] = False
            write_json(self._about, self.about)

    def finish(self, skipped: Mapping[str, int], **more: Any) -> None:
        """diagnosis.json says that everything is done, how many subjects were skipped for which reason, and more; and close.

        A report includes the diagnosis only if more has samples, the stamp_samples of the run before it was read.
        """
        self.about |= {"complete": True, "skipped": dict(skipped), **more}
        write_json(self._about, self.about)
        self.close()


def check_settings(out: Path, kind: str, some: Mapping[str, Any], growing: Sequence[str] = ()) -> None:
    """Raises OtherSettings if out/kind holds a diagnosis under others than some of its settings: before an engine is started.

    The other errors are those of DiagnosisFolder.
    """
    about = read_about(out / kind / "diagnosis.json")
    if about is not None:
        _as_stored(out / kind, about, {**about["settings"], **json.loads(json.dumps(some))}, growing)


def settings_of(out: Path, kind: str) -> Mapping[str, Any]:
    """The settings of the diagnosis in out/kind; none if there is none. Raises CorruptStore if they cannot be read."""
    about = read_about(out / kind / "diagnosis.json")
    return about["settings"] if about else {}


def read_about(path: Path) -> dict[str, Any] | None:
    """What diagnosis.json says; None if there is none. Raises CorruptStore if it cannot be read, or is gone from a journal."""
    if not path.exists():
        if _has_lines(path.parent):
            raise CorruptStore(
                f"{path.parent} holds a journal, but no {path.name} that says under which settings it was made. Restore it, or "
                "delete the folder and diagnose again."
            )
        return None
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        known = about["schema_version"] == SCHEMA_VERSION and isinstance(about["settings"], dict)
        known = known and isinstance(about["complete"], bool) and isinstance(about.get("golds", {}), dict)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        known = False
    if not known:
        raise CorruptStore(f"{path} is no diagnosis of schema_version {SCHEMA_VERSION}. Delete its folder and diagnose again.")
    return dict(about)


def _as_stored(
    folder: Path, about: Mapping[str, Any] | None, wanted: Mapping[str, Any], growing: Sequence[str]
) -> dict[str, Any] | None:
    """What the folder's diagnosis.json says, with what is wanted more of the growing settings; None if there is none.

    Raises OtherSettings if its settings are not those wanted. One under other settings for which nothing was computed, because
    it failed before, counts as none.
    """
    if about is None:
        return None
    settings = dict(about["settings"])
    settings |= {name: wanted[name] for name in growing if _is_part(settings.get(name), wanted[name])}
    if told := tell_differences(settings, wanted):
        if not about["complete"] and not _has_lines(folder):
            return None
        more = f"; and {len(told) - _TOLD} more" if len(told) > _TOLD else ""
        raise OtherSettings(
            f"{folder} holds a diagnosis under other settings: {'; '.join(told[:_TOLD])}{more}. Choose another --out, or "
            "delete the folder.",
            about,
            told,
        )
    return {**about, "settings": settings}


def _has_lines(folder: Path) -> bool:
    """True if a journal of the folder holds anything."""
    return any(journal.stat().st_size for journal in folder.glob("*.jsonl"))


def _is_part(there: Any, here: Any) -> bool:
    """True if here has every entry of there, at every depth, and perhaps more."""
    if isinstance(there, dict) and isinstance(here, dict):
        return all(name in here and _is_part(value, here[name]) for name, value in there.items())
    return bool(there == here)


def _lock(folder: Path) -> None:
    """No other process has the folder open. This one has it until DiagnosisFolder.close, or until it ends itself."""
    path = (folder / "lock").absolute()
    if path in _HELD:
        return
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}. Choose a writable --out.") from error
    if not try_lock(file):
        os.close(file)
        raise StoreError(f"{folder} is in use by another raml-eval diagnose. Wait for it, or choose another --out.")
    _HELD[path] = file
