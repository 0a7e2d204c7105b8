"""What is wrong with a file that a person wrote and a pydantic model describes, in the words of the file's own format."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from raml_eval.errors import near_names

Place = tuple[int | str, ...]
MOST = 6  # faults that are told
SHOWN = 60  # characters of a value that is met
_WANTED: Mapping[str, str] = {
    "string_type": "a text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "none_required": "null",
    "string_unicode": "a text without halves of characters",
    "string_too_short": "a text that is not empty",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
    "too_short": "at least {min_length}",
    "too_long": "at most {max_length}",
}


def faults(
    error: ValidationError,
    model: type[BaseModel],
    renamed: Mapping[str, str] | None = None,
    name_place: Callable[[Place], str] | None = None,
) -> str:
    """Everything that is wrong, in one line without a full stop: each key, the value met and the one wanted.

        After an unknown key stand those that resemble it, and at the end the keys that there are. renamed says what became of
    keys of the top that once were; name_place is how errors write a place in the file, "samples.0.text" unless given.

        Example: "unknown key 'colums'. Did you mean columns?; samples is 0, wanted 1 or more. Keys: title, samples, columns"
    """
    path_of = name_place or _path
    every = error.errors(include_url=False)
    # A list whose entries are wrong is also told to be too short, as if they were not there.
    inner = {detail["loc"][:length] for detail in every for length in range(len(detail["loc"]))}
    details = [detail for detail in every if detail["type"] != "too_short" or detail["loc"] not in inner]
    found = list(dict.fromkeys(_fault(detail, model, renamed or {}, path_of(detail["loc"])) for detail in details))
    told = "; ".join([*found[:MOST], *([f"and {len(found) - MOST} more"] if len(found) > MOST else [])])
    parts: dict[str, type[BaseModel]] = {}
    for detail in details:
        place = detail["loc"]
        if detail["type"] == "extra_forbidden" and not (len(place) == 1 and place[0] in (renamed or {})):
            parts.setdefault(path_of(place[:-1]), section_of(model, place[:-1]))
    keys = [f"Keys{f' of {path}' if path else ''}: {', '.join(part.model_fields)}" for path, part in parts.items()]
    stop = "" if told.endswith("?") or not keys else "."
    return " ".join([told + stop, ". ".join(keys)]).strip()


def wanted(detail: Mapping[str, Any], model: type[BaseModel] | None = None) -> str:
    """What a value should have been, as in "a whole number".

    A pattern is told by the description of the model's field, because nobody should have to read a regular expression.
    """
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "")
    if kind in ("model_type", "model_attributes_type"):
        part = None if model is None else section_of(model, detail["loc"])
        return "keys and values" if part is None else f"keys and values, such as {', '.join(list(part.model_fields)[:4])}"
    if kind == "string_pattern_mismatch" and model is not None:
        field = section_of(model, detail["loc"][:-1]).model_fields.get(str(detail["loc"][-1]))
        if field is not None and field.description:
            return field.description
    if kind == "string_type" and isinstance(detail["input"], int | float) and not isinstance(detail["input"], bool):
        return "a text, in quotes"
    form = _WANTED.get(kind)
    return form.format(**context) if form else f"otherwise: {' '.join(str(detail['msg']).split()).lower()}"


def show_value(value: Any) -> str:
    """The value as YAML and JSON write it, on one line and not too long. What neither has is shown as Python writes it.

    Example: show_value(None) == "null"
    """
    if isinstance(value, str) or (isinstance(value, float) and not math.isfinite(value)):
        return f"{value!r:.{SHOWN}}"
    try:
        return f"{json.dumps(value, ensure_ascii=False):.{SHOWN}}"
    except (TypeError, ValueError, RecursionError):
        return f"{value!r:.{SHOWN}}"


def section_of(model: type[BaseModel], place: tuple[int | str, ...]) -> type[BaseModel]:
    """The part of the model that describes what stands at a place of the file; the last one known on the way there."""
    section = model
    for key in place:
        field = section.model_fields.get(str(key))
        if field is not None:
            section = _model_in(field.annotation) or section
    return section


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _model_in(inner))), None)


def _fault(detail: Any, model: type[BaseModel], renamed: Mapping[str, str], path: str) -> str:
    place = detail["loc"]
    match detail["type"]:
        case "extra_forbidden":
            if len(place) == 1 and place[0] in renamed:
                return f"{path} is now {renamed[str(place[0])]}"
            known = section_of(model, place[:-1]).model_fields
            return f"unknown key {path!r}.{near_names(str(place[-1]), known)}".rstrip(".")
        case "missing":
            return f"{path} is missing"
        case "value_error":
            return f"{f'{path}: ' if path else ''}{str(detail['ctx']['error']).rstrip('.')}"
    near = ""
    if detail["type"] == "literal_error" and isinstance(detail["input"], str):
        found = near_names(detail["input"], re.findall(r"'([^']+)'", detail["ctx"]["expected"]))
        near = found and f" ({found.strip().replace('Did', 'did')})"
    return f"{path or 'it'} is {show_value(detail['input'])}, wanted {wanted(detail, model)}{near}"


def _path(place: Place) -> str:
    return ".".join(str(part) for part in place)
