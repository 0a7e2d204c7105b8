"""The files of a gate that could not be judged: they say so, in place of an older outcome."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from raml_eval.reporting.badge import draw_badge, shields_json
from raml_eval.reporting.comment import marker, mute
from raml_eval.reporting.comparison_json import SCHEMA
from raml_eval.reporting.junit import xml_text
from raml_eval.reporting.render import FORMATS, escape_markdown, shorten

GREY = "#57606a"
OUTCOME = "not comparable"
NO_PASS = "Nothing was compared, and that is no pass."


def text(gate: str, why: str, format: str) -> str:
    """The refusal as text for a terminal, Markdown or LaTeX."""
    escape = FORMATS[format].escape
    head = "# " if format == "markdown" else ""
    return f"{head}{escape(f'Gate {gate}: {OUTCOME}')}\n\n{escape(NO_PASS)}\n\n{escape(why)}\n"


def values(gate: str, why: str) -> dict[str, Any]:
    """The refusal as plain values: error in place of a comparison."""
    return {"schema": SCHEMA, "error": why, "gate": {"name": gate, "outcome": OUTCOME, "exit_code": 2}}


def comment(gate: str, why: str) -> str:
    """The refusal as a comment that takes the place of the gate's last one."""
    lines = (marker(gate), f"### {mute(escape_markdown(f'Gate {gate}: {OUTCOME}'))}", NO_PASS, mute(escape_markdown(why)))
    return "\n\n".join(lines) + "\n"


def junit(gate: str, why: str) -> str:
    """The refusal as JUnit XML: one test case with an error."""
    root = ElementTree.Element("testsuites", name=xml_text(f"raml-eval gate {gate}"))
    suite = ElementTree.SubElement(root, "testsuite", name=xml_text(f"gate {gate}, blocking"), time="0")
    for element in (root, suite):
        for name, count in (("tests", "1"), ("failures", "0"), ("errors", "1"), ("skipped", "0")):
            element.set(name, count)
    case = ElementTree.SubElement(
        suite, "testcase", classname=xml_text(f"raml_eval.gate.{gate}.blocking"), name="comparable", time="0"
    )
    ElementTree.SubElement(case, "error", type=OUTCOME, message=xml_text(why)).text = xml_text(why)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def badge(gate: str) -> str:
    """The refusal as an SVG badge."""
    return draw_badge(shorten(f"gate {gate}"), OUTCOME, GREY)


def badge_json(gate: str) -> str:
    """The refusal as the JSON of shields.io."""
    return shields_json(shorten(f"gate {gate}"), OUTCOME, GREY)
