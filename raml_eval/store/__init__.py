"""The run directory: everything that a run drew, stored so that a kill loses nothing (docs/run-directory.md)."""

from raml_eval.store.directory import RunDirectory, read_run
from raml_eval.store.lines import pack_ids, read_suite, sample_line, unpack_ids
from raml_eval.store.manifest_file import check_prompts, check_protocol, check_resumable, check_shard, read_manifest

__all__ = [
    "RunDirectory",
    "check_prompts",
    "check_protocol",
    "check_resumable",
    "check_shard",
    "pack_ids",
    "read_manifest",
    "read_run",
    "read_suite",
    "sample_line",
    "unpack_ids",
]
