"""Writes stored runs in the formats of other programs (docs/exporting.md)."""
