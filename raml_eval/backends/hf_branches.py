"""One forward pass over sequences with branches: a continuation attached at many positions of each, by an attention mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
from transformers.cache_utils import Cache

from raml_eval.backends.hf_batch import cache_argument
from raml_eval.protocols import PositionScores
from raml_eval.types import TokenIds

_LOGITS = 2**24  # float32 logits that are normalised at once: 64 MiB


@dataclass(slots=True, eq=False)
class ScoreRequest:
    """One call of score_at, with the rows that it has so far, and the future that gets its scores.

    Its sequence, as far as the last branch needs it, is the trunk. A branch is what has to be computed behind one position: the
    continuation without its last token, which predicts nothing. If the continuation's first token is scored, the branch
    begins one token earlier, with the trunk's last token, which predicts it. So all that is scored is predicted by branches.
    """

    token_ids: TokenIds
    positions: tuple[int, ...]
    continuation_ids: TokenIds
    n_scored: int
    future: Future[PositionScores]
    rows: list[tuple[float, ...]] = field(default_factory=list)
    n_trunk: int = 0  # tokens of the trunk that are in the cache
    n_forwarded: int = 0

    @property
    def lead(self) -> int:
        return int(self.n_scored == len(self.continuation_ids))

    @property
    def branch_length(self) -> int:
        return len(self.continuation_ids) - 1 + self.lead

    def attached_at(self, position: int) -> int:
        """The number of the trunk's tokens that the position's branch attends to."""
        return position - self.lead

    @property
    def n_tokens(self) -> int:
        """The tokens to compute, all in all."""
        return self.attached_at(self.positions[-1]) + len(self.positions) * self.branch_length


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a request that is computed in one pass: the trunk up to a token, and the branches of some positions."""

    request: ScoreRequest
    trunk_end: int
    positions: tuple[int, ...]

    @property
    def n_tokens(self) -> int:
        return self.trunk_end - self.request.n_trunk + len(self.positions) * self.request.branch_length


def next_piece(request: ScoreRequest, most: int) -> Piece:
    """What comes next of a request, in at most so many tokens. A branch is never cut, so one may take more."""
    left = request.positions[len(request.rows) :]
    n_fit = 0
    while n_fit < len(left):
        n_trunk = request.attached_at(left[n_fit]) - request.n_trunk
        if n_trunk + (n_fit + 1) * request.branch_length > most and (n_fit or n_trunk):
            break
        n_fit += 1
    if n_fit:
        return Piece(request, request.attached_at(left[n_fit - 1]), left[:n_fit])
    return Piece(request, min(request.n_trunk + most, request.attached_at(left[0])), ())


class Columns:
    """The tokens of one pass, one after another. Each attends to a beginning of its trunk, and to its own branch so far.

    Trunks and branches have numbers that are unique in the pass. A token's end says how much of its trunk it attends to.
    """

    def __init__(self, pieces: Sequence[Piece]) -> None:
        self.ids: list[int] = []
        self.positions: list[int] = []
        self.trunks: list[int] = []
        self.branches: list[int] = []  # 0 in a trunk
        self.ends: list[int] = []
        self.scored: list[int] = []  # the columns that predict a scored token
        self.targets: list[int] = []
        n_branches = 0
        for trunk, piece in enumerate(pieces):
            request, end = piece.request, piece.trunk_end
            self._add(request.token_ids[request.n_trunk : end], request.n_trunk, trunk, 0, 0)
            for position in piece.positions:
                at = request.attached_at(position)
                ids = (*request.token_ids[at:position], *request.continuation_ids[:-1])
                n_branches += 1
                self._add(ids, at, trunk, n_branches, at)
                n = len(self.ids)
                self.scored += range(n - request.n_scored, n)
                self.targets += request.continuation_ids[-request.n_scored :]

    def _add(self, ids: Sequence[int], start: int, trunk: int, branch: int, end: int) -> None:
        places = range(start, start + len(ids))
        self.ids += ids
        self.positions += places
        self.trunks += [trunk] * len(ids)
        self.branches += [branch] * len(ids)
        self.ends += [end] * len(ids) if branch else [place + 1 for place in places]

    def masks(self, n_cached: int, windows: Sequence[int | None], dtype: torch.dtype, device: Any) -> list[torch.Tensor]:
        """For each attention window, what is added to the attention's scores, (columns, n_cached + columns).

        It is 0 where a column attends to a key, and the least number elsewhere. None is no window. The cached keys are the
        beginning of the only trunk, to all of which every column attends but for a window. So only new keys are compared,
        which costs the same in each pass however long the trunk is.
        """
        made = [
            torch.tensor(values, dtype=torch.int32, device=device)
            for values in (self.positions, self.trunks, self.branches, self.ends)
        ]
        positions, trunks, branches, ends = (values[:, None] for values in made)
        key_positions, key_trunks, key_branches = made[:3]
        on_trunk = (key_branches == 0) & (key_trunks == trunks) & (key_positions < ends)
        on_branch = (branches > 0) & (key_branches == branches) & (key_positions <= positions)
        hidden = ~(on_trunk | on_branch)
        found, least = [], torch.finfo(dtype).min
        for window in windows:
            mask = torch.zeros(len(self.ids), n_cached + len(self.ids), dtype=dtype, device=device)
            mask[:, n_cached:].masked_fill_(hidden, least)
            if window is not None:
                keys = torch.cat([torch.arange(n_cached, dtype=torch.int32, device=device), key_positions])
                mask.masked_fill_(keys <= positions - window, least)
            found.append(mask)
        return found


def compute(
    model: Any, pieces: Sequence[Piece], cache: Cache | None, windows: Mapping[str, int | None]
) -> list[list[tuple[float, ...]]]:
    """The rows of each piece's positions: log-probabilities in nats of the scored tokens.

    With a cache, there is one piece, and the cache holds the piece's trunk afterwards. windows holds the attention window of
    each kind of layer; a model of several kinds gets one mask for each.
    """
    n_cached = pieces[0].request.n_trunk if cache is not None else 0
    columns, device = Columns(pieces), model.device
    masks = [mask[None, None] for mask in columns.masks(n_cached, list(windows.values()), model.dtype, device)]
    if cache is not None:
        _crop(cache, n_cached)
    out = model(
        input_ids=torch.tensor([columns.ids], device=device),
        position_ids=torch.tensor([columns.positions], device=device),
        attention_mask=masks[0] if len(masks) == 1 else dict(zip(windows, masks, strict=True)),
        use_cache=cache is not None,
        logits_to_keep=torch.tensor(columns.scored or [0], device=device),
        **({} if cache is None else {cache_argument(type(model)): cache}),  # type: ignore[arg-type]
    )
    if cache is not None:
        _crop(cache, pieces[0].trunk_end)
    values = iter(_log_probabilities(out.logits[0], columns.targets))
    return [[tuple(next(values) for _ in range(piece.request.n_scored)) for _ in piece.positions] for piece in pieces]


def _crop(cache: Cache, length: int) -> None:
    """The cache holds so many columns: branches, or what a failed pass left, are forgotten."""
    for layer in cache.layers:
        layer.length = length


def _log_probabilities(logits: torch.Tensor, targets: Sequence[int]) -> list[float]:
    """The log-probability of one target for each row of the logits, in float32, a part of the rows at a time."""
    found: list[float] = []
    step = max(1, _LOGITS // logits.shape[-1])
    for start, end in pairwise([*range(0, len(targets), step), len(targets)]):
        chosen = torch.tensor(targets[start:end], device=logits.device)[:, None]
        found += logits[start:end].float().log_softmax(-1).gather(1, chosen)[:, 0].tolist()
    return found
