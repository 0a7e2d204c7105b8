"""A gate's file becomes checked rules, or one line that says what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from raml_eval.errors import ConfigError
from raml_eval.gate_file import GateCell, GateFile, build_gate, find_name, load_gate
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
    gate = load_gate(str(path))
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
        ({"cells": [{"task": "x", "suite": "y"}]}, "cell 1: suite and task are named; wanted exactly one"),
        ({"cells": [{"task": "x"}, {"task": "y", "mergin": 2}]}, "cell 2: unknown key 'mergin'. Did you mean margin"),
        ({**LEAST, "levl": 0.9}, "unknown key 'levl'. Did you mean level"),
        ({**LEAST, "primary": {"budgit": 1}}, "primary: unknown key 'budgit'. Did you mean budget?"),
        ({"cells": [{"domain": "in_domian"}]}, "domain is 'in_domian'; wanted in_domain or cross_domain"),
        ({"cells": [{"task": "x", "test": "equality"}]}, "wanted non_inferiority, superiority or equivalence"),
        ({"cells": [{"task": "x", "tier": "advisory"}]}, "every cell is advisory, so this gate could never fail"),
        ({"cells": [{"task": "x"}, {"task": "x"}]}, "cells 1 and 2 are the same"),
        ({"cells": [{"task": "x", "budget": "16,64"}]}, "names 2 budgets; wanted one"),
        ({"cells": [{"task": "x", "budget": "many"}]}, "thinking budget 'many' is not known"),
        ({"cells": [{"task": "x", "margin": 0}]}, "cell 1: margin is 0; wanted more than 0"),
        ({**LEAST, "margin": 100}, "margin is 100; wanted less than 100"),
        ({**LEAST, "margin": True}, "margin is True; wanted a number"),
        ({**LEAST, "margin": "2"}, "margin is '2'"),
        ({**LEAST, "level": 95}, "level is 95; wanted 0.9999 or less"),
        ({**LEAST, "level": 0.99995}, "level is 0.99995; wanted 0.9999 or less"),
        ({**LEAST, "level": 0.4}, "level is 0.4; wanted 0.5 or more"),
        ({"cells": [{"task": "x", "level": 0.99995}]}, "cell 1: level is 0.99995"),
        ({"cells": [{"task": "x"}, {"task": "x", "margin": 2, "level": 0.95}]}, "cells 1 and 2 are the same"),
        ({"cells": [{"task": "x", "margin": 60}, {"task": "x", "margin": 60.0}]}, "cells 1 and 2 are the same"),
        ({"cells": [{"task": "x", "budget": 64}, {"task": "x"}], "primary": {"budget": "64"}}, "cells 1 and 2 are the same"),
        ({**LEAST, "level": float("nan")}, "level is nan"),
        ({**LEAST, "min_samples": 0}, "min_samples is 0; wanted 1 or more"),
        ({**LEAST, "name": "a --> b"}, "name is 'a --> b'; wanted 1 to 60 printable characters"),
        ({**LEAST, "name": "two\nlines"}, "wanted 1 to 60 printable characters"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(content: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as met:
        build_gate(content)
    assert message in str(met.value)
    assert "\n" not in str(met.value)
    assert ".md" not in str(met.value)  # which is not there for whoever has installed the package


def test_equal_cells_of_different_meaning_are_kept() -> None:
    """A superiority cell without a margin must exceed 0, and not the gate's margin."""
    assert len(build_gate({"cells": [{"task": "x", "test": "superiority", "margin": m} for m in (None, 2)]}).cells) == 2


def test_an_unknown_key_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigError) as met:
        build_gate({**LEAST, "cells": [{"task": "x", "mergin": 2}]})
    assert str(met.value).endswith(f"Keys of a cell: {', '.join(GateCell.model_fields)}.")
    with pytest.raises(ConfigError, match=r"Keys of primary: metric, budget\. Keys of a gate: name, margin, "):
        build_gate({**LEAST, "levl": 0.9, "primary": {"budgit": 1}})


@pytest.mark.parametrize(
    ("text", "name"),
    [("name: release\ncells: [{}]", "release"), ("name: [", "nightly"), ("name: 'a --> b'", "nightly"), ("name: 3", "nightly")],
)
def test_a_broken_gate_still_has_a_name(text: str, name: str, tmp_path: Path) -> None:
    path = tmp_path / "nightly.yaml"
    path.write_text(text)
    assert find_name(path) == find_name(str(path)) == name
    assert find_name(tmp_path / "none.yaml") == "none"
    assert find_name(tmp_path / "a--b.yaml") == "gate"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cells: [", "cannot be read as YAML: line 1, column 9: expected the node content"),
        ("cells: [{task: x}]\ncells: []", "cannot be read as YAML: line 2, column 1: the key 'cells' occurs twice"),
        ("- task: x", "holds a list, wanted keys and values"),
        ("release", "holds a text, wanted keys and values"),
        ("", "holds nothing, wanted keys and values"),
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
