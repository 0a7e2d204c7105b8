"""Lists the likely errors of the grader in a run, the most suspicious first."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from raml_eval.grading.pool import GradingPool
from raml_eval.reporting.listing import Item, Listing, ListSection, check_format, quote, render_listing
from raml_eval.reporting.render import Cell, Table
from raml_eval.reporting.suspects import (
    Suspect,
    Vote,
    count_votes,
    golds_of,
    suspect_golds,
    suspect_sample,
    suspect_split,
    suspect_votes,
)
from raml_eval.store.lines import grade_fields, key_line
from raml_eval.tables import budget_label
from raml_eval.types import Question, SampleRecord, StoredRun
from raml_eval.wording import count_noun

LIMIT = 20  # findings that are shown unless the user asks for more
SHOWN_END = 200  # characters shown of an answer's end
VARIETY = 0.94  # each further finding with the same reason ranks a little lower, so that the first lines show several
QuestionKey = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Finding:
    """The samples of one question with one extracted answer, and every reason to doubt their verdicts.

    suspicion treats the reasons as independent: it is 1 minus the product of (1 minus the suspicion of each).
    """

    question: Question
    suspects: tuple[Suspect, ...]  # the strongest one for each reason, the strongest first
    records: tuple[SampleRecord, ...]
    suspicion: float

    @property
    def reasons(self) -> tuple[str, ...]:
        return tuple(suspect.reason for suspect in self.suspects)


@dataclass(frozen=True, slots=True)
class Audit:
    """All findings, in the order in which to read them."""

    run: StoredRun
    findings: tuple[Finding, ...]


def audit_run(run: StoredRun, against: Sequence[StoredRun] = ()) -> Audit:
    """The likely errors of the grader among the run's verdicts. against holds runs whose majorities are compared.

    The run's classes must be complete (raml_eval.answer_classes.with_classes). Only the golds of questions that no sample
    got right are graded here; every other sign is read from text.
    """
    by_question: dict[QuestionKey, list[SampleRecord]] = {}
    for record in run.records:
        if (record.key.task, record.key.question_id) in run.questions:
            by_question.setdefault((record.key.task, record.key.question_id), []).append(record)
    votes = count_votes(run)
    elsewhere = [count_votes(other) for other in against]
    suspects: list[Suspect] = []
    for key, records in by_question.items():
        question = run.questions[key]
        golds = golds_of(question)
        suspects += [suspect for record in records for suspect in suspect_sample(record, question, golds)]
        suspects += suspect_split(records)
        others: list[Vote] = [vote for run_votes in elsewhere for vote in run_votes.get(key, {}).values()]
        suspects += suspect_votes(votes.get(key, {}), others)
    hopeless = [(run.questions[key], given[0]) for key, given in by_question.items() if not any(r.grade.correct for r in given)]
    pool = GradingPool(workers=1)
    try:
        suspects += suspect_golds(hopeless, pool)
    finally:
        pool.close()
    return Audit(run, _rank(_join(run, suspects)))


def _join(run: StoredRun, suspects: Sequence[Suspect]) -> list[Finding]:
    cases: defaultdict[tuple[str, str, str | None], list[Suspect]] = defaultdict(list)
    for suspect in suspects:
        key = suspect.record.key
        cases[key.task, key.question_id, suspect.record.grade.answer].append(suspect)
    findings = []
    for (task, question_id, _), found in cases.items():
        strongest: dict[str, Suspect] = {}
        for suspect in sorted(found, key=lambda s: -s.suspicion):
            strongest.setdefault(suspect.reason, suspect)
        innocence = 1.0
        for suspect in strongest.values():
            innocence *= 1 - suspect.suspicion
        records = {(s.record.key, s.record.budget): s.record for s in found}
        question = run.questions[task, question_id]
        findings.append(Finding(question, tuple(strongest.values()), tuple(records.values()), 1 - innocence))
    return findings


def _rank(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """The findings by suspicion, then by the number of samples. Findings with a repeated reason move down."""
    ordered = sorted(findings, key=lambda f: (-f.suspicion, -len(f.records), f.question.task, f.question.id))
    seen: Counter[str] = Counter()
    ranks = []
    for finding in ordered:
        ranks.append(finding.suspicion * VARIETY ** seen[finding.reasons[0]])
        seen[finding.reasons[0]] += 1
    places = sorted(range(len(ordered)), key=lambda place: -ranks[place])
    return tuple(ordered[place] for place in places)


def render_audit(audit: Audit, format: str = "terminal", limit: int | None = None) -> str:
    """The audit as text: the first limit findings (default 20; all in json). Raises ConfigError for an unknown format.

    Example: render_audit(audit_run(with_classes(load_run("runs/mine"))))
    """
    check_format(format)
    if format == "json":
        return json.dumps(_as_json(audit, audit.findings[:limit]), indent=1, allow_nan=False)
    # The rank chooses what is shown. The lines are in the order of the suspicion that they print.
    shown = sorted(audit.findings[: LIMIT if limit is None else limit], key=lambda finding: -finding.suspicion)
    more = len(audit.findings) - len(shown)
    listed = f"{count_noun(more, 'more finding')}; --limit {len(audit.findings)} shows all"
    left_out = [f"{listed}. Of a reason that repeats, fewer are shown."] if more else []
    counted = f"{count_noun(len(audit.findings), 'finding')} among {count_noun(len(audit.run.records), 'verdict')}"
    return render_listing(
        Listing(
            title=f"{audit.run.name}: {counted}",
            lead=("These are hints where to look, not verdicts; `raml-eval show` prints a sample in full.",),
            tables=(_reason_table(audit),) if audit.findings else (),
            sections=(ListSection("The most suspicious first", tuple(map(_item, shown))),) if shown else (),
            notes=tuple(left_out),
        ),
        format,
    )


def count_reasons(audit: Audit) -> dict[str, tuple[int, int]]:
    """The number of samples and of questions that each reason concerns, the most frequent reason first."""
    samples: Counter[str] = Counter()
    questions: defaultdict[str, set[QuestionKey]] = defaultdict(set)
    for finding in audit.findings:
        for reason in finding.reasons:
            samples[reason] += len(finding.records)
            questions[reason].add((finding.question.task, finding.question.id))
    return {reason: (n, len(questions[reason])) for reason, n in samples.most_common()}


def _reason_table(audit: Audit) -> Table:
    rows = tuple((Cell(reason), Cell(str(n)), Cell(str(q))) for reason, (n, q) in count_reasons(audit).items())
    return Table("Findings by reason", (Cell("reason"), Cell("samples"), Cell("questions")), rows)


def _item(finding: Finding) -> Item:
    record = finding.suspects[0].record
    grade = record.grade
    of = f"{len(finding.records)} samples, such as" if len(finding.records) > 1 else "sample"
    place = f"{of} {record.key.index} at {budget_label(record.budget)}"
    notes = "; ".join(dict.fromkeys(suspect.note for suspect in finding.suspects if suspect.note))
    why = ", ".join(word for word in (grade.rule, grade.detail) if word)
    lines = [f"gold {quote(finding.question.target)}, extracted {quote(grade.answer)}: {grade.status.value} ({why})"]
    lines += [notes] if notes else []
    lines += [f"ends {quote(record.answer[-SHOWN_END:], SHOWN_END)}"]
    reasons = ", ".join(finding.reasons)
    return Item(f"{finding.suspicion:.2f}  {reasons}: {finding.question.task}/{finding.question.id}, {place}", tuple(lines))


def _as_json(audit: Audit, findings: Sequence[Finding]) -> dict[str, Any]:
    reasons = {reason: {"samples": n, "questions": q} for reason, (n, q) in count_reasons(audit).items()}
    return {
        "run": audit.run.name,
        "n_verdicts": len(audit.run.records),
        "n_findings": len(audit.findings),
        "reasons": reasons,
        "findings": [_finding_fields(finding) for finding in findings],
    }


def _finding_fields(finding: Finding) -> dict[str, Any]:
    record = finding.suspects[0].record
    return {
        "suspicion": round(finding.suspicion, 4),
        "reasons": [{"reason": s.reason, "suspicion": round(s.suspicion, 4), "note": s.note} for s in finding.suspects],
        "task": finding.question.task,
        "question_id": finding.question.id,
        "target": finding.question.target,
        **grade_fields(record.grade),
        "end": record.answer[-SHOWN_END:],
        "samples": [{**key_line(r.key), "budget": r.budget, "status": r.status.value} for r in finding.records],
    }
