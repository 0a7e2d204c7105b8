"""A callback for transformers' Trainer, and so for trl's trainers: every checkpoint is marked as whole, or evaluated.

marked      EvaluateCallback(ready_file="DONE")       for `raml-eval watch --ready-file DONE`, in a process of its own
evaluated   EvaluateCallback.attach(trainer, tasks="gsm8k", out="runs/mine", ...)      here, while the training waits
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback

from raml_eval.api import evaluate
from raml_eval.errors import ConfigError
from raml_eval.tables import Run
from raml_eval.watch.headline import headline_numbers

PREFIX = "raml_eval"
READY = "DONE"


class EvaluateCallback(TrainerCallback):  # type: ignore[misc]
    """Acts on every checkpoint that the trainer saves, once it is whole.

    Without settings, the file ready_file is written into it, which `raml-eval watch --ready-file` waits for. With the settings
    of raml_eval.evaluate, it is evaluated in this process from its files, in an engine of its own, while the training waits:
    the run's directory is out/checkpoint-STEP, backend is hf if it is not given, and the tokenizer must be saved too (the
    trainer's processing_class). The numbers go into the trainer's logs at the step, under raml_eval/TASK/BUDGET/avg@n. With
    attach they also go to whatever the trainer reports to; otherwise only into state.log_history. Nothing that the training
    draws or computes changes.

    Raises ConfigError for settings without out, with a model, or in a training of several processes, which would wait for this
    one until their connection times out. An evaluation that fails ends the training, as an evaluation of its own does.

    Example: Trainer(model, args, callbacks=[EvaluateCallback(ready_file="DONE")])
    """

    def __init__(self, ready_file: str = READY, **settings: Any) -> None:
        if settings and not settings.get("out"):
            raise ConfigError("EvaluateCallback has settings but no out, so there is nowhere to write. Pass out=FOLDER.")
        if "model" in settings:
            raise ConfigError(f"EvaluateCallback has model={settings['model']!r}, but it evaluates checkpoints. Leave it out.")
        if Path(ready_file).name != ready_file:
            raise ConfigError(f"ready_file is {ready_file!r}; wanted the name of a file in the checkpoint, such as DONE.")
        self.ready_file, self.settings = ready_file, {"backend": "hf", **settings} if settings else {}
        self._trainer: Any = None

    @classmethod
    def attach(cls, trainer: Any, **settings: Any) -> EvaluateCallback:
        """The callback, added to the trainer, through whose logs the numbers go."""
        callback = cls(**settings)
        callback._trainer = trainer
        trainer.add_callback(callback)
        return callback

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self.settings and args.world_size > 1:
            raise ConfigError(
                f"this training has {args.world_size} processes, which would wait for the evaluation until their connection "
                f"times out. Use EvaluateCallback(ready_file=...) and `raml-eval watch`."
            )

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        checkpoint = Path(args.output_dir) / f"checkpoint-{state.global_step}"
        if not state.is_world_process_zero:
            return
        if not self.settings:
            (checkpoint / self.ready_file).touch()
            return
        out = Path(self.settings["out"]) / checkpoint.name
        self._log(evaluate(**{**self.settings, "model": str(checkpoint), "out": out}), state)

    def _log(self, run: Run, state: Any) -> None:
        numbers = {
            f"{PREFIX}/{one['task']}/{one['budget']}/{one['metric']}{ending}": one[part]
            for one in headline_numbers(run)
            for part, ending in (("value", ""), ("low", "/low"), ("high", "/high"))
            if one[part] is not None
        }
        if self._trainer is not None:
            # Not its own log(): those of trl's trainers add, and then clear, what they average until the next log.
            Trainer.log(self._trainer, numbers)
        else:
            state.log_history.append({**numbers, "epoch": state.epoch, "step": state.global_step})
