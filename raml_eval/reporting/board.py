"""A leaderboard's board.yaml: what the leaderboard requires of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from raml_eval.errors import ConfigError
from raml_eval.types import Domain

BudgetField = int | Literal["unlimited", "off"]


class Ranking(BaseModel):
    """The number that sorts the entries: the metric's mean over one domain's tasks at one budget."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    domain: Domain = "in_domain"
    budget: BudgetField


class Board(BaseModel):
    """A leaderboard. description is Markdown. k is the k of its metrics, and the least number of samples per question.

    metric is the metric that entries are ranked by: avg@n, or one that uses k. settings are keys of the run's configuration,
    with dots ("sampling.temperature"), whose values every entry must share. limit is the --limit that entries are drawn
    with; None requires every question.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    description: str
    tasks: tuple[str, ...] = Field(min_length=1)
    budgets: tuple[BudgetField, ...] = Field(min_length=1)
    metric: Literal["avg@n", "pass@k", "mg_pass@k", "maj@k"] = "avg@n"
    k: int = Field(ge=1)
    rank_by: Ranking
    limit: int | None = Field(None, ge=1)
    settings: dict[str, Any] = {}


def read_board(folder: Path) -> Board:
    """The board of a folder. Raises ConfigError, which names the file and each wrong key."""
    path = folder / "board.yaml"
    try:
        board = Board.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}. Name a folder with a board.yaml.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}. Correct it there.") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{path} is not a board: {wrong}. Correct it there.") from error
    if board.rank_by.budget not in board.budgets:
        raise ConfigError(f"{path}: rank_by.budget {board.rank_by.budget} is not among budgets. Add it there.")
    return board
