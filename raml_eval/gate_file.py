"""The rules of a gate, read from its YAML file (docs/comparing.md): which differences must hold, and how sure that must be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from raml_eval.budgets import parse_budgets
from raml_eval.errors import ConfigError, near_names
from raml_eval.model_faults import wanted
from raml_eval.types import Budget, Domain
from raml_eval.yaml_text import kind_of, read_yaml

EVERY_TASK = "*"
Test = Literal["non_inferiority", "superiority", "equivalence"]
Tier = Literal["blocking", "advisory"]
Inconclusive = Literal["fail", "warn", "pass"]
Direction = Literal["higher", "lower"]
_SCOPES = ("suite", "domain", "task")
_MAX_NAME = 60
_NO_CELLS = "it has no cells, so it would let everything pass; wanted at least one, such as {domain: in_domain}"


def _is_plain(name: str) -> bool:
    # A comment is found again by its name, inside <!-- -->, where "--" and ">" would end the marker.
    plain = name.isprintable() and not any(word in name for word in ("--", "<", ">"))
    return plain and name.strip() == name and 0 < len(name) <= _MAX_NAME


def _one_budget(value: Any) -> Budget | None:
    if value is None:
        return None
    try:
        found = parse_budgets(value)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    if len(found) != 1:
        raise ValueError(f"budget {value!r} names {len(found)} budgets; wanted one. Write a cell for each.")
    return found[0]


def _listed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else (value,) if isinstance(value, str) else value


OneBudget = Annotated[Budget | None, BeforeValidator(_one_budget)]
Margin = Annotated[float, Field(gt=0, strict=True)]
Level = Annotated[float, Field(ge=0.5, le=0.9999, strict=True)]
Samples = Annotated[int, Field(ge=1, strict=True)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class GatePrimary(_Part):
    """The primary metric and budget of the whole comparison, in place of the suite's."""

    metric: str | None = None
    budget: OneBudget = None


class GateCell(_Part):
    """One rule. What is None is the gate's, or the comparison's primary metric and budget.

    Exactly one of suite, domain and task is given; the task "*" stands for each task of the base run. margin is in points, for
    tokens in tokens.
    """

    suite: str | None = None
    domain: Domain | None = None
    task: str | None = None
    budget: OneBudget = None
    metric: str | None = None
    test: Test = "non_inferiority"
    tier: Tier = "blocking"
    inconclusive: Inconclusive = "fail"
    direction: Direction | None = None
    margin: Margin | None = None
    level: Level | None = None
    min_samples: Samples | None = None

    @model_validator(mode="after")
    def _names_one_scope(self) -> Self:
        given = [key for key in _SCOPES if getattr(self, key) is not None]
        if len(given) != 1:
            named = f"{' and '.join(given)} are named" if given else "nothing is named"
            raise ValueError(f"{named}; wanted exactly one of {', '.join(_SCOPES)}")
        return self


class GateFile(_Part):
    """A gate: its cells, and what holds for every cell that does not say otherwise. margin is in points."""

    name: str
    margin: Annotated[float, Field(gt=0, lt=100, strict=True)] = 2.0
    level: Level = 0.95
    min_samples: Samples | None = None
    allow_different: Annotated[tuple[str, ...], BeforeValidator(_listed)] = ()
    primary: GatePrimary = GatePrimary()
    cells: Annotated[tuple[GateCell, ...], BeforeValidator(_listed)]

    @model_validator(mode="after")
    def _can_block(self) -> Self:
        if not self.cells:
            raise ValueError(_NO_CELLS)
        if all(cell.tier == "advisory" for cell in self.cells):
            raise ValueError("every cell is advisory, so this gate could never fail; wanted a cell with tier: blocking")
        meant = [self._meant(cell) for cell in self.cells]
        for number, one in enumerate(meant, 1):
            if one in meant[: number - 1]:
                raise ValueError(f"cells {meant.index(one) + 1} and {number} are the same; remove one of them")
        return self

    def _meant(self, cell: GateCell) -> GateCell:
        """The cell with what holds where it says nothing, so that a rule is known again however it is written."""
        lacks_margin = cell.margin is None and cell.test != "superiority"  # which exceeds 0 without one, and not the gate's
        return cell.model_copy(
            update={
                "budget": self.primary.budget if cell.budget is None else cell.budget,
                "metric": cell.metric or self.primary.metric,
                "margin": self.margin if lacks_margin else cell.margin,
                "level": cell.level or self.level,
                "min_samples": cell.min_samples or self.min_samples or 1,
            }
        )

    @model_validator(mode="after")
    def _has_a_plain_name(self) -> Self:
        if not _is_plain(self.name):
            raise ValueError(
                f"name is {self.name!r:.80}; wanted 1 to {_MAX_NAME} printable characters without --, < and >, such as release"
            )
        return self

    @property
    def digest(self) -> str:
        """SHA-256 (16 hex digits) of every rule, so that a later look can tell whether the gate is the same."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def load_gate(path: str | Path) -> GateFile:
    """The gate of a YAML file. Its name is the file's stem if the file gives none.

    Raises ConfigError, with everything that is wrong in one line, if the file cannot be read or is no gate. Names of tasks,
    suites and metrics are checked when the gate is applied.
    """
    path = Path(path)
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the gate {path}: {error.strerror}. Name a YAML file with cells.") from error
    except ValueError as error:
        raise ConfigError(f"the gate {path} cannot be read as YAML: {error}. Correct it there.") from error
    if not isinstance(content, dict):
        raise ConfigError(
            f"the gate {path} holds {kind_of(content)}, wanted keys and values. The least is `cells: [{{domain: in_domain}}]`."
        )
    return build_gate(content, path.stem, f"the gate {path}")


def find_name(path: str | Path) -> str:
    """The name of a gate whose file may be broken: the one in the file, otherwise the file's stem, otherwise gate."""
    path = Path(path)
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    named = content.get("name") if isinstance(content, dict) else None
    return next((one for one in (named, path.stem) if isinstance(one, str) and _is_plain(one)), "gate")


def build_gate(content: Mapping[str, Any], name: str = "gate", where: str = "the gate") -> GateFile:
    """The gate of a mapping with the keys of a gate's file. Raises ConfigError, with everything that is wrong in one line.

    Example: build_gate({"cells": [{"domain": "in_domain"}]}).cells[0].test == "non_inferiority"
    """
    try:
        return GateFile.model_validate({"name": name, **content})
    except ValidationError as error:
        problems = "; ".join(dict.fromkeys(_problem(detail) for detail in error.errors()))
        stop = "" if problems.endswith("?") else "."
        raise ConfigError(f"{where}: {problems}{stop}{_keys(error.errors())}") from None


def _keys(details: Sequence[Any]) -> str:
    """The keys that there are, of every part in which one is not known."""
    unknown = [detail["loc"][0] if len(detail["loc"]) > 1 else "" for detail in details if detail["type"] == "extra_forbidden"]
    parts: Mapping[str, tuple[str, type[BaseModel]]] = {
        "": ("a gate", GateFile), "primary": ("primary", GatePrimary), "cells": ("a cell", GateCell)
    }  # fmt: skip
    return "".join(f" Keys of {parts[one][0]}: {', '.join(parts[one][1].model_fields)}." for one in dict.fromkeys(unknown))


def _problem(detail: Any) -> str:
    place: tuple[Any, ...] = detail["loc"]
    key = str(place[-1]) if place else ""
    section: type[BaseModel] = GateFile
    told = ""
    if place[:1] == ("primary",):
        section, told = GatePrimary, "primary: "
    elif place[:1] == ("cells",) and len(place) > 1:
        section, told = GateCell, f"cell {place[1] + 1}: "
    met = repr(detail.get("input"))[:80]
    match detail["type"]:
        case "extra_forbidden":
            return f"{told}unknown key {key!r}.{near_names(key, section.model_fields)}".rstrip(".")
        case "missing":
            return _NO_CELLS
        case "model_type":
            return f"{told}{met} is no mapping; wanted keys such as {', '.join(list(section.model_fields)[:5])}"
        case "value_error":
            return f"{told}{str(detail['ctx']['error']).rstrip('.')}"
    return f"{told}{key} is {met}; wanted {wanted(detail)}"
