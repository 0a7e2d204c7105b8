"""Turns runs into a report: grouped by domain, one row for each model and budget, a footnote for every caveat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from raml_eval.errors import ConfigError, near_names
from raml_eval.reporting.contamination import contamination_section
from raml_eval.reporting.diagnosed import Diagnosed, find_diagnosed
from raml_eval.reporting.footnotes import Footnote, find_footnotes
from raml_eval.reporting.gains import gain_footnotes
from raml_eval.reporting.numbers import index_numbers
from raml_eval.reporting.raw import RAW, render_raw, with_rows
from raml_eval.reporting.render import FORMATS, find_template, render
from raml_eval.reporting.sections import Section, domain_section, draw_curve, means_section, tasks_of
from raml_eval.reporting.sheets import metric_of
from raml_eval.reporting.sweep_tables import thinking_section
from raml_eval.reporting.swept import index_sweep
from raml_eval.tables import (
    DOMAINS,
    build_frame,
    build_sweep,
    check_copies,
    describe_engine,
    has_sweep,
    run_labels,
    same_directory,
)
from raml_eval.types import StoredRun
from raml_eval.wording import count_noun

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a template may show."""

    title: str
    lead: tuple[str, ...]
    sections: tuple[Section, ...]
    curve: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contamination:
    """What the table of contamination is asked for: the reference run, and the date from which questions are fresh."""

    reference: StoredRun
    cutoff: str = ""


def render_report(
    runs: Sequence[StoredRun],
    template: str = "default",
    format: str = "terminal",
    k: Sequence[int] | None = None,
    base: StoredRun | None = None,
    allow_partial: bool = False,
    contamination: Contamination | None = None,
    full: bool = False,
) -> str:
    """The report as text. format is terminal, markdown, latex, csv or json.

    csv and json are the tidy frame itself, with the numbers of the runs' diagnoses and the notes of each row (render_raw). csv
    has an apostrophe before a text that a spreadsheet would compute. Raises ConfigError for an unknown template or format,
    MetricError for missing samples without allow_partial.

    Example: render_report([load_run("runs/mine")], format="markdown")
    """
    known = (*FORMATS, *RAW)
    if format not in known:
        raise ConfigError(f"there is no report format {format!r}.{near_names(format, known)} Known: {', '.join(known)}.")
    raw = format in RAW and template == "default"
    if raw and contamination is not None:
        raise ConfigError(f"the table of contamination has no form as {format}. Ask for {', '.join(FORMATS)}.")
    file = "" if raw else find_template(template, format)
    check_copies([*runs, *([base] if base is not None else [])])
    frame = build_frame(runs, k=k, base=base, allow_partial=allow_partial)
    if base is not None and not all(same_directory(run, base) for run in runs) and not (frame["metric"] == "gain").any():
        raise ConfigError(
            f"no gain over {base.name} can be given: it shares no question at any budget with these runs. Name another --base."
        )
    if raw:
        found = _diagnosed(runs, short=False)
        notes = [*find_footnotes(runs, frame), *gain_footnotes(runs, base, frame), *_diagnosis_notes(found)]
        return render_raw(runs, with_rows(frame, found.rows), notes, format)
    report = build_report(runs, frame, base, short=format == "terminal", full=full)
    if contamination is not None:
        section = contamination_section(runs, contamination.reference, contamination.cutoff)
        report = replace(report, sections=(*report.sections, section))
    return render(file, format, report=report)


def build_report(
    runs: Sequence[StoredRun], frame: pd.DataFrame, base: StoredRun | None = None, short: bool = False, full: bool = False
) -> Report:
    """The parts of the report, in no format yet. short leaves out what does not fit on a terminal; full shows every metric."""
    numbers = index_numbers(runs, frame, short, full)
    sections = [domain_section(numbers, runs, domain) for domain in DOMAINS if tasks_of(runs, domain)]
    if any(map(has_sweep, runs)):
        sweep = build_sweep(runs, allow_partial=True, frontier=False)  # the frame has refused missing samples already
        sections += [] if sweep.empty else [thinking_section(index_sweep(sweep, numbers))]
    diagnosed = _diagnosed(runs, short)
    return Report(
        title=" and ".join(run_labels(runs)),
        lead=tuple(drawn_by(run, label) for run, label in zip(runs, run_labels(runs), strict=True)),
        sections=(*sections, means_section(numbers, runs, base), *diagnosed.sections),
        curve=tuple(draw_curve(numbers, runs)),
        notes=(*(note.text for note in (*numbers.notes, *gain_footnotes(runs, base, frame))), *diagnosed.notes),
    )


def _diagnosed(runs: Sequence[StoredRun], short: bool) -> Diagnosed:
    return find_diagnosed(dict(zip(run_labels(runs), runs, strict=True)), short)


def _diagnosis_notes(found: Diagnosed) -> list[Footnote]:
    """The notes of the diagnoses, on their own numbers alone."""
    return [
        Footnote(f"{one.run}: {note}", frozenset({(one.run, None, None)}), marked=False, only=metric_of(one.kind))
        for one in found.shown
        for note in one.notes
    ]


def drawn_by(run: StoredRun, label: str = "") -> str:
    """The run by its label, or else its name, its model, the engine and the sampling settings in one line."""
    sampling = run.manifest.get("config", {}).get("sampling", {})
    settings = "".join(f", {name} {value:g}" for name, value in sampling.items() if isinstance(value, int | float))
    settings += " (where not given, as the checkpoint asks for)" if sampling.get("source") == "model" else ""
    drawn = f"drawn by {describe_engine(run)}" if run.imported is None else f"imported from {run.manifest['engine']['version']}"
    asked = "".join(f", {told}" for told in _thinking_settings(run))
    return f"{label or run.name}: {run.model}, {drawn}; {count_noun(run.n_samples, 'sample')} per question{settings}{asked}"


def _thinking_settings(run: StoredRun) -> list[str]:
    """The settings of thinking that are not the default, which decide what a budget means."""
    protocol: Mapping[str, Any] = run.manifest.get("protocol", {})
    section, prompt = protocol.get("thinking", {}), protocol.get("prompt", {})
    closing = section.get("closing", {})
    told = [f"closing {key} {closing[key]!r}" for key in ("before", "after") if closing.get(key)]
    told += ["closed without the delimiter"] if closing.get("delimiter") is False else []
    told += [f"cut at a line's end within {section['grace']} tokens"] if section.get("cut") == "newline" else []
    told += [f"at least {section['min_tokens']} thinking tokens"] if section.get("min_tokens") else []
    told += [f"{count_noun(section['extensions'], 'end')} of thinking withheld"] if section.get("extensions") else []
    told += ["budgets enforced by the engine"] if section.get("capped_by") == "engine" else []
    told += [f"effort {prompt['effort']}"] if prompt.get("effort") else []
    total = protocol.get("max_total_tokens")
    return told + ([f"at most {total} tokens in all"] if total else [])
