"""Solutions of house puzzles."""
