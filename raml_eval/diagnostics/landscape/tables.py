"""Writes a landscape's tables, figures and settings from its journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raml_eval.diagnostics.folder import DiagnosisFolder
from raml_eval.diagnostics.landscape.choices import Choices
from raml_eval.diagnostics.landscape.figures import Picture, draw_contour, draw_surface, save
from raml_eval.diagnostics.landscape.known import Known, ThinkingPath, find_path, mean_of
from raml_eval.diagnostics.landscape.texts import Text
from raml_eval.errors import writing

if TYPE_CHECKING:
    import pandas as pd


def write_landscape(
    folder: DiagnosisFolder, run: str, choices: Choices, texts: Sequence[Text], skipped: Mapping[str, int]
) -> Path:
    """The folder holds surface.parquet, path.parquet, contour.png and surface.png, and its diagnosis.json says how they arose.

    path.parquet is there only if the questions have thinkings. Returns the folder.
    """
    known = Known.of(folder.lines())
    path = find_path(known)
    grid, way = surface_table(known, choices), path_table(known, choices, texts, path) if path else None
    for name, table in (("surface", grid), ("path", way)):
        if table is not None:
            with writing(folder.path / f"{name}.parquet"):
                table.to_parquet(folder.path / f"{name}.parquet", index=False)
    picture = Picture(run, choices, len(texts), grid, way, _unit(known, choices), path.share if path else None)
    for name, draw in (("contour", draw_contour), ("surface", draw_surface)):
        save(draw(picture), folder.path / f"{name}.png")
    folder.finish(skipped, **_about(known, texts, grid, path))
    return folder.path


def surface_table(known: Known, choices: Choices) -> pd.DataFrame:
    """One row for each point of the grid: i, j, a, b, loss (the questions' mean, NaN if not finite), loss_of_each."""
    import pandas as pd

    axis = choices.axis
    rows = [
        {"i": i, "j": j, "a": axis[i], "b": axis[j], "loss": mean_of(line["losses"]), "loss_of_each": line["losses"]}
        for (i, j), line in sorted(known.points.items())
    ]
    return pd.DataFrame(rows)


def path_table(known: Known, choices: Choices, texts: Sequence[Text], path: ThinkingPath) -> pd.DataFrame:
    """One row for each share of the thinking.

    loss_given is the loss after that share of the thinking, at the saved weights; loss_on_surface is the surface's at the
    point (a, b). step_length is the length of the step to the point, in the space of all weights that move.
    """
    import pandas as pd

    rows = []
    for step, (a, b) in enumerate(path.points.tolist()):
        share, line = step / choices.steps, known.gradients[step]
        rows.append(
            {
                "step": step,
                "share": share,
                "n_thinking_tokens": [round(share * len(text.thinking_ids)) for text in texts],
                "a": a,
                "b": b,
                "loss_given": mean_of(line["losses"]),
                "loss_on_surface": mean_of(known.on_path[step]["losses"]),
                "step_length": float(path.lengths[step - 1]) if step else 0.0,
                "gradient_norm": line["kept"][-1] ** 0.5,
            }
        )
    return pd.DataFrame(rows)


def _unit(known: Known, choices: Choices) -> tuple[float, float]:
    """The norms of the two directions as shares of the norm of the weights that move."""
    assert known.basis is not None
    first, second = known.basis["squares"]
    norm = known.basis["details"]["norm"]
    return first**0.5 / norm, second**0.5 / norm


def _about(known: Known, texts: Sequence[Text], grid: pd.DataFrame, path: ThinkingPath | None) -> dict[str, Any]:
    assert known.engine is not None
    assert known.centre is not None
    assert known.basis is not None
    basis = known.basis
    return {
        "engine": {key: value for key, value in known.engine.items() if key != "is"},
        "weights": basis["details"],
        "directions": {"squared_norms": basis["squares"], "inner_product": basis["inner"]},
        "centre_loss": mean_of(known.centre["losses"]),
        "lowest_loss": _number(grid["loss"].min()),
        "highest_loss": _number(grid["loss"].max()),
        "not_finite": int(grid["loss"].isna().sum()),
        "share_of_path_in_plane": _number(path.share) if path else None,
        "questions": [
            {"name": text.name, "thinking": text.thinking, "correct": text.correct, "n_answer_tokens": len(text.answer_ids)}
            for text in texts
        ],
    }


def _number(value: float) -> float | None:
    """The number as JSON can hold it."""
    return float(value) if value == value else None
