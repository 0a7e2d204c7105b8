"""A gate's outcome as the body of a comment, short, that a bot can find again and update in place."""

from __future__ import annotations

import re

from raml_eval.comparison import Comparison, GateResult
from raml_eval.reporting.compare import render_comparison
from raml_eval.reporting.gate import advice, compact_table
from raml_eval.reporting.render import FORMATS, escape_markdown
from raml_eval.types import StoredRun

MOST = 60_000  # characters; GitHub takes 65,536 in a comment, GitLab a million
_CALL = re.compile(r"(?<![A-Za-z0-9])@(?=[A-Za-z0-9])")


def marker(name: str) -> str:
    """The first line of every comment of the gate of that name, by which a bot finds the one to update. It is not shown."""
    return f"<!-- raml-eval gate: {name} -->"


def render_comment(comparison: Comparison, gate: GateResult, base: StoredRun, new: StoredRun) -> str:
    """The comment as Markdown: the marker, the outcome, the gate's table, what to do, and the comparison folded in.

    The comparison is left out if the comment would be longer than a comment may be.
    """
    told = [f"- {mute(escape_markdown(line))}" for line in advice(gate, advisory=False)]
    told = told or ["Every blocking cell passed, so there is nothing to do."]
    table = mute(FORMATS["markdown"].table(compact_table(gate)))
    short = [
        marker(gate.name),
        f"### {mute(escape_markdown(gate.headline))}",
        mute(escape_markdown(f"{comparison.new} against {comparison.base}: {comparison.verdict} at the primary endpoint")),
        table,
        "\n".join(told),
    ]
    whole = mute(render_comparison(comparison, base, new, "markdown"))
    folded = f"<details><summary>The whole comparison</summary>\n\n{whole.rstrip()}\n\n</details>"
    body = "\n\n".join([*short, folded])
    if len(body) > MOST:
        body = "\n\n".join([*short, "The whole comparison is too long for a comment; comparison.md holds it."])
    return body[:MOST] + "\n"


def mute(text: str) -> str:
    """The Markdown, where a name such as @someone is shown but calls nobody.

    Example: mute("avg@n of @all") == "avg@n of @<!-- -->all"
    """
    return _CALL.sub("@<!-- -->", text)
