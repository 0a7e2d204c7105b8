"""One part of a run's questions for one machine: its number, where a scheduler tells it, and its run directory."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from raml_eval.errors import ConfigError

AUTO = "auto"
_FORM = "wanted INDEX/COUNT such as 2/8, auto, or auto/8"
_SUFFIX = re.compile(r"-shard-(\d+)-of-(\d+)")


@dataclass(frozen=True, slots=True, order=True)
class Shard:
    """Part index, counted from 1, of count parts of every task's questions."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @property
    def words(self) -> str:
        """The shard as a sentence names it.

        Example: Shard(2, 8).words == "shard 2 of 8"
        """
        return f"shard {self.index} of {self.count}"

    @property
    def suffix(self) -> str:
        """The end of the name of the shard's run directory.

        Example: Shard(2, 8).suffix == "-shard-2-of-8"
        """
        return f"-shard-{self.index}-of-{self.count}"


def read_shard(text: str) -> Shard:
    """The shard that INDEX/COUNT names. Raises ConfigError for any other text.

    Example: read_shard("2/8") == Shard(2, 8)
    """
    match = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if match is None:
        raise ConfigError(f"shard {text!r} is not one; {_FORM}.")
    index, count = int(match[1]), int(match[2])
    if not 1 <= index <= count:
        raise ConfigError(f"shard {text!r} is none of {count} shards; their numbers are 1/{count} to {count}/{count}.")
    return Shard(index, count)


def parse_shard(text: str, environment: Mapping[str, str]) -> Shard:
    """The shard of INDEX/COUNT, or of auto or auto/COUNT: the one that the scheduler's variables name.

    Slurm's are SLURM_ARRAY_TASK_ID, _COUNT, _MIN, _MAX and _STEP; Kubernetes sets JOB_COMPLETION_INDEX, from 0, and nothing
    that says how many there are. Raises ConfigError for another text, and if the variables do not name one shard for sure.

    Example: parse_shard("auto/8", {"JOB_COMPLETION_INDEX": "1"}) == Shard(2, 8)
    """
    word, slash, number = text.partition("/")
    if word != AUTO:
        return read_shard(text)
    if slash and not re.fullmatch("[1-9][0-9]{0,8}", number):
        raise ConfigError(f"shard {text!r} is not one; {_FORM}.")
    count = int(number) if slash else None
    if "SLURM_ARRAY_TASK_ID" in environment:
        return _slurm(count, environment)
    if "JOB_COMPLETION_INDEX" in environment:
        return _kubernetes(count, environment)
    raise ConfigError(
        f"shard {text} is to be told by a scheduler, but neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set. Submit "
        f"an array job or an indexed job, or name the shard: --shard 2/8."
    )


def _slurm(count: int | None, environment: Mapping[str, str]) -> Shard:
    """The place of the task in its array, which must be whole: an array of the failed tasks alone would count otherwise."""
    number = _number("SLURM_ARRAY_TASK_ID", environment)
    first, n_tasks = (_number(f"SLURM_ARRAY_TASK_{name}", environment) for name in ("MIN", "COUNT"))
    step = _number("SLURM_ARRAY_TASK_STEP", environment) if environment.get("SLURM_ARRAY_TASK_STEP") else 1
    last = _number("SLURM_ARRAY_TASK_MAX", environment) if "SLURM_ARRAY_TASK_MAX" in environment else None
    place, rest = divmod(number - first, max(step, 1))
    by_name = "Name the shard to draw it again: --shard 3/8."
    if rest or not 0 <= place < n_tasks or (last is not None and last != first + (n_tasks - 1) * max(step, 1)):
        raise ConfigError(
            f"task {number} of the Slurm array cannot be told as a shard: the array has {n_tasks} tasks from {first}"
            f"{'' if last is None else f' to {last}'} in steps of {step}, wanted all of them. {by_name}"
        )
    if n_tasks != (count or n_tasks) or n_tasks == 1:
        wanted = f"{count} for auto/{count}" if count else "several for auto"
        raise ConfigError(f"the Slurm array has {n_tasks} task{'s' * (n_tasks != 1)}, wanted {wanted}. {by_name}")
    return Shard(place + 1, n_tasks)


def _kubernetes(count: int | None, environment: Mapping[str, str]) -> Shard:
    index = _number("JOB_COMPLETION_INDEX", environment)
    if count is None:
        raise ConfigError(
            "shard auto has JOB_COMPLETION_INDEX, which says which part but not of how many. Pass auto/COUNT with the job's "
            "completions, such as --shard auto/8."
        )
    if index >= count:
        raise ConfigError(
            f"JOB_COMPLETION_INDEX is {index}, wanted one from 0 to {count - 1} for auto/{count}. Set the job's completions to "
            f"{count}."
        )
    return Shard(index + 1, count)


def _number(name: str, environment: Mapping[str, str]) -> int:
    text = environment.get(name, "")
    if not re.fullmatch("[0-9]{1,9}", text):
        told = f"is {text!r}" if name in environment else "is not set"
        raise ConfigError(f"{name} {told}, wanted a whole number. Name the shard: --shard 2/8.")
    return int(text)


def shard_folder(out: Path, shard: Shard) -> Path:
    """The run directory of a shard: beside out, with the shard's suffix. An out that has the suffix stays as it is.

    Raises ConfigError if its name is that of another shard, or if there are directories of the same run in another number of
    parts: a merge could never use both.

    Example: shard_folder(Path("runs/x"), Shard(2, 8)) == Path("runs/x-shard-2-of-8")
    """
    out = Path(out)
    match = _SUFFIX.search(out.name)
    if match is not None and match.end() == len(out.name):
        named = Shard(int(match[1]), int(match[2]))
        if named != shard:
            raise ConfigError(f"--out {out} is named after {named.words}, but shard {shard} is asked for. Make them agree.")
        return out
    other = next((found for found in _sisters(out) if found.count != shard.count), None)
    if other is not None:
        raise ConfigError(
            f"{out}{other.suffix} is there, a part of this run in {other.count} shards, but shard {shard} is asked for. Ask "
            f"for a shard of {other.count}, or choose another --out."
        )
    return out.with_name(out.name + shard.suffix)


def _sisters(out: Path) -> list[Shard]:
    """The shards of the run that have a directory beside out."""
    try:
        names = sorted(path.name for path in out.parent.iterdir() if path.name.startswith(f"{out.name}-shard-"))
    except OSError:
        return []
    matches = (_SUFFIX.fullmatch(name, len(out.name)) for name in names)
    return [Shard(int(match[1]), int(match[2])) for match in matches if match]
