"""`raml-eval regrade`, `audit`, `show` and `judge`: a second look at the verdicts of a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.ending import stopping
from raml_eval.cli.options import Count, Number, Places, Text, Texts, place_option
from raml_eval.exits import ExitCode
from raml_eval.wording import count_noun, one_line


def regrade(
    runs: Annotated[list[Path], typer.Argument(help="Run directories.")],
    grader_version: Annotated[Text, typer.Option(help="Refuse to grade if the installed grader has another version.")] = None,
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Only this task; repeatable.")] = None,
    workers: Annotated[Count, typer.Option(min=1, help="Grading processes; one per core if not given.")] = None,
    timeout: Annotated[Number, typer.Option(min=0.1, help="Seconds per comparison; the run's own if not given.")] = None,
    allow_unsafe_code: Annotated[bool, typer.Option(help="Run programs unprotected if no sandbox works.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Say what would change, and write nothing.")] = False,
    format: Annotated[str, typer.Option(help="terminal, markdown or json.")] = "terminal",
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
) -> None:
    """Grade the stored answers again; old verdicts are kept. Exit code 4 if samples could not be graded."""
    from raml_eval.regrade.regrading import regrade_run
    from raml_eval.reporting.listing import check_format
    from raml_eval.reporting.regraded import render_regrading

    check_format(format)
    failed = 0
    for run in runs:
        with stopping(f"{run} is as it was"):
            done = regrade_run(
                run,
                grader_version=grader_version,
                tasks=task or (),
                workers=workers,
                timeout_s=timeout,
                allow_unsafe_code=allow_unsafe_code,
                dry_run=dry_run,
                quiet=quiet,
            )
        _print(render_regrading(done, format))
        failed += len(done.failed)
    if failed:
        keep = "keeps its verdict" if failed == 1 else "keep their verdicts"
        print(f"{count_noun(failed, 'sample')} could not be graded and {keep}", file=sys.stderr)
        raise typer.Exit(ExitCode.OWED)


def audit(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    against: Annotated[Places, place_option("Run directory whose majorities are compared; repeatable.", "<folder>")] = None,
    format: Annotated[str, typer.Option(help="terminal, markdown or json.")] = "terminal",
    limit: Annotated[Count, typer.Option(min=1, help="Findings shown; 20, and all in json, if not given.")] = None,
) -> None:
    """Likely errors of the grader, the most suspicious first."""
    from raml_eval.answer_classes import with_classes
    from raml_eval.reporting.audit import audit_run, render_audit
    from raml_eval.reporting.listing import check_format
    from raml_eval.store import read_run

    check_format(format)
    runs = [with_classes(read_run(path, drawn=False)) for path in (run, *(against or ()))]
    _print(render_audit(audit_run(runs[0], runs[1:]), format, limit))


def show(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    task: Annotated[str, typer.Option(help="The question's task.")],
    question: Annotated[str, typer.Option(help="The question's id, or the number of its row.")],
    sample: Annotated[Count, typer.Option(help="This sample alone.")] = None,
    budget: Annotated[Text, typer.Option(help="This budget alone: tokens, unlimited or off.")] = None,
    full: Annotated[bool, typer.Option(help="Show every text in full.")] = False,
) -> None:
    """One question with its samples and their verdicts.

    A sample's thinking, answer, extracted answer, what decided, and all verdicts so far.
    """
    from raml_eval.reporting.show import show_question
    from raml_eval.store import read_run

    _print(show_question(read_run(run, drawn=False), task, question, sample, budget, full))


def judge(
    run: Annotated[Path, typer.Argument(help="Run directory.")],
    endpoint: Annotated[
        str, typer.Option(help="Base address of an OpenAI-compatible server, such as http://localhost:8000/v1.")
    ],
    model: Annotated[str, typer.Option(help="The judge model's name on that server.")],
    api_key_env: Annotated[Text, typer.Option(help="Environment variable that holds the API key.")] = None,
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Only this task; repeatable.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Requests at a time.")] = 8,
    max_asked: Annotated[
        Count, typer.Option("--max", min=1, help="At most this many; the most frequent answers first.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for one request.")] = 60.0,
    retry_unavailable: Annotated[bool, typer.Option(help="Ask again if a reply could not be read.")] = False,
    format: Annotated[str, typer.Option(help="terminal, markdown or json.")] = "terminal",
    quiet: Annotated[bool, typer.Option(help="No progress.")] = False,
) -> None:
    """A model's second opinion on rejected answers.

    It is kept beside the verdicts. Exit code 4 if requests failed.
    """
    from raml_eval.endpoint import read_key
    from raml_eval.judge.client import ChatClient
    from raml_eval.judge.judging import judge_run
    from raml_eval.reporting.judged import render_judging
    from raml_eval.reporting.listing import check_format

    check_format(format)
    client = ChatClient(endpoint, model, read_key(api_key_env), timeout_s=timeout)
    with stopping("judgements so far are stored, and the same command continues from there"):
        done = judge_run(
            run,
            client,
            tasks=task or (),
            workers=workers,
            max_asked=max_asked,
            retry_unavailable=retry_unavailable,
            quiet=quiet,
        )
    _print(render_judging(done, format))
    if done.n_failed:
        told = f"{count_noun(done.n_failed, 'request')} failed, the last with: {done.last_failure}"
        print(f"{one_line(told)}. Fix the cause, and run the same command again to retry them", file=sys.stderr)
        raise typer.Exit(ExitCode.OWED)


def _print(text: str) -> None:
    """The text is printed. Characters that the terminal's encoding lacks are printed as escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))
