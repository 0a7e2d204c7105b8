"""The names by which a metric that two runs can be compared by is asked for: avg@n, pass@8, g_pass@8:0.5 and so on."""

from __future__ import annotations

import re
from typing import NamedTuple

FAMILIES = ("pass", "g_pass", "mg_pass", "mg_pass_normalized", "maj")
EXAMPLES = ("avg@n", "pass@8", "g_pass@8:1.0", "mg_pass@8", "mg_pass_normalized@8", "maj@8")
_NAME = re.compile(r"(\w+)@([1-9]\d*)(?::(0?\.\d+|0|1(?:\.0*)?))?")

_NEARLY = re.compile(r"(\w+)@([^:@]*)(?::(.*))?")


class MetricName(NamedTuple):
    """The parts of a metric's name. metric is as the frame writes it: avg@n, pass@k, g_pass@k, ..."""

    metric: str
    k: int | None = None
    tau: float | None = None


def split_metric(name: str) -> MetricName | None:
    """The parts of avg@n, pass@K, g_pass@K:TAU, mg_pass@K, mg_pass_normalized@K or maj@K; None for another name.

    Example: split_metric("g_pass@8:0.5") == MetricName("g_pass@k", 8, 0.5)
    """
    if name == "avg@n":
        return MetricName(name)
    found = _NAME.fullmatch(name)
    if not found or found[1] not in FAMILIES or (found[3] is not None) != (found[1] == "g_pass"):
        return None
    return MetricName(f"{found[1]}@k", int(found[2]), None if found[3] is None else float(found[3]))


def what_is_wrong(name: str) -> str | None:
    """What is wrong with a name that begins as one with a K does; None for a name that is right, and for any other text.

    Example: what_is_wrong("pass@8:0.5") == "TAU belongs to g_pass only. Write pass@8."
    """
    found = _NEARLY.fullmatch(name)
    if split_metric(name) or not found or found[1] not in FAMILIES:
        return None
    family, k, tau = found[1], found[2], found[3]
    if not re.fullmatch(r"[1-9]\d*", k):
        example = "g_pass@8:0.5" if family == "g_pass" else f"{family}@8"
        return f"{k or 'nothing'} is no K. Write a whole number from 1 on, such as {example}."
    if family != "g_pass":
        return f"TAU belongs to g_pass only. Write {family}@{k}."
    what = f"{tau} is no TAU" if tau else "TAU is missing"
    return f"{what}, the share of the K samples that must be correct. Give a number from 0 to 1, such as g_pass@{k}:0.5."
