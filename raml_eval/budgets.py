"""Thinking budgets: the values that a run may ask for, their order in tables, and the prompt that each of them needs.

1024           at most 1,024 thinking tokens
unlimited      as many as the context leaves
off            the model's own mode without thinking
frac:0.25      that share of each thinking that ended by itself without a limit
effort:low     no limit; the template is told an effort, which is a hint
hint:512       no limit; the template is told a number of tokens, which is a hint
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from raml_eval.errors import ConfigError
from raml_eval.types import Budget

THINKING, OFF = "thinking", "off"
_WANTED = "wanted a number of tokens, unlimited, off, log:LOW:HIGH:N, lin:LOW:HIGH:N, frac:SHARE,..., effort:VALUE or hint:N"
_ORDER = {OFF: 0, "number": 1, "unlimited": 1, "frac": 2, "hint": 3, "effort": 4}
_EFFORTS = ("none", "minimal", "low", "medium", "high", "max")


def parse_budgets(value: Any) -> list[Budget]:
    """The budgets of a number, a word, a comma-separated text, or a list of these.

    log:256:32768:8 is 8 numbers evenly spaced in their logarithm, both ends included; lin:1024:16384:16 is 16 evenly spaced
    ones. After frac:, the numbers that follow in a text are shares too; an integer in a list is always tokens. Raises
    ConfigError for anything else.

    Example: parse_budgets("off,log:256:1024:3,frac:0.5,1") == ["off", 256, 512, 1024, "frac:0.5", "frac:1"]
    """
    words = value.split(",") if isinstance(value, str) else list(value) if isinstance(value, list | tuple) else [value]
    budgets: list[Budget] = []
    kind = ""
    for word in words:
        if isinstance(word, str) and "," in word:
            budgets += parse_budgets(word)
            continue
        text = OFF if word is False else str(word).strip()  # YAML reads off as false
        head, colon, rest = text.partition(":")
        if colon:
            kind = head
        if head in ("log", "lin") and colon:
            budgets += _spaced(head, rest, text)
        elif colon or (kind == "frac" and text not in ("unlimited", OFF) and not isinstance(word, int)):
            budgets.append(_tagged(kind, rest if colon else text, text))
        else:
            kind = ""
            budgets.append(_plain(word, text))
    return budgets


def _plain(word: Any, text: str) -> Budget:
    if text in ("unlimited", OFF):
        return text
    if text.isdigit() and text != "0" and text.startswith("0"):
        raise ConfigError(
            f"thinking budget {text!r} begins with 0; a comma separates budgets, so 1024 is written without one. "
            f"Write {int(text)} if that is meant."
        )
    if not (text.isascii() and text.isdigit()) or isinstance(word, float | bool):
        raise ConfigError(f"thinking budget {word!r} is not known; {_WANTED}.")
    return int(text)


def _tagged(kind: str, rest: str, text: str) -> str:
    """One share, hint or effort, in its one spelling."""
    try:
        if kind == "frac":
            share = float(rest)
            if not 0 <= share <= 1:
                order = "" if text.startswith("frac:") else " Numbers after frac: are shares; put tokens before it."
                raise ConfigError(f"thinking budget {text!r} is a share of {rest}; wanted one from 0 to 1.{order}")
            return f"frac:{share:g}"
        if kind == "hint" and int(rest) >= 0:
            return f"hint:{int(rest)}"
        if kind == "effort":
            return f"effort:{_word(rest, text)}"
    except ValueError:
        pass
    raise ConfigError(f"thinking budget {text!r} is not known; {_WANTED}.")


def _word(rest: str, text: str) -> str:
    if not rest.strip():
        raise ConfigError(f"thinking budget {text!r} names no effort; wanted one such as effort:low.")
    return rest.strip()


def _spaced(kind: str, rest: str, text: str) -> list[Budget]:
    """Numbers between two ends, rounded, without repeats."""
    parts = rest.split(":")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ConfigError(f"thinking budget {text!r} is not known; wanted {kind}:LOW:HIGH:N, such as {kind}:256:32768:8.")
    low, high, n = map(int, parts)
    if n < 2 or low >= high or (kind == "log" and low < 1):
        raise ConfigError(f"thinking budget {text!r}: wanted LOW < HIGH, N >= 2{' and LOW >= 1' if kind == 'log' else ''}.")
    steps = [i / (n - 1) for i in range(n)]
    values = [low * (high / low) ** s if kind == "log" else low + (high - low) * s for s in steps]
    return list(dict.fromkeys(round(value) for value in values))


def budget_rank(budget: Budget) -> tuple[float | str, ...]:
    """The sort key of a budget: off, numbers ascending, unlimited, shares, hints, efforts from low to high."""
    if isinstance(budget, int):
        return _ORDER["number"], float(budget)
    kind, _, rest = budget.partition(":")
    if kind == "effort":
        known = _EFFORTS.index(rest) if rest in _EFFORTS else len(_EFFORTS)
        return _ORDER[kind], float(known), rest
    return _ORDER[kind], float(rest) if rest else math.inf


def sort_budgets(budgets: Iterable[Budget]) -> tuple[Budget, ...]:
    """Budgets without repeats, in the order that tables use.

    Example: sort_budgets(["unlimited", 64, "off", 64]) == ("off", 64, "unlimited")
    """
    return tuple(sorted(set(budgets), key=budget_rank))


def is_cap(budget: Budget) -> bool:
    """True if the budget is read from the one thinking that all caps share: a number, unlimited, or a share."""
    return isinstance(budget, int) or budget == "unlimited" or budget.startswith("frac:")


def in_tokens(budget: Budget) -> bool:
    """True if the budget cuts a thinking after a number of tokens: a number, or unlimited, which cuts nothing."""
    return is_cap(budget) and share_of(budget) is None


def share_of(budget: Budget) -> float | None:
    """The share that a budget such as frac:0.25 asks for; None for any other budget."""
    return float(budget.removeprefix("frac:")) if isinstance(budget, str) and budget.startswith("frac:") else None


def prompt_of(budget: Budget) -> str:
    """The prompt that the budget is drawn from: "thinking", "off", or the hint that its own prompt gives.

    Example: prompt_of(64) == "thinking" and prompt_of("effort:low") == "effort:low"
    """
    if budget == OFF:
        return OFF
    return THINKING if is_cap(budget) else str(budget)


def parse_label(label: str) -> Budget:
    """The budget that a table's label stands for.

    Example: parse_label("64") == 64 and parse_label("frac:0.5") == "frac:0.5"
    """
    return int(label) if label.isascii() and label.isdigit() else label
