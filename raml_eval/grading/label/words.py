"""A closed set of labels, and the words in many languages that mean each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import soft_key

POSITIVE, NEGATIVE, UNKNOWN = 1, -1, 0
_TABLES = {POSITIVE: "true_word", NEGATIVE: "false_word", UNKNOWN: "uncertain_word"}


@PHRASES.cached
def _meanings() -> dict[str, int]:
    return {word: meaning for meaning, table in _TABLES.items() for word in PHRASES.words(table)}


def meaning_of(label: str) -> int | None:
    """POSITIVE, NEGATIVE or UNKNOWN for a label that is a word for one of them in some language; None for any other."""
    return _meanings().get(soft_key(label))


class Labels:
    """A closed set of labels with the words that mean each of them.

    by_meaning: the label of each meaning that exactly one label has, so "true" and "valid" together are no help. words: the
    label that a word in lower case means. pattern finds such a word, the longest first. only_two: there is no third label,
    so whatever is not the one is the other.

    Example: Labels(("yes", "no")).words["true"] is "yes".
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self.only_two = len(labels) == 2
        own = {key: label for label in labels if (key := soft_key(label))}
        meanings = [meaning_of(label) for label in labels]
        self.by_meaning = {
            meaning: label
            for label, meaning in zip(labels, meanings, strict=True)
            if meaning is not None and meanings.count(meaning) == 1
        }
        # With a third label, 'not entailed' denies one of them and does not choose another.
        unusable = frozenset() if self.only_two else PHRASES.word_set("only_of_two")
        known = {word: self.by_meaning[m] for word, m in _meanings().items() if m in self.by_meaning and word not in unusable}
        self.words = known | own
        self.pattern = _any_of(self.words)

    def label_of(self, word: str) -> str:
        """The label that a match of pattern means."""
        return self.words[re.sub(r"\s+", " ", word.replace("’", "'"))]


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    """A pattern of all words, the longest first, however their blanks and apostrophes are written."""
    longest_first = sorted(words, key=len, reverse=True)
    written = "|".join(re.escape(word).replace("'", "['’]").replace(r"\ ", r"\s+") + _boundary(word) for word in longest_first)
    return re.compile(f"(?:{written})" if written else r"(?!)")


def _boundary(word: str) -> str:
    """What may not follow the word: more letters, except in scripts that are written without blanks."""
    return r"(?![\w'’]|-\w)" if word[-1].isascii() or (word[-1].isalpha() and word[-1] < "\u0500") else ""


@PHRASES.cached
def label_words(labels: tuple[str, ...]) -> Labels:
    """The labels ready to be looked for, made once for the many samples of a task."""
    return Labels(labels)
