"""The names of metrics are read into their parts, and nothing else is taken for one."""

import pytest

from raml_eval.metric_names import EXAMPLES, MetricName, split_metric


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
