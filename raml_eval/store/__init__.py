"""The run directory: everything a run drew, kept so that a kill loses nothing (docs/run-directory.md)."""

from raml_eval.store.directory import RunDirectory, read_run
from raml_eval.store.lines import SCHEMA_VERSION, pack_ids, sample_line, unpack_ids
from raml_eval.store.manifest import check_protocol, check_resumable, grow_plan, protocol_digest, read_manifest

__all__ = [
    "SCHEMA_VERSION",
    "RunDirectory",
    "check_protocol",
    "check_resumable",
    "grow_plan",
    "pack_ids",
    "protocol_digest",
    "read_manifest",
    "read_run",
    "sample_line",
    "unpack_ids",
]
