"""The verifiers of the package reasoning-gym (Stojanovski et al. 2025, arXiv:2505.24760), with their partial scores.

Nine of its verifiers evaluate an answer: four by eval, five by sympy's parser, which is eval after a rewriting of names. A
sandbox keeps such an answer from everything outside, but not from the verdict on itself. So the four get literal_eval in place
of eval, and the five see an answer only if it is a plain formula; all others would run code, and score 0.
"""

from __future__ import annotations

import ast
import functools
import json
import keyword
import math
import re
import sys
from collections.abc import Mapping
from typing import Any

EVALUATING = frozenset({"binary_matrix", "n_queens", "spiral_matrix", "string_insertion"})
PARSING = frozenset({"countdown", "intermediate_integration", "polynomial_multiplication", "puzzle24", "simple_integration"})
_FUNCTIONS = (
    "sin cos tan cot sec csc asin acos atan acot asec acsc sinh cosh tanh coth sech csch asinh acosh atanh acoth exp log ln "
    "sqrt cbrt Abs sign floor ceiling factorial Rational erf erfi erfc Si Ci Ei li gamma"
)
FUNCTIONS = frozenset(_FUNCTIONS.split())
# The whole of an answer has this form, whatever its case; tests/test_tasks_procedural.py probes every generator.
FORMS: Mapping[str, str] = {
    "fraction_simplification": r"\$?\s*(?:-?\d+\s*(?:/\s*\d+)?|-?\\[dt]?frac\s*\{-?\d+\}\s*\{\d+\})\s*\$?",
    "kakurasu": r"[01\s,;\[\]|]+",
    "knights_knaves": r"(?:(?:and\s+)?\w[\w'-]*\s+is\s+an?\s+\w[\w-]*[\s,;.]*)+",
    "polynomial_equations": r"[-+]?[\d.]+(?:e-?\d+)?(?:\s*,\s*[-+]?[\d.]+(?:e-?\d+)?)*",
    "quantum_lock": r"[A-Z](?:\s*(?:→|->|,|\s)\s*[A-Z])*",
    "sokoban": r"[LRUD\s,]+",
    "survo": r"[\d\s,;\[\]|]+",
    "time_intervals": r"(?:\d+\s*(?:days?)?(?:\s*,?\s+)?)?(?:\d+(?::\d+)+(?:\.\d+)?)?",
}
WHOLE = frozenset({"letter_jumble", "spell_backward"})  # right only if nothing is added to the answer
_NO_NUMBER = re.compile(r"(?<![A-Za-z])(?:nan|inf|infinity)(?![A-Za-z])", re.IGNORECASE)
_TOKEN = re.compile(
    r"\s*(?:((?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?(?![\w.]))|([A-Za-z]\w*)|(\*\*|//|[-+*/^%!(),]))", re.ASCII
)
_BEFORE_BRACKET = frozenset(["", "(", ",", "+", "-", "*", "/", "**", "//", "^", "%"])


def prepare(tests: Mapping[str, Any]) -> None:
    """The verifier of these tests is loaded, and evaluates nothing but literals. Raises ImportError without reasoning-gym."""
    _dataset(tests["generator"], json.dumps(tests.get("config", {}), sort_keys=True))


def score(tests: Mapping[str, Any], answer: str) -> tuple[float, str]:
    """The package's own score of the answer to tests["entry"]: question, answer and metadata as the generator gave them."""
    generator = tests["generator"]
    dataset = _dataset(generator, json.dumps(tests.get("config", {}), sort_keys=True))
    if refused := _refusal(generator, answer, str(tests["entry"]["answer"])):
        return 0.0, f"the verifier did not see the answer: {refused}"
    try:
        share = float(dataset.score_answer(answer, entry=tests["entry"]))
    except MemoryError:
        raise
    except Exception as error:  # a verifier that cannot read an answer raises whatever it likes
        return 0.0, f"the verifier of {generator} failed on the answer with {type(error).__name__}"
    if not math.isfinite(share):
        return 0.0, f"the verifier of {generator} gave {share}"
    share = min(max(share, 0.0), 1.0)
    return share, f"reasoning_gym {generator}: score {share:.4g}"


def _refusal(generator: str, answer: str, gold: str) -> str:
    """Why the verifier must not see the answer: it would run it, or take a part of it for the whole. Empty if it may."""
    if generator in PARSING and not is_plain_formula(answer):
        return "it is no plain formula"
    if _NO_NUMBER.search(answer) and not _NO_NUMBER.search(gold):  # min(1.0, nan) is 1.0
        return "nan and infinity are no answers"
    form = FORMS.get(generator)
    if form and not re.fullmatch(form, answer.strip(), re.IGNORECASE):
        return "it is not of the form of an answer"
    if generator in WHOLE and " ".join(answer.split()).casefold() != " ".join(gold.split()).casefold():
        return "" if len(answer) <= len(gold) else "it is longer than the answer"
    return ""


@functools.lru_cache(maxsize=64)
def _dataset(generator: str, config: str) -> Any:
    """The generator's data set, whose settings its verifier reads."""
    import reasoning_gym.factory

    kind, config_class = reasoning_gym.factory.DATASETS[generator]
    if generator in EVALUATING:
        sys.modules[kind.__module__].eval = ast.literal_eval  # type: ignore[attr-defined]
    return kind(config=make_config(config_class, json.loads(config)))


def make_config(config_class: Any, values: Mapping[str, Any]) -> Any:
    """The generator's settings from JSON values: a list becomes a tuple where the default is one."""
    defaults = config_class()
    made = {
        name: tuple(value) if isinstance(value, list) and isinstance(getattr(defaults, name, None), tuple) else value
        for name, value in values.items()
    }
    config = config_class(**made)
    if hasattr(config, "validate"):
        config.validate()
    return config


def is_plain_formula(text: str) -> bool:
    """Whether a text is only numbers, names, operators and calls of FUNCTIONS, which sympy's parser can evaluate safely.

    There is no text, attribute, subscript or keyword in it, and nothing is called but FUNCTIONS by their names.

    Example: is_plain_formula("2*x**2 + sin(x)") and not is_plain_formula("().__class__")
    """
    before, at, text = "", 0, text.rstrip()
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None:
            return False
        number, name, mark = token.groups()
        if name is not None and ("__" in name or keyword.iskeyword(name)):
            return False
        if mark == "(" and before not in _BEFORE_BRACKET and before not in FUNCTIONS:
            return False
        before, at = number or name or mark, token.end()
    return bool(before)
