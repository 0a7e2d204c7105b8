"""The kinds of grading, one row each: how an answer is read, and when it is right.

docs/grading.md says how to add a kind.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from raml_eval.errors import ConfigError, TaskError, near_names
from raml_eval.grading.bracket.equal import equal_bracket, read_gold, same_bracket, write_bracket
from raml_eval.grading.bracket.extract import extract_bracket
from raml_eval.grading.choice.extract import extract_choice, required_letter
from raml_eval.grading.code.grader import read_tests
from raml_eval.grading.code.program import extract_code, normalize_program
from raml_eval.grading.exact import extract_exact, normalize_exact
from raml_eval.grading.extraction import Extraction, drop_thinking
from raml_eval.grading.grid.extract import count_cells, extra_houses, extract_grid, read_gold_cells, same_grid, write_grid
from raml_eval.grading.label.extract import extract_label, required_label
from raml_eval.grading.math.equal import quick_math, spelling_and_number
from raml_eval.grading.math.extract import extract_math
from raml_eval.grading.rule.read import NO_ANSWER_SCORE, extract_ruled, normalize_ruled, read_rule
from raml_eval.grading.text import clean
from raml_eval.plugins import GRADERS, broken_plugin, load_plugins
from raml_eval.types import Grade, Status

Options = Sequence[str]


class Decision(NamedTuple):
    """Whether an answer is right, what decided it, and the share of its parts that are right if the kind knows parts."""

    equal: bool
    decided_by: str
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """One way of grading.

    read finds the answer in a finished text without thinking. compare says whether an answer is the gold, and same whether
    two answers to one question are the same one (maj@k); both return None if only sympy can tell, which then compares
    symbolic_gold(gold) with the answer in a process that can be killed. check_gold raises TaskError for a gold that can
    have no right answer. spell gives what equal answers share, and whether two answers that differ in it surely differ.
    no_answer_score is the score of a sample without an answer. runs_programs: an answer is a program, which is right if it
    passes the tests that are its gold (code/grader.py); compare and same are then about its text. runs_rules: a verifier
    scores an answer, and the gold says which (rule/grader.py); compare is then never asked. gold_is_text: the gold may stand
    in an answer as it is. write_gold gives a completion that answers with the gold, which must grade as right (golds.py,
    audit); None if the gold holds no answer.
    """

    read: Callable[[str, Options], Extraction]
    compare: Callable[[str, str, Options], Decision | None]
    same: Callable[[str, str], Decision | None]
    check_gold: Callable[[str, Options], object] = lambda gold, options: None
    symbolic_gold: Callable[[str], str] = str
    spell: Callable[[str], tuple[object, bool]] = lambda answer: (answer, False)
    no_answer_score: float | None = None
    runs_programs: bool = False
    runs_rules: bool = False
    gold_is_text: bool = True
    write_gold: Callable[[str, Options], str] | None = None

    @property
    def needs_sandbox(self) -> bool:
        """Whether an answer, or what scores it, runs in a sandbox."""
        return self.runs_programs or self.runs_rules


def _in_box(gold: str, options: Options) -> str:
    return rf"\boxed{{{gold}}}"


def _in_box_or_tags(gold: str, options: Options) -> str:
    """The gold in a box, or between tags if its braces would end the box too early or never."""
    depths = list(itertools.accumulate((char == "{") - (char == "}") for char in gold))
    balanced = not depths or (min(depths) >= 0 and depths[-1] == 0)
    return _in_box(gold, options) if balanced else f"<answer>{gold}</answer>"


def _compare_grid(gold: str, answer: str, options: Options) -> Decision:
    right, cells = count_cells(gold, answer)
    extra = [f"House {house}" for house in extra_houses(gold, answer)]
    detail = f"{right} of {cells} cells" + (f"; the gold has no {' or '.join(extra)}" if extra else "")
    return Decision(right == cells and not extra, detail, right / cells)


def _check_letter(gold: str, options: Options) -> None:
    """A number may count the options from 0 or from 1, so it is refused unless it is an option's text."""
    if gold.strip().isdecimal() and gold.strip() not in options:
        raise TaskError(
            f"the gold {gold!r} is a number, and could count the {len(options)} options from 0 or from 1; wanted a letter "
            "or an option's text. Correct the task's target."
        )
    required_letter(gold, options)


def _decision(found: tuple[bool, str] | None) -> Decision | None:
    return None if found is None else Decision(*found)


def _same_math(left: str, right: str) -> Decision | None:
    """Equal in either order: 5 is x=5, and x=5 is 5."""
    decisions = [_decision(quick_math(*pair)) for pair in ((left, right), (right, left))]
    equal = [decision for decision in decisions if decision is not None and decision.equal]
    return equal[0] if equal else None if None in decisions else decisions[0]


def _same_exact(left: str, right: str) -> Decision:
    return Decision(normalize_exact(left) == normalize_exact(right), "exact text")


def _same_ruled(left: str, right: str) -> Decision:
    return Decision(normalize_ruled(left) == normalize_ruled(right), "exact text")


def _compare_ruled(gold: str, answer: str, options: Options) -> Decision:
    raise AssertionError("only a sandbox scores by rules")


def _same_program(left: str, right: str) -> Decision:
    return Decision(normalize_program(left) == normalize_program(right), "program text")


_SHIPPED: Mapping[str, Kind] = MappingProxyType(
    {
        "math": Kind(
            read=lambda text, options: extract_math(text),
            compare=lambda gold, answer, options: _decision(quick_math(gold, answer)),
            same=_same_math,
            write_gold=_in_box,
            spell=spelling_and_number,
        ),
        "choice": Kind(
            read=extract_choice,
            compare=lambda gold, answer, options: Decision(required_letter(gold, options) == answer, "letter"),
            same=lambda left, right: Decision(left == right, "letter"),
            check_gold=_check_letter,
            write_gold=_in_box,
        ),
        "exact": Kind(
            read=lambda text, options: extract_exact(text),
            compare=lambda gold, answer, options: _same_exact(gold, answer),
            same=_same_exact,
            write_gold=_in_box_or_tags,
        ),
        "label": Kind(
            read=extract_label,
            compare=lambda gold, answer, options: Decision(required_label(gold, options) == answer, "label"),
            same=lambda left, right: Decision(left == right, "label"),
            check_gold=required_label,
            write_gold=lambda gold, options: _in_box(required_label(gold, options), options),
        ),
        "bracket": Kind(
            read=lambda text, options: extract_bracket(text),
            compare=lambda gold, answer, options: _decision(equal_bracket(gold, answer)),
            same=lambda left, right: _decision(same_bracket(left, right)),
            check_gold=lambda gold, options: read_gold(gold),
            symbolic_gold=lambda gold: read_gold(gold).answers[0],
            write_gold=lambda gold, options: write_bracket(gold),
        ),
        "grid": Kind(
            read=lambda text, options: extract_grid(text),
            compare=_compare_grid,
            same=lambda left, right: Decision(same_grid(left, right), "cells"),
            check_gold=lambda gold, options: read_gold_cells(gold),
            write_gold=lambda gold, options: write_grid(gold),
            no_answer_score=0.0,  # no cell is right
            gold_is_text=False,
        ),
        "code": Kind(
            read=extract_code,
            compare=lambda gold, answer, options: _same_program(gold, answer),
            same=_same_program,
            check_gold=lambda gold, options: read_tests(gold),
            runs_programs=True,
            gold_is_text=False,
        ),
        "task_rule": Kind(
            read=lambda text, options: extract_ruled(text),
            compare=_compare_ruled,
            same=_same_ruled,
            check_gold=lambda gold, options: read_rule(gold),
            spell=lambda answer: (normalize_ruled(answer), True),
            no_answer_score=NO_ANSWER_SCORE,
            runs_rules=True,
            gold_is_text=False,
        ),
    }
)


@functools.cache
def _of_packages() -> Mapping[str, Kind]:
    """The kinds that other packages declare. A kind that ships is never replaced."""
    kinds = {}
    for name, kind in load_plugins(GRADERS):
        if not isinstance(kind, Kind):
            raise broken_plugin(GRADERS, name, f"it is a {type(kind).__name__}, wanted a raml_eval.grading.kinds.Kind")
        if name in _SHIPPED:
            raise broken_plugin(GRADERS, name, "a grader that ships has this name")
        kinds[name] = kind
    return kinds


class _Kinds(Mapping[str, Kind]):
    """The kinds that ship, then those of packages, which are imported when first needed: they import this module themselves."""

    def __getitem__(self, name: str) -> Kind:
        return _SHIPPED[name] if name in _SHIPPED else _of_packages()[name]

    def __iter__(self) -> Iterator[str]:
        return iter((*_SHIPPED, *_of_packages()))

    def __len__(self) -> int:
        return len(_SHIPPED) + len(_of_packages())


KINDS: Mapping[str, Kind] = _Kinds()


def kind_of(name: str) -> Kind:
    """The kind of that name. Raises ConfigError, with near names, for any other."""
    if name not in KINDS:
        raise ConfigError(f"unknown grader {name!r}; there are {', '.join(KINDS)}.{near_names(name, KINDS)}")
    return KINDS[name]


def extract_answer(text: str, kind: str, options: Options = ()) -> Extraction:
    """The answer that a finished text without thinking gives, never one that merely happens to stand in it.

    Example: extract_answer("So the answer is (C).", "choice", ["1", "2", "3"]).answer is "C".
    """
    chosen = kind_of(kind)
    return chosen.read(text if chosen.needs_sandbox else clean(text), options)


def read_completion(completion: str, kind: str, options: Options = ()) -> Extraction | None:
    """The answer behind a completion's thinking; None if a thinking in it is never closed."""
    kind_of(kind)
    text = drop_thinking(completion)
    return None if text is None else extract_answer(text, kind, options)


def grade_unread(found: Extraction | None, kind: str) -> Grade:
    """The verdict on a completion that gives no answer: unfinished if its thinking is never closed, else no_answer."""
    if found is None:
        return Grade(Status.UNFINISHED, None, "unclosed thinking", "a <think> is never closed")
    return Grade(Status.NO_ANSWER, None, found.rule, score=KINDS[kind].no_answer_score)


def grade_decided(found: Extraction, decision: Decision) -> Grade:
    """The verdict correct or incorrect, with what was extracted, by which rule, and what decided."""
    status = Status.CORRECT if decision.equal else Status.INCORRECT
    return Grade(status, found.answer, found.rule, decision.decided_by, decision.score)
