"""Is one run better than another? Declared endpoints, levels that are shared out among them, and four words."""

from raml_eval.comparison.compare import compare_runs
from raml_eval.comparison.compared import ComparedCell, Comparison, Curve, Flip, Listed
from raml_eval.comparison.endpoints import FAMILIES, PrimaryEndpoint
from raml_eval.comparison.gate import (
    CellValues,
    GateResult,
    JudgedCell,
    Outcome,
    Rule,
    Uncompared,
    amount,
    judge_gate,
    needed_for,
)
from raml_eval.comparison.gating import check_gate, check_planned, compare_gated, judge_runs
from raml_eval.comparison.verdicts import MARGIN, Verdict

__all__ = [
    "FAMILIES",
    "MARGIN",
    "CellValues",
    "ComparedCell",
    "Comparison",
    "Curve",
    "Flip",
    "GateResult",
    "JudgedCell",
    "Listed",
    "Outcome",
    "PrimaryEndpoint",
    "Rule",
    "Uncompared",
    "Verdict",
    "amount",
    "check_gate",
    "check_planned",
    "compare_gated",
    "compare_runs",
    "judge_gate",
    "judge_runs",
    "needed_for",
]
