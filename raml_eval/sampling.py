"""The sampling of a run beside what the checkpoint's own generation_config.json says."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from raml_eval.checkpoint import Checkpoint
from raml_eval.config import RunConfig, Sampling
from raml_eval.errors import ModelError
from raml_eval.model_faults import show_value, wanted
from raml_eval.progress import note

# What a generation_config.json leaves out is off, as vLLM reads it.
_OFF = {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}


def with_sampling(config: RunConfig, checkpoint: Checkpoint, quiet: bool = False) -> RunConfig:
    """The configuration with every sampling field set: an explicit one wins, the others are those of `sampling: model`.

    If the checkpoint says otherwise than what is used, a note shows both. Raises ModelError if the model's own sampling is
    asked for and it has none.
    """
    own = model_sampling(checkpoint)
    if config.sampling.source == "model":
        if not own:
            raise ModelError(
                f"sampling: model is asked for, but {checkpoint.source} has no generation_config.json with sampling settings. "
                f"Give them yourself, such as --temperature 0.6 --top-p 0.95."
            )
        given = config.sampling.model_dump(include=config.sampling.model_fields_set)
        # From here on every field is explicit, so that a resume and a report see what was used.
        try:
            sampling = Sampling.model_validate({**_OFF, **own, **given})
        except ValidationError as error:
            wrong = error.errors()[0]
            raise ModelError(
                f"generation_config.json of {checkpoint.source} has {wrong['loc'][0]} {show_value(wrong['input'])}, "
                f"wanted {wanted(wrong)}. Give that setting yourself, or correct the file."
            ) from None
        return config.model_copy(update={"sampling": sampling})
    used = config.sampling.model_dump(include=set(_OFF))
    differing = {name: value for name, value in own.items() if used[name] != value}
    if differing and not quiet:
        theirs = ", ".join(f"{name} {value:g}" for name, value in differing.items())
        ours = ", ".join(f"{name} {used[name]:g}" for name in differing)
        note(
            f"the checkpoint's own generation_config has {theirs}; this run uses {ours} (--sampling model takes the "
            f"checkpoint's)"
        )
    return config


def model_sampling(checkpoint: Checkpoint) -> dict[str, Any]:
    """The sampling that the checkpoint's generation_config.json asks for; empty if it asks for none.

    do_sample false without any other field is greedy.
    """
    content = checkpoint.read_json("generation_config.json")
    said = {name: content[name] for name in _OFF if type(content.get(name)) in (int, float)}
    if said.get("top_k") == -1:  # vLLM's word for off
        said["top_k"] = 0
    return {"temperature": 0.0} if content.get("do_sample") is False and not said else said
