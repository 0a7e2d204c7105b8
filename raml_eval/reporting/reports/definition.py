"""The report.yaml of a report: which runs it takes, and its parts in order."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator, model_validator

import raml_eval
from raml_eval.errors import ConfigError, near_names
from raml_eval.model_faults import faults
from raml_eval.small_files import YAML_BYTES, read_small_text
from raml_eval.yaml_text import read_yaml

FILE = "report.yaml"
PartName = Literal[
    "runs", "domains", "means", "thinking", "table", "generalization", "levels", "heatmap", "trend", "budget_curve",
    "stability_curve", "comparison", "published", "diagnostics", "claims",
]  # fmt: skip
Texts = tuple[str, ...]
READS: Mapping[str, Texts] = {  # what a part reads beside title and note
    "table": ("tasks", "metrics", "budgets"),
    "levels": ("tasks",),
    "trend": ("x", "group", "metrics", "where"),
    "published": ("published", "source", "tasks", "metrics", "budgets"),
    "claims": ("claims", "x", "source"),
    "diagnostics": ("kinds", "figures", "published", "columns", "source"),
}


def _as_list(value: Any) -> Any:
    """The list itself; another value as a list of it."""
    return value if isinstance(value, list | tuple) else [value]


def _as_lists(value: Mapping[Any, Any]) -> dict[Any, tuple[Any, ...]]:
    return {key: tuple(_as_list(one)) for key, one in value.items()}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedRow(_Strict):
    """A row of a published table: its name, and by task the values of the part's metrics, null for none.

    Values are in percent, those of tokens in tokens. In the part diagnostics they are those of the part's columns, by the name
    of the diagnosis's table, as that table has them.
    """

    name: str
    values: dict[str, tuple[float | None, ...]]


def _check_published(row: str, task: str, metric: str, value: float | None) -> None:
    """Raises ValueError unless the value is a share in percent, or of tokens any finite number from 0 on."""
    most = math.inf if metric.endswith("_tokens_mean") else 100.0
    if value is not None and not (math.isfinite(value) and 0 <= value <= most):
        wanted = "a finite number of tokens" if math.isinf(most) else "a share in percent, from 0 to 100"
        raise ValueError(f"the published row {row!r} has {value} as {metric} of {task}; wanted {wanted}")


class Claim(_Strict):
    """What a paper says about a direction, to be tested on the user's runs.

    gain: the runs score higher than the base. rises: the score rises with the axis x of the part. where selects the runs, as
    runs does for a whole report.
    """

    says: str
    test: Literal["gain", "rises"]
    domain: Literal["in_domain", "cross_domain"] = "in_domain"
    where: dict[str, Any] = {}

    @property
    def choice(self) -> dict[str, tuple[Any, ...]]:
        """where with a list of values for every key."""
        return _as_lists(self.where)


class Part(_Strict):
    """One part of a report. Which fields a part reads stands in docs/reports.md.

    metrics are columns (avg@n, pass@8, ...), tasks columns or rows, budgets rows; empty means all that there are. x is a key of
    checkpoint.yaml and group one that sets lines apart. where selects runs, as runs does for a whole report. kinds are those of
    diagnoses, and figures names of theirs; empty means all. columns are those of a diagnosis's table, which stand beside
    published values.
    """

    part: PartName
    title: str = ""
    note: str = ""
    metrics: Texts = ()
    tasks: Texts = ()
    budgets: Annotated[Texts, Field()] = ()
    x: str = "step"
    group: str = "paradigm"
    where: dict[str, Any] = {}
    published: tuple[PublishedRow, ...] = ()
    source: str = ""
    claims: tuple[Claim, ...] = ()
    kinds: Texts = ()
    figures: Texts = ()
    columns: Texts = ()
    _number: int = PrivateAttr(default=0)

    @property
    def place(self) -> str:
        """What errors and notes call the part, counted from 1: "part 3 (trend)"; "the part trend" outside a report."""
        return f"part {self._number} ({self.part})" if self._number else f"the part {self.part}"

    @property
    def choice(self) -> dict[str, tuple[Any, ...]]:
        """where with a list of values for every key."""
        return _as_lists(self.where)

    @field_validator("budgets", mode="before")
    @classmethod
    def _as_labels(cls, value: Any) -> Any:
        # YAML reads a bare off as false.
        return ["off" if one is False else str(one) for one in _as_list(value)] if value is not None else value

    @field_validator("tasks", "metrics", "kinds", "figures", "columns", mode="before")
    @classmethod
    def _as_texts(cls, value: Any) -> Any:
        return _as_list(value)

    @model_validator(mode="after")
    def _reads_its_fields(self) -> Part:
        reads = READS.get(self.part, ())
        if unread := sorted(self.model_fields_set - {"part", "title", "note", *reads}):
            wanted = ", ".join(("title", "note", *reads))
            raise ValueError(f"it does not read {', '.join(unread)}; it reads {wanted}")
        if self.part == "trend" and len(self.metrics) > 1:
            raise ValueError(f"it shows one metric, and has {', '.join(self.metrics)}; wanted a part for each")
        lacking: list[str] = [field for field in ("published", "claims") if self.part == field and not getattr(self, field)]
        lacking += ["metrics"] if self.part == "published" and not self.metrics else []
        if lacking:
            raise ValueError(f"it has no {' and no '.join(lacking)}")
        return self

    @model_validator(mode="after")
    def _published_fit(self) -> Part:
        for row in self.published if self.part == "published" else ():
            if strange := [task for task in row.values if task not in self.tasks]:
                raise ValueError(
                    f"the published row {row.name!r} has values of {', '.join(strange)}, which tasks does not name"
                )
            if wrong := [task for task, values in row.values.items() if len(values) != len(self.metrics)]:
                wanted = f"wanted one for each of {', '.join(self.metrics)}"
                raise ValueError(f"the published row {row.name!r} has another number of values for {wrong[0]}; {wanted}")
            for task, values in row.values.items():
                for metric, value in zip(self.metrics, values, strict=True):
                    _check_published(row.name, task, metric, value)
        return self

    @model_validator(mode="after")
    def _published_fit_a_table(self) -> Part:
        if self.part != "diagnostics":
            return self
        if not self.published:
            if unread := [field for field in ("columns", "source") if getattr(self, field)]:
                raise ValueError(f"it has {' and '.join(unread)}, which it reads beside published alone")
            return self
        if len(self.kinds) != 1 or not self.columns:
            raise ValueError("it has published values, beside which it needs one of kinds and the columns of its table")
        if len(tables := {table for row in self.published for table in row.values}) != 1:
            raise ValueError(f"its published rows have values of {', '.join(sorted(tables)) or 'no table'}; wanted one table")
        for row in self.published:
            values = next(iter(row.values.values()), ())
            if len(values) != len(self.columns):
                raise ValueError(f"the published row {row.name!r} has {len(values)} values; wanted {len(self.columns)}")
            if endless := [value for value in values if value is not None and not math.isfinite(value)]:
                raise ValueError(f"the published row {row.name!r} has {endless[0]}; wanted finite numbers")
        return self


class Definition(_Strict):
    """A report. about says, in Markdown, what it answers and how to read it.

    runs keeps those runs whose checkpoint.yaml, name or model has one of the values, such as {paradigm: [sft, rl]}; order
    sorts them by a key. base says whether a base run must be named.
    """

    title: str
    about: str
    runs: dict[str, tuple[Any, ...]] = {}
    order: str = ""
    base: Literal["required", "optional", "none"] = "optional"
    parts: Annotated[tuple[Part, ...], Field(min_length=1)]

    @field_validator("runs", mode="before")
    @classmethod
    def _as_lists(cls, value: Any) -> Any:
        return _as_lists(value) if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _count_parts(self) -> Definition:
        for number, part in enumerate(self.parts, 1):
            part._number = number
        return self


def reports_dir() -> Path | None:
    """The folder of the reports that ship: inside an installed package, or at the top of a source checkout; None if neither."""
    package = Path(raml_eval.__file__).resolve().parent
    found = (folder for folder in (package / "_reports", package.parent / "reports") if folder.is_dir())
    return next(found, None)


def report_names() -> list[str]:
    """The names of the reports that ship.

    Example: "generalization" in report_names()
    """
    folder = reports_dir()
    return sorted(path.parent.name for path in folder.glob(f"*/{FILE}")) if folder else []


def find_report(named: str) -> tuple[str, Definition]:
    """The name and the definition of a report that ships, or of a YAML file or its folder.

    Raises ConfigError for an unknown name, and for a file that is no report, with each wrong key.
    """
    folder = reports_dir()
    path = Path(named)
    if named in report_names() and folder is not None:
        path = folder / named / FILE
    elif path.is_dir():
        path = path / FILE
    elif path.suffix not in (".yaml", ".yml"):
        names = report_names()
        raise ConfigError(
            f"there is no report {named!r}.{near_names(named, names)} There are {', '.join(names)}; or name a YAML file."
        )
    return path.parent.name if path.name == FILE else path.stem, read_definition(path)


def read_definition(path: Path) -> Definition:
    """The definition in a file. Raises ConfigError, which names the file and each wrong key."""
    content: Any = None
    try:
        content = read_yaml(read_small_text(path, YAML_BYTES))
        return Definition.model_validate(content)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}. Name a report.yaml.") from error
    except ValidationError as error:
        told = faults(error, Definition, name_place=lambda place: _name_place(place, content))
        raise ConfigError(f"{path} is not a report: {told}. docs/reports.md shows the fields.") from error
    except ValueError as error:  # a ValidationError is one too
        raise ConfigError(f"{path} is not YAML: {error}. Correct it there.") from error


def _name_place(place: Sequence[int | str], content: Any) -> str:
    """A place in the file as errors write it, counted from 1, a part with its kind.

    Example: _name_place(("parts", 0, "x"), {"parts": [{"part": "trend"}]}) == "part 1 (trend): x"
    """
    words = [str(key + 1) if isinstance(key, int) else key for key in place]
    if len(place) < 2 or place[0] != "parts" or not isinstance(place[1], int):
        return ".".join(words)
    given = content["parts"][place[1]]
    kind = given.get("part") if isinstance(given, dict) else None
    named = f"part {words[1]}" + (f" ({kind:.20})" if isinstance(kind, str) else "")
    return f"{named}: {'.'.join(words[2:])}" if words[2:] else named
