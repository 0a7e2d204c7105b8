"""Is one run better than another? Declared endpoints, levels that are shared out among them, and four words."""

from raml_eval.comparison.compare import compare_runs
from raml_eval.comparison.compared import ComparedCell, Comparison, Curve, Flip, Listed
from raml_eval.comparison.endpoints import FAMILIES, PrimaryEndpoint
from raml_eval.comparison.verdicts import MARGIN, Verdict

__all__ = [
    "FAMILIES",
    "MARGIN",
    "ComparedCell",
    "Comparison",
    "Curve",
    "Flip",
    "Listed",
    "PrimaryEndpoint",
    "Verdict",
    "compare_runs",
]
