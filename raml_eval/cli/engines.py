"""What the diagnoses with an engine share as commands: the settings of the engine, and how a scored diagnosis ends."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer

from raml_eval.exits import ExitCode
from raml_eval.wording import count_noun, one_line

_NAMED = 20  # errors that are named on stderr


def engine_changes(model: str | None, backend: str | None, backend_arg: Sequence[str] | None) -> dict[str, Any]:
    """The given options, as settings that replace the run's own. Raises ConfigError for an argument without a value."""
    from raml_eval.config import parse_backend_args

    given = {"model": model, "backend": backend, "backend_args": parse_backend_args(backend_arg or ())}
    return {name: value for name, value in given.items() if value}


def tell_left(skipped: Mapping[str, Sequence[str]], errors: Mapping[str, str], noun: str) -> None:
    """Notes on stderr name what was left out, by reason, and what failed. Ends with exit code 4 if something failed."""
    for reason, keys in skipped.items():
        named = ", ".join(keys[:5]) + (" ..." if len(keys) > 5 else "")
        print(one_line(f"note: left out, {reason}: {len(keys):,} ({named})"), file=sys.stderr)
    if errors:
        for name, error in list(errors.items())[:_NAMED]:
            print(one_line(f"note: {name} failed: {error}"), file=sys.stderr)
        failed = count_noun(len(errors), noun)
        print(f"{failed} failed and are owed; run the same command again to retry", file=sys.stderr)
        raise typer.Exit(ExitCode.OWED)
