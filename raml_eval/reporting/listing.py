"""Tables followed by findings, one below the other: the layout of what regrade, audit and judge print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from raml_eval.errors import ConfigError, near_names
from raml_eval.reporting.render import Table, render

LISTING_FORMATS = ("terminal", "markdown", "json")


@dataclass(frozen=True, slots=True)
class Item:
    """One finding: a line, and the lines that belong to it."""

    head: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListSection:
    """Findings under one title."""

    title: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything that is printed. Texts are not escaped yet."""

    title: str
    lead: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    sections: tuple[ListSection, ...] = ()
    notes: tuple[str, ...] = ()


def check_format(format: str, known: Sequence[str] = LISTING_FORMATS) -> None:
    """Raises ConfigError if the format is not among the known ones."""
    if format not in known:
        raise ConfigError(f"there is no format {format!r}.{near_names(format, known)} Choose {', '.join(known)}.")


def render_listing(listing: Listing, format: str) -> str:
    """The listing as text for a terminal or as Markdown."""
    return render(f"_listing.{format}.jinja", format, listing=listing).rstrip("\n")


def quote(text: str | None, size: int = 60) -> str:
    """The text of a model or a task in quotes, cut to about size characters of its beginning and end; 'nothing' for None."""
    if text is None:
        return "nothing"
    line = " ".join(text.split())
    half = size // 2
    return f"‘{line}’" if len(line) <= size else f"‘{line[:half]} … {line[-half:]}’"
