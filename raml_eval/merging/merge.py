"""Writes the merged run line by line, into a folder that becomes the run directory only when all of it is there."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from raml_eval.answer_classes import complete_classes
from raml_eval.errors import StoreError
from raml_eval.merging.parts import SHOWN, Part, merged_manifest, read_parts, version_notes
from raml_eval.store import RunDirectory, lines
from raml_eval.store.directory import read_classes, read_questions
from raml_eval.store.grades import Layer, apply_layers, grader_versions, read_layers, write_layer
from raml_eval.store.journal import corrupt, encode_line, parse_line, whole_lines
from raml_eval.store.judgements import read_judgements
from raml_eval.store.manifest_file import write_json
from raml_eval.types import Question, QuestionKey, SampleRecord, Status
from raml_eval.wording import count_noun, one_line

COPIED = ("trajectories", "errors", "started", "judgements")  # their lines name no session


def merge_runs(paths: Iterable[Path], out: Path, allow_partial: bool = False) -> Path:
    """out is the run directory that drawing the shards as one run would have made, with the sessions of all of them.

    Lines are copied one at a time: what stays in memory is a few bytes per sample of one shard, and what a manifest and
    classes.json hold. The shards are locked meanwhile, and not changed. With allow_partial, samples that a shard lacks stay
    owed. Raises StoreError if out exists or cannot be written, if the shards are not those of one run, if one lacks samples,
    or if they were graded by different graders; then nothing is at out. A whole shard must always be there.

    Example: merge_runs([Path("runs/x-shard-1-of-2"), Path("runs/x-shard-2-of-2")], Path("runs/x"))
    """
    _refuse_existing(out)
    paths = list(paths)
    parts = read_parts(paths)
    draft = out.absolute().parent / f".{out.name}.{secrets.token_hex(4)}"
    with ExitStack() as held:
        for part in parts:
            if os.access(part.path, os.W_OK):  # nobody writes where nothing can be written
                held.enter_context(closing(RunDirectory(part.path)))
        parts = read_parts(paths)  # as they are now that nobody changes them
        for note in version_notes(parts):
            print(f"note: {one_line(note)}", file=sys.stderr)
        try:
            draft.parent.mkdir(parents=True, exist_ok=True)
            draft.mkdir()
            _Merge(parts, draft, allow_partial).write(out)
            _refuse_existing(out)
            draft.rename(out)
        except OSError as error:
            raise StoreError(
                f"cannot write {out}: {error.strerror or error}. Free disk space, or choose a writable --out."
            ) from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return out


def _refuse_existing(out: Path) -> None:
    if out.exists():
        raise StoreError(f"{out} exists, but a merge writes a new run directory. Choose another --out, or delete it.")


class _Merge:
    """One merge that is being written into a folder."""

    def __init__(self, parts: Sequence[Part], folder: Path, allow_partial: bool) -> None:
        self.parts, self.folder, self.allow_partial = parts, folder, allow_partial
        self.graders: dict[str, Part] = {}  # each grader whose verdicts are in force, with a shard that has them
        self.classes: dict[QuestionKey, dict[str, int]] = {}
        self.n_layers = self.n_sessions = 0

    def write(self, out: Path) -> None:
        """The folder holds the whole run; its manifest is written last, so that it reads as a run only then."""
        n_samples = {}
        with ExitStack() as files:
            into = {
                name: files.enter_context((self.folder / f"{name}.jsonl").open("wb", buffering=1 << 20))
                for name in ("questions", "samples", *COPIED)
            }
            for part in self.parts:
                questions = read_questions(part.path, part.manifest)
                read_judgements(part.path)  # a line that cannot be read must not come to light in the merged run
                known = _Trajectories(part)
                into["questions"].writelines(encode_line(lines.question_line(question)) for question in questions.values())
                into["trajectories"].writelines(known.lines())
                for name in COPIED[1:]:
                    into[name].writelines(_checked_lines(part.path / f"{name}.jsonl"))
                n_samples[part.shard] = self._write_samples(part, questions, known, into["samples"].write)
            for file in into.values():
                file.flush()
                os.fsync(file.fileno())
        if not (self.folder / "judgements.jsonl").stat().st_size:
            (self.folder / "judgements.jsonl").unlink()
        write_json(self.folder / "classes.json", {"/".join(key): group for key, group in self.classes.items()})
        write_json(self.folder / "manifest.json", merged_manifest(self.parts, n_samples, out))

    def _write_samples(
        self, part: Part, questions: dict[QuestionKey, Question], known: _Trajectories, write: Callable[[bytes], Any]
    ) -> int:
        """The part's samples, layers and classes are written or kept. Returns the number of samples."""
        path, layers, sessions = part.path / "samples.jsonl", read_layers(part.path), part.manifest["sessions"]
        seen = _Seen(part)
        answers: dict[QuestionKey, set[str]] = {}
        for number, text in whole_lines(path):
            line = parse_line(path, number, text)
            record = _read_sample(path, number, line)
            seen.add(record, path, number)
            if record.session >= len(sessions):
                raise corrupt(path, number, f"is of session {record.session}, and the manifest lists {len(sessions)} (from 0)")
            if record.trajectory and not record.trajectory.startswith(f"{record.key.task}/{record.key.question_id}/"):
                raise corrupt(path, number, f"names the thinking {record.trajectory!r:.80}, which is of another question")
            known.need(record)
            for version in grader_versions([record], layers, sessions):
                self._check_grader(version, part)
            grade = apply_layers([record], layers)[0].grade
            if grade.status in (Status.CORRECT, Status.INCORRECT) and grade.answer is not None:
                answers.setdefault((record.key.task, record.key.question_id), set()).add(grade.answer)
            write(encode_line({**line, "session": record.session + self.n_sessions}) if self.n_sessions else text)
        known.check()
        if not self.allow_partial:
            seen.check_whole()
        self.classes |= {
            key: dict(group) for key, group in complete_classes(answers, questions, read_classes(part.path)).items()
        }
        for layer in layers:
            self.n_layers += 1
            write_layer(self.folder, _moved(layer, self.n_layers, self.n_sessions))
        self.n_sessions += len(sessions)
        return seen.n_samples

    def _check_grader(self, version: str, part: Part) -> None:
        """Raises StoreError if another part was graded by another grader."""
        if version not in self.graders:
            self.graders[version] = part
            if len(self.graders) > 1:
                told = " and ".join(f"grader {one} gave verdicts of {of}" for one, of in self.graders.items())
                raise StoreError(f"{told}, wanted one grader. Grade all shards with one: `raml-eval regrade RUNS`.")


class _Seen:
    """Which of a part's planned samples have come by: one byte each."""

    def __init__(self, part: Part) -> None:
        self.part = part
        self.questions = {key: number for number, key in enumerate(part.questions)}
        self.budgets = {budget: number for number, budget in enumerate(part.plan.budgets)}
        self.there = bytearray(len(self.questions) * part.plan.samples * len(self.budgets))
        self.n_samples = 0

    def add(self, record: SampleRecord, path: Path, number: int) -> None:
        """The sample is there. Raises CorruptStore if it is there already, or if it is not planned."""
        key = record.key
        question, budget = self.questions.get((key.task, key.question_id)), self.budgets.get(record.budget)
        if question is None or budget is None or not 0 <= key.index < self.part.plan.samples:
            raise corrupt(path, number, f"holds {key} at {record.budget}, which its manifest does not plan")
        place = (question * self.part.plan.samples + key.index) * len(self.budgets) + budget
        if self.there[place]:
            raise corrupt(path, number, f"repeats {key} at {record.budget}, which is already on an earlier line")
        self.there[place] = 1
        self.n_samples += 1

    def check_whole(self) -> None:
        """Raises StoreError, naming some of them, if planned samples are missing."""
        n_missing = len(self.there) - self.n_samples
        if not n_missing:
            return
        questions, budgets, n = list(self.questions), list(self.budgets), self.part.plan.samples
        named: list[str] = []
        place = self.there.find(0)
        while place >= 0 and len(named) < min(SHOWN, 4):
            draw, budget = divmod(place, len(budgets))
            named.append(f"{'/'.join(questions[draw // n])}/{draw % n} at {budgets[budget]}")
            place = self.there.find(0, place + 1)
        raise StoreError(
            f"{self.part} lacks {n_missing} of {count_noun(len(self.there), 'planned sample')}, such as {', '.join(named)}. "
            f"Run its command again, or merge with --allow-partial: they are then owed by the merged run."
        )


class _Trajectories:
    """The trajectories of a part: each once, and every one there that a sample names. Kept as digests of 8 bytes."""

    def __init__(self, part: Part) -> None:
        self.part, self.path = part, part.path / "trajectories.jsonl"
        self.there, self.needed = array("Q"), array("Q")

    def lines(self) -> Iterator[bytes]:
        """The lines of the file, which are checked as they pass. Raises CorruptStore for one that is not of the schema."""
        planned = set(self.part.questions)
        for number, text in whole_lines(self.path):
            line = parse_line(self.path, number, text)
            try:
                identity, key = str(line["id"]), (line["task"], line["question_id"])
                trajectory = lines.read_trajectory(line)
            except Exception as error:
                raise corrupt(self.path, number, f"is not of this file's schema ({type(error).__name__}: {error})") from error
            if key not in planned or trajectory.id != identity:
                raise corrupt(self.path, number, f"holds {identity}, which is none of a planned question")
            self.there.append(_digest(identity))
            yield text

    def need(self, record: SampleRecord) -> None:
        """The trajectory of the record must be there."""
        if record.trajectory is not None:
            self.needed.append(_digest(record.trajectory))

    def check(self) -> None:
        """Raises StoreError if a trajectory is there twice, or if one that a sample names is not."""
        there = np.frombuffer(self.there, dtype=np.uint64)
        if n_twice := len(there) - len(np.unique(there)):
            raise StoreError(f"{self.path} repeats trajectories on {count_noun(n_twice, 'line')}. Delete the later ones.")
        n_lacking = int((~np.isin(np.frombuffer(self.needed, dtype=np.uint64), there)).sum())
        if n_lacking:
            raise StoreError(
                f"{self.path} lacks the trajectories that {count_noun(n_lacking, 'sample')} in samples.jsonl name. Delete the "
                f"lines of these samples and run the shard's command again, and they are drawn again."
            )


def _digest(identity: str) -> int:
    return int.from_bytes(blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def _read_sample(path: Path, number: int, line: dict[str, Any]) -> SampleRecord:
    try:
        return lines.read_sample(line, ids=False)
    except Exception as error:
        raise corrupt(path, number, f"is not of this file's schema ({type(error).__name__}: {error})") from error


def _checked_lines(path: Path) -> Iterable[bytes]:
    """The lines of a file, each a JSON object."""
    for number, text in whole_lines(path):
        parse_line(path, number, text)
        yield text


def _moved(layer: Layer, number: int, n_before: int) -> Layer:
    """The layer under another number, of a run in which n_before sessions of other shards come first."""
    changes = {sample: replace(change, session=change.session + n_before) for sample, change in layer.changes.items()}
    return replace(
        layer,
        number=number,
        changes=changes,
        n_sessions=layer.n_sessions + n_before,
        first_session=layer.first_session + n_before,
    )
