"""`raml-eval power` and `noise`: what a comparison could find, and what a mean's uncertainty is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from raml_eval.cli.options import TRUST, Count, Place, Places, Text, Texts, place_option
from raml_eval.cli.results import format_of, write_text


def power(
    tasks: Annotated[Texts, typer.Argument(help="Tasks or suites; those of --base if not given.")] = None,
    samples: Annotated[Count, typer.Option(help="Samples per question; those of --base if not given, otherwise 8.")] = None,
    base: Annotated[Place, place_option("Stored run that gives questions, clusters and noise.")] = None,
    assume: Annotated[
        Text, typer.Option(help="Distribution of success over questions, such as beta:2,2, in place of the noise of --base.")
    ] = None,
    questions: Annotated[Count, typer.Option(help="Questions per task, without --base.")] = None,
    metric: Annotated[Text, typer.Option(help="Metric; the suite's primary one if not given, otherwise avg@n.")] = None,
    budget: Annotated[Text, typer.Option(help="Thinking budget of --base; the suite's primary one if not given.")] = None,
    difference: Annotated[float, typer.Option(help="Difference that should be found, in points.")] = 2.0,
    spread: Annotated[
        float, typer.Option(help="Standard deviation of the questions' true differences, in points; 0 is optimistic.")
    ] = 0.0,
    level: Annotated[float, typer.Option(help="Level of the whole comparison.")] = 0.95,
    power: Annotated[float, typer.Option(help="Chance with which the difference should be found.")] = 0.8,
    task_path: Annotated[Places, place_option("Folder with more tasks.", "<folder>")] = None,
    trust_tasks: Annotated[bool, typer.Option("--trust-tasks", help=TRUST)] = False,
    format: Annotated[
        Text, typer.Option(help="terminal, markdown or json; if not given, by the ending of --out (.md, .json, .txt).")
    ] = None,
    out: Annotated[Place, place_option("File to write; standard output if not given.")] = None,
) -> None:
    """What a comparison could find, and what it takes."""
    from raml_eval.comparison.planned import Wanted, check_wanted, plan_comparison
    from raml_eval.comparison.power import power_rows
    from raml_eval.reporting.power import render_power
    from raml_eval.tables import load_run, parse_measure

    wanted = Wanted(difference / 100, spread / 100, level, power)
    check_wanted(wanted)
    run = load_run(base) if base else None
    if metric and run is not None:
        metric = parse_measure(metric, {run.n_samples}).name
    planned = plan_comparison(
        tasks or [],
        base=run,
        assume=assume,
        n=samples,
        n_questions=questions,
        metric=metric,
        budget=budget,
        task_path=task_path or (),
        trust_tasks=trust_tasks,
    )
    text = render_power(power_rows(planned, wanted), planned, wanted, format or format_of(out), run)
    print(text if out is None else write_text(out, text))


def noise(
    runs: Annotated[list[Path], typer.Argument(help="One run, or the runs of several checkpoints whose steps are known.")],
    metric: Annotated[
        Texts,
        typer.Option(
            metavar="<metric>",
            help="Metric; avg@n, those of the runs' k, and thinking tokens if not given. Repeatable, or by comma.",
        ),
    ] = None,
    task: Annotated[Texts, typer.Option(metavar="<task>", help="Task; all, and their means, if not given. Repeatable.")] = None,
    budget: Annotated[
        Texts, typer.Option(metavar="<budget>", help="Thinking budget; the primary one if not given. Repeatable.")
    ] = None,
    all_budgets: Annotated[bool, typer.Option("--all", help="Show every budget.")] = False,
    allow_different: Annotated[
        Texts, typer.Option(metavar="<key>", help="A protocol key that may differ between the runs; repeatable.")
    ] = None,
    format: Annotated[
        Text,
        typer.Option(help="terminal, markdown, csv or json; if not given, by the ending of --out."),
    ] = None,
    out: Annotated[Place, place_option("File to write; standard output if not given.")] = None,
    allow_partial: Annotated[bool, typer.Option(help="Split a single run that is not finished; the notes say so.")] = False,
) -> None:
    """What error bars are made of, and checkpoints' noise."""
    from raml_eval.comparison.noise import choose_places, default_measures, noise_between, noise_of_run, sort_by_step
    from raml_eval.errors import ConfigError
    from raml_eval.reporting.noise import render_noise
    from raml_eval.tables import load_run, parse_measure, run_labels

    if budget and all_budgets:
        raise ConfigError(f"--budget {budget[0]} and --all are both given. Leave one out.")
    loaded = [load_run(path) for path in runs]
    several = len(loaded) > 1
    ordered = sort_by_step(loaded) if several else loaded
    counts = {run.n_samples for run in loaded}
    named = [parse_measure(name.strip(), counts) for text in metric or () for name in text.split(",")]
    measures = list(dict.fromkeys(named)) or default_measures(ordered)
    chosen = choose_places(ordered, task or (), budget or (), all_budgets)
    labels = run_labels(ordered)
    rows = [
        row
        for run, label in zip(ordered, labels, strict=True)
        for row in noise_of_run(run, measures, label, allow_partial and not several, chosen)
    ]
    rows += noise_between(ordered, measures, allow_different or (), chosen) if several else []
    text = render_noise(rows, ordered, format or format_of(out))
    print(text if out is None else write_text(out, text))
