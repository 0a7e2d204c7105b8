"""`python -m raml_eval` is `raml-eval`."""

from raml_eval.cli import main

main()
