"""Parts of a run that are read when they are asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from raml_eval.columns import columns_of
from raml_eval.lazy import LazyMapping, LazyRecords, records_of, samples_of
from tests.factory import by_row, make_run

RUN = make_run(by_row(lambda row: row % 5))


def never() -> tuple[()]:
    raise AssertionError("was read")


def test_records_are_read_only_when_one_is_asked_for() -> None:
    samples = columns_of(RUN.records, RUN.classes)
    unread = LazyRecords(samples, never)
    assert len(unread) == len(RUN.records)
    assert samples_of(replace(RUN, records=unread)) is samples
    with pytest.raises(AssertionError, match="was read"):
        unread[0]
    records = LazyRecords(samples, lambda: RUN.records)
    assert (records[0], records[-2:], list(records)) == (RUN.records[0], RUN.records[-2:], list(RUN.records))
    assert records == RUN.records
    assert RUN.records == records
    assert records != RUN.records[1:]


def test_a_mapping_is_read_when_it_is_asked_for() -> None:
    n_read = []
    mapping = LazyMapping(lambda: n_read.append(1) or RUN.classes)
    assert n_read == []
    assert mapping == RUN.classes
    assert n_read


def test_a_run_in_memory_has_the_columns_of_its_records() -> None:
    assert len(samples_of(replace(RUN, records=RUN.records[3:]))) == len(RUN.records) - 3


def test_part_of_the_records_stays_unread() -> None:
    wanted = {key for key in RUN.questions if key[0] == "pocket_sort"}
    expected = records_of(RUN, wanted.__contains__)
    assert expected == tuple(r for r in RUN.records if r.key.task == "pocket_sort")
    samples, n_read = columns_of(RUN.records, RUN.classes), []
    run = replace(RUN, records=LazyRecords(samples, lambda: n_read.append(1) or RUN.records))
    part = records_of(run, wanted.__contains__)
    counted = samples_of(replace(run, records=part))
    assert [counted.key(row) for row in range(len(counted))] == [record.key for record in expected]
    assert n_read == []
    assert part == expected
