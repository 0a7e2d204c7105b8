"""A gate's outcome as JUnit XML, which CI systems show beside the results of tests."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from raml_eval.comparison import GateResult, JudgedCell, Outcome
from raml_eval.gate_file import Tier
from raml_eval.reporting.gate import TESTS, TIERS, advice, explain, wanted
from raml_eval.reporting.render import clean

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


def render_junit(gate: GateResult, base: str, new: str) -> str:
    """The gate as JUnit XML: a test suite for each tier, a test case for each cell.

    A blocking cell that failed is a failure; one that is inconclusive and blocks is a failure of type inconclusive, and any
    other inconclusive one passes and says so in system-out. An advisory cell that did not pass is skipped, with the reason,
    because a failure would stop a pipeline that reads this file. base and new are the runs' names.
    """
    root = ElementTree.Element("testsuites", name=xml_text(f"raml-eval gate {gate.name}"))
    suites = [_suite(gate, tier, base, new) for tier in TIERS if gate.tier(tier)]
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, 0)) for suite in suites)))
    root.extend(suites)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(gate: GateResult, tier: Tier, base: str, new: str) -> ElementTree.Element:
    cells = gate.tier(tier)
    suite = ElementTree.Element("testsuite", name=xml_text(f"gate {gate.name}, {tier}"), tests=str(len(cells)))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("base", base), ("new", new), ("outcome", gate.outcome), ("level", f"{gate.level:g}")):
        ElementTree.SubElement(properties, "property", name=name, value=xml_text(value))
    cases = [_case(gate, cell) for cell in cells]
    suite.extend(cases)
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    suite.set("time", "0")
    out = ElementTree.SubElement(suite, "system-out")
    out.text = _lines([gate.headline, *advice(gate)])
    return suite


def _case(gate: GateResult, cell: JudgedCell) -> ElementTree.Element:
    rule = cell.rule
    name = f"{rule.name}: {TESTS[rule.test]}, {wanted(rule)}"
    case = ElementTree.Element(
        "testcase", classname=xml_text(f"raml_eval.gate.{gate.name}.{rule.tier}"), name=xml_text(name), time="0"
    )
    told = xml_text(explain(cell))
    if cell.blocks:
        kind = "failed" if cell.outcome is Outcome.FAILED else "inconclusive"
        ElementTree.SubElement(case, "failure", type=kind, message=told).text = told
    elif cell.outcome is Outcome.PASSED or rule.tier == "blocking":
        ElementTree.SubElement(case, "system-out").text = told
    else:
        ElementTree.SubElement(case, "skipped", message=xml_text(f"advisory: {told}"))
    return case


def _lines(lines: list[str]) -> str:
    return "\n".join(map(xml_text, lines))


def xml_text(text: str) -> str:
    """The text on one line, without what XML cannot hold."""
    return _NOT_XML.sub("", clean(text))
