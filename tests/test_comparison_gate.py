"""A gate's cells: what passes, what fails after Holm's correction, and that what is unknown never passes."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raml_eval.comparison import CellValues, Outcome, Rule, judge_gate, needed_for
from raml_eval.comparison.verdicts import holm_shares
from raml_eval.errors import ConfigError
from raml_eval.intervals import Part, paired_difference
from raml_eval.tables import parse_measure
from tests.gates import cell, moved

# With 400 questions and a spread of 0.1 the interval is mean +- 0.0098 at 0.95, in shares; the margin is 0.02.
CASES = [
    # mean, non-inferiority, superiority, superiority beyond 0.02, equivalence
    (+0.050, "passed", "passed", "passed", "failed"),
    (+0.025, "passed", "passed", "inconclusive", "inconclusive"),
    (+0.012, "passed", "passed", "inconclusive", "inconclusive"),
    (+0.005, "passed", "inconclusive", "failed", "passed"),
    (+0.000, "passed", "inconclusive", "failed", "passed"),
    (-0.0099, "passed", "failed", "failed", "passed"),
    (-0.012, "failed", "failed", "failed", "inconclusive"),
    (-0.025, "failed", "failed", "failed", "inconclusive"),
    (-0.050, "failed", "failed", "failed", "failed"),
]
TESTS: list[dict[str, Any]] = [
    {"test": "non_inferiority"},
    {"test": "superiority"},
    {"test": "superiority", "bar": 0.02},
    {"test": "equivalence"},
]


@pytest.mark.parametrize(("mean", "outcomes"), [(mean, outcomes) for mean, *outcomes in CASES])
@pytest.mark.parametrize("lower", [False, True])
def test_every_test_reads_its_interval(mean: float, outcomes: list[str], lower: bool) -> None:
    for rule, wanted in zip(TESTS, outcomes, strict=True):
        judged = judge_gate([cell(-mean if lower else mean, lower_is_better=lower, **rule)]).cells[0]
        assert judged.found.value == pytest.approx(-mean if lower else mean)  # the difference itself is not turned round
        assert judged.outcome == wanted, rule


def one(kind: str, **rule: Any) -> CellValues:
    return {"pass": cell(0.0, 0.01, **rule), "fail": cell(-0.1, 0.01, **rule), "open": cell(0.0, 0.5, **rule)}[kind]


@pytest.mark.parametrize(
    ("cells", "outcome", "code", "decided", "warned"),
    [
        ([one("pass")], "passed", 0, True, 0),
        ([one("fail")], "failed", 1, True, 0),
        ([one("open")], "inconclusive", 3, False, 0),
        ([one("open", inconclusive="warn")], "passed", 0, False, 1),
        ([one("open", inconclusive="pass")], "passed", 0, False, 0),
        ([one("fail", inconclusive="pass")], "failed", 1, True, 0),
        ([one("pass"), one("fail")], "failed", 1, True, 0),
        ([one("pass"), one("open")], "inconclusive", 3, False, 0),
        ([one("open"), one("fail")], "failed", 1, True, 0),
        ([one("pass"), one("fail", tier="advisory")], "passed", 0, True, 1),
        ([one("pass"), one("open", tier="advisory")], "passed", 0, True, 1),
        ([one("pass"), one("open", tier="advisory", inconclusive="pass")], "passed", 0, True, 0),
        ([one("open"), one("fail", tier="advisory")], "inconclusive", 3, False, 1),
    ],
)
def test_a_gate_is_its_blocking_cells(cells: list[CellValues], outcome: str, code: int, decided: bool, warned: int) -> None:
    found = judge_gate(cells)
    assert (found.outcome, found.exit_code, found.decided, len(found.warned)) == (outcome, code, decided, warned)


def test_a_gate_that_cannot_fail_is_refused() -> None:
    for cells in ([], [one("pass", tier="advisory")]):
        with pytest.raises(ConfigError, match="has no blocking cell, so it could never fail"):
            judge_gate(cells)


@pytest.mark.parametrize("inconclusive", ["fail", "warn", "pass"])
@pytest.mark.parametrize("test", ["non_inferiority", "superiority", "equivalence"])
def test_what_is_unknown_never_passes(inconclusive: str, test: str) -> None:
    single = Part(np.zeros(5), np.ones(5), ["same"] * 5)  # one cluster
    tokens = Part(np.full(5, 100.0), np.full(5, 50.0), list("abcde"))  # no variance and no bounds
    rule: dict[str, Any] = {"inconclusive": inconclusive, "test": test}
    for values in (
        CellValues(Rule("one", **rule), [single]),
        CellValues(Rule("pooled", **rule), [moved(0.1, 0.01), single]),
        CellValues(Rule("tokens", parse_measure("thinking_tokens_mean"), margin=10, lower_is_better=True, **rule), [tokens]),
    ):
        found = judge_gate([values, one("pass")])
        assert (found.outcome, found.exit_code, found.decided) == ("inconclusive", 3, False)
        assert found.cells[0].unknown
        assert found.cells[0].blocks
        assert found.cells[0].needed_questions is None


def test_a_cell_without_an_interval_takes_no_share_of_the_correction() -> None:
    single = Part(np.zeros(5), np.ones(5), ["same"] * 5)
    borderline = cell(-0.0099, 0.1, margin=0.005)
    assert judge_gate([borderline, CellValues(Rule("one"), [single])]).cells[0].outcome == "failed"
    assert judge_gate([borderline, one("pass")]).cells[0].outcome == "inconclusive"


@settings(max_examples=40)
@given(st.lists(st.floats(-0.03, 0.01), min_size=1, max_size=6))
def test_failing_is_holms_procedure(means: list[float]) -> None:
    """Against the p-values of the same differences: failed is worse, rejected by Holm, and not shown within the margin."""
    cells = [cell(mean, 0.1, scope=str(i), margin=0.001) for i, mean in enumerate(means)]
    tests = [paired_difference(one.parts[0].base, one.parts[0].new, one.parts[0].clusters) for one in cells]
    shares = holm_shares([test.p_value for test in tests], 0.05)
    wanted = [
        share.p_adjusted <= 0.05 and test.value < 0 and test.low <= -0.001 for share, test in zip(shares, tests, strict=True)
    ]
    # A cell that is better, or passes, is one of Holm's hypotheses here, and leaves the family there when it is rejected.
    found = [judged.outcome == "failed" for judged in judge_gate(cells).cells]
    assert all(there or not here for here, there in zip(found, wanted, strict=True))
    if all(test.value < 0 and test.low <= -0.001 for test in tests):
        assert found == wanted


def test_worse_alone_is_not_failed_among_many() -> None:
    borderline = cell(-0.0099, 0.1, margin=0.005)
    assert judge_gate([borderline]).cells[0].outcome == "failed"
    among = judge_gate([borderline, *(cell(0.0, 0.1, scope=str(i)) for i in range(9))])
    assert among.cells[0].outcome == "inconclusive"
    assert among.cells[0].worse_alone
    assert among.cells[0].holm_level == pytest.approx(0.995)
    advisory = judge_gate([borderline, *(cell(0.0, 0.1, scope=str(i), tier="advisory") for i in range(9))])
    assert advisory.cells[0].outcome == "failed"  # tiers are corrected apart


@pytest.mark.parametrize("inconclusive", ["warn", "pass"])
def test_what_cannot_pass_is_not_let_through(inconclusive: str) -> None:
    """Wholly below -margin at the cell's level, and not after Holm's correction: inconclusive, and no leave to pass."""
    many = [cell(0.0, scope=str(i)) for i in range(19)]
    found = judge_gate([cell(-0.0125, margin=0.002, inconclusive=inconclusive), *many])
    assert (found.cells[0].outcome, found.cells[0].cannot_pass, found.cells[0].blocks) == ("inconclusive", True, True)
    assert (found.outcome, found.exit_code) == ("inconclusive", 3)
    reaching = judge_gate([cell(-0.0105, margin=0.002, inconclusive=inconclusive), *many])  # its interval ends at -0.0007
    assert (reaching.cells[0].outcome, reaching.cells[0].cannot_pass, reaching.exit_code) == ("inconclusive", False, 0)


@pytest.mark.parametrize(("mean", "outcome"), [(0.02, "failed"), (0.045, "inconclusive"), (0.07, "passed"), (-0.02, "failed")])
@pytest.mark.parametrize("lower", [False, True])
def test_superiority_is_refuted_below_its_bar(mean: float, outcome: str, lower: bool) -> None:
    rule: dict[str, Any] = {"test": "superiority", "bar": 0.05, "lower_is_better": lower}
    assert judge_gate([cell(-mean if lower else mean, **rule)]).cells[0].outcome == outcome


def test_a_stricter_level_of_a_cell_holds_both_ways() -> None:
    mean = -0.0099  # excludes 0 at 0.95, not at 0.99
    assert judge_gate([cell(mean, margin=0.005)]).outcome == "failed"
    assert judge_gate([cell(mean, margin=0.005, level=0.99)]).outcome == "inconclusive"
    assert judge_gate([cell(0.0099, test="superiority", level=0.99)]).outcome == "inconclusive"


def test_a_look_is_taken_at_its_own_level() -> None:
    cells = [cell(0.0, 0.1, margin=0.0105), cell(-0.0105, 0.1, margin=0.001, level=0.99)]
    assert [judged.level for judged in judge_gate(cells).cells] == [0.95, 0.99]
    look = judge_gate(cells, level=0.98)
    assert [judged.level for judged in look.cells] == [0.98, 0.99]  # no cell is judged at less than its own level
    assert [judged.outcome for judged in look.cells] == ["inconclusive", "inconclusive"]
    by_function = judge_gate(cells, level=lambda own: 1 - (1 - own) / 10)
    assert [judged.level for judged in by_function.cells] == pytest.approx([0.995, 0.999])
    assert by_function.level == pytest.approx(0.995)
    assert judge_gate([one("fail")], level=0.9995).decided


def test_a_manifest_keeps_plain_values() -> None:
    single = CellValues(Rule("one", tier="advisory"), [Part(np.zeros(5), np.ones(5), ["same"] * 5)])
    entry = json.loads(json.dumps(judge_gate([one("fail"), single], "release").entry(), allow_nan=False))
    assert (entry["gate"], entry["outcome"], entry["level"]) == ("release", "failed", 0.95)
    first, second = entry["cells"]
    assert (first["cell"], first["outcome"], first["difference"]) == ("sums, avg@n at unlimited", "failed", pytest.approx(-0.1))
    assert first["low"] < first["difference"] < first["high"] < 0
    assert (second["tier"], second["outcome"], second["low"]) == ("advisory", "inconclusive", None)


@pytest.mark.parametrize("rule", [{"test": "non_inferiority"}, {"test": "superiority"}, {"test": "equivalence"}])
def test_the_needed_questions_would_do(rule: dict[str, Any]) -> None:
    """With as many questions, about four of five gates pass under the truth that needed_for names."""
    judged = judge_gate([cell(0.0, 0.3, **rule)]).cells[0]
    assert judged.outcome is Outcome.INCONCLUSIVE
    assert judged.needed_questions is not None
    truth = 0.02 if rule["test"] == "superiority" else 0.0
    assert needed_for(judged.rule) == ("the new run is better by 2 points" if truth else "there is no difference")
    rng = np.random.default_rng(0)
    n = judged.needed_questions
    names = [str(row) for row in range(n)]
    parts = [Part(np.full(n, 0.5), 0.5 + truth + 0.3 * rng.choice([-1, 1], n), names) for _ in range(300)]
    passed = np.mean([judge_gate([CellValues(judged.rule, [part])]).outcome == "passed" for part in parts])
    assert passed == pytest.approx(0.8, abs=0.06)


def test_samples_may_do_in_place_of_questions() -> None:
    """Half of the variance is redrawing: doubling n leaves 3/4 of it, and less than a half cannot be reached."""
    values = cell(0.0, 0.3)
    spread = float(np.var(values.parts[0].new, ddof=1))
    half = CellValues(values.rule, values.parts, [np.full(400, spread / 2)], 8)
    without = judge_gate([values]).cells[0]
    assert (without.needed_questions, without.needed_samples) == (1777, None)  # 400 (0.0421 / 0.02)^2
    assert judge_gate([half]).cells[0].needed_samples == np.inf
    near = cell(-0.01, 0.3, margin=0.034)
    judged = judge_gate([replace(near, redraws=[np.full(400, spread / 2)], n_samples=8)]).cells[0]
    assert judged.needed_samples is not None
    less = (0.034 / judged.detectable) ** 2  # of the variance may remain
    assert 1 / 2 + 4 / judged.needed_samples <= less < 1 / 2 + 4 / (judged.needed_samples - 1)


def test_enough_questions_need_no_more() -> None:
    judged = judge_gate([cell(-0.0198, 0.02, n=400, test="equivalence")]).cells[0]
    assert (judged.outcome, judged.needed_questions) == ("inconclusive", None)


def test_no_difference_fails_at_most_one_gate_in_twenty() -> None:
    rng = np.random.default_rng(1)
    failed = 0
    for _ in range(400):
        cells = []
        for task in range(6):
            p = rng.beta(2, 2, 60)
            part = Part(rng.binomial(8, p) / 8, rng.binomial(8, p) / 8, [f"{task}-{row}" for row in range(60)])
            cells.append(CellValues(Rule(str(task), test="superiority"), [part]))
        failed += judge_gate(cells).exit_code == 1
    assert failed / 400 <= 0.05 + 2 * (0.05 * 0.95 / 400) ** 0.5
