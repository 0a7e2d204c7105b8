"""Joins the shards of a run (`raml-eval run --shard`) into the run that would have been drawn whole."""

from raml_eval.merging.merge import merge_runs

__all__ = ["merge_runs"]
