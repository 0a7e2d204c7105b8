"""One session of a run: from a configuration to the run, read back from its directory.

Read run_session from its top. Each step calls down into the module that does it, and no module calls back up:

    configuration      config       checked settings
    load the model     inputs       tokenizer, thinking format, prompts' settings
    plan               plan         what this directory must hold when it is complete
    load the questions inputs       questions and their prompt ids
    open the engine    backends     after everything that can refuse the run without an engine
    check budgets      inputs       every prompt fits with every budget into the engine's context
    draw               runner       owed samples are drawn, graded and stored (until: batch by batch, with looks)
    read back          tables       the run as it is now on the disk
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from raml_eval.answer_classes import Answers, Classes, complete_classes, form_for
from raml_eval.backends import check_args_of, check_name, check_sampling, open_backend
from raml_eval.budgets import THINKING
from raml_eval.codec import codec_of
from raml_eval.concurrency import settled_heap
from raml_eval.config import RunConfig, in_shard_folder, shard_of
from raml_eval.engines import open_checked
from raml_eval.errors import ConfigError, StoreError, TaskError
from raml_eval.grading import GRADER_VERSION, KINDS
from raml_eval.grading.pool import GradingPool
from raml_eval.grading.rule.grader import try_rules
from raml_eval.inputs import Inputs, Model, build_policy, check_budgets, load_inputs, load_model
from raml_eval.looks import KEY, Course, Until
from raml_eval.manifest import (
    Manifest,
    build_manifest,
    end_session,
    engine_protocol,
    prompt_digests,
    start_session,
    suite_entry,
    task_entry,
    with_places,
)
from raml_eval.native_budgets import check_native_budgets
from raml_eval.plan import Plan
from raml_eval.progress import Progress, Stopwatch, note
from raml_eval.protocols import Backend, NativeBudgets, WeightSwap
from raml_eval.runner import Drawing, UnaskedThinking, count_so_far, run_all
from raml_eval.sampling import with_sampling
from raml_eval.sandbox.trial import open_sandbox
from raml_eval.servers import check_engine, check_served, check_settings, server_args
from raml_eval.settings import check_together
from raml_eval.store import (
    RunDirectory,
    check_prompts,
    check_protocol,
    check_resumable,
    check_shard,
    read_manifest,
)
from raml_eval.tables.loading import load_drawn
from raml_eval.tasks.catalogue import Catalogue, load_catalogue
from raml_eval.thinking_formats import find_format
from raml_eval.types import BackendDescription, Question, QuestionKey, SamplingParams, StoredRun
from raml_eval.until import draw_until, drawn_inputs, start_course, told_end
from raml_eval.window import Window, is_date
from raml_eval.wording import count_noun

# More samples than an engine runs at a time, so that its batch stays full while finished ones are graded and stored.
CONCURRENCY = {"vllm": 512, "hf": 256, "openai_server": 256, "fake": 512, "ray": 512}
NATIVE_TESTS, NATIVE_TEST_TOKENS = 16, 4096  # prompts and tokens of the test of an engine's own budget
Opener = Callable[..., Awaitable[Backend]]


async def run_session(
    config: RunConfig,
    quiet: bool = False,
    opener: Opener = open_backend,
    until: Until | None = None,
    live: bool = False,
) -> StoredRun:
    """The run of the configuration, with every sample that could be drawn. An existing directory is resumed.

    opener opens the engine. With until, questions are drawn in batches, up to the look that decides. With live, the progress
    says what is right so far, and how that is biased. Raises InputError, before anything is drawn, if the configuration, a
    task, the model, the base or the directory cannot be used.
    """
    config = in_shard_folder(config)
    out = _check_directory(config)
    if until and config.shard:
        raise ConfigError(f"--shard {config.shard} and --until-decided exclude each other: a look needs all questions.")
    catalogue = load_catalogue(config.task_path, config.data_dir, config.trust_tasks)
    tasks = check_run(config, catalogue)
    if outside := [f"{name} {catalogue.tasks[name].date}" for name in catalogue.expand(config.tasks) if name not in tasks]:
        note(f"left out, since their questions are not {Window(config.after, config.before)}: {', '.join(outside)}")
    watch = Stopwatch()
    with closing(RunDirectory(out)) as directory:
        with watch("tokenizer"):
            model = load_model(config, _stored_date(directory.stored))
        config = with_sampling(config, model.checkpoint, quiet)
        check_sampling(config.backend, config.sampling.temperature, config.backend_args)
        asked = Plan(tasks, model.choose_budgets(config.thinking.budgets), config.samples, config.limit, shard_of(config))
        plan = _grow_plan(asked, directory.stored)
        _check_k(config, plan)
        with watch("data"):
            loaded = load_inputs(config, model, catalogue, plan)
        course = start_course(until, plan, loaded, config.seed, directory.stored) if until else None
        wanted = drawn_inputs(loaded, course) if course else loaded
        if _is_complete(config, directory, plan, wanted) and (course is None or course.stopped_at):
            holds = f"{out} already holds every sample it was asked for; the engine was not started"
            note(told_end(course, out) if course else holds)
            return _finish(config, directory, wanted)
        if _needs_sandbox(loaded.questions):
            open_sandbox(config.grading.allow_unsafe_code)  # refuse before the engine's long start, not after it
            ruled = {
                task: question.gold for (task, _), question in loaded.questions.items() if KINDS[question.grader].runs_rules
            }
            await asyncio.to_thread(try_rules, ruled.values(), config.grading.allow_unsafe_code)
        with watch("engine"):
            args = _engine_args(config, model)
            backend = await open_checked(opener, config.backend, model.checkpoint, model.fingerprint, args)
        try:
            check_engine(backend, plan.budgets, _sampling(config, model))
            native = await _test_native(config, loaded, backend) if config.thinking.capped_by == "engine" else None
            drawing = _open_drawing(config, directory, plan, loaded, backend, native, course)
            return await _draw(drawing, watch, quiet, course, live)
        finally:
            await backend.aclose()


def _dated_tasks(catalogue: Catalogue, names: Sequence[str], window: Window) -> tuple[str, ...]:
    """The tasks without those whose one date lies outside the window. TaskError if none is left."""
    outside = [name for name in names if window and is_date(date := catalogue.tasks[name].date) and not window.holds(date)]
    kept = tuple(name for name in names if name not in outside)
    if not kept:
        dates = ", ".join(f"{name} {catalogue.tasks[name].date}" for name in outside)
        raise TaskError(f"no task has questions {window}: {dates}. Choose other tasks or another date.")
    return kept


def check_run(config: RunConfig, catalogue: Catalogue | None = None) -> tuple[str, ...]:
    """The tasks of the run, by name. Raises InputError for whatever is wrong with the settings that needs no model to tell."""
    check_name(config.backend)
    check_settings(config)
    check_together(config)
    if config.thinking.format is not None:
        find_format(config.thinking.format)
    known = catalogue or load_catalogue(config.task_path, config.data_dir, config.trust_tasks)
    return _dated_tasks(known, known.expand(config.tasks), Window(config.after, config.before))


def _check_directory(config: RunConfig) -> Path:
    """The directory to write to. Raises InputError if there is none, or if it cannot be resumed."""
    if config.out is None:
        raise ConfigError("out is not given, so there is nowhere to write. Pass --out DIR.")
    if (config.out / "manifest.json").exists():
        stored = read_manifest(config.out / "manifest.json")
        check_resumable(stored, config.out)  # before the lock, which leaves a file
        check_shard(stored, config.shard, config.out)
    return config.out


def _engine_args(config: RunConfig, model: Model) -> dict[str, Any]:
    """The engine's arguments, with the delimiters of thinking if the engine itself enforces the budgets."""
    fmt = model.format
    if config.thinking.capped_by == "harness":
        return server_args(config)
    if not fmt.thinks or fmt.answer_opener or fmt.closing.before:
        raise ConfigError(
            f"capped_by is engine, but format {fmt.name} needs more than its end delimiter to close. Leave it out: the harness "
            f"then enforces the budgets."
        )
    return {**config.backend_args, "reasoning_config": {"reasoning_start_str": fmt.opener, "reasoning_end_str": fmt.closer}}


async def _test_native(config: RunConfig, loaded: Inputs, engine: Backend) -> NativeBudgets:
    """The engine, whose own budget has been tried on a few prompts.

    Raises ConfigError if it does not hold, or cannot be tried; nothing is written then.
    """
    policy = build_policy(config, loaded.model, engine.description.context)
    if not isinstance(engine, NativeBudgets):
        raise ConfigError("capped_by is engine, but this engine has no budget of its own. Leave it out.")
    prompts = [of[THINKING] for of in loaded.prompts.values() if THINKING in of][:NATIVE_TESTS]
    room = min((policy.context - len(ids) for ids in prompts), default=0)
    params = replace(_sampling(config, loaded.model), max_tokens=max(1, min(room, NATIVE_TEST_TOKENS)))
    seen = await check_native_budgets(engine, prompts, params, policy.closer_ids)
    note(f"the engine's own budget held in a test: {', '.join(f'{case}: {n} draws' for case, n in seen.items())}")
    return engine


def _sampling(config: RunConfig, model: Model) -> SamplingParams:
    """The run's sampling. max_tokens and seed are placeholders: each draw sets its own."""
    return SamplingParams(
        **config.sampling.model_dump(exclude={"source"}), max_tokens=1, seed=0, stop_ids=model.end_of_text_ids
    )


def _stored_date(stored: Mapping[str, Any] | None) -> str | None:
    """The date in the prompts of the samples that the directory holds, so that a resume on another day has it too."""
    return stored["protocol"].get("prompt", {}).get("date") if stored else None


def _grow_plan(asked: Plan, stored: Mapping[str, Any] | None) -> Plan:
    """The plan that this session must finish: everything the directory was asked for before, and what is asked now."""
    plan = Plan.read(stored["plan"]).grow(asked) if stored else asked
    if plan != asked:
        more = {key: value for key, value in plan.fields().items() if value != asked.fields()[key]}
        told = ", ".join(f"{key} {_in_words(value)}" for key, value in more.items())
        note(f"the run directory was asked for more before and is finished as a whole: {told}")
    return plan


def _in_words(value: Any) -> str:
    return "none" if value is None else " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _check_k(config: RunConfig, plan: Plan) -> None:
    if config.k and max(config.k) > plan.samples:
        raise ConfigError(
            f"k is {max(config.k)}, but the run draws {count_noun(plan.samples, 'sample')} per question, so pass@k and related "
            f"metrics cannot be computed. Ask for k <= {plan.samples}, or for more --samples."
        )


def _is_complete(config: RunConfig, directory: RunDirectory, plan: Plan, loaded: Inputs) -> bool:
    """True if nothing is owed. Raises StoreError if the stored samples were drawn under another protocol or backend."""
    if directory.stored is None:
        return False
    stored = dict(directory.stored["protocol"])
    engine = stored.pop("engine", {}).get("name", config.backend)  # its other fields are known only once it has started
    check_protocol(stored, loaded.protocol, directory.path)
    check_prompts(directory.stored["tasks"], _task_entries(loaded), directory.path)
    if engine != config.backend:
        raise StoreError(
            f"run directory {directory.path} was drawn by backend {engine}, but backend {config.backend} is asked for. Choose "
            f"another --out, or pass --backend {engine}."
        )
    directory.load()
    UnaskedThinking(not loaded.model.format.thinks, len(directory.done), directory.n_leaks).check(all_drawn=True)
    owed = plan.owed(loaded.questions, directory.done)
    complete = plan == Plan.read(directory.stored["plan"]) and next(owed, None) is None
    if complete:
        check_args_of(directory.stored, config.backend_args, directory.path)
    return complete


def _finish(config: RunConfig, directory: RunDirectory, loaded: Inputs) -> StoredRun:
    """The run whose samples are all stored. Whatever else a killed session left out, or a lost line took away, is restored."""
    assert directory.stored is not None
    asked = {name: suite_entry(suite) for name, suite in loaded.suites.items()}
    directory.open({**directory.stored, "config": config.model_dump(mode="json"), "suites": asked, "sessions": []})
    directory.add_questions(loaded.questions.values())

    def form(answers: Answers, questions: Mapping[QuestionKey, Question], classes: Classes) -> Classes:
        complete = complete_classes(answers, questions, classes)
        if complete is not classes:
            directory.write_classes(complete)
        return {key: dict(group) for key, group in complete.items()}

    return load_drawn(directory.path, form)


def _open_drawing(
    config: RunConfig,
    directory: RunDirectory,
    plan: Plan,
    loaded: Inputs,
    backend: Backend,
    native: NativeBudgets | None = None,
    course: Course | None = None,
) -> Drawing:
    """The directory is open for samples, and everything that drawing one needs is ready."""
    policy = build_policy(config, loaded.model, backend.description.context)
    check_budgets(policy, plan.budgets, loaded.prompts)
    if directory.stored is not None:
        check_served(directory.stored.get("engine", {}), backend.description, directory.path)
    if course:
        manifest = _build_manifest(config, plan, drawn_inputs(loaded, course), backend.description)
        directory.open({**manifest, KEY: course.record})
    else:
        directory.open(_build_manifest(config, plan, loaded, backend.description))
        if looked := directory.manifest.get(KEY):
            looked["drawn_on"] = True  # written when the session begins
    return Drawing(
        questions=loaded.questions,
        prompts=loaded.prompts,
        plan=plan,
        seed=config.seed,
        policy=policy,
        sampling=_sampling(config, loaded.model),
        tokenizer=codec_of(loaded.model.tokenizer),
        backend=backend,
        pool=GradingPool(**config.grading.model_dump()),
        directory=directory,
        concurrency=config.concurrency or _concurrency(backend.description),
        native=native,
        backend_args=config.backend_args,
    )


def _concurrency(engine: BackendDescription) -> int:
    """The samples in flight if the user does not say: as many for each replica."""
    return CONCURRENCY.get(engine.name, 64) * int(engine.details.get("replicas", 1))


def _build_manifest(config: RunConfig, plan: Plan, loaded: Inputs, engine: BackendDescription) -> Manifest:
    return build_manifest(
        name=config.name or (config.out.name if config.out else "run"),
        plan=plan,
        model=_model_entry(config, loaded.model),
        protocol={**loaded.protocol, "engine": engine_protocol(engine)},
        config=config.model_dump(mode="json"),
        engine=asdict(engine),
        tasks=with_places(_task_entries(loaded), loaded.tasks) if plan.shard else _task_entries(loaded),
        suites=loaded.suites,
    )


def _model_entry(config: RunConfig, model: Model) -> dict[str, Any]:
    """The manifest's entry of the model. An adapter and its base have a fingerprint each, and one together."""
    checkpoint = model.checkpoint
    is_adapter = checkpoint.adapter is not None and config.adapter is None  # the name is then the adapter's folder
    entry: dict[str, Any] = {
        "name": config.model,
        "origin": "folder" if is_adapter else checkpoint.origin,
        "revision": config.revision,
        "fingerprint": model.digest,
    }
    if checkpoint.adapter is not None:
        entry["adapter"] = {
            "name": checkpoint.adapter,
            "fingerprint": checkpoint.adapter_digest(),
            "base": checkpoint.source,
            **({"base_revision": checkpoint.revision} if checkpoint.revision else {}),
            "base_origin": checkpoint.origin,
            "base_fingerprint": replace(checkpoint, adapter=None).digest(),
        }
    return entry | ({"checkpoint": dict(model.record)} if model.record else {})


def _task_entries(loaded: Inputs) -> dict[str, dict[str, Any]]:
    """The manifest's entries of the planned tasks, with the digests of their prompts."""
    digests: dict[str, dict[str, dict[str, str]]] = {name: {} for name in loaded.tasks}
    for (task, question_id), prompts in loaded.prompts.items():
        digests[task][question_id] = prompt_digests(prompts)
    return {
        name: task_entry(
            task.description, list(digests[name]), len(task.questions), task.content_hash, task.commit, digests[name]
        )
        for name, task in loaded.tasks.items()
    }


async def _draw(drawing: Drawing, watch: Stopwatch, quiet: bool, course: Course | None = None, live: bool = False) -> StoredRun:
    """Everything that is owed is drawn and stored, the answer classes are formed, and the manifest lists the session."""
    directory, pool = drawing.directory, drawing.pool
    if course is None:
        directory.add_questions(drawing.questions.values())
    done = len(directory.done)
    entry = start_session(GRADER_VERSION, done, directory.torn, drawing.backend_args)
    if _needs_sandbox(drawing.questions):
        entry["sandbox"] = pool.code.open()
    if isinstance(drawing.backend, WeightSwap) and drawing.backend.swapped:
        entry["swapped"] = dict(drawing.backend.swapped)
    entry = directory.begin_session(entry)
    so_far = count_so_far(drawing) if live else None
    progress = Progress(drawing.plan.count(len(drawing.questions)), done, quiet=quiet, so_far=so_far)
    try:
        with watch("generation"), progress, settled_heap():
            await (draw_until(drawing, course, progress) if course else run_all(drawing, progress))
        with watch("classes"):
            run = await asyncio.to_thread(load_drawn, directory.path, partial(form_for, pool=pool))
            directory.write_classes(run.classes)
    finally:
        pool.close()
        end_session(entry, directory.count_samples(), progress.errors, watch.seconds)
        directory.write_manifest()
    return replace(run, manifest=read_manifest(directory.path / "manifest.json"))


def _needs_sandbox(questions: Mapping[QuestionKey, Question]) -> bool:
    """True if any answer is a program, or is scored by a verifier, which only a sandbox may run."""
    return any(KINDS[question.grader].needs_sandbox for question in questions.values())
