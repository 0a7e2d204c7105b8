"""Loads tasks with their questions: lm-eval reads the YAML and renders the prompts, and this module makes Questions of them.

lm-eval serves as the task format only: its engine, filters, metrics and cache are not used.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import json
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from raml_eval.errors import TaskError, near_names
from raml_eval.tasks.catalogue import Catalogue
from raml_eval.tasks.docs import load_jsonl
from raml_eval.tasks.download import cache_folder, commit_of, fetch_dataset, local_mirror, quiet_libraries
from raml_eval.tasks.known_rows import check_known_rows
from raml_eval.tasks.packages import advice_for
from raml_eval.tasks.render import Unusable, check_columns, check_options, read_options, read_target, render_messages
from raml_eval.tasks.rows import Row, content_hash, is_synthetic, question_id
from raml_eval.tasks.rules import raml_of
from raml_eval.tasks.task_file import TaskFile, TaskTests, foreign_functions, has_local_rows
from raml_eval.tasks.upstream import resolve_functions
from raml_eval.types import LoadedTask, Question, TaskDescription
from raml_eval.window import is_date

ROW_COLUMN = "raml_row"  # carries a row's index in the published split through the task's own row filter
FEWSHOT_SEED = 1234  # lm-eval's own
LONGEST_COLUMN = 10_000  # characters; a question with tests drops longer columns, which may be many megabytes


def load_task(catalogue: Catalogue, name: str) -> LoadedTask:
    """The task with all its questions, downloaded if the cache does not hold them.

    A question's index counts the rows of the published split, before the task leaves any out. So two tasks on one data set
    (math500, math500_l5) give the same row the same id. content_hash covers the published rows of the task's questions.
    Raises TaskError for an unknown name, for data that cannot be reached, and for rows that do not fit the task.

    Example: load_task(load_catalogue(), "pocket_chain").questions[0].target
    """
    expanded = catalogue.expand([name])
    if name in catalogue.suites:
        raise TaskError(f"{name} is a suite. Expand it first, and load its tasks one by one.")
    (name,) = expanded  # a source's task has one name for all orders of its parameters
    file, description = catalogue.files[name], catalogue.tasks[name]
    if name in catalogue.untrusted:
        _refuse_code(file)
    with quiet_libraries(), local_mirror(catalogue.data_dir), _templates_confined():
        task = _build(file, description)
        if description.grader != "task_rule":
            check_columns(task, name)
        published = task.dataset[description.split]
        rows, commit = published.to_list(), commit_of(published)
        sources = _read_sources(task, file, description, rows)
        questions = _share_clusters(_question(task, file, description, source) for source in sources)
    ids = {question.id for question in questions}
    if len(ids) != len(questions):
        raise TaskError(f"task {name} gives {len(questions)} questions from {len(ids)} rows. Make one question per row.")
    digest = content_hash(source.row for source in sources)
    if commit:
        all_kept = [source.index for source in sources] == list(range(len(rows)))
        chosen = file.config.get("dataset_kwargs") or {}
        check_known_rows(description, chosen, commit, digest if all_kept else content_hash(rows), cache_folder())
    return LoadedTask(description, questions, digest, commit)


@dataclass(frozen=True, slots=True)
class _Source:
    """The source of one question: the published row with its index, and the document that the task made of it."""

    index: int
    row: Row
    doc: Row


def _build(file: TaskFile, description: TaskDescription) -> Any:
    """lm-eval's task object. The rows come from our own fetch, through lm-eval's custom_dataset hook."""
    name, config = file.name, file.config
    member: dict[str, Any] = {"task": name}
    fetched = _fetch(file)
    if fetched is not None:
        _check_revision(description, fetched)
        member["custom_dataset"] = lambda **_: fetched
    from lm_eval.api.task import ConfigurableTask  # slow imports: after the fetch, so that a missing network is reported first
    from lm_eval.tasks import TaskManager

    try:
        if file.made:
            with contextlib.redirect_stdout(io.StringIO()):  # lm-eval's modules print when they are imported
                task = ConfigurableTask(config=resolve_functions(copy.deepcopy({**config, **member})))
        else:
            manager = TaskManager(include_path=[file.path.parent], include_defaults=False)
            task = manager.load([{"group": "_", "task": [member]}])["tasks"][name]
    except IndexError as error:
        raise TaskError(
            f"task {name} ({file.path}): lm-eval finds no first question: there are no rows, or process_docs leaves out "
            "all. Correct the task."
        ) from error
    except TaskError:  # from a loader of ours, which says what to do
        raise
    except Exception as error:
        columns = () if fetched is None else fetched[description.split].column_names
        raise _failed(file, "when lm-eval builds it", error, columns) from error
    task.set_fewshot_seed(FEWSHOT_SEED)
    return task


def _fetch(file: TaskFile) -> Any:
    """The rows by split, from the hub or from files beside the YAML; None if a loader of the task's own gets them."""
    config = file.config
    arguments = config.get("dataset_kwargs") or {}
    if has_local_rows(file):
        try:
            return load_jsonl(str(file.path), **arguments)
        except Exception as error:
            raise _failed(file, "when its rows are read", error) from error
    if config.get("custom_dataset"):
        return None
    kept = {key: value for key, value in arguments.items() if key != "trust_remote_code"}
    return fetch_dataset(file.name, str(config["dataset_path"]), config.get("dataset_name"), kept)


def _check_revision(description: TaskDescription, fetched: Mapping[str, Any]) -> None:
    """Raises TaskError if the split or the revision is wrong. Offline, datasets serves the newest cached revision."""
    if description.split not in fetched:
        raise TaskError(
            f"task {description.name} reads the split {description.split}, but {description.dataset} has "
            f"{', '.join(map(str, fetched))}. Correct test_split, or check that the data set is the one meant."
        )
    if not len(fetched[description.split]):
        raise TaskError(
            f"task {description.name} reads the split {description.split} of {description.dataset}, which holds no rows. "
            "Correct test_split, or check that the data set is the one meant."
        )
    commit = commit_of(fetched[description.split])
    if commit and re.fullmatch(r"[0-9a-f]{40}", description.revision) and commit != description.revision:
        raise TaskError(
            f"task {description.name} wants {description.dataset} at {description.revision}, but the cache holds {commit}. "
            "Connect to the network, or set HF_HOME to a cache that holds that revision."
        )


def _read_sources(task: Any, file: TaskFile, description: TaskDescription, rows: Sequence[Row]) -> list[_Source]:
    """Those of the published rows that the task keeps, in the task's order.

    A task whose process_docs replaces all columns loses ROW_COLUMN; its documents are then counted and hashed instead of
    rows.
    """
    published = task.dataset[description.split]
    task.dataset[description.split] = published.add_column(ROW_COLUMN, list(range(len(rows))))
    try:
        with _same_rows_each_time():
            kept = task.eval_docs
        docs = kept.to_list() if hasattr(kept, "to_list") else [dict(doc) for doc in kept]
    except Exception as error:
        raise _failed(file, "process_docs", error, published.column_names) from error
    sources = []
    for place, doc in enumerate(docs):
        index = doc.pop(ROW_COLUMN, None)
        sources.append(_Source(place, doc, doc) if index is None else _Source(index, rows[index], doc))
    return sources


def _refuse_code(file: TaskFile) -> None:
    """Raises TaskError if loading the task would run Python that neither this package nor lm-eval brings."""
    if named := foreign_functions(file):
        raise TaskError(
            f"task {file.name} ({file.path}) names the function {named[0]}"
            f"{f' and {len(named) - 1} more' if len(named) > 1 else ''}, which is Python code that would run on this machine. "
            f"Read it, and pass --trust-tasks (trust_tasks: true) if it may."
        )


@contextlib.contextmanager
def _templates_confined() -> Iterator[None]:
    """Inside, lm-eval renders templates in Jinja's sandbox, where they cannot reach Python's internals, and compiles each once.

    lm-eval itself compiles a template anew for every text: 25,000 times for gsm8k_cot, which takes it 15 s.
    """
    from jinja2.sandbox import SandboxedEnvironment
    from lm_eval import utils

    confined = SandboxedEnvironment(undefined=utils.env.undefined, keep_trailing_newline=utils.env.keep_trailing_newline)
    confined.filters |= utils.env.filters
    compile_ = utils.env.from_string
    utils.env.from_string = functools.lru_cache(maxsize=64)(confined.from_string)
    try:
        yield
    finally:
        utils.env.from_string = compile_


@contextlib.contextmanager
def _same_rows_each_time() -> Iterator[None]:
    """A task that shuffles with the global generator (lm-eval's gpqa) gets one order, and none that another process stored."""
    import datasets

    state, cached = random.getstate(), datasets.is_caching_enabled()
    random.seed(FEWSHOT_SEED)
    datasets.disable_caching()
    try:
        yield
    finally:
        random.setstate(state)
        if cached:
            datasets.enable_caching()


def _failed(file: TaskFile, what: str, error: Exception, columns: Iterable[str] = ()) -> TaskError:
    """A TaskError about the task: its own functions may raise anything, and whatever they raise is the task's fault.

    columns are the row's, which are listed if the error is about a name that is none of them.
    """
    said = f"{type(error).__name__}: {error}".rstrip(".")
    return TaskError(
        f"task {file.name} ({file.path}), {what}: {said}.{_columns_for(error, columns)} {advice_for(error, file.made)}"
    )


def _columns_for(error: Exception, columns: Iterable[str]) -> str:
    """The row's columns, if the error says that a column is missing; otherwise empty."""
    shown = [column for column in columns if column != ROW_COLUMN]
    missing = re.match(r"'(\w+)'(?: is undefined)?$", str(error))  # jinja2's UndefinedError, or a KeyError
    if not (shown and missing) or missing[1] in shown:
        return ""
    return f"{near_names(missing[1], shown)} The columns are {', '.join(shown)}."


def _share_clusters(questions: Iterable[Question]) -> tuple[Question, ...]:
    """The questions, where one that repeats the prompt of an earlier one is in its cluster, unless the task states clusters."""
    first: dict[str, str] = {}
    joined = []
    for question in questions:
        if question.cluster == question.id:
            question = replace(question, cluster=first.setdefault(question.asked, question.id))
        joined.append(question)
    return tuple(joined)


def _question(task: Any, file: TaskFile, description: TaskDescription, source: _Source) -> Question:
    raml, doc = raml_of(file.config), source.doc
    id_ = question_id(source.index, source.row)
    where = f"task {description.name}, question {id_}"
    named = description.grader in ("choice", "label")
    try:
        options = read_options(raml.get("options", "options"), doc) if named else ()
        messages = render_messages(task, doc)
        check_options(description.grader, options, str(messages[-1]["content"]))
        target = read_target(task, doc, shown_only=description.grader == "task_rule")
    except Unusable as error:
        raise TaskError(f"{where}: {error} Correct the row or the task, or leave the row out in process_docs.") from None
    except Exception as error:
        raise _failed(file, f"question {id_}", error, doc) from error
    tests = _read_tests(task, doc, where)
    return Question(
        task=description.name,
        id=id_,
        cluster=_column(raml, "cluster", doc, where) or id_,
        doc={name: value for name, value in doc.items() if not (tests and len(str(value)) > LONGEST_COLUMN)},
        messages=messages,
        target=target,
        grader=description.grader,
        stratum=_column(raml, "stratum", doc, where),
        options=options,
        stop=_stop(file.config),
        synthetic=is_synthetic(source.row),
        tests=tests,
        date=_date(raml, doc, where),
    )


def _read_tests(task: Any, doc: Row, where: str) -> str:
    """What a grader runs, from the column or the function that metadata.raml.tests names; empty if it names none."""
    source = raml_of({"metadata": task.config.metadata}).get("tests")
    if source is None:
        return ""
    try:
        tests = source.read(task, doc) if isinstance(source, TaskTests) else source(doc) if callable(source) else doc[source]
    except Exception as error:
        raise TaskError(
            f"{where}: its tests cannot be read: {type(error).__name__}: {error}. Correct the row or the task."
        ) from error
    if isinstance(tests, Mapping):  # datasets gives a row the keys of all other rows, as None
        return json.dumps({key: value for key, value in tests.items() if value is not None})
    if not isinstance(tests, str) or not tests.lstrip().startswith("{"):
        raise TaskError(
            f"{where}: the tests are {str(tests)[:80]!r}, wanted a JSON object, or its text. docs/code-tasks.md shows the "
            f"fields; correct the row or metadata.raml.tests."
        )
    return tests


def _column(raml: Mapping[str, Any], field: str, doc: Row, where: str) -> str:
    column = raml.get(field)
    if column is None:
        return ""
    if column not in doc:
        raise TaskError(f"{where}: there is no column {column!r}. metadata.raml.{field} must name one of {', '.join(doc)}.")
    return "" if doc[column] is None else str(doc[column])


def _date(raml: Mapping[str, Any], doc: Row, where: str) -> str:
    """The day or month that metadata.raml.date states for all questions, or that its column holds."""
    stated = str(raml.get("date", ""))
    if not stated or is_date(stated):
        return stated
    found = _column(raml, "date", doc, where)[:10]  # a time of day after the day, as in LiveCodeBench, says nothing here
    if not is_date(found):
        raise TaskError(f"{where}: the column {stated} holds {found!r}; wanted a date such as 2025-02-15 or 2025-02.")
    return found


def _stop(config: Mapping[str, Any]) -> tuple[str, ...]:
    """The stop strings that the YAML states. lm-eval's default, a blank line, is not used: it would end any reasoned answer."""
    stop = (config.get("generation_kwargs") or {}).get("until") or []
    return (stop,) if isinstance(stop, str) else tuple(map(str, stop))
