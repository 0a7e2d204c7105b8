r"""Boxes: where \boxed{...} stands in a text, and which of several boxes are the answer.

Pure and linear in the length of the text.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from raml_eval.grading.statements.table import PHRASES

# In a text that was escaped once more, as in a JSON string, the command has two backslashes or four.
_BRACES = re.compile(r"(\\{1,8}(?:boxed|fbox|framebox)\s*\{)|\\.|([{}])", re.DOTALL)
_FIRST = re.compile(r"(?<!\\)\\++(?:boxed|fbox|framebox)")  # no brace before it can hold or close a box
_UNBRACED = re.compile(r"\\(?:boxed|fbox)\s*(?:\(([^()\n]{1,80})\)|([-+]?\d[\d.,]*\d|[-+]?\d|[A-P](?![a-zA-Z])))")
_UNCLOSED = re.compile(r"\\(?:boxed|fbox)\s*\{")
_CLOSED_BY = re.compile(r"\$|\\\)|\\\]")
# A name as the whole left side of the equation whose right side the box is: x = \boxed{3}, x = 1 + 2 = \boxed{3}.
_NAMED = re.compile(r"(?<![A-Za-z\\])([a-zA-Z])\s*=\s*(?:((?:[^=\n$\\]|\\(?![\])]|f?boxed)){1,100})=\s*)?$")
_BEFORE_SIDE = re.compile(
    r"(?:[$(\[{,;:.!?&\n]|\*\*|[^\x00-\x7f±·×÷−√]|\\[\[(\\,;: ]|\\q?quad|(?<![\\A-Za-z])[A-Za-z]{2,20})[ \t]*\Z"
)
# x = 3: a name and its value, in which no other letters stand than those of commands, units and e and i.
_NAME_INSIDE = re.compile(
    r"\s*([a-zA-Z](?:_\{?\w{1,3}\}?)?|\\[a-zA-Z]{2,8})\s*="
    r"((?:\\(?:text|mathrm)\s?\{[^{}]{0,100}\}|\\[a-zA-Z]++|\\.|[^\\=a-zA-Z]|[ei])++)"
)
_ESCAPED = re.compile(r"(?:[^\\]|\\\\)*+")  # backslashes come in pairs only
LONGEST_JOINT = 80  # characters


def find_boxes(text: str) -> list[tuple[int, int, int]]:
    r"""Where the closed \boxed{...} and \fbox{...} stand, in the order in which they close.

    Each is (start of the command, start of the content, end of the content). Escaped braces count as characters.

    Example: find_boxes(r"so \boxed{42}") is [(3, 10, 12)].
    """
    open_at: list[tuple[int, int] | None] = []
    boxes: list[tuple[int, int, int]] = []
    first = _FIRST.search(text)
    for match in _BRACES.finditer(text, first.start()) if first else ():
        if match[1]:
            open_at.append((match.start(), match.end()))
        elif match[2] == "{":
            open_at.append(None)
        elif match[2] == "}" and open_at and (opened := open_at.pop()) is not None:
            boxes.append((*opened, match.start()))
    return boxes


def _outermost(text: str) -> list[tuple[int, int, int]]:
    """The boxes that stand in no other box and are not blank, in order; for a box that only holds a box, the inner one."""
    outer: list[tuple[int, int, int]] = []
    inner: dict[int, tuple[int, int, int]] = {}
    for box in find_boxes(text):
        while outer and outer[-1][0] > box[0]:
            held = outer.pop()
            if not text[box[1] : held[0]].strip() and not text[held[2] + 1 : box[2]].strip():
                inner[box[0]] = inner.get(held[0], held)
        outer.append(box)
    found = [(box[0], *inner.get(box[0], box)[1:]) for box in outer]
    return [box for box in found if text[box[1] : box[2]].strip()]


def _stated(text: str, boxes: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    r"""The boxes without those that the text rejects, if any are left: not \boxed{41}, \boxed{41} is wrong."""
    if len(boxes) < 2:
        return boxes
    return [box for box in boxes if not _is_rejected(text, box)] or boxes


def _is_rejected(text: str, box: tuple[int, int, int]) -> bool:
    before, after = text[max(0, box[0] - 40) : box[0]].lower(), text[box[2] + 1 : box[2] + 80].lower()
    return PHRASES["rejected box"].search(before) is not None or PHRASES["wrong box"].match(after) is not None


def _content(text: str, box: tuple[int, int, int]) -> str:
    r"""The content of a box, with one backslash for two if the box's command and all in it were escaped once more."""
    start, opened, closed = box
    content = text[opened:closed].strip()
    escaped = text.startswith(r"\\", start) and _ESCAPED.fullmatch(content) is not None
    return content.replace(r"\\", "\\") if escaped else content


def last_box(text: str) -> str | None:
    r"""The content of the last closed box that is not blank; for a box that only holds a box, that of the inner one.

    Example: last_box(r"\boxed{1}, no: \boxed{\boxed{2}}") is "2".
    """
    boxes = _stated(text, _outermost(text))
    return _content(text, boxes[-1]) if boxes else None


class FinalBoxes(NamedTuple):
    """The boxes that together are the answer.

    before is the content of the box that stands before them, "" if none does; start and end are where the first of them
    begins and the last ends.
    """

    rule: str
    contents: list[str]
    before: str = ""
    end: int = 0
    start: int = 0


def final_boxes(text: str) -> FinalBoxes:
    r"""The boxes that together are the answer: the last one, and those that lead up to it in one phrase.

    With them comes the rule: boxed, boxed in parts, bare box (\boxed 7), or box without its brace, which ends with its formula
    ($, \) or \]) instead. If the last box is never closed, the rule is unclosed box and the list is empty; if there is no box,
    the rule is nothing found.

    Example: final_boxes(r"$x = \boxed{1}$ and $y = \boxed{2}$").contents is ["1", "2"].
    """
    boxes = _outermost(text)
    after = boxes[-1][2] + 1 if boxes else 0
    boxes = _stated(text, boxes)
    for match in _UNCLOSED.finditer(text, after):
        unclosed = _read_unclosed(text, match.end())
        if unclosed is None:
            return FinalBoxes("unclosed box", [])
        if unclosed:  # an empty box says nothing either way
            return FinalBoxes("box without its brace", [unclosed], end=match.end(), start=match.start())
    if not boxes:
        bare = list(_UNBRACED.finditer(text))[-1:]
        contents = [match[1] or match[2] for match in bare]
        if not bare:
            return FinalBoxes("nothing found", [])
        return FinalBoxes("bare box", contents, end=bare[0].end(), start=bare[0].start())
    chosen = [boxes.pop()]
    while boxes and _is_joint(text[boxes[-1][2] + 1 : chosen[0][0]]):
        chosen.insert(0, boxes.pop())
    if len(chosen) == 1 and (parts := _named_parts(text, [*boxes, *chosen])):
        return FinalBoxes("boxed, in parts", parts, end=after, start=[*boxes, *chosen][-len(parts)][0])
    contents = list(dict.fromkeys(_content(text, box) for box in chosen))
    before = _content(text, boxes[-1]) if boxes else ""
    return FinalBoxes("boxed" if len(contents) == 1 else "boxed, in parts", contents, before, after, chosen[0][0])


def _named_parts(text: str, boxes: list[tuple[int, int, int]]) -> list[str]:
    r"""The last boxes as assignments if each gives another name its value: x = \boxed{3} ... y = \boxed{4}, \boxed{y = 4}.

    The names must be of one family; \boxed{n = 5} ... S = 6n = \boxed{30} are two steps, and the last is the answer.
    """
    parts: dict[str, str] = {}
    computed = ""  # what the names found so far were computed from
    for box in reversed(boxes):
        content = _content(text, box)
        inside = _NAME_INSIDE.fullmatch(content)
        name, sum_ = (inside[1], "") if inside else _named_before(text, box[0])
        if not name or name in parts or (parts and not _is_family([name, *parts], inside is not None, computed)):
            break
        parts[name] = inside[2].strip() if inside else content
        computed += f" {sum_}"
    return [f"{name}={value}" for name, value in reversed(parts.items())] if len(parts) > 1 else []


def _named_before(text: str, at: int) -> tuple[str, str]:
    """The name whose value stands at that place, if it is a whole left side (no b in a + b =), and what it is computed from."""
    before = text[max(0, at - 120) : at]
    named = _NAMED.search(before)
    if named is None or (before[: named.start()].strip() and not _BEFORE_SIDE.search(before, 0, named.start())):
        return "", ""
    return named[1], named[2] or ""


def _is_family(names: list[str], inside: bool, computed: str) -> bool:
    """Whether the first name and those behind it, some of them computed from what stands there, are parts of one answer.

    Those inside their boxes must be near one another; of others it is enough that none is computed from the first.
    """
    if _are_near(names):
        return True
    same_case = len({name.isupper() for name in names}) == 1
    return not inside and same_case and re.search(rf"(?<![A-Za-z\\]){re.escape(names[0])}(?![A-Za-z])", computed) is None


def _are_near(names: list[str]) -> bool:
    """Whether these names belong together: letters that stand near one another in the alphabet, or Greek ones."""
    if any(name.startswith("\\") for name in names):
        return all(name.startswith("\\") for name in names)
    letters = [ord(name[0]) for name in names]
    return max(letters) - min(letters) <= len(names) + 1


def _read_unclosed(text: str, start: int) -> str | None:
    """The content of a box without its closing brace; None if nothing says where it ends, "" if the box is empty."""
    line = text[start : start + 200].partition("\n")[0]
    if not line.partition("}")[0].strip() and "}" in line:
        return ""
    end = _CLOSED_BY.search(line)
    return line[: end.start()].strip().rstrip(".") or None if end else None


def _is_joint(between: str) -> bool:
    """Whether two boxes with this text between them are parts of one answer."""
    if len(between) > LONGEST_JOINT:
        return False
    patterns = PHRASES["box joint"], PHRASES["box by box"]
    spellings = {between, between.replace(r"\\", "\\")}
    return any(pattern.fullmatch(spelling) for pattern in patterns for spelling in spellings)
