"""`raml-eval view`: a folder of static pages that shows a run's samples, or two runs side by side, without network."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from raml_eval.budgets import in_tokens, parse_label
from raml_eval.errors import ConfigError, choose_names, writing
from raml_eval.reporting.html import policy, read_page
from raml_eval.reporting.view_data import Fields, Viewed, question_fields, view_question
from raml_eval.store.seeking import RunReader
from raml_eval.tables import budget_order
from raml_eval.types import Question, QuestionKey

PAGE_DRAWS, PAGE_CHARACTERS = 200, 1_500_000  # one file of draws ends at whichever it reaches first
MADE_BY = '<meta name="generator" content="raml-eval view">'


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: the page to open, the number of draws, of their samples, and of files of draws.

    notes say what the pages cannot show, and what to do about it.
    """

    index: Path
    n_draws: int
    n_samples: int
    n_pages: int
    notes: tuple[str, ...] = ()


def write_view(runs: Sequence[Path], out: Path, tasks: Sequence[str] = (), tokenizers: Sequence[Path] = ()) -> Written:
    """out/index.html shows the samples of one run or two. The draws of the same question and sample stand side by side.

    tokenizers are folders of the runs' tokenizers, one for all runs or one for each; without them, those of the models are
    looked for. Only one question at a time is in memory. An earlier view in out is replaced. Raises ConfigError for a folder
    that holds something else, for an unknown task, and if out cannot be written; ModelError for a folder without a tokenizer;
    StoreError and CorruptStore as read_run does.

    Example: write_view([Path("runs/mine"), Path("runs/base")], Path("view"))
    """
    with ExitStack() as stack:
        if len(tokenizers) not in (0, 1, len(runs)):
            raise ConfigError(
                f"--tokenizer is given {len(tokenizers)} times; wanted once, or once for each run in their order."
            )
        named: list[Path | None] = [*tokenizers] * (1 if len(tokenizers) == len(runs) else len(runs)) or [None] * len(runs)
        viewed = [Viewed(stack.enter_context(RunReader(path)), of) for path, of in zip(runs, named, strict=True)]
        for run in viewed:
            run.check()
        questions = _choose_questions(viewed, tasks)
        with writing(out):
            _prepare(out)
            (out / "index.html").write_text(_index_page(), encoding="utf-8")  # first: it marks the folder as ours
            return _write(viewed, questions, out)


def _choose_questions(viewed: Sequence[Viewed], tasks: Sequence[str]) -> dict[QuestionKey, Question]:
    """The questions of all runs, those of the first run first."""
    found: dict[QuestionKey, Question] = {}
    for run in viewed:
        found |= {key: question for key, question in run.reader.questions.items() if key not in found}
    chosen = choose_names("task", tasks, dict.fromkeys(task for task, _ in found))
    return {key: question for key, question in found.items() if key[0] in chosen}


def _prepare(out: Path) -> None:
    """The folder is there, and holds no file of an earlier view."""
    out.mkdir(parents=True, exist_ok=True)
    index = out / "index.html"
    if any(out.iterdir()) and not (index.is_file() and MADE_BY in index.read_text(encoding="utf-8", errors="replace")):
        raise ConfigError(f"--out {out} holds other files. Name a new folder, or one that `raml-eval view` wrote.")
    for path in (*out.glob("page_*.js"), out / "index.js"):
        path.unlink(missing_ok=True)


def _write(viewed: Sequence[Viewed], questions: dict[QuestionKey, Question], out: Path) -> Written:
    budgets = sorted({label for run in viewed for label in run.budgets}, key=budget_order)
    index = _Index(out)
    for question in questions.values():
        key = question.task, question.id
        index.add(question, *_draws_of(viewed, key, budgets))
    index.end_page()
    content = {
        "runs": [run.describe() for run in viewed],
        "budgets": budgets,
        "caps": [place for place, label in enumerate(budgets) if in_tokens(parse_label(label))],
        **index.fields(),
    }
    (out / "index.js").write_text(call("raml_index", content), encoding="ascii")
    n_samples = sum(len(letters) - letters.count("-") for run in index.letters for letters in run)
    notes = tuple(note for run in viewed if (note := run.unmarked()))
    return Written(out / "index.html", len(index.samples), n_samples, index.n_pages, notes)


def _draws_of(viewed: Sequence[Viewed], key: QuestionKey, budgets: list[str]) -> tuple[list[Fields], list[list[str]]]:
    """The question's draws, each with one entry per run (None if the run lacks it), and their letters by run."""
    views = [view_question(run, key, budgets) for run in viewed]
    numbers = sorted({number for view in views for number in view.draws})
    draws = [{"sample": number, "runs": [view.draws.get(number) for view in views]} for number in numbers]
    return draws, [[view.letters.get(number, "-" * len(budgets)) for number in numbers] for view in views]


@dataclass
class _Index:
    """Writes the files of draws, and gathers what index.js says about all of them."""

    out: Path
    tasks: list[str] = field(default_factory=list)
    questions: list[list[Any]] = field(default_factory=list)  # task's place, id
    of_question: list[int] = field(default_factory=list)
    samples: list[int] = field(default_factory=list)
    letters: list[list[str]] = field(default_factory=list)  # by run
    starts: list[int] = field(default_factory=list)  # the first draw of each page
    n_pages: int = 0
    _texts: list[str] = field(default_factory=list)
    _size: int = 0

    def add(self, question: Question, draws: list[Fields], letters: list[list[str]]) -> None:
        if not draws:
            return
        if question.task not in self.tasks:
            self.tasks.append(question.task)
        self.questions.append([self.tasks.index(question.task), question.id])
        self.letters = self.letters or [[] for _ in letters]
        for run, own in zip(self.letters, letters, strict=True):
            run += own
        shown = question_fields(question)
        for part in _parts(draws):
            self._add_part(shown, part)

    def _add_part(self, shown: Fields, draws: list[Fields]) -> None:
        text = script_json({"question": shown, "draws": draws})
        if not self._texts:
            self.starts.append(len(self.samples))
        self._texts.append(text)
        self._size += len(text)
        self.of_question += [len(self.questions) - 1] * len(draws)
        self.samples += [draw["sample"] for draw in draws]
        if len(self.samples) - self.starts[-1] >= PAGE_DRAWS or self._size >= PAGE_CHARACTERS:
            self.end_page()

    def end_page(self) -> None:
        """The draws so far are in a file."""
        if self._texts:
            path = self.out / f"page_{self.n_pages}.js"
            path.write_text(f"raml_page({self.n_pages},[{','.join(self._texts)}]);\n", encoding="ascii")
            self.n_pages += 1
            self._texts, self._size = [], 0

    def fields(self) -> Fields:
        return {
            "tasks": self.tasks,
            "questions": self.questions,
            "of": self.of_question,
            "samples": self.samples,
            "letters": ["".join(run) for run in self.letters],
            "starts": self.starts,
        }


def _parts(draws: list[Fields]) -> Iterator[list[Fields]]:
    """The draws of one question in parts that fit a page each."""
    part: list[Fields] = []
    size = 0
    for draw in draws:
        part.append(draw)
        size += sum(len(text) for run in draw["runs"] if run for text in (*run["answers"], *_texts_of(run)))
        if len(part) >= PAGE_DRAWS or size >= PAGE_CHARACTERS:
            yield part
            part, size = [], 0
    if part:
        yield part


def _texts_of(run: Fields) -> Iterator[str]:
    return (text for thinking in run["thinkings"] for text in thinking["parts"])


def call(function: str, content: Any) -> str:
    """A script that passes the content to a function of the page."""
    return f"{function}({script_json(content)});\n"


def script_json(content: Any) -> str:
    r"""The content as JSON of ASCII alone that can stand in any script: no tag, comment or line separator can be in it.

    Example: script_json(["</script>"]) == '["\\u003c/script\\u003e"]'
    """
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _index_page() -> str:
    style, script = read_page("view.css"), read_page("view.js") + read_page("view_draw.js")
    rules = policy(style, script).replace("script-src", "script-src 'self'")
    page = read_page("view.html").replace("{{policy}}", rules).replace("{{made_by}}", MADE_BY)
    return page.replace("{{style}}", style).replace("{{script}}", script)
