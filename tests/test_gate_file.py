"""A gate's file becomes checked rules, or one line that says what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import ConfigError
from raml_eval.gate_file import GateCell, GateFile, build_gate, load_gate
from raml_eval.yaml_text import read_yaml

WHOLE = """
name: release
margin: 1.5
level: 0.9
min_samples: 8
allow_different: [sampling.top_p]
primary: {metric: avg@n, budget: unlimited}
cells:
  - {domain: in_domain}
  - {suite: pocket, budget: 64, metric: pass@8, test: superiority, tier: advisory, inconclusive: warn}
  - {task: pocket_chain, metric: leak_rate, direction: lower, margin: 1, test: non_inferiority, level: 0.99, min_samples: 16}
  - {task: "*", budget: off}
"""
LEAST: dict[str, Any] = {"cells": [{"domain": "in_domain"}]}


def test_every_key_is_read(tmp_path: Path) -> None:
    path = tmp_path / "any.yaml"
    path.write_text(WHOLE)
    gate = load_gate(path)
    assert (gate.name, gate.margin, gate.level, gate.min_samples) == ("release", 1.5, 0.9, 8)
    assert gate.allow_different == ("sampling.top_p",)
    assert (gate.primary.metric, gate.primary.budget) == ("avg@n", "unlimited")
    assert [cell.test for cell in gate.cells] == ["non_inferiority", "superiority", "non_inferiority", "non_inferiority"]
    assert [cell.budget for cell in gate.cells] == [None, 64, None, "off"]
    assert (gate.cells[1].tier, gate.cells[1].inconclusive) == ("advisory", "warn")
    assert (gate.cells[2].direction, gate.cells[2].margin, gate.cells[2].level, gate.cells[2].min_samples) == (
        "lower",
        1,
        0.99,
        16,
    )


def test_what_is_not_given_has_its_default(tmp_path: Path) -> None:
    path = tmp_path / "nightly.yaml"
    path.write_text("cells: [{domain: cross_domain}]")
    gate = load_gate(path)
    cell = gate.cells[0]
    assert (gate.name, gate.margin, gate.level, gate.min_samples, gate.allow_different) == ("nightly", 2, 0.95, None, ())
    assert (cell.test, cell.tier, cell.inconclusive, cell.direction) == ("non_inferiority", "blocking", "fail", None)


def test_a_changed_rule_changes_the_digest() -> None:
    assert build_gate(LEAST).digest == build_gate({**LEAST, "margin": 2}).digest
    assert build_gate(LEAST).digest != build_gate({**LEAST, "margin": 3}).digest


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "it has no cells, so it would let everything pass"),
        ({"cells": []}, "it has no cells"),
        ({"cells": {"task": "x"}}, "cells is {'task': 'x'}; wanted a list"),
        ({"cells": ["x"]}, "cell 1: 'x' is no mapping; wanted keys such as suite"),
        ({"cells": [{}]}, "cell 1: nothing is named; wanted exactly one of suite, domain, task"),
        ({"cells": [{"task": "x", "suite": "y"}]}, "cell 1: suite and task is named"),
        ({"cells": [{"task": "x"}, {"task": "y", "mergin": 2}]}, "cell 2: unknown key 'mergin'. Did you mean margin"),
        ({**LEAST, "levl": 0.9}, "unknown key 'levl'. Did you mean level"),
        ({**LEAST, "primary": {"budgit": 1}}, "primary: unknown key 'budgit'. Did you mean budget?"),
        ({"cells": [{"domain": "in_domian"}]}, "domain is 'in_domian'; wanted in_domain or cross_domain"),
        ({"cells": [{"task": "x", "test": "equality"}]}, "wanted non_inferiority, superiority or equivalence"),
        ({"cells": [{"task": "x", "tier": "advisory"}]}, "every cell is advisory, so this gate could never fail"),
        ({"cells": [{"task": "x"}, {"task": "x"}]}, "cells 1 and 2 are the same"),
        ({"cells": [{"task": "x", "budget": "16,64"}]}, "names 2 budgets; wanted one"),
        ({"cells": [{"task": "x", "budget": "many"}]}, "thinking budget 'many' is not known"),
        ({"cells": [{"task": "x", "margin": 0}]}, "cell 1: margin is 0: input should be greater than 0"),
        ({**LEAST, "margin": 100}, "margin is 100: input should be less than 100"),
        ({**LEAST, "margin": True}, "margin is True"),
        ({**LEAST, "margin": "2"}, "margin is '2'"),
        ({**LEAST, "level": 95}, "level is 95: input should be less than 1"),
        ({**LEAST, "level": float("nan")}, "level is nan"),
        ({**LEAST, "min_samples": 0}, "min_samples is 0"),
        ({**LEAST, "name": "a --> b"}, "name is 'a --> b'; wanted 1 to 60 printable characters"),
        ({**LEAST, "name": "two\nlines"}, "wanted 1 to 60 printable characters"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as met:
        build_gate(content)
    assert message in str(met.value)
    assert "\n" not in str(met.value)
    assert str(met.value).endswith("docs/comparing.md lists every key.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cells: [", "is not YAML"),
        ("cells: [{task: x}]\ncells: []", "the key 'cells' occurs twice"),
        ("- task: x", "holds list, wanted keys and values"),
        ("", "holds NoneType"),
    ],
)
def test_a_file_that_is_no_gate_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "gate.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_gate(path)
    with pytest.raises(ConfigError, match="cannot read the gate"):
        load_gate(tmp_path / "none.yaml")


def test_every_key_and_word_is_documented() -> None:
    page = (Path(__file__).parents[1] / "docs" / "comparing.md").read_text(encoding="utf-8")
    keys = [*GateFile.model_fields, *GateCell.model_fields]
    words = ("non_inferiority", "superiority", "equivalence", "blocking", "advisory", "fail", "warn", "pass", "higher", "lower")
    assert [word for word in (*keys, *words) if f"`{word}`" not in page] == []


def test_the_gates_of_the_page_are_gates() -> None:
    page = (Path(__file__).parents[1] / "docs" / "comparing.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.S)
    assert len(blocks) == 2
    assert all(build_gate(read_yaml(block)).cells for block in blocks)


def test_the_links_of_the_page_lead_somewhere() -> None:
    docs = Path(__file__).parents[1] / "docs"
    for file, anchor in re.findall(r"\]\((?!http)([^)#]*)#?([^)]*)\)", (docs / "comparing.md").read_text(encoding="utf-8")):
        text = (docs / (file or "comparing.md")).read_text(encoding="utf-8")
        heads = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in re.findall(r"^#+ (.*)$", text, re.M)}
        assert not anchor or anchor in heads, f"{file}#{anchor}"
