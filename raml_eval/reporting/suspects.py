"""The signs of a grader's error, one function per sign: which verdicts a person should check, and how suspicious each is."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from raml_eval.errors import RamlError
from raml_eval.grading.kinds import KINDS
from raml_eval.grading.pool import GradingPool
from raml_eval.reporting.likeness import differ_oddly, firm_text, looks_equal, soften, text_pattern
from raml_eval.types import Budget, Question, SampleRecord, Status, StoredRun

END = 300  # characters at an answer's end in which its conclusion is looked for
MIN_VOTES = 4
_BOX = re.compile(r"\\(?:boxed|fbox)\s?\{([^\n]{1,300})")
_GRADED = (Status.CORRECT, Status.INCORRECT)


@dataclass(frozen=True, slots=True)
class Suspect:
    """One sign against one sample's verdict. suspicion ranges from 0 to 1; note adds what the reason alone does not say."""

    reason: str
    suspicion: float
    record: SampleRecord
    note: str = ""


@dataclass(frozen=True, slots=True)
class Golds:
    """The texts that a question's right answer may have, ready to be searched for."""

    texts: tuple[str, ...]
    patterns: tuple[re.Pattern[str], ...] = field(default=())

    @property
    def weight(self) -> float:
        """A factor below 1 for a gold of one character, which occurs in many texts by chance."""
        return 0.6 if max(map(len, map(firm_text, self.texts)), default=0) < 2 else 1.0

    def stand_in(self, text: str) -> bool:
        softened = soften(text)
        return any(pattern.search(softened) for pattern in self.patterns)


def golds_of(question: Question) -> Golds:
    """The gold, and also the text of the option that it names, or the letter of the option that it is."""
    if not KINDS[question.grader].gold_is_text or not question.target.strip():
        return Golds(())
    texts = [question.target.strip()]
    letters = {chr(ord("A") + place): option for place, option in enumerate(question.options)}
    if question.grader == "choice":
        texts += [option for letter, option in letters.items() if letter == texts[0]]
        texts += [letter for letter, option in letters.items() if option == texts[0]]
    patterns = (text_pattern(text) for text in texts)
    return Golds(tuple(texts), tuple(pattern for pattern in patterns if pattern is not None))


def suspect_sample(record: SampleRecord, question: Question, golds: Golds) -> Iterator[Suspect]:
    """The signs that the sample alone shows."""
    extracted = record.grade.answer
    if record.status is Status.TIMEOUT:
        yield Suspect("timeout", 0.6, record)
    if not golds.texts:
        return
    if record.status is Status.NO_ANSWER and golds.stand_in(record.answer[-END:]):
        yield Suspect("no answer, gold at the end", 0.8 * golds.weight, record)
    if record.status is Status.INCORRECT:
        likeness = max((looks_equal(text, extracted) for text in golds.texts), default=0.0) if extracted else 0.0
        if likeness:
            reason = "looks equal" if likeness == 1.0 else "equal but for punctuation"
            yield Suspect(reason, 0.92 * likeness, record)
        boxes = [_close(box) for box in _BOX.findall(record.answer[-20 * END :])]
        if likeness < 1.0 and any(looks_equal(text, box) == 1.0 for text in golds.texts for box in boxes):
            yield Suspect("incorrect, gold in a box", 0.75, record)
        elif not likeness and golds.stand_in(record.answer[-END:].rstrip().rpartition("\n")[2]):
            yield Suspect("incorrect, gold in the last line", 0.55 * golds.weight, record)
    if record.status is Status.CORRECT and question.grader == "math" and extracted is not None:
        odd = differ_oddly(question.target, extracted)
        if odd is not None:
            yield Suspect("accepted, texts differ", odd[0], record, odd[1])


def _close(box: str) -> str:
    """The content of a box, up to its closing brace."""
    depth = 0
    for place, character in enumerate(box):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth < 0:
            return box[:place]
    return box


def suspect_split(records: Sequence[SampleRecord]) -> Iterator[Suspect]:
    """The samples of one question with the same extracted answer, if some were graded correct and others incorrect."""
    verdicts: defaultdict[str | None, set[Status]] = defaultdict(set)
    for record in records:
        verdicts[record.grade.answer].add(record.status)
    for record in records:
        answer = record.grade.answer
        if answer is not None and record.status in _GRADED and verdicts[answer].issuperset(_GRADED):
            yield Suspect("same answer graded both ways", 0.97, record)


@dataclass(frozen=True, slots=True)
class Vote:
    """The largest class of answers to one question at one budget: its share of the votes, and whether it is right."""

    right: bool
    votes: int
    share: float
    records: tuple[SampleRecord, ...]


def count_votes(run: StoredRun) -> dict[tuple[str, str], dict[Budget, Vote]]:
    """The vote on each question at each budget, if a class of at least MIN_VOTES answers has most of all votes."""
    cells: defaultdict[tuple[str, str], defaultdict[Budget, list[SampleRecord]]] = defaultdict(lambda: defaultdict(list))
    for record in run.records:
        if record.status in _GRADED and record.grade.answer is not None:
            cells[record.key.task, record.key.question_id][record.budget].append(record)
    found: dict[tuple[str, str], dict[Budget, Vote]] = {}
    for key, by_budget in cells.items():
        classes = run.classes.get(key, {})
        for budget, records in by_budget.items():
            counts = Counter(classes.get(r.grade.answer or "", r.grade.answer) for r in records)
            top, votes = counts.most_common(1)[0]
            if votes >= MIN_VOTES and 2 * votes > len(records):
                own = tuple(r for r in records if classes.get(r.grade.answer or "", r.grade.answer) == top)
                right = 2 * sum(r.grade.correct for r in own) > votes
                found.setdefault(key, {})[budget] = Vote(right, votes, votes / len(records), own)
    return found


def suspect_votes(own: Mapping[Budget, Vote], others: Sequence[Vote]) -> Iterator[Suspect]:
    """The wrong majorities of one question. others are the votes on it in other runs."""
    everywhere = [*own.values(), *others]
    wrong = [vote for vote in everywhere if not vote.right]
    for budget, vote in own.items():
        if vote.right:
            continue
        elsewhere = len(everywhere) - 1
        alone = len(wrong) == 1 and elsewhere >= 2
        reason = "majority wrong here alone" if alone else "majority wrong"
        # If all budgets and all models give the same wrong answer, the gold or the verdict is more likely to be wrong.
        suspicion = 0.4 if alone else (0.25 + 0.45 * vote.share) * (0.6 + 0.4 * len(wrong) / len(everywhere))
        n_right = len(everywhere) - len(wrong)
        note = f"{vote.votes} votes at {budget}, {vote.share:.0%}; {n_right} of {len(everywhere)} majorities right"
        for record in vote.records:
            yield Suspect(reason, suspicion, record, note)


def suspect_golds(questions: Iterable[tuple[Question, SampleRecord]], pool: GradingPool) -> Iterator[Suspect]:
    """The golds that no grader can read, each with a sample of its question."""
    for question, record in questions:
        if KINDS[question.grader].write_gold is None or not question.target.strip():
            continue
        problem = _problem_of(question, pool)
        if problem:
            yield Suspect("gold does not parse", 0.85, record, problem)


def _problem_of(question: Question, pool: GradingPool) -> str:
    gold, write_gold = question.target, KINDS[question.grader].write_gold
    assert write_gold is not None
    try:
        answer = write_gold(question.gold, question.options)
        if not pool.grade_blocking(question.gold, answer, question.grader, question.options).correct:
            return "an answer that gives the gold itself is not graded correct"
        if question.grader != "math" or not _is_expression(gold) or KINDS["math"].compare(gold, "0", ()) is not None:
            return ""
        # A grader finds equal texts equal without reading them. With a zero added, it has to read the gold.
        verdict = pool.grade_blocking(gold, rf"\boxed{{{gold}+0}}", "math")
    except RamlError as error:
        return " ".join(str(error).split())
    return "" if verdict.correct else "adding 0 to the gold makes another value of it, so it is not read as an expression"


def _is_expression(gold: str) -> bool:
    """True if a zero can be added to the gold: no words, no list, no relation, no matrix, no unit."""
    return (
        re.search(
            r"[,;=<>%°]|\\(?:text|mathrm|mbox|begin|infty|[lg]eq?|cup|circ|pm|emptyset)|[A-Za-z]{4,}(?<!frac)(?<!sqrt)", gold
        )
        is None
    )
