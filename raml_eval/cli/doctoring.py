"""`raml-eval doctor`: what this machine can run, and why not."""

from __future__ import annotations

from typing import Annotated

import typer

from raml_eval.cli.options import Place, Places, Text, Texts, place_option
from raml_eval.exits import ExitCode


def doctor(
    preset: Annotated[Text, typer.Argument(help="A preset, as for `run`.")] = None,
    config: Annotated[Place, place_option("YAML file with a run configuration.")] = None,
    model: Annotated[Text, typer.Option(help="Checkpoint folder or hub id; the hub is not asked for it.")] = None,
    revision: Annotated[Text, typer.Option(help="Revision of a hub model.")] = None,
    backend: Annotated[Text, typer.Option(help="vllm, hf, ray, openai_server or fake.")] = None,
    adapter: Annotated[Text, typer.Option(metavar="<path>", help="LoRA adapter on top of --model.")] = None,
    base_url: Annotated[Text, typer.Option(help="Addresses of completion servers; they are not asked.")] = None,
    backend_arg: Annotated[Texts, typer.Option(metavar="<key=value>", help="An argument of the engine; repeatable.")] = None,
    thinking_format: Annotated[Text, typer.Option(help="A thinking format; detected if not given.")] = None,
    prompt: Annotated[Text, typer.Option(help="chat or plain.")] = None,
    tasks: Annotated[Text, typer.Option(help="Tasks and suites; their data is not loaded.")] = None,
    task_path: Annotated[Places, place_option("Folder with more tasks; its Python is run.", "<folder>")] = None,
    data_dir: Annotated[Place, place_option("Folder with the data sets.", "<folder>")] = None,
    set_: Annotated[Texts, typer.Option("--set", metavar="<a.b=value>", help="Any other setting of a run; repeatable.")] = None,
    out: Annotated[Place, place_option("Run directory; its disk is looked at.")] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds that an import may take.", min=0.1)] = 8.0,
) -> None:
    """What can run on this machine, and why not.

    Shows what is installed and what a run would use. Exit code 2 if the asked run could not start.
    """
    import json

    from raml_eval import config as configs
    from raml_eval.backends import check_name
    from raml_eval.doctor import Asked, examine
    from raml_eval.errors import ConfigError
    from raml_eval.servers import check_settings

    given = {name: value for name, value in locals().items() if name in configs.FLAGS and value is not None}
    given |= {name: str(given[name]) for name in ("out", "data_dir") if name in given}
    given |= {"task_path": list(map(str, task_path))} if task_path else {}
    layers = [
        configs.load_preset(preset) if preset else {},
        configs.load_yaml(config) if config else {},
        configs.flags_layer(**given),
        {"backend_args": configs.parse_backend_args(backend_arg or [])} if backend_arg else {},
        *map(configs.parse_set, set_ or []),
    ]
    settings = configs.merge(layers)
    asked = Asked()
    if settings.keys() - {"out"}:
        fillers = {"model": "pocket", "tasks": "pocket"}  # a run needs both, and this question may leave them out
        problem = ""
        try:
            check_name(str(settings.get("backend", "vllm")))
            check_settings(configs.build_config([fillers, settings]))
        except ConfigError as error:
            problem = str(error)
        asked = Asked(
            {**fillers, **settings} if "model" in settings else settings,
            str(settings.get("backend", "vllm")),
            problem,
            "tasks" in settings,
        )
    elif settings:
        asked = Asked(settings)
    found = examine(asked, timeout)
    if json_:
        print(json.dumps(found.fields(), indent=2))
    else:
        from raml_eval.doctor.text import render_findings

        print(render_findings(found))
    raise typer.Exit(ExitCode.DONE if found.could_start else ExitCode.UNUSABLE)
