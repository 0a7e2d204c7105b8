"""The checkers of IFBench (Pyatkin et al. 2025, arXiv:2507.02833), as the package if-verifiable copies them from its authors.

The authors publish no package. Strict and loose are those of IFEval.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from raml_eval.sandbox.rules.ifeval import load_checkers, share_followed

REGISTRY = "if_verifiable.ifbench.instructions_registry"
NLTK_DATA = ("tokenizers/punkt_tab", "corpora/stopwords", "taggers/averaged_perceptron_tagger_eng")
INSTALL = "pip install 'raml-eval[ifbench]'"


def prepare(tests: Mapping[str, Any]) -> None:
    """The checkers are loaded. Raises LookupError if a package or data is missing."""
    load_checkers(REGISTRY, NLTK_DATA, INSTALL)


def score(tests: Mapping[str, Any], answer: str) -> tuple[float, str]:
    """The share of tests["instructions"] that the answer follows strictly; each has id and kwargs, and tests has the prompt."""
    return share_followed(load_checkers(REGISTRY, NLTK_DATA, INSTALL), tests, answer)
