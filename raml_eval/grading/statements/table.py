"""The phrases by which answers are recognised, as data: words by language, and the patterns that are made of them.

languages/*.toml hold words, each with an example that only it makes readable. patterns.toml, here and in the folders of the
kinds, hold patterns: rows of regular expressions in which {name} stands for any word of that name, or for a fragment. A
word or row is tested by being taken away: then its own example must be read otherwise (tests/test_phrases.py).

    PHRASES["denied"].search("I do not think that the answer is ")

To add a phrase in a language, write it with an example into the language's file; no code changes.
"""

from __future__ import annotations

import contextlib
import functools
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar, overload

from raml_eval.errors import RamlError

GRADING = Path(__file__).resolve().parents[1]
T = TypeVar("T")
_NAME = re.compile(r"\\.|\{([a-z][a-z_ ]*)\}", re.DOTALL)  # an escaped brace opens no name
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}


@dataclass(frozen=True, slots=True)
class Row:
    """One word, or one row of a pattern: a regular expression, and texts that show what it is there for.

    table is the name under which it is used, number its place there, source the file that it stands in. An example reads
    'text => answer', with 'kind: ' before the text for any kind but a choice among four towns; an empty answer: none is
    read. A counterexample is a text in which the row must not be found.
    """

    table: str
    number: int
    pattern: str
    examples: tuple[str, ...]
    counterexamples: tuple[str, ...] = ()
    source: str = ""

    @property
    def id(self) -> str:
        return f"{self.source}: {self.table}[{self.number}] {self.pattern[:40]}"


@dataclass(frozen=True, slots=True)
class Table:
    """The rows of one name: a list of words, or a pattern with its flags (of i, m, s) and where it applies."""

    name: str
    rows: tuple[Row, ...]
    flags: str = ""
    where: str = ""
    says: str = ""


class Phrases:
    """All tables, and the compiled patterns that they make together."""

    def __init__(self, fragments: Mapping[str, str], tables: Mapping[str, Table]) -> None:
        self.fragments = dict(fragments)
        self.tables = dict(tables)
        self._compiled: dict[str, re.Pattern[str]] = {}
        self._words: dict[str, tuple[str, ...]] = {}
        self._word_sets: dict[str, frozenset[str]] = {}
        self._dependent: list[Callable[[], None]] = [self._words.clear, self._word_sets.clear]

    def __getitem__(self, name: str) -> re.Pattern[str]:
        """The pattern of that name: whatever any of its rows matches, earlier rows first. Compiled once."""
        compiled = self._compiled.get(name)
        if compiled is None:
            table = self.tables[name]
            flags = functools.reduce(lambda all_, letter: all_ | _FLAGS[letter], table.flags, re.NOFLAG)
            self._compiled[name] = compiled = re.compile(self.source(name), flags)
        return compiled

    def source(self, name: str) -> str:
        """The regular expression of a table, with all names in it replaced."""
        rows = self.tables[name].rows
        return "|".join(self.expand(row.pattern) for row in rows) if rows else "(?!)"

    def words(self, name: str) -> tuple[str, ...]:
        """The words of a table as they are written, for callers that look them up rather than search for them."""
        if name not in self._words:
            self._words[name] = tuple(self.expand(row.pattern) for row in self.tables[name].rows)
        return self._words[name]

    def word_set(self, name: str) -> frozenset[str]:
        """The words of a table, to ask whether a word is one of them."""
        if name not in self._word_sets:
            self._word_sets[name] = frozenset(self.words(name))
        return self._word_sets[name]

    def expand(self, pattern: str) -> str:
        """The regular expression with every {name} in it replaced by what it stands for."""
        return _NAME.sub(lambda match: self._meaning(match[1]) if match[1] else match[0], pattern)

    def _meaning(self, name: str) -> str:
        if name in self.fragments:
            return self.expand(self.fragments[name])
        return f"(?:{self.source(name)})"

    @overload
    def cached(self, function: Callable[..., T]) -> Callable[..., T]: ...

    @overload
    def cached(self, *, maxsize: int) -> Callable[[Callable[..., T]], Callable[..., T]]: ...

    def cached(self, function: Callable[..., Any] | None = None, *, maxsize: int = 256) -> Callable[..., Any]:
        """The function with a cache that is emptied whenever a row is replaced: @PHRASES.cached, or with its size."""
        if function is None:
            return functools.partial(self.cached, maxsize=maxsize)
        caching = functools.lru_cache(maxsize=maxsize)(function)
        self._dependent.append(caching.cache_clear)
        return caching

    def replaced(self, row: Row, pattern: str | None) -> contextlib.AbstractContextManager[None]:
        """A block in which the row has another pattern, or is gone (None). For tests: what notices that?"""
        table, users = self.tables[row.table], self._users(row.table)
        others = (replace(other, pattern=pattern or "") if other == row else other for other in table.rows)
        kept = tuple(other for other in others if other.number != row.number or pattern is not None)
        compiled = {name: found for name, found in self._compiled.items() if name not in users}
        return self._in_force({**self.tables, row.table: replace(table, rows=kept)}, compiled)

    def using(self, tables: Mapping[str, Table]) -> contextlib.AbstractContextManager[None]:
        """A block in which these tables are in force instead. For tests, of a new language say."""
        return self._in_force(dict(tables), {})

    @contextlib.contextmanager
    def _in_force(self, tables: dict[str, Table], compiled: dict[str, re.Pattern[str]]) -> Iterator[None]:
        before = self.tables, self._compiled
        try:
            self.tables, self._compiled = tables, compiled
            self._clear()
            yield
        finally:
            self.tables, self._compiled = before
            self._clear()

    def _users(self, name: str) -> set[str]:
        """The tables whose patterns the table of that name is part of, itself included."""
        users, grown = {name}, True
        while grown:
            found = {
                table.name for table in self.tables.values() if any(self._names_in(row.pattern) & users for row in table.rows)
            }
            found |= {fragment for fragment, pattern in self.fragments.items() if self._names_in(pattern) & users}
            grown = not found <= users
            users |= found
        return users

    def _names_in(self, pattern: str) -> set[str]:
        return set(filter(None, _NAME.findall(pattern)))

    def _clear(self) -> None:
        for clear in self._dependent:
            clear()


def load_phrases(folder: Path = GRADING) -> Phrases:
    """The tables of all language and pattern files below a folder. Raises RamlError for a file that breaks their rules."""
    fragments: dict[str, str] = {}
    words: dict[str, list[Row]] = {}
    tables: dict[str, Table] = {}
    for path in sorted(folder.rglob("patterns.toml")):
        content = _load(path)
        fragments |= content.pop("fragments", {})
        tables |= {name: _pattern(name, entry, path) for name, entry in content.items()}
    for path in _languages(folder):
        for name, entries in _load(path).items():
            for pattern, *examples in entries:
                of_name = words.setdefault(name, [])
                of_name.append(Row(name, len(of_name), pattern, tuple(examples), source=path.name))
    if twice := (fragments.keys() & tables.keys()) | (words.keys() & (tables.keys() | fragments.keys())):
        raise RamlError(f"the grading phrases define {', '.join(sorted(twice))} twice; give each name to one table.")
    phrases = Phrases(fragments, tables | {name: Table(name, tuple(rows)) for name, rows in words.items()})
    _check_names(phrases)
    return phrases


def _languages(folder: Path) -> Sequence[Path]:
    """The language files, English first: of two words that both fit, the one that is found first counts."""
    found = sorted((folder / "statements" / "languages").glob("*.toml"))
    return sorted(found, key=lambda path: path.stem != "en")


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise RamlError(f"{path} is not TOML: {error}. Mend it there.") from error


def _pattern(name: str, entry: Mapping[str, Any], path: Path) -> Table:
    source = f"{path.parent.name}/{path.name}"
    rows = tuple(
        Row(name, number, row["pattern"], tuple(row["examples"]), tuple(row.get("counterexamples", ())), source)
        for number, row in enumerate(entry["row"])
    )
    return Table(name, rows, entry.get("flags", ""), entry["where"], entry["says"])


def _check_names(phrases: Phrases) -> None:
    known = phrases.tables.keys() | phrases.fragments.keys()
    for table in phrases.tables.values():
        for row in table.rows:
            if unknown := phrases._names_in(row.pattern) - known:
                raise RamlError(f"{row.id} uses {', '.join(sorted(unknown))}, which no table or fragment is called.")


PHRASES = load_phrases()
