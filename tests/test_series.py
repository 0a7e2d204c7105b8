"""Many runs on one engine: the same records as from separate runs, failures told, and the whole resumed."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="checkpoints are swapped in an engine (pip install 'raml-eval[hf]')")

from raml_eval.backends import open_backend
from raml_eval.checkpoint import Checkpoint
from raml_eval.config import build_config
from raml_eval.errors import ConfigError, GenerationError, ModelError, TaskError
from raml_eval.exporting.public import model_name
from raml_eval.kept_text import tokenizer_at_hand
from raml_eval.matrix import expand
from raml_eval.protocols import Backend
from raml_eval.series import run_series
from raml_eval.session import run_session
from raml_eval.store import read_run
from tests.backend_bench import POCKET
from tests.checkpoints import save_adapter, variant
from tests.engines import ENGINE_ARGS, ENGINES, drawn

SETTINGS: dict[str, Any] = {
    "tasks": "pocket_chain", "limit": 4, "samples": 2, "thinking": {"budgets": [0, 32]}, "answer_tokens": 32,
    "max_total_tokens": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    for step in (5, 10, 20):
        variant(POCKET, folder / f"checkpoint-{step}", seed=step)
    return folder


@pytest.mark.parametrize("engine", ENGINES)
def test_the_records_are_those_of_separate_runs(engine: str, training: Path, tmp_path: Path) -> None:
    matrix = {"sampling": {"greedy": {"temperature": 0}, "warm": {"temperature": 1.0}}}
    settings = {**SETTINGS, "backend": engine, "backend_args": dict(ENGINE_ARGS[engine])}
    cells = expand({**settings, "checkpoints": training, "steps": "5,20", "matrix": matrix, "out": tmp_path / "together"})
    outcomes = asyncio.run(run_series(cells, quiet=True))
    assert [one.name for one in outcomes if one.is_done] == [cell.name for cell in cells]
    for cell in cells:
        alone = asyncio.run(run_session(cell.config.model_copy(update={"out": tmp_path / cell.name}), quiet=True))
        together = read_run(tmp_path / "together" / cell.name)
        assert {one.key: drawn(one) for one in together.records} == {one.key: drawn(one) for one in alone.records}
        assert together.manifest["protocol"] == alone.manifest["protocol"]
        assert together.manifest["engine"] == alone.manifest["engine"]
        assert "swapped" not in alone.manifest["sessions"][0]
        assert ("swapped" in together.manifest["sessions"][0]) == cell.name.startswith("checkpoint-20")


def test_the_manifest_has_the_fingerprints_of_adapter_and_base(training: Path, tmp_path: Path) -> None:
    base = training / "checkpoint-5"
    for seed in (0, 1):
        save_adapter(tmp_path / f"lora-{seed}", base, ["model.layers.0.mlp.down_proj"], seed)
    settings = {**SETTINGS, "backend": "fake", "adapter": [tmp_path / "lora-0", tmp_path / "lora-1"], "out": tmp_path / "out"}
    asyncio.run(run_series(expand(settings), quiet=True))
    entries = [read_run(tmp_path / "out" / f"lora-{seed}").manifest["model"] for seed in (0, 1)]
    digest = Checkpoint(str(base)).digest()
    assert [entry["adapter"]["base_fingerprint"] for entry in entries] == [digest, digest]
    assert len({entry["adapter"]["fingerprint"] for entry in entries}) == 2
    assert len({entry["fingerprint"] for entry in entries} | {digest}) == 3
    assert entries[0]["adapter"]["base"] == str(base)
    runs = [read_run(tmp_path / "out" / f"lora-{seed}") for seed in (0, 1)]
    assert [run.model for run in runs] == [f"{base} + {tmp_path / f'lora-{seed}'}" for seed in (0, 1)]
    assert [model_name(run) for run in runs] == ["checkpoint-5 + lora-0", "checkpoint-5 + lora-1"]
    assert tokenizer_at_hand({"model": entries[0]}) is not None


def fake(training: Path, out: Path, **settings: Any) -> dict[str, Any]:
    return {**SETTINGS, "backend": "fake", "checkpoints": training, "out": out, **settings}


def test_a_broken_checkpoint_is_told_and_the_others_go_on(
    training: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = shutil.copytree(training, tmp_path / "training")
    (broken / "checkpoint-10" / "tokenizer.json").write_text("{")
    cells = expand(fake(broken, tmp_path / "out"))
    outcomes = asyncio.run(run_series(cells, quiet=True))
    assert [one.is_done for one in outcomes] == [True, False, True]
    assert "run checkpoint-10: model" in capsys.readouterr().err
    (broken / "checkpoint-10" / "tokenizer.json").write_bytes((POCKET / "tokenizer.json").read_bytes())
    opened = []

    async def opener(name: str, model: str, **settings: Any) -> Backend:
        opened.append(Path(model).name)
        return await open_backend(name, model, **settings)

    assert all(one.is_done for one in asyncio.run(run_series(cells, quiet=True, opener=opener)))
    assert opened == ["checkpoint-10"]


def test_if_no_run_can_be_drawn_the_first_error_is_raised(training: Path, tmp_path: Path) -> None:
    cells = expand(
        {**fake(training, tmp_path / "out"), "checkpoints": None, "model": [str(tmp_path / "a"), str(tmp_path / "b")]}
    )
    with pytest.raises(ModelError, match="does not exist"):
        asyncio.run(run_series(cells, quiet=True))


@pytest.mark.parametrize(
    ("axis", "error"),
    [
        ({"tasks": ["pocket_chain", "pocket_compare"]}, TaskError),
        ({"thinking.cut": ["exact", "newline"], "thinking.grace": [5]}, ConfigError),
    ],
)
def test_wrong_settings_of_any_run_are_refused_before_the_first_draw(
    axis: dict[str, Any], error: type[Exception], training: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=r"pocket_compare|--grace 5 has no effect"):
        asyncio.run(run_series(expand({**fake(training, tmp_path / "out"), "matrix": axis}), quiet=True))
    assert not (tmp_path / "out").exists()


def test_after_failed_requests_the_next_run_gets_a_new_engine(training: Path, tmp_path: Path) -> None:
    opened: list[Backend] = []

    async def opener(name: str, model: str, **settings: Any) -> Backend:
        engine = await open_backend(name, model, **settings)
        if not opened:

            async def die(*_: Any) -> Any:
                raise GenerationError("the engine is dead")

            engine.generate = die  # type: ignore[method-assign]
        opened.append(engine)
        return engine

    outcomes = asyncio.run(run_series(expand(fake(training, tmp_path / "out", steps="5,10")), quiet=True, opener=opener))
    assert [one.is_done for one in outcomes] == [False, True]
    assert len(opened) == 2


def test_a_run_alone_resumes_a_run_of_a_series(training: Path, tmp_path: Path) -> None:
    cells = expand(fake(training, tmp_path / "out", steps="5,10"))
    asyncio.run(run_series(cells, quiet=True))
    single = {**SETTINGS, "backend": "fake", "model": str(training / "checkpoint-10"), "samples": 3, "out": cells[1].config.out}
    run = asyncio.run(run_session(build_config([single]), quiet=True))
    assert len(run.manifest["sessions"]) == 2
    assert run.manifest["model"]["checkpoint"] == {"step": 10}
