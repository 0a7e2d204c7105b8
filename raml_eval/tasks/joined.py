"""A loader for tasks whose rows are published as several configurations or splits of one data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from raml_eval.errors import TaskError
from raml_eval.tasks.download import commit_of, fetch_dataset


def load_joined(
    dataset: str, parts: Mapping[str, str], column: str, config_source: str = "", revision: str | None = None, **_metadata: Any
) -> Any:
    """The rows of all parts in the order given, as a DatasetDict with the one split test.

    parts maps the name of a part to its configuration and split on the hub, such as {"AMC": "v202412_AMC_en/test"}; every row
    holds the name of its part in the new column. lm-eval calls this with the task's metadata and dataset_kwargs. Raises
    TaskError if a part cannot be fetched, lacks its split, or comes from another commit than the first.
    """
    from datasets import DatasetDict, concatenate_datasets

    task = Path(config_source).stem
    arguments = {} if revision is None else {"revision": revision}
    joined, commits = [], {}
    for name, where in parts.items():
        config, _, split = where.rpartition("/")
        fetched = fetch_dataset(task, dataset, config or None, arguments)
        if split not in fetched:
            raise TaskError(
                f"task {task} reads the split {split} of {dataset} ({config}), which has {', '.join(map(str, fetched))}. "
                "Correct dataset_kwargs.parts, or check that the data set is the one meant."
            )
        commits[name] = commit_of(fetched[split])
        joined.append(fetched[split].add_column(column, [name] * len(fetched[split])))
    if len(set(commits.values())) > 1:
        told = ", ".join(f"{name} {commit}" for name, commit in commits.items())
        raise TaskError(
            f"task {task}: the parts of {dataset} are from several commits: {told}. Load it again, or clear the cache."
        )
    return DatasetDict({"test": concatenate_datasets(joined)})
