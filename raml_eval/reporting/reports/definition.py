"""The report.yaml of a report: which runs it takes, and its parts in order."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

import raml_eval
from raml_eval.errors import ConfigError, near_names
from raml_eval.model_faults import faults
from raml_eval.small_files import YAML_BYTES, read_small_text
from raml_eval.yaml_text import read_yaml

FILE = "report.yaml"
PartName = Literal[
    "runs", "domains", "means", "thinking", "table", "generalization", "levels", "heatmap", "trend", "budget_curve",
    "stability_curve", "comparison", "published", "claims",
]  # fmt: skip
Texts = tuple[str, ...]
READS: Mapping[str, Texts] = {  # what a part reads beside title and note
    "table": ("tasks", "metrics", "budgets"),
    "levels": ("tasks",),
    "trend": ("x", "group", "metrics"),
    "published": ("published", "source", "tasks", "metrics", "budgets"),
    "claims": ("claims", "x"),
}


def _as_list(value: Any) -> Any:
    """The list itself; another value as a list of it."""
    return value if isinstance(value, list | tuple) else [value]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedRow(_Strict):
    """A row of a published table: its name, and by task the values of the part's metrics in percent, null for none."""

    name: str
    values: dict[str, tuple[float | None, ...]]


class Claim(_Strict):
    """What a paper says about a direction, to be tested on the user's runs.

    gain: the runs score higher than the base. rises: the score rises with the axis x of the part. where selects the runs, as
    runs does for a whole report.
    """

    says: str
    test: Literal["gain", "rises"]
    domain: Literal["in_domain", "cross_domain"] = "in_domain"
    where: dict[str, Any] = {}


class Part(_Strict):
    """One part of a report. Which fields a part reads stands in docs/reports.md.

    metrics are columns (avg@n, pass@8, ...), tasks columns or rows, budgets rows; empty means all that there are. x is a key of
    checkpoint.yaml and group one that sets lines apart.
    """

    part: PartName
    title: str = ""
    note: str = ""
    metrics: Texts = ()
    tasks: Texts = ()
    budgets: Annotated[Texts, Field()] = ()
    x: str = "step"
    group: str = "paradigm"
    published: tuple[PublishedRow, ...] = ()
    source: str = ""
    claims: tuple[Claim, ...] = ()

    @field_validator("budgets", mode="before")
    @classmethod
    def _as_labels(cls, value: Any) -> Any:
        # YAML reads a bare off as false.
        return ["off" if one is False else str(one) for one in _as_list(value)] if value is not None else value

    @field_validator("tasks", "metrics", mode="before")
    @classmethod
    def _as_texts(cls, value: Any) -> Any:
        return _as_list(value)

    @model_validator(mode="after")
    def _reads_its_fields(self) -> Part:
        reads = READS.get(self.part, ())
        if unread := sorted(self.model_fields_set - {"part", "title", "note", *reads}):
            wanted = ", ".join(("title", "note", *reads))
            raise ValueError(f"the part {self.part} does not read {', '.join(unread)}; it reads {wanted}")
        if self.part == "trend" and len(self.metrics) > 1:
            raise ValueError(f"the part trend shows one metric, and has {', '.join(self.metrics)}; wanted a part for each")
        lacking: list[str] = [field for field in ("published", "claims") if self.part == field and not getattr(self, field)]
        lacking += ["metrics"] if self.part == "published" and not self.metrics else []
        if lacking:
            raise ValueError(f"the part {self.part} has no {' and no '.join(lacking)}")
        return self

    @model_validator(mode="after")
    def _published_fit(self) -> Part:
        for row in self.published:
            if strange := [task for task in row.values if task not in self.tasks]:
                raise ValueError(
                    f"the published row {row.name!r} has values of {', '.join(strange)}, which tasks does not name"
                )
            if wrong := [task for task, values in row.values.items() if len(values) != len(self.metrics)]:
                wanted = f"wanted one for each of {', '.join(self.metrics)}"
                raise ValueError(f"the published row {row.name!r} has another number of values for {wrong[0]}; {wanted}")
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
        return {key: _as_list(one) for key, one in value.items()} if isinstance(value, dict) else value


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
    try:
        return Definition.model_validate(read_yaml(read_small_text(path, YAML_BYTES)))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}. Name a report.yaml.") from error
    except ValidationError as error:
        raise ConfigError(f"{path} is not a report: {faults(error, Definition)}. docs/reports.md shows the fields.") from error
    except ValueError as error:  # a ValidationError is one too
        raise ConfigError(f"{path} is not YAML: {error}. Correct it there.") from error
