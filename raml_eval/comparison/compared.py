"""What a comparison found: its cells, curves and flips, as plain frozen values."""

from __future__ import annotations

from dataclasses import dataclass

from raml_eval.comparison.endpoints import Family, PrimaryEndpoint
from raml_eval.comparison.verdicts import Verdict
from raml_eval.intervals import NoiseSplit, PairedDifference
from raml_eval.types import Domain


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """One tested difference, new minus base. Shares and their differences lie in [-1, 1]; tokens are tokens.

    low and high are at level, which the family's correction left, and the verdict is read from them; alone is the same
    difference at the level of the whole comparison, as if nothing else were tested. p and p_adjusted are NaN if there is no
    test. within_margin is true if the whole interval lies within the margin. detectable is the true difference that this
    interval would have found in four of five comparisons; needed_questions, needed_samples are what the margin needs in its
    place (None: no number, or enough already; needed_samples is infinite if no number of samples is enough). noise says how
    much of the difference's variance comes from the questions and how much from redrawing; None if it was not asked for.
    """

    family: Family
    scope: str
    domain: Domain
    tasks: tuple[str, ...]
    budget: str
    metric: str
    base: float
    new: float
    difference: float
    low: float
    high: float
    level: float
    alone: PairedDifference
    p: float
    p_adjusted: float
    n_questions: int
    verdict: Verdict
    within_margin: bool
    detectable: float
    needed_questions: int | None = None
    needed_samples: float | None = None
    noise: NoiseSplit | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A difference that is shown and not tested, with its interval at the level of the whole comparison."""

    scope: str
    budget: str
    metric: str
    base: float
    new: float
    found: PairedDifference


@dataclass(frozen=True, slots=True)
class Curve:
    """The difference of pass@k over k for the tasks of one domain, with a band that holds at all k together.

    crossing names the k between which the difference last changes its sign; certain is true if the band excludes 0 on both
    sides of it, with opposite signs.
    """

    domain: Domain
    budget: str
    ks: tuple[int, ...]
    base: tuple[float, ...]
    new: tuple[float, ...]
    difference: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    crossing: tuple[int, int] | None
    certain: bool


@dataclass(frozen=True, slots=True)
class Flip:
    """A question whose majority of samples turned: base and new are the correct samples of n_base and n_new."""

    task: str
    question_id: str
    base: int
    n_base: int
    new: int
    n_new: int

    @property
    def to_right(self) -> bool:
        """True from wrong to right."""
        return self.new * self.n_base > self.base * self.n_new


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs compared. level is that of the whole comparison, margin a share; names are those that a table shows."""

    base: str
    new: str
    primary: PrimaryEndpoint
    level: float
    margin: float
    verdict: Verdict
    cells: tuple[ComparedCell, ...]
    listed: tuple[Listed, ...]
    curves: tuple[Curve, ...]
    flips: tuple[Flip, ...]
    notes: tuple[str, ...]

    def family(self, family: Family) -> tuple[ComparedCell, ...]:
        """The cells of one family."""
        return tuple(cell for cell in self.cells if cell.family == family)

    @property
    def regressed(self) -> bool:
        """True if the whole, or a single task at the primary budget and metric, is worse."""
        return self.verdict is Verdict.WORSE or any(cell.verdict is Verdict.WORSE for cell in self.family("tasks"))
