"""Turns the types of raml_eval.types into JSON lines and back: the public schema of docs/run-directory.md."""

from __future__ import annotations

import base64
import sys
import zlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from raml_eval.budgets import THINKING
from raml_eval.manifest import SCHEMA_VERSION
from raml_eval.types import (
    Budget,
    Draw,
    Finish,
    Grade,
    Imported,
    Message,
    Primary,
    Question,
    SampleKey,
    SampleRecord,
    Status,
    Suite,
    TaskDescription,
    ThinkingEnd,
    TokenIds,
    Trajectory,
)

Line = dict[str, Any]


def pack_ids(ids: Sequence[int]) -> str:
    """Token ids as base64 of zlib of little-endian unsigned 32-bit integers; the empty string if there are none.

    Example: unpack_ids(pack_ids([1, 2, 3])) == (1, 2, 3)
    """
    if not ids:
        return ""
    words = array("I", ids)
    if sys.byteorder == "big":
        words.byteswap()
    return base64.b64encode(zlib.compress(words.tobytes(), 1)).decode("ascii")


# The ids that end thinking are few, and mostly the same.
_pack_end = lru_cache(256)(pack_ids)


def unpack_ids(packed: str) -> TokenIds:
    """The token ids that pack_ids packed.

    Example: unpack_ids("") == ()
    """
    if not packed:
        return ()
    words = array("I")
    words.frombytes(zlib.decompress(base64.b64decode(packed, validate=True)))
    if sys.byteorder == "big":
        words.byteswap()
    return tuple(words)


_KINDS: Mapping[type, str] = {
    str: "a text", int: "a whole number", bool: "true or false", list: "a list", dict: "an object", type(None): "null"
}  # fmt: skip
_TEXT_OR_NULL = (str, type(None))


def take(line: Mapping[str, Any], name: str, *kinds: type) -> Any:
    """The value of a field. Raises KeyError if it is missing, TypeError if it is of none of these types."""
    value = line[name]
    if type(value) not in kinds:
        raise TypeError(f"{name} is {value!r:.60}, wanted {' or '.join(_KINDS[kind] for kind in kinds)}")
    return value


def _texts(line: Mapping[str, Any], name: str) -> tuple[str, ...]:
    values = take(line, name, list)
    for value in values:
        if type(value) is not str:
            raise TypeError(f"{name} holds {value!r:.60}, wanted texts")
    return tuple(values)


def key_line(key: SampleKey) -> Line:
    """The three fields that name a sample in every file."""
    return {"task": key.task, "question_id": key.question_id, "sample": key.index}


def read_key(line: Mapping[str, Any]) -> SampleKey:
    """The sample that a line is about."""
    return SampleKey(take(line, "task", str), take(line, "question_id", str), take(line, "sample", int))


def read_budget(line: Mapping[str, Any]) -> Budget:
    """The budget that a line is about."""
    budget: Budget = take(line, "budget", int, str)
    return budget


def read_failed(line: Mapping[str, Any]) -> tuple[SampleKey, list[Budget], str]:
    """The sample that failed, its budgets, and why, of one line of errors.jsonl."""
    key, budgets = read_key(line), [read_budget({"budget": budget}) for budget in take(line, "budgets", list)]
    return key, budgets, ": ".join(str(line[part]) for part in ("error", "message") if line.get(part))


def read_started(line: Mapping[str, Any]) -> Draw:
    """The draw that began, of one line of started.jsonl."""
    return read_key(line), take({"prompt": THINKING, **line}, "prompt", str)


def trajectory_line(trajectory: Trajectory) -> Line:
    """One line of trajectories.jsonl."""
    line = {
        "schema_version": SCHEMA_VERSION,
        "id": trajectory.id,
        **key_line(trajectory.key),
        "limit": trajectory.limit,
        "end": trajectory.end.value,
        "n_tokens": None if trajectory.limit is None else len(trajectory.token_ids),
        "seed": trajectory.seed,
        "redrawn": trajectory.redrawn,
        "text": trajectory.text,
        "token_ids": pack_ids(trajectory.token_ids),
        "end_ids": _pack_end(tuple(trajectory.end_ids)),
    }
    line |= {} if trajectory.prompt == THINKING else {"prompt": trajectory.prompt}
    return line | ({"extensions": list(trajectory.extensions)} if trajectory.extensions else {})


def read_trajectory(line: Mapping[str, Any]) -> Trajectory:
    """The trajectory of one line of trajectories.jsonl."""
    return Trajectory(
        key=read_key(line),
        limit=_read_count(line["limit"]),
        token_ids=unpack_ids(line["token_ids"]),
        end=ThinkingEnd(line["end"]),
        end_ids=unpack_ids(line["end_ids"]),
        text=take(line, "text", str),
        seed=_read_count(line["seed"]),
        redrawn=bool(line["redrawn"]),
        prompt=take({"prompt": THINKING, **line}, "prompt", str),
        extensions=tuple(map(int, line.get("extensions", ()))),
    )


def sample_line(record: SampleRecord) -> Line:
    """One line of samples.jsonl."""
    line = {
        "schema_version": SCHEMA_VERSION,
        **key_line(record.key),
        "budget": record.budget,
        "session": record.session,
        "trajectory": record.trajectory,
        "thinking_end": record.thinking_end.value,
        "n_thinking_tokens": record.n_thinking_tokens,
        "answer": record.answer,
        "answer_finish": record.answer_finish.value if record.answer_finish else None,
        "n_answer_tokens": record.n_answer_tokens,
        "leak": record.leak,
        "target": record.target,
        **grade_fields(record.grade),
        "seed": record.seed,
        "answer_ids": pack_ids(record.answer_ids),
    }
    if record.imported:
        said = record.imported
        line["imported"] = {"verdict": dict(said.verdict), "of_question": said.of_question, "n_tokens": said.n_tokens}
    return line


def read_sample(line: Mapping[str, Any], ids: bool = True) -> SampleRecord:
    """The sample of one line of samples.jsonl. If ids is False, answer_ids is empty, which saves most of the reading time."""
    return SampleRecord(
        key=read_key(line),
        budget=read_budget(line),
        trajectory=take(line, "trajectory", *_TEXT_OR_NULL),
        thinking_end=ThinkingEnd(line["thinking_end"]),
        n_thinking_tokens=_read_count(line["n_thinking_tokens"]),
        answer=take(line, "answer", str),
        answer_ids=unpack_ids(line["answer_ids"]) if ids else (),
        answer_finish=Finish(line["answer_finish"]) if line["answer_finish"] else None,
        target=take(line, "target", str),
        grade=read_grade(line),
        seed=_read_count(line["seed"]),
        leak=bool(line["leak"]),
        session=_read_session(line["session"]),
        imported=_read_imported(line),
    )


def _read_count(value: Any) -> int | None:
    return None if value is None else int(value)


def _read_session(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError(f"session {value!r:.60}, wanted a whole number, 0 or more")
    return value


def _read_imported(line: Mapping[str, Any]) -> Imported | None:
    said = line.get("imported")
    if said is None:
        return None
    verdict = {str(metric): float(value) for metric, value in said["verdict"].items()}
    counts = _read_count(said["n_tokens"]), _read_count(line["n_answer_tokens"])
    return Imported(verdict, bool(said["of_question"]), *counts)


def grade_fields(grade: Grade) -> Line:
    """A verdict's fields, as samples.jsonl and the layers of grades hold them."""
    return {
        "extracted": grade.answer,
        "status": grade.status.value,
        "rule": grade.rule,
        "detail": grade.detail,
        "score": grade.score,
    }


def read_grade(line: Mapping[str, Any]) -> Grade:
    """The verdict in a line of samples.jsonl or of a layer of grades. Lines of earlier versions have no score."""
    score = line.get("score")
    said = take(line, "extracted", *_TEXT_OR_NULL), take(line, "rule", str), take(line, "detail", str)
    grade = Grade(Status(line["status"]), *said)
    if score is None:
        return grade
    if float(score) < 0 or float(score) > 1:
        raise ValueError(f"score is {score}, wanted a share from 0 to 1")
    return replace(grade, score=float(score))


def question_line(question: Question) -> Line:
    """One line of questions.jsonl: everything that grading and counting need, without the row itself."""
    return {
        "schema_version": SCHEMA_VERSION,
        "task": question.task,
        "question_id": question.id,
        "cluster": question.cluster,
        "stratum": question.stratum,
        "target": question.target,
        "grader": question.grader,
        "options": list(question.options),
        "stop": list(question.stop),
        "synthetic": question.synthetic,
        "tests": question.tests,
        "date": question.date,
        "messages": [dict(message) for message in question.messages],
    }


def read_question(line: Mapping[str, Any]) -> Question:
    """The question of one line of questions.jsonl. Its doc is empty, because the row is not stored."""
    return Question(
        task=take(line, "task", str),
        id=take(line, "question_id", str),
        cluster=take(line, "cluster", str),
        doc={},
        messages=tuple(map(_read_message, take(line, "messages", list))),
        target=take(line, "target", str),
        grader=take(line, "grader", str),
        stratum=take(line, "stratum", str),
        options=_texts(line, "options"),
        stop=_texts(line, "stop"),
        synthetic=bool(line["synthetic"]),
        tests=take({"tests": "", **line}, "tests", str),
        date=take({"date": "", **line}, "date", str),
    )


def _read_message(message: Any) -> Message:
    if type(message) is not dict or any(type(text) is not str for text in message.values()):
        raise TypeError(f"a message is {message!r:.60}, wanted texts by role and content")
    found: Message = message
    return found


def read_task(entry: Mapping[str, Any]) -> TaskDescription:
    """The task description of a manifest's entry. Raises KeyError for a field that is missing; older runs lack the newest."""
    fields: dict[str, Callable[[Any], Any]] = dict.fromkeys(TaskDescription.__dataclass_fields__, lambda v: v)
    fields["suites"] = fields["overrides"] = tuple
    newest = {"family": "", "perturbs": "", "date": "", "redistribute": "", "overrides": ()}
    return TaskDescription(**{name: read((newest | dict(entry))[name]) for name, read in fields.items()})


def read_suite(entry: Mapping[str, Any]) -> Suite:
    """The suite of a manifest's entry. Raises KeyError or TypeError for another shape."""
    tasks, primary = entry["tasks"], entry["primary"]
    if not isinstance(tasks, list):
        raise TypeError(f"the tasks of a suite are {tasks!r:.60}, wanted a list")
    if primary is None:
        return Suite(tuple(tasks))
    metric, budget = primary["metric"], primary["budget"]
    if not isinstance(metric, str) or not isinstance(budget, int | str):
        raise TypeError(f"a primary endpoint is {primary!r:.80}, wanted a metric and a budget")
    return Suite(tuple(tasks), Primary(metric, budget))
