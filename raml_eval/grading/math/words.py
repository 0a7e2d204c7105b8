"""Brings answers in words into one spelling, and recognises what a short phrase says."""

from __future__ import annotations

import re

from raml_eval.grading.math.forms import Form, Value, Word
from raml_eval.grading.statements.table import PHRASES

# The one phrase that stands for all words of a table.
_MEANINGS = {"not_existing": "does not exist", "infinite_word": "infinity", "many_solutions": "infinitely many"}

_OPPOSITES = (("odd", "even"), ("positive", "negative"))


def plain_words(text: str) -> str:
    """The words case folded, without article and full stops. Phrases with the same meaning become one.

    Example: plain_words("There are no real solutions") is "no solution".
    """
    text = re.sub(r"(?<=[apAP])\.?(?=[mM]\.?$)", "", text.strip("()")).casefold().replace(".", "")
    text = PHRASES["article before"].sub("", text)
    text = re.sub(r"(\d) ?([ap]m)$", r"\1 \2", text)
    if PHRASES["no solution"].fullmatch(text):
        return "no solution"
    return next((meaning for table, meaning in _MEANINGS.items() if text in PHRASES.word_set(table)), text)


def word_of(form: Form) -> str | None:
    """The word of a form, case folded; None if the form is no word."""
    if isinstance(form, Word):
        return form.text
    return form.text.casefold() if isinstance(form, Value) and form.text.isalpha() and form.unit is None else None


def says(answer: str, gold: str) -> bool:
    """Whether the answer is a short phrase whose words beside the gold's change nothing.

    Example: says("the function is odd", "odd") is True, says("older than bob", "bob") is not.
    """
    words, wanted = answer.split(), gold.split()
    if len(words) > 8 or len(words) <= len(wanted) or len(gold) < 3 or PHRASES.word_set("taken_back") & {*words, *wanted}:
        return False
    return any(
        words[place : place + len(wanted)] == wanted
        and PHRASES["before word"].fullmatch("".join(f"{word} " for word in words[:place])) is not None
        and PHRASES["behind word"].fullmatch(" ".join(words[place + len(wanted) :])) is not None
        for place in range(len(words))
    )


def are_opposite(left: str, right: str) -> bool:
    """Whether two conditions in words exclude each other: one says odd and the other one even."""
    words = [set(re.findall(r"[a-z-]+", text)) for text in (left, right)]
    return any(
        one in words[0] - words[1] and other in words[1] - words[0] for pair in _OPPOSITES for one, other in (pair, pair[::-1])
    )


def same_time(word: str, clock: str) -> bool:
    """Whether a clock time without am or pm is the given one: 2:30 pm is 2:30 or 14:30."""
    match = re.fullmatch(r"(\d{1,2}):(\d\d) ([ap])m", word)
    if match is None:
        return False
    hour = int(match[1]) % 12 + 12 * (match[3] == "p")
    return clock in (f"{int(match[1])}:{match[2]}", f"{hour}:{match[2]}", f"{hour:02}:{match[2]}")
