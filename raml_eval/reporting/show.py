"""Shows one question of a run in full: prompt, thinking, answer, extracted answer, verdict, and all earlier verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

from raml_eval.errors import ConfigError, choose_names, near_names
from raml_eval.judge.candidates import candidate_of
from raml_eval.kept_text import decode_first, tokenizer_at_hand
from raml_eval.protocols import Tokenizer
from raml_eval.store.history import PastVerdict, read_histories, read_trajectories
from raml_eval.tables import budget_label, budget_order
from raml_eval.types import Grade, Question, SampleId, SampleRecord, StoredRun, Trajectory
from raml_eval.wording import count_noun, visible

FIRST, LAST = 3, 8  # lines shown of a long text unless full is set
WIDEST = 400  # characters shown of one line unless full is set
_BAR = "  | "


def show_question(
    run: StoredRun,
    task: str,
    question: str,
    sample: int | None = None,
    budget: str | None = None,
    full: bool = False,
) -> str:
    """The question and its samples as plain text. question is an id or a row's number; full shortens no text.

    Thinking is shown as far as the budget kept it; blank lines around thinking and answers are left out. No text of a model
    or a task can control the terminal: control and format characters are written as escapes. Raises ConfigError for a task,
    question, sample or budget that the run does not have.

    Example: print(show_question(load_run("runs/mine"), "gsm8k", "0", sample=0))
    """
    asked = _find_question(run, task, question)
    records = _choose_records(run, asked, sample, budget)
    view = _View(
        run=run,
        trajectories=read_trajectories(run.directory, asked.task, asked.id),
        histories=read_histories(run.directory, asked.task, asked.id),
        full=full,
        tokenizer=cache(partial(tokenizer_at_hand, run.manifest, run.directory)),
    )
    blocks = ["\n".join(_question_lines(asked, full))]
    blocks += ["\n".join(view.sample_lines(record)) for record in records]
    return "\n\n".join(blocks)


def _find_question(run: StoredRun, task: str, wanted: str) -> Question:
    choose_names("task", [task], dict.fromkeys(of for of, _ in run.questions))
    ids = [question_id for of, question_id in run.questions if of == task]
    rows = [one.partition("-")[0] for one in ids]
    found = [wanted] if wanted in ids else [one for one, row in zip(ids, rows, strict=True) if row == wanted]
    if not found and run.imported and wanted.isdecimal() and not any(row.isdecimal() for row in rows):
        found = ids[int(wanted) :][:1]  # ids of a log that have no row's number: the place among the questions stands for it
    if len(found) > 1:
        raise ConfigError(f"question {wanted!r} of {task} may mean {', '.join(found[:5])}. Name one by its id.")
    if not found:
        raise ConfigError(
            f"there is no question {wanted!r} in {task}.{near_names(wanted, ids)} Name one of its {len(ids)} by its id or "
            f"its row, such as {', '.join(ids[:3])}."
        )
    return run.questions[task, found[0]]


def _choose_records(run: StoredRun, question: Question, sample: int | None, budget: str | None) -> list[SampleRecord]:
    own = [r for r in run.records if (r.key.task, r.key.question_id) == (question.task, question.id)]
    budgets = sorted({budget_label(record.budget) for record in own}, key=budget_order)
    if budget is not None and budget not in budgets:
        known = ", ".join(budgets) or "none"
        raise ConfigError(f"{question.task}/{question.id} has no sample at budget {budget}. Its budgets: {known}.")
    if sample is not None and sample not in {record.key.index for record in own}:
        known = ", ".join(str(index) for index in sorted({record.key.index for record in own})) or "none"
        raise ConfigError(f"{question.task}/{question.id} has no sample {sample}. Its samples: {known}.")
    chosen = [record for record in own if sample in (None, record.key.index) and budget in (None, budget_label(record.budget))]
    return sorted(chosen, key=lambda record: (record.key.index, budget_order(budget_label(record.budget))))


def _question_lines(question: Question, full: bool) -> Iterator[str]:
    yield visible(f"{question.task}/{question.id}, graded as {question.grader}")
    for message in question.messages:
        yield visible(f"{message.get('role')}:")
        yield from _text_lines(str(message.get("content")), True)
    for place, option in enumerate(question.options):
        yield f"{_BAR}{chr(ord('A') + place)}. {visible(option)}"
    yield "gold:"
    yield from _text_lines(question.target, full)
    if question.tests:
        yield "tests:"
        yield from _text_lines(question.tests, full)


def _text_lines(text: str, full: bool) -> Iterator[str]:
    """The text behind a bar. If it is long and not wanted in full, only its first and last lines are shown."""
    lines = text.split("\n")
    left_out = 0 if full else max(0, len(lines) - FIRST - LAST)
    if left_out > 1:
        lines = [*lines[:FIRST], f"… {left_out} lines left out; --full shows all …", *lines[-LAST:]]
    for line in lines:
        if full or len(line) <= WIDEST:
            yield _BAR + visible(line)
        else:
            half = WIDEST // 2
            yield f"{_BAR}{visible(line[:half])} … {len(line) - 2 * half} characters left out … {visible(line[-half:])}"


@dataclass(frozen=True, slots=True)
class _View:
    run: StoredRun
    trajectories: Mapping[str, Trajectory]
    histories: Mapping[SampleId, Sequence[PastVerdict]]
    full: bool
    tokenizer: Callable[[], Tokenizer | None]  # loaded only where a budget cut the thinking

    def sample_lines(self, record: SampleRecord) -> Iterator[str]:
        yield f"--- sample {record.key.index} at {budget_label(record.budget)}: {record.status.value} ---"
        yield from self._thinking(record)
        finish = record.answer_finish.value if record.answer_finish else "none was drawn"
        yield f"answer ({finish}{', thinking continues in it' if record.leak else ''}):"
        yield from _text_lines(record.answer.strip("\n"), self.full)
        extracted = record.grade.answer
        yield "extracted: nothing" if extracted is None else f"extracted: {_short(extracted, self.full)}"
        yield f"verdict: {_verdict(record.grade)}"
        past: Grade | None = None
        for verdict in self.histories.get((record.key, record.budget), ()):
            yield f"history: {_past(verdict, past)}"
            past = verdict.grade
        candidate = candidate_of(record)
        for judgement in self.run.judgements:
            asked = (judgement.task, judgement.question_id, judgement.candidate)
            if asked == (record.key.task, record.key.question_id, candidate):
                judge = f"{judgement.model} (prompt {judgement.prompt_version})"
                yield _short(f"judge {judge}: {judgement.verdict}, {judgement.reason}", True)

    def _thinking(self, record: SampleRecord) -> Iterator[str]:
        trajectory = self.trajectories.get(record.trajectory or "")
        if trajectory is None:
            yield "thinking: none in the log" if self.run.imported else f"thinking: {record.thinking_end.value}"
            return
        end, drawn, kept = record.thinking_end.value, len(trajectory.token_ids), record.n_thinking_tokens
        text = trajectory.text
        if kept is None or kept >= drawn:
            about = f"{end}, {'not counted' if kept is None else count_noun(kept, 'token')}"
        else:
            about = f"{end} at {kept} of {count_noun(drawn, 'drawn token')}"
            first = decode_first(trajectory, kept, self.tokenizer()) if kept else ""
            about += "; all are shown, because the model's tokenizer is not here" if first is None else ""
            text = text if first is None else first
        text = text.strip("\n")
        yield f"thinking ({about}){':' if text else ''}"
        yield from _text_lines(text, self.full) if text else ()


def _past(verdict: PastVerdict, before: Grade | None) -> str:
    when = f"regraded {verdict.created}" if verdict.created else "when stored"
    if verdict.error:
        said = f"not graded, {verdict.error}"
    else:
        said = "the same" if verdict.grade == before else _verdict(verdict.grade, extracted=True)
    return _short(f"grader {verdict.grader_version or 'unknown'}, {when}: {said}", True)


def _verdict(grade: Grade, extracted: bool = False) -> str:
    words = [grade.status.value]
    if extracted and grade.answer is not None:
        words.append(f"extracted {_short(grade.answer, False)}")
    words += [f"by rule {grade.rule}"] if grade.rule else []
    words += [f"decided by {grade.detail}"] if grade.detail else []
    words += [f"score {grade.score:g}"] if grade.score is not None else []
    return visible(", ".join(words)).replace("\n", "\\n")


def _short(text: str, full: bool) -> str:
    """The text on one line."""
    line = visible(text).replace("\n", "\\n")
    return line if full or len(line) <= WIDEST else f"{line[:WIDEST]} … {len(line) - WIDEST} characters left out"
