"""The rules by which a thinking is shortened: each is a pure function, and its effect is one sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from raml_eval.diagnostics.pruning.sentences import Sentence, split_sentences
from raml_eval.errors import ConfigError
from raml_eval.reflection import begins_with_reflection

Span = tuple[int, int]
SUMMARY = "summary"
_WANTED = "wanted first:K, last:K, no-reflections, no-repeats, share:S or summary"

# Words that may stand before a reflection at the beginning of a sentence, each with an example of a sentence that is dropped.
LEADS: dict[str, str] = {
    "and": "And wait, 12 is even.",
    "ah": "Ah, wait, 12 is even.",
    "but": "But wait, 12 is even.",
    "no": "No, wait, 12 is even.",
    "oh": "Oh, hold on, 12 is even.",
    "ok": "OK, let me check that.",
    "okay": "Okay, let me check that.",
    "so": "So let me double-check that.",
    "well": "Well, let me verify that.",
    "但": "但等等，这不对。",
    "但是": "但是等一下，这不对。",
}
_NO_WORDS = re.compile(r"[\s>#*+\-\d.)(\"'“‘「『]*")
_LEAD = re.compile("|".join(rf"{word}\b" if word.isascii() else word for word in sorted(LEADS, key=len, reverse=True)), re.I)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by its name as it is asked for. about says in one sentence what it does.

    spans gives the characters of a text that stay; None for a share, which is cut by tokens, and for a summary, which is
    written by a model.
    """

    name: str
    about: str
    spans: Callable[[str], list[Span]] | None = None
    share: float | None = None


def parse_rules(asked: Iterable[str]) -> tuple[Rule, ...]:
    """The rules without repeats. Raises ConfigError for an unknown one, and for none at all."""
    rules = {rule.name: rule for rule in map(parse_rule, asked)}
    if not rules:
        raise ConfigError(f"no rule is given; {_WANTED}. Pass --by.")
    return tuple(rules.values())


def parse_rule(text: str) -> Rule:
    """The rule of a name. Raises ConfigError for any other text.

    Example: parse_rule("first:8").spans is not None
    """
    kind, colon, value = text.strip().partition(":")
    if not colon and kind == "no-reflections":
        return Rule(kind, "Sentences that begin with a word or phrase of reflection are dropped.", without_reflections)
    if not colon and kind == "no-repeats":
        return Rule(kind, "Sentences that repeat an earlier one, but for blanks, are dropped.", without_repeats)
    if not colon and kind == SUMMARY:
        return Rule(kind, "A model's summary takes the place of the thinking.")
    if kind in ("first", "last") and value.isascii() and value.isdigit() and int(value) > 0:
        n = int(value)
        which = "Only the sentence at the {0} is kept." if n == 1 else f"Only the {{0}} {n} sentences are kept."
        ends = {"first": "beginning", "last": "end"} if n == 1 else {"first": "first", "last": "last"}
        keep = keep_first if kind == "first" else keep_last
        return Rule(f"{kind}:{n}", which.format(ends[kind]), lambda text: keep(text, n))
    if kind == "share" and (share := _share(value)) is not None:
        about = f"Only the first tokens are kept, {100 * share:g} % of them, rounded down."
        return Rule(f"share:{share:g}", about, share=share)
    raise ConfigError(f"--by {text!r} is not a rule; {_WANTED}, with K of 1 or more and S from 0 to 1.")


def is_cut(name: str) -> bool:
    """True for the name of a rule that keeps the beginning of every thinking, as a budget does."""
    return name.startswith(("first:", "share:"))


def _share(text: str) -> float | None:
    try:
        share = float(text)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None


def share_of_tokens(n: int, share: float) -> int:
    """The number of tokens in a share of n, rounded down as budgets of shares are.

    Example: share_of_tokens(10, 0.3) == 3
    """
    return math.floor(share * n + 1e-9)


def keep_first(text: str, n: int) -> list[Span]:
    """The first n sentences."""
    return _spans(split_sentences(text)[:n])


def keep_last(text: str, n: int) -> list[Span]:
    """The last n sentences."""
    return _spans(split_sentences(text)[-n:])


def without_reflections(text: str) -> list[Span]:
    """All sentences but those that begin with a word or phrase of reflection (raml_eval.reflection).

    Blanks, list marks and quotes, and one word of LEADS, may stand before it. Lines of code blocks and display formulas stay.
    """
    return _spans(one for one in split_sentences(text) if one.block or not reflects(one.of(text)))


def reflects(sentence: str) -> bool:
    """True if a sentence begins with a reflection.

    Example: reflects("But wait, 12 is even.") and not reflects("We wait for 12 minutes.")
    """
    words = sentence[_end_of(_NO_WORDS, sentence) :]
    if begins_with_reflection(words):
        return True
    lead = _LEAD.match(words)
    return lead is not None and begins_with_reflection(words[lead.end() :].lstrip(" ,;:.…—-，、"))


def _end_of(pattern: re.Pattern[str], text: str) -> int:
    match = pattern.match(text)
    return match.end() if match else 0


def without_repeats(text: str) -> list[Span]:
    """All sentences but those that an earlier one already said, where runs of blanks count as one.

    Lines of code blocks and display formulas stay, and so does what has neither letters nor digits.
    """
    seen: set[str] = set()
    kept = []
    for sentence in split_sentences(text):
        words = " ".join(sentence.of(text).split())
        said = words in seen and not sentence.block and any(map(str.isalnum, words))
        if not said:
            kept.append(sentence)
            seen.add(words)
    return _spans(kept)


def _spans(sentences: Iterable[Sentence]) -> list[Span]:
    """Where the sentences stand; neighbours are one span."""
    spans: list[Span] = []
    for one in sentences:
        if spans and spans[-1][1] == one.start:
            spans[-1] = (spans[-1][0], one.end)
        else:
            spans.append((one.start, one.end))
    return spans


def text_of(text: str, spans: Sequence[Span]) -> str:
    """What the spans keep of the text."""
    return "".join(text[start:end] for start, end in spans)
