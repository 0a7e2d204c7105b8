"""The figures of `diagnose statistics`: a panel for each task, words where there is nothing to draw, nothing hidden."""

from __future__ import annotations

from typing import Any

import pytest

from raml_eval.diagnostics.by_question import build_questions
from raml_eval.diagnostics.statistics_figures import (
    HATCH_OF,
    LINE_OF,
    MARK_OF,
    MOST_GROUPS,
    MOST_PANELS,
    draw_gold,
    draw_lengths,
    draw_within,
)
from raml_eval.diagnostics.summary import within_table
from raml_eval.types import Status
from tests.test_diagnostics_summary import frame


def test_each_task_has_its_own_panel_of_the_gold_or_says_why_not() -> None:
    named = {"gold_in_question": False, "gold_at_share": 0.25}
    subjects = frame(
        {"task": "a", **named},
        {"task": "a", "verdict": "no_answer", "gold_in_question": False},
        {"task": "given", "gold_in_question": True, "gold_at_share": 0.5},
        {"task": "program"},
    )
    figure = draw_gold(subjects)
    assert figure is not None
    panels = {axes.get_title().partition("\n")[0]: axes for axes in figure.drawing.axes if axes.get_visible()}
    assert list(panels) == ["a", "given", "program"]
    assert panels["a"].get_title() == "a\n1 correct, 1 no answer"
    assert [line.get_ydata()[-1] for line in panels["a"].lines] == [100, 0]
    assert [text.get_text() for text in panels["a"].texts] == []
    assert [text.get_text() for text in panels["given"].texts] == ["the question's own text\nholds the gold"]
    assert [text.get_text() for text in panels["program"].texts] == ["no question has a gold\nthat is one text"]
    assert [text.get_text() for text in figure.drawing.legends[0].get_texts()] == ["correct", "no answer"]
    assert panels["a"].get_ylim()[0] < 0  # a line at 0 does not lie on the axis


def test_lengths_that_are_all_equal_have_a_mark() -> None:
    figure = draw_lengths(frame(*({"n_tokens": 68, "verdict": verdict} for verdict in ("correct", "unfinished"))))
    marks = [line for line in figure.drawing.axes[0].lines if line.get_marker() in MARK_OF.values()]
    assert [mark.get_xdata()[0] for mark in marks] == [68, 68]
    assert len({mark.get_ydata()[0] for mark in marks}) == 2
    assert figure.drawing.axes[0].get_xlabel() == "length of the thinking (tokens, log scale)"


@pytest.mark.parametrize(("n", "boxes", "marks"), [(1, 0, 1), (4, 0, 4), (5, 1, 1)])
def test_fewer_than_five_thinkings_are_single_marks(n: int, boxes: int, marks: int) -> None:
    few = [{"n_tokens": 10 + one, "verdict": "incorrect"} for one in range(n)]
    figure = draw_lengths(frame(*({"n_tokens": 68 + one} for one in range(6)), *few))
    axes = figure.drawing.axes[0]
    assert len(axes.patches) == 1 + boxes
    drawn = [line for line in axes.lines if line.get_marker() == MARK_OF["incorrect"]]
    assert [len(line.get_xdata()) for line in drawn] == [marks]
    assert ("fewer than 5 thinkings of a task have a verdict, each has a mark, and there is no box" in figure.about) is (
        boxes == 0
    )


def test_the_caption_of_the_gold_says_whose_verdicts_are_counted() -> None:
    figure = draw_gold(frame({"gold_in_question": False, "gold_at_share": 0.25}, {"gold_in_question": True}))
    assert figure is not None
    assert figure.drawing.axes[0].get_title().endswith("\n1 correct")
    assert "questions whose text does not hold it. Below a task stands how many of these have each verdict" in figure.about


def test_verdicts_differ_on_grey_paper_and_the_two_chances_do_not_meet() -> None:
    assert len({*HATCH_OF.values()}) == len({*MARK_OF.values()}) == len({*map(str, LINE_OF.values())}) == len(Status)
    subjects = frame(*({"question_id": "q", "cluster": "q", "verdict": one} for one in ("correct", "incorrect")))
    figure = draw_within(within_table(subjects, build_questions(subjects)))
    assert figure is not None
    places = [line.get_ydata()[0] for line in figure.drawing.axes[0].lines if line.get_marker() in ("o", "x")]
    assert len({*places}) == 2


@pytest.mark.parametrize(("more", "told"), [(0, False), (1, True)])
def test_tasks_that_are_not_shown_are_told(more: int, told: bool) -> None:
    def rows(n: int) -> list[dict[str, Any]]:
        return [{"task": f"t{i}", "gold_in_question": False} for i in range(n)]

    assert (f"the first {MOST_GROUPS} of" in draw_lengths(frame(*rows(MOST_GROUPS + more))).about) is told
    gold = draw_gold(frame(*rows(MOST_PANELS + more)))
    assert gold is not None
    assert (f"the first {MOST_PANELS} of" in gold.about) is told
