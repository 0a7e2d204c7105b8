"""Data sets from a hub: fetched with our own retries, read from the cache without a network, or refused within seconds.

huggingface_hub and datasets read HF_ENDPOINT, HF_HOME and HF_HUB_OFFLINE when they are imported, so they are imported late.
"""

from __future__ import annotations

import logging
import re
import ssl
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from raml_eval.errors import TaskError
from raml_eval.tasks.hub_client import ATTEMPTS, LONGEST_PAUSE_S, HubFailure, Patience, asked_pause, is_passing, patient_client
from raml_eval.wording import count_noun

PROBE_S = 3.0
_LOCAL_BUILDERS = {"json", "csv", "parquet", "arrow", "text"}
_NOISY = ("lm_eval", "lm-eval", "datasets", "huggingface_hub", "httpx", "httpx2", "fsspec", "filelock")

_mirror: ContextVar[Path | None] = ContextVar("mirror", default=None)


def fetch_dataset(task: str, dataset: str, config: str | None, arguments: Mapping[str, Any]) -> Any:
    """The data set as a DatasetDict, downloaded or from the cache. arguments are those of load_dataset.

    If arguments name data_files of a hub id, these files are read directly. A loading script in the data set is not run,
    because datasets no longer runs any.

    A request that fails in a way that may pass is tried again (hub_client), and so is the load if a connection breaks while a
    file is read; what is complete by then is not fetched again. If the hub asks for a pause of more than LONGEST_PAUSE_S, the
    fetch ends at once. Without a network, the cache is used. Raises TaskError if neither gives the rows.
    """
    from huggingface_hub import constants

    if (mirror := _mirror.get()) is not None and dataset not in _LOCAL_BUILDERS:
        return _fetch_from(mirror, task, dataset, config, arguments)
    if dataset in _LOCAL_BUILDERS and ("data_files" in arguments or "data_dir" in arguments):
        return _fetch(task, dataset, config, arguments)
    if constants.HF_HUB_OFFLINE:
        return _fetch(task, dataset, config, arguments, without_hub="HF_HUB_OFFLINE is set")
    if can_reach(constants.ENDPOINT):
        return _fetch(task, dataset, config, arguments, attempts=ATTEMPTS)
    with _offline():
        return _fetch(task, dataset, config, arguments, without_hub=f"{constants.ENDPOINT} cannot be reached")


@contextmanager
def local_mirror(folder: Path | None) -> Iterator[None]:
    """Inside, hub ids are read from the folder, in which OWNER/NAME holds the files of the data set; None: from the hub."""
    token = _mirror.set(folder)
    try:
        yield
    finally:
        _mirror.reset(token)


def _fetch_from(mirror: Path, task: str, dataset: str, config: str | None, arguments: Mapping[str, Any]) -> Any:
    """The data set from a folder with its files as on the hub. A revision is not looked at: a folder has only one.

    It is read anew each time: the cache of datasets takes two folders whose last names agree for one, whatever they hold.
    """
    import datasets

    folder = mirror / dataset
    if not folder.is_dir():
        raise TaskError(
            f"task {task} needs the data set {dataset}, and the data folder {mirror} has no {dataset} in it. Put the files of "
            "the data set there, as on its hub, or leave --data-dir out."
        )
    wanted = {name: value for name, value in arguments.items() if name != "revision"}
    try:
        if "data_files" in wanted:
            return _load_files(wanted["data_files"], lambda name: str(folder / name))
        with tempfile.TemporaryDirectory() as cache:
            return datasets.load_dataset(path=str(folder), name=config, cache_dir=cache, keep_in_memory=True, **wanted)
    except Exception as error:
        raise TaskError(f"task {task}: the data set {dataset} cannot be read from {folder}: {_line(error)}") from error


def cache_folder() -> Path:
    """The folder in which the hub's client libraries keep their caches."""
    from huggingface_hub import constants

    return Path(constants.HF_HOME)


def commit_of(rows: Any) -> str | None:
    """The hub's commit id of these cached rows, also without a network; None for rows from elsewhere.

    datasets stores a data set under CONFIG/VERSION/COMMIT/, and huggingface_hub stores a file under snapshots/COMMIT/, so
    this is the commit of the rows in use, not the newest one on the hub.
    """
    paths = [file["filename"] for file in getattr(rows, "cache_files", None) or ()]
    paths += getattr(getattr(rows, "info", None), "download_checksums", None) or ()
    for path in paths:
        found = re.search(r"[/\\]([0-9a-f]{40})[/\\][^/\\]+$", path)
        if found:
            return found[1]
    return None


def can_reach(endpoint: str) -> bool:
    """True if anything answers at the endpoint, through the environment's proxies. Decided within PROBE_S seconds.

    Any answer counts, even an error: this only tells a hub that fails now and then from having no network at all.
    """
    reached: list[bool] = []
    # In a thread, because no timeout limits the look-up of a host name.
    probe = threading.Thread(target=lambda: reached.append(_answers(endpoint)), daemon=True)
    probe.start()
    probe.join(PROBE_S)
    return bool(reached and reached[0])


def _answers(endpoint: str) -> bool:
    try:
        urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=PROBE_S).close()
    except urllib.error.HTTPError:
        return True
    except urllib.error.URLError as error:
        return isinstance(error.reason, (ssl.SSLError, ConnectionResetError))  # the real client reports these better
    except TimeoutError:
        return False
    except (OSError, ValueError):  # the retries handle a cut connection, the real client a malformed endpoint
        return True
    return True


def _fetch(
    task: str, dataset: str, config: str | None, arguments: Mapping[str, Any], attempts: int = 1, without_hub: str = ""
) -> Any:
    import datasets
    from huggingface_hub import hf_hub_download

    patience = Patience(attempts)
    while True:
        try:
            with patient_client():
                if "data_files" in arguments and dataset not in _LOCAL_BUILDERS:
                    revision = arguments.get("revision")
                    get = partial(hf_hub_download, dataset, repo_type="dataset", revision=revision)
                    return _load_files(arguments["data_files"], get)
                return datasets.load_dataset(path=dataset, name=config, **arguments)
        except Exception as error:  # each client library has its own root exception
            failure = _find_failure(error)
            told = f"{dataset}: {failure.text}"
            pause = patience.pause_after(told, failure.asked_pause_s) if failure.passing else None
            if pause is None:
                tried = failure.tried or (patience.tried if failure.passing else 0)
                raise TaskError(_explain(task, dataset, error, failure, tried, without_hub)) from error
            time.sleep(pause)


def _load_files(data_files: Mapping[str, str | list[str]], get: Callable[[str], str]) -> Any:
    """The rows of these files by split. get gives the path of a file that is here."""
    import datasets

    files: dict[str, list[str]] = {}
    for split, names in data_files.items():
        files[split] = [get(name) for name in ([names] if isinstance(names, str) else names)]
    suffix = {path.rpartition(".")[2] for paths in files.values() for path in paths}.pop()
    loaded = datasets.load_dataset(suffix.removesuffix("l") if suffix == "jsonl" else suffix, data_files=files)
    for split, rows in loaded.items():
        rows.info.download_checksums = {path: {} for path in files[split]}  # commit_of reads the commit from these paths
    return loaded


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a load failed. passing is true if another load may help: a connection that broke while a file was read.

    tried counts the tries of a request that was given up on, and asked_pause_s is the pause that its Retry-After asked for.
    """

    text: str
    passing: bool = False
    tried: int = 0
    asked_pause_s: float = 0.0


def _find_failure(error: BaseException) -> _Failure:
    failure = _Failure(_line(error))
    for cause in _causes(error):
        if isinstance(cause, HubFailure):
            return _Failure(str(cause), tried=cause.tried, asked_pause_s=cause.asked_pause_s)
        response = getattr(cause, "response", None)
        if response is not None:
            text = f"status {response.status_code} from {response.url}"  # of another host, to which the hub has redirected
            pause = asked_pause(response.headers.get("Retry-After", ""))
            return _Failure(text, passing=is_passing(response.status_code), asked_pause_s=pause)
        kinds = {kind.__name__ for kind in type(cause).__mro__}
        broken = isinstance(cause, (ConnectionError, TimeoutError)) or "TransportError" in kinds  # httpx's root
        # After a failed request, datasets looks into its cache, and then reports only that the cache lacks the data.
        if (broken and "UnsupportedProtocol" not in kinds) or "Couldn't find cache for" in str(cause):
            failure = _Failure(_line(cause), passing=True)
    return failure


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        cause = left.pop()
        if cause is not None and cause not in seen:
            seen.append(cause)
            yield cause
            left += [cause.__cause__, cause.__context__]


def _explain(task: str, dataset: str, error: BaseException, failure: _Failure, tried: int, without_hub: str) -> str:
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError

    what = f"task {task} needs the data set {dataset}"
    instead = "or run the pocket tasks, which ship with the package"
    if without_hub:
        return (
            f"{what}, but {without_hub} and the cache {constants.HF_HOME} does not hold it. "
            f"Connect to the network, set HF_ENDPOINT to a hub in reach or HF_HOME to a filled cache, {instead}."
        )
    if any(isinstance(cause, GatedRepoError) for cause in _causes(error)) or "gated dataset" in str(error):
        return f"{what}, which is gated at {constants.ENDPOINT}. Accept its terms on its page, then set HF_TOKEN to your token."
    if type(error).__name__ == "DatasetNotFoundError":
        return (
            f"{what}, but {constants.ENDPOINT} does not give it: {_line(error)} "
            "Check the id and HF_ENDPOINT; a private data set needs HF_TOKEN."
        )
    if failure.asked_pause_s > LONGEST_PAUSE_S:
        return (
            f"{what}, but {constants.ENDPOINT} asks to wait {failure.asked_pause_s:.0f} s ({failure.text}), and at most "
            f"{LONGEST_PAUSE_S:.0f} s are waited. Try again after that time, {instead}."
        )
    if tried:
        return (
            f"{what}, but {constants.ENDPOINT} failed {count_noun(tried, 'time')}, with {failure.text}. Try later, {instead}."
        )
    return f"{what}, but it cannot be loaded from {constants.ENDPOINT!r}: {failure.text}"


def _line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__


@contextmanager
def _offline() -> Iterator[None]:
    """Inside, the client libraries read their caches. Otherwise they would try the network for 23 seconds first."""
    import datasets
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE, datasets.config.HF_HUB_OFFLINE = before


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Inside, lm-eval and the client libraries log only errors and draw no progress bars."""
    import datasets
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    loggers = [logging.getLogger(name) for name in _NOISY]
    levels = [logger.level for logger in loggers]
    drawn = datasets.is_progress_bar_enabled(), not are_progress_bars_disabled()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    datasets.disable_progress_bars()
    disable_progress_bars()
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if drawn[0]:
            datasets.enable_progress_bars()
        if drawn[1]:
            enable_progress_bars()
