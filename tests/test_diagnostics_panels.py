"""Panels: how many there are, their names, and words in place of a line."""

from __future__ import annotations

import pytest

from raml_eval.diagnostics.curves.figures import _NAMES
from raml_eval.diagnostics.panels import COLOUR_OF, MOST_PANELS, from_zero, more_than_panels, panels, say, short_label
from raml_eval.drawing import style_of
from raml_eval.types import Status


def test_a_verdict_has_one_colour_in_all_figures() -> None:
    assert [COLOUR_OF[str(status)] for status in _NAMES] == [style_of(number)[0] for number in _NAMES.values()]
    assert len({*COLOUR_OF.values()}) == len(Status)


@pytest.mark.parametrize(
    ("n", "visible", "drawn"), [(1, 1, 1), (2, 2, 2), (3, 3, 4), (MOST_PANELS + 3, MOST_PANELS, MOST_PANELS)]
)
def test_each_of_the_first_tasks_has_a_panel(n: int, visible: int, drawn: int) -> None:
    with panels([f"task{i}" for i in range(n)], "x", "y") as (figure, places):
        for task, axes in places:
            axes.plot([0, 1], [0, 1], label="line")
            axes.set_title(task)
    assert len(figure.axes) == drawn
    assert sum(axes.get_visible() for axes in figure.axes) == visible
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["line"]
    assert bool(more_than_panels(["t"] * n)) is (n > MOST_PANELS)


def test_words_stand_in_place_of_a_line_and_are_shown_literally() -> None:
    with panels(["a", "b"], "x", "y") as (figure, places):
        for _, axes in places:
            axes.set_yticks([1, 2])
        say(places[0][1], "costs $5$")
    first, second = figure.axes
    assert [text.get_text() for text in first.texts] == [r"costs \$5\$"]
    assert not list(first.get_xticks())
    assert list(second.get_yticks()) == [1, 2]


def test_an_axis_from_zero_has_room_below() -> None:
    with panels(["a"], "x", "y") as (_, ((_, axes),)):
        axes.plot([0, 1], [0, 10])
        from_zero(axes)
        low, high = axes.get_ylim()
    assert -1 < low < 0 < 10 < high


@pytest.mark.parametrize(("name", "shown"), [("a" * 32, "a" * 32), ("a" * 33, "a" * 31 + "…"), ("$x", r"\$x")])
def test_long_names_are_cut(name: str, shown: str) -> None:
    assert short_label(name) == shown
