"""Recognises the unit after a value. A unit may be left out; if both sides have one, they are compared."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from fractions import Fraction

from raml_eval.grading.math.rewrites import TEXT
from raml_eval.grading.statements.table import PHRASES
from raml_eval.grading.text import CJK

# For each kind of unit, the size of its units in the first of them: of symbols, and of the words of a table. A kind tells its
# dimensions in the order of their names: an energy is a length squared times a mass by a time squared (with grams for mass).
_SYMBOLS = {
    "length": {"m": "1"},
    "length us": {"in": "1", "ft": "12", "mi": "63360"},
    "mass": {"g": "1"},
    "mass us": {"oz": "1", "lb": "16"},
    "time": {"s": "1", "sec": "1", "min": "60", "h": "3600", "hr": "3600"},
    "length time -1": {"km/h": "5/18", "km/hr": "5/18", "kph": "5/18"},
    "length us time -1": {"mph": "88/5", "mi/h": "88/5"},
    "length 3": {"l": "1/1000", "L": "1/1000"},
    "length 2 mass time -2": {"J": "1000"}, "length mass time -2": {"N": "1000"}, "length 2 mass time -3": {"W": "1000"},
    "length -1 mass time -2": {"Pa": "1000"}, "time -1": {"Hz": "1"}, "current": {"A": "1"}, "current time": {"C": "1"},
    "current -1 length 2 mass time -3": {"V": "1000"}, "current -2 length 2 mass time -3": {"\\Omega": "1000"},
    "radian": {"rad": "1"},
}  # fmt: skip
_TABLES = {
    "length": {"metre": "1", "centimetre": "1/100", "kilometre": "1000"},
    "length us": {"inch": "1", "foot": "12", "yard": "36", "mile": "63360"},
    "mass": {"gram": "1", "kilogram": "1000", "tonne": "1000000"},
    "mass us": {"ounce": "1", "pound": "16"},
    "time": {"second": "1", "minute": "60", "hour": "3600", "day": "86400", "week": "604800"},
    "months": {"month": "1", "year": "12"},
    "dollars": {"cent": "1/100", "dollar": "1"},
    "euros": {"euro": "1"}, "yen": {"yen": "1"}, "rupees": {"rupee": "1"}, "yuan": {"yuan": "1"}, "pesos": {"peso": "1"},
    "length time -1": {"metres_per_second": "1", "kilometres_per_hour": "5/18"},
    "length us time -1": {"miles_per_hour": "88/5", "miles_per_minute": "1056"},
    "length 3": {"litre": "1/1000", "gallon": "0.003785411784"},
    "current -2 length 2 mass time -3": {"ohm": "1000"},
    "radian": {"radian": "1"},
}  # fmt: skip
_PREFIXES = {"n": "1/1000000000", "\\mu": "1/1000000", "m": "1/1000", "c": "1/100", "d": "1/10", "k": "1000", "M": "1000000"}
_PREFIX_TABLES = {"milli": "1/1000", "centi": "1/100", "kilo": "1000"}
_PREFIXED = ("m", "g", "s", "L", "l", "J", "N", "V", "A", "W", "Hz", "Pa", "C", "\\Omega")
_PREFIXED_TABLES = ("metre", "gram", "litre")
_SHORT_NAMES = (
    "mm cm dm m km mi in ft yd mg g kg lb oz s h hr ms km/h m/s ft/s cm/s "
    "L l mL ml Hz kHz MHz J kJ MJ N kN W mW kW MW V mV kV A mA K C F Pa kPa MPa mol eV \\Omega k\\Omega "
    "nm ns km/hr m/sec mi/h USD EUR"
)
_SHORT = tuple(_SHORT_NAMES.split())  # without LaTeX's mark of text
_PHYSICAL = ("length", "mass", "time", "current")
_DIMENSION = re.compile(r"([a-z]+(?: us)?)(?: (-?\d+))?")
_RAISED = re.compile(r"(.+?)(?:\^(-?\d))?")
_EXPONENT = r"(?:\^\{?-?\d\}?)?"


@PHRASES.cached
def _known() -> dict[str, tuple[str, Fraction]]:
    """The kind and size of each common unit, by its name."""
    known = {name: (kind, Fraction(size)) for kind, sizes in _SYMBOLS.items() for name, size in sizes.items()}
    for kind, tables in _TABLES.items():
        known |= {word: (kind, Fraction(size)) for table, size in tables.items() for word in PHRASES.words(table)}
    prefixes = {prefix: size for table, size in _PREFIX_TABLES.items() for prefix in PHRASES.words(table)}
    words = [word for table in _PREFIXED_TABLES for word in PHRASES.words(table)]
    for names, factors in ((_PREFIXED, _PREFIXES), (words, prefixes)):
        for name, (prefix, factor) in itertools.product(names, factors.items()):
            known.setdefault(f"{prefix}{name}", (known[name][0], Fraction(factor) * known[name][1]))
    return known


@PHRASES.cached
def _cjk_units() -> tuple[str, ...]:
    return tuple(name for name in _known() if _CJK.match(name))


@PHRASES.cached
def _plain_unit() -> re.Pattern[str]:
    r"""A unit that needs no \text around it, and what says that it is one of area or volume."""
    names = sorted([*_SHORT, *PHRASES.words("unit_noun")], key=len, reverse=True)
    power = PHRASES.expand(r"(?:{square_word}|{cubic_word})\.? ?")
    return re.compile(rf" ?(?:{power})?(?:{'|'.join(map(re.escape, names))}){_EXPONENT}\.?")


_MARKED = re.compile(rf" ?(?:{TEXT}{_EXPONENT}[ /\\cdot]*)+")
_CJK = re.compile(f" ?[{CJK}]+")
_CJK_SCALES = (100, 1000, 10_000, 10**8)  # in the order of their words
_SCALED = re.compile(r" ?\\text\{ ?[KMB](?: [a-z ]*)?\}")  # 4\text{M}, thousands, millions or billions
_DEGREES = re.compile(r"\^\{?\\circ\}?(?: ?(?:\\text\{ ?)?[CF]?\}?)|\^\{o\}|\\degrees?")
_ARC_MINUTES = re.compile(r"(\d+)\^\{?\\circ\}? ?(\d+)(?:'|\^\{?\\prime\}?)")
_PERCENT = re.compile(r"(.*[^ ]) ?\\% ?(?:\\text\{[^{}]*\}|[a-z ]+)?", re.DOTALL)
_TWO_UNITS = re.compile(rf"(\d+) ?(?:{TEXT}|([a-z]+)) ?,?(\d+) ?(?:{TEXT}|([a-z]+))")
_MODULUS = re.compile(r" ?\(?\\pmod\{[^{}]*\}\)?$")
_INSIDE = re.compile(r"\\text\{([-\d.,]+ ?)([a-zA-Z ]+)\}")


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
    if _DEGREES.fullmatch(unit) or PHRASES["degrees in words"].fullmatch(unit):
        scale = re.search(r"[CF]", unit)
        return value, Unit(f"degree {scale[0]}", f"degree {scale[0]}") if scale else DEGREE
    name = " ".join(re.sub(TEXT, r" \1 ", unit).replace("~", " ").split()).strip(". ")
    if _SCALED.fullmatch(unit) or (_compound_unit(name) is None and PHRASES["changes value"].search(name)):
        return text, None
    scales = PHRASES.words("scale_cjk")
    scaled = name[0] in scales
    rest = name[1:] if scaled else name
    if _CJK.match(rest) and not is_counter(rest):
        return text, None
    factor = rf"{_CJK_SCALES[scales.index(name[0]) % len(_CJK_SCALES)]}\cdot " if scaled else ""
    return f"{factor}{value}", _named_unit(rest)


def is_counter(name: str) -> bool:
    """Whether words in a script without blanks begin with a unit or a counter, perhaps with its noun: 5个苹果, not 5以上."""
    if PHRASES["changes value"].search(name):
        return False
    return PHRASES["counter"].match(name) is not None or any(name.startswith(word) for word in _cjk_units())


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
    plain = _plain_unit(), PHRASES["unit in words"]
    patterns = (_DEGREES, PHRASES["degrees in words"], _MARKED, *plain, _CJK)
    for place in range(1, len(text)):
        if not (text[place - 1].isdigit() or text[place - 1] in ")}|!" or text[:place].endswith((r"\pi", r"\infty"))):
            continue
        for pattern in patterns:
            if pattern in plain and text[place - 1] not in "0123456789)}" and text[place] != " ":
                continue
            if pattern is plain[0] and len(text) == place + 1:
                continue  # 6m may be a product, but 6 m is not
            match = pattern.fullmatch(text, place)
            if match is not None and (pattern not in plain or _is_number(text[:place])):
                return match
    return None


def _is_number(value: str) -> bool:
    """Whether letters behind the value may be a unit without LaTeX's mark of text: 5 cm, not xm."""
    return not re.search(r"(?<!\\)(?<![a-zA-Z\\])[a-zA-Z](?![a-zA-Z])", value)


def _named_unit(name: str) -> Unit:
    if (compound := _compound_unit(name)) is not None:
        return compound
    known, power = _known(), _power_of(name)
    base = name if name in known else PHRASES["unit power"].sub("", name).strip()
    if (found := _look_up(base)) is not None:
        kind, size = found
        return Unit(base, f"{kind} {power}" if power > 1 else kind, size**power, power if power > 1 else None)
    short = base in _SHORT or base in PHRASES.word_set("unit_noun")
    return Unit(base.casefold(), base if short else "", power=power if power > 1 else None)


def _look_up(name: str) -> tuple[str, Fraction] | None:
    """The kind and size of a common unit, which may stand in the plural; None for any other."""
    low, known = name.casefold(), _known()
    spellings = (name, name.rstrip("s"), low, low.rstrip("s"), low.removesuffix("es"))
    return next((known[spelling] for spelling in spellings if spelling in known), None)


def _compound_unit(name: str) -> Unit | None:
    """The unit that is a product of powers of common units: m/s^2, N m, meters per second squared; None for any other.

    What is counted in a day, or paid for an hour, is none of them: a rate may be given without its time.
    """
    name = re.sub(r" ?\^ ?\{?(-?\d)\}?", r"^\1", name.replace(r"\cdot", " ")).strip()
    per = PHRASES.expand(r" ?/ ?| {per_word} ")
    parts = [part.strip(" ()").split() for part in re.split(per, name)]
    raised = "^" in name or any(_raised_by(word) for part in parts for word in part)
    if name in _known() or (not raised and "/" not in name and (len(parts) > 1 or len(parts[0]) < 2)):
        return None
    dimensions: dict[str, int] = {}
    size = Fraction(1)
    for place, part in enumerate(parts):
        for word, power in _powers(part):
            found, power = _look_up(word), -power if place else power
            if found is None or not found[0].startswith(_PHYSICAL) or (found[0] == "time" and power < 0 and found[1] != 1):
                return None
            for dimension, exponent in _DIMENSION.findall(found[0]):
                dimensions[dimension] = dimensions.get(dimension, 0) + power * int(exponent or 1)
            size *= found[1] ** power
    kind = " ".join(one if power == 1 else f"{one} {power}" for one, power in sorted(dimensions.items()) if power)
    return Unit(name, kind, size)


def _powers(words: list[str]) -> list[tuple[str, int]]:
    """The units of one side of a fraction bar with their powers: square m, m^2 and metres squared are ("m", 2)."""
    powers: list[tuple[str, int]] = []
    before = 1
    for word in words:
        if word in PHRASES.word_set("square_word") or word in PHRASES.word_set("cubic_word"):
            before = 2 if word in PHRASES.word_set("square_word") else 3
        elif (raised := _raised_by(word)) and powers:
            powers[-1] = powers[-1][0], raised
        else:
            unit, power = _RAISED.fullmatch(word).groups()  # type: ignore[union-attr]
            powers.append((unit, int(power or before)))
            before = 1
    return powers


def _raised_by(word: str) -> int:
    """The power that a word behind a unit raises it to, as in metres squared; 0 for any other word."""
    return 2 * (word in PHRASES.word_set("squared_word")) + 3 * (word in PHRASES.word_set("cubed_word"))


def _power_of(name: str) -> int:
    match = PHRASES["unit power"].search(name)
    if match is None or name in _known():
        return 1
    return int(match["power"]) if match["power"] else 2 if match["square"] else 3
