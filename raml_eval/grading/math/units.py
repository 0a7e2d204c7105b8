"""Recognises the unit after a value. A unit may be left out; if both sides have one, they are compared."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from raml_eval.grading.math.rewrites import TEXT

# For each kind of unit, the size of its units in the first of them.
_SIZES = {
    "length": {"m": "1", "meter": "1", "metre": "1", "米": "1", "厘米": "1/100", "公里": "1000"},
    "length us": {"in": "1", "inch": "1", "ft": "12", "feet": "12", "foot": "12", "yard": "36", "mile": "63360", "mi": "63360"},
    "mass": {"g": "1", "gram": "1", "克": "1", "公斤": "1000", "tonne": "1000000"},
    "mass us": {"oz": "1", "ounce": "1", "lb": "16", "pound": "16"},
    "time": {"s": "1", "sec": "1", "second": "1", "秒": "1", "min": "60", "minute": "60", "分钟": "60", "h": "3600",
             "hr": "3600", "hour": "3600", "小时": "3600", "day": "86400", "天": "86400", "week": "604800"},
    "months": {"month": "1", "year": "12"},
    "money": {"cent": "1/100", "dollar": "1"},
    "speed": {"m/s": "1", "meters per second": "1", "m s^-1": "1", "m/sec": "1", "km/h": "5/18", "km/hr": "5/18", "kph": "5/18",
              "kilometers per hour": "5/18", "cm/s": "1/100"},
    "speed us": {"mph": "1", "miles per hour": "1", "miles per minute": "60", "mi/h": "1"},
    "volume": {"l": "1", "L": "1", "liter": "1", "litre": "1", "gallon": "3.785411784"},
    "energy": {"J": "1"}, "force": {"N": "1"}, "voltage": {"V": "1"}, "current": {"A": "1"}, "power": {"W": "1"},
    "frequency": {"Hz": "1"}, "pressure": {"Pa": "1"}, "charge": {"C": "1"}, "resistance": {"\\Omega": "1", "ohm": "1"},
}  # fmt: skip
_PREFIXES = {"n": "1/1000000000", "\\mu": "1/1000000", "m": "1/1000", "c": "1/100", "d": "1/10", "k": "1000", "M": "1000000"}
_LONG = {"milli": "1/1000", "centi": "1/100", "kilo": "1000"}
_PREFIXED = ("m", "g", "s", "L", "l", "J", "N", "V", "A", "W", "Hz", "Pa", "C", "\\Omega")
_PREFIXED_LONG = ("meter", "metre", "gram", "liter", "litre")
_KNOWN = {name: (kind, Fraction(size)) for kind, sizes in _SIZES.items() for name, size in sizes.items()}
_KNOWN |= {
    f"{prefix}{name}": (_KNOWN[name][0], Fraction(factor) * _KNOWN[name][1])
    for names, prefixes in ((_PREFIXED, _PREFIXES), (_PREFIXED_LONG, _LONG))
    for name in names
    for prefix, factor in prefixes.items()
    if f"{prefix}{name}" not in _KNOWN
}
_SHORT_NAMES = (
    "mm cm dm m km mi in ft yd mg g kg lb oz s h hr ms km/h m/s ft/s cm/s "
    "L l mL ml Hz J kJ N kN W kW V mV A mA K C F Pa kPa mol eV rad deg units unit \\Omega k\\Omega"
)
_SHORT = tuple(_SHORT_NAMES.split())
_EXPONENT = r"(?:\^\{?-?\d\}?)?"


def _plain_unit(names: Iterable[str]) -> re.Pattern[str]:
    longest_first = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
    return re.compile(rf" ?(?:(?:sq(?:uare)?|cubic|cu)\.? ?)?(?:{longest_first}){_EXPONENT}\.?")


_PLAIN_UNIT = _plain_unit(_SHORT)
_WORDS = re.compile(
    r" ?(?!(?:hundred|thousand|million|billion|trillion|dozen|over|or|and|to|mod|base|choose)\b)"
    r"[a-z]{3,}\.?(?:[ -][a-z]{2,}\.?){0,4}"
)
_MARKED = re.compile(rf" ?(?:{TEXT}{_EXPONENT}[ /\\cdot]*)+")
_POWER = re.compile(r"\^\{?(\d)\}?$|\b(?:sq(?:uare)?|cubic|cu)\b\.? ?")
_CJK = re.compile(" ?[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_CJK_SCALES = {"百": 100, "千": 1000, "万": 10_000, "亿": 10**8}
_DEGREES = re.compile(r"\^\{?\\circ\}?(?: ?(?:\\text\{ ?)?[CF]?\}?)|\^\{o\}|\\degrees?| ?(?:\\text\{ ?)?degrees?\}?")
_ARC_MINUTES = re.compile(r"(\d+)\^\{?\\circ\}? ?(\d+)(?:'|\^\{?\\prime\}?)")
_PERCENT = re.compile(r"(.*[^ ]) ?\\% ?(?:\\text\{[^{}]*\}|[a-z ]+)?", re.DOTALL)
_TWO_UNITS = re.compile(rf"(\d+) ?(?:{TEXT}|([a-z]+)) ?,?(\d+) ?(?:{TEXT}|([a-z]+))")
_MODULUS = re.compile(r" ?\(?\\pmod\{[^{}]*\}\)?$")
_INSIDE = re.compile(r"\\text\{([-\d.,]+ ?)([a-zA-Z ]+)\}")
_SCALE = re.compile(  # these words change the value
    r"hundred|thousand|million|billion|trillion|dozen|over|percent|per cent|base|half|halves|third|fourth|fifth|sixth|"
    r"eighth|tenth|squared|cubed|factorial|plus|minus|times|less|more|than|and\b|out of|not\b"
)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as it is written, with its kind and size if it is a common one; the kind of any other is ""."""

    text: str
    kind: str = ""
    size: Fraction = Fraction(1)
    power: int | None = None  # of a length, if it is written: 2 for an area


DEGREE = Unit("degree", "angle")
PERCENT = Unit("percent", "percent", Fraction(1, 100))


def split_unit(text: str) -> tuple[str, Unit | None]:
    r"""Splits a value from the unit after it: 5\text{ cm}, 5cm, 5 apples, 74^\circ, 50\%. Without a unit, the text stays whole.

    Example: split_unit("5 cm") is ("5", Unit("cm", "length", Fraction(1, 100))).
    """
    if (match := _PERCENT.fullmatch(text)) is not None and "%" not in match[1]:
        return match[1], PERCENT
    if (match := _MODULUS.search(text)) is not None and match.start():
        return text[: match.start()].strip(), Unit(match[0], match[0].strip(" ()"))
    if (match := _ARC_MINUTES.fullmatch(text)) is not None:
        return str(int(match[1]) + Fraction(int(match[2]), 60)), DEGREE
    if (sum_of_two := _read_two_units(text)) is not None:
        return sum_of_two
    text = _INSIDE.sub(r"\1\\text{\2}", text) if _INSIDE.fullmatch(text) else text
    if (match := _unit_at_end(text)) is None:
        return text, None
    value, unit = text[: match.start()].strip(), match[0]
    if _DEGREES.fullmatch(unit):
        scale = re.search(r"[CF]", unit)
        return value, Unit(f"degree {scale[0]}", f"degree {scale[0]}") if scale else DEGREE
    name = " ".join(re.sub(TEXT, r" \1 ", unit).replace("~", " ").split()).strip(". ")
    if _SCALE.search(name):
        return text, None
    if name[0] in _CJK_SCALES:
        return rf"{_CJK_SCALES[name[0]]}\cdot {value}", _named_unit(name[1:])
    return value, _named_unit(name)


def _read_two_units(text: str) -> tuple[str, Unit | None] | None:
    """Reads 1 hour 20 minutes, or 5 feet 4 inches, as a sum in the first unit; None for any other text."""
    match = _TWO_UNITS.fullmatch(text)
    if match is None:
        return None
    units = [_named_unit((name or "").strip()) for name in (match[2] or match[3], match[5] or match[6])]
    if not units[0].kind or units[0].kind != units[1].kind or units[0].size <= units[1].size:
        return None
    return str(int(match[1]) + int(match[4]) * units[1].size / units[0].size), units[0]


def _unit_at_end(text: str) -> re.Match[str] | None:
    """Finds the unit at the end of the text, after something that ends like a value."""
    for place in range(1, len(text)):
        if not (text[place - 1].isdigit() or text[place - 1] in ")}|!" or text[:place].endswith((r"\pi", r"\infty"))):
            continue
        for pattern in (_DEGREES, _MARKED, _PLAIN_UNIT, _WORDS, _CJK):
            if pattern in (_PLAIN_UNIT, _WORDS) and text[place - 1] not in "0123456789)}" and text[place] != " ":
                continue
            if pattern is _PLAIN_UNIT and len(text) == place + 1:
                continue  # 6m may be a product, but 6 m is not
            if (match := pattern.fullmatch(text, place)) is not None and _is_number_before(pattern, text[:place]):
                return match
    return None


def _is_number_before(pattern: re.Pattern[str], value: str) -> bool:
    """Whether letters may be a unit after this value. Without LaTeX's mark of text they need a number: 5 cm, not xm."""
    return pattern not in (_PLAIN_UNIT, _WORDS) or not re.search(r"(?<!\\)(?<![a-zA-Z\\])[a-zA-Z](?![a-zA-Z])", value)


def _named_unit(name: str) -> Unit:
    power = _power_of(name)
    base = name if name in _KNOWN else _POWER.sub("", name).strip()
    for spelling in (base, base.rstrip("s"), base.casefold(), base.casefold().rstrip("s"), base.casefold().removesuffix("es")):
        if spelling in _KNOWN:
            kind, size = _KNOWN[spelling]
            return Unit(base, f"{kind} {power}" if power > 1 else kind, size**power, power if power > 1 else None)
    return Unit(base.casefold(), base if base in _SHORT else "", power=power if power > 1 else None)


def _power_of(name: str) -> int:
    match = _POWER.search(name)
    if match is None or name in _KNOWN:
        return 1
    return int(match[1]) if match[1] else 2 if match[0].startswith("sq") else 3
