"""Figures as SVG inside an HTML page: nothing in them can run, fetch or clash, and they follow the page's colours."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator, Mapping
from xml.etree import ElementTree

from raml_eval.reporting.render import Figure, clean

SVG, XLINK = "http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"
_SHAPES = """
svg g path defs clipPath rect use image text tspan line circle ellipse polygon polyline linearGradient radialGradient stop
pattern mask
"""
_DESCRIBING = """
id d x y x1 y1 x2 y2 cx cy r rx ry width height points transform viewBox fill fill-opacity fill-rule stroke stroke-width
stroke-opacity stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin stroke-miterlimit opacity clip-path
clip-rule mask font-size font-family font-weight font-style text-anchor offset stop-color stop-opacity
gradientUnits gradientTransform patternUnits patternTransform clipPathUnits preserveAspectRatio
"""
DRAWN, ATTRIBUTES = frozenset(_SHAPES.split()), frozenset(_DESCRIBING.split())
PAPER = {"#ffffff", "#fff", "white"}
INK = {"#000000", "#000", "black"}
_REFERENCE = re.compile(r"url\(\s*['\"]?#([\w.-]+)['\"]?\s*\)")


def figure_markup(figure: Figure, prefix: str) -> str:
    """The figure as an <svg> element, described for screen readers. prefix keeps its ids apart from those of other figures.

    Only shapes and text are kept. Black and white become the page's colours of ink and paper, so that a dark page has no
    bright rectangle.
    """
    import matplotlib as mpl

    out = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "raml_eval"}):  # a fixed salt: equal figures give equal pages
        figure.drawing.savefig(out, format="svg", metadata={"Date": None})
    return embed_svg(out.getvalue(), prefix, figure.title, figure.about)


def embed_svg(svg: bytes, prefix: str, title: str, about: str) -> str:
    """The drawing's shapes as markup for an HTML page; whatever could run or load something is left out."""
    root = ElementTree.fromstring(svg)
    inside = "".join(_write(child, prefix) for child in root)
    box = root.get("viewBox", "")
    label, text = (html.escape(clean(part), quote=True) for part in (title, about))
    sized = f' viewBox="{html.escape(box)}"' if box else ""
    if re.fullmatch(r"[\d.]+(?:pt|px)?", width := root.get("width", "")):  # so that a small drawing is not blown up
        sized += f' width="{width}"'
    names = f'aria-labelledby="{prefix}title" aria-describedby="{prefix}desc"'
    return (
        f'<svg xmlns="{SVG}" role="img" {names}{sized} fill="currentColor" stroke-linejoin="round" stroke-linecap="butt">'
        f'<title id="{prefix}title">{label}</title><desc id="{prefix}desc">{text}</desc>{inside}</svg>'
    )


def _write(element: ElementTree.Element, prefix: str) -> str:
    space, _, name = element.tag.rpartition("}") if isinstance(element.tag, str) else ("", "", "")
    if space.lstrip("{") != SVG or name not in DRAWN:
        return ""
    given = dict(_attributes(element, name, prefix))
    written = "".join(f' {key}="{html.escape(value, quote=True)}"' for key, value in given.items())
    text = html.escape(clean(element.text or "")) if name in ("text", "tspan") else ""
    inside = text + "".join(_write(child, prefix) for child in element)
    return f"<{name}{written}>{inside}</{name}>" if inside else f"<{name}{written}/>"


def _attributes(element: ElementTree.Element, name: str, prefix: str) -> Iterator[tuple[str, str]]:
    """The attributes that only describe a shape. A style becomes attributes, because the page's policy allows no style."""
    given = {**element.attrib, **_style(element.get("style", ""))}
    classes = []
    for key, value in given.items():
        if key in (f"{{{XLINK}}}href", "href"):
            link = _link(name, value, prefix)
            if link is not None:
                yield "href", link
        elif key == "id":
            yield "id", prefix + value
        elif key in ATTRIBUTES:
            if key in ("fill", "stroke") and value.lower() in PAPER:
                classes.append(f"paper-{key}")
            elif key in ("fill", "stroke") and value.lower() in INK:
                yield key, "currentColor"
            elif "url(" not in value.lower() or _REFERENCE.fullmatch(value):
                yield key, _REFERENCE.sub(rf"url(#{prefix}\1)", value)
    if classes:
        yield "class", " ".join(classes)


def _style(text: str) -> Mapping[str, str]:
    parts = (part.partition(":") for part in text.split(";"))
    return {key.strip(): value.strip() for key, colon, value in parts if colon}


def _link(name: str, value: str, prefix: str) -> str | None:
    """A link to a shape of the same figure, or an image that is inside it."""
    if value.startswith("#"):
        return f"#{prefix}{value[1:]}"
    flat = "".join(value.split())
    return flat if name == "image" and flat.startswith("data:image/png;base64,") else None
