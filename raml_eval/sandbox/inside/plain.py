"""Plain data as JSON, and messages on a socket: everything that passes between a program and its tester.

A value is rebuilt on the other side from exact built-in types. So no class that the program defines (with an __eq__ that
says yes to everything, say) ever reaches the process that compares.
"""

from __future__ import annotations

import builtins
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

DEEPEST = 150  # levels of containers; without a limit, encoding a list that holds itself would never end
LONGEST_RANGE = 1_000_000
MOST_ALIKE = 50  # different values with one hash, in one container
LONGEST_FRACTION = 100_000  # hexadecimal digits of each part: to reduce a fraction takes time that grows with their square
_WIDE = 1 << 63

Unplain = Callable[[Any], Any]  # encodes what is not plain data; its result must be JSON


class NotPlain(Exception):
    """A value, or something that claims to be one, that is not plain data."""


def encode(value: Any, unplain: Unplain, depth: int = 0) -> Any:
    """The value as JSON: scalars and lists as themselves, everything else as a mapping of one tag to its content.

    Subclasses of plain types and numpy scalars become the plain value. unplain encodes what is not plain data or is too
    deep.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        number = int.__int__(value)
        return number if -_WIDE < number < _WIDE else {"i": hex(number)}
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, str):
        return str.__str__(value)
    if depth < DEEPEST and isinstance(value, (list, tuple, set, frozenset, dict)):
        return _encode_container(value, unplain, depth + 1)
    return _encode_rare(value, unplain, depth)


def _encode_container(value: Any, unplain: Unplain, depth: int) -> Any:
    if isinstance(value, dict):
        pairs = [[encode(key, unplain, depth), encode(item, unplain, depth)] for key, item in dict.items(value)]
        return {"d": pairs}
    items = [encode(item, unplain, depth) for item in value]
    if isinstance(value, list):
        return items
    return {"t" if isinstance(value, tuple) else "s" if isinstance(value, set) else "f": items}


def _encode_rare(value: Any, unplain: Unplain, depth: int) -> Any:
    kind: Any = type(value)
    if kind in (bytes, bytearray):
        return {"b" if kind is bytes else "a": value.decode("latin-1")}
    if kind is complex:
        return {"c": [value.real, value.imag]}
    if kind is range and len(value) <= LONGEST_RANGE:
        return {"r": [value.start, value.stop, value.step]}
    if kind.__module__ == "decimal" and kind.__name__ == "Decimal":
        return {"m": str(value)}
    if kind.__module__ == "fractions" and kind.__name__ == "Fraction":
        return {"q": [hex(value.numerator), hex(value.denominator)]}
    if kind is type and value in vars(builtins).values():
        return {"y": value.__name__}
    if kind.__module__ == "numpy" and getattr(value, "shape", None) == ():
        return encode(value.item(), unplain, depth)
    return unplain(value)


def decode(coded: Any, refer: Callable[[str, Any], Any]) -> Any:
    """The value from which encode made this. refer(tag, content) gives the value of a tag that is not one of encode's.

    Raises NotPlain for anything else, whoever wrote it.
    """
    try:
        return _decode(coded, refer)
    except NotPlain:
        raise
    except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError, MemoryError) as error:
        raise NotPlain(f"no plain data ({type(error).__name__})") from None


def _decode(coded: Any, refer: Callable[[str, Any], Any]) -> Any:
    if isinstance(coded, list):
        return _apart([_decode(item, refer) for item in coded])
    if not isinstance(coded, dict):
        return coded
    ((tag, content),) = coded.items()
    if tag == "d":
        keys = _apart([_decode(key, refer) for key, _ in content])
        return dict(zip(keys, [_decode(item, refer) for _, item in content], strict=True))
    if tag in _BUILDERS:
        return _BUILDERS[tag](_apart([_decode(item, refer) for item in content]))
    if tag in _READERS:
        return _READERS[tag](content)
    return refer(tag, content)


def _apart(items: list[Any]) -> list[Any]:
    """The items, if a set of them takes no longer than their number asks. Raises NotPlain for many that have one hash.

    A set or mapping of n different keys with one hash takes time that grows with n squared, which the tester would spend.
    """
    if len(items) <= MOST_ALIKE:
        return items
    by_hash: dict[int, list[Any]] = {}
    for item in items:
        try:
            alike = by_hash.setdefault(hash(item), [])
        except TypeError:  # a list or a mapping is no key
            continue
        if item not in alike[:1] and (len(alike) < 2 or item not in alike):
            alike.append(item)
            if len(alike) > MOST_ALIKE:
                raise NotPlain("values whose hashes collide")
    return items


def _read_range(ends: list[int]) -> range:
    found = range(*ends)
    if len(found) > LONGEST_RANGE:
        raise NotPlain("a range of more than a million numbers")
    return found


def _read_type(name: str) -> type:
    found = getattr(builtins, name, None)
    if not isinstance(found, type):
        raise NotPlain(f"no built-in type {name!r}")
    return found


def _read_decimal(text: str) -> Any:
    from decimal import Decimal  # imported here, because at the top it would slow down every start of a sandbox

    return Decimal(text)


def _read_fraction(parts: list[str]) -> Any:
    from fractions import Fraction

    if max(map(len, parts)) > LONGEST_FRACTION:
        raise NotPlain(f"a fraction of more than {LONGEST_FRACTION} digits")
    return Fraction(int(parts[0], 16), int(parts[1], 16))


_BUILDERS: Mapping[str, Callable[[list[Any]], Any]] = {"t": tuple, "s": set, "f": frozenset, "n": iter}
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "i": lambda text: int(text, 16),
    "b": lambda text: text.encode("latin-1"),
    "a": lambda text: bytearray(text.encode("latin-1")),
    "c": lambda parts: complex(*parts),
    "r": _read_range,
    "m": _read_decimal,
    "q": _read_fraction,
    "y": _read_type,
}


def write_message(fd: int, message: Mapping[str, Any]) -> None:
    """The message is in the socket: its length in eight bytes, then JSON. Raises OSError if nobody reads."""
    payload = json.dumps(message).encode()
    left = memoryview(len(payload).to_bytes(8, "big") + payload)
    while left:
        left = left[os.write(fd, left) :]


def read_message(fd: int, largest: int = 1 << 62) -> dict[str, Any] | None:
    """The next message, a JSON object; None if the other side is gone. Raises NotPlain for anything else."""
    head = _read_exactly(fd, 8)
    size = int.from_bytes(head, "big")
    if len(head) < 8:
        return None
    if size > largest:
        raise NotPlain(f"more than {largest >> 20} MiB")
    payload = _read_exactly(fd, size)
    if len(payload) < size:
        return None
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError, MemoryError) as error:
        raise NotPlain(f"no JSON ({type(error).__name__})") from None
    if not isinstance(found, dict):
        raise NotPlain("no message")
    return found


def _read_exactly(fd: int, size: int) -> bytes:
    """size bytes, or fewer if the other side ended first."""
    parts = []
    while size > 0:
        part = os.read(fd, min(size, 1 << 20))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
