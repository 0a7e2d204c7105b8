"""Solutions of house puzzles: what is read, and how many cells are right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import TaskError
from raml_eval.grading import grade
from raml_eval.grading.grid.extract import count_cells, extra_houses, same_grid
from raml_eval.grading.kinds import extract_answer
from raml_eval.types import Status
from tests.cases import grid as cases

ZEBRA = Path(__file__).resolve().parents[2] / "shared" / "hub" / "WildEval" / "ZebraLogic" / "grid_mode"


@pytest.mark.parametrize(("text", "right"), cases.ANSWERS)
@pytest.mark.parametrize("gold", [cases.GOLD, cases.MAPPED])
def test_cells(text: str, right: int | None, gold: str) -> None:
    verdict = grade(gold, text, "grid")
    if right is None:
        assert (verdict.status, verdict.answer, verdict.score) == (Status.NO_ANSWER, None, 0.0)
        return
    assert verdict.status is (Status.CORRECT if right == 6 else Status.INCORRECT)
    assert verdict.score == right / 6
    assert (verdict.detail or "").partition(";")[0] == f"{right} of 6 cells"


@pytest.mark.parametrize(("text", "right", "extra"), cases.MORE_HOUSES)
@pytest.mark.parametrize("gold", [cases.GOLD, cases.MAPPED])
def test_houses_that_the_gold_has_not(text: str, right: int, extra: list[int], gold: str) -> None:
    verdict = grade(gold, text, "grid")
    assert extra_houses(gold, verdict.answer or "{}") == extra
    assert verdict.status is (Status.CORRECT if right == 6 and not extra else Status.INCORRECT)
    assert verdict.score == right / 6
    assert (verdict.detail or "").endswith(f"no {' or '.join(f'House {house}' for house in extra)}" if extra else "of 6 cells")


@pytest.mark.parametrize("gold", cases.BAD_GOLDS)
def test_a_gold_that_is_no_solved_grid_is_an_error(gold: str) -> None:
    with pytest.raises(TaskError, match="is no solved grid"):
        count_cells(gold, cases.RIGHT)


@pytest.mark.parametrize(("gold", "answer", "equal"), cases.CELLS)
def test_a_cell(gold: str, answer: str, equal: bool) -> None:
    wanted, said = (json.dumps({"House 1": {"Height": cell}}) for cell in (gold, answer))
    assert count_cells(wanted, said) == (int(equal), 1)
    assert same_grid(wanted, said) is equal


def test_an_unfinished_thinking_has_no_score() -> None:
    verdict = grade(cases.GOLD, f"<think>{cases.SOLVED}", "grid")
    assert (verdict.status, verdict.score) == (Status.UNFINISHED, None)


def test_solutions_with_the_same_cells_are_the_same_answer() -> None:
    first, second, third = (
        extract_answer(text, "grid").answer or ""
        for text in (cases.RIGHT, cases.SOLVED.replace("Arnold", "ARNOLD"), cases.WRONG)
    )
    assert same_grid(first, second)
    assert not same_grid(first, third)


@given(st.text(alphabet="{}[]\":,\\'#/* \nHouse12NameA|", max_size=200))
def test_any_text_can_be_read(text: str) -> None:
    found = extract_answer(text, "grid")
    if found.answer is not None:
        right, cells = count_cells(cases.GOLD, found.answer)
        assert 0 <= right <= cells == 6


WORDS = st.text(alphabet="abcXYZ", min_size=1, max_size=5)


@given(
    st.dictionaries(
        st.sampled_from(["House 1", "House 2", "3"]), st.dictionaries(WORDS.map(str.lower), WORDS, max_size=3), max_size=3
    )
)
def test_what_is_written_is_read_again(solution: dict[str, dict[str, str]]) -> None:
    answer = extract_answer(json.dumps({"solution": solution}), "grid").answer
    assert answer is None or same_grid(answer, extract_answer(answer, "grid").answer or "{}")


@pytest.mark.skipif(not ZEBRA.is_dir(), reason="the rows of ZebraLogic are not at hand")
def test_every_row_at_hand_is_solved_by_its_own_solution() -> None:
    import pandas as pd

    for solution in pd.read_parquet(ZEBRA / "test-00000-of-00001.parquet")["solution"]:
        header, rows = list(solution["header"]), [list(row) for row in solution["rows"]]
        gold = json.dumps({"header": header, "rows": rows})
        answer = {f"House {row[0]}": dict(zip(header[1:], row[1:], strict=True)) for row in rows}
        verdict = grade(gold, json.dumps({"reasoning": "clues", "solution": answer}, indent=4), "grid")
        assert (verdict.status, verdict.score) == (Status.CORRECT, 1.0)
        rows[0][1], rows[1][1] = rows[1][1], rows[0][1]
        swapped = json.dumps({"header": header, "rows": rows})
        cells = len(rows) * (len(header) - 1)
        assert grade(gold, swapped, "grid").score == (cells - 2) / cells
