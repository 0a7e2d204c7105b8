"""The names of metrics are read into their parts, and nothing else is taken for one."""

import re

import pytest

from raml_eval.errors import ConfigError
from raml_eval.metric_names import EXAMPLES, MetricName, split_metric, what_is_wrong
from raml_eval.tables import parse_measure
from raml_eval.tables.measures import AVERAGE


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("avg@n", MetricName("avg@n")),
        ("pass@16", MetricName("pass@k", 16)),
        ("g_pass@8:.5", MetricName("g_pass@k", 8, 0.5)),
        ("mg_pass_normalized@3", MetricName("mg_pass_normalized@k", 3)),
        ("maj@1", MetricName("maj@k", 1)),
    ],
)
def test_a_name_has_parts(name: str, wanted: MetricName) -> None:
    assert split_metric(name) == wanted


@pytest.mark.parametrize("name", ["", "avg", "avg@8", "pass@0", "pass@k", "pass@8:0.5", "g_pass@8", "g_pass@8:2", "best@8"])
def test_other_texts_are_no_names(name: str) -> None:
    assert split_metric(name) is None


def test_every_example_is_a_name() -> None:
    assert all(split_metric(name) for name in EXAMPLES)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("g_pass@4", "TAU is missing"),
        ("g_pass@4:", "TAU is missing"),
        ("g_pass@4:3", "3 is no TAU.*from 0 to 1"),
        ("g_pass@4:-0.5", "-0.5 is no TAU"),
        ("pass@8:0.5", "belongs to g_pass only. Write pass@8"),
        ("maj@0", "0 is no K"),
        ("pass@k", "k is no K"),
        ("pass@", "nothing is no K"),
    ],
)
def test_what_is_wrong_with_a_near_miss_is_said(name: str, said: str) -> None:
    assert re.search(said, what_is_wrong(name) or "")


@pytest.mark.parametrize("name", [*EXAMPLES, "g_pass@4:1", "best@8", "avg", "avg@8", ""])
def test_right_names_and_other_texts_are_no_near_misses(name: str) -> None:
    assert what_is_wrong(name) is None


@pytest.mark.parametrize(
    ("name", "counts", "words"),
    [
        ("avg@16", {8}, "the runs have 8 samples per question. Write avg@n"),
        ("avg@8", {4, 8}, "the runs have 4 or 8 samples per question"),
        ("avg@8", set(), "Write avg@n, the mean over all samples"),
        ("avg@x", {8}, "Write avg@n"),
        ("avg@08", {8}, "Write avg@n"),
    ],
)
def test_an_average_is_named_by_the_samples_that_the_runs_have(name: str, counts: set[int], words: str) -> None:
    assert parse_measure("avg@8", {8}) == parse_measure("avg@n", counts) == AVERAGE
    with pytest.raises(ConfigError, match=f"there is no metric '{name}'.*{words}"):
        parse_measure(name, counts)
