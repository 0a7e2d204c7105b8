"""Answers that a verifier scores: a rule in a sandbox, instead of a comparison with a gold."""
