"""Programs: the one that an answer gives, and whether it passes its tests."""
