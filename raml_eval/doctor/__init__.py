"""What this machine can run, and why not: packages, engines, GPUs, memory, sandbox, hub, caches, and what a run would use."""

from raml_eval.doctor.findings import Asked, Findings, examine

__all__ = ["Asked", "Findings", "examine"]
