"""Multiple choice: which letter an answer names."""
