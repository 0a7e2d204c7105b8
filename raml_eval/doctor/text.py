"""The findings as text for a terminal: problems first, then what a run would use, then what there is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from raml_eval.doctor.findings import Findings, Problem
from raml_eval.doctor.machine import GIB
from raml_eval.wording import count_noun, one_line

WIDTH = 96
_STATES = {True: "ready", False: "no", None: "not tried"}


def render_findings(found: Findings) -> str:
    """The whole answer. Texts of other programs are on one line each, without control characters."""
    lines = [_headline(found)]
    lines += _problems("Problems", found.problems)
    lines += _problems("Worth knowing", found.warnings)
    if found.run:
        lines += ["", "The run would use", *_table(_run_rows(found.run))]
    lines += [
        "",
        "Backends",
        *_table([(name, f"{_STATES[told['ready']]:<10}{told['why']}") for name, told in found.backends.items()]),
    ]
    lines += ["", "Machine", *_table(_machine_rows(found))]
    lines += ["", "Packages", *textwrap.wrap(", ".join(f"{n} {v}" for n, v in found.packages.items()), WIDTH, **_INDENT)]
    return "\n".join(lines)


_INDENT: dict[str, Any] = {
    "initial_indent": "  ",
    "subsequent_indent": "  ",
    "break_long_words": False,
    "break_on_hyphens": False,
}


def _headline(found: Findings) -> str:
    unknown = bool(found.problems) and all(problem.late for problem in found.problems)
    if found.run:
        model = f" with {one_line(str(found.run['model']))}" if found.run.get("model") else ""
        what = f"a run on backend {found.run['backend']}{model}"
    else:
        ready = [name for name, told in found.backends.items() if told["ready"] and name != "fake"]
        what = f"a run on {' or '.join(ready)}" if ready else "no run of a model"
        if not ready:
            return f"{'? it is not known whether a run of a model' if unknown else f'✗ {what}'} could start here"
    if unknown:
        return f"? it is not known whether {what} could start here"
    return f"✓ {what} could start here" if found.could_start else f"✗ {what} could not start here"


def _problems(title: str, problems: Sequence[Problem]) -> Iterator[str]:
    if not problems:
        return
    yield from ("", title)
    for number, problem in enumerate(problems, 1):
        yield from textwrap.wrap(
            one_line(problem.text), WIDTH, initial_indent=f"{number:>3}. ", subsequent_indent="     ", break_long_words=False
        )
        if problem.fix:
            yield f"     → {one_line(problem.fix)}"  # not wrapped: it is to be copied


def _run_rows(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = [("backend", str(run["backend"]))]
    rows += [(name, str(run[name])) for name in ("device", "dtype", "folder", "architecture") if run.get(name) is not None]
    if run.get("context"):
        rows.append(("context", f"{run['context']:,} tokens"))
    if run.get("weight_bytes"):
        rows.append(("weights", _size(run["weight_bytes"])))
    if "tokenizer" in run:
        rows.append(("tokenizer", f"{run['tokenizer']}, {count_noun(run['n_vocab'], 'token')}"))
    if "format" in run:
        rows.append(
            ("thinking", f"format {run['format']}{' (uncertain: name it with --thinking-format)' * bool(run.get('uncertain'))}")
        )
    return rows + [("note", note) for note in run.get("notes", ())]


def _machine_rows(found: Findings) -> list[tuple[str, str]]:
    machine, sandbox, hub = found.machine, found.sandbox, found.hub
    available = f", {_size(machine.memory_available)} available" if machine.memory_available is not None else ""
    rows = [("cores", f"{machine.cores:g}"), ("memory", f"{_size(machine.memory)}{available}")]
    rows += [("/dev/shm", f"{_size(machine.shm_free)} free")] if machine.shm_free is not None else []
    rows += [("gpu", _gpu(gpu)) for gpu in found.gpus] or [("gpu", "none")]
    rows.append(("sandbox", sandbox["problem"] or f"{sandbox['name']} works, with the filter of system calls"))
    reached = "offline by HF_HUB_OFFLINE" if hub.get("offline") else "reachable" if hub.get("reached") else "out of reach"
    token = ", with a token" if hub.get("token") else ", without a token"
    rows.append(("hub", f"{hub['endpoint']}, {reached}{token}" if "endpoint" in hub else hub["problem"]))
    ends = {True: "", False: ", not writable"}
    return rows + [(disk.name, f"{disk.path}, {_size(disk.free)} free{ends[disk.writable]}") for disk in found.disks]


def _gpu(gpu: Mapping[str, Any]) -> str:
    if "memory_mib" in gpu:
        return f"{gpu['name']}, {gpu['memory_mib']} MiB, {gpu['used_mib']} used; torch does not use it (driver {gpu['driver']})"
    return f"{gpu['name']}, {_size(gpu['memory'])}, {_size(gpu['free'])} free, capability {gpu['capability']}"


def _table(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        yield from textwrap.wrap(
            one_line(text),
            WIDTH,
            initial_indent=f"  {name:<{width}}  ",
            subsequent_indent=" " * (width + 4),
            break_long_words=False,
        )


def _size(n_bytes: int | None) -> str:
    if n_bytes is None:
        return "unknown"
    return f"{n_bytes / GIB:,.1f} GiB" if n_bytes >= GIB else f"{n_bytes / 2**20:,.1f} MiB"
