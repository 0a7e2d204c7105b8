"""What a run on completion servers refuses before it asks one: other weights than the server's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from raml_eval.config import RunConfig, build_config
from raml_eval.errors import ConfigError
from raml_eval.matrix import expand
from raml_eval.servers import check_settings
from tests.backend_bench import POCKET

URL = "http://127.0.0.1:9/v1"


def config(**changes: Any) -> RunConfig:
    return build_config(
        [{"model": str(POCKET), "backend": "openai_server", "base_url": URL, "tasks": "pocket_chain", **changes}]
    )


@pytest.mark.parametrize("by", ["adapter", "model"])
def test_an_adapter_is_refused_since_the_server_does_not_see_it(by: str, tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(POCKET)}))
    with pytest.raises(ConfigError, match=r"adapter .* would have no effect\. Serve the merged model"):
        check_settings(config(**{by: str(tmp_path)}))
    check_settings(config())


def test_several_models_on_one_server_are_refused(tmp_path: Path) -> None:
    asked = {"backend": "openai_server", "base_url": URL, "tasks": "pocket_chain", "out": str(tmp_path)}
    with pytest.raises(ConfigError, match=r"both a and b are asked for"):
        expand({**asked, "model": ["a", "b"]})
    assert len(expand({**asked, "model": ["a"], "matrix": {"sampling.temperature": [0, 1]}})) == 2
    assert len(expand({"backend": "hf", "tasks": "pocket_chain", "out": str(tmp_path), "model": ["a", "b"]})) == 2
