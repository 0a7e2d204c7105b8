"""Which letter an answer to a multiple-choice question settles on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import TaskError
from raml_eval.grading.choice.extract import LETTERS, extract_choice, gold_letter
from raml_eval.grading.kinds import KINDS, extract_answer, read_completion
from tests.cases import choice as cases

OPTIONS = ("osmosis", "reverse osmosis", "diffusion", "10 eV")

SETTLED = [
    ("B", "B"),
    ("b", "B"),
    ("(B)", "B"),
    ("B.", "B"),
    ("A", "A"),
    ("**B**", "B"),
    ("**(B)**", "B"),
    ("**B.**", "B"),
    (r"\boxed{B}", "B"),
    (r"\boxed{b}", "B"),
    (r"\boxed{(B)}", "B"),
    (r"\boxed{\text{B}}", "B"),
    (r"\boxed{\text{(C)}}", "C"),
    (r"\boxed{\textbf{(C)}\ \text{diffusion}}", "C"),
    (r"\boxed{B. reverse osmosis}", "B"),
    (r"\boxed{B) reverse osmosis}", "B"),
    (r"\boxed{Option B}", "B"),
    (r"\boxed{diffusion}", "C"),
    (r"\boxed{Osmosis}", "A"),
    (r"\boxed{10\text{ eV}}", "D"),
    (r"\boxed{10\ \text{eV}}", "D"),
    (r"\boxed{A}. No: \boxed{B}", "B"),
    (r"Final Answer: \(\boxed{D}\)", "D"),
    (r"$\textbf{B}$", "B"),
    ("The answer is (B).", "B"),
    ("The answer is B", "B"),
    ("The answer is A.", "A"),
    ("The answer is A because", "A"),
    ("The answer is **D**", "D"),
    ("The answer is **(D)**.", "D"),
    ("The answer is option D", "D"),
    ("The answer is \u201cC\u201d", "C"),
    ("The answer is 'C'", "C"),
    (r"The answer is $\text{B}$", "B"),
    ("The answer is diffusion.", "C"),
    ("The answer is **osmosis**", "A"),
    ("The answer is B, because A or C would not fit", "B"),
    ("The answer is A and not B", "A"),
    ("The answer is (A). This answer is supported by (B).", "A"),
    ("answer: b", "B"),
    ("ANSWER: C", "C"),
    ("Answer\n\nB", "B"),
    ("### Answer: B", "B"),
    ("**Answer: C**", "C"),
    ("**Answer:** C) diffusion", "C"),
    ("**Answer:** **B**", "B"),
    ("correct answer: B) reverse osmosis", "B"),
    ("The best answer is: **(D) 10 eV**", "D"),
    ("The correct option is **C**.", "C"),
    ("The correct choice is C", "C"),
    ("Option B is correct.", "B"),
    ("So B is the correct answer.", "B"),
    ("(B) is the most likely.", "B"),
    ("A is wrong. I choose D.", "D"),
    ("**C. diffusion**", "C"),
    ("C. diffusion", "C"),
    ("Some reasons.\n\nC", "C"),
    ("Some reasons.\nC) diffusion", "C"),
    ("Some reasons.\ndiffusion", "C"),
    ("(A) is wrong, (B) is wrong.\nSo it must be (C).", "C"),
    ("A) osmosis\nB) reverse osmosis\nC) diffusion\nD) 10 eV\n\nThe answer is (C).", "C"),
    ("The answer is (A)? No.\nThe answer is (B).", "B"),
]

UNSETTLED = [
    "",
    r"\boxed{A, B}",
    r"\boxed{A or B}",
    r"\boxed{A and B}",
    r"\boxed{AB}",
    r"\boxed{A/B}",
    r"\boxed{\text{A or B}}",
    "The answer is A or B",
    "The answer is (A) or (B).",
    "The answer is A/B",
    "The answer is A and C",
    "Answer: A, B and C",
    "answer: (D) or (A)?",
    "The answer is not A",
    "The answer is a mixture",
    "The answer is A lot of things",
    "Both (A) and (B)",
    "None of these",
    "I think it is one of them",
    "I",
]


@pytest.mark.parametrize(("text", "letter"), SETTLED)
def test_letter(text: str, letter: str) -> None:
    assert extract_choice(text, OPTIONS).answer == letter


@pytest.mark.parametrize("text", UNSETTLED)
def test_no_letter(text: str) -> None:
    found = extract_choice(text, OPTIONS)
    assert found.answer is None
    assert found.rule


@pytest.mark.parametrize("letter", LETTERS)
@pytest.mark.parametrize("form", ["{}", "({})", r"\boxed{{{}}}", "The answer is {}.", "**{}**", "Why not.\n\nAnswer: ({})"])
def test_every_letter_in_every_form(letter: str, form: str) -> None:
    if letter <= "P":
        assert extract_choice(form.format(letter)).answer == letter  # with no options given, there may be up to sixteen
    options = [f"text {position}" for position in range(LETTERS.index(letter) + 1)]
    assert extract_choice(form.format(letter), options).answer == letter
    options.pop()
    if options and letter not in "IQ":  # I is also a word; up to sixteen options, Q to Z are no letters of options
        assert extract_choice(form.format(letter), options).answer == letter  # one option too few: a wrong answer


def test_i_is_a_letter_among_ten_options_but_also_a_word() -> None:
    ten = [f"text {position}" for position in range(10)]
    assert extract_choice("The answer is I.", ten).answer == "I"
    assert extract_choice("Answer: I would not know", ten).answer is None


def test_equal_option_texts_name_no_letter() -> None:
    assert extract_choice(r"\boxed{same}", ("same", "same", "other")).answer is None
    assert extract_choice(r"\boxed{SAME}", ("same", "Same", "other")).answer is None


def test_options_may_differ_in_case_alone() -> None:
    genotypes = ("AA", "Aa", "aa")
    assert [extract_choice(rf"\boxed{{{text}}}", genotypes).answer for text in genotypes] == ["A", "B", "C"]


def test_gold_may_be_a_letter_or_a_text() -> None:
    assert gold_letter("(B)", OPTIONS) == "B"
    assert gold_letter("Diffusion", OPTIONS) == "C"
    assert KINDS["choice"].compare("diffusion", "C", OPTIONS) == (True, "letter", None)


def test_a_gold_outside_the_options_is_an_error() -> None:
    with pytest.raises(TaskError, match="'E' names none of the 4 options"):
        KINDS["choice"].compare("E", "A", OPTIONS)


TABLE = [(options, text, letter) for table in cases.ALL.values() for options, text, letter in table]


@pytest.mark.parametrize(("options", "text", "letter"), TABLE)
def test_case(options: tuple[str, ...], text: str, letter: str) -> None:
    assert (extract_answer(text, "choice", options).answer or "") == letter


@pytest.mark.parametrize("style", cases.STYLES)
def test_style_for_every_letter(style: str) -> None:
    """Each way to state an answer, behind and before reasoning that names another option."""
    for options in (cases.TOWNS, cases.TEN, cases.ELEMENTS):
        listed = " ".join(f"({letter}) {text}" for letter, text in zip(LETTERS, options, strict=False))
        for place, text in enumerate(options):
            other = (7 * place + 3) % len(options)
            other = other if other != place else (place + 1) % len(options)
            words = {"x": LETTERS[place], "t": text, "o": LETTERS[other], "u": options[other], "options": listed}
            for before in cases.BEFORE:
                for after in cases.AFTER:
                    said = f"{before}{style}{after}".format(**words)
                    found = read_completion(said, "choice", options)
                    assert found is not None, said
                    assert found.answer == LETTERS[place], said


WORDS = (
    "the river",
    "is not",
    "so",
    "therefore",
    "we",
    "look at",
    "it",
    "because",
    ".",
    ",",
    "\n",
    "**",
    "42",
    "if",
    "(see above)",
    "?",
)


@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_a_text_that_names_no_option_has_no_answer(words: list[str]) -> None:
    assert extract_answer(" ".join(words), "choice", cases.TOWNS).answer is None


@given(st.text(max_size=300), st.lists(st.text(max_size=20), max_size=5))
def test_any_text_and_any_options_can_be_read(text: str, options: list[str]) -> None:
    found = extract_answer(text, "choice", options)
    assert found.rule
    assert found.answer is None or found.answer in LETTERS


@given(st.text(alphabet="ABC()*\\boxed{}.,:\n answeris", max_size=120))
def test_texts_of_the_grammar_s_own_pieces_can_be_read(text: str) -> None:
    found = extract_answer(text, "choice", cases.TOWNS)
    assert found.answer is None or found.answer in LETTERS
