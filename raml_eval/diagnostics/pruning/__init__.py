"""Answers drawn anew from a shortened thinking: by rules, or as a summary by another model (figure 11 of the RaML paper)."""
