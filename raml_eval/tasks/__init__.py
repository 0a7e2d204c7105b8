"""Tasks: the catalogue of YAML files, loading through lm-eval, and the checks. Importing this package loads nothing heavy."""
