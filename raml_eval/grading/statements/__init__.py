"""Statements such as "the answer is C": where a text makes them, and which one it settles on."""
