"""What a user reads: tables, curves, comparisons and leaderboards, all made from the tidy frame of raml_eval.tables."""
