"""The model `raml` of stock lm-eval: generate_until through this package's engines, under a thinking budget.

lm-eval renders the messages, cuts no text and grades what it gets: the answer alone, behind thinking that was drawn and ended
as in `raml-eval run`, with the same seeds. So the same task, seed and budget give the same completions there and here.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NoReturn

from lm_eval.api.model import LM

from raml_eval.backends import open_backend
from raml_eval.budgets import OFF, THINKING, prompt_of, share_of
from raml_eval.concurrency import run_workers
from raml_eval.config import FLAGS, RunConfig, build_config, flags_layer
from raml_eval.engines import open_checked
from raml_eval.errors import ConfigError, RamlError, TaskError, near_names
from raml_eval.inputs import Model, build_policy, is_stop_mark, load_model
from raml_eval.progress import Progress
from raml_eval.protocols import Backend
from raml_eval.sampling import with_sampling
from raml_eval.servers import server_args
from raml_eval.session import CONCURRENCY
from raml_eval.tasks.rows import question_id
from raml_eval.thinking import (
    NO_THINKING,
    ThinkingPolicy,
    answer_text,
    cut_share,
    cut_thinking,
    derive_seed,
    generate_answer,
    generate_thinking,
)
from raml_eval.types import Budget, Question, SampleKey, SamplingParams, ThinkingEnd
from raml_eval.wording import one_line

NAMES = {"pretrained": "model", "budget": "thinking_budget"}
# What lm-eval itself decides, or what the model has no use for.
NOT_TAKEN = frozenset(
    {"tasks", "task_path", "samples", "limit", "shard", "out", "k", "capped_by", "allow_unsafe_code", "grading", "name"}
)
_REPLACED = ("do_sample", "temperature", "top_p", "top_k", "max_gen_toks", "max_tokens")

open_models: list[RamlLM] = []


class RamlLM(LM):  # type: ignore[misc]
    """lm-eval's interface to an engine and a thinking policy. close() ends the engine.

    pretrained and budget are a run's model and thinking budget; settings are the flags of `raml-eval run` by their names, such
    as backend=hf, answer_tokens=512, temperature=0. batch_size and device are not used, because lm-eval fills them in unasked:
    the engine batches what is in flight, and backend_args name its device. Raises ConfigError for a setting that is unknown or
    that lm-eval decides.
    """

    def __init__(self, batch_size: object = None, device: object = None, **settings: Any) -> None:
        super().__init__()
        self.config = read_settings(settings)
        self.model: Model = load_model(self.config)
        self.config = with_sampling(self.config, self.model.checkpoint)
        self.budget = _one_budget(self.model.choose_budgets(self.config.thinking.budgets))
        self._runner = asyncio.Runner()
        self._engine: Backend | None = None
        self._told: set[str] = set()
        open_models.append(self)

    @property
    def tokenizer_name(self) -> str:
        """The checkpoint's name, as a name of a file."""
        return str(self.config.model).replace("/", "__")

    def chat_template(self, chat_template: bool | str = False) -> str:
        """The tokenizer's template, which lm-eval stores."""
        return str(self.model.tokenizer.chat_template or "") if chat_template else ""

    def apply_chat_template(self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
        """The messages as JSON text, which generate_until renders for its budget. Raises TaskError for a started answer."""
        if not add_generation_prompt:
            raise TaskError(
                "a task writes the start of the answer (gen_prefix), which leaves no place for thinking. Leave the task out."
            )
        return json.dumps(chat_history, ensure_ascii=False)

    def generate_until(self, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
        """The answers, in order. An answer is empty if its thinking never ended."""
        drawn: Counter[tuple[str, int]] = Counter()
        jobs = []
        for request in requests:
            context, settings = request.args
            self._tell_replaced(request.task_name, settings)
            key = SampleKey(
                request.task_name, question_id(request.doc_id, request.doc), drawn[request.task_name, request.doc_id]
            )
            drawn[request.task_name, request.doc_id] += 1
            jobs.append((key, self._question(key, context, settings)))
        with Progress(len(jobs), quiet=disable_tqdm) as progress:
            return self._runner.run(self._answer_all(jobs, progress))

    def loglikelihood(self, requests: Sequence[Any], disable_tqdm: bool = False) -> NoReturn:
        """Raises TaskError: nothing is generated for such a task."""
        names = ", ".join(sorted({str(request.task_name) for request in requests}))
        raise TaskError(
            f"{names} scores given continuations by their likelihood, and the model raml generates. Name a task with "
            f"output_type generate_until: `raml-eval tasks list --upstream WORD` shows which have it."
        )

    loglikelihood_rolling = loglikelihood

    def close(self) -> None:
        """The engine has ended. Closing twice is harmless."""
        if self._engine is not None:
            self._runner.run(self._engine.aclose())
            self._engine = None
        self._runner.close()
        if self in open_models:
            open_models.remove(self)

    def _tell_replaced(self, task: str, settings: Mapping[str, Any]) -> None:
        ignored = [f"{name}={settings[name]}" for name in _REPLACED if name in settings]
        dropped = [repr(word) for word in _stops(settings) if not self._keeps(word)]
        said = [f"{', '.join(ignored)} give way to the model's own sampling and lengths"] if ignored else []
        said += [f"the stop strings {', '.join(dropped)} are dropped under a chat template"] if dropped else []
        for text in said:
            if (line := f"note: {task}: {text}") not in self._told:
                self._told.add(line)
                print(one_line(line), file=sys.stderr)

    def _keeps(self, word: str) -> bool:
        return self.model.settings.plain or is_stop_mark(word)

    def _question(self, key: SampleKey, context: str, settings: Mapping[str, Any]) -> Question:
        stop = tuple(word for word in _stops(settings) if self._keeps(word))
        return Question(key.task, key.question_id, key.question_id, {}, tuple(self._messages(context)), "", "exact", stop=stop)

    def _messages(self, context: str) -> list[dict[str, str]]:
        if self.model.settings.plain:
            return [{"role": "user", "content": context}]
        try:
            messages: list[dict[str, str]] = json.loads(context)
            assert isinstance(messages[-1]["content"], str)
        except (ValueError, TypeError, KeyError, IndexError, AssertionError):
            raise ConfigError(
                "lm-eval rendered plain text for a model with a chat template. Pass --apply_chat_template, or for a base model "
                "prompt=plain in --model_args."
            ) from None
        return messages

    async def _answer_all(self, jobs: Sequence[tuple[SampleKey, Question]], progress: Progress) -> list[str]:
        if self._engine is None:
            checkpoint, backend, args = self.model.checkpoint, self.config.backend, server_args(self.config)
            self._engine = await open_checked(open_backend, backend, checkpoint, self.model.fingerprint, args)
        policy = build_policy(self.config, self.model, self._engine.description.context)
        answers = [""] * len(jobs)
        owed = iter(enumerate(jobs))

        async def work() -> None:
            for place, (key, question) in owed:
                answers[place] = await self._answer(key, question, policy)
                progress.advance(1)

        await run_workers(work, self.config.concurrency or CONCURRENCY.get(self.config.backend, 64))
        return answers

    async def _answer(self, key: SampleKey, question: Question, policy: ThinkingPolicy) -> str:
        """One answer: drawn as `raml-eval run` draws it (raml_eval.runner), but kept nowhere."""
        engine, model, budget = self._engine, self.model, self.budget
        assert engine is not None
        prompt = prompt_of(budget)
        prompt_ids = model.render(question, [budget])[prompt]
        params = SamplingParams(
            **self.config.sampling.model_dump(exclude={"source"}), max_tokens=1, seed=0, stop_ids=model.end_of_text_ids
        )
        hint = () if prompt in (THINKING, OFF) else (prompt,)
        thinking = NO_THINKING
        if budget != OFF:
            limit = policy.thinking_limit(budget, len(prompt_ids))
            seeded = replace(params, seed=derive_seed(self.config.seed, key, "thinking", *hint))
            trajectory = await generate_thinking(
                engine, model.tokenizer, prompt_ids, key, policy.draw_limit(limit), policy, seeded, prompt
            )
            share = share_of(budget)
            thinking = cut_thinking(trajectory, limit, policy) if share is None else cut_share(trajectory, share, policy)
        phase = "off" if prompt == OFF else "answer"
        seed = derive_seed(self.config.seed, key, phase, len(thinking.token_ids), thinking.closing_ids, *hint)
        completion = await generate_answer(engine, prompt_ids, thinking, policy, replace(params, seed=seed))
        text = answer_text(completion.token_ids if completion else (), model.tokenizer, question.stop, policy.answer_openers)
        return policy.answer_prefix + text if completion and thinking.end is ThinkingEnd.FORCED else text


def read_settings(settings: Mapping[str, Any]) -> RunConfig:
    """The configuration behind --model_args. Raises ConfigError for a setting that is unknown or that lm-eval decides."""
    flags = {NAMES.get(name, name): value for name, value in settings.items()}
    known = sorted({*FLAGS, *NAMES} - NOT_TAKEN)
    for name in flags:
        if name not in FLAGS or name in NOT_TAKEN:
            raise ConfigError(
                f"the model raml takes no {name!r} in --model_args.{near_names(name, known)} It takes pretrained, budget "
                "and the flags of `raml-eval run` for the engine, the sampling and the thinking."
            )
    if "model" not in flags:
        raise ConfigError("the model raml needs pretrained=CHECKPOINT in --model_args.")
    return build_config([flags_layer(**flags), {"tasks": ["lm-eval"]}])


def _one_budget(budgets: Sequence[Budget]) -> Budget:
    if len(budgets) != 1:
        raise ConfigError(f"the model raml draws at one budget, and {len(budgets)} are asked for. Run lm-eval once for each.")
    return budgets[0]


def _stops(settings: Mapping[str, Any]) -> tuple[str, ...]:
    until = settings.get("until") or ()
    return (until,) if isinstance(until, str) else tuple(map(str, until))


def run_lm_eval(arguments: Sequence[str]) -> None:
    """Stock lm-eval's command line has run with these arguments, in which `--model raml` is this module's model.

    Raises ConfigError for what lm-eval itself refuses or fails at, such as an unknown task.
    """
    import lm_eval.models  # noqa: F401  (registers lm-eval's own models, which must come first)
    from lm_eval.__main__ import cli_evaluate
    from lm_eval.api.registry import model_registry

    if "raml" not in model_registry:
        model_registry.register("raml", target="raml_eval.lm_eval_model:RamlLM")
    before, sys.argv = sys.argv, ["lm-eval", *arguments]
    try:
        cli_evaluate()
    except RamlError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())
        raise ConfigError(f"lm-eval stopped: {type(error).__name__}: {said}. Its own lines above say more.") from error
    finally:
        sys.argv = before
        for model in open_models:
            model.close()
