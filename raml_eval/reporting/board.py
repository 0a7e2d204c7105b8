"""What a leaderboard asks of a run: its board.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from raml_eval.errors import ConfigError
from raml_eval.types import Domain

BudgetField = int | Literal["unlimited", "off"]


class Ranking(BaseModel):
    """The number that entries are sorted by: the metric's mean over one domain's tasks at one budget."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    domain: Domain = "in_domain"
    budget: BudgetField


class Board(BaseModel):
    """A leaderboard. description is Markdown. k is the k of its metrics and the fewest samples per question.
    metric is what entries are ranked by: avg@n, or one that has k for its k.

    settings are keys of the run's configuration that an entry must share, with dots ("sampling.temperature").
    limit is the --limit that entries are drawn with; None wants every question.
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
    """The board of a folder. Raises ConfigError that names the file and each wrong key."""
    path = folder / "board.yaml"
    try:
        board = Board.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}. Name a folder with a board.yaml.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not YAML: {' '.join(str(error).split())}. Mend it there.") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"{path} is no board: {wrong}. Mend it there.") from error
    if board.rank_by.budget not in board.budgets:
        raise ConfigError(f"{path}: rank_by.budget {board.rank_by.budget} is none of budgets. Add it there.")
    return board
