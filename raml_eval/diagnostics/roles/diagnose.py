"""One diagnosis of a run: the roles' positions are scored, and tables, figures and the report's section are made of them."""

from __future__ import annotations

import asyncio
import hashlib
import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from raml_eval.codec import codec_of
from raml_eval.diagnostics.curves.diagnose import GROWING, IN_FLIGHT, caveats_of, open_folder, position_scorer
from raml_eval.diagnostics.curves.driver import Scoring, fits_context, read_curve, score_targets
from raml_eval.diagnostics.curves.positions import Positions
from raml_eval.diagnostics.curves.targets import (
    Asking,
    Choice,
    Skipped,
    Survey,
    Target,
    keep_introductions,
    read_targets,
    survey,
)
from raml_eval.diagnostics.folder import PLACE, DiagnosisFolder, check_settings, settings_of
from raml_eval.diagnostics.model import RunModel, load_run_model, open_engine
from raml_eval.diagnostics.roles.closings import OWN, Ending, find_endings
from raml_eval.diagnostics.roles.occurrences import BREAKS, DELIMITER, choose_words
from raml_eval.diagnostics.roles.summary import Spoken, write_summary
from raml_eval.diagnostics.roles.thoughts import Found, choose_occurrences, needed_positions, read_thoughts
from raml_eval.errors import ConfigError, choose_names
from raml_eval.progress import Progress
from raml_eval.store.seeking import RunReader
from raml_eval.store.stamp import stamp_samples

KIND = "token-roles"
_TAGGED = re.compile(r"(.*)(#[0-9a-f]{12})", re.DOTALL)
MOST = 20  # occurrences of one role in one thinking


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a diagnosis is asked for. words are looked for in place of the usual ones; closings are compared with the others.

    formats says whether the closings of the known thinking formats are among them, each of which costs a pass.
    """

    choice: Choice = field(default_factory=Choice)
    words: tuple[str, ...] = ()
    closings: tuple[str, ...] = ()
    formats: bool = True
    most: int = MOST
    seed: int = 0
    concurrency: int = IN_FLIGHT


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """What a diagnosis did. errors are the requests that failed and are owed, with the reason."""

    folder: Path
    n_occurrences: int
    n_thoughts: int
    skipped: Mapping[str, Sequence[str]]
    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AtMarks(Positions):
    """The marks of a target, and no other position."""

    def first(self, length: int, marks: Iterable[int] = ()) -> list[int]:
        """The marks, ascending."""
        return sorted({*marks})


def diagnose_roles(
    directory: Path, wanted: Wanted, out: Path | None = None, changes: Mapping[str, Any] | None = None, quiet: bool = False
) -> Diagnosed:
    """The folder of the diagnosis holds what the gold's likelihood does at every chosen occurrence, and at its null.

    What an earlier session scored is not scored again, whatever words, seed or limit it had. changes are settings that replace
    the run's own (load_run_model). Raises ConfigError for an engine that cannot score, for a task that is not in the run or a
    blank word, and for a folder under other settings; StoreError for an imported run; GaveUp if request after request failed.
    Do not call it in a coroutine.
    """
    stamp = stamp_samples(directory)
    words = choose_words(wanted.words)
    if blank := [text for text in wanted.closings if not text]:
        raise ConfigError(f"--closing {blank[0]!r} is empty, which is measured anyway. Pass a text, or leave it out.")
    with RunReader(directory) as run, ExitStack() as held:
        choose_names("task", wanted.choice.tasks, run.manifest["tasks"])
        loaded = load_run_model(run, changes)
        policy = loaded.policy(context=0)  # the engine, which alone knows its context, is not open yet
        surveyed = survey(run, wanted.choice, loaded.prompts, policy.answer_prefix)
        kept = keep_introductions(surveyed, settings_of(out or directory / PLACE, KIND))
        asking = Asking(
            codec_of(loaded.model.tokenizer), policy.closing_ids, surveyed.introductions, after=policy.answer_prefix
        )
        endings = find_endings(loaded.model.tokenizer, loaded.model.format, policy, wanted.closings, wanted.formats)
        work = _Work(run, loaded, surveyed, asking, endings, wanted, out or directory / PLACE, quiet)
        check_settings(work.out, KIND, work.settings(), GROWING)
        thoughts = read_thoughts(work.targets(surveyed.skipped), run.questions, asking.tokenizer, words, surveyed.skipped)
        found = choose_occurrences(thoughts, wanted.most, wanted.seed)
        folder, errors = asyncio.run(_score(work, found, held))
        caveats = [*caveats_of(run, wanted.choice, loaded, folder), *kept]
        roles = (*words.names, *BREAKS, DELIMITER)
        spoken = Spoken(found, endings, roles, asking, wanted.most, surveyed.skipped, caveats)
        values = read_values(folder, {one.id: one.drawn for one in found.thoughts})
        n_measured = 0
        if not errors:
            n_measured = write_summary(folder, spoken, values[""], {one.name: values[_tag(one)] for one in endings})
            counts = {reason: len(keys) for reason, keys in surveyed.skipped.items()}
            made = {"words": dict(words.roles), "seed": wanted.seed, "most": wanted.most, **asdict(wanted.choice)}
            named = {one.name: {"ids": list(one.ids), "equal": list(one.others)} for one in endings}
            folder.finish(counts, samples=stamp, skipped_keys=surveyed.skipped, made_with=made | {"endings": named})
    return Diagnosed(folder.path, n_measured, len(found.thoughts), surveyed.skipped, errors)


@dataclass(frozen=True, slots=True)
class _Work:
    """Everything of one diagnosis that is known before its engine is open."""

    run: RunReader
    loaded: RunModel
    surveyed: Survey
    asking: Asking
    endings: Sequence[Ending]
    wanted: Wanted
    out: Path
    quiet: bool

    def targets(self, skipped: Skipped) -> Iterator[Target]:
        """Only thinkings have roles."""
        golds, prompts = self.surveyed.golds, self.loaded.prompts
        return read_targets(self.run, self.wanted.choice, golds, prompts, self.asking, skipped, answers=False)

    def settings(self) -> dict[str, Any]:
        """Everything that a value depends on but for the engine. Words, seed and choice only say which values are wanted."""
        return {
            "protocol": self.run.manifest["protocol_digest"],
            "closing_ids": list(self.asking.closing_ids),
            "closing_after": self.asking.after,
            "introductions": self.asking.by_task(),
        }


async def _score(work: _Work, found: Found, held: ExitStack) -> tuple[DiagnosisFolder, dict[str, str]]:
    """The folder, which held closes, and whose journal has every needed value but for those that failed, and the errors."""
    async with open_engine(work.loaded) as backend:
        scorer = position_scorer(backend)
        questions = (work.run.questions[key] for key in work.surveyed.golds)
        folder = open_folder(held, work.out, KIND, work.settings(), backend, questions)
        scoring = Scoring(scorer, backend.description.context, AtMarks(), work.wanted.concurrency)
        needed, stored = needed_positions(found), read_values(folder, {one.id: one.drawn for one in found.thoughts})
        n_done = n_owed = 0
        for request in _requests(work, found, needed):  # which are read again below: all at once would fill the memory
            owed = _missing(request, stored)
            n_done += owed is None
            n_owed += owed is not None and fits_context(owed, scoring.context)
        too_long: Skipped = {}
        journal = folder.journal()
        try:
            with Progress(n_done + n_owed, n_done, quiet=work.quiet, noun="requests", about=f"{KIND}: ") as progress:
                missing = (_missing(request, stored) for request in _requests(work, found, needed))
                requests = (one for one in missing if one is not None)
                errors = await score_targets(scoring, requests, journal, progress, too_long)
        finally:
            journal.close()
        for reason, ids in too_long.items():
            work.surveyed.skipped[reason] = list(dict.fromkeys(_parts(one)[0] for one in ids))
        return folder, errors


def _requests(work: _Work, found: Found, needed: Mapping[str, set[int]]) -> Iterator[Target]:
    """Each thinking after the run's own closing, and each natural one after every other ending; marks are what is needed."""
    thoughts = {one.id: one for one in found.thoughts}
    for target in work.targets({}):
        thought = thoughts.get(target.id)
        if thought is None:
            continue
        gold = work.surveyed.golds[target.key.task, target.key.question_id]
        introduction = work.asking.introductions[target.key.task, target.prompt]
        for ending in work.endings:
            own = OWN in (ending.name, *ending.others)
            if own:
                probe, marks = target.probe, needed[target.id]
            else:
                probe = ending.probe(work.asking.tokenizer, introduction, gold)
                marks = {*thought.share_marks.values()} if thought.natural else set()
            if marks:
                yield replace(target, id=f"{target.id}{_tag(ending)}", probe=probe, marks=tuple(sorted(marks)))


def _missing(request: Target, stored: Mapping[str, Mapping[str, Mapping[int, float]]]) -> Target | None:
    """The request for what of it is not stored yet; None if all is."""
    id, tag = _parts(request.id)
    there = stored.get(tag, {}).get(id, {})
    marks = tuple(at for at in request.marks if at not in there)
    return replace(request, marks=marks) if marks else None


def _tag(ending: Ending) -> str:
    """What stands behind a thinking's id in the journal. It tells endings apart by what they write, not by their names."""
    if OWN in (ending.name, *ending.others):
        return ""
    digest = hashlib.blake2b(array("q", ending.ids).tobytes() + b"|" + ending.after.encode(), digest_size=6)
    return f"#{digest.hexdigest()}"


def _parts(id: str) -> tuple[str, str]:
    """The thinking's id and the tag of an id in the journal."""
    found = _TAGGED.fullmatch(id)
    return (found[1], found[2]) if found else (id, "")


def read_values(folder: DiagnosisFolder, drawn: Mapping[str, str]) -> defaultdict[str, dict[str, dict[int, float]]]:
    """By ending (its tag; the run's own has the empty one), thinking and position: the gold's NLL in nats per token.

    drawn tells of each thinking which ids it has: lines of one that was drawn again since are of others, and left out.
    """
    values: defaultdict[str, dict[str, dict[int, float]]] = defaultdict(dict)
    for curve in folder.read(read_curve):
        id, tag = _parts(curve.id)
        if curve.drawn != drawn.get(id):
            continue
        own = values[tag].setdefault(id, {})
        for at, value in zip(curve.positions, curve.nll, strict=True):
            own.setdefault(at, value / curve.n_scored)
    return values
