"""What a frame refuses, what it leaves blank, and the footnotes that say so."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from raml_eval.errors import InputError, MetricError
from raml_eval.reporting.footnotes import footnotes
from raml_eval.tables import STABILITY, build_frame, run_labels
from raml_eval.tables.counted import budget_order
from raml_eval.types import Budget, Status, StoredRun
from tests.factory import by_row, make_run

RUN = make_run(by_row(lambda row: row % 5))
PARTIAL = replace(RUN, records=RUN.records[7:], n_errors=2)


def one_timeout(task: str, row: int, index: int, budget: Budget) -> Status:
    return Status.TIMEOUT if (task, row, index) == ("pocket_sort", 1, 0) else Status.CORRECT


def notes(run: StoredRun, **settings: object) -> list[str]:
    return footnotes([run], build_frame([run], **settings))  # type: ignore[arg-type]


def test_missing_samples_are_refused_and_counted() -> None:
    with pytest.raises(MetricError, match="lacks 7 of its 160 planned samples") as error:
        build_frame([PARTIAL])
    assert "--allow-partial" in str(error.value)
    assert "same --out" in str(error.value)
    assert "2 failed" in str(error.value)


def test_a_partial_run_is_tabulated_on_demand_with_a_footnote() -> None:
    frame = build_frame([PARTIAL], allow_partial=True)
    chain = frame[(frame["task"] == "pocket_chain") & (frame["budget"] == "16")].set_index("metric")
    assert chain.loc["avg@n", "n_questions"] == 9
    # The first question has no sample left at 16, so pass@4 would be of nine questions.
    assert chain.loc["pass@k", "n_questions"] == 9
    assert chain.loc["pass@k", ["value"]].isna().all()
    text = footnotes([PARTIAL], frame)
    (told,) = [line for line in text if line.startswith("partial: 7 of 160 planned samples are missing (2 of them failed)")]
    assert "biased toward short answers; missing are " in told
    assert sum(int(n) for n in re.findall(r"(\d+) of \w+ at ", told)) == 7
    assert any("pass@4" in line and "9 of 10 questions of pocket_chain at 16" in line for line in text)


def test_a_run_without_any_sample_has_blanks_and_no_zero() -> None:
    frame = build_frame([replace(RUN, records=())], allow_partial=True)
    assert frame["value"].isna().all()
    assert (frame["n_questions"] == 0).all()


def test_too_few_samples_are_blank_with_their_coverage() -> None:
    frame = build_frame([RUN], k=[2, 16])
    wide = frame[(frame["k"] == 16).fillna(False)]
    assert set(wide["metric"]) == set(STABILITY)
    assert wide["value"].isna().all()
    assert (wide["n_questions"] == 0).all()
    assert frame[(frame["k"] == 2).fillna(False)]["value"].notna().all()
    assert any("need 16 samples per question" in line and "0 of 10 questions" in line for line in notes(RUN, k=[2, 16]))


def test_greedy_draws_have_no_stability() -> None:
    greedy = make_run(by_row(lambda row: 4 * (row % 2)), temperature=0.0)
    frame = build_frame([greedy])
    stability = frame[frame["metric"].isin(STABILITY)]
    assert len(stability) > 0
    assert stability["value"].isna().all()
    assert frame[frame["metric"] == "avg@n"]["value"].notna().all()
    assert any("greedy draws only repeat one another" in line for line in footnotes([greedy], frame))
    once = make_run(by_row(lambda row: row % 2), temperature=0.0, n_samples=1)
    assert build_frame([once])["metric"].isin(STABILITY).any()
    assert not any("greedy" in line for line in notes(once))


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (make_run(by_row(lambda row: 2), limit=10), "a seeded subset of at most 10 questions per task (--limit 10)"),
        (
            make_run(by_row(lambda row: 2), synthetic={"pocket_sort": 3}),
            "pocket_sort: 3 of 10 questions are synthetic, so this is no score on that benchmark",
        ),
        (
            make_run(lambda task, row, index, budget: Status.UNFINISHED if index == 0 else Status.CORRECT),
            "up to 25.0 % of samples (pocket_chain at 16) are unfinished and count as wrong",
        ),
        (
            make_run(
                lambda task, row, index, budget: (
                    Status.TIMEOUT if (task, row, index) == ("pocket_sort", 1, 0) else Status.CORRECT
                )
            ),
            "the grader was stopped on 2 of 160 samples, which count as wrong; worst and best accuracy in percent: "
            "pocket_sort at 16 97.5 to 100.0, pocket_sort at 64 97.5 to 100.0",
        ),
        (
            make_run(by_row(lambda row: 2)),
            "the budget cut the thinking of up to 100.0 % of samples (pocket_chain at 16)",
        ),
        (make_run(by_row(lambda row: 2), engine={"reproducible": False}), "the engine (fake) does not reproduce seeded draws"),
    ],
)
def test_every_caveat_has_a_footnote(run: StoredRun, expected: str) -> None:
    assert expected in notes(run)


def test_redrawn_trajectories_are_counted() -> None:
    first, *others = RUN.trajectories.items()
    run = replace(RUN, trajectories=dict([(first[0], replace(first[1], redrawn=True)), *others]))
    assert any(line.startswith("1 of 80 trajectories were drawn again") for line in notes(run))


@pytest.mark.parametrize(("longer", "told"), [(tuple(range(60)), False), ((9, *range(59)), True)])
def test_budgets_on_different_draws_are_told(longer: tuple[int, ...], told: bool) -> None:
    # The sweep was extended to 64: the first sample has a second, longer trajectory there.
    first = RUN.records[0]
    assert first.trajectory is not None
    records = tuple(replace(r, trajectory="longer") if r.key == first.key and r.budget == 64 else r for r in RUN.records)
    again = replace(RUN.trajectories[first.trajectory], limit=128, token_ids=longer)
    run = replace(RUN, records=records, trajectories={**RUN.trajectories, "longer": again})
    assert any("are not cuts of one trajectory" in line for line in notes(run)) is told


def test_budgets_that_the_engine_enforced_are_told_for_every_sample() -> None:
    # Each budget has a draw of its own, however alike the draws are.
    records = tuple(replace(r, trajectory=f"{r.key}@{r.budget}") for r in RUN.records)
    drawn = {f"{t.key}@{limit}": replace(t, limit=limit) for t in RUN.trajectories.values() for limit in RUN.budgets}
    protocol = {**RUN.manifest["protocol"], "thinking": {"capped_by": "engine"}}
    run = replace(RUN, records=records, trajectories=drawn)
    assert not any("are not cuts of one trajectory" in line for line in notes(run))
    apart = replace(run, manifest={**RUN.manifest, "protocol": protocol})
    assert any(line.startswith("the budgets of 80 of 80 samples are not cuts of one trajectory") for line in notes(apart))


def test_gains_over_fewer_questions_are_told() -> None:
    base = make_run(by_row(lambda row: 1), name="base", n_questions=6)
    frame = build_frame([RUN], base=base)
    assert any("6 of 10 in pocket_chain at 16" in line for line in footnotes([RUN], frame))


def test_runs_of_one_name_are_told_apart_and_one_run_twice_is_refused() -> None:
    other = replace(RUN, directory=RUN.directory.parent / "elsewhere")
    frame = build_frame([RUN, other])
    assert set(frame["run"]) == {str(RUN.directory), str(other.directory)}
    with pytest.raises(InputError, match="given twice"):
        build_frame([RUN, RUN])


def test_a_name_that_is_another_run_s_directory_hides_no_run() -> None:
    places = [("m", "p"), ("m", "q"), ("p", "z"), ("z", "w"), ("alone", "v")]
    runs = [replace(RUN, name=name, directory=Path(place)) for name, place in places]
    assert run_labels(runs) == ["p", "q", "z", "w", "alone"]
    assert set(build_frame(runs[:3])["run"]) == {"p", "q", "z"}
    with pytest.raises(InputError, match="run p is given twice"):
        run_labels([*runs, replace(runs[0], name="p")])


def test_k_below_one_is_refused() -> None:
    with pytest.raises(MetricError, match="k must be at least 1"):
        build_frame([RUN], k=[0])


def test_the_run_names_its_own_k() -> None:
    frame = build_frame([make_run(by_row(lambda row: 2), k=[1, 2])])
    assert set(frame["k"].dropna()) == {1, 2}
    # mG-Pass@1 is an empty sum, and would read as a score of 0.
    assert not ((frame["metric"] == "mg_pass@k") & (frame["k"] == 1).fillna(False)).any()


def test_budgets_sort_from_off_to_unlimited() -> None:
    assert sorted(["unlimited", "1024", "0", "off", "256"], key=budget_order) == ["off", "0", "256", "1024", "unlimited"]
