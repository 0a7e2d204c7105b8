"""A leaderboard's board.yaml: what the leaderboard shows, and what it requires of a run."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from raml_eval.budgets import parse_budgets
from raml_eval.errors import ConfigError
from raml_eval.manifest import flatten
from raml_eval.metric_names import EXAMPLES, split_metric, what_is_wrong
from raml_eval.model_faults import faults
from raml_eval.small_files import YAML_BYTES, read_small_text
from raml_eval.tables import Measure
from raml_eval.types import Budget, Domain
from raml_eval.yaml_text import read_yaml

# What a model brings with it: itself, its template, how it marks its thinking and ends its turn; and the engine that draws.
FREE = ("model", "prompt.chat_template", "prompt.format", "end_of_turn", "engine")
_EARLIER = {  # keys of board.yaml before entries held counts
    "k": "samples, and the k in the names of columns, such as pass@8",
    "metric": "rank_by.metric and columns",
    "settings": "rules.protocol, whose keys are those of the manifest's protocol",
}


def _budgets(value: Any) -> Any:
    try:
        return list(parse_budgets(value))
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _budget(value: Any) -> Any:
    found = _budgets(value)
    if len(found) != 1:
        raise ValueError(f"wanted one budget, met {len(found)}")
    return found[0]


def _metric(value: Any) -> Any:
    found = split_metric(value) if isinstance(value, str) else None
    if found is None:
        why = what_is_wrong(value) if isinstance(value, str) else None
        told = why or f"wanted one such as {', '.join(EXAMPLES)}"
        raise ValueError(f"there is no metric {value!r} that follows from counts; {told}")
    return value


Metric = Annotated[str, BeforeValidator(_metric)]


def _each_once(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if twice := [value for place, value in enumerate(values) if value in values[:place]]:
        raise ValueError(f"{twice[0]} is there twice; wanted each once")
    return values


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Ranking(_Part):
    """The number that ranks the entries: the metric's mean over one domain's tasks at one budget."""

    metric: Metric = "avg@n"
    domain: Domain = "in_domain"
    budget: Annotated[Budget, BeforeValidator(_budget)]


class Rules(_Part):
    """What every entry must have been drawn by.

    backends lists the engines; None allows each but fake, whose answers are made up. grader_version is the grader of all
    verdicts; None takes that of the first entry. imported allows runs that were imported from other harnesses' logs. protocol
    holds keys of the manifest's protocol with the values that are wanted. Keys that are not there must be the same in all
    entries, except those that free names: a name covers its key and every key below it.
    """

    backends: tuple[str, ...] | None = Field(None, min_length=1)
    grader_version: str | None = None
    imported: bool = False
    protocol: dict[str, Any] = {}
    free: tuple[str, ...] = FREE

    def pins(self) -> dict[str, Any]:
        """The wanted value of each pinned key, with dots, as in "sampling.top_k". A date is the text that a manifest has."""
        found = flatten(self.protocol)
        return {key: value.isoformat() if isinstance(value, date) else value for key, value in found.items()}

    def is_free(self, key: str) -> bool:
        """True if entries may differ in the key."""
        return any(key == name or key.startswith(f"{name}.") for name in self.free)


class Board(_Part):
    """A leaderboard. description is Markdown. samples is n, the draws per question.

    columns are the metrics that it shows. limit is the --limit that runs are drawn with; None requires every question.
    """

    title: str = Field(min_length=1)
    description: str
    tasks: Annotated[tuple[str, ...], AfterValidator(_each_once)] = Field(min_length=1)
    budgets: Annotated[tuple[Budget, ...], BeforeValidator(_budgets), AfterValidator(_each_once), Field(min_length=1)]
    samples: int = Field(ge=1)
    columns: Annotated[tuple[Metric, ...], AfterValidator(_each_once)] = Field(("avg@n",), min_length=1)
    rank_by: Ranking
    limit: int | None = Field(None, ge=1)
    rules: Rules = Rules()

    @property
    def rank_measure(self) -> Measure:
        """The metric that ranks."""
        return to_measure(self.rank_by.metric)

    @property
    def measures(self) -> list[Measure]:
        """The metrics of the columns, that which ranks first."""
        return [to_measure(name) for name in dict.fromkeys((self.rank_by.metric, *self.columns))]

    @property
    def ks(self) -> list[int]:
        """The k of all metrics."""
        return sorted({measure.k for measure in self.measures if measure.k})


def metric_name(name: str) -> str:
    """The name as a measure has it, or the name itself if it is none.

    Example: metric_name("g_pass@8:1.0") == "g_pass@8:1"
    """
    return name if split_metric(name) is None else to_measure(name).name


def to_measure(name: str) -> Measure:
    """The measure of a name that split_metric reads.

    Example: to_measure("pass@8") == Measure("pass@k", 8)
    """
    parts = split_metric(name)
    assert parts is not None  # the board's fields are checked
    return Measure(*parts)


def read_board(folder: Path) -> Board:
    """The board of a folder. Raises ConfigError, which names the file and each wrong key."""
    path = folder / "board.yaml"
    try:
        board = Board.model_validate(read_yaml(read_small_text(path, YAML_BYTES)))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}. Name a folder with a board.yaml.") from error
    except ValidationError as error:
        raise ConfigError(f"{path} is not a board: {faults(error, Board, _EARLIER)}. Correct it there.") from error
    except ValueError as error:  # UnicodeDecodeError is one
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}. Correct it there.") from error
    if board.rank_by.budget not in board.budgets:
        raise ConfigError(f"{path}: rank_by.budget {board.rank_by.budget} is not among budgets. Add it there.")
    if board.ks and board.ks[-1] > board.samples:
        raise ConfigError(
            f"{path}: a metric with k = {board.ks[-1]} needs as many samples per question, and samples is {board.samples}. "
            f"Raise samples or lower k there."
        )
    return board
