"""`raml-eval formats`: lists and shows thinking formats, and detects the one of a model."""

from __future__ import annotations

from typing import Annotated

import typer

from raml_eval.cli.options import Text

app = typer.Typer(rich_markup_mode=None, help="How models mark their thinking.", no_args_is_help=True)


@app.command("list")
def formats_list() -> None:
    """Every thinking format, and the model families that have it."""
    from raml_eval.thinking_formats import known_formats

    width = max(map(len, known_formats()))
    for name, fmt in known_formats().items():
        by_name = " (only by name)" if fmt.by_name_only else ""
        print(f"{name:<{width}}  {fmt.about}{by_name}")
        print(f"{'':<{width}}  {', '.join(fmt.families)}")


@app.command("show")
def formats_show(name: str) -> None:
    """The record of a thinking format as YAML, to use or to change with --thinking-format FILE."""
    import yaml

    from raml_eval.thinking_formats import find_format, to_record

    class Dumper(yaml.SafeDumper):
        """Writes texts with line breaks in one line, with escapes, so that each of them can be seen."""

    def represent(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if "\n" in text or "<" in text else None)

    Dumper.add_representer(str, represent)
    record = to_record(find_format(name))
    print(yaml.dump(record, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1000, default_flow_style=None), end="")


@app.command("detect")
def formats_detect(
    model: Annotated[str, typer.Argument(help="Checkpoint folder or hub id.")],
    revision: Annotated[Text, typer.Option(help="Revision of a hub model.")] = None,
    thinking_format: Annotated[Text, typer.Option(help="Check this format instead of detecting one.")] = None,
    system_prompt: Annotated[Text, typer.Option(help="A system message, to see where the template puts it.")] = None,
) -> None:
    """The thinking format of a model, the evidence for it, and its prompts with thinking on and off."""
    from raml_eval.inspection import inspect_format

    for line in inspect_format(model, revision, thinking_format, system_prompt):
        print(line)
