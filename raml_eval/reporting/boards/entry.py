"""The entries of a leaderboard as JSON: what a file may hold, its digest, and how it is read and written."""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from raml_eval.errors import InputError, writing
from raml_eval.model_faults import faults, show_value
from raml_eval.small_files import read_small_text
from raml_eval.types import Domain

ENTRY_VERSION = 2
MAX_BYTES = 256_000_000  # of an entry: a thousand times a large one; a larger file is something else
REPAIR = "Delete it, and add its run again."
MADE_UP, IMPORTED, SYNTHETIC, NOTE = "made_up", "imported", "synthetic", "note"

Content = dict[str, Any]
Count = Annotated[int, Field(ge=0)]
Votes = Annotated[list[Count], Field(min_length=2, max_length=2)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Caveat(_Part):
    """What must be said of every number of an entry. kind tells a program, text a reader.

    sort is the kind of footnote that a note is in a report, such as restored.
    """

    kind: Literal["made_up", "imported", "synthetic", "note"]
    text: str
    sort: str = ""


class Asked(_Part):
    """The questions of a task, in the order of all counts.

    clusters (Q,) names what questions of the task share, groups (Q,) what questions of all tasks share. synthetic is the
    number of questions that were made up, chance the accuracy of guessing, null if nobody can guess.
    """

    domain: Domain
    ids: list[str] = Field(min_length=1)
    clusters: list[str]
    groups: list[str]
    synthetic: Count
    chance: Annotated[float, Field(ge=0, lt=1)] | None = None


class Counted(_Part):
    """The counts of a task at a budget, a number for each question.

    n samples, of which correct are right, and unfinished, no_answer and timeout ended so. classes holds (count, how many of
    them are correct) for each answer class. forced are those whose thinking the budget cut. The tokens are sums over the
    samples, null if they are not all known.
    """

    task: str
    budget: str
    n: list[Count]
    correct: list[Count]
    classes: list[list[Votes]]
    unfinished: list[Count]
    no_answer: list[Count]
    timeout: list[Count]
    forced: list[Count]
    thinking_tokens: list[Count | None]
    answer_tokens: list[Count | None]


class Number(_Part):
    """A number that follows from the counts, with its 95 % interval; null where it cannot be given, and method says why."""

    task: str
    domain: Domain
    budget: str
    metric: str
    k: int | None
    tau: float | None
    value: float | None
    low: float | None
    high: float | None
    n_questions: int
    method: str


class RunEntry(_Part):
    """What a run found, as counts by question, and where it came from. digest is that of everything else (digest_of)."""

    schema_version: Literal[2]
    kind: Literal["run"]
    model: str = Field(min_length=1)
    checkpoint: Content
    run: str
    backend: str
    engine: str
    grader_version: str
    n_samples: int = Field(ge=1)
    limit: int | None
    caveats: list[Caveat]
    origin: Content
    protocol: Content
    questions: dict[str, Asked]
    counts: list[Counted]
    rows: list[Number]
    digest: str

    @property
    def greedy(self) -> bool:
        """True if a question's samples only repeat one another."""
        return self.n_samples > 1 and (self.protocol.get("sampling") or {}).get("temperature") == 0

    @property
    def fingerprint(self) -> str | None:
        """What identifies the checkpoint's content; None if it is not known."""
        return self.checkpoint.get("fingerprint")


class Source(_Part):
    """Where published numbers stand."""

    title: str = Field(min_length=1)
    url: str = Field(pattern=r"^https?://\S+$", description="an address that begins with https:// or http://")
    place: str = Field(min_length=1)


class Quoted(_Part):
    """A published number in percent, with the digits that were printed."""

    task: str
    metric: str
    percent: str = Field(
        pattern=r"^(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)$",
        description='a share from "0" to "100" with the digits that were printed, in quotes, such as "27.37"',
    )


class PublishedEntry(_Part):
    """Numbers that somebody published and nobody here drew again. They have no counts, so they are shown and not ranked."""

    schema_version: Literal[2]
    kind: Literal["published"]
    model: str = Field(min_length=1)
    source: Source
    about: str
    numbers: list[Quoted] = Field(min_length=1)
    digest: str


Entry = RunEntry | PublishedEntry
_KINDS: Mapping[str, type[RunEntry] | type[PublishedEntry]] = {"run": RunEntry, "published": PublishedEntry}
_ENTRY: TypeAdapter[Entry] = TypeAdapter(Annotated[Entry, Field(discriminator="kind")])


def schema() -> Content:
    """The JSON schema of an entry; raml_eval/reporting/schemas/leaderboard-entry.json holds it."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "An entry of a raml_eval leaderboard"}
    return head | _ENTRY.json_schema()


def digest_of(content: Mapping[str, Any]) -> str:
    """The SHA-256 of an entry's content without its digest.

    It shows that a file was changed by accident or by hand. It is no signature: `leaderboard check --runs` is the proof.
    """
    rest = {key: value for key, value in content.items() if key != "digest"}
    text = json.dumps(rest, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def seal(content: Mapping[str, Any]) -> Content:
    """The content with its digest, as it will be read back: tuples are lists."""
    plain = json.loads(json.dumps(dict(content), allow_nan=False))
    return {**plain, "digest": digest_of(plain)}


def validate(content: Any, where: Path | str, repair: str = "") -> Entry:
    """The entry of this content. Raises InputError, which names each key that is missing or wrong, and ends in repair.

    Without repair it says what to do about an entry of a board.
    """
    version = content.get("schema_version") if isinstance(content, dict) else None
    repair = repair or repair_of(content)
    if version != ENTRY_VERSION or type(version) is not int:
        early = " Older entries hold no counts, so their numbers cannot be checked." if version == 1 else ""
        met = "no schema_version" if version is None else f"schema_version {show_value(version)}"
        raise InputError(f"{where} has {met}, wanted {ENTRY_VERSION}.{early} {repair}")
    model = _KINDS.get(str(content.get("kind")))
    if model is None:
        met = f"kind {show_value(content['kind'])}" if "kind" in content else "no kind"
        raise InputError(f"{where} has {met}, wanted {' or '.join(_KINDS)}. {repair}")
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise InputError(f"{where} is not an entry: {faults(error, model)}. {repair}") from None


def repair_of(content: Any) -> str:
    """What to do about a stored entry that is wrong. Published numbers have no run that could be added again."""
    kind = content.get("kind") if isinstance(content, dict) else getattr(content, "kind", None)
    return "Delete it, and add the file of the published numbers again." if kind == "published" else REPAIR


def read_content(path: Path, repair: str = REPAIR) -> Any:
    """The JSON of a file. Raises InputError if it cannot be read, or holds NaN or an infinite number."""

    def refuse(word: str) -> NoReturn:
        raise ValueError(f"{word:.20} is no number of JSON")

    def read_float(word: str) -> float:
        number = float(word)
        if not math.isfinite(number):
            refuse(word)
        return number

    try:
        return json.loads(read_small_text(path, MAX_BYTES), parse_constant=refuse, parse_float=read_float)
    except (OSError, ValueError, RecursionError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(f"{path} cannot be read: {why}. {repair}") from error


def read_entry(path: Path) -> Entry:
    """The entry of a file. Raises InputError if it cannot be read, or its digest or its name is not that of its content."""
    content = read_content(path)
    entry = validate(content, path)
    if entry.digest != (wanted := digest_of(content)):
        raise InputError(
            f"{path} was changed after it was written: its digest is {entry.digest:.12}, and its content has {wanted:.12}. "
            f"{repair_of(content)}"
        )
    if path.name != (name := f"{file_name(entry.model)}.json"):
        raise InputError(f"{path} holds the entry of {entry.model!r}, which belongs into {name}. Rename it.")
    return entry


def entry_text(content: Mapping[str, Any]) -> str:
    """The entry as JSON in which each number, and each task's counts at a budget, is a line, so that a diff shows changes."""
    return "{\n" + ",\n".join(f" {json.dumps(key)}: {_lines(value)}" for key, value in content.items()) + "\n}\n"


def _lines(value: Any) -> str:
    if isinstance(value, dict) and value:
        return "{\n  " + ",\n  ".join(f"{json.dumps(key)}: {_line(inner)}" for key, inner in value.items()) + "\n }"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n  " + ",\n  ".join(map(_line, value)) + "\n ]"
    return _line(value)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def file_name(model: str) -> str:
    """The model's name as a file name that any file system accepts and that cannot leave its folder.

    Example: file_name("org/model") == "org--model"
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "--", model).strip(".-_")[:100].rstrip(".-_")
    return safe or "model"


def write_atomically(path: Path, text: str) -> None:
    """path holds the whole text, or is unchanged. Raises InputError if the folder cannot be written, or the text is none."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        half = f"U+{ord(text[error.start]):04X}"
        raise InputError(
            f"cannot write {path}: it would hold half of a character ({half}), which no file can. Correct it."
        ) from None
    with writing(path, "Make the folder writable."):
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)


def note_sorts(entry: RunEntry) -> list[str]:
    """The sorts of the entry's notes, each once."""
    return list(dict.fromkeys(caveat.sort for caveat in entry.caveats if caveat.kind == NOTE))


def caveats_of(entry: Entry, kinds: Iterable[str]) -> list[str]:
    """The kinds of caveats, among these, that the entry has."""
    own = {caveat.kind for caveat in entry.caveats} if isinstance(entry, RunEntry) else set()
    return [kind for kind in kinds if kind in own]
