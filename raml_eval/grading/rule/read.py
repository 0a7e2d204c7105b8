"""What a question's rule is, and the answer that it reads in a text."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from typing import Any

from raml_eval.errors import TaskError
from raml_eval.grading.exact import extract_exact, normalize_exact
from raml_eval.grading.extraction import Extraction
from raml_eval.grading.text import LOOKED_AT, clean

READ = ("answer", "whole")
NO_ANSWER_SCORE = 0.0  # of a text that gives nothing to score
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TAG = re.compile(r"<answer>((?:(?!<answer>).)*?)</answer>", re.IGNORECASE | re.DOTALL)


@functools.lru_cache(maxsize=16)
def read_rule(text: str) -> Mapping[str, Any]:
    """The rule of one question from the JSON text of its tests, with every field there. Raises TaskError for another text.

    rule is the name of a module of raml_eval.sandbox.rules. read is what of a completion it scores: answer, or whole.
    """
    try:
        tests: dict[str, Any] = {"read": "answer"} | json.loads(text)
        rule = tests["rule"]
    except (ValueError, TypeError, KeyError) as error:
        raise TaskError(
            f"the gold of a question with a rule is no JSON object with the key rule ({type(error).__name__}: {error}): "
            f"{text[:80]!r}. Correct the task's metadata.raml.tests."
        ) from None
    if not isinstance(rule, str) or not _NAME.fullmatch(rule):
        raise TaskError(f"the rule of a question is {rule!r}; wanted the name of a module of raml_eval/sandbox/rules.")
    if tests["read"] not in READ:
        raise TaskError(f"the rule {rule} reads {tests['read']!r}; wanted one of {', '.join(READ)}. Correct the task's tests.")
    return tests


def extract_ruled(text: str, read: str = "answer") -> Extraction:
    """What a rule scores of a text behind its thinking: its answer, or the whole without white space around it.

    The answer is the content of the last closed <answer>, letter by letter, because a verifier may count each; else what the
    kind exact reads.

    Example: extract_ruled("<answer>[1, 2]</answer>").answer is "[1, 2]".
    """
    if read == "whole":
        whole = text.strip()
        return Extraction(whole or None, "whole text" if whole else "nothing found", concluded=True)
    tags = _TAG.findall(text[-LOOKED_AT:])
    if tags and tags[-1].strip():
        return Extraction(tags[-1].strip(), "answer tag", closed=True)
    return extract_exact(clean(text))


def normalize_ruled(text: str) -> str:
    """The spelling in which samples vote."""
    return normalize_exact(text)
