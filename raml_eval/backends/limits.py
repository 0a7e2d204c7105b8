"""What the engines refuse of the settings of a run, known without starting them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

# vLLM raises a lower temperature to the first of these, and refuses one above the second.
TEMPERATURES: Mapping[str, tuple[float, float]] = MappingProxyType({"vllm": (0.01, 2.0)})


def temperature_problem(backend: str, temperature: float) -> str:
    """Why the engine does not draw at this temperature, and what to do; empty if it does, or if its limits are not known.

    Example: temperature_problem("hf", 3.0) == ""
    """
    lowest, highest = TEMPERATURES.get(backend, (0.0, float("inf")))
    if temperature == 0 or lowest <= temperature <= highest:
        return ""
    return f"temperature is {temperature:g}; {backend} takes 0, or {lowest:g} to {highest:g}. Change it."
