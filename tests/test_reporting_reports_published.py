"""Published values beside one's own: units, domains, what is refused, and their rows in the frame."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from raml_eval.reporting.render import Table
from raml_eval.reporting.reports.assemble import Assembled, assemble
from raml_eval.reporting.reports.definition import Definition
from raml_eval.reporting.reports.files import text_of
from raml_eval.types import Domain, Status, StoredRun
from tests.factory import make_run


def run_of(name: str, tasks: Mapping[str, Domain]) -> StoredRun:
    return make_run(lambda task, row, index, budget: Status.CORRECT, name=name, tasks=tasks, n_samples=2, budgets=(16,))


def definition(metrics: list[str], values: Mapping[str, list[Any]], **more: Any) -> Definition:
    part = {"part": "published", "tasks": list(values), "metrics": metrics, "published": [{"name": "x", "values": values}]}
    return Definition.model_validate({"title": "t", "about": "a", "parts": [{**part, **more}]})


def table_of(made: Assembled) -> Table:
    (table,) = made.report.sections[0].tables
    return table


def test_tokens_are_no_percent() -> None:
    run = run_of("mine", {"sums": "in_domain"})
    made = assemble(definition(["avg@n", "thinking_tokens_mean"], {"sums": [50.0, 1437.5]}), [run])
    told, own = table_of(made).rows
    assert [cell.text for cell in told[3:]] == ["50.00", "1437.50"]
    assert own[3].text.startswith("100.0")
    assert own[4].text == "16.0"
    assert "tokens as they are" in table_of(made).title


def test_each_run_has_its_task_s_own_domain() -> None:
    runs = [run_of("first", {"sums": "in_domain"}), run_of("last", {"sums": "cross_domain"})]
    _, *own = table_of(assemble(definition(["avg@n"], {"sums": [50.0]}), runs)).rows
    assert [row[3].text[:5] for row in own] == ["100.0", "100.0"]


@pytest.mark.parametrize("value", [-0.1, 100.1, float("nan"), float("inf")])
def test_a_published_share_lies_between_0_and_100(value: float) -> None:
    with pytest.raises(ValidationError, match=r"as avg@n of sums; wanted a share in percent, from 0 to 100"):
        definition(["avg@n"], {"sums": [value]})
    assert definition(["avg@n"], {"sums": [100.0]}).parts[0].published[0].values["sums"] == (100.0,)


def test_published_tokens_are_finite() -> None:
    with pytest.raises(ValidationError, match=r"wanted a finite number of tokens"):
        definition(["answer_tokens_mean"], {"sums": [float("inf")]})


def test_the_frame_has_the_published_values_marked_and_without_notes() -> None:
    run = run_of("mine", {"sums": "in_domain"})
    values: dict[str, list[Any]] = {"sums": [50.0, 1437.5], "other": [None, 7.0]}
    made = assemble(definition(["avg@n", "thinking_tokens_mean"], values, source="A table"), [run])
    rows = [row for row in json.loads(text_of(made, "json"))["rows"] if row["run"] == "published: x"]
    assert [(row["task"], row["metric"], row["value"]) for row in rows] == [
        ("sums", "avg@n", 0.5), ("sums", "thinking_tokens_mean", 1437.5), ("other", "thinking_tokens_mean", 7.0)
    ]  # fmt: skip
    assert {(row["source"], row["method"], tuple(row["notes"])) for row in rows} == {("A table", "published, not rerun", ())}


def test_runs_of_other_tasks_have_a_table_of_their_own() -> None:
    run = run_of("mine", {"logic": "in_domain"})
    told, own = assemble(definition(["avg@n", "pass@2"], {"sums": [50.0, 60.0]}), [run]).report.sections[0].tables
    assert [cell.text for cell in told.header[3:]] == ["sums avg@n", "sums pass@2"]
    assert [[cell.text for cell in row] for row in told.rows] == [["x", "", "published, not rerun", "50.00", "60.00"]]
    assert [cell.text for cell in own.header[3:]] == ["logic avg@n", "logic pass@2"]
    assert [row[2].text for row in own.rows] == ["this run"]


def test_a_run_without_a_number_has_no_row() -> None:
    run = run_of("mine", {"sums": "in_domain"})  # of two samples for each question
    made = assemble(definition(["pass@16"], {"sums": [60.0]}), [run])
    assert [row[2].text for row in table_of(made).rows] == ["published, not rerun"]
    assert "pass@16 cannot be given: these runs have at most 2 samples" in made.report.sections[0].lead


def test_only_a_source_is_called_a_paper() -> None:
    run = run_of("mine", {"sums": "in_domain"})
    own, cited = (assemble(definition(["avg@n"], {"sums": [50.0]}, source=source), [run]) for source in ("", "A table"))
    assert "paper" not in table_of(own).title + own.report.sections[0].lead
    assert "Source" not in own.report.sections[0].lead
    assert "the paper gives no intervals" in table_of(cited).title
    assert cited.report.sections[0].lead.startswith("Source: A table.")
