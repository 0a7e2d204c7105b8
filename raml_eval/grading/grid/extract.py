"""Solutions of house puzzles: a grid of houses and attributes, as JSON or as a table."""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from raml_eval.errors import TaskError
from raml_eval.grading.extraction import Extraction
from raml_eval.grading.grid.loose_json import find_objects
from raml_eval.grading.statements.settle import cut_next_turn, read_before
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import lower

Grid = dict[int, dict[str, str]]  # house number -> attribute, as written -> value

_NUMBER = re.compile(r"(?<!\d)(\d{1,2})(?!\d)")
_ROW = re.compile(r"^[ \t]*\|(.{1,2000}?)\|?[ \t]*$", re.MULTILINE)
# A hyphen behind a word or a digit is no sign; a second point makes a version or a date of it.
_DECIMAL = re.compile(r"((?<![\w)\]])[+-]|(?<![\w.]))(?=\.?\d)(\d*)(?:\.(\d+))?(?!\d|\.\d)")
_SENTENCE_BEFORE = re.compile(r"[^.!?\n]*$")
_SENTENCE_BEHIND = re.compile(r"^[^.!?\n]*")
_MARKS = re.compile(r"[\W_]+")
_BLANK_CELL = re.compile(r"[_\W]*")


def extract_grid(text: str) -> Extraction:
    """The last solution in the text, written as JSON {"House 1": {attribute: value}}.

    A solution is a JSON object of houses, a list of them, or {"header": [...], "rows": [...]}, either on its own or under a
    key such as 'solution'. It is read tolerantly (see loose_json). A piece of a solution in a sentence that rejects it does
    not take the place of a whole one before it. If there is none, the last Markdown table counts.

    Example: extract_grid("{House 1: {Name: Arnold}}").answer is '{"House 1": {"Name": "Arnold"}}'.
    """
    return read_before(cut_next_turn(lower(text)), len(text), lambda end: _extract(text[:end]))


def _extract(text: str) -> Extraction:
    grids = [(start, end, grid) for start, end, value in find_objects(text) if (grid := _read_value(value))]
    while len(grids) > 1 and _is_rejected_piece(text, *grids[-1], max(_size(grid) for _, _, grid in grids[:-1])):
        grids.pop()
    if grids:
        return Extraction(_write(grids[-1][2]), "JSON", closed=True)
    grid = _read_table(text)
    return Extraction(_write(grid), "table") if grid else Extraction(None, "no solution found")


def _is_rejected_piece(text: str, start: int, end: int, grid: Grid, whole: int) -> bool:
    """Whether a grid has at most half of the cells of a whole one, and stands in a sentence that rejects it."""
    if 2 * _size(grid) > whole:
        return False
    said = _SENTENCE_BEFORE.findall(text[max(0, start - 200) : start]) + _SENTENCE_BEHIND.findall(text[end : end + 200])[:1]
    return PHRASES["grid rejected"].search(" ".join(said)) is not None


def _size(grid: Grid) -> int:
    return sum(map(len, grid.values()))


def _write(grid: Grid) -> str:
    return json.dumps({f"House {house}": grid[house] for house in sorted(grid)}, ensure_ascii=False)


def _read_value(value: Any, depth: int = 0) -> Grid:
    """The grid that a JSON value holds; an empty one if it holds none."""
    if isinstance(value, list):
        return _read_list(value)
    if not isinstance(value, Mapping) or depth > 3:
        return {}
    named = {_normal(key): inner for key, inner in value.items()}
    if isinstance(named.get("header"), list) and isinstance(named.get("rows"), list):
        return _read_rows(named["header"], named["rows"])
    grid: Grid = {}
    for key, inner in value.items():
        house = _house_number(str(key))
        if house is not None and isinstance(inner, Mapping):
            grid[house] = _read_cells(inner)
    if any(grid.values()):
        return grid
    for key, inner in reversed(named.items()):
        if key in PHRASES.word_set("grid_wrapper") and (found := _read_value(inner, depth + 1)):
            return found
    return {}


def _read_list(rows: list[Any]) -> Grid:
    """A grid from a list of houses, which are numbered as they say or else in order."""
    grid: Grid = {}
    for position, row in enumerate(rows[:99], 1):
        if not isinstance(row, Mapping):
            return {}
        number = next((inner for key, inner in row.items() if _normal(key) in PHRASES.word_set("house_title")), None)
        house = _house_number(str(number)) if number is not None else position
        if house is not None:
            grid[house] = _read_cells(row)
    return grid if any(grid.values()) else {}


def _read_rows(header: list[Any], rows: list[Any]) -> Grid:
    titles = [str(title) for title in header]
    as_lists = [row for row in rows if isinstance(row, list)]
    return _read_list([dict(zip(titles, row, strict=False)) for row in as_lists]) if titles else {}


def _read_cells(row: Mapping[str, Any]) -> dict[str, str]:
    """The attributes of a house; a list of one value counts as that value, and whatever is no single value is left out."""
    cells = {}
    for key, value in row.items():
        while isinstance(value, list) and len(value) == 1:
            value = value[0]
        if (
            _normal(key) not in PHRASES.word_set("house_title")
            and isinstance(value, str | int | float)
            and not isinstance(value, bool)
        ):
            cells[str(key).strip()[:200]] = str(value).strip()[:400]
    return cells


def _house_number(name: str) -> int | None:
    """The number of a house that is called 'House 2', 'Second House' or '2'; a language lists its ordinals from one to ten."""
    match = _NUMBER.search(name)
    if match is not None:
        return int(match[1]) if len(name) <= 40 else None
    ordinals = PHRASES.words("ordinal")
    words = re.findall(r"[a-z]+", name.casefold()[:40])
    return next((ordinals.index(word) % 10 + 1 for word in words if word in ordinals), None)


def _read_table(text: str) -> Grid:
    """The last Markdown table whose first column is titled as the house; empty if there is none."""
    rows = [(m.start(), [cell.strip(" *_`") for cell in m[1].split("|")]) for m in list(_ROW.finditer(text))[-200:]]
    header: list[str] = []
    grid: Grid = {}
    end = -1
    for start, cells in rows:
        fresh = text[end:start].strip() != "" if end >= 0 else True
        end = start + len(text[start:].partition("\n")[0])
        if fresh:
            header, body = cells, []
        elif not all(_BLANK_CELL.fullmatch(cell) for cell in cells):
            body.append(cells)
        if header and _normal(header[0]) in PHRASES.word_set("house_title") and body:
            grid = _read_rows(header, [list(row) for row in body])
    return grid


def _normal(text: object) -> str:
    """What attributes are compared by: their letters and digits, in lower case."""
    return _MARKS.sub("", unicodedata.normalize("NFKC", str(text)).casefold())


def _value(cell: str) -> str:
    """What values are compared by: letters and digits as in _normal, and the sign and the point of a number.

    A cell of nothing but symbols is compared by them.
    """
    text = unicodedata.normalize("NFKC", cell).casefold().replace("\u2212", "-")
    parts, end = [], 0
    for number in _DECIMAL.finditer(text):
        sign, whole, decimals = number.groups()
        parts += [_MARKS.sub("", text[end : number.start()]), sign.strip("+"), _plain_decimal(whole, decimals)]
        end = number.end()
    return "".join(parts) + _MARKS.sub("", text[end:]) or "".join(text.split())


def _plain_decimal(whole: str, decimals: str | None) -> str:
    """A number without trailing zeros behind the point: 1.50 is 1.5, and 1.0 is 1."""
    kept = (decimals or "").rstrip("0")
    return f"{whole or '0'}.{kept}" if kept else whole or "0"


@functools.lru_cache(maxsize=1024)
def read_gold_cells(gold: str) -> tuple[tuple[int, str, str], ...]:
    """The cells of a gold as (house, attribute, value), spelled as they are compared.

    Raises TaskError for a gold that is no solved grid.
    """
    try:
        value = json.loads(gold)
    except (ValueError, RecursionError):
        value = None
    grid = _read_value(value)
    cells = [(house, _normal(key), _value(cell)) for house in sorted(grid) for key, cell in grid[house].items()]
    if not cells or not all(key and cell.strip("_") for _, key, cell in cells):
        raise TaskError(
            f"the gold {gold[:80]!r} is no solved grid; wanted JSON with header and rows, or houses with attributes, and no "
            "empty cell. Correct the task's target."
        )
    return tuple(cells)


def write_grid(gold: str) -> str:
    """The gold as the JSON text that puzzles ask for, {"House 1": {"Pet": "cat"}}. Check it with read_gold_cells first."""
    return _write(_read_value(json.loads(gold)))


def _compared(answer: str) -> Grid:
    """The grid that an answer as extract_grid writes it holds, spelled as cells are compared, without empty houses."""
    grid = _read_value(json.loads(answer))
    return {house: {_normal(key): _value(cell) for key, cell in row.items()} for house, row in grid.items() if row}


def count_cells(gold: str, answer: str) -> tuple[int, int]:
    """How many cells of the gold an answer of extract_grid has right, and how many cells the gold has.

    Raises TaskError for a gold that is no solved grid.
    """
    cells, grid = read_gold_cells(gold), _compared(answer)
    right = sum(_cell(grid.get(house, {}), key) == value for house, key, value in cells)
    return right, len(cells)


def extra_houses(gold: str, answer: str) -> list[int]:
    """The houses of an answer of extract_grid that the gold has not, in order; a house without any value is none."""
    houses = {house for house, _, _ in read_gold_cells(gold)}
    filled = {house for house, row in _compared(answer).items() if not all(map(_BLANK_CELL.fullmatch, row.values()))}
    return sorted(filled - houses)


def _cell(row: Mapping[str, str], key: str) -> str | None:
    """The cell under a title, or under the only title that contains it or is part of it: 'favorite color' for 'color'."""
    if key in row:
        return row[key]
    near = [cell for title, cell in row.items() if title and (key in title or title in key)]
    return near[0] if len(near) == 1 else None


def same_grid(left: str, right: str) -> bool:
    """Whether two answers of extract_grid have the same cells."""
    return left == right or _compared(left) == _compared(right)
