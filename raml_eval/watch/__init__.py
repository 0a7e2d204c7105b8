"""Evaluates the checkpoints of a training while it runs, each once and only when it is whole (docs/watch.md)."""

from raml_eval.watch.alarm import Alarm
from raml_eval.watch.history import NAME as HISTORY
from raml_eval.watch.history import History
from raml_eval.watch.watching import Ending, Watcher, WatchSettings

__all__ = ["HISTORY", "Alarm", "Ending", "History", "WatchSettings", "Watcher"]
