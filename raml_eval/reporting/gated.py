"""Every form in which a comparison with its gate can be written, also if the runs could not be compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from raml_eval.comparison import Comparison, GateResult
from raml_eval.errors import ConfigError, near_names
from raml_eval.reporting import refused
from raml_eval.reporting.badge import render_badge, render_badge_json
from raml_eval.reporting.comment import render_comment
from raml_eval.reporting.compare import COMPARISON_FORMATS, all_notes, render_comparison
from raml_eval.reporting.gate import render_gated
from raml_eval.reporting.junit import render_junit
from raml_eval.types import StoredRun

GATE_FORMATS = ("junit", "badge", "badge-json", "comment")
ENDINGS: Mapping[str, str] = {
    ".md": "markdown",
    ".txt": "terminal",
    ".tex": "latex",
    ".json": "json",
    ".xml": "junit",
    ".svg": "badge",
}
FOLDER: Mapping[str, str] = {
    "comparison.md": "markdown",
    "comparison.json": "json",
    "gate.xml": "junit",
    "badge.svg": "badge",
    "badge.json": "badge-json",
    "comment.md": "comment",
}


@dataclass(frozen=True)
class Compared:
    """Two runs with their comparison, and the outcome of a gate if one was asked for."""

    comparison: Comparison
    gate: GateResult | None
    base: StoredRun
    new: StoredRun
    full: bool = False

    def render(self, format: str) -> str:
        """The text in that format, one of plan_files'. Raises ConfigError for another."""
        check_format(format, self.gate is not None)
        comparison, gate, base, new = self.comparison, self.gate, self.base, self.new
        if gate is None:
            return render_comparison(comparison, base, new, format, full=self.full)
        match format:
            case "junit":
                return render_junit(gate, comparison.base, comparison.new, all_notes(comparison, base, new))
            case "badge":
                return render_badge(gate)
            case "badge-json":
                return render_badge_json(gate)
            case "comment":
                return render_comment(comparison, gate, base, new)
        return render_gated(comparison, gate, base, new, format, full=self.full)


@dataclass(frozen=True)
class Refused:
    """Why two runs could not be compared, or a gate could not be judged, in the forms of a gate's outcome."""

    gate: str
    why: str

    def render(self, format: str) -> str:
        """The text in that format, so that nobody takes an older file for this outcome."""
        check_format(format, True)
        match format:
            case "junit":
                return refused.junit(self.gate, self.why)
            case "badge":
                return refused.badge(self.gate)
            case "badge-json":
                return refused.badge_json(self.gate)
            case "json":
                return json.dumps(refused.values(self.gate, self.why), indent=1, ensure_ascii=False) + "\n"
            case "comment":
                return refused.comment(self.gate, self.why)
        return refused.text(self.gate, self.why, format)


def check_format(format: str, gated: bool) -> str:
    """The format. Raises ConfigError if there is none of that name, or if it shows a gate and none was given."""
    if format in GATE_FORMATS and not gated:
        raise ConfigError(f"format {format} shows the outcome of a gate, and there is none. Give one: --gate gate.yaml.")
    known = (*COMPARISON_FORMATS, *(GATE_FORMATS if gated else ()))
    if format not in known:
        raise ConfigError(f"there is no comparison format {format!r}.{near_names(format, known)} Known: {', '.join(known)}.")
    return format


def plan_files(out: Path, gated: bool, format: str | None = None) -> dict[Path, str]:
    """The files that --out asks for, each with its format: by its ending, or several in a folder.

    A name without an ending that is no file yet, and an existing folder, is a folder. format replaces what the ending says;
    a folder then gets the one file of that format. Raises ConfigError for an ending that is not known, for a format that no
    file of a folder has, and for one that shows a gate if there is none.
    """
    if out.is_dir() or not (out.suffix or (out.exists() and format)):
        named = {out / name: one for name, one in FOLDER.items() if gated or one in COMPARISON_FORMATS}
        chosen = {path: one for path, one in named.items() if format in (None, one)}
        if not chosen:
            check_format(str(format), gated)
            raise ConfigError(
                f"--out {out} is a folder, and none of its files is {format}; wanted {', '.join(named.values())}. Name a "
                f"file, with its ending."
            )
        return chosen
    if format is None and out.suffix not in ENDINGS:
        raise ConfigError(
            f"--out {out} ends in {out.suffix!r}; wanted a folder, or one of {', '.join(ENDINGS)}. Rename it, or name its "
            f"format with --format."
        )
    return {out: check_format(format or ENDINGS[out.suffix], gated)}
