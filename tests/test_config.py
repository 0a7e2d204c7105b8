"""Presets, YAML, flags and --set become one checked configuration, or one clear error line."""

from pathlib import Path
from typing import Any

import pytest

from raml_eval.config import (
    FLAGS,
    build_config,
    flags_layer,
    load_preset,
    load_yaml,
    merge,
    parse_backend_args,
    parse_set,
    preset_names,
    setting_keys,
)
from raml_eval.errors import ConfigError

LEAST = {"model": "m", "tasks": "gsm8k"}


@pytest.mark.parametrize("name", preset_names())
def test_presets_are_valid(name: str) -> None:
    config = build_config([{"model": "m"}, load_preset(name)])
    assert config.tasks


def test_the_paper_preset_is_the_papers() -> None:
    config = build_config([load_preset("raml-paper"), {"model": "m"}])
    assert (config.sampling.temperature, config.sampling.top_p, config.sampling.top_k) == (1.0, 0.8, 50)
    assert (config.max_total_tokens, config.k, config.samples) == (16384, (8,), 32)


def test_later_layers_win_key_by_key() -> None:
    config = build_config([load_preset("pocket"), flags_layer(top_p=0.5), parse_set("sampling.temperature=0.8")])
    assert (config.sampling.temperature, config.sampling.top_p) == (0.8, 0.5)
    assert merge([{"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}]) == {"a": {"b": 3, "c": 2}}


@pytest.mark.parametrize(
    ("given", "budgets"),
    [
        ("256,512,1024", (256, 512, 1024)),
        ("off", ("off",)),
        ("0, unlimited", (0, "unlimited")),
        (16, (16,)),
        ([16, "off"], (16, "off")),
        ([False, 16], ("off", 16)),  # as YAML reads [off, 16]
        ("unlimited", ("unlimited",)),
    ],
)
def test_budgets_take_one_value_or_a_list(given: Any, budgets: tuple[Any, ...]) -> None:
    assert build_config([LEAST, flags_layer(thinking_budget=given)]).thinking.budgets == budgets


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"modle": "x", **LEAST}, "unknown key modle; did you mean model"),
        ({**LEAST, "sampling": {"temprature": 1}}, r"unknown key sampling\.temprature; did you mean sampling\.temperature"),
        ({**LEAST, "thinking_budget": 5}, r"did you mean thinking\.budgets"),
        ({"model": "m"}, "tasks is not given; pass --tasks"),
        ({**LEAST, "samples": 0}, "samples is 0"),
        ({**LEAST, "samples": "many"}, "samples is 'many'"),
        (
            {**LEAST, "thinking": {"budgets": "12,lots"}},
            "thinking budget 'lots' is not known; wanted a number of tokens, unlimited, off",
        ),
        ({**LEAST, "thinking": {"budgets": [-1]}}, "thinking budget -1"),
        ({**LEAST, "thinking": {"budgets": 1.5}}, r"thinking budget 1\.5"),
        ({**LEAST, "thinking": {"budgets": True}}, "thinking budget True"),
        ({**LEAST, "sampling": {"top_p": 1.5}}, r"sampling\.top_p is 1\.5"),
        ({**LEAST, "sampling": 3}, "sampling is 3"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        build_config([settings])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["temperature", "=1", "a..b=1", "a=[1"])
def test_a_bad_assignment(text: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        parse_set(text)


def test_engine_arguments_are_read_as_yaml() -> None:
    parsed = parse_backend_args(["tensor_parallel_size=2", "dtype=float32", "enforce_eager=true"])
    assert parsed == {"tensor_parallel_size": 2, "dtype": "float32", "enforce_eager": True}


def test_unknown_preset_has_near_names() -> None:
    with pytest.raises(ConfigError, match="Did you mean raml-paper"):
        load_preset("raml-papers")


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "\x00"])
def test_a_file_that_is_no_configuration(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"run\.yaml"):
        load_yaml(path)
    with pytest.raises(ConfigError, match="cannot read"):
        load_yaml(tmp_path / "absent.yaml")


def test_every_key_is_documented() -> None:
    page = (Path(__file__).resolve().parents[1] / "docs" / "configuration.md").read_text()
    for key in setting_keys():
        assert f"`{key}`" in page


def test_the_defaults_are_those_that_the_help_names() -> None:
    config = build_config([LEAST])
    assert (config.backend, config.samples, config.thinking.budgets, config.answer_tokens) == ("vllm", 1, ("unlimited",), 2048)
    assert config.sampling.model_dump() == {
        "source": "default", "temperature": 0.6, "top_p": 0.95, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0,
    }  # fmt: skip
    assert config.seed == 0


def test_every_flag_reaches_the_configuration() -> None:
    assert {"thinking_budget", "temperature", "min_p", "repetition_penalty", "system_prompt", "task_path"} <= FLAGS


def test_no_budget_at_all_is_told_with_its_key() -> None:
    with pytest.raises(ConfigError, match=r"configuration: thinking\.budgets is"):
        build_config([{"model": "m", "tasks": "t", "thinking": {"budgets": []}}])
