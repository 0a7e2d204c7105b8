"""`raml-eval compare`: is one run better than another, and may it pass a gate?"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raml_eval.cli.options import Number, Place, Places, Text, Texts, place_option
from raml_eval.cli.results import append_summary, is_summary, write_text
from raml_eval.exits import ExitCode
from raml_eval.wording import one_line

if TYPE_CHECKING:
    from raml_eval.comparison import Comparison
    from raml_eval.gate_file import GateFile
    from raml_eval.reporting.gated import Compared, Refused


def compare(
    base: Annotated[Path, typer.Argument(help="Run directory to compare against.")],
    new: Annotated[Path, typer.Argument(help="Run directory that may be better or worse.")],
    gate: Annotated[
        Place, place_option("YAML file of a gate (docs/comparing.md). Its outcome alone then decides the exit code.")
    ] = None,
    metric: Annotated[
        Text,
        typer.Option(
            help="The primary metric: avg@n, pass@K, g_pass@K:TAU, mg_pass@K, mg_pass_normalized@K, maj@K, partial_score, or a "
            "rate such as unfinished_rate; the gate's or the suite's if not given, otherwise avg@n."
        ),
    ] = None,
    budget: Annotated[
        Text,
        typer.Option(
            help="The primary thinking budget; the gate's or the suite's if not given, otherwise unlimited or the largest."
        ),
    ] = None,
    margin: Annotated[
        Number,
        typer.Option(
            help="Differences within this many points are equivalent; 2 if not given. A gate has its own in its file."
        ),
    ] = None,
    level: Annotated[
        Number, typer.Option(help="Level of the whole comparison; 0.95 if not given. A gate has its own in its file.")
    ] = None,
    allow_different: Annotated[
        Texts, typer.Option(metavar="<key>", help="A protocol key that may differ, such as sampling.top_p; repeatable.")
    ] = None,
    format: Annotated[
        Text,
        typer.Option(
            help="terminal, markdown, latex or json; with a gate also junit, badge, badge-json and comment. If not given, by "
            "the ending of --out."
        ),
    ] = None,
    out: Annotated[
        Places,
        place_option(
            "File to write, by its ending: .md, .txt, .tex, .json, with a gate .xml (JUnit) and .svg (badge); or a folder for "
            "all of them, with --format for one. Repeatable; standard output if not given."
        ),
    ] = None,
    plot: Annotated[Place, place_option("Folder that the figures are drawn into, as PNG and SVG.", "<folder>")] = None,
    full: Annotated[bool, typer.Option("--full", help="Show single tasks at the other budgets on a terminal too.")] = False,
) -> None:
    """Is NEW better than BASE? Paired on shared questions. Exit code 1 if it is worse, or if the gate failed."""
    from raml_eval.errors import ConfigError, RamlError
    from raml_eval.gate_file import find_name, load_gate
    from raml_eval.reporting.gated import Refused, check_format, plan_files

    if gate is not None:
        _check_flags(gate, margin=margin, level=level)
    if format is not None and len(out or []) > 1:
        raise ConfigError(f"--format {format} is for one output, and there are {len(out or [])}. Name each by its ending.")
    shown = check_format(format or "terminal", gate is not None)
    outs = [one for one in out or [] if not is_summary(one)]  # that is added to without being asked
    files = {path: kind for one in outs for path, kind in plan_files(one, gate is not None, format).items()}
    settings = {"metric": metric, "budget": budget, "margin": margin, "level": level, "allow_different": allow_different}
    try:
        done = _compare(base, new, None if gate is None else load_gate(gate), settings, full)
    except RamlError as error:
        if gate is not None:  # also if its file is broken: an older outcome must not be taken for this one
            refused = Refused(find_name(gate), str(error))
            _write(refused, files)
            _summarize(refused)
        raise
    written = _write(done, files)
    if not files:
        print(done.render(shown))
    else:
        print(f"{done.gate.headline}." if done.gate else f"Verdict: {done.comparison.verdict}.")
    for path in [*written, *_draw(done.comparison, plot)]:
        print(path)
    _summarize(done)
    worse = ExitCode.WORSE if done.comparison.regressed else ExitCode.DONE
    raise typer.Exit(worse if done.gate is None else done.gate.exit_code)


def _check_flags(gate: Path, **flags: float | None) -> None:
    """Raises ConfigError for what only the comparison would obey, while the gate's cells go by their file."""
    from raml_eval.errors import ConfigError

    for name, value in flags.items():
        if value is not None:
            raise ConfigError(
                f"--{name} {value:g} would change no cell of the gate, which has its own {name}s. Change them in {gate}, or "
                f"leave --{name} out."
            )


def _compare(base: Path, new: Path, gate: GateFile | None, settings: Mapping[str, Any], full: bool) -> Compared:
    from raml_eval.comparison import compare_gated, compare_runs
    from raml_eval.reporting.gated import Compared
    from raml_eval.tables import load_run, parse_measure

    given = {name: value for name, value in settings.items() if value is not None}
    if "margin" in given:
        given["margin"] /= 100
    runs = load_run(base), load_run(new)
    if "metric" in given:
        given["metric"] = parse_measure(given["metric"], {run.n_samples for run in runs}).name
    if gate is None:
        return Compared(compare_runs(*runs, **given), None, *runs, full)
    return Compared(*compare_gated(*runs, gate, **given), *runs, full)


def _draw(comparison: Comparison, folder: Path | None) -> Iterable[Path]:
    from raml_eval.reporting.compare_plots import plot_comparison

    return plot_comparison(comparison, folder) if folder else ()


def _write(done: Compared | Refused, files: Mapping[Path, str]) -> Iterable[Path]:
    """Every file is written."""
    return [write_text(path, done.render(kind)) for path, kind in files.items()]


def _summarize(done: Compared | Refused) -> None:
    """The summary of a step of GitHub Actions is added to, last; if it cannot be, that is said and changes no exit code."""
    if problem := append_summary(done.render("markdown")):
        print(f"warning: {one_line(problem)}", file=sys.stderr)
