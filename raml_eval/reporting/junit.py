"""A gate's outcome as JUnit XML, which CI systems show beside the results of tests."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree

from raml_eval.comparison import GateResult, JudgedCell, Outcome, Rule, Uncompared
from raml_eval.gate_file import Tier
from raml_eval.reporting.gate import TESTS, advice, advisory_lines, explain, explain_uncompared
from raml_eval.reporting.render import clean

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


def render_junit(gate: GateResult, base: str, new: str, notes: Sequence[str] = ()) -> str:
    """The gate as JUnit XML: a test suite for each tier, a test case for each cell.

    A blocking cell that failed is a failure; one that is inconclusive and blocks is a failure of type inconclusive, and any
    other inconclusive one passes and says so in system-out. An advisory cell that did not pass, or was not compared, is
    skipped, with the reason, because a failure would stop a pipeline that reads this file. A case keeps its name if a margin
    or a level changes, so that its history goes on. base and new are the runs' names, notes their caveats.
    """
    root = ElementTree.Element("testsuites", name=xml_text(f"raml-eval gate {gate.name}"))
    advised = gate.tier("advisory") or gate.uncompared
    suites = [_suite(gate, "blocking", base, new, [f"{gate.headline}.", *advice(gate, False), *map("Note: {}".format, notes)])]
    suites += [_suite(gate, "advisory", base, new, advisory_lines(gate))] if advised else []
    for count in ("tests", "failures", "errors", "skipped"):
        root.set(count, str(sum(int(suite.get(count, 0)) for suite in suites)))
    root.extend(suites)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(gate: GateResult, tier: Tier, base: str, new: str, told: Sequence[str]) -> ElementTree.Element:
    suite = ElementTree.Element("testsuite", name=xml_text(f"gate {gate.name}, {tier}"))
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("base", base), ("new", new), ("outcome", gate.outcome), ("level", f"{gate.level:g}")):
        ElementTree.SubElement(properties, "property", name=name, value=xml_text(value))
    taken: Counter[str] = Counter()
    cases = [_case(gate, cell, taken) for cell in gate.tier(tier)]
    cases += [_skipped(gate, one, taken) for one in gate.uncompared if one.rule.tier == tier]
    suite.extend(cases)
    suite.set("tests", str(len(cases)))
    suite.set("failures", str(sum(case.find("failure") is not None for case in cases)))
    suite.set("errors", "0")
    suite.set("skipped", str(sum(case.find("skipped") is not None for case in cases)))
    suite.set("time", "0")
    if told:
        ElementTree.SubElement(suite, "system-out").text = "\n".join(map(xml_text, told))
    return suite


def _case(gate: GateResult, cell: JudgedCell, taken: Counter[str]) -> ElementTree.Element:
    case = _named(gate, cell.rule, taken)
    told = xml_text(explain(cell))
    if cell.blocks:
        kind = "failed" if cell.outcome is Outcome.FAILED else "inconclusive"
        ElementTree.SubElement(case, "failure", type=kind, message=told).text = told
    elif cell.outcome is Outcome.PASSED or cell.rule.tier == "blocking":
        ElementTree.SubElement(case, "system-out").text = told
    else:
        ElementTree.SubElement(case, "skipped", message=xml_text(f"advisory: {told}"))
    return case


def _skipped(gate: GateResult, one: Uncompared, taken: Counter[str]) -> ElementTree.Element:
    case = _named(gate, one.rule, taken)
    ElementTree.SubElement(case, "skipped", message=xml_text(f"advisory: {explain_uncompared(one)}"))
    return case


def _named(gate: GateResult, rule: Rule, taken: Counter[str]) -> ElementTree.Element:
    """A case without its result. taken counts the names, because rules of one name may differ in their margins."""
    name = f"{rule.name}: {TESTS[rule.test]}"
    taken[name] += 1
    name += f" ({taken[name]})" if taken[name] > 1 else ""
    where = xml_text(f"raml_eval.gate.{gate.name}.{rule.tier}")
    return ElementTree.Element("testcase", classname=where, name=xml_text(name), time="0")


def xml_text(text: str) -> str:
    """The text on one line, without what XML cannot hold."""
    return _NOT_XML.sub("", clean(text))
