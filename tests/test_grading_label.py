"""Which label of a closed set an answer settles on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import TaskError
from raml_eval.grading.kinds import KINDS, extract_answer, read_completion
from raml_eval.grading.label.extract import gold_label
from tests.cases import label as cases

TABLE = [(options, text, label) for table in cases.ALL.values() for options, text, label in table]


@pytest.mark.parametrize(("options", "text", "label"), TABLE)
def test_case(options: tuple[str, ...], text: str, label: str) -> None:
    found = read_completion(text, "label", options)
    assert found is not None
    assert (found.answer or "") == label


@pytest.mark.parametrize("style", cases.STYLES)
def test_style_for_every_label(style: str) -> None:
    for options in cases.SETS:
        for place, label in enumerate(options):
            for before in cases.BEFORE:
                said = before.format(x=label, o=options[place - 1], options=", ".join(options)) + style.format(x=label)
                assert extract_answer(said, "label", options).answer == label, said


def test_gold_may_be_written_in_other_words() -> None:
    assert gold_label("Unknown", cases.TFU) == "Uncertain"
    assert gold_label("FALSE", cases.YN) == "no"
    assert KINDS["label"].compare("true", "True", cases.TFU) == (True, "label", None)
    assert KINDS["label"].compare("False", "True", cases.TFU) == (False, "label", None)


@pytest.mark.parametrize(("gold", "options"), [("maybe so", cases.TFU), ("", cases.YN), ("yes", ())])
def test_a_gold_that_is_no_label_is_an_error(gold: str, options: tuple[str, ...]) -> None:
    with pytest.raises(TaskError, match="is none of the labels"):
        KINDS["label"].compare(gold, "True", options)


def test_words_that_two_labels_share_mean_neither() -> None:
    assert extract_answer("The answer is yes.", "label", ("true", "valid")).answer is None
    assert extract_answer("The answer is valid.", "label", ("true", "valid")).answer == "valid"


@given(st.text(max_size=200), st.lists(st.text(max_size=12), max_size=4))
def test_any_text_and_any_labels_can_be_read(text: str, options: list[str]) -> None:
    found = extract_answer(text, "label", options)
    assert found.rule
    assert found.answer is None or found.answer in options


@given(
    st.lists(
        st.sampled_from(["the river", "is long", "so", "we", "look", "at it", ".", "\n", "42", "(see above)"]), max_size=40
    )
)
def test_a_text_that_names_no_label_has_no_answer(words: list[str]) -> None:
    assert extract_answer(" ".join(words), "label", cases.TFU).answer is None
