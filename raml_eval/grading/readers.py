"""What reads an answer, for each kind but math."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from raml_eval.grading.bracket import extract_bracket
from raml_eval.grading.choice import extract_choice
from raml_eval.grading.exact import extract_exact
from raml_eval.grading.extract import Extraction
from raml_eval.grading.grid import extract_grid
from raml_eval.grading.label import extract_label

READERS: Mapping[str, Callable[[str, Sequence[str]], Extraction]] = {
    "choice": extract_choice,
    "exact": lambda text, options: extract_exact(text),
    "label": extract_label,
    "bracket": lambda text, options: extract_bracket(text),
    "grid": lambda text, options: extract_grid(text),
}
