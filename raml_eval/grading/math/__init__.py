"""Mathematical answers: reading them, and whether two are equal."""

from raml_eval.grading.math.equal import equal_math, quick_math, symbolic_math

__all__ = ["equal_math", "quick_math", "symbolic_math"]
