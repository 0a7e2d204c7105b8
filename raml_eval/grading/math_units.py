"""Units beside a value: recognised so that they can be left out, and compared where both sides have one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from raml_eval.grading.math_text import TEXT

_SIZES = {
    "length": {"mm": "1/1000", "cm": "1/100", "dm": "1/10", "m": "1", "km": "1000"},
    "length us": {"in": "1", "inch": "1", "inches": "1", "ft": "12", "feet": "12", "foot": "12", "yard": "36", "yards": "36",
                  "mile": "63360", "miles": "63360"},
    "mass": {"mg": "1/1000", "g": "1", "grams": "1", "kg": "1000", "kilograms": "1000"},
    "time": {"s": "1", "sec": "1", "second": "1", "seconds": "1", "min": "60", "minute": "60", "minutes": "60", "h": "3600",
             "hr": "3600", "hrs": "3600", "hour": "3600", "hours": "3600", "day": "86400", "days": "86400"},
    "money": {"cent": "1/100", "cents": "1/100", "dollar": "1", "dollars": "1", "$": "1"},
}  # fmt: skip
_PREFIXES = {"centi": "c", "milli": "m", "kilo": "k", "": ""}
_LONG = {f"{prefix}met{end}": f"{short}m" for prefix, short in _PREFIXES.items() for end in ("er", "re")}
_KNOWN = {name: (kind, Fraction(size)) for kind, sizes in _SIZES.items() for name, size in sizes.items()}
_SHORT = (
    "mm cm dm m km mi in ft yd mg g kg lb lbs oz s sec secs min mins h hr hrs ms mph kph km/h m/s ft/s cm/s m/s^2 "
    "m/s^{2} L l mL ml Hz J N W V A K C F Pa mol eV rad deg units unit"
)
_EXPONENT = r"(?:\^\{?\d\}?)?"
_LONGEST_FIRST = "|".join(sorted(map(re.escape, _SHORT.split()), key=len, reverse=True))
_PLAIN_UNIT = re.compile(rf" ?(?:(?:sq(?:uare)?|cubic|cu)\.? ?)?(?:{_LONGEST_FIRST}){_EXPONENT}\.?")
_WORDS = re.compile(
    r" ?(?!(?:hundred|thousand|million|billion|trillion|dozen|over|or|and|to|mod|base|choose)\b)"
    r"[a-z]{3,}\.?(?:[ -][a-z]{2,}\.?){0,4}"
)
_MARKED = re.compile(rf" ?(?:{TEXT}{_EXPONENT}[ /\\cdot]*)+")
_POWER = re.compile(r"\^\{?(\d)\}?$|\b(?:sq(?:uare)?|cubic|cu)\b\.? ?")
_CJK = re.compile(" ?[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_DEGREES = re.compile(r"\^\{?\\circ\}?(?: ?(?:\\text\{ ?)?[CF]?\}?)|\^\{o\}|\\degrees?| ?(?:\\text\{ ?)?degrees?\}?")
_MODULUS = re.compile(r" ?\(?\\pmod\{[^{}]*\}\)?$")
_SCALE = re.compile(r"hundred|thousand|million|billion|trillion|dozen|over|percent|per cent|mod|base")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as written; kind and size where it is one of the common ones (kind "" for all others)."""

    text: str
    kind: str = ""
    size: Fraction = Fraction(1)
    power: int | None = None  # of a length: 2 for an area, where it is written


DEGREE = Unit("degree", "angle")
PERCENT = Unit("percent", "percent", Fraction(1, 100))


def split_unit(text: str) -> tuple[str, Unit | None]:
    r"""A value and the unit after it: 5\text{ cm}, 5cm, 5 apples, 74^\circ, 50\%, \$5; the text whole where there is none."""
    if text.endswith(r"\%"):
        return text[:-2].strip(), PERCENT
    if (match := _MODULUS.search(text)) is not None and match.start():
        return text[: match.start()].strip(), Unit(match[0], match[0].strip(" ()"))
    if (match := re.fullmatch(r"(?:\\text\{)([-\d.,]+ ?)([a-zA-Z ]+)\}", text)) is not None:
        text = f"{match[1]}\\text{{{match[2]}}}"
    if (match := _unit_at_end(text)) is None:
        return text, None
    value, unit = text[: match.start()].strip(), match[0]
    if _DEGREES.fullmatch(unit):
        return value, DEGREE
    name = " ".join(re.sub(TEXT, r"\1", unit).replace("~", " ").split()).casefold().strip(". ")
    if _SCALE.search(name):
        return text, None
    return value, _named_unit(name)


def _unit_at_end(text: str) -> re.Match[str] | None:
    """The unit that ends the text, behind something that ends like a value."""
    for place in range(1, len(text)):
        if not (text[place - 1].isdigit() or text[place - 1] in ")}|!" or text[:place].endswith((r"\pi", r"\infty"))):
            continue
        for pattern in (_DEGREES, _MARKED, _PLAIN_UNIT, _WORDS, _CJK):
            if pattern in (_PLAIN_UNIT, _WORDS) and text[place - 1] not in "0123456789)}":
                continue
            if pattern is _PLAIN_UNIT and len(text) == place + 1:
                continue  # 6m may be a product; 6 m is none
            if (match := pattern.fullmatch(text, place)) is not None and _is_number_before(pattern, text[:place]):
                return match
    return None


def _is_number_before(pattern: re.Pattern[str], value: str) -> bool:
    """Letters without LaTeX's mark of text are a unit only behind a number: 5 cm, not xm."""
    return pattern not in (_PLAIN_UNIT, _WORDS) or not re.search(r"(?<!\\)(?<![a-zA-Z\\])[a-zA-Z](?![a-zA-Z])", value)


def _named_unit(name: str) -> Unit:
    power = _power_of(name)
    name = _POWER.sub("", name).strip()
    name = _LONG.get(name.rstrip("s"), name)
    kind, size = _KNOWN.get(name, ("", Fraction(1)))
    return Unit(name, f"{kind} {power}" if kind and power > 1 else kind, size**power, power if power > 1 else None)


def _power_of(name: str) -> int:
    match = _POWER.search(name)
    return 1 if match is None else int(match[1]) if match[1] else 2 if match[0].startswith("sq") else 3
