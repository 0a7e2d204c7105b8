"""Finds a checkpoint, reads its JSON files, and tells its fingerprint and its step."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from raml_eval.errors import ModelError
from raml_eval.fingerprint import Fingerprint, check_same, take_fingerprint
from raml_eval.yaml_text import read_yaml

POCKET = "pocket"
RECORD = "checkpoint.yaml"  # written by whoever trained the checkpoint; nothing in it alters a sample
# Everything but the weights: configuration, tokenizer in any of its forms, chat template, record.
_LIGHT_FILES = ("*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken", RECORD)
_VOCABULARIES = ("tokenizer.json", "tokenizer.model", "vocab.*", "*.tiktoken")
# A number after one of these words, or a name that is a number, but no date. 1e3 and 1.5 are no steps.
_STEP = re.compile(
    r"(?:^|[-_.])(?:checkpoint|ckpt|(?:global_?)?step|iter(?:ation)?)[-_]?(\d+)(?:$|[-_]|\.(?!\d))|^(\d{1,7})$", re.IGNORECASE
)
# Where trainers put the model below the step's folder. A folder of any other name stands for itself.
_BELOW = re.compile(
    "actor|critic|policy|(hf_?|pytorch_)?models?|huggingface|hf|(lora_?)?adapter|lora|weights|merged|consolidated",
    re.IGNORECASE,
)
ADAPTER = "adapter_config.json"
_SHIPPED = resources.files("raml_eval") / POCKET


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint that was found. source is what an engine loads: the path of a folder, or a hub id with its revision.

    adapter is the folder of a LoRA adapter, which stands on top of the checkpoint in source.
    """

    source: str
    revision: str | None = None
    adapter: str | None = None

    @property
    def origin(self) -> str:
        """Where the checkpoint comes from: hub, folder, or package for the one that ships."""
        if self.source == str(_SHIPPED):
            return "package"
        return "folder" if Path(self.source).is_dir() else "hub"

    @property
    def folder(self) -> Path:
        """The local folder with the configuration and the tokenizer. For a hub id they are downloaded, without the weights.

        If the hub cannot be reached, the cached copy is used, or ModelError is raised; the hub is asked once per process.
        The folder of a hub id is named after the commit.
        """
        folder = Path(self.source)
        return folder.resolve() if folder.is_dir() else _download(self.source, self.revision)

    @property
    def tokenizer_folder(self) -> Path:
        """The folder with the tokenizer: an adapter's own if one was saved beside it, as trainers do, otherwise folder."""
        own = Path(self.adapter) if self.adapter else self.folder
        has_own = (own / "tokenizer_config.json").is_file() and any(any(own.glob(name)) for name in _VOCABULARIES)
        return own.resolve() if has_own else self.folder

    def at_hand(self) -> Checkpoint | None:
        """The checkpoint if this machine holds it: a folder, or a hub id in the cache. None otherwise; the hub is not asked."""
        if Path(self.source).is_dir():
            return self
        from huggingface_hub import snapshot_download

        try:
            folder = snapshot_download(self.source, revision=self.revision, local_files_only=True)
        except (OSError, ValueError):  # not in the cache; not a hub id
            return None
        return Checkpoint(folder, adapter=self.adapter)

    def read_json(self, name: str) -> dict[str, Any]:
        """The object in one of the folder's JSON files, or an empty dict if there is no such file."""
        path = self.folder / name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} cannot be read ({first_line(error)}). Repair or remove it.") from error
        if not isinstance(content, dict):
            raise ModelError(f"{path} holds a {type(content).__name__}, not an object. Repair or remove it.")
        return content

    def read_record(self) -> dict[str, Any]:
        """What checkpoint.yaml says about the checkpoint's training, such as its step; an empty dict if there is no such file.

        Every key is kept; step, if it is given, is an integer from 0 on, and if it is not, the number in the folder's name, as
        in checkpoint-500. The file is not a part of digest(): a model counts by its content. Raises ModelError if the file
        cannot be read, or holds something else.

        Example: step: 500 with base: org/model and paradigm: sft gives {"step": 500, "base": "org/model", "paradigm": "sft"}
        """
        path = (Path(self.adapter) if self.adapter else self.folder) / RECORD
        known = step_of_path(self.adapter or (self.source if Path(self.source).is_dir() else self.revision or ""))
        named = {} if known is None else {"step": known}
        wanted = "wanted keys and values such as step: 500. Repair or remove it."
        try:
            record = read_yaml(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return named
        except (OSError, ValueError) as error:
            raise ModelError(f"{path} cannot be read ({first_line(error)}); {wanted}") from error
        if not isinstance(record, dict) or not all(isinstance(key, str) for key in record):
            raise ModelError(f"{path} holds {record!r:.60}; {wanted}")
        step = record.get("step", 0)
        if type(step) is not int or step < 0:
            raise ModelError(f"{path} has step {step!r:.60}; wanted an integer from 0 on, such as step: 500. Correct it.")
        try:
            json.dumps(record, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ModelError(
                f"{path} holds a value that JSON does not have ({first_line(error)}), and a run stores it as JSON. Quote it."
            ) from error
        return named | record

    def check_config(self) -> None:
        """Raises ModelError, within seconds, if there is no config.json that an engine could load."""
        if not (self.folder / "config.json").is_file():
            raise ModelError(f"model {self.source} has no config.json, so it is not a checkpoint. Give one that has it.")

    def fingerprint(self) -> Fingerprint:
        """The fingerprint of the checkpoint's files (take_fingerprint). With an adapter, it changes with either of the two.

        A hub id's weights are not read: the commit, which names its folder, stands for them.
        """
        own = take_fingerprint(self.folder, with_weights=Path(self.source).is_dir())
        if self.adapter is None:
            return own
        added = take_fingerprint(Path(self.adapter))
        both = hashlib.sha256(f"{own.digest} {added.digest}".encode()).hexdigest()[:16]
        return Fingerprint(both, {**own.stamps, **added.stamps})

    def digest(self) -> str:
        """The fingerprint's 16 hex digits."""
        return self.fingerprint().digest

    def check_unchanged(self, since: Fingerprint) -> None:
        """Raises ModelError, naming the files, if they are others than when the fingerprint was taken."""
        check_same(since, self.fingerprint())

    def adapter_digest(self) -> str:
        """The digest of the adapter's folder alone."""
        return take_fingerprint(Path(self.adapter or self.source)).digest

    def pinned(self) -> Checkpoint:
        """The checkpoint with the commit of a hub id as its revision, so that an engine loads what was fingerprinted."""
        return self if Path(self.source).is_dir() else replace(self, revision=self.folder.name)


def step_of_path(path: str) -> int | None:
    """The training step in the name of a checkpoint's folder, or of the one in which a trainer has put it; None without one.

    Example: step_of_path("run/global_step_500/actor") == step_of_path("checkpoint-500") == step_of_path("iter_2/500") == 500
    """
    for part in list(reversed(Path(path).parts))[:3]:
        if match := _STEP.search(part):
            return int(match[1] or match[2])
        if not _BELOW.fullmatch(part):
            break
    return None


def find_checkpoint(model: str | Path, revision: str | None = None, adapter: str | Path | None = None) -> Checkpoint:
    """The checkpoint of a folder, of a hub id, or of the name `pocket`, which ships with the package.

    With adapter, the LoRA adapter in that folder stands on top of it. A folder that holds only an adapter stands for that
    adapter on the base that its adapter_config.json names. revision is the base's; if it is not given, a hub id that the
    adapter names has the revision that the adapter names, too. A folder named pocket that holds a config.json takes precedence
    over the checkpoint that ships. A hub id is looked up only when its files are needed. Raises ModelError for a file, for a
    path that does not exist, and for an adapter that is none or that names no base.

    Example: find_checkpoint("Qwen/Qwen3-0.6B").source == "Qwen/Qwen3-0.6B"
    """
    folder = Path(model).expanduser()
    if adapter is not None:
        if not (Path(adapter).expanduser() / ADAPTER).is_file():
            raise ModelError(f"adapter {adapter} has no {ADAPTER}, so it is not an adapter's folder. Give one that peft saved.")
        if is_adapter_folder(folder):
            raise ModelError(f"model {model} is itself an adapter, and --adapter {adapter} needs a whole model. Give the base.")
        trained_on = Checkpoint(str(Path(adapter).expanduser())).read_json(ADAPTER)
        if revision is None and not folder.is_dir() and str(model) == trained_on.get("base_model_name_or_path"):
            revision = trained_on.get("revision")
        return replace(find_checkpoint(model, revision), adapter=str(Path(adapter).expanduser()))
    if model == POCKET and not (Path(model) / "config.json").is_file():  # --out pocket makes a folder that is no checkpoint
        return Checkpoint(str(_SHIPPED), revision)
    if is_adapter_folder(folder):
        return find_checkpoint(_base_of(folder), revision, folder)
    if folder.is_dir():
        return Checkpoint(str(folder), revision)
    if folder.exists():
        raise ModelError(f"model {model} is a file; a model is a folder with config.json and a tokenizer, or a hub id.")
    if isinstance(model, Path) or model.startswith((".", "/", "~")) or model.count("/") > 1:
        raise ModelError(f"model {model} does not exist. Check the path, or give a hub id such as OWNER/NAME.")
    return Checkpoint(model, revision)


def is_adapter_folder(folder: Path) -> bool:
    """True for a folder that holds an adapter and no model of its own."""
    return (folder / ADAPTER).is_file() and not (folder / "config.json").is_file()


def _base_of(folder: Path) -> str:
    """The base that an adapter was trained on, as it says; a path beside the adapter is understood too."""
    base = Checkpoint(str(folder)).read_json(ADAPTER).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise ModelError(
            f"{folder / ADAPTER} names no base_model_name_or_path. Give the base as --model and this as --adapter."
        )
    beside = folder / base
    return str(beside) if not Path(base).is_absolute() and (beside / "config.json").is_file() else base


@cache
def _download(model: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    start = f"model {model} is not a folder here, and"
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(_LIGHT_FILES)))
    except HFValidationError as error:
        raise ModelError(f"{start} it is not a hub id either. Give the path of a model folder, or OWNER/NAME.") from error
    except GatedRepoError as error:
        raise ModelError(f"{start} it is gated on the hub. Accept its terms there and log in (hf auth login).") from error
    except RepositoryNotFoundError as error:
        raise ModelError(f"{start} the hub has no model of that name. Check it, or log in if it is private.") from error
    except RevisionNotFoundError as error:
        raise ModelError(f"model {model} has no revision {revision!r} on the hub. Check --revision.") from error
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"{start} the hub cannot be reached and no copy is cached. Check the network and HF_ENDPOINT, or download the "
            f"model elsewhere and give its folder."
        ) from error
    except HfHubHTTPError as error:
        raise ModelError(f"{start} the hub failed: {first_line(error)}. Try again later.") from error


def first_line(error: BaseException) -> str:
    """The first line of an error's text, without its full stop."""
    return str(error).strip().split("\n", 1)[0].rstrip(".")
