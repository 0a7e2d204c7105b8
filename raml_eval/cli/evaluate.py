"""`raml-eval run`: draws, grades and stores samples, and prints a table."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from raml_eval.cli.ending import stopping
from raml_eval.cli.many import GOES_ON, print_report, run_many
from raml_eval.cli.options import TRUST, Count, Number, Place, Places, Text, Texts, place_option
from raml_eval.exits import ExitCode

if TYPE_CHECKING:
    from raml_eval.looks import Until


def run(
    preset: Annotated[Text, typer.Argument(help="A preset: pocket, raml-paper, raml-repo.")] = None,
    config: Annotated[Place, place_option("YAML file with a run configuration.")] = None,
    model: Annotated[
        Texts,
        typer.Option(metavar="<model>", help="Checkpoint folder or hub id; 'pocket' ships with the package. Repeatable."),
    ] = None,
    revision: Annotated[Text, typer.Option(help="Revision of a hub model.")] = None,
    checkpoints: Annotated[Place, place_option("Folder of a training: a run for each checkpoint in it.", "<folder>")] = None,
    steps: Annotated[Text, typer.Option(help="Which of --checkpoints: 500:4000:500, both ends count, or 500,1000.")] = None,
    adapter: Annotated[Places, place_option("Folder of a LoRA adapter on the model; repeatable.", "<folder>")] = None,
    backend: Annotated[Text, typer.Option(help="vllm (the default), hf, openai_server, ray or fake.")] = None,
    backend_arg: Annotated[Texts, typer.Option(metavar="<key=value>", help="An argument of the engine; repeatable.")] = None,
    base_url: Annotated[
        Texts, typer.Option(metavar="<url>", help="A server of openai_server, such as http://localhost:8000/v1; repeatable.")
    ] = None,
    api_key_env: Annotated[Text, typer.Option(help="Environment variable that holds the servers' API key.")] = None,
    tasks: Annotated[Text, typer.Option(help="Tasks and suites, separated by commas.")] = None,
    task_path: Annotated[Places, place_option("Folder with more tasks.", "<folder>")] = None,
    trust_tasks: Annotated[bool | None, typer.Option("--trust-tasks", help=TRUST)] = None,
    data_dir: Annotated[
        Place, place_option("Folder with the data sets, OWNER/NAME each, in place of a hub.", "<folder>")
    ] = None,
    samples: Annotated[Count, typer.Option(help="Draws per question, n; 1 if not given.")] = None,
    thinking_budget: Annotated[
        Text,
        typer.Option(
            help="Tokens, 'unlimited' (the default) or 'off'; a comma-separated list sweeps. log:256:32768:8, lin:0:1024:5, "
            "frac:0.5,1, effort:low and hint:512 work too."
        ),
    ] = None,
    closing: Annotated[
        Text,
        typer.Option(help="What a bound budget writes: a closing of the format, bare (no text), raml-paper, raml-no-think."),
    ] = None,
    closing_text: Annotated[Text, typer.Option(help="Written before the end delimiter when the budget binds.")] = None,
    thinking_format: Annotated[
        Text, typer.Option(help="A thinking format or a YAML file of one; detected if not given.")
    ] = None,
    effort: Annotated[
        Text, typer.Option(help="A hint that the chat template takes, such as low, at every budget (effort:low is a budget).")
    ] = None,
    cut: Annotated[Text, typer.Option(help="exact (the default), or newline: at the end of the line, within --grace.")] = None,
    grace: Annotated[Count, typer.Option(help="Tokens past the budget that --cut newline allows; 500 if not given.")] = None,
    min_thinking_tokens: Annotated[Count, typer.Option(help="An end of thinking before this many tokens is withheld.")] = None,
    extensions: Annotated[Count, typer.Option(help="Withhold the end of thinking this many times.")] = None,
    continuation: Annotated[Text, typer.Option(help="Written in place of a withheld end; 'Wait' if not given.")] = None,
    capped_by: Annotated[
        Text, typer.Option(help="harness, the default; or engine: vLLM's own budget, if it holds in a test before the run.")
    ] = None,
    format: Annotated[Text, typer.Option(hidden=True)] = None,
    answer_tokens: Annotated[Count, typer.Option(help="Token allowance of the answer; 2048 if not given.")] = None,
    max_total_tokens: Annotated[Count, typer.Option(help="Cap on thinking and answer together.")] = None,
    temperature: Annotated[Number, typer.Option(help="0 is greedy; 0.6 if not given.")] = None,
    top_p: Annotated[Number, typer.Option(help="1 is off; 0.95 if not given.")] = None,
    top_k: Annotated[Count, typer.Option(help="0, the default, is off.")] = None,
    min_p: Annotated[
        Number, typer.Option(help="Least share of the likeliest token's probability; 0, the default, is off.")
    ] = None,
    repetition_penalty: Annotated[Number, typer.Option(help="1, the default, is off.")] = None,
    sampling: Annotated[
        Text, typer.Option(help="model: what is not given is as the checkpoint's generation_config says.")
    ] = None,
    system_prompt: Annotated[Text, typer.Option(help="A system message before every question.")] = None,
    prompt: Annotated[Text, typer.Option(help="chat (the default), or plain: as text, for a base model.")] = None,
    prompt_date: Annotated[
        Text, typer.Option(help="The date that a chat template prints, YYYY-MM-DD; today's if not given.")
    ] = None,
    seed: Annotated[Count, typer.Option(help="Run seed; 0 if not given.")] = None,
    limit: Annotated[Count, typer.Option(help="At most this many questions per task, a nested subset.")] = None,
    shard: Annotated[
        Text,
        typer.Option(
            metavar="<i/n>",
            help="Only part i of n of the questions, such as 2/8, in OUT-shard-2-of-8; auto or auto/8: as Slurm or Kubernetes "
            "says. `raml-eval merge` joins the parts.",
        ),
    ] = None,
    after: Annotated[Text, typer.Option(help="Only questions from this day or month on, such as 2025-06.")] = None,
    before: Annotated[Text, typer.Option(help="Only questions from before this day or month.")] = None,
    k: Annotated[Text, typer.Option(help="The k of pass@k and related metrics, by comma; n if not given.")] = None,
    concurrency: Annotated[Count, typer.Option(help="Samples in flight.")] = None,
    allow_unsafe_code: Annotated[
        bool | None, typer.Option("--allow-unsafe-code", help="Run programs that a model wrote without a sandbox.")
    ] = None,
    set_: Annotated[Texts, typer.Option("--set", metavar="<a.b=value>", help="Overrides everything else; repeatable.")] = None,
    out: Annotated[Place, place_option("Run directory; an existing one is resumed or extended.")] = None,
    until_decided: Annotated[
        Place, place_option("Draw batches of questions until --gate is decided against this run.", "<base run>")
    ] = None,
    gate: Annotated[Place, place_option("YAML file of the rules that --until-decided applies.")] = None,
    looks: Annotated[Count, typer.Option(help="How often at most --until-decided compares the runs; 6 if not given.")] = None,
    dry_run: Annotated[bool, typer.Option(help="Load, render and check everything, but draw from a fake engine.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="Tell every ten seconds what is right so far, which favours short answers.")
    ] = False,
    quiet: Annotated[bool, typer.Option(help="No progress and no table.")] = False,
) -> None:
    """Draw, grade and store samples, then print a table. Exit code 4 if samples are owed; with --gate, 1 and 3 are its own."""
    settings = read_settings(locals())
    from raml_eval import matrix
    from raml_eval.api import run_config
    from raml_eval.wording import one_line

    if matrix.is_matrix(settings):
        unfit = {"--until-decided": until_decided, "--dry-run": dry_run or None, "--live": live or None}
        run_many(settings, quiet, unfit)
        return
    until = _open_until(until_decided, gate, looks)
    with stopping(GOES_ON):
        finished = run_config(matrix.one_run(settings), quiet=quiet, dry_run=dry_run, until=until, live=live)
    if dry_run:
        print(finished.summary)
        return
    if not quiet:
        print_report([finished.run])
        print(finished.summary)
    for failure in finished.failures:
        print(f"note: {one_line(failure)}", file=sys.stderr)
    if finished.n_owed:
        owed = "1 sample failed and is" if finished.n_owed == 1 else f"{finished.n_owed} samples failed and are"
        print(f"{owed} owed; run the same command again to retry.", file=sys.stderr)
        raise typer.Exit(ExitCode.OWED)
    if finished.exit_code:
        raise typer.Exit(finished.exit_code)


def read_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """The merged settings of the preset, the file and the options, for raml_eval.matrix. given has an entry for each option."""
    from raml_eval import config as configs
    from raml_eval.errors import ConfigError
    from raml_eval.matrix import merge_layers

    preset, config, format = given["preset"], given["config"], given["format"]
    if format is not None:
        raise ConfigError(
            f"run has no --format {format}; it has --thinking-format for the texts around thinking. Pass --thinking-format "
            f"{format}, or run `raml-eval report --format` afterwards for another form of the table."
        )
    layers = [
        {"out": f"runs/{preset or (config.stem if config else '')}"} if preset or config else {},
        configs.load_preset(preset) if preset else {},
        configs.load_yaml(config) if config else {},
        {"checkpoints": given["checkpoints"], "steps": given["steps"]},
        configs.flags_layer(**{name: value for name, value in given.items() if name in configs.FLAGS and value is not None}),
        {"backend_args": configs.parse_backend_args(given["backend_arg"] or [])},
        *map(configs.parse_set, given["set_"] or []),
    ]
    return merge_layers(layers)


def _open_until(base: Path | None, gate: Path | None, looks: int | None) -> Until | None:
    """What the run is drawn for; None if it is drawn whole. Raises ConfigError if one option lacks another."""
    from raml_eval.errors import ConfigError
    from raml_eval.until import open_until

    if base is None and (gate is not None or looks is not None):
        given = f"--gate {gate}" if gate is not None else f"--looks {looks}"
        raise ConfigError(f"{given} has no effect on `run` without --until-decided BASE. Add that, or leave it out.")
    if base is not None and gate is None:
        raise ConfigError(f"--until-decided {base} needs the rules to decide by. Add --gate FILE.")
    return open_until(base, gate, looks) if base is not None and gate is not None else None
