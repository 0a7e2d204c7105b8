"""What a resumed session knows: sets of samples that are small, and trajectories that are read from their places."""

from __future__ import annotations

import asyncio
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raml_eval.errors import CorruptStore
from raml_eval.store import RunDirectory, read_run
from raml_eval.store.journal import encode_line
from raml_eval.store.lines import trajectory_line
from raml_eval.store.resuming import SampleSet, StoredThinking, line_number, read_samples, read_thinking
from raml_eval.types import SampleKey, ThinkingEnd, Trajectory
from tests.stored import Drawn, ask, store_run

KEY = SampleKey("sums", "0-abcdef", 0)
PAIRS = st.tuples(
    st.builds(SampleKey, st.sampled_from(["a", "b/c"]), st.sampled_from(["0-x", "1-x"]), st.sampled_from([-1, 0, 1, 7, 99999])),
    st.sampled_from([0, 64, "off", "unlimited", "thinking"]),
)


@given(st.lists(PAIRS), PAIRS)
def test_a_sample_set_is_a_set(pairs: list[tuple[SampleKey, int | str]], other: tuple[SampleKey, int | str]) -> None:
    found, wanted = SampleSet(), set()
    for pair in pairs:
        assert found.add(pair) == (pair not in wanted)
        wanted.add(pair)
    assert found == wanted
    assert len(found) == len(wanted)
    assert set(found) == wanted
    assert (other in found) == (other in wanted)


def test_a_sample_takes_a_few_bytes() -> None:
    tracemalloc.start()
    found = SampleSet((SampleKey("task", f"{row}", index), 64) for row in range(1000) for index in range(64))
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 64_000
    assert size / 64_000 < 16


def draw(index: int = 0, limit: int | None = 8, prompt: str = "thinking", ids: tuple[int, ...] = (1, 2)) -> Trajectory:
    limit_known = limit is not None
    return Trajectory(
        SampleKey("sums", "0-abcdef", index), limit, ids if limit_known else (), ThinkingEnd.LENGTH, (), "é", 3, prompt=prompt
    )


def write(path: Path, *drawn: Trajectory) -> StoredThinking:
    path.write_bytes(b"".join(encode_line(trajectory_line(one)) for one in drawn))
    return read_thinking(path)


def test_the_furthest_trajectory_of_a_draw_is_read(tmp_path: Path) -> None:
    drawn = draw(), draw(limit=64, ids=(1, 2, 3)), draw(limit=16), draw(index=1), draw(prompt="effort:low"), draw(2, None)
    found = write(tmp_path / "trajectories.jsonl", *drawn)
    assert found.get((KEY, "thinking")) == drawn[1]
    assert found.identity((KEY, "thinking")) == drawn[1].id
    assert found.at_limit(KEY, 16) == drawn[2]
    assert found.at_limit(KEY, 17) is None
    assert found.get((KEY, "effort:low")) == drawn[4]
    assert found.get((replace(KEY, index=2), "thinking")) == drawn[5]
    assert found.get((replace(KEY, index=3), "thinking")) is None
    assert (replace(KEY, index=1), "thinking") in found
    assert found.identities == {one.id for one in drawn}
    assert all(found.holds(one.key, one.id) for one in drawn)
    assert not found.holds(KEY, drawn[3].id)
    with pytest.raises(KeyError):
        found.identity((replace(KEY, index=3), "thinking"))


def test_a_trajectory_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "trajectories.jsonl"
    with pytest.raises(CorruptStore, match=r"trajectories\.jsonl:3 repeats sums/0-abcdef/0@8"):
        write(path, draw(), draw(index=1), draw(), draw(index=1))


@pytest.mark.parametrize("packed", ["AAAA", "eJwDAA", "!", "eJxjZGBgAAAABgAC"])
def test_token_ids_that_cannot_be_unpacked_are_found_before_anything_is_drawn(tmp_path: Path, packed: str) -> None:
    path = tmp_path / "trajectories.jsonl"
    path.write_bytes(
        encode_line(trajectory_line(draw())) + encode_line({**trajectory_line(draw(index=1)), "token_ids": packed})
    )
    with pytest.raises(CorruptStore, match=r"trajectories\.jsonl:2 is not of this file's schema"):
        read_thinking(path)


def test_a_line_that_changes_under_a_session_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trajectories.jsonl"
    found = write(path, draw(), draw(index=1))
    path.write_bytes(path.read_bytes().replace(b'"sample":1', b'"sample":x'))
    with pytest.raises(CorruptStore, match=r"trajectories\.jsonl:2 has changed since the session began"):
        found.get((replace(KEY, index=1), "thinking"))


def test_what_is_appended_is_found_at_once(tmp_path: Path) -> None:
    store_run(tmp_path, [ask(0, "1"), ask(1, "2")], [Drawn("1"), Drawn("2", question=1)])
    directory = RunDirectory(tmp_path)
    directory.load()
    assert set(directory.done) == {(record.key, record.budget) for record in read_run(tmp_path).records}
    directory.open(dict(directory.stored or {}))
    longer = draw(limit=128, ids=(4, 5, 6))
    asyncio.run(directory.append_trajectory(longer))
    assert directory.trajectories.get((KEY, "thinking")) == longer
    directory.close()
    assert read_thinking(tmp_path / "trajectories.jsonl").get((KEY, "thinking")) == longer


def test_samples_are_counted_and_their_thinking_is_looked_for(tmp_path: Path) -> None:
    store_run(tmp_path, [ask(0, "1")], [Drawn("1"), Drawn("2"), Drawn("3")])
    thinking = tmp_path / "trajectories.jsonl"
    kept = thinking.read_bytes().splitlines(keepends=True)
    thinking.write_bytes(kept[1])
    found = read_samples(tmp_path / "samples.jsonl", read_thinking(thinking))
    assert (len(found.done), found.n_leaks, found.last_session) == (3, 0, 0)
    assert (found.lacking, found.n_lacking) == ((KEY, "sums/0-abcdef/0@64"), 2)


def test_the_number_of_a_line_is_that_of_its_offset(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"ab\ncd\n\nef\n")
    assert [line_number(path, offset) for offset in (0, 3, 6, 7)] == [1, 2, 3, 4]
