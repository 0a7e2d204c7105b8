"""Weights are moved within a plane and put back bit by bit, and losses and gradients are those of plain forward passes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the hf backend needs torch (pip install 'raml-eval[hf]')")

import torch
from transformers import AutoModelForCausalLM

from raml_eval.backends.hf_losses import HeldWeights
from raml_eval.backends.hf_weights import GradientKeeper, MovedWeights, digest_of
from raml_eval.errors import GenerationError, ModelError, SwapRefused
from raml_eval.protocols import Scored, WeightAccess
from tests.backend_bench import Bench, checkpoint, opened, params
from tests.checkpoints import variant

TEXTS = (Scored(tuple(range(5, 40)), 3), Scored(tuple(range(60, 71)), 1), Scored(tuple(range(90, 130)), 7))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint(tmp_path_factory.mktemp("checkpoint"))


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def bench(folder: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    with opened("hf", folder, {"threads": 1, "dtype": request.param}) as bench:
        yield bench


def model_of(bench: Bench) -> Any:
    return bench.backend._scheduler.loaded.model  # type: ignore[attr-defined]


def within(bench: Bench, act: Callable[[HeldWeights], Awaitable[Any]], embeddings: bool = False) -> Any:
    async def run() -> Any:
        assert isinstance(bench.backend, WeightAccess)
        async with bench.backend.movable_weights(embeddings) as weights:
            return await act(weights)  # type: ignore[arg-type]

    return bench.runner.run(run())


def bits(model: Any) -> dict[str, torch.Tensor]:
    return {key: p.detach().clone() for key, p in model.named_parameters()}


def same(before: dict[str, torch.Tensor], model: Any) -> bool:
    """Whether every bit is equal, the sign of zeros too."""
    return all(torch.equal(before[key].view(torch.uint8), p.detach().view(torch.uint8)) for key, p in model.named_parameters())


@asynccontextmanager
async def placed(weights: HeldWeights, a: float, b: float) -> AsyncIterator[None]:
    with weights._weights.at(a, b):
        yield


def test_the_weights_are_back_after_each_call_and_the_files_are_untouched(bench: Bench, folder: Path) -> None:
    model = model_of(bench)
    model.model.norm.weight.data[0] = -0.0
    before, digest = bits(model), digest_of(model)
    file = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()

    async def act(weights: HeldWeights) -> list[float]:
        found = [await weights.losses(0, 0, TEXTS)]
        for scale in ("tensor", "filter"):
            await weights.set_random(3, scale)
            found += [await weights.losses(a, b, TEXTS) for a, b in ((0.3, -0.2), (1, 1), (0, 0))]
            assert same(before, model)
        assert weights.digest == digest
        return [sum(values) for values in found]

    centre, near, far, again, *_ = within(bench, act)
    assert centre == again
    assert len({centre, near, far}) == 3
    assert digest_of(model) == digest
    assert same(before, model)
    assert hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() == file


def test_the_weights_are_the_saved_ones_plus_the_directions_rounded_once(bench: Bench) -> None:
    model = model_of(bench)
    before = bits(model)

    async def act(weights: HeldWeights) -> None:
        await weights.set_random(1, "tensor")
        directions, parameters = dict(weights._weights.directions()), dict(model.named_parameters())
        for a, b in ((0.7, -0.4), (0.7, -0.4), (-1.0, 0.0)):
            async with placed(weights, a, b):
                for key, (one, two) in directions.items():
                    wanted = before[key].double() + a * one.double() + b * two.double()
                    unit = (
                        2**-8 if model.dtype == torch.bfloat16 else 2**-22
                    )  # half of a unit in the last place, and float32's sums
                    assert torch.allclose(parameters[key].double(), wanted, rtol=unit, atol=1e-7), key
                moved = [key for key, p in model.named_parameters() if not torch.equal(p, before[key])]
                assert set(moved) == set(directions)

    within(bench, act)


def test_embeddings_move_only_if_asked_for_and_tied_ones_once(bench: Bench) -> None:
    async def names(weights: HeldWeights) -> list[str]:
        return list(weights._weights.named)

    without, everything = within(bench, names), within(bench, names, embeddings=True)
    assert set(everything) - set(without) == {"model.embed_tokens.weight"}  # the output layer is tied to it
    assert len(everything) == len(set(everything)) == len(list(model_of(bench).parameters()))


@pytest.mark.parametrize("scale", ["tensor", "filter"])
def test_directions_have_the_stated_norms_and_do_not_depend_on_order(bench: Bench, scale: Any) -> None:
    model = model_of(bench)
    saved = {key: p.detach().float() for key, p in model.named_parameters()}

    async def act(weights: HeldWeights) -> tuple[Any, ...]:
        norms, inner = await weights.set_random(5, scale)
        first = dict(weights._weights.directions())
        weights._weights._directions = None  # made anew at each use, as for a model too large to keep them
        anew = {key: weights._weights._make(key) for key in reversed(list(first))}  # type: ignore[misc]
        await weights.set_random(6, scale)
        return norms, inner, first, anew, dict(weights._weights.directions())

    norms, inner, first, anew, other = within(bench, act)
    for key, pair in first.items():
        assert all(torch.equal(one, two) for one, two in zip(pair, anew[key], strict=True))
        for direction in pair:
            if scale == "tensor":
                assert float(direction.norm()) == pytest.approx(float(saved[key].norm()), rel=1e-4)
            elif direction.ndim == 1:
                assert not direction.any()
            else:
                assert torch.allclose(direction.norm(dim=1), saved[key].norm(dim=1), rtol=1e-4)
    assert norms[0] == pytest.approx(sum(float(one.double().square().sum()) for one, _ in first.values()))
    assert abs(inner) < 0.05 * norms[0]  # directions of so many values are nearly orthogonal
    assert not torch.equal(first["model.layers.0.mlp.up_proj.weight"][0], other["model.layers.0.mlp.up_proj.weight"][0])


def test_directions_that_are_not_kept_give_the_same_losses(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(weights: HeldWeights) -> Any:
        along = await weights.set_random(5, "filter")
        told = weights.details["directions"]
        return told, along, await weights.losses(0.4, -0.3, TEXTS), (await weights.gradient(TEXTS, keep=1)).along

    kept, *first = within(bench, act)
    monkeypatch.setattr("raml_eval.backends.hf_weights._CPU_GIB", 0.0)
    anew, *second = within(bench, act)
    assert (kept[:4], anew) == ("kept", "made anew for each point")
    assert first == second


def test_losses_are_those_of_single_plain_forward_passes(bench: Bench, folder: Path) -> None:
    dtype = model_of(bench).dtype
    plain = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager")
    plain.load_state_dict(model_of(bench).state_dict())

    async def act(weights: HeldWeights) -> tuple[float, ...]:
        return await weights.losses(0, 0, TEXTS)

    for text, loss in zip(TEXTS, within(bench, act), strict=True):
        with torch.inference_mode():
            logits = plain(input_ids=torch.tensor([text.token_ids])).logits[0, :-1].float().log_softmax(-1)
        wanted = -logits[torch.arange(len(logits)), list(text.token_ids[1:])][-text.n_scored :].mean()
        assert loss == pytest.approx(float(wanted), rel=1e-4 if dtype == torch.float32 else 0.1)


class _Quadratic(torch.nn.Module):
    """Its weights are a vector w, a matrix m, and nothing else."""

    device = torch.device("cpu")

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor([1.0, -2.0, 3.0]))
        self.m = torch.nn.Parameter(torch.tensor([[2.0, 0.5], [1.0, -1.0]]))

    def get_input_embeddings(self) -> None:
        return None

    get_output_embeddings = get_input_embeddings


def test_gradients_of_a_quadratic_are_projected_exactly() -> None:
    model = _Quadratic()
    weights = MovedWeights(model, embeddings=True)
    keeper = GradientKeeper(weights)
    first = lambda: 3 * model.w.square().sum() + model.m.square().sum()  # noqa: E731  gradient 6 w and 2 m
    second = lambda: model.w.sum()  # noqa: E731  gradient 1, and 0 for m

    losses, inner, along = keeper.add([first], keep=2)
    assert (losses, inner, along) == ((48.25,), (36 * 14 + 4 * 6.25,), ())
    losses, inner, _ = keeper.add([first, second], keep=2)  # the mean: gradient 3 w + 0.5 and m
    assert losses == (48.25, 2.0)
    w, m = model.w.detach().clone(), model.m.detach().clone()
    gradient = 3 * w + 0.5, m
    assert inner[0] == pytest.approx(float((6 * w * gradient[0]).sum() + (2 * m * gradient[1]).sum()))
    norms, both = weights.set_directions(keeper.combine([[1, 0], [-1, 2]]))
    assert norms == pytest.approx((36 * 14 + 4 * 6.25, 3))  # of 6 w and 2 m, and of 1 and 0
    assert both == pytest.approx(12)
    _, _, along = keeper.add([second], keep=1)
    assert along == pytest.approx((12, 3))
    with weights.at(-0.5, 2.0):
        assert torch.equal(model.w.detach(), w * -2 + 2)
        assert not model.m.any()
    assert torch.equal(model.m, m)
    with pytest.raises(GenerationError, match="1 gradients are kept, so two rows of as many"):
        keeper.combine([[1, 0], [0, 1]])


def test_a_gradient_tells_how_the_loss_changes_along_the_directions(folder: Path) -> None:
    with opened("hf", folder, {"threads": 1, "dtype": "float32"}) as bench:

        async def act(weights: HeldWeights) -> tuple[Any, ...]:
            await weights.set_random(2, "tensor")
            found = await weights.gradient(TEXTS, keep=1)
            step = 1e-3
            ends = [await weights.losses(*at, TEXTS) for at in ((step, 0), (-step, 0), (0, step), (0, -step))]
            means = [sum(losses) / len(losses) for losses in ends]
            return found, ((means[0] - means[1]) / (2 * step), (means[2] - means[3]) / (2 * step))

        found, slopes = within(bench, act)
        assert found.along == pytest.approx(slopes, rel=0.02, abs=0.02)


def test_a_failure_or_a_cancelled_call_leaves_the_weights_as_they_were(bench: Bench) -> None:
    model = model_of(bench)
    before = bits(model)

    async def fail(weights: HeldWeights) -> None:
        await weights.set_random(0, "tensor")
        forward = model.forward
        model.forward = lambda **_: 1 / 0
        try:
            with pytest.raises(ZeroDivisionError):
                await weights.losses(0.5, 0.5, TEXTS)
        finally:
            model.forward = forward
        assert same(before, model)
        running = asyncio.create_task(weights.losses(0.5, 0.5, TEXTS * 20))
        await asyncio.sleep(0.002)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await weights.losses(0, 0, TEXTS)  # after the one that nobody waits for any more
        assert same(before, model)
        raise KeyError("out")

    with pytest.raises(KeyError, match="out"):
        within(bench, fail)
    assert same(before, model)


def test_weights_that_are_not_put_back_are_an_error(folder: Path) -> None:
    with opened("hf", folder, {"threads": 1}) as bench:

        async def spoil(_: HeldWeights) -> None:
            with torch.no_grad():
                model_of(bench).model.norm.weight[0] += 1

        with pytest.raises(ModelError, match="were not put back: their digest is"):
            within(bench, spoil)


def test_a_draw_waits_for_the_weights_and_equals_one_without_them(bench: Bench) -> None:
    request = bench.prompt("12"), params(max_tokens=60, seed=4, temperature=1.0)
    alone = bench.draw(request)[0]

    async def act(weights: HeldWeights) -> Any:
        await weights.set_random(0, "tensor")
        drawing = asyncio.create_task(bench.backend.generate(*request))
        while not drawing.done():
            await weights.losses(1, 1, TEXTS)
        return await drawing

    assert within(bench, act).token_ids == alone.token_ids


def test_the_weights_are_held_by_one_and_not_swapped_meanwhile(bench: Bench, folder: Path, tmp_path: Path) -> None:
    other = variant(folder, tmp_path / "other", seed=1)

    async def act(_: HeldWeights) -> None:
        with pytest.raises(ModelError, match="being moved already"):
            async with bench.backend.movable_weights():  # type: ignore[attr-defined]
                pass
        from raml_eval.checkpoint import find_checkpoint

        with pytest.raises(SwapRefused, match="are being moved"):
            await bench.backend.swap_weights(find_checkpoint(str(other)))  # type: ignore[attr-defined]

    within(bench, act)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (Scored((1, 2), 2), "2 of 2 tokens are to be scored"),
        (Scored((1, 2), 0), "0 of 2 tokens"),
        (Scored((1, 99_999), 1), "ids from 1 to 99999 does not fit"),
        (Scored((1,) * 20_000, 1), "a sequence of 20000 tokens"),
    ],
)
def test_a_sequence_that_cannot_be_scored_is_refused(bench: Bench, text: Scored, message: str) -> None:
    async def act(weights: HeldWeights) -> None:
        await weights.losses(0, 0, [text])

    with pytest.raises(GenerationError, match=message):
        within(bench, act)


def test_directions_are_wanted_before_the_weights_can_go_anywhere(bench: Bench) -> None:
    async def act(weights: HeldWeights) -> None:
        await weights.losses(0.1, 0, TEXTS)

    with pytest.raises(GenerationError, match="no directions are set"):
        within(bench, act)
