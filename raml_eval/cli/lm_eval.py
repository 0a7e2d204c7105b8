"""`raml-eval lm-eval`: stock lm-eval's command line, with this package's engines as the model raml."""

from __future__ import annotations

import typer

# Everything behind the command's name is lm-eval's own.
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def lm_eval(context: typer.Context) -> None:
    """Run lm-eval's own command line with --model raml."""
    from raml_eval.lm_eval_model import run_lm_eval

    run_lm_eval(context.args)
