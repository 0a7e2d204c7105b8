"""`raml-eval regrade`, `audit`, `show` and `judge`: the verdicts of a run, looked at again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.options import Count, Number, Places, Text, Texts


def regrade(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    grader_version: Annotated[Text, typer.Option(help="Refuse any other than this version of the installed grader.")] = None,
    task: Annotated[Texts, typer.Option(help="Only this task; repeatable.")] = None,
    workers: Annotated[Count, typer.Option(min=1, help="Grading processes; one a core if not given.")] = None,
    timeout: Annotated[Number, typer.Option(min=0.1, help="Seconds per comparison; the run's own if not given.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Say what would change, and write nothing.")] = False,
    format: Annotated[str, typer.Option(help="terminal, markdown or json.")] = "terminal",
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
) -> None:
    """Grade the stored answers anew; the old verdicts stay in the history. Exit code 1 where samples could not be graded."""
    from raml_eval.regrade.regrading import regrade_run
    from raml_eval.reporting.listing import check_format
    from raml_eval.reporting.regraded import render_regrading

    check_format(format)
    failed = 0
    for run in runs:
        try:
            done = regrade_run(
                run,
                grader_version=grader_version,
                tasks=task or (),
                workers=workers,
                timeout_s=timeout,
                dry_run=dry_run,
                quiet=quiet,
            )
        except KeyboardInterrupt:
            print(f"\ninterrupted; {run} is as it was", file=sys.stderr)
            raise typer.Exit(130) from None
        print(render_regrading(done, format))
        failed += len(done.failed)
    if failed:
        print(f"{failed} samples could not be graded and keep their verdicts", file=sys.stderr)
        raise typer.Exit(1)


def audit(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    against: Annotated[Places, typer.Option(help="Run directory whose majorities are compared; repeatable.")] = None,
    format: Annotated[str, typer.Option(help="terminal, markdown or json.")] = "terminal",
    limit: Annotated[Count, typer.Option(min=1, help="Findings shown; 20, and all in json, if not given.")] = None,
) -> None:
    """Likely errors of the grader, the most suspicious first."""
    from raml_eval.grouping import with_classes
    from raml_eval.reporting.audit import audit_run, render_audit
    from raml_eval.reporting.listing import check_format
    from raml_eval.store import read_run

    check_format(format)
    runs = [with_classes(read_run(path, drawn=False)) for path in (run, *(against or ()))]
    print(render_audit(audit_run(runs[0], runs[1:]), format, limit))
