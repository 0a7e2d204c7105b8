"""A gate's outcome as a badge: a self-contained SVG, and the JSON from which shields.io draws one."""

from __future__ import annotations

import html
import json
import unicodedata

from raml_eval.comparison import GateResult, Outcome
from raml_eval.reporting.render import shorten

COLORS = {Outcome.PASSED: "#1a7f37", Outcome.FAILED: "#cf222e", Outcome.INCONCLUSIVE: "#9a6700"}  # white on each: 4.5 to 1
MAX_LABEL = 40
_NARROW, _WIDE = "fijlrt.,:;!|'()[] I", "mwMW@%"  # characters of Verdana; the rest are near the average
_SVG = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="20" role="img" aria-label="{label}: {message}">
 <title>{label}: {message}</title>
 <clipPath id="r"><rect width="{width}" height="20" rx="3"/></clipPath>
 <g clip-path="url(#r)">
  <rect width="{left}" height="20" fill="#444"/>
  <rect x="{left}" width="{right}" height="20" fill="{color}"/>
 </g>
 <g fill="#fff" text-anchor="middle" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11">
  <text x="{at_label}" y="14" textLength="{label_size}">{label}</text>
  <text x="{at_message}" y="14" textLength="{message_size}">{message}</text>
 </g>
</svg>
"""


def badge_words(gate: GateResult) -> tuple[str, str]:
    """The label and the message of the badge.

    For example: gate release, and: passed, 1 warning
    """
    count = len(gate.warned)
    warned = f", {count} warning{'' if count == 1 else 's'}" if count and gate.outcome is Outcome.PASSED else ""
    return shorten(f"gate {gate.name}", MAX_LABEL), f"{gate.outcome}{warned}"


def render_badge(gate: GateResult) -> str:
    """The badge as SVG. It loads nothing, and every text is escaped."""
    return draw_badge(*badge_words(gate), COLORS[gate.outcome])


def render_badge_json(gate: GateResult) -> str:
    """The badge as the JSON that shields.io reads from an address (https://shields.io/badges/endpoint-badge)."""
    return shields_json(*badge_words(gate), COLORS[gate.outcome])


def draw_badge(label: str, message: str, color: str) -> str:
    """A flat SVG badge of two texts, the message on the color."""
    label_size, message_size = map(_width, (label, message))
    left, right = label_size + 12, message_size + 12
    return _SVG.format(
        label=html.escape(label),
        message=html.escape(message),
        label_size=label_size,
        message_size=message_size,
        left=left,
        right=right,
        width=left + right,
        at_label=left / 2,
        at_message=left + right / 2,
        color=color,
    )


def shields_json(label: str, message: str, color: str) -> str:
    """The JSON from which shields.io draws a badge."""
    values = {"schemaVersion": 1, "label": label, "message": message, "color": color.removeprefix("#")}
    return json.dumps(values, ensure_ascii=False) + "\n"


def _width(text: str) -> int:
    """About the width of the text in pixels in 11 px Verdana. textLength makes it exact in any font."""
    sizes = {**dict.fromkeys(_NARROW, 4.2), **dict.fromkeys(_WIDE, 10.2)}
    return round(sum(12 if unicodedata.east_asian_width(c) in "WF" else sizes.get(c, 7.0) for c in text))
