"""How the settings of a stored diagnosis differ from those that are asked for, in the words of the command's options."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from raml_eval.wording import list_some

# What a person calls a setting: the option that sets it, or words.
LABELS: Mapping[str, str] = {
    "asked": "the questions",
    "backend": "--backend",
    "backend_args": "--backend-arg",
    "closing_after": "the text after the end of the thinking",
    "closing_ids": "what ends the thinking (token ids)",
    "definitions": "the version of the definitions",
    "delimiter": "--delimiter",
    "embeddings": "--embeddings",
    "given": "--given",
    "grader_version": "the grader's version",
    "introductions": "what introduces the gold",
    "lead": "--lead",
    "limit": "--limit",
    "model": "the model's digest",
    "n_questions": "--first",
    "plane": "--plane",
    "points": "--points",
    "protocol": "the run's protocol",
    "protocol_digest": "the run's protocol",
    "questions": "--question",
    "radius": "--radius",
    "scale": "--scale",
    "seed": "--seed",
    "steps": "--steps",
    "stride": "--stride",
    "tasks": "--task",
    "texts": "the gold answers and what stands before them",
    "tolerance": "--tolerance of --adaptive",
}
_LONGEST = 60  # characters of a value that is told


def tell_differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Each setting that differs, with both values in words; empty if none does.

    Example: tell_differences({"stride": 8}, {"stride": 4}) == ["--stride is 8 there and 4 here"]
    """
    told = []
    for key in sorted({*there, *here}):
        old, new = there.get(key), here.get(key)
        if old == new:
            continue
        label = LABELS.get(key, f"the {key.replace('_', ' ')}")
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            inner = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
            told += [_tell(f"{label} ({name})", old.get(name), new.get(name)) for name in inner]
        else:
            told.append(_tell(label, old, new))
    return told


def _tell(label: str, old: Any, new: Any) -> str:
    return f"{label} is {in_words(old)} there and {in_words(new)} here"


def in_words(value: Any) -> str:
    """The value of a setting as a reader of an error understands it; what is long or nested is a digest.

    Example: in_words(None) == "not given" and in_words(["a", "b"]) == "a, b"
    """
    if value is None or value in ([], {}, ()):
        return "not given"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return f"{value}"
    if isinstance(value, str) and len(value) <= _LONGEST:
        return repr(value)
    if isinstance(value, list | tuple) and all(isinstance(one, str | int | float) for one in value):
        text = ", ".join(map(str, value))
        if len(text) <= _LONGEST:
            return text
    digest = hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=4).hexdigest()
    if isinstance(value, list) and all(isinstance(one, str) and len(one) <= _LONGEST for one in value):
        return f"{list_some(value, 2)} (digest {digest})"
    return f"other (digest {digest})"
