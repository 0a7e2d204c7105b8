"""One sitting of a run: from a configuration to a run directory in which nothing is owed, or as far as it came."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from raml_eval import inputs, provenance
from raml_eval.answer_classes import form_classes
from raml_eval.backends import check_name, open_backend
from raml_eval.config import RunConfig
from raml_eval.errors import ConfigError, StoreError
from raml_eval.grading import GRADER_VERSION
from raml_eval.grading.pool import GradingPool
from raml_eval.grading.trial import open_sandbox
from raml_eval.inputs import Model
from raml_eval.plan import Owed, plan_samples
from raml_eval.progress import Progress, Stopwatch
from raml_eval.protocols import Backend
from raml_eval.runner import Session, run_all
from raml_eval.store import RunDirectory, check_protocol, check_resumable, grow_plan, read_manifest, read_run
from raml_eval.store.manifest import now
from raml_eval.tasks.catalogue import load_catalogue
from raml_eval.thinking import ThinkingPolicy, sort_budgets
from raml_eval.types import Prompts, Question, QuestionKey, SamplingParams

# More than an engine runs at a time, so that its batch stays full while finished samples are graded and stored.
CONCURRENCY = {"vllm": 512, "hf": 256, "fake": 64}


def run_session(config: RunConfig, quiet: bool = False) -> Path:
    """The run directory of the configuration, with every sample that could be drawn. An existing one is resumed.

    Raises InputError before anything is drawn where the configuration, a task, the model or the directory cannot be used.
    """
    return asyncio.run(run_sitting(config, quiet))


Opener = Callable[..., Awaitable[Backend]]


async def run_sitting(config: RunConfig, quiet: bool = False, opener: Opener = open_backend) -> Path:
    """As run_session, in a running event loop and with a say in how the engine is opened."""
    if config.out is None:
        raise ConfigError("out is not given, so there is nowhere to write. Pass --out DIR.")
    out = config.out
    watch = Stopwatch()
    check_name(config.backend)
    catalogue = load_catalogue(config.task_path)
    names = catalogue.expand(config.tasks)
    if (out / "manifest.json").exists():
        check_resumable(read_manifest(out / "manifest.json"), out)  # before the lock is taken: a refusal leaves no trace
    directory = RunDirectory(out)
    try:
        plan = _plan(config, names, directory.stored)
        _check_k(config, plan)
        with watch("tokenizer"):
            model = inputs.load_model(config)
        with watch("data"):
            tasks = inputs.load_tasks(catalogue, plan["tasks"])
            questions = inputs.select(tasks, plan["limit"], model)
            for note in inputs.stop_notes(tasks, questions):
                print(f"note: {note}", file=sys.stderr)
            prompts = {key: model.render(question, plan["budgets"]) for key, question in questions.items()}
        protocol = provenance.build_protocol(config, model, tasks)
        if _is_complete(config, directory, protocol, plan, questions):
            print(f"note: {out} is complete for all it was asked; the engine was not started", file=sys.stderr)
            return out
        _check_sandbox(config, questions)
        with watch("engine"):
            backend = await opener(config.backend, model.checkpoint.source, revision=config.revision, args=config.backend_args)
        try:
            protocol["engine"] = provenance.engine_protocol(backend.description)
            manifest = provenance.build_manifest(config, plan, protocol, backend.description, tasks, list(questions))
            policy = inputs.build_policy(config, model, backend.description.context)
            inputs.check_budgets(policy, plan["budgets"], prompts)
            directory.open(manifest)
            session = _session(config, plan, directory, backend, model, policy, questions, prompts)
            await _draw(session, watch, quiet)
        finally:
            await backend.aclose()
    finally:
        directory.close()
    return out


def _plan(config: RunConfig, names: list[str], stored: Mapping[str, Any] | None) -> dict[str, Any]:
    """What this sitting must finish: all that was ever asked of the directory, and what is asked now."""
    wanted: dict[str, Any] = {
        "tasks": names,
        "budgets": list(config.thinking.budgets),
        "samples": config.samples,
        "limit": config.limit,
    }
    plan = _sorted(grow_plan(stored["plan"], wanted) if stored else wanted)
    if plan != _sorted(wanted):
        told = ", ".join(f"{key} {plan[key]}" for key in wanted if plan[key] != _sorted(wanted)[key])
        print(f"note: the run directory was asked for more before and is finished as a whole: {told}", file=sys.stderr)
    return plan


def _is_complete(
    config: RunConfig,
    directory: RunDirectory,
    protocol: Mapping[str, Any],
    plan: Mapping[str, Any],
    questions: Mapping[QuestionKey, Question],
) -> bool:
    """Nothing is owed to the directory; StoreError where what it holds was drawn by another protocol."""
    if directory.stored is None:
        return False
    # The engine's own entry is known only after its long start.
    found = {key: value for key, value in directory.stored["protocol"].items() if key != "engine"}
    check_protocol(found, protocol, directory.path)
    _check_engine(config, directory)
    directory.load()
    return plan == _sorted(directory.stored["plan"]) and not any(_owed(plan, questions, directory))


def _check_engine(config: RunConfig, directory: RunDirectory) -> None:
    """The stored samples are of the backend that is asked for; also where nothing is owed and no engine starts."""
    stored = (directory.stored or {})["protocol"].get("engine", {}).get("name", config.backend)
    if stored != config.backend:
        raise StoreError(
            f"run directory {directory.path} was drawn by backend {stored}, and {config.backend} is asked for. Choose another "
            f"--out, or ask for --backend {stored}."
        )


def _check_k(config: RunConfig, plan: Mapping[str, Any]) -> None:
    if config.k and max(config.k) > plan["samples"]:
        raise ConfigError(
            f"k is {max(config.k)}, and {plan['samples']} samples are drawn of each question: pass@k and its kin could not be "
            f"given. Ask for k <= {plan['samples']}, or for more --samples."
        )


def _check_sandbox(config: RunConfig, questions: Mapping[QuestionKey, Question]) -> None:
    """Programs can be graded, if there are any: the engine's long start must not come before the refusal."""
    if any(question.grader == "code" for question in questions.values()):
        open_sandbox(config.grading.allow_unsafe_code)


def _sorted(plan: Mapping[str, Any]) -> dict[str, Any]:
    return {**plan, "budgets": list(sort_budgets(plan["budgets"]))}


def _owed(plan: Mapping[str, Any], questions: Mapping[QuestionKey, Question], directory: RunDirectory) -> Iterator[Owed]:
    return plan_samples(questions, plan["samples"], plan["budgets"], directory.done)


def _session(
    config: RunConfig,
    plan: Mapping[str, Any],
    directory: RunDirectory,
    backend: Backend,
    model: Model,
    policy: ThinkingPolicy,
    questions: Mapping[QuestionKey, Question],
    prompts: Mapping[QuestionKey, Prompts],
) -> Session:
    sampling = config.sampling
    return Session(
        questions=questions,
        prompts=prompts,
        budgets=tuple(plan["budgets"]),
        n_samples=plan["samples"],
        seed=config.seed,
        policy=policy,
        sampling=SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            repetition_penalty=sampling.repetition_penalty,
            max_tokens=1,
            seed=0,
            stop_ids=model.end_of_text_ids,
        ),
        tokenizer=model.tokenizer,
        backend=backend,
        pool=GradingPool(**config.grading.model_dump()),
        directory=directory,
        concurrency=config.concurrency or CONCURRENCY.get(config.backend, 64),
    )


async def _draw(session: Session, watch: Stopwatch, quiet: bool) -> None:
    """All that is owed is drawn and stored, and the answers are grouped; the sitting is noted in the manifest."""
    directory = session.directory
    directory.add_questions(session.questions.values())
    total = len(session.questions) * session.n_samples * len(session.budgets)
    before = len(directory.done)
    entry: dict[str, Any] = {
        "started": now(),
        "samples_before": before,
        "torn": directory.torn,
        "grader_version": GRADER_VERSION,
        "seconds": {},
    }
    if any(question.grader == "code" for question in session.questions.values()):
        entry["sandbox"] = session.pool.code.open()
    entry = directory.begin_session(entry)
    try:
        with watch("generation"), Progress(total, before, quiet=quiet) as progress:
            await run_all(session, progress)
        with watch("classes"):
            run = read_run(directory.path)
            classes = await asyncio.to_thread(form_classes, run.records, run.questions, run.classes, session.pool)
            directory.write_classes(classes)
    finally:
        session.pool.close()
        entry |= {"ended": now(), "samples_after": progress.done, "failed": progress.errors}
        entry["seconds"] = dict(watch.seconds)
        directory.write_manifest()
