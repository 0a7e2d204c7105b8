"""Leaderboards in a repository: a folder with board.yaml, and one JSON entry for each model."""
