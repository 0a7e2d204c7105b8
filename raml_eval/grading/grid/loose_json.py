"""JSON as models write it: comments, single or missing quotes, trailing commas. Read, never evaluated."""

from __future__ import annotations

import json
import re
from typing import Any

DEEPEST = 20  # levels of nesting; a solution has four
BUDGET = 1_000_000  # characters read over all attempts, so that a text full of braces costs bounded time

_BLANK = re.compile(r"(?:\s+|//[^\n]*|#[^\n]*|/\*(?:[^*]|\*(?!/)){0,5000}\*/)*")
_LONGEST_COMMENT = 5000
_QUOTES = {'"': '"', "'": "'", "“": "[”“]", "”": "”", "‘": "[’‘]", "«": "»", "「": "」"}
# A quote that no delimiter follows is part of the text: "It's left", "he said "no" then".
_CLOSES = r"""\s*(?:[,:}\]]|//|#|/\*|$)|[ \t]*\n\s*["'“}\]]"""
_STRINGS = {
    opening: re.compile(rf"{opening}((?:\\.|(?!{closing})[^\\]|{closing}(?!{_CLOSES})){{0,50000}}){closing}", re.DOTALL)
    for opening, closing in _QUOTES.items()
}
_BARE = re.compile(r"[^\s,:{}\[\]\"“][^,:{}\[\]\n\"“]{0,200}")
_BARE_VALUE = re.compile(r"[^\s,{}\[\]\"“][^,{}\[\]\n\"“]{0,400}")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "", "f": ""}
_WORDS = {"null": None, "none": None, "true": True, "false": False, "undefined": None, "nan": None}


class _Unreadable(Exception):
    """The text at hand is no JSON, not even a loose one."""


class _Reader:
    """Reads values from a text until its budget of characters is spent, and raises _Unreadable for whatever is none."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.left = BUDGET

    def read(self, at: int, depth: int = 0) -> tuple[Any, int]:
        """The value at a position and where it ends."""
        at = self._skip(at)
        opening = self.text[at : at + 1]
        if opening in ("{", "[") and depth >= DEEPEST:
            raise _Unreadable
        if opening == "{":
            return self._read_object(at + 1, depth)
        if opening == "[":
            return self._read_list(at + 1, depth)
        if opening in _STRINGS:
            return self._read_string(at)
        match = _BARE_VALUE.match(self.text, at)
        if match is None:
            raise _Unreadable
        self._spend(match.end() - at)
        word = match[0].split("//")[0].strip()
        return _WORDS.get(word.casefold(), word), match.end()

    def _read_object(self, at: int, depth: int) -> tuple[dict[str, Any], int]:
        found: dict[str, Any] = {}
        while True:
            at = self._skip(at)
            if self.text[at : at + 1] == "}":
                return found, at + 1
            key, at = self._read_key(at)
            at = self._skip(at)
            if self.text[at : at + 1] not in (":", "："):
                raise _Unreadable
            found[key], at = self.read(at + 1, depth + 1)
            at = self._after_item(at, "}")

    def _read_list(self, at: int, depth: int) -> tuple[list[Any], int]:
        found: list[Any] = []
        while True:
            at = self._skip(at)
            if self.text[at : at + 1] == "]":
                return found, at + 1
            value, at = self.read(at, depth + 1)
            found.append(value)
            at = self._after_item(at, "]")

    def _after_item(self, at: int, closing: str) -> int:
        """The position past the comma, or of the closing bracket; a comma may be missing at the end of a line."""
        end = self._skip(at)
        following = self.text[end : end + 1]
        if following in (",", "，", ";"):
            return end + 1
        if following == closing or "\n" in self.text[at:end]:
            return end
        raise _Unreadable

    def _read_key(self, at: int) -> tuple[str, int]:
        if self.text[at : at + 1] in _STRINGS:
            return self._read_string(at)
        match = _BARE.match(self.text, at)
        if match is None:
            raise _Unreadable
        self._spend(match.end() - at)
        return match[0].strip(), match.end()

    def _read_string(self, at: int) -> tuple[str, int]:
        match = _STRINGS[self.text[at]].match(self.text, at)
        if match is None:
            self._spend(50_000)
            raise _Unreadable
        self._spend(match.end() - at)
        return _ESCAPE.sub(_unescape, match[1]), match.end()

    def _skip(self, at: int) -> int:
        match = _BLANK.match(self.text, at)
        end = match.end() if match else at
        self._spend(end - at + (_LONGEST_COMMENT if self.text.startswith("/*", end) else 1))
        return end

    def _spend(self, characters: int) -> None:
        self.left -= characters
        if self.left < 0:
            raise _Unreadable


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match[1], 16)) if match[1] else _ESCAPED.get(match[2], match[2])


def read_objects(text: str) -> list[Any]:
    """Every object and every list of objects in the text that can be read, in order, but none that is part of another.

    Strict JSON is read as the standard says. Other quotes or none, comments, trailing and forgotten commas, and line breaks
    in strings are tolerated. Nothing is evaluated. At most BUDGET characters are read, failed attempts included.

    Example: read_objects("So: {House: 'mine', }") is [{"House": "mine"}].
    """
    return [value for _, _, value in find_objects(text)]


def find_objects(text: str) -> list[tuple[int, int, Any]]:
    """What read_objects finds, each with where it begins and ends."""
    reader, found, at = _Reader(text), [], 0
    for match in re.finditer(r"\{|\[(?=\s*\{)", text):
        if match.start() < at:
            continue
        if reader.left < 0:
            break
        try:
            value, at = reader.read(match.start())
        except _Unreadable:
            continue
        found.append((match.start(), at, _as_standard(text[match.start() : at], value)))
    return found


def _as_standard(text: str, loose: Any) -> Any:
    """The value that the standard gives the text if it is standard JSON, with numbers as texts; else the loose reading."""
    try:
        return json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return loose
