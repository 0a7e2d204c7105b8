"""The order in which a run that may stop early draws its questions: batches that are alike, of whole clusters."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from raml_eval.errors import ConfigError
from raml_eval.types import QuestionKey

LOOKS = 6  # benchmarks/until_decided.py: more looks save few samples, and the engine idles at the end of each batch
MOST_LOOKS = 50
FIRST = 0.25  # no look before this share of the questions: few clusters make poor intervals
_APART = 0.005  # looks that are closer are one

Batch = tuple[QuestionKey, ...]


def order_batches(clusters: Mapping[QuestionKey, str], n_looks: int = LOOKS, seed: int = 0) -> list[Batch]:
    """Every question once, in at most n_looks batches in an order that only the seed and the names decide.

    clusters holds the cluster of each question, named across tasks; its questions share a batch. The first batch holds FIRST
    of the questions and the others equal shares of the rest. Clusters are drawn in random order within each set of tasks
    that they touch, so every batch holds each task's questions in proportion, and the first one at least two clusters of
    each. Within a batch, questions are in the order given. A batch that would add too little is joined to the next.

    Raises ConfigError unless n_looks is from 1 to MOST_LOOKS.

    Example: order_batches({("a", "1"): "x", ("a", "2"): "y"}, n_looks=1) == [(("a", "1"), ("a", "2"))]
    """
    if not 1 <= n_looks <= MOST_LOOKS:
        raise ConfigError(f"--looks {n_looks} is not possible; wanted 1 to {MOST_LOOKS}. Leave it out for {LOOKS}.")
    steps = max(1, n_looks - 1)
    ends = [FIRST + (1 - FIRST) * step / steps for step in range(n_looks - 1)] + [1.0]
    place = _places(clusters, seed)
    batches: list[Batch] = []
    begun: set[str] = set()
    for end in ends:
        begun |= {cluster for cluster, at in place.items() if at <= end}
        taken = {key for batch in batches for key in batch}
        waiting = dict.fromkeys(key for key, cluster in clusters.items() if cluster in begun and key not in taken)
        if end == 1 or len(waiting) >= _APART * len(clusters):
            batches.append(tuple(waiting))
    if len(batches) > 1 and len(batches[-1]) < _APART * len(clusters):
        batches[-2:] = [(*batches[-2], *batches[-1])]
    return [batch for batch in batches if batch]


def _places(clusters: Mapping[QuestionKey, str], seed: int) -> dict[str, float]:
    """Where each cluster stands in the order, from 0 to 1: the middle of its questions among those of its kind."""
    members: defaultdict[str, list[QuestionKey]] = defaultdict(list)
    for key, cluster in clusters.items():
        members[cluster].append(key)
    kinds: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for cluster, keys in members.items():
        kinds[tuple(sorted({task for task, _ in keys}))].append(cluster)
    place: dict[str, float] = {}
    for names in kinds.values():
        names.sort(key=lambda name: _hash(f"batches/{seed}/{name}"))
        total, before = sum(len(members[name]) for name in names), 0
        for rank, name in enumerate(names):
            size = len(members[name])
            place[name] = 0.0 if rank < 2 else (before + size / 2) / total
            before += size
    return place


def order_digest(batches: Iterable[Sequence[QuestionKey]]) -> str:
    """SHA-256 (16 hex digits) of the batches, in which the order within a batch does not count."""
    return _hash("\n".join(",".join(sorted("/".join(key) for key in batch)) for batch in batches))[:16]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
