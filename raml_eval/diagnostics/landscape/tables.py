"""Writes a landscape's tables and figures from its journal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.landscape.choices import Choices
from raml_eval.diagnostics.landscape.figures import Picture, draw_contour, draw_surface
from raml_eval.diagnostics.landscape.known import Known, ThinkingPath, find_path, mean_of
from raml_eval.diagnostics.landscape.texts import Text, tell_tasks
from raml_eval.diagnostics.landscape.told import notes_of
from raml_eval.diagnostics.section import Column, SectionTable, write_section
from raml_eval.errors import StoreError, writing

Row = Mapping[str, Any]
LEAD = (
    "The mean loss of the gold answers over a plane in the space of weights, around the model's own. The path is the one of "
    "first-order steps that would change the loss as the thinking does; the model itself moves no weights. docs/landscape.md "
    "defines every number, and says what the path does not show."
)


def write_landscape(
    folder: DiagnosisFolder, run: str, choices: Choices, texts: Sequence[Text], known: Known, notes: Sequence[str] = ()
) -> None:
    """The folder holds surface.parquet, path.parquet if there is a path, the figures, and the section with its notes.

    notes are those on the part of the run and on the engines.
    """
    import pandas as pd

    grid, path = surface_rows(known, choices), find_path(known)
    way = path_rows(known, choices, texts, path) if path else []
    with writing(folder.path / "surface.parquet", "Free disk space or choose a writable --out.", StoreError):
        pd.DataFrame(grid).to_parquet(folder.path / "surface.parquet", index=False)
    unit = _unit(known)
    picture = Picture(run, choices, tell_tasks(texts), grid, way, unit)
    tables = [_summary(known, grid, path), *([_path_table(way)] if way else [])]
    figures = [draw_contour(picture), draw_surface(picture)]
    told = [*notes, *notes_of(choices, texts, known, path, grid, unit)]
    if (same := same_on_surface(way)) is not None:
        told.append(f"At each of the {len(way)} points of the path, the surface's loss is {same}.")
    write_section(folder, "Loss around the weights", LEAD, tables, figures, told)


def surface_rows(known: Known, choices: Choices) -> list[Row]:
    """One row for each point of the grid: i, j, a, b, loss (the questions' mean, NaN if not finite), loss_of_each."""
    axis = choices.axis
    return [
        {"i": i, "j": j, "a": axis[i], "b": axis[j], "loss": mean_of(line["losses"]), "loss_of_each": line["losses"]}
        for (i, j), line in sorted(known.points.items())
    ]


def path_rows(known: Known, choices: Choices, texts: Sequence[Text], path: ThinkingPath) -> list[Row]:
    """One row for each share of the thinking.

    loss_given is the loss after that share of the thinking, at the saved weights; loss_on_surface is the surface's at the
    point (a, b). step_length is the length of the step to the point, in the space of all weights that move.
    """
    rows: list[Row] = []
    for step, (a, b) in enumerate(path.points.tolist()):
        share, line = step / choices.steps, known.gradients[step]
        rows.append(
            {
                "step": step,
                "share": share,
                "n_thinking_tokens": [text.kept(share) for text in texts],
                "a": a,
                "b": b,
                "loss_given": mean_of(line["losses"]),
                "loss_on_surface": mean_of(known.on_path[step]["losses"]),
                "step_length": float(path.lengths[step - 1]) if step else 0.0,
                "gradient_norm": line["kept"][-1] ** 0.5,
            }
        )
    return rows


def same_on_surface(way: Sequence[Row]) -> str | None:
    """The surface's loss along the path, to three decimals, if it is the same at every point; otherwise None."""
    shown = {f"{row['loss_on_surface']:.3f}" for row in way}
    return shown.pop() if len(shown) == 1 else None


def _path_table(way: Sequence[Row]) -> SectionTable:
    columns = [
        Column("share", "share of the thinking", "number", 2),
        Column("loss_given", "loss after it", "number", 3),
        *([Column("loss_on_surface", "surface there", "number", 3)] if same_on_surface(way) is None else []),
        Column("step_length", "step", "number", 4),
    ]
    return SectionTable("path", "Path of the thinking, losses in nats per token", columns, way, brief=False)


def _summary(known: Known, grid: Sequence[Row], path: ThinkingPath | None) -> SectionTable:
    """One row: the losses at the centre, the lowest and highest of the grid, and how much of the path the plane holds."""
    losses = [row["loss"] for row in grid if not math.isnan(row["loss"])]
    row = {
        "questions": str(len(known.centre["losses"]) if known.centre else 0),
        "centre": _centre(known),
        "lowest": min(losses, default=None),
        "highest": max(losses, default=None),
        "not_finite": len(grid) - len(losses),
        "path_percent": finite_or_none(100 * path.share) if path else None,
    }
    columns = (
        Column("questions", "questions"),
        Column("centre", "at the weights", "number", 3),
        Column("lowest", "lowest", "number", 3),
        Column("highest", "highest", "number", 3),
        Column("not_finite", "points not finite", "count"),
        Column("path_percent", "% of the path in the plane", "number", 6),
    )
    return SectionTable("summary", "Losses in nats per token", columns, [row])


def tell(texts: Sequence[Text], known: Known) -> dict[str, Any]:
    """What diagnosis.json says of the engine, the weights, the directions and the questions."""
    assert known.engine is not None
    assert known.basis is not None
    path = find_path(known)
    return {
        "engine": {key: value for key, value in known.engine.items() if key != "is"},
        "weights": known.basis["details"],
        "directions": {"squared_norms": known.basis["squares"], "inner_product": known.basis["inner"]},
        "centre_loss": _centre(known),
        "share_of_path_in_plane": finite_or_none(path.share) if path else None,
        "questions": [
            {"name": text.name, "thinking": text.thinking, "correct": text.correct, "n_answer_tokens": len(text.answer_ids)}
            for text in texts
        ],
    }


def _centre(known: Known) -> float:
    assert known.centre is not None
    return mean_of(known.centre["losses"])


def _unit(known: Known) -> tuple[float, float]:
    """The norms of the two directions as shares of the norm of the weights that move."""
    assert known.basis is not None
    first, second = known.basis["squares"]
    norm = known.basis["details"]["norm"]
    return first**0.5 / norm, second**0.5 / norm


def finite_or_none(value: float) -> float | None:
    """The number as JSON can hold it."""
    return value if math.isfinite(value) else None
