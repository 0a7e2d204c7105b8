"""A landscape of a run that was really drawn: its numbers, its resume after a kill, its figures and its refusals."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="a landscape needs torch (pip install 'raml-eval[hf]')")

import numpy as np
import pandas as pd
import torch
from transformers import AutoModelForCausalLM

from raml_eval.backends.hf_weights import MovedWeights
from raml_eval.cli.landscape import landscape as command
from raml_eval.diagnostics.landscape import tables
from raml_eval.diagnostics.landscape.choices import Choices
from raml_eval.diagnostics.landscape.figures import Picture, draw_contour, draw_surface
from raml_eval.diagnostics.landscape.surface import draw_landscape
from raml_eval.diagnostics.landscape.texts import choose_texts, tell_tasks
from raml_eval.diagnostics.model import RunModel, load_run_model, open_engine
from raml_eval.errors import ConfigError, ModelError
from raml_eval.reporting.diagnosed import render_diagnosis
from raml_eval.store.journal import read_lines
from raml_eval.store.seeking import RunReader
from raml_eval.store.stamp import stamp_samples
from tests.backend_bench import POCKET
from tests.defined import wrongly_defined
from tests.dying import dies_at
from tests.engines import open_pocket, sit

ROOT = Path(__file__).resolve().parents[1]
SMALL = Choices(n_questions=2, points=5, steps=3)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "pocket"

    async def draw() -> None:
        engine = await open_pocket("hf")
        try:
            await sit(engine, out, limit=3, samples=1, thinking={"budgets": ["unlimited"]}, sampling={"temperature": 0.0})
        finally:
            await engine.aclose()

    asyncio.run(draw())
    return out


@pytest.fixture(scope="module")
def drawn(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return landscape(run, tmp_path_factory.mktemp("drawn"))


def landscape(run: Path, out: Path, choices: Choices = SMALL, **changes: Any) -> Path:
    return draw_landscape(run, out, choices, changes, quiet=True)


def lines(folder: Path, kind: str) -> list[dict[str, Any]]:
    return [line for _, line in read_lines(folder / "journal.jsonl") if line["is"] == kind]


def about(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "diagnosis.json").read_text()))


def test_the_centre_is_the_loss_of_plain_forward_passes(run: Path, drawn: Path) -> None:
    with RunReader(run) as reader:
        texts = choose_texts(reader, load_run_model(reader), SMALL, Counter())
    model = AutoModelForCausalLM.from_pretrained(POCKET, dtype=torch.float32, attn_implementation="eager")
    losses = []
    for text in texts:
        scored = text.at(0)
        assert scored.token_ids[: len(text.prompt_ids)] == text.prompt_ids
        with torch.inference_mode():
            logprobs = model(input_ids=torch.tensor([scored.token_ids])).logits[0].log_softmax(-1)
        n = scored.n_scored
        losses.append(-float(logprobs[-n - 1 : -1].gather(1, torch.tensor(text.answer_ids)[:, None]).mean()))
    grid = pd.read_parquet(drawn / "surface.parquet")
    middle = grid[(grid["a"] == 0) & (grid["b"] == 0)].iloc[0]
    assert middle["loss"] == about(drawn)["centre_loss"] == pytest.approx(np.mean(losses), rel=1e-4)
    assert list(middle["loss_of_each"]) == lines(drawn, "centre")[0]["losses"] == lines(drawn, "end")[0]["losses"]
    assert len(grid) == 25
    assert grid["loss"].notna().all()
    assert sorted(set(grid["a"])) == sorted(set(grid["b"])) == [-1, -0.5, 0, 0.5, 1]


def test_the_path_begins_at_the_weights_and_knows_the_losses_along_the_thinking(drawn: Path) -> None:
    path = pd.read_parquet(drawn / "path.parquet")
    assert list(path["share"]) == pytest.approx([0, 1 / 3, 2 / 3, 1])
    assert tuple(path.loc[0, ["a", "b", "step_length"]]) == (0, 0, 0)
    centre = about(drawn)["centre_loss"]
    assert path["loss_on_surface"][0] == centre
    assert path["loss_given"][0] == pytest.approx(centre, rel=1e-4)
    first, last = (line["losses"] for line in (lines(drawn, "gradient")[0], lines(drawn, "gradient")[-1]))
    for before, after, question in zip(first, last, about(drawn)["questions"], strict=True):
        assert (after < before / 2) is question["correct"], question  # this model needs its thinking, if it is right
    assert path["loss_given"].iloc[-1] == pytest.approx(np.mean(last))
    assert 0 < about(drawn)["share_of_path_in_plane"] < 0.01  # of a random plane in so many dimensions


def test_the_own_plane_holds_most_of_the_path(run: Path, tmp_path: Path) -> None:
    folder = landscape(run, tmp_path, Choices(n_questions=2, points=3, steps=4, plane="thinking"))
    path = pd.read_parquet(folder / "path.parquet")
    assert np.hypot(path["a"], path["b"]).max() == pytest.approx(0.8, abs=0.01)
    assert 0.5 < about(folder)["share_of_path_in_plane"] <= 1.0001
    squares = about(folder)["directions"]["squared_norms"]
    assert squares[0] == pytest.approx(squares[1], rel=1e-3)
    assert abs(about(folder)["directions"]["inner_product"]) < 1e-3 * squares[0]


def test_a_seed_repeats_and_another_does_not(run: Path, drawn: Path, tmp_path: Path) -> None:
    again = landscape(run, tmp_path / "again")
    for name in ("surface", "path"):
        pd.testing.assert_frame_equal(pd.read_parquet(drawn / f"{name}.parquet"), pd.read_parquet(again / f"{name}.parquet"))
    other = landscape(run, tmp_path / "other", Choices(n_questions=2, points=2, steps=0, seed=1))
    corner = pd.read_parquet(drawn / "surface.parquet").iloc[0], pd.read_parquet(other / "surface.parquet").iloc[0]
    assert corner[0]["a"] == corner[1]["a"]
    assert corner[0]["loss"] != corner[1]["loss"]
    assert not (other / "path.parquet").exists()


@pytest.mark.parametrize("plane", ["random", "thinking"])
def test_a_killed_landscape_goes_on_point_by_point_with_equal_values(run: Path, tmp_path: Path, plane: str) -> None:
    choices = Choices(n_questions=2, points=9, steps=3, plane=plane)  # type: ignore[arg-type]
    args = {"dtype": "bfloat16"}
    journal = tmp_path / "killed" / "landscape" / "journal.jsonl"
    code = "from pathlib import Path; from tests.test_diagnostics_landscape import Choices, landscape"
    code += f"; landscape(Path({str(run)!r}), Path({str(tmp_path / 'killed')!r}), {choices!r}, backend_args={args!r})"
    command = [sys.executable, "-c", dies_at(journal, 30) + code]
    assert subprocess.run(command, cwd=ROOT, timeout=300, check=False).returncode == -signal.SIGKILL
    before = journal.read_bytes()
    assert not before.endswith(b"\n")
    assert before.count(b'"point"') > 5
    for out in ("killed", "whole"):
        landscape(run, tmp_path / out, choices, backend_args=args)
    assert journal.read_bytes().startswith(before.rpartition(b"\n")[0] + b"\n")
    points = [(line["i"], line["j"]) for line in lines(journal.parent, "point")]
    assert len(points) == len(set(points)) == 81
    for name in ("surface", "path"):
        tables = [pd.read_parquet(tmp_path / out / "landscape" / f"{name}.parquet") for out in ("killed", "whole")]
        pd.testing.assert_frame_equal(*tables)
    assert about(journal.parent)["weights"] == about(tmp_path / "whole" / "landscape")["weights"]


def test_a_complete_landscape_is_drawn_anew_without_an_engine(run: Path, drawn: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (drawn / "contour.png").unlink()
    journal = (drawn / "journal.jsonl").read_bytes()
    monkeypatch.setattr("raml_eval.diagnostics.landscape.surface.open_engine", None)
    landscape(run, drawn.parent)
    assert (drawn / "contour.png").read_bytes().startswith(b"\x89PNG")
    assert (drawn / "journal.jsonl").read_bytes() == journal


def test_other_choices_or_another_engine_are_refused(run: Path, drawn: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="under other settings: --points is 5 there and 7 here"):
        landscape(run, drawn.parent, Choices(n_questions=2, points=7, steps=3))
    folder = landscape(run, tmp_path)
    journal = (folder / "journal.jsonl").read_text().splitlines(keepends=True)
    (folder / "journal.jsonl").write_text("".join(journal[:-3]))
    with pytest.raises(ConfigError, match=r"begun with weights .* and this is"):
        landscape(run, tmp_path, backend_args={"dtype": "bfloat16"})


def test_weights_that_were_not_put_back_are_told_and_their_points_dropped(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(MovedWeights, "restore", lambda self: None)
        with pytest.raises(ModelError, match="were not put back"):
            landscape(run, tmp_path)
    assert not (tmp_path / "landscape" / "journal.jsonl").read_bytes()
    assert not about(tmp_path / "landscape")["complete"]


@pytest.mark.parametrize("backend", ["vllm", "openai_server"])
def test_an_engine_whose_weights_cannot_be_moved_is_refused_before_it_starts(run: Path, tmp_path: Path, backend: str) -> None:
    wanted = "diagnose landscape needs an engine whose weights can be moved; use hf"
    with pytest.raises(ConfigError, match=wanted):
        landscape(run, tmp_path, backend=backend)
    assert not (tmp_path / "landscape").exists()


def test_a_thinking_that_does_not_fit_is_told_by_its_question(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @asynccontextmanager
    async def open_small(loaded: RunModel) -> AsyncIterator[Any]:
        async with open_engine(loaded) as engine:
            engine.description = replace(engine.description, context=65)  # type: ignore[misc]
            yield engine

    monkeypatch.setattr("raml_eval.diagnostics.landscape.surface.open_engine", open_small)
    with pytest.raises(
        ConfigError, match=r"pocket_chain/.* tokens with .*, and the engine's context is 65. Choose other questions"
    ):
        landscape(run, tmp_path)
    assert not about(tmp_path / "landscape")["complete"]
    folder = landscape(run, tmp_path, Choices(n_questions=2, points=2, steps=0))  # nothing was computed that would be lost
    assert about(folder)["complete"]


def test_a_run_of_another_engine_is_drawn_on_hf_without_that_engines_arguments(run: Path, drawn: Path, tmp_path: Path) -> None:
    shutil.copytree(run, tmp_path / "run")
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["config"] |= {"backend": "vllm", "backend_args": {"max_model_len": 1024}}
    (tmp_path / "run" / "manifest.json").write_text(json.dumps(manifest))
    folder = landscape(tmp_path / "run", tmp_path, Choices(n_questions=2, points=2, steps=0), backend="hf")
    assert about(folder)["centre_loss"] == about(drawn)["centre_loss"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n_questions": 0}, "--first is 0; it must be at least 1"),
        ({"points": 1}, "--points is 1; it must be at least 2"),
        ({"plane": "flat"}, "--plane is 'flat'; it must be random or thinking"),
        ({"plane": "thinking", "steps": 1}, "--steps is 1; it must be at least 2"),
        ({"radius": 0.0}, "--radius is 0.0"),
        ({"tasks": ("a",), "questions": ("a/1",)}, "--question names the questions"),
        ({"given": "thinking"}, "a path begins where nothing has been thought"),
    ],
)
def test_choices_that_cannot_be_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Choices(**wrong)


def test_a_question_is_named_as_it_is_shown(run: Path, tmp_path: Path) -> None:
    with RunReader(run) as reader:
        names = [f"{task}/{one}" for task, one in reader.questions]
    folder = landscape(run, tmp_path, Choices(questions=(names[2],), points=2, steps=0))
    assert [one["name"] for one in about(folder)["questions"]] == [names[2]]
    with pytest.raises(ConfigError, match="has no question 'pocket_chain/none'"):
        landscape(run, tmp_path, Choices(questions=("pocket_chain/none",)))


def test_a_run_is_named_as_in_a_report_wherever_it_lies(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(run, tmp_path / "moved")
    place = tmp_path / "moved" / "manifest.json"
    place.write_text(json.dumps(json.loads(place.read_text()) | {"name": "stored-name"}))
    shown: list[Picture] = []
    monkeypatch.setattr(tables, "draw_contour", lambda one: shown.append(one) or draw_contour(one))  # type: ignore[func-returns-value]
    folder = landscape(tmp_path / "moved", tmp_path / "out", Choices(n_questions=1, points=2, steps=1))
    assert [one.title().partition(":")[0] for one in shown] == ["stored-name"]
    columns = json.loads((folder / "section.json").read_text())["tables"][0]["columns"]
    assert [one["digits"] for one in columns if one["name"] == "path_percent"] == [6]


def picture(values: Any, way: Any = ()) -> Picture:
    n = len(values)
    choices = Choices(points=n)
    rows = [
        {"i": i, "j": j, "a": choices.axis[i], "b": choices.axis[j], "loss": values[i][j]} for i in range(n) for j in range(n)
    ]
    return Picture("run_$1", choices, "2 questions of sums", rows, way, (1.0, 0.01))


STEEP = [[1e-3, 1.0, 50.0], [0.1, float("nan"), 3.0], [2.0, 2.0, 2.0]]
FLAT = [[1.0, 1.0], [1.0, 1.0]]


@pytest.mark.parametrize("values", [STEEP, FLAT, [[2.0, 3.0], [2.5, 3.5]]])
def test_figures_are_labelled_with_units_whatever_the_values(values: Any) -> None:
    shown = picture(values)
    contour, surface = draw_contour(shown).drawing, draw_surface(shown).drawing
    axes, bar = contour.axes
    assert axes.get_xlabel() == "a (1 is 100 % of the weights' norm)"
    assert axes.get_ylabel() == "b (1 is 1 % of the weights' norm)"
    assert bar.get_ylabel() == "loss of the gold answer (nats per token)" + (", log scale" if values is STEEP else "")
    assert ("log scale" in surface.axes[0].get_zlabel()) is (values is STEEP)
    contour.canvas.draw()
    surface.canvas.draw()


@pytest.mark.parametrize("times", [1, 1000])
def test_a_path_too_short_to_be_seen_has_axes_of_its_own_without_colours(times: int) -> None:
    way = [{"a": a / times, "b": b / times, "loss_on_surface": 1.0} for a, b in ((0.0, 0.0), (0.2, -0.5))]
    shown = picture([[2.0, 3.0], [2.5, 3.5]], way)
    contour = draw_contour(shown)
    plane, *others = (axes for axes in contour.drawing.axes if axes.get_label() != "<colorbar>")
    assert len(others) == (times == 1000)
    on = others[0] if others else plane
    assert on.get_legend_handles_labels()[1] == ["path of the thinking", "no thinking", "all of the thinking"]
    path = next(line for line in on.lines if line.get_label() == "path of the thinking")
    assert path.get_xydata().tolist() == [[row["a"], row["b"]] for row in way]  # where it is, and not longer
    for other in others:
        assert not other.collections  # no loss is drawn under it
        assert plane.get_legend_handles_labels()[1] == ["the model's weights"]
        assert max(map(abs, other.get_xlim())) == pytest.approx(1.15 * 0.5 / times)
        assert "without the loss" in other.get_title()
    assert ("on axes of its own" in contour.about) == (times == 1000)
    assert len(draw_surface(shown).drawing.axes[0].lines) == (times == 1)


def test_a_report_shows_the_landscape_in_the_run_directory(run: Path, drawn: Path, tmp_path: Path) -> None:
    text = render_diagnosis(drawn)
    assert "Loss around the weights" in text
    assert f"{about(drawn)['centre_loss']:.3f}" in text
    for name in ("contour", "surface"):
        for ending in ("svg", "pdf", "png"):
            assert (drawn / f"{name}.{ending}").stat().st_size > 5000
    assert about(drawn)["samples"] == stamp_samples(run)


def test_the_page_defines_each_column_once(drawn: Path) -> None:
    assert wrongly_defined((ROOT / "docs" / "landscape.md").read_text(encoding="utf-8"), drawn) == []


def notes(folder: Path) -> str:
    return " ".join(json.loads((folder / "section.json").read_text())["notes"])


def test_the_notes_say_what_the_surface_and_the_path_are_of(run: Path, drawn: Path, tmp_path: Path) -> None:
    text, path = notes(drawn), pd.read_parquet(drawn / "path.parquet")
    names = ", ".join(one["name"] for one in about(drawn)["questions"])
    assert f"the mean over 2 questions, 1 of pocket_chain, 1 of pocket_chain_long: {names}. " in text
    assert "in nats per token, after the prompt, the end of thinking" in text
    assert "two random directions (seed 0), each tensor of which has the norm of the model's tensor" in text
    assert "5 x 5 points and reaches from -1 to 1; 1 is 100 % (a) and 100 % (b) of the Euclidean norm" in text
    assert f"the loss is {path['loss_given'].iloc[-1]:.3g}, and at the end of the path the surface's is" in text
    own = notes(landscape(run, tmp_path / "own", Choices(n_questions=2, points=2, steps=3, plane="thinking", embeddings=True)))
    assert "the two principal directions of the thinking's own path" in own
    assert "Embeddings and output layer move, too" in own
    none = notes(landscape(run, tmp_path / "none", Choices(n_questions=2, points=2, steps=0, scale="filter")))
    assert "No path is drawn, because no steps were asked for." in none
    assert "each output row of which has" in none
    given = notes(landscape(run, tmp_path / "given", Choices(n_questions=2, points=2, steps=0, given="thinking")))
    assert "No path is drawn, because a path begins where nothing has been thought." in given
    assert "after the prompt, all of the thinking, the end" in given


def test_a_task_chooses_the_questions(run: Path, tmp_path: Path) -> None:
    with RunReader(run) as reader:
        task = list(reader.manifest["tasks"])[-1]
    folder = landscape(run, tmp_path, Choices(tasks=(task,), n_questions=1, points=2, steps=0))
    assert about(folder)["questions"][0]["name"].startswith(f"{task}/")
    with pytest.raises(ConfigError, match="there is no task 'odd'"):
        landscape(run, tmp_path / "odd", Choices(tasks=("odd",)))


def test_the_first_questions_spread_over_the_tasks_of_the_run(run: Path, tmp_path: Path) -> None:
    with RunReader(run) as reader:
        tasks = list(reader.manifest["tasks"])
        keys = list(reader.questions)
        loaded = load_run_model(reader)
        for n in (1, len(tasks), len(tasks) + 1):
            texts = choose_texts(reader, loaded, Choices(n_questions=n), Counter())
            firsts = [next(f"{task}/{one}" for task, one in keys if task == name) for name in tasks]
            assert {text.name for text in texts} >= {*firsts[:n]}
            assert len(texts) == n
            assert [text.name for text in texts] == [name for name in map("/".join, keys) if name in {x.name for x in texts}]
    assert tell_tasks(texts) == f"{len(tasks) + 1} questions, 2 of {tasks[0]}, " + ", ".join(f"1 of {t}" for t in tasks[1:])
    assert tell_tasks(texts[:2]) == f"2 questions of {tasks[0]}"
    assert (
        Picture("run", Choices(), tell_tasks(texts), [], [], (1, 1))
        .title()
        .startswith(f"run: {len(tasks) + 1} questions, 2 of")
    )


def test_equal_losses_along_the_path_are_told_once(run: Path, drawn: Path, tmp_path: Path) -> None:
    def headings(folder: Path) -> list[str]:
        tables = json.loads((folder / "section.json").read_text())["tables"]
        return [column["heading"] for table in tables for column in table["columns"]]

    same = pd.read_parquet(drawn / "path.parquet")["loss_on_surface"]
    assert "surface there" not in headings(drawn)  # a random plane, in which the path hardly moves
    assert f"At each of the 4 points of the path, the surface's loss is {same[0]:.3f}." in notes(drawn)
    own = landscape(run, tmp_path, Choices(n_questions=2, points=2, steps=3, plane="thinking"))
    assert "surface there" in headings(own)
    assert "At each of the" not in notes(own)


def test_a_grid_without_a_finite_loss_says_so() -> None:
    shown = picture([[float("nan")] * 2] * 2)
    contour, surface = draw_contour(shown).drawing, draw_surface(shown).drawing
    for figure in (contour, surface):
        assert [text.get_text() for text in figure.axes[0].texts] == ["The loss is not finite\nat any point of the grid."]
        figure.canvas.draw()
    assert [text.get_text() for text in contour.legends[0].get_texts()] == ["the model's weights", "loss not finite"]
    assert [text.get_text() for text in draw_contour(picture(FLAT)).drawing.legends[0].get_texts()] == ["the model's weights"]


def test_the_page_explains_every_option_and_no_other() -> None:
    page = (ROOT / "docs" / "landscape.md").read_text(encoding="utf-8")
    options = {f"--{name.replace('_', '-')}" for name in inspect.signature(command).parameters} - {"--run"}
    named = set(re.findall(r"--[a-z][a-z-]+", page))
    assert options - named <= {"--quiet", "--model", "--backend-arg"}
    assert named <= options
