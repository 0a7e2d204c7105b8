"""Tasks: the catalogue of YAML files, loading through lm-eval, and the checks. Nothing heavy is imported here."""
