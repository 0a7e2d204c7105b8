"""The run directory: everything a run drew, kept so that a kill loses nothing (docs/run-directory.md)."""

from raml_eval.store.directory import RunDirectory, read_run
from raml_eval.store.lines import pack_ids, sample_line, unpack_ids
from raml_eval.store.manifest import check_protocol, grow_plan, protocol_digest

__all__ = [
    "RunDirectory",
    "check_protocol",
    "grow_plan",
    "pack_ids",
    "protocol_digest",
    "read_run",
    "sample_line",
    "unpack_ids",
]
