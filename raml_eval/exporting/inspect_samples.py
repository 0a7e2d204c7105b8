"""One sample of a run as a sample of Inspect: what a person reads in its viewer, and the piece that makes the run again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raml_eval.exporting.libraries import need
from raml_eval.kept_text import decode_first
from raml_eval.protocols import Tokenizer
from raml_eval.store.portable import LETTERS, PREFIX, Piece, encode_text, shown_text
from raml_eval.types import Finish, Question, SampleRecord, Status, StoredRun, ThinkingEnd, Trajectory

INSPECT = "inspect_ai", "a log for Inspect"  # package, purpose
_WHY = {
    Status.NO_ANSWER: "the answer ended, but holds nothing to extract",
    Status.UNFINISHED: "no grader saw it: the {part} ran out of tokens",
    Status.TIMEOUT: "the grader ran out of time",
}
_STOPS = {Finish.STOP: "stop", Finish.LENGTH: "max_tokens", Finish.UNKNOWN: "unknown"}


@dataclass(frozen=True, slots=True)
class Shown:
    """The thinking that a viewer shows. note says why it is not what the budget kept; it is empty if it is."""

    text: str
    note: str = ""


class SampleMaker:
    """Makes Inspect's samples of one run. The tokenizer is asked for only if a budget cut a thinking."""

    def __init__(self, run: StoredRun, tokenizer: Callable[[], Tokenizer | None]) -> None:
        self.run, self.tokenizer = run, tokenizer
        self.log = need("inspect_ai.log", *INSPECT)
        self.model = need("inspect_ai.model", *INSPECT)
        self.scorer = need("inspect_ai.scorer", *INSPECT)

    def make(self, record: SampleRecord, piece: Piece) -> Any:
        """The EvalSample of a record."""
        question = self.run.questions[record.key.task, record.key.question_id]
        name = f"{record.key}@{record.budget}"
        prompt = self._prompt(question, name)
        shown = self._thinking(record)
        message = self._message(record, shown, name)
        usage = usage_of(record)
        lone = len(prompt) == 1 and prompt[0].role == "user"
        return self.log.EvalSample(
            id=record.key.question_id,
            epoch=record.key.index + 1,
            input=prompt[0].content if lone else prompt,
            choices=[shown_text(option) for option in question.options] or None,
            target=shown_text(record.target),
            messages=[*prompt, message],
            output=self.model.ModelOutput(
                model=self.run.model,
                choices=[self.model.ChatCompletionChoice(message=message, stop_reason=stop_reason(record))],
                usage=usage,
            ),
            scores=self._scores(record, question),
            metadata=about_sample(record, question, shown.note),
            store={f"{PREFIX}{part}": encode_text(line) for part, line in piece.items()},
            model_usage={self.run.model: usage} if usage else {},
            uuid=digest(self.run.manifest.get("created"), self.run.name, name),
        )

    def _prompt(self, question: Question, name: str) -> list[Any]:
        kinds = {"system": self.model.ChatMessageSystem, "assistant": self.model.ChatMessageAssistant}
        return [
            kinds.get(message["role"], self.model.ChatMessageUser)(
                content=shown_text(message["content"]), id=digest(name, place), source="input"
            )
            for place, message in enumerate(question.messages)
        ]

    def _message(self, record: SampleRecord, shown: Shown, name: str) -> Any:
        """The model's message: the thinking apart from the answer. There is no thinking part if there was no thinking."""
        reasoning = [self.model.ContentReasoning(reasoning=shown_text(shown.text))] if shown.text else []
        return self.model.ChatMessageAssistant(
            content=[*reasoning, self.model.ContentText(text=shown_text(record.answer))],
            model=self.run.model,
            source="generate",
            id=digest(name, "answer"),
        )

    def _thinking(self, record: SampleRecord) -> Shown:
        trajectory: Trajectory | None = self.run.trajectories.get(record.trajectory or "")
        kept = record.n_thinking_tokens
        if trajectory is None or kept == 0:
            return Shown("")
        if kept is None or kept >= len(trajectory.token_ids):
            return Shown(trajectory.text)
        first = decode_first(trajectory, kept, self.tokenizer())
        if first is not None:
            return Shown(first)
        drawn = len(trajectory.token_ids)
        return Shown(trajectory.text, f"all {drawn} tokens drawn; the budget kept {kept}, and the tokenizer is not here")

    def _scores(self, record: SampleRecord, question: Question) -> dict[str, Any]:
        """The verdict as Inspect's letter under the grader's name, the status as a word, and the share of right parts."""
        grade, score = record.grade, self.scorer.Score
        answer = None if grade.answer is None else shown_text(grade.answer)
        judged = record.status in (Status.CORRECT, Status.INCORRECT)
        found = {
            question.grader: score(
                value=LETTERS[record.status],
                answer=answer,
                explanation=shown_text(explain(record)),
                reason=None if judged else record.status.value,
                metadata=without_none(
                    status=record.status.value, rule=shown_text(grade.rule), detail=shown_text(grade.detail), score=grade.score
                ),
            ),
            "status": score(value=record.status.value),
        }
        return found | ({} if grade.score is None else {"partial_score": score(value=grade.score)})


def usage_of(record: SampleRecord) -> Any:
    """The drawn tokens as Inspect's ModelUsage; None if they are not known. Runs do not store the length of a prompt."""
    thinking, answer = record.n_thinking_tokens, record.n_answer_tokens
    if thinking is None or answer is None:
        return None
    usage = need("inspect_ai.model", *INSPECT).ModelUsage
    return usage(output_tokens=thinking + answer, total_tokens=thinking + answer, reasoning_tokens=thinking)


def stop_reason(record: SampleRecord) -> str:
    """Why the sample ended, in Inspect's words: stop, max_tokens, model_length (the cap on all tokens, inside the thinking)."""
    if record.answer_finish is not None:
        return _STOPS[record.answer_finish]
    return {ThinkingEnd.EOS: "stop", ThinkingEnd.LENGTH: "model_length"}.get(record.thinking_end, "unknown")


def explain(record: SampleRecord) -> str:
    """The verdict in sentences: the status, the rule that extracted the answer, and what decided."""
    grade = record.grade
    why = _WHY.get(record.status, "").format(part="thinking" if record.answer_finish is None else "answer")
    if record.status is Status.UNFINISHED and record.thinking_end is ThinkingEnd.EOS:
        why = "no grader saw it: the turn ended inside the thinking"
    parts = [f"{record.status.value}: {why}" if why else record.status.value]
    parts += [f"extracted by rule: {grade.rule}"] if grade.rule else []
    parts += [f"decided by: {grade.detail}"] if grade.detail else []
    parts += [f"share of right parts: {grade.score:g}"] if grade.score is not None else []
    return "\n\n".join(parts)


def about_sample(record: SampleRecord, question: Question, note: str) -> dict[str, Any]:
    """What a viewer lists about a sample. The seed is a text, because a browser rounds long integers."""
    return without_none(
        task=record.key.task,
        question_id=record.key.question_id,
        sample=record.key.index,
        cluster=shown_text(question.cluster),
        stratum=shown_text(question.stratum) or None,
        date=question.date or None,
        synthetic=question.synthetic or None,
        budget=record.budget,
        status=record.status.value,
        thinking_end=record.thinking_end.value,
        n_thinking_tokens=record.n_thinking_tokens,
        n_answer_tokens=record.n_answer_tokens,
        leak=record.leak or None,
        thinking_shown=note or None,
        seed=None if record.seed is None else str(record.seed),
        other_verdicts=dict(record.imported.verdict) if record.imported and record.imported.verdict else None,
    )


def without_none(**values: Any) -> dict[str, Any]:
    """The values that are given."""
    return {name: value for name, value in values.items() if value is not None}


def digest(*words: Any) -> str:
    """22 hex digits that name something in the same way in every export."""
    return hashlib.sha256(encode_text([str(word) for word in words]).encode()).hexdigest()[:22]


def mean_values(records: Sequence[SampleRecord]) -> Mapping[str, float]:
    """The share of correct samples of each question."""
    found: dict[str, list[int]] = {}
    for record in records:
        found.setdefault(record.key.question_id, []).append(record.grade.correct)
    return {question: sum(right) / len(right) for question, right in found.items()}
