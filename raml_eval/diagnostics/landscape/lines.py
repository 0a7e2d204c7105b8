"""Reads what a landscape's journal holds, and checks that each line, and all of them together, can be used."""

from __future__ import annotations

from typing import Any

from raml_eval.diagnostics.fields import check_number, count_of, number_of, numbers_of, object_of, text_of
from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.landscape.choices import Choices
from raml_eval.diagnostics.landscape.known import Known, find_path
from raml_eval.errors import CorruptStore
from raml_eval.wording import count_noun

Line = dict[str, Any]


def read_known(folder: DiagnosisFolder, choices: Choices) -> Known:
    """What the journal holds. Raises CorruptStore for a line that cannot be used, and if lines are missing among others."""
    known = Known.of(folder.read(read_line, repair="Repair the line, or delete the folder"))
    if lacking := _lacks(known, choices):
        raise CorruptStore(
            f"{folder.path / 'journal.jsonl'} lacks {lacking}. Restore the line, or delete the folder, and run again."
        )
    return known


def read_line(line: Line) -> Line:
    """The line of one result. Raises as diagnostics.fields does."""
    kind = text_of(line, "is")
    if kind == "engine":
        for name in ("weights", "backend", "dtype", "device"):
            text_of(line, name)
    elif kind == "basis":
        _check_basis(line)
    elif kind in ("centre", "point", "on_path", "gradient", "end"):
        _check_losses(line)
        for name in {"point": ("i", "j"), "on_path": ("step",), "gradient": ("step",)}.get(kind, ()):
            count_of(line, name)
    else:
        raise ValueError(f"is is {kind!r:.60}, wanted engine, centre, gradient, basis, point, on_path or end")
    if kind == "gradient":
        n_kept, step = len(numbers_of(line, "kept")), line["step"]
        if n_kept > step + 1:
            raise ValueError(f"kept has {n_kept} products of gradient {step}, wanted at most {step + 1}")
        if line["along"] and len(numbers_of(line, "along")) != 2:
            raise ValueError(f"along has {len(line['along'])} products, wanted 2 or none")
    return line


def _check_losses(line: Line) -> None:
    losses = line["losses"]
    if not isinstance(losses, list) or not losses:
        raise TypeError(f"losses is {losses!r:.60}, wanted a list of numbers")
    for loss in losses:
        if loss is not None:
            check_number("a loss", loss)


def _check_basis(line: Line) -> None:
    if len(numbers_of(line, "squares")) != 2:
        raise ValueError(f"squares has {len(line['squares'])} numbers, wanted 2")
    number_of(line, "inner")
    number_of(object_of(line, "details"), "norm")
    rows = line["coefficients"]
    if rows is not None and (not isinstance(rows, list) or len(rows) != 2):
        raise TypeError(f"coefficients is {rows!r:.60}, wanted two lists of numbers or null")
    for row in rows or ():
        numbers_of({"coefficients": row}, "coefficients")


def _lacks(known: Known, choices: Choices) -> str:
    """What is missing among the lines that are there, in words; empty if nothing is."""
    for step in range(len(known.gradients)):
        if step not in known.gradients:
            return f"the gradient of step {step}"
        least = step + 1 if choices.plane == "thinking" else min(step + 1, 2)
        if len(known.gradients[step]["kept"]) < least:
            return f"products of the gradient of step {step}"
    if known.end is None:
        return ""
    for name in ("engine", "centre", "basis"):
        if getattr(known, name) is None:
            return f"its line {name}"
    steps = {*range(choices.steps + 1 if choices.steps else 0)}
    axis = range(choices.points)
    if missing := len({(i, j) for i in axis for j in axis} - {*known.points}):
        return count_noun(missing, "point")
    if missing := len(steps - {*known.gradients}):
        return count_noun(missing, "gradient")
    assert known.basis is not None
    if any(len(row) != len(steps) for row in known.basis["coefficients"] or ()):
        return "coefficients of the basis"
    if find_path(known) is not None and (missing := len(steps - {*known.on_path})):
        return f"{count_noun(missing, 'point')} of the path"
    return ""
