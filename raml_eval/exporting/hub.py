"""Pushes a run to the hub as a data set, through huggingface_hub."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from raml_eval.errors import ConfigError, InputError, writing
from raml_eval.exporting.card import write_card
from raml_eval.exporting.dataset import TABLES, Passing, write_tables
from raml_eval.exporting.shared import Shared
from raml_eval.redaction import without_secrets

TOKEN = "HF_TOKEN"
_PART = r"[A-Za-z0-9](?:[\w.-]{0,94}\w)?"
_REPO_ID = re.compile(rf"(?!.*(?:--|\.\.|\.git\Z)){_PART}/{_PART}", re.ASCII)  # as huggingface_hub checks it


def write_dataset(shared: Shared, repo_id: str, folder: Path, passing: Passing) -> list[Path]:
    """The folder holds everything that a push sends: README.md and data/*.parquet. It must be empty or missing.

    Raises ConfigError for an unusable repo_id or folder, InputError if a file cannot be written or would hold a secret.
    """
    if not _REPO_ID.fullmatch(repo_id):
        raise ConfigError(
            f"the repository is {repo_id!r}; wanted OWNER/NAME as the hub allows it, such as my-group/my-run-samples."
        )
    passing.check(shared.run)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"{folder} exists and is not an empty folder. Remove it, or name another.")
    rows = write_tables(shared, folder, passing)
    card = folder / "README.md"
    with writing(card, "Choose a writable place with room."):
        card.write_text(write_card(shared, repo_id, rows, passing), encoding="utf-8")
    paths = [card, *(folder / "data" / f"{table}.parquet" for table in TABLES)]
    _check_no_secret(paths, shared)
    return paths


def _check_no_secret(paths: Sequence[Path], shared: Shared) -> None:
    """Raises InputError if a file holds the user's token, or the card a path of this machine."""
    token = os.environ.get(TOKEN, "")
    for path in paths:
        if path.suffix == ".parquet":
            if token and _parquet_holds(path, token):
                raise InputError(
                    f"{path.name} holds the value of {TOKEN}, in a text of the run. Nothing was pushed; change the token."
                )
            continue
        text = path.read_text(encoding="utf-8")
        for what, secret in (
            (TOKEN, token),
            ("the run's path", str(shared.run.directory.resolve())),
            ("the home", str(Path.home())),
        ):
            if len(secret) > 5 and secret in text:
                raise InputError(
                    f"{path.name} would hold {what}, and nothing was pushed. Rename what contains it, or report it."
                )


def _parquet_holds(path: Path, secret: str) -> bool:
    import pyarrow as pa
    from pyarrow import compute, parquet

    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches():
            texts = [column for column in batch.columns if pa.types.is_string(column.type)]
            if any(compute.any(compute.match_substring(column, secret)).as_py() for column in texts):
                return True
    return False


def push_dataset(shared: Shared, repo_id: str, passing: Passing, private: bool = False) -> str:
    """The data set is on the hub (HF_ENDPOINT says which), in one commit; returns its address.

    The token is that of the environment variable HF_TOKEN. Raises ConfigError without one, InputError if the hub refuses, or
    if private is asked for and the repository is a public one.
    """
    token = os.environ.get(TOKEN)
    if not token:
        raise ConfigError(
            f"pushing needs a token that may write, and {TOKEN} is not set. Set it, or write the files only: --folder."
        )
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "dataset"
        write_dataset(shared, repo_id, folder, passing)
        try:
            return _upload(shared, repo_id, folder, token, private)
        except (InputError, KeyboardInterrupt):
            raise
        except Exception as error:  # the library raises errors of its own, of its HTTP client and of the uploader
            why = str(without_secrets(" ".join(str(error).replace(token, "[token]").split())))
            raise InputError(
                f"the hub did not take {repo_id} ({type(error).__name__}: {why[:300]}). Check HF_ENDPOINT, the name and what "
                f"the token may do, and push again."
            ) from error


def _upload(shared: Shared, repo_id: str, folder: Path, token: str, private: bool) -> str:
    from huggingface_hub import HfApi

    api: Any = HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None, token=token)
    api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
    if private and api.repo_info(repo_id, repo_type="dataset").private is not True:
        raise InputError(
            f"{repo_id} exists and is public, but --private was given; nothing was pushed. Name another repository."
        )
    message = f"Samples of run {without_secrets(shared.run.name)}"
    done = api.upload_folder(repo_id=repo_id, folder_path=folder, repo_type="dataset", commit_message=message)
    return str(done.commit_url or f"{api.endpoint}/datasets/{repo_id}")
