"""Regrading: the stored answers graded anew by the installed grader, without an engine; the old verdicts are kept."""
