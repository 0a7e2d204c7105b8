"""Regrading: the installed grader grades the stored answers again, without an engine. The old verdicts are kept."""
