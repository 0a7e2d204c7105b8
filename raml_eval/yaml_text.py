"""YAML that a person wrote, read strictly: a key that occurs twice is an error, where PyYAML would take the last."""

from __future__ import annotations

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"):
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} occurs twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_yaml(text: str) -> Any:
    """The content of a YAML text. Raises ValueError, with the place and the reason in one line, if it cannot be read.

    Example: read_yaml("a: [1, 2]") == {"a": [1, 2]}
    """
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader: no objects are built
    except yaml.YAMLError as error:
        raise ValueError(_reason(error)) from error
    except RecursionError:
        raise ValueError("its brackets or blocks are nested too deep") from None


def kind_of(content: Any) -> str:
    """What a YAML text holds that holds no mapping, in words.

    Example: kind_of([1]) == "a list"
    """
    kinds = {type(None): "nothing", list: "a list", str: "a text", bool: "true or false", int: "a number", float: "a number"}
    return kinds.get(type(content), "a value")


def _reason(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None or problem is None:
        return " ".join(str(error).replace('in "<unicode string>", position', "at position").split())
    return f"line {mark.line + 1}, column {mark.column + 1}: {' '.join(problem.split())}"
