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
_OPENED = re.compile(r"<answer>((?:(?!</?answer>).)*?)(?:\n[ \t]*\n|\Z)", re.IGNORECASE | re.DOTALL)
# What stands between tags that a text only talks about: "between <answer> and </answer>", "<answer>...</answer>".
_JOINT = re.compile(r"[\W_]*(?:and|or|to|und|et|y|和|与)?[\W_]*", re.IGNORECASE)
_BETWEEN = re.compile(r"\b(?:between|zwischen|entre)[\W_]*$|[在于]\W*$", re.IGNORECASE)
_WITHIN = re.compile(r"\b(?:between|inside|within|in|with|using)[\W_]*$", re.IGNORECASE)
_PLACEHOLDER = re.compile(
    r"[\W_]*(?=.*[.…_])[\W_]*|[\W_]*(?:your|the|final)(?: final)?(?: short)? answer(?: here)?[\W_]*", re.IGNORECASE
)
_MARKS = (
    re.compile(r"\$?\s*\\boxed\{(.*)\}\s*\$?", re.DOTALL),
    re.compile(r"\$\$?([^$]+)\$\$?"),
    re.compile(r"\*\*(.+)\*\*", re.DOTALL),
    re.compile(r"```[a-z]{0,12}\n(.*?)\n?```", re.DOTALL),
    re.compile(r"`([^`]+)`"),
)


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

    The answer is the content of the last <answer>, letter by letter, because a verifier may count each; else what the kind
    exact reads. Tags that the text only talks about do not count. One that is never closed ends with its paragraph.

    Example: extract_ruled("<answer>[1, 2]</answer>").answer is "[1, 2]".
    """
    if read == "whole":
        whole = text.strip()
        return Extraction(whole or None, "whole text" if whole else "nothing found", concluded=True)
    text = text[-LOOKED_AT:]
    closed = [match for match in _TAG.finditer(text) if not _is_mention(text, match)]
    if closed:
        return Extraction(closed[-1][1].strip(), "answer tag", closed=True)
    opened = [match for match in _OPENED.finditer(text) if not _is_mention(text, match)]
    if opened:
        return Extraction(opened[-1][1].strip(), "answer tag without its end")
    return extract_exact(clean(_TAG.sub(" ", text)))


def _is_mention(text: str, tag: re.Match[str]) -> bool:
    """Whether the text talks about the tags: nothing stands between them, a placeholder, or a joint inside a sentence."""
    content = tag[1].strip()
    if not content or _PLACEHOLDER.fullmatch(content):
        return True
    before = text[: tag.start()].rpartition("\n")[2]
    between = _WITHIN if content.casefold() == "and" else _BETWEEN
    return _JOINT.fullmatch(content) is not None and between.search(before) is not None


def without_marks(answer: str) -> str:
    r"""The answer without one box, formula, bold or code mark around all of it; the answer itself if there is none.

    Example: without_marks(r"\boxed{42}") == "42"
    """
    return next((found[1].strip() for mark in _MARKS if (found := mark.fullmatch(answer.strip()))), answer)


def normalize_ruled(text: str) -> str:
    """The spelling in which samples vote."""
    return normalize_exact(text)
