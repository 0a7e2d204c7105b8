"""Verifiers, one module each: score(tests, answer) gives the share right in [0, 1] and a line of detail.

They run only inside a sandbox, and import nothing of this package outside raml_eval.sandbox. A module may have prepare(tests),
which runs once before the answers to a question are scored, and loads what all of them need. What score raises says that the
tests are at fault. A verifier must not run the text of an answer as code: the text could then write its own verdict.
"""
