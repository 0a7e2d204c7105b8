"""YAML that a person wrote, read strictly: a key that occurs twice is an error, where PyYAML would take the last."""

from __future__ import annotations

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = next((key for key in keys if keys.count(key) > 1 and key != "<<"), None)
        if twice is not None:
            raise yaml.MarkedYAMLError(problem=f"the key {twice!r} occurs twice", problem_mark=node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(text: str) -> Any:
    """The content of a YAML text. Raises ValueError, with the reason in one line, if it cannot be read.

    Example: read_yaml("a: [1, 2]") == {"a": [1, 2]}
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader: no objects are built
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from error
