"""What the text and the tokens of one thinking show by themselves, and what its samples at ascending budgets show."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from raml_eval.diagnostics.first_gold import gold_finder
from raml_eval.diagnostics.loops import CHARACTERS, LONGEST_CHARACTERS, Loop, find_loops
from raml_eval.diagnostics.scripts import count_letters, foreign_letters, main_script
from raml_eval.diagnostics.subjects import Gold, Subject, gold_of
from raml_eval.reflection import REFLECTIONS, reflections_by_language
from raml_eval.types import Budget, Question, SampleRecord, Status, ThinkingEnd, Trajectory

Measured = dict[str, Any]
# The columns of subjects.parquet and their types, which pyarrow knows by these names.
COLUMNS: Mapping[str, str] = {
    **dict.fromkeys(("task", "question_id", "cluster"), "string"),
    "sample": "int32",
    **dict.fromkeys(("prompt", "budget", "verdict", "end"), "string"),
    **dict.fromkeys(("n_tokens", "n_characters", "reflections"), "int32"),
    **{f"reflections_{code}": "int32" for code in REFLECTIONS},
    "n_loops": "int32",
    "ends_in_loop": "bool",
    **dict.fromkeys(("loop_start", "loop_length", "loop_period"), "int32"),
    **dict.fromkeys(("loop_unit", "script", "question_script", "foreign_scripts"), "string"),
    **dict.fromkeys(("n_letters", "n_foreign"), "int32"),
    "gold_in_question": "bool",
    "gold_at_share": "float64",
    **dict.fromkeys(("gold_at_character", "gold_at_token"), "int32"),
    **dict.fromkeys(("answer_changes", "right_to_wrong", "wrong_to_right"), "int32"),
    "settled_at": "string",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What all thinkings about one question share. why_no_gold is empty if find looks for its gold."""

    question: Question
    letters: Mapping[str, int]
    find: Callable[[str], int | None] | None
    why_no_gold: str
    gold_in_question: bool
    classes: Mapping[str, int]


def facts_of(question: Question, classes: Mapping[str, int]) -> Facts:
    """The facts of a question; classes are those of its answers."""
    asked = "\n".join(str(message.get("content") or "") for message in question.messages)
    gold = gold_of(question)
    find = gold_finder(gold.text) if isinstance(gold, Gold) else None
    return Facts(
        question=question,
        letters=count_letters(asked),
        find=find,
        why_no_gold="" if isinstance(gold, Gold) else gold,
        gold_in_question=find is not None and find(asked) is not None,
        classes=classes,
    )


def why_cut_short(subject: Subject, budgets: Sequence[Budget]) -> str:
    """Why a thinking has no verdict of its own yet; empty if it has one. budgets are the run's in tokens, ascending.

    The sample at the largest budget may still be owed: what was stored then answers after a part of the thinking only.
    """
    whole, ids = subject.whole, subject.trajectory.token_ids
    cut = whole.thinking_end is ThinkingEnd.FORCED and (whole.n_thinking_tokens or 0) < len(ids)
    if cut and whole.budget in budgets[:-1]:
        return "its sample at the largest budget is not stored"
    return ""


def measure(subject: Subject, facts: Facts, budgets: Sequence[Budget]) -> Measured:
    """One row of subjects.parquet, by COLUMNS; None where a number cannot be given. budgets as for why_cut_short."""
    trajectory, whole = subject.trajectory, subject.whole
    n_tokens = whole.n_thinking_tokens if trajectory.limit is None else len(trajectory.token_ids)
    by_language = reflections_by_language(trajectory.text)
    return {
        "task": subject.key.task,
        "question_id": subject.key.question_id,
        "cluster": facts.question.cluster,
        "sample": subject.key.index,
        "prompt": trajectory.prompt,
        "budget": str(whole.budget),
        "verdict": whole.status.value,
        "end": whole.thinking_end.value,
        "n_tokens": n_tokens,
        "n_characters": len(trajectory.text),
        "reflections": by_language.total(),
        **{f"reflections_{code}": by_language[code] for code in REFLECTIONS},
        **_loops(trajectory),
        **_scripts(trajectory.text, facts),
        **_gold(trajectory.text, n_tokens, facts),
        **follow_answers(subject.records, facts.classes, budgets),
    }


def _loops(trajectory: Trajectory) -> Measured:
    """The loops among the tokens, or among the characters of a thinking without token ids; places are of the longest."""
    text = trajectory.text
    if trajectory.limit is None:
        unit, size = "characters", len(text)
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        loops = find_loops(points.astype(np.int64), cover=CHARACTERS, longest=LONGEST_CHARACTERS)
    else:
        unit, size = "tokens", len(trajectory.token_ids)
        loops = find_loops(trajectory.token_ids)
    longest = max(loops, key=_size, default=None)
    return {
        "n_loops": len(loops),
        "ends_in_loop": any(loop.start + loop.length == size for loop in loops),
        "loop_start": longest and longest.start,
        "loop_length": longest and longest.length,
        "loop_period": longest and longest.period,
        "loop_unit": unit,
    }


def _size(loop: Loop) -> int:
    return loop.length


def _scripts(text: str, facts: Facts) -> Measured:
    letters = count_letters(text)
    foreign = foreign_letters(letters, facts.letters)
    known = bool(facts.letters)  # a question without letters is in no script that could be left
    return {
        "script": main_script(letters),
        "question_script": main_script(facts.letters),
        "n_letters": letters.total(),
        "n_foreign": sum(foreign.values()) if known else None,
        "foreign_scripts": ",".join(sorted(foreign)) if known else None,
    }


def _gold(text: str, n_tokens: int | None, facts: Facts) -> Measured:
    at = None if facts.find is None else facts.find(text)
    share = None if at is None else at / len(text)
    return {
        "gold_in_question": None if facts.find is None else facts.gold_in_question,
        "gold_at_character": at,
        "gold_at_share": share,
        "gold_at_token": None if share is None or n_tokens is None else round(share * n_tokens),
    }


def follow_answers(records: Sequence[SampleRecord], classes: Mapping[str, int], budgets: Sequence[Budget]) -> Measured:
    """How the answer changes from one budget to the next; None unless all of budgets, at least two, are here.

    Answers of one class are the same; no answer, be the sample unfinished or without one, is a class of its own. settled_at is
    the first budget from which on the class stays that of the last. A step is right to wrong if only its first sample is
    correct. budgets are the run's in tokens, ascending: one with a prompt of its own, as off, is another draw and no step.
    """
    by_budget = {one.budget: one for one in records}
    if len(budgets) < 2 or any(budget not in by_budget for budget in budgets):
        return dict.fromkeys(("answer_changes", "settled_at", "right_to_wrong", "wrong_to_right"))
    read = [by_budget[budget] for budget in budgets]
    answers = [_class_of(one, classes) for one in read]
    right = [one.status is Status.CORRECT for one in read]
    steps = range(1, len(read))
    last_change = max((i for i in steps if answers[i] != answers[i - 1]), default=0)
    return {
        "answer_changes": sum(answers[i] != answers[i - 1] for i in steps),
        "settled_at": str(read[last_change].budget),
        "right_to_wrong": sum(right[i - 1] and not right[i] for i in steps),
        "wrong_to_right": sum(right[i] and not right[i - 1] for i in steps),
    }


def _class_of(record: SampleRecord, classes: Mapping[str, int]) -> int | str | None:
    """The class of a graded answer, or the answer itself if it has none yet; None without an answer."""
    answer = record.grade.answer
    if record.status not in (Status.CORRECT, Status.INCORRECT) or answer is None:
        return None
    return classes.get(answer, answer)
